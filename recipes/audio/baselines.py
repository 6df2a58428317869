"""Simple ways to tell words that are said: the recording of training that is nearest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from recipes.audio.features import LogMel
from zoo.data import Examples

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MFCCS = 13
SHARES = (0.2, 0.3, 0.4, 0.5, 0.6)  # of the way from noise to speech, from which on it is speech
SHORTEST, BRIDGED = 8, 8  # frames of a word, and of a gap within one

Summary = Callable[[np.ndarray], np.ndarray]


def mfcc_mean(features: np.ndarray) -> np.ndarray:
    """Returns the mean over time of 13 MFCCs, float32 `(13,)`, of log-mel `(frames, bands)`."""
    logs = tf.constant((features - 1) * 4 * np.log(10.0), tf.float32)
    return tf.signal.mfccs_from_log_mel_spectrograms(logs).numpy()[:, :MFCCS].mean(axis=0)


def mean_and_deviation(features: np.ndarray) -> np.ndarray:
    """Returns mean and deviation over time, `(2 * bands,)`, of float32 `(frames, bands)`."""
    return np.concatenate([features.mean(axis=0), features.std(axis=0)])


def nearest(train: Sequence[np.ndarray], texts: Sequence[str], summary: Summary) -> Pipeline:
    """Returns a fitted classifier: the nearest summary, each dimension by its deviation.

    Args:
      train: features, float32 `(frames, bands)` each.
      texts: what is said in each.
      summary: features to float `(size,)`.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), KNeighborsClassifier(1))
    return classifier.fit([summary(row) for row in train], list(texts))


def word_baselines(train: Examples, test: Examples) -> dict[str, list[str]]:
    """Returns the words that the nearest recordings say, by name of the method."""
    ways: dict[str, Summary]
    if "audio" in train:
        rows, other = (LogMel().rows(part["audio"]) for part in (train, test))
        ways = {
            "mfcc-mean-nearest": mfcc_mean,
            "log-mel-mean-and-deviation-nearest": mean_and_deviation,
        }
    else:
        rows, other = train["features"], test["features"]
        ways = {"mfcc-mean-nearest": lambda row: np.asarray(row).mean(axis=0)}
    return {
        name: [
            str(word)
            for word in nearest(rows, train["text"], way).predict([way(row) for row in other])
        ]
        for name, way in ways.items()
    }


def segments(features: np.ndarray, share: float) -> list[tuple[int, int]]:
    """Cuts features where they are quiet.

    Args:
      features: log-mel, float `(frames, bands)`.
      share: from 0 (the quietest tenth) to 1 (the loudest tenth): from there on it is speech.

    Returns:
      First frame and frame behind the last one of each part of at least 8 frames; gaps of less
      than 8 frames are within a part. All of it, if there is none.
    """
    energy = features.mean(axis=1)
    low, high = np.quantile(energy, [0.1, 0.9])
    loud = np.flatnonzero(energy >= low + share * (high - low))
    parts = np.split(loud, np.flatnonzero(np.diff(loud) > BRIDGED) + 1)
    found = [(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]
    return [part for part in found if part[1] - part[0] >= SHORTEST] or [(0, len(features))]


def segmented(train: Examples, validation: Examples, test: Examples) -> list[str]:
    """Cuts recordings where they are quiet, and takes each part for the nearest word.

    Args:
      train: recordings of single words.
      validation: sequences by which the threshold is chosen.
      test: sequences.

    Returns:
      The text of each test sequence.
    """
    from recipes.audio.metrics import transcription

    mel = LogMel()
    classifier = nearest(mel.rows(train["audio"]), train["text"], mean_and_deviation)

    def heard(rows: Sequence[np.ndarray], share: float) -> list[str]:
        texts = []
        for row in rows:
            parts = [row[start:end] for start, end in segments(row, share)]
            # In training, too, a recording's own loudest band is its measure.
            scaled = [mean_and_deviation(part + (1 - part.max())) for part in parts]
            texts.append(" ".join(map(str, classifier.predict(scaled))))
        return texts

    held_out = mel.rows(validation["audio"])
    rates = {
        share: transcription(validation["text"], heard(held_out, share))["word_error_rate"]
        for share in SHARES
    }
    return heard(mel.rows(test["audio"]), min(rates, key=lambda share: rates[share]))
