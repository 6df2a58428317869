"""Lines of progress. Imports nothing but the standard library."""

from __future__ import annotations

import time

_begun = time.monotonic()


def log(line: str) -> None:
    """Prints a line with the seconds since the start."""
    print(f"[{time.monotonic() - _begun:7.1f}] {line}", flush=True)
