"""How probable a model finds pieces of music, as the published tables have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.errors import ZooError
from zoo.music.arrays import padded


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
