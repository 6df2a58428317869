"""Conversion between Python strings and the bytes that a graph reads."""

from __future__ import annotations

import re
from typing import Any


def plain(text: str) -> str:
    """Replaces each lone surrogate, which has no UTF-8 form, by U+FFFD.

    JSON may contain them, and Python inserts them for bytes of a shell or a file that are not
    UTF-8.
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def utf8(text: str) -> bytes:
    """Encodes any text character by character, so that offsets computed by a graph match it."""
    return plain(text).encode("utf-8")


def decoded(value: Any) -> Any:
    """Returns a value with bytes decoded, also in lists; invalid UTF-8 becomes U+FFFD."""
    if isinstance(value, list):
        return [decoded(part) for part in value]
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
