"""Python's text to the bytes that a graph reads."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Replaces each lone surrogate, which has no UTF-8 form, by U+FFFD.

    JSON may hold one; and where a shell or a file has a byte that is not UTF-8, Python puts one.
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def utf8(text: str) -> bytes:
    """Encodes any text, each character as one, so that offsets that a graph counts hold in it."""
    return plain(text).encode("utf-8")
