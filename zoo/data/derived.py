"""What is slow to make out of fetched files, kept in the cache folder.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo import files


def derived(name: str, key: str, make: Callable[[], Any]) -> Any:
    """Returns what `make` does, from the cache if it has been made before.

    Two processes at once make it once. A damaged file of the cache is made again.

    Args:
      name: short, for the file's name and messages.
      key: says what it is made of and how: the SHA-256 of the source, the reader's version, …
        Another key is another file.
      make: makes a value that JSON can hold.

    Raises:
      ZooError: the cache folder cannot be written to; whatever `make` raises.
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
    """Returns where the cache keeps it."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    short = re.sub(r"[^\w.-]+", "-", name)
    return files.home() / "derived" / f"{short}-{digest}.json"
