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

MOST = 20_000  # frames that a regression learns from: evenly chosen, for time
STRENGTH = 1.0  # of scikit-learn's L2 penalty, its default


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
    found = {"frequencies": nats(test_frames, np.broadcast_to(frequencies, test_frames.shape))}

    shares = np.empty((2, frames.shape[1]))
    for value in (0, 1):
        chosen = before == value
        shares[value] = ((frames * chosen).sum(0) + 0.5) / (chosen.sum(0) + 1)
    found["same-key"] = nats(test_frames, np.where(test_before == 1, shares[1], shares[0]))

    every = max(1, -(-len(frames) // MOST))
    before, frames = before[::every], frames[::every]
    for name, below in (("previous-frame", False), ("previous-frame-and-keys-below", True)):

        def features(a: np.ndarray, b: np.ndarray, key: int, below: bool = below) -> np.ndarray:
            return np.concatenate([a, b[:, :key]], axis=1) if below else a

        found[name] = _regression(features, (before, frames), (test_before, test_frames))
    return {name: Scores({"nats_per_frame": value}) for name, value in found.items()}


def transitions(pieces: Sequence[Sequence[Sequence[int]]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the frame before each frame that has one, and that frame.

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
    found = np.where(frames == 1, probabilities, 1 - probabilities)
    return float(-np.log(np.maximum(found, 1e-12)).sum() / len(frames))


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
        if min(sounds, len(frames) - sounds) < 2:  # too rarely (or too often) to learn from
            probabilities[:, key] = (sounds + 0.5) / (len(frames) + 1)
            continue
        model = LogisticRegression(C=STRENGTH, max_iter=200)
        model.fit(features(*train, key), frames[:, key])
        probabilities[:, key] = model.predict_proba(features(*test, key))[:, 1]
    return nats(test_frames, probabilities)
