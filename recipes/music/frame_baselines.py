"""Simple methods that predict frames of notes, for comparison with recurrent networks.

- `frequencies`: each key sounds as often as in the training pieces of the same key and mode.
- `same-key`: as often as in the training pieces, given whether it sounded in the frame before.
- `previous-frame`: logistic regression of each key on all keys of the frame before, and on the key
  and mode of the piece.
- `previous-frame-and-keys-below`: the same with the keys below it in the frame itself, a fully
  visible belief network (Frey, Hinton & Dayan: Does the Wake-Sleep Algorithm Produce Good Density
  Estimators?, NIPS 1995).

They use the same data as the network: transposed copies of the training pieces, where it is trained
on these, and the key and mode of a piece, where they are known.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recipes.music.arrays import roll
from zoo.data import Examples
from zoo.metrics.intervals import Units, ratios
from zoo.scores import Scores

if TYPE_CHECKING:
    from scipy import sparse

MAX_FRAMES = 250_000  # maximum frames for a regression, evenly spaced; more would take too long
C = 1.0  # scikit-learn's inverse strength of the L2 penalty, its default
EPSILON = 1e-12  # lower bound of a probability


def baselines(train: Examples, test: Examples) -> dict[str, Scores]:
    """Fits all methods and scores them on the test pieces.

    Args:
      train, test: columns `frames`, pieces as lists of frames, and `key`, `""` where unknown.
        `train` has the transposed copies, too.

    Returns:
      Name to `nats_per_frame`, summed over keys, the first frame of a piece not scored.
    """
    keys = sorted({*keys_of(train), ""})
    before, frames, names = transitions(train)
    test_before, test_frames, test_names = transitions(test)
    pieces = [max(len(piece) - 1, 0) for piece in test["frames"]]
    found: dict[str, np.ndarray] = {}

    frequencies = np.empty((len(keys), frames.shape[1]))
    for row, key in enumerate(keys):
        chosen = frames[names == key] if key and key in names else frames
        frequencies[row] = (chosen.sum(0) + 0.5) / (len(chosen) + 1)
    found["frequencies"] = nats(test_frames, frequencies[_places(test_names, keys)])

    probabilities = np.empty((2, frames.shape[1]))
    for value in (0, 1):
        chosen = before == value
        probabilities[value] = ((frames * chosen).sum(0) + 0.5) / (chosen.sum(0) + 1)
    found["same-key"] = nats(
        test_frames, np.where(test_before == 1, probabilities[1], probabilities[0])
    )

    stride = max(1, -(-len(frames) // MAX_FRAMES))
    shown = _inputs(before[::stride], names[::stride], keys)
    test_shown = _inputs(test_before, test_names, keys)
    for name, below in (("previous-frame", False), ("previous-frame-and-keys-below", True)):
        found[name] = _regression((shown, frames[::stride]), (test_shown, test_frames), below=below)
    return {
        name: Scores(
            {"nats_per_frame": float(values.mean())},
            units={"nats_per_frame": _by_piece(values, pieces)},
        )
        for name, values in found.items()
    }


def transitions(examples: Examples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns all pairs of a frame and the next one.

    Args:
      examples: `frames`, MIDI numbers of each frame of each piece; `key` of each piece.

    Returns:
      Both float32 `(frames, keys)`, 1 where a key sounds, and the key and mode of each pair.
    """
    rolls = [roll(piece) for piece in examples["frames"]]
    before, after = (np.concatenate([r[a:b] for r in rolls]) for a, b in ((0, -1), (1, None)))
    sizes = [max(len(piece) - 1, 0) for piece in rolls]
    return before, after, np.repeat(np.array(keys_of(examples), dtype=object), sizes)


def keys_of(examples: Examples) -> list[str]:
    """Returns the key and mode of each piece, `""` where it is unknown."""
    return list(examples.get("key") or [""] * len(examples["frames"]))


def nats(frames: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns -log p of each frame, summed over keys, in nats, float64 `(frames,)`.

    Args:
      frames: 0 or 1, `(frames, keys)`.
      probabilities: that each key sounds, float `(frames, keys)`.
    """
    likelihood = np.where(frames == 1, probabilities, 1 - probabilities)
    return -np.log(np.maximum(likelihood, EPSILON)).sum(axis=1)


def _by_piece(values: np.ndarray, sizes: Sequence[int]) -> Units:
    ends = np.cumsum([0, *sizes])
    sums = [values[a:b].sum() for a, b in itertools.pairwise(ends)]
    return ratios("pieces", sums, sizes)


def _places(names: np.ndarray, keys: Sequence[str]) -> np.ndarray:
    """Returns the index of each name in `keys`, that of `""` for unknown names."""
    number = {key: place for place, key in enumerate(keys)}
    return np.array([number.get(name, number[""]) for name in names], int)


def _inputs(before: np.ndarray, names: np.ndarray, keys: Sequence[str]) -> sparse.csr_matrix:
    """Returns the frames before and the one-hot key and mode, `(frames, inputs)`."""
    from scipy import sparse

    places = np.arange(len(names)), _places(names, keys)
    ones = sparse.csr_matrix((np.ones(len(names)), places), (len(names), len(keys)))
    return sparse.hstack([sparse.csr_matrix(before), ones], format="csr")


def _regression(
    train: tuple[sparse.csr_matrix, np.ndarray],
    test: tuple[sparse.csr_matrix, np.ndarray],
    *,
    below: bool,
) -> np.ndarray:
    """Returns -log p of each test frame by a regression of each key."""
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    (inputs, frames), (test_inputs, test_frames) = train, test
    probabilities = np.empty(test_frames.shape)
    columns, test_columns = sparse.csc_matrix(frames), sparse.csc_matrix(test_frames)
    for key in range(frames.shape[1]):
        sounds = int(frames[:, key].sum())
        if min(sounds, len(frames) - sounds) < 2:  # too rarely (or too often) to fit a model
            probabilities[:, key] = (sounds + 0.5) / (len(frames) + 1)
            continue
        shown, test_shown = inputs, test_inputs
        if below:
            shown = sparse.hstack([inputs, columns[:, :key]], format="csr")
            test_shown = sparse.hstack([test_inputs, test_columns[:, :key]], format="csr")
        model = LogisticRegression(C=C, max_iter=200).fit(shown, frames[:, key])
        probabilities[:, key] = model.predict_proba(test_shown)[:, 1]
    return nats(test_frames, probabilities)
