"""The words by which files and folders say what split they are.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import re

NAMES = {  # words in the names of files and folders to the split that they mean
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
    """Returns the split that a file name or folder name means by one of its words, or `""`."""
    words = re.findall(r"[a-z]+", name.lower())
    found = {NAMES[word] for word in words if word in NAMES}
    return found.pop() if len(found) == 1 else ""
