"""Tests downloads from misbehaving servers: endless, slow, lying, redirecting."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.servers import Handler, Server, drip, reply, running
from zoo.data import fetch
from zoo.errors import ZooError

CONTENT = bytes(range(256)) * 400  # 102,400 bytes
SHA = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)
ENDLESS = 200  # MB that an endless server would send
SECONDS = 15.0  # maximum duration of a failing download
SENT = 60e6  # bytes that a server may send: the size of the connections' buffers
MESSAGE = 600  # characters of a message
# Shortened limits of downloads: a server is given up within seconds.
LIMITS = {"ANSWER_SECONDS": 1.0, "STALL_SECONDS": 1.0, "SPEED_SECONDS": 0.6}

Behave = Callable[[Handler], object]
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


def _endless(handler: Handler, start: bytes = b"", **headers: object) -> None:
    reply(handler, start, {name.replace("_", "-"): value for name, value in headers.items()})
    for _ in range(ENDLESS * 16):
        handler.wfile.write(b"x" * (1 << 16))
        handler.server.sent += 1 << 16


def _chunks(handler: Handler, *chunks: bytes, forever: bytes = b"") -> None:
    handler.protocol_version = "HTTP/1.1"
    reply(handler, b"".join(chunks), {"Transfer-Encoding": "chunked"})
    for _ in range(100 if forever else 0):
        handler.wfile.write(forever)
        time.sleep(0.05)


def _silent(handler: Handler) -> None:
    reply(handler, b"", {"Content-Length": SIZE})
    time.sleep(4)


def _drip_raw(handler: Handler, text: bytes) -> None:
    for byte in text:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def _raw(text: bytes) -> Behave:
    return lambda handler: handler.wfile.write(text)


def _reply(body: bytes, status: int = 200, **headers: object) -> Behave:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: reply(handler, body, named, status)


def _redirect(target: str, status: int = 302) -> Behave:
    return _reply(b"", status, Location=target)


def _redirect_endlessly(handler: Handler) -> None:
    reply(handler, b"", {"Location": f"{handler.path}x"}, 307)


def _redirect_with_body(handler: Handler) -> None:
    if handler.path == "/there":
        reply(handler, CONTENT)
    else:
        _endless(handler, Location="/there")


def _once_then(first: Behave, then: Behave) -> Behave:
    def behave(handler: Handler) -> None:
        (first if len(handler.server.requests) == 1 else then)(handler)

    return behave


GOOD = _reply(CONTENT, Content_Length=SIZE)
KINDS: dict[str, Behave] = {
    "endless": _endless,
    "endless, begins well": lambda handler: _endless(handler, CONTENT),
    "endless, a small size declared": lambda handler: _endless(handler, Content_Length=SIZE),
    "endless, a huge size declared": lambda handler: _endless(handler, Content_Length=10**15),
    "endless chunks": lambda handler: _chunks(handler, *[b"5\r\nhello\r\n"] * 40_000),
    "endless, compressed by name": lambda handler: _endless(handler, Content_Encoding="gzip"),
    "dripping": functools.partial(drip, content=CONTENT),
    "dripping after half": functools.partial(drip, content=CONTENT, at_once=SIZE // 2),
    "dripping head": lambda handler: _drip_raw(handler, b"HTTP/1.0 200 OK\r\nX: " + b"x" * 90),
    "dripping status": lambda handler: _drip_raw(handler, b"HTTP/1.0 2" + b"0" * 90),
    "dripping chunks": functools.partial(_chunks, forever=b"1\r\nx\r\n"),
    "dripping size of a chunk": functools.partial(_chunks, forever=b"0"),
    "silent": lambda handler: time.sleep(4),
    "silent after the head": _silent,
    "hangs up": lambda handler: None,
    "hangs up after half": _reply(CONTENT[: SIZE // 2], Content_Length=SIZE),
    "hangs up after one byte": _reply(CONTENT[:1], Content_Length=SIZE),
    "a byte short, as it says": _reply(CONTENT[:-1], Content_Length=SIZE - 1),
    "a byte more, as it says": _reply(CONTENT + b"x", Content_Length=SIZE + 1),
    "a byte more than it says": _reply(CONTENT + b"x", Content_Length=SIZE),
    "another file": _reply(b"x" * SIZE, Content_Length=SIZE),
    "one byte wrong": _reply(CONTENT[:-1] + b"x", Content_Length=SIZE),
    "an HTML page": _reply(PAGE, Content_Type="text/html"),
    "an empty file": _reply(b"", Content_Length=0),
    "size of words": _reply(CONTENT, Content_Length="many"),
    "negative size": _reply(CONTENT, Content_Length=-5),
    "size of two numbers": _reply(CONTENT, Content_Length="5, 6"),
    "size of 5000 digits": _reply(CONTENT, Content_Length="9" * 5000),
    "empty size": _reply(CONTENT, Content_Length=""),
    "size of a float": _reply(CONTENT, Content_Length="1e3"),
    **{f"status {status}": _reply(b"no", status)
       for status in (201, 204, 205, 206, 300, 304, 400, 401, 403, 404, 407, 410, 416, 418, 429,
                      451, 500, 502, 503, 504)},
    "status 999": _raw(b"HTTP/1.0 999 What\r\n\r\n"),
    "status 0": _raw(b"HTTP/1.0 000 What\r\n\r\n"),
    "no HTTP": _raw(b"220 ftp ready\r\n\r\n"),
    "binary noise": _raw(bytes(range(256)) * 40),
    "terminal codes": _raw(b"HTTP/1.0 404 \x1b[31mred\x07\r\n\r\n"),
    "a long reason": _raw(b"HTTP/1.0 500 " + b"x" * 5000 + b"\r\n\r\n"),
    "a long header": _raw(b"HTTP/1.0 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"),
    "500 headers": _raw(b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n"),
    "headers that are none": _raw(b"HTTP/1.0 200 OK\r\n\x00\xff: \xfe\r\nnonsense\r\n\r\nbody"),
    "bad size of a chunk": _raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "a chunk cut short": _raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nx"),
    "redirect to itself": lambda handler: _redirect(handler.path)(handler),
    "redirect without end": _redirect_endlessly,
    "redirect with an endless body": _redirect_with_body,
    **{f"redirect to {name}": _redirect(target) for name, target in {
        "ftp": "ftp://127.0.0.1:1/x", "a file": "file:///etc/passwd", "no host": "http://",
        "a bad address": "http://[x/", "a bad port": "http://127.0.0.1:99999/",
        "no URL": "javascript:alert(1)", "nothing": "", "a long URL": "ftp://" + "x" * 5000,
        "a closed port": "http://127.0.0.1:1/x", "an odd host": "http://a..b/",
    }.items()},
    "an odd range": _once_then(_reply(CONTENT[:900], Content_Length=SIZE),
                               _reply(b"odd", 206, Content_Range="bytes 5-7/9")),
    "a range without its header": _once_then(_reply(CONTENT[:900], Content_Length=SIZE),
                                             _reply(CONTENT[900:], 206)),
    "a range of items": _once_then(_reply(CONTENT[:900], Content_Length=SIZE),
                                   _reply(b"x", 206, Content_Range=f"items 900-{SIZE}/{SIZE}")),
    "another range": _once_then(_reply(CONTENT[:900], Content_Length=SIZE),
                                _reply(b"x", 206, Content_Range=f"bytes 0-{SIZE - 1}/{SIZE}")),
    "a wrong rest": _once_then(
        _reply(CONTENT[:900], Content_Length=SIZE),
        _reply(b"x" * (SIZE - 900), 206, Content_Range=f"bytes 900-{SIZE - 1}/{SIZE}"),
    ),
    "first broken, then right": _once_then(_reply(CONTENT[:900], Content_Length=SIZE), GOOD),
}  # fmt: skip
PARTS = ("none", "good", "bad")  # what an earlier download has left


@contextlib.contextmanager
def surroundings(folder: Path) -> Iterator[None]:
    """Gives downloads a separate cache, short limits, and no proxy or mirror."""
    dropped = ("ZOO_MIRROR", "ZOO_OFFLINE", "ZOO_MIN_SPEED", "http_proxy", "HTTP_PROXY",
               "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")  # fmt: skip
    environment, limits = dict(os.environ), {name: getattr(fetch, name) for name in LIMITS}
    for name in dropped:
        os.environ.pop(name, None)
    os.environ["ZOO_HOME"] = str(folder)
    for name, value in LIMITS.items():
        setattr(fetch, name, value)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        for name, value in limits.items():
            setattr(fetch, name, value)


def attack_downloads(
    seed: int, folder: Path, log: Callable[[str], None], kinds: Mapping[str, Behave] = KINDS
) -> dict[str, Any]:
    """Downloads from each kind of server, then from a correct one.

    Args:
      seed: of what an earlier download has left.
      folder: for the cache.
      log: called with a line at the end.
      kinds: of servers.

    Returns:
      Counts and failures: a wrong file in the cache, an error other than one line of ours, a
      timeout, too many bytes received, no download from the correct server afterwards.
    """
    draw = random.Random(f"{seed} downloads")
    failures, outcomes = [], {"right file": 0, "one clear line": 0}
    with surroundings(folder):
        for number, (kind, behave) in enumerate(kinds.items()):
            with running(CONTENT) as server:
                server.url = f"http://127.0.0.1:{server.server_port}/{number}/file.bin"
                outcome, problem = _download(server, behave, draw.choice(PARTS))
            if problem:
                failures.append({"kind": kind, "problem": problem})
            else:
                outcomes[outcome] += 1
    log(f"{len(kinds)} kinds of server, {len(failures)} failures")
    return {"kinds": len(kinds), "outcomes": outcomes, "failures": failures}


def _download(server: Server, behave: Behave, part: str) -> tuple[str, str]:
    """Returns the outcome of a download, and what is wrong with it."""
    path = fetch.cache_path(server.url)
    left = fetch.cache_path(server.url + ".part")
    left.parent.mkdir(parents=True, exist_ok=True)
    if part != "none":
        left.write_bytes(CONTENT[:500] if part == "good" else b"x" * 500)
    server.behave = behave
    began = time.monotonic()
    outcome = "right file"
    try:
        fetch.fetch(server.url, sha256=SHA, size=SIZE, log=lambda line: None)
    except ZooError as error:
        outcome = "one clear line"
        text = str(error)
        if "\n" in text or "\x1b" in text or len(text) > MESSAGE:
            return outcome, f"a message of {len(text)} characters: {text[:100]!r}"
    except Exception as error:
        return outcome, f"{type(error).__name__}: {str(error)[:200]}"
    if time.monotonic() - began > SECONDS:
        return outcome, f"it took {time.monotonic() - began:.0f} s"
    if path.exists() != (outcome == "right file"):
        return outcome, "there is a file after an error, or none after a download"
    if path.exists() and path.read_bytes() != CONTENT:
        return outcome, "a wrong file is in the cache"
    if left.exists() and left.stat().st_size > SIZE:
        return outcome, f"{left.stat().st_size} bytes of a file of {SIZE} were kept"
    if server.sent > SENT:
        return outcome, f"{server.sent} bytes were taken"
    server.behave = None
    try:
        good = fetch.fetch(server.url, sha256=SHA, size=SIZE, log=lambda line: None)
    except ZooError as error:
        return outcome, f"no download from a good server afterwards: {error}"
    return outcome, "" if good.read_bytes() == CONTENT else "a wrong file is in the cache"
