"""Paths in published files."""

from __future__ import annotations

import os

from zoo.assets import Json


def basenames_only(value: Json) -> Json:
    """Returns JSON with only the last part of each absolute path, for privacy.

    Keys of objects are shortened too: a run that learns from teachers lists their scores by path.
    """
    if isinstance(value, dict):
        return {str(basenames_only(key)): basenames_only(each) for key, each in value.items()}
    if isinstance(value, list):
        return [basenames_only(each) for each in value]
    if isinstance(value, str) and os.path.isabs(value):
        return os.path.basename(os.path.normpath(value))
    return value
