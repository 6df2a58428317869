"""Words in the names of files and folders that identify a split.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import re

NAMES = {  # maps words in the names of files and folders to splits
    "train": "train",
    "training": "train",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "testa": "validation",  # CoNLL-2003's names
    "test": "test",
    "testing": "test",
    "testb": "test",
}


def split_of(name: str) -> str:
    """Returns the split that a word in a file or folder name identifies, or `""`."""
    words = re.findall(r"[a-z]+", name.lower())
    found = {NAMES[word] for word in words if word in NAMES}
    return found.pop() if len(found) == 1 else ""
