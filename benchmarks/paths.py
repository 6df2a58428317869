"""Paths in published files."""

from __future__ import annotations

import os


def basename_only(text: str | None) -> str | None:
    """Returns the last part of an absolute path, for privacy; any other `text` unchanged."""
    return os.path.basename(os.path.normpath(text)) if text and os.path.isabs(text) else text
