"""Log-mel features of audio, computed in the graph by TensorFlow's core ops."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

import numpy as np
import tensorflow as tf

from recipes.audio.recordings import RATE
from zoo.assets import Assets, Json
from zoo.bounds import beyond, problems
from zoo.data.sources import Examples

FRAME, HOP, FFT = 200, 80, 256  # samples: 25 ms every 10 ms
HOP_SECONDS = HOP / RATE
LOW, HIGH = 60.0, 3800.0  # Hz
KNEE = 0.8  # fraction of the highest frequency: up to it, all frequencies get the same factor
WARP = 0.15  # maximum natural logarithm of the relative length of the vocal tract
TEMPO = 0.15  # maximum natural logarithm of the relative tempo, without a change of pitch
RANGE = 8.0  # dynamic range, in decades of power below the loudest band
UNHEARD_RANGE = 4.0  # the same, for unseen speakers: softer sounds are noise of the room
LOUDEST = 1e9  # larger samples or features are invalid: their squares may overflow in float32
MAX_SECONDS = 300  # of a recording
QUIETEST = -8.0  # log10 of power: a recording without a louder band is silent
_BATCH = 64


class LogMel(tf.Module):
    """Log power in bands of equal width on the mel scale, every 10 ms.

    Frame i covers the samples from 80 i on (Hann window of 200). Features are relative to the
    loudest band of the row, so they do not depend on the loudness of the recording (as in A.
    Radford et al.: Robust Speech Recognition via Large-Scale Weak Supervision, 2022): a feature is
    1 there, and -1 where the power is lower by `decades` or more. Padding is 0. The mean of the
    samples, which is inaudible and not 0 for cheap microphones, is subtracted first.

    Args:
      bands: number of bands from 60 to 3,800 Hz.
      decades: dynamic range, in decades of power below the loudest band; 8 decades are 80 dB.
    """

    inputs: ClassVar = (
        tf.TensorSpec([None, None], tf.float32, name="audio"),
        tf.TensorSpec([None], tf.int32, name="length"),
    )
    seconds = HOP_SECONDS
    rate = RATE  # input values per second

    def __init__(self, bands: int = 40, decades: float = RANGE) -> None:
        super().__init__()
        self.width = bands
        self.decades = decades
        self._mel = tf.signal.linear_to_mel_weight_matrix(bands, FFT // 2 + 1, RATE, LOW, HIGH)

    def __call__(
        self, audio: tf.Tensor, length: tf.Tensor, mel: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns features and whether rows are silent.

        Args:
          audio: float32 `(batch, samples)` at 8 kHz, -1 … 1; values after `length` are ignored.
          length: int32 `(batch,)`: samples of each row; 0 counts as a frame of silence.
          mel: weights of the bands, `(batch, 129, bands)`, instead of the default ones.

        Returns:
          float32 `(batch, frames, bands)`: a row has ceil(length / 80) frames, at least one, and is
          padded with 0; and bool `(batch,)`: True if no band of the row is above -80 dB of full
          scale.
        """
        power, frames = self._power(audio, length)
        return self._scaled(power @ (self._mel if mel is None else mel), frames)

    def tracts(
        self, audio: tf.Tensor, length: tf.Tensor, warps: Sequence[float], hop: int = HOP
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns features for several lengths of the vocal tract, and whether rows are silent.

        Args:
          audio, length: see above.
          warps: factors of the frequencies, see `warped_mel`.
          hop: samples between two frames; a larger value makes the speech faster.

        Returns:
          float32 `(warps, batch, frames, bands)`, and bool `(batch,)`.
        """
        power, frames = self._power(audio, length, hop)
        mel = np.concatenate([warped_mel(self.width, warp) for warp in warps], axis=1)
        parts = [self._scaled(part, frames) for part in tf.split(power @ mel, len(warps), axis=2)]
        features, silent = zip(*parts, strict=True)
        return tf.stack(features), tf.reduce_all(tf.stack(silent), axis=0)

    def _power(
        self, audio: tf.Tensor, length: tf.Tensor, hop: int = HOP
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the power spectrum, `(batch, frames, 129)`, and the frames of each row."""
        length = tf.clip_by_value(length, 0, tf.shape(audio)[1])
        there = tf.sequence_mask(length, tf.shape(audio)[1])
        audio = tf.where(there, audio, 0.0)
        # Twice, because the first mean has a rounding error.
        for _ in range(2):
            total = tf.reduce_sum(audio, axis=1) / tf.cast(tf.maximum(length, 1), tf.float32)
            audio = tf.where(there, audio - total[:, tf.newaxis], 0.0)
        frames = frame_count(length, hop)
        most = tf.reduce_max(tf.concat([frames, [1]], axis=0))
        needed = hop * (most - 1) + FRAME
        audio = tf.pad(audio, [[0, 0], [0, tf.maximum(needed - tf.shape(audio)[1], 0)]])
        spectrum = tf.signal.stft(audio[:, :needed], FRAME, hop, FFT)
        return tf.square(tf.abs(spectrum)) / (FRAME / 2) ** 2, frames

    def _scaled(self, bands: tf.Tensor, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the features for the power in bands, and whether rows are silent."""
        logs = tf.math.log(tf.maximum(bands, 1e-30)) / np.log(10.0)
        real = tf.sequence_mask(frames, tf.shape(bands)[1])[..., tf.newaxis]
        loudest = tf.reduce_max(tf.where(real, logs, -30.0), axis=[1, 2], keepdims=True)
        top = tf.maximum(loudest, QUIETEST)
        scaled = (tf.maximum(logs, top - self.decades) - top) / (self.decades / 2) + 1
        return tf.where(real, scaled, 0.0), tf.reshape(loudest <= QUIETEST, [-1])

    def rows(
        self,
        recordings: Sequence[Sequence[float] | np.ndarray],
        warps: Sequence[float] | np.ndarray | None = None,
    ) -> list[np.ndarray]:
        """Returns the features of recordings `(samples,)`, float32 `(frames, bands)` each.

        Args:
          recordings: samples at 8 kHz.
          warps: factor of the frequencies of each recording, see `warped_mel`; 1 if None.
        """
        lengths = np.array([len(recording) for recording in recordings], np.int32)
        found: list[np.ndarray] = [np.empty(0)] * len(recordings)
        order = np.argsort(lengths, kind="stable")
        for start in range(0, len(order), _BATCH):
            index = order[start : start + _BATCH]
            audio = np.zeros([len(index), max(1, lengths[index].max())], np.float32)
            for row, i in zip(audio, index, strict=True):
                row[: lengths[i]] = recordings[i]
            mel = None
            if warps is not None:
                mel = tf.constant(np.stack([warped_mel(self.width, warps[i]) for i in index]))
            features = self(tf.constant(audio), tf.constant(lengths[index]), mel)[0].numpy()
            for row, i in zip(features, index, strict=True):
                found[i] = row[: max(1, -(-lengths[i] // HOP))].copy()
        return found


def warped_mel(bands: int, warp: float) -> np.ndarray:
    """Returns mel weights for another length of the vocal tract, float32 `(129, bands)`.

    Frequencies are multiplied by `warp` up to a knee, and stretched or compressed beyond it, so
    that the highest one is unchanged (N. Jaitly, G. Hinton: Vocal Tract Length Perturbation (VTLP)
    improves speech recognition, 2013). Warps are rounded to hundredths.

    Args:
      bands: number of bands.
      warp: about 0.8 to 1.25; 1 changes nothing.
    """
    return _warped_mel(bands, round(100 * float(warp)))


@functools.lru_cache(maxsize=256)
def _warped_mel(bands: int, percent: int) -> np.ndarray:
    warp, highest = percent / 100, RATE / 2
    knee = KNEE * highest / max(warp, 1.0)
    hertz = np.linspace(0, highest, FFT // 2 + 1)
    places = _mel(np.interp(hertz, [0, knee, highest], [0, knee * warp, highest]))[:, np.newaxis]
    edges = np.linspace(_mel(LOW), _mel(HIGH), bands + 2)
    rising = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - places) / (edges[2:] - edges[1:-1])
    weights = np.maximum(np.minimum(rising, falling), 0).astype(np.float32)
    weights[0] = 0  # the constant component
    return weights


def _mel(hertz: float | np.ndarray) -> np.ndarray:
    return 1127 * np.log1p(np.asarray(hertz) / 700)


class PrecomputedFeatures(tf.Module):
    """Standardises precomputed features, such as MFCCs; only padding is 0.

    Args:
      mean, deviation: mean and standard deviation of each feature in the training rows.
    """

    seconds = 0.0  # of a frame: unknown
    rate = round(1 / HOP_SECONDS)  # frames per second, as a bound

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.width = len(mean)
        self.inputs = (
            tf.TensorSpec([None, None, self.width], tf.float32, name="features"),
            tf.TensorSpec([None], tf.int32, name="length"),
        )
        self._mean, self._scale = (tf.constant(x, tf.float32) for x in (mean, deviation))

    def __call__(self, features: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns scaled features `(batch, frames, width)`, and that no row is silent.

        Args:
          features: float32 `(batch, frames, width)`; values after `length` are ignored.
          length: int32 `(batch,)`: frames of each row; 0 counts as a frame of means.
        """
        most = tf.maximum(tf.shape(features)[1], 1)
        features = tf.pad(features, [[0, 0], [0, most - tf.shape(features)[1]], [0, 0]])
        length = tf.clip_by_value(length, 0, most)
        there = tf.sequence_mask(length, most)[..., tf.newaxis]
        real = tf.sequence_mask(tf.maximum(length, 1), most)[..., tf.newaxis]
        scaled = tf.where(there, (features - self._mean) / self._scale, 0.0)
        # A value slightly off the mean, because 0 is padding.
        return tf.where(real, tf.where(scaled == 0, 1e-6, scaled), 0.0), length < 0

    def rows(self, rows: Sequence[Sequence[Sequence[float]] | np.ndarray]) -> list[np.ndarray]:
        """Returns the features of rows `(frames, width)`, scaled, float32."""
        lengths = [tf.constant([len(row)]) for row in rows]
        batches = [tf.constant(np.asarray(row, np.float32)[np.newaxis]) for row in rows]
        return [self(row, n)[0].numpy()[0] for row, n in zip(batches, lengths, strict=True)]


Features: TypeAlias = LogMel | PrecomputedFeatures


def features_of(assets: Assets, bands: int) -> Features:
    """Returns the feature encoder for the assets of `learn_features`."""
    if assets.get("given"):
        return PrecomputedFeatures(**assets["given"])
    return LogMel(bands, assets.get("decades", RANGE))


def heard(
    encoder: Features,
    network: Callable[[tf.Tensor], tf.Tensor],
    audio: tf.Tensor,
    length: tf.Tensor,
    tracts: int = 1,
    tempos: int = 1,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns predictions averaged over lengths of the vocal tract and tempos.

    This is test-time augmentation. A new speaker may have a longer or shorter vocal tract than all
    training speakers, or speak faster or slower; a warped copy of the audio may be closer to the
    training data. Tracts and tempos are evenly spaced on a logarithmic scale, within the range of
    the augmentation in training (`WARP`, `TEMPO`). The cost is `tracts * tempos` passes of the
    network.

    Args:
      encoder: converts the two inputs to features.
      network: features `(rows, frames, width)` to log-probabilities `(rows, classes)`.
      audio, length: inputs of the encoder.
      tracts, tempos: number of vocal tracts and of tempos; 1 for unchanged audio. Precomputed
        features are used once.

    Returns:
      Means of log-probabilities, float32 `(batch, classes)`, and whether rows are silent,
      `(batch,)`.
    """
    if tracts * tempos == 1 or not isinstance(encoder, LogMel):
        features, silent = encoder(audio, length)
        return network(features), silent
    found = []
    for tempo in evenly_spaced(TEMPO, tempos):
        hop = round(HOP * tempo)
        features, silent = encoder.tracts(audio, length, evenly_spaced(WARP, tracts), hop)
        shape = tf.shape(features)
        logs = network(tf.reshape(features, [-1, shape[2], encoder.width]))
        found.append(tf.reduce_mean(tf.reshape(logs, [tracts, shape[1], logs.shape[-1]]), axis=0))
    return tf.reduce_mean(tf.stack(found), axis=0), silent


def evenly_spaced(most: float, count: int) -> list[float]:
    """Returns factors from exp(-most) to exp(most), evenly spaced in log scale; 1 if only one."""
    return [1.0] if count == 1 else np.exp(np.linspace(-most, most, count)).tolist()


def learn_features(train: Examples, unheard: bool = False) -> dict[str, Json]:
    """Returns the assets of the feature encoder.

    These are mean and deviation for precomputed features, and the dynamic range for audio.

    Args:
      train: columns, with `audio` or `features`.
      unheard: whether the model is meant for unseen speakers. The dynamic range is then smaller,
        because background noise differs between rooms and between recorders.
    """
    if "audio" in train:
        return {"given": None, "decades": UNHEARD_RANGE if unheard else RANGE}
    values = np.concatenate([np.asarray(row, np.float64) for row in train["features"]])
    deviation = np.maximum(values.std(axis=0), 1e-6)
    return {"given": {"mean": values.mean(axis=0).tolist(), "deviation": deviation.tolist()}}


def check_rows(
    values: tf.Tensor, length: tf.Tensor, rate: int, max_seconds: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Finds rows that are not valid recordings, and empties them.

    Args:
      values: float32 `(batch, samples)`, or features `(batch, frames, width)`; values after
        `length` are ignored.
      length: int32 `(batch,)`: samples, or frames, of each row.
      rate: samples, or frames, per second.
      max_seconds: maximum length of a recording.

    Returns:
      `values`, cut after `max_seconds`, and `length`, both 0 for invalid rows; and the problem of
      each row, string `(batch,)`, see `zoo.bounds.problems`.
    """
    size = tf.shape(values)[1]
    most = rate * max_seconds
    long = length > most
    inside = tf.sequence_mask(tf.clip_by_value(length, 0, size), size)  # (batch, size)
    wrong = beyond(values, LOUDEST)
    if len(values.shape) == 3:
        wrong = tf.reduce_any(wrong, axis=2)
    problem = problems(
        (long, f"The recording is longer than {max_seconds:,} seconds"),
        (
            (length < 0) | (length > size),
            "The length of the recording is not that of its values",
        ),
        (
            tf.reduce_any(inside & wrong, axis=1),
            "The recording has values that are not audio samples",
        ),
    )
    bad = tf.not_equal(problem, "")
    values = values[:, :most]
    where = tf.reshape(bad, [-1] + [1] * (len(values.shape) - 1))
    return tf.where(where, 0.0, values), tf.where(bad, 0, length), problem


def frame_count(length: tf.Tensor, hop: int = HOP) -> tf.Tensor:
    """Returns the number of frames for `length` samples, int32 `(batch,)`."""
    return tf.maximum((length + hop - 1) // hop, 1)


def halved(audio: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Resamples audio from 16 to 8 kHz: a low-pass filter, then every second sample.

    The filter is that of `scipy.signal.resample_poly(row, 1, 2)`.

    Args:
      audio: float32 `(batch, samples)`; values after `length` are ignored.
      length: int32 `(batch,)`.

    Returns:
      The audio at half the rate, and its lengths, rounded up.
    """
    from scipy.signal import firwin

    samples = tf.shape(audio)[1]
    length = tf.clip_by_value(length, 0, samples)
    audio = tf.where(tf.sequence_mask(length, samples), audio, 0.0)
    taps = firwin(41, 0.5, window=("kaiser", 5.0)).astype(np.float32)
    around = tf.pad(audio, [[0, 0], [20, 21]])[..., tf.newaxis]
    half = tf.nn.conv1d(around, taps[:, np.newaxis, np.newaxis], stride=2, padding="VALID")
    length = (length + 1) // 2
    return tf.where(tf.sequence_mask(length, tf.shape(half)[1]), half[..., 0], 0.0), length
