"""How probable a model finds pieces of music, as the published tables have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.errors import ZooError


def likelihood(
    score: Callable[..., dict[str, Any]],
    keys: Sequence[str],
    pieces: Sequence[Sequence[Sequence[int]]],
    batch_size: int = 16,
) -> dict[str, Any]:
    """Scores held-out pieces.

    Args:
      score: a signature of `key`, `frames` and `length`; see `zoo.decoding.frames`.
      keys: name of each piece's key, or `""`.
      pieces: lists of frames of MIDI numbers.
      batch_size: pieces at once.

    Returns:
      `nats_per_frame`: -log p of all predicted frames together, the first of each piece is none,
      by their number; `frames`, that number.

    Raises:
      ZooError: no piece has two frames.
    """
    total, count = 0.0, 0
    order = np.argsort([len(piece) for piece in pieces], kind="stable")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        answer = score(
            key=tf.constant([keys[row] for row in rows], tf.string),
            frames=tf.constant(padded([pieces[row] for row in rows])),
            length=tf.constant([len(pieces[row]) for row in rows], tf.int32),
        )
        total -= float(np.sum(answer["log_probability"], dtype=np.float64))
        count += int(np.sum(answer["count"]))
    if not count:
        raise ZooError("No piece has two frames or more: there is nothing to predict.")
    return {"nats_per_frame": total / count, "frames": count}


def padded(pieces: Sequence[Sequence[Sequence[int]]]) -> np.ndarray:
    """Returns pieces as int32 `(pieces, longest, most notes)`, 0 on the right of each."""
    time = max(len(piece) for piece in pieces)
    voices = max(1, max(len(frame) for piece in pieces for frame in piece))
    values = np.zeros((len(pieces), time, voices), "int32")
    for row, piece in enumerate(pieces):
        for step, frame in enumerate(piece):
            values[row, step, : len(frame)] = frame
    return values
