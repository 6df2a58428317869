"""Logs: one line of JSON per event on standard error, without any content of requests.

A thread writes them, so that a blocked reader does not block requests. Lines are dropped if the
queue is full.
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
    """Starts writing logs."""
    global _writer, _enabled
    _enabled = True
    if _writer is None:
        _writer = threading.Thread(target=_write, daemon=True, name="zoo-log")
        _writer.start()
        atexit.register(flush)


def log(event: str, *, level: str = "info", **fields: Any) -> None:
    """Writes one line: time, level, event and fields; fields that are None are omitted."""
    if not _enabled:
        return
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03}Z"
    given = {name: value for name, value in fields.items() if value is not None}
    with contextlib.suppress(queue.Full):
        _lines.put_nowait(json.dumps({"time": stamp, "level": level, "event": event, **given}))


def flush(seconds: float = 1.0) -> None:
    """Waits at most `seconds` until all logs are written."""
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
