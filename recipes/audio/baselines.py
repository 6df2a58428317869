"""Baselines for spoken words: nearest-neighbour classifiers of recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from recipes.audio.features import LogMel
from recipes.audio.mixing import joined
from zoo.data import Examples

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MFCCS = 13
SEED = 0  # of the noise that is added to the training recordings
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6)  # of speech, on a scale from noise (0) to speech (1)
MIN_FRAMES, MAX_PAUSE = 8, 8  # minimum frames of a word; frames further apart are other words

Summary = Callable[[np.ndarray], np.ndarray]


def mfcc_mean(features: np.ndarray) -> np.ndarray:
    """Returns the mean over time of 13 MFCCs, float32 `(13,)`, of log-mel `(frames, bands)`."""
    logs = tf.constant((features - 1) * 4 * np.log(10.0), tf.float32)
    return tf.signal.mfccs_from_log_mel_spectrograms(logs).numpy()[:, :MFCCS].mean(axis=0)


def mean_and_deviation(features: np.ndarray) -> np.ndarray:
    """Returns mean and standard deviation over time, `(2 * bands,)`, of `(frames, bands)`."""
    return np.concatenate([features.mean(axis=0), features.std(axis=0)])


def nearest(train: Sequence[np.ndarray], texts: Sequence[str], summary: Summary) -> Pipeline:
    """Returns a fitted nearest-neighbour classifier of standardised summaries.

    Args:
      train: features of each recording, float32 `(frames, bands)`.
      texts: the words of each recording.
      summary: function from features to float `(size,)`.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), KNeighborsClassifier(1))
    return classifier.fit([summary(row) for row in train], list(texts))


def word_baselines(train: Examples, test: Examples) -> dict[str, list[str]]:
    """Returns the predicted words of the test recordings, by name of the method."""
    methods: dict[str, Summary]
    if "audio" in train:
        rows, test_rows = (LogMel().rows(part["audio"]) for part in (train, test))
        methods = {
            "mfcc-mean-nearest": mfcc_mean,
            "log-mel-mean-and-deviation-nearest": mean_and_deviation,
        }
    else:
        rows, test_rows = train["features"], test["features"]
        methods = {"mfcc-mean-nearest": lambda row: np.asarray(row).mean(axis=0)}
    return {
        name: [
            str(word)
            for word in nearest(rows, train["text"], method).predict(
                [method(row) for row in test_rows]
            )
        ]
        for name, method in methods.items()
    }


def segments(features: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """Cuts features at pauses.

    Args:
      features: log-mel, float `(frames, bands)`.
      threshold: of speech, from 0 (the quietest tenth) to 1 (the loudest tenth).

    Returns:
      The first frame, and the frame after the last one, of each part. A part has at least 8 frames;
      shorter gaps do not divide it. If there is no part, one that has all frames.
    """
    energy = features.mean(axis=1)
    low, high = np.quantile(energy, [0.1, 0.9])
    speech = np.flatnonzero(energy >= low + threshold * (high - low))
    parts = np.split(speech, np.flatnonzero(np.diff(speech) > MAX_PAUSE) + 1)
    bounds = [(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]
    return [part for part in bounds if part[1] - part[0] >= MIN_FRAMES] or [(0, len(features))]


def segmented(train: Examples, validation: Examples, test: Examples) -> list[str]:
    """Cuts recordings at pauses, and classifies each part by the nearest training word.

    The training recordings are processed like the sequences: their loudness is changed, silence and
    noise are added, and they are cut at pauses.

    Args:
      train: recordings of single words.
      validation: sequences that are used to choose the threshold.
      test: sequences.

    Returns:
      The predicted text of each test sequence.
    """
    from recipes.audio.metrics import transcription

    mel, generator = LogMel(), np.random.default_rng(SEED)
    words = mel.rows([joined([np.asarray(row)], generator) for row in train["audio"]])

    def parts_of(row: np.ndarray, threshold: float) -> list[np.ndarray]:
        parts = [row[start:end] for start, end in segments(row, threshold)]
        return [part + (1 - part.max()) for part in parts]  # relative to its loudest band

    def transcribe(rows: Sequence[np.ndarray], threshold: float) -> list[str]:
        longest = [max(parts_of(word, threshold), key=len) for word in words]
        classifier = nearest(longest, train["text"], mean_and_deviation)
        texts = []
        for row in rows:
            summaries = [mean_and_deviation(part) for part in parts_of(row, threshold)]
            texts.append(" ".join(map(str, classifier.predict(summaries))))
        return texts

    held_out = mel.rows(validation["audio"])
    error_rates = {
        threshold: transcription(validation["text"], transcribe(held_out, threshold))[
            "word_error_rate"
        ]
        for threshold in THRESHOLDS
    }
    return transcribe(
        mel.rows(test["audio"]), min(error_rates, key=lambda threshold: error_rates[threshold])
    )
