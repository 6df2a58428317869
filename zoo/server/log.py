"""Logs: one line of JSON an event, on standard error, never what a client sent.

A thread writes them: a reader who stops reading stops no request. Lines that do not fit are lost.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import queue
import sys
import threading
import time
from typing import Any

_lines: queue.Queue[str] = queue.Queue(10_000)
_writer: threading.Thread | None = None
_enabled = False


def start() -> None:
    """Writes logs from now on."""
    global _writer, _enabled
    _enabled = True
    if _writer is None:
        _writer = threading.Thread(target=_write, daemon=True, name="zoo-log")
        _writer.start()
        atexit.register(flush)


def log(event: str, *, level: str = "info", **fields: Any) -> None:
    """Writes one line: time, level, event, and what is given; None is omitted."""
    if not _enabled:
        return
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03}Z"
    given = {name: value for name, value in fields.items() if value is not None}
    with contextlib.suppress(queue.Full):
        _lines.put_nowait(json.dumps({"time": stamp, "level": level, "event": event, **given}))


def flush(seconds: float = 1.0) -> None:
    """Waits until what was logged is written, for a while."""
    end = time.monotonic() + seconds
    while _lines.unfinished_tasks and time.monotonic() < end:
        time.sleep(0.01)


def _write() -> None:
    while True:
        line = _lines.get()
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass
        finally:
            _lines.task_done()
