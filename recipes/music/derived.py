"""Cache of values that are slow to compute from fetched files.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from zoo import files

T = TypeVar("T")


def derived(name: str, key: str, make: Callable[[], T]) -> T:
    """Returns the value of `make()`, from the cache if it was computed before.

    Of two processes at the same time, one computes it. A damaged cache file is replaced.

    Args:
      name: short, for the file's name and messages.
      key: identifies the inputs: the SHA-256 of the source, the version of the reader, …
        Each key has its own file.
      make: computes a value that JSON can hold.

    Raises:
      ZooError: the cache folder cannot be written to; any error of `make`.
    """
    from zoo.data import fetch

    path = derived_path(name, key)
    with fetch.locked(path, fetch.log):
        if path.exists():
            try:
                return json.loads(path.read_text(encoding="utf-8"))["value"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                fetch.log(f"{path} is damaged ({error}); {name} is made again")
        value = make()
        # No spaces, and one line: these files are large.
        text = json.dumps({"key": key, "value": value}, separators=(",", ":"))
        files.write_text(path, text + "\n")
        return value


def derived_path(name: str, key: str) -> Path:
    """Returns the path of its file in the cache."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    short = re.sub(r"[^\w.-]+", "-", name)
    return files.home() / "derived" / f"{short}-{digest}.json"
