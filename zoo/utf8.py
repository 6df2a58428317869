"""Python's text to the bytes that a graph reads, and back."""

from __future__ import annotations

import re
from typing import Any


def plain(text: str) -> str:
    """Replaces each lone surrogate, which has no UTF-8 form, by U+FFFD.

    JSON may hold one; and where a shell or a file has a byte that is not UTF-8, Python puts one.
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def utf8(text: str) -> bytes:
    """Encodes any text, each character as one, so that offsets that a graph counts hold in it."""
    return plain(text).encode("utf-8")


def decoded(value: Any) -> Any:
    """Returns a value with text for bytes, also in lists; what is not UTF-8 becomes U+FFFD."""
    if isinstance(value, list):
        return [decoded(part) for part in value]
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
