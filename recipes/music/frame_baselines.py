"""Simple methods that predict frames of notes, for comparison with recurrent networks.

- `frequencies`: each key sounds as often as in the training pieces.
- `same-key`: as often as in the training pieces after it has sounded, or not sounded, a frame ago.
- `previous-frame`: logistic regression of each key on all keys of the frame before.
- `previous-frame-and-keys-below`: the same with the keys below it in the frame itself, a fully
  visible belief network (Frey, Hinton & Dayan: Does the Wake-Sleep Algorithm Produce Good Density
  Estimators?, NIPS 1995).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recipes.music.arrays import roll
from zoo.data import Examples
from zoo.scores import Scores

MAX_FRAMES = 20_000  # frames of a regression, at equal distances; more would take too long
C = 1.0  # scikit-learn's inverse strength of the L2 penalty, its default
EPSILON = 1e-12  # lower bound of a probability


def baselines(train: Examples, test: Examples) -> dict[str, Scores]:
    """Fits all methods and scores them on the test pieces.

    Args:
      train, test: column `frames`, pieces as lists of frames.

    Returns:
      Name to `nats_per_frame`, summed over keys, the first frame of a piece not scored.
    """
    before, frames = transitions(train["frames"])
    test_before, test_frames = transitions(test["frames"])
    frequencies = (frames.sum(0) + 0.5) / (len(frames) + 1)
    scores = {"frequencies": nats(test_frames, np.broadcast_to(frequencies, test_frames.shape))}

    probabilities = np.empty((2, frames.shape[1]))
    for value in (0, 1):
        rows = before == value
        probabilities[value] = ((frames * rows).sum(0) + 0.5) / (rows.sum(0) + 1)
    scores["same-key"] = nats(
        test_frames, np.where(test_before == 1, probabilities[1], probabilities[0])
    )

    stride = max(1, -(-len(frames) // MAX_FRAMES))
    before, frames = before[::stride], frames[::stride]
    for name, below in (("previous-frame", False), ("previous-frame-and-keys-below", True)):

        def features(a: np.ndarray, b: np.ndarray, key: int, below: bool = below) -> np.ndarray:
            return np.concatenate([a, b[:, :key]], axis=1) if below else a

        scores[name] = _regression(features, (before, frames), (test_before, test_frames))
    return {name: Scores({"nats_per_frame": value}) for name, value in scores.items()}


def transitions(pieces: Sequence[Sequence[Sequence[int]]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns all pairs of a frame and the next one.

    Args:
      pieces: MIDI numbers of each frame.

    Returns:
      Both float32 `(frames, keys)`, 1 where a key sounds.
    """
    rolls = [roll(piece) for piece in pieces]
    before, after = (np.concatenate([r[a:b] for r in rolls]) for a, b in ((0, -1), (1, None)))
    return before, after


def nats(frames: np.ndarray, probabilities: np.ndarray) -> float:
    """Returns the mean over frames of -log p, summed over keys, in nats.

    Args:
      frames: 0 or 1, `(frames, keys)`.
      probabilities: that each key sounds, float `(frames, keys)`.
    """
    likelihood = np.where(frames == 1, probabilities, 1 - probabilities)
    return float(-np.log(np.maximum(likelihood, EPSILON)).sum() / len(frames))


def _regression(
    features: Callable[..., np.ndarray],
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
) -> float:
    from sklearn.linear_model import LogisticRegression

    _, frames = train
    _, test_frames = test
    probabilities = np.empty(test_frames.shape)
    for key in range(frames.shape[1]):
        sounds = int(frames[:, key].sum())
        if min(sounds, len(frames) - sounds) < 2:  # too rarely (or too often) to fit a model
            probabilities[:, key] = (sounds + 0.5) / (len(frames) + 1)
            continue
        model = LogisticRegression(C=C, max_iter=200)
        model.fit(features(*train, key), frames[:, key])
        probabilities[:, key] = model.predict_proba(features(*test, key))[:, 1]
    return nats(test_frames, probabilities)
