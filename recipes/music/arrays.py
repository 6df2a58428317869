"""Pieces as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recipes.music.keys import HIGHEST, LOWEST


def roll(frames: Sequence[Sequence[int]]) -> np.ndarray:
    """Returns a piece as float32 `(time, 88)`: 1 for each key of a piano that sounds, else 0."""
    values = np.zeros((len(frames), HIGHEST - LOWEST + 1), "float32")
    indices = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    values[indices, [note - LOWEST for frame in frames for note in frame]] = 1
    return values


def frames_left(steps: int, *, told: bool) -> np.ndarray:
    """Returns the number of steps left at each step, this one included, float32 `(steps,)`.

    All are 0 if the network is not `told`.
    """
    return np.arange(steps, 0, -1, dtype="float32") * told
