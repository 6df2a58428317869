"""Augmentation of recordings, and concatenation to longer ones, for training and tests."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy.signal import firwin, lfilter, resample_poly

from recipes.audio.features import TEMPO, WARP, Features, LogMel
from recipes.audio.recordings import RATE
from zoo.data import Examples

PAUSE = (0.0, 0.5)  # seconds between two recordings
EDGE = (0.0, 0.3)  # seconds before the first one and after the last one
LOUDER = 6.0  # maximum change of the loudness of a recording in a sequence, in dB
NOISE = (10.0, 40.0)  # signal-to-noise ratio in dB
FAINT = (40.0, 60.0)  # the same, for half of the sequences when training for unseen speakers
COLOURS = (0.0, 0.9)  # pole of the filter of the noise; above 0, lower frequencies are louder
MORE_COLOURS = (-0.6, 0.95)  # the same, for unseen speakers: hiss as well as hum
SPEEDS = range(17, 25)  # twentieths of the original speed
TILT = 0.6  # maximum coefficient of filters that emphasise high or low frequencies
MORE_TILT = 0.9  # the same, for unseen speakers
UNHEARD = "unheard"  # in the column `disturbed`: rows are augmented to resemble other speakers
COLOUR = 0.3  # standard deviation of a microphone's bands, in decades of power
KNOTS = 6  # knots of the piecewise linear response of a microphone
TRIMMED = (8.0, 35.0)  # dB below the loudest 10 ms: softer parts at both ends are cut off
CLOSE = 0.6  # fraction of recordings that are cut in this way, which often removes an s
EDGES = 0.12  # maximum fraction of a recording that is cut off at each end, whatever its loudness
BANDS, FRAMES = 6, 8  # maximum number of neighbouring bands and frames that are masked


def perturbed(
    audio: np.ndarray, generator: np.random.Generator, unheard: bool = False
) -> np.ndarray:
    """Changes the speed and pitch of a recording, and simulates another microphone.

    Resampling changes speed and pitch together, like another size of head and throat (Ko et al.:
    Audio Augmentation for Speech Recognition, 2015).

    Args:
      audio: float32 `(samples,)`.
      generator: draws the speed, the filter, and the lengths that are cut off.
      unheard: whether microphones differ more, and most recordings are trimmed first.

    Returns:
      float32 `(samples,)`, longer or shorter by up to a fifth, without the parts that are cut off.
    """
    if unheard:
        if generator.random() < CLOSE:
            audio = trimmed(audio, generator.uniform(*TRIMMED))
        first, last = (int(len(audio) * generator.uniform(0, EDGES)) for _ in range(2))
        audio = audio[first : len(audio) - last]
    speed = int(generator.choice(SPEEDS))
    if speed != 20:
        audio = resample_poly(audio, 20, speed, window=_low_pass(speed))
    tilt = MORE_TILT if unheard else TILT
    zeros, poles = [1.0, generator.uniform(-tilt, tilt)], [1.0]
    if unheard and generator.random() < 0.5:
        poles.append(generator.uniform(-0.5, 0.5))
    return lfilter(zeros, poles, audio).astype(np.float32)


def trimmed(audio: np.ndarray, decibels: float) -> np.ndarray:
    """Cuts off the soft parts at both ends of a recording, in steps of 10 ms.

    Args:
      audio: float32 `(samples,)`.
      decibels: threshold below the loudest 10 ms; softer parts are cut off.
    """
    step = RATE // 100
    parts = audio[: len(audio) // step * step].reshape(-1, step)
    if len(parts) < 9:
        return audio
    power = np.mean(np.square(parts, dtype=np.float64), axis=1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-decibels / 10))
    return audio[loud[0] * step : (loud[-1] + 1) * step]


def with_noise(
    audio: np.ndarray,
    loudness: float,
    generator: np.random.Generator,
    decibels: tuple[float, float] = NOISE,
    colours: tuple[float, float] = COLOURS,
) -> np.ndarray:
    """Adds coloured noise, by default 10 to 40 dB below `loudness` (RMS).

    Args:
      audio: float32 `(samples,)`.
      loudness: root mean square of the speech, in units of the samples.
      generator: draws the noise.
      decibels: range of the signal-to-noise ratio.
      colours: range of the pole of the noise filter, -1 … 1; below 0, high frequencies are louder.

    Returns:
      float32 `(samples,)`.
    """
    white = generator.standard_normal(len(audio))
    noise = lfilter([1.0], [1.0, -generator.uniform(*colours)], white)
    level = loudness * 10 ** (-generator.uniform(*decibels) / 20)
    return (audio + level * noise / (rms(noise) + 1e-12)).astype(np.float32)


def joined(
    recordings: Sequence[np.ndarray],
    generator: np.random.Generator,
    decibels: tuple[float, float] = NOISE,
    colours: tuple[float, float] = COLOURS,
) -> np.ndarray:
    """Joins recordings with pauses, changes the loudness of each one, and adds noise to all.

    Args:
      recordings: float32 `(samples,)` at 8 kHz each.
      generator: draws the pauses (0 to 0.5 s; 0 to 0.3 s at both ends), loudness and noise.
      decibels: range of the signal-to-noise ratio.
      colours: colours of the noise, see `with_noise`.

    Returns:
      float32 `(samples,)`, within -1 … 1.
    """
    parts = [_pause(EDGE, generator)]
    for number, recording in enumerate(recordings):
        if number:
            parts.append(_pause(PAUSE, generator))
        parts.append(recording * np.float32(10 ** (generator.uniform(-LOUDER, LOUDER) / 20)))
    parts.append(_pause(EDGE, generator))
    loudness = rms(np.concatenate([np.zeros(0, np.float32), *parts[1::2]]))
    audio = with_noise(np.concatenate(parts), loudness, generator, decibels, colours)
    return audio / np.float32(max(1.0, np.abs(audio).max()))


def sequences(
    speakers: Sequence[str],
    texts: Sequence[str],
    count: int,
    lengths: tuple[int, int],
    generator: np.random.Generator,
) -> list[list[int]]:
    """Draws the recordings of each sequence, all by one speaker.

    All recordings of a speaker are drawn before one of them is drawn again; the number of
    sequences of a speaker is proportional to their number of recordings.

    Args:
      speakers, texts: speaker and text of each recording.
      count: number of sequences.
      lengths: minimum and maximum number of recordings in a sequence.
      generator: random generator.

    Returns:
      Row numbers of each sequence.
    """
    rows: dict[str, list[int]] = {}
    for row, speaker in enumerate(speakers):
        rows.setdefault(speaker, []).append(row)
    decks: dict[str, list[int]] = {speaker: [] for speaker in rows}
    drawn = []
    for first in np.resize(generator.permutation(len(texts)), count).tolist():
        speaker = speakers[first]
        chosen = []
        for _ in range(generator.integers(lengths[0], lengths[1] + 1)):
            if not decks[speaker]:
                decks[speaker] = [int(i) for i in generator.permutation(rows[speaker])]
            chosen.append(decks[speaker].pop())
        drawn.append(chosen)
    return drawn


def spoken(
    examples: Examples, count: int, lengths: tuple[int, int], seed: Sequence[int]
) -> Examples:
    """Returns sequences of joined recordings.

    Rows of several words each stay as they are. Where there are features and no recordings, the
    features are concatenated. With a column `disturbed`, recordings are augmented.

    Args:
      examples: columns `audio` or `features`, `text` and `speaker`, and optionally `disturbed`, the
        same value in all rows: `UNHEARD` or anything else.
      count: maximum number of sequences, limited to the number of rows.
      lengths: minimum and maximum number of recordings in a sequence. If the maximum is 1, each
        recording is used once, and unchanged without `disturbed`.
      seed: random seed.

    Returns:
      The same columns.
    """
    generator = np.random.default_rng([*seed, len(examples["text"])])
    texts, speakers = examples["text"], examples["speaker"]
    disturbed = "disturbed" in examples
    unheard = disturbed and examples["disturbed"][0] == UNHEARD
    if lengths[1] == 1 or any(" " in text for text in texts):
        if not disturbed or "audio" not in examples:
            return examples
        drawn = [[row] for row in range(len(texts))]
    else:
        count = min(count, len(texts))
        drawn = sequences(speakers, texts, count, lengths, generator)
    mixed: Examples = {
        "text": [" ".join(texts[row] for row in rows) for rows in drawn],
        "speaker": [speakers[rows[0]] for rows in drawn],
    }
    if "audio" in examples:
        sound = [np.asarray(row, np.float32) for row in examples["audio"]]
        mixed["audio"] = [
            joined(
                [
                    perturbed(sound[row], generator, unheard) if disturbed else sound[row]
                    for row in rows
                ],
                generator,
                FAINT if unheard and generator.random() < 0.5 else NOISE,
                MORE_COLOURS if unheard else COLOURS,
            )
            for rows in drawn
        ]
    else:
        mixed["features"] = [
            np.concatenate([np.asarray(examples["features"][row]) for row in rows])
            for rows in drawn
        ]
    return {**mixed, "disturbed": examples["disturbed"][:1] * len(drawn)} if disturbed else mixed


def frames_of(encoder: Features, examples: Examples, seed: Sequence[int]) -> list[np.ndarray]:
    """Returns the features of rows, float32 `(frames, width)`.

    With a column `disturbed`, features are partly masked. If its value is `UNHEARD`, another vocal
    tract (`warped_mel`), tempo and microphone are simulated for audio, too.
    """
    values = examples[encoder.inputs[0].name]
    if "disturbed" not in examples:
        return encoder.rows(values)
    generator = np.random.default_rng([*seed, len(values), 1])
    if not isinstance(encoder, LogMel) or examples["disturbed"][0] != UNHEARD:
        return [hidden(row, generator) for row in encoder.rows(values)]
    rows = encoder.rows(values, np.exp(generator.uniform(-WARP, WARP, len(values))))
    decades = encoder.decades
    return [
        hidden(coloured(retimed(row, generator), generator, decades), generator) for row in rows
    ]


def retimed(features: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Changes the tempo of features, float32 `(frames, bands)`, but not the pitch."""
    frames = len(features)
    size = max(1, round(frames * np.exp(generator.uniform(-TEMPO, TEMPO))))
    place = np.linspace(0, frames - 1, size)
    first = place.astype(int)
    share = (place - first)[:, np.newaxis]
    after = features[np.minimum(first + 1, frames - 1)]
    return (features[first] * (1 - share) + after * share).astype(np.float32)


def coloured(features: np.ndarray, generator: np.random.Generator, decades: float) -> np.ndarray:
    """Simulates another microphone for log-mel features, float32 `(frames, bands)`.

    The largest feature is 1, and none is below -1, as in the output of a `LogMel` with the same
    `decades`.
    """
    bands = features.shape[1]
    knots = generator.normal(0, COLOUR / (decades / 2), KNOTS)
    curve = np.interp(np.linspace(0, KNOTS - 1, bands), np.arange(KNOTS), knots)
    changed = features + curve
    # 0 is padding.
    scaled = np.maximum(changed - changed.max() + 1, -1)
    return np.where(scaled == 0, 1e-6, scaled).astype(np.float32)


def hidden(features: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Masks some neighbouring bands and frames (Park et al.: SpecAugment, 2019).

    Args:
      features: float32 `(frames, bands)`; a copy is changed.
      generator: draws the positions and sizes of the masks: up to 6 bands, and up to 8 frames in
        each half second.
    """
    features = features.copy()
    frames, bands = features.shape
    middle = features.mean()
    width = generator.integers(0, min(BANDS, bands // 2) + 1)
    first = generator.integers(0, bands - width + 1)
    features[:, first : first + width] = middle
    for _ in range(-(-frames // 50)):
        width = generator.integers(0, min(FRAMES, frames // 4) + 1)
        first = generator.integers(0, frames - width + 1)
        features[first : first + width] = middle
    return features


def rms(audio: np.ndarray) -> float:
    """Returns the root mean square of samples, float `(samples,)`; 0 if there are none."""
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))) if len(audio) else 0.0


@functools.cache
def _low_pass(speed: int) -> np.ndarray:
    """Returns the filter of `resample_poly`, cached because it would be designed in each call."""
    most = max(20, speed) // math.gcd(20, speed)
    return firwin(20 * most + 1, 1 / most, window=("kaiser", 5.0)).astype(np.float32)


def _pause(seconds: tuple[float, float], generator: np.random.Generator) -> np.ndarray:
    return np.zeros(round(generator.uniform(*seconds) * RATE), np.float32)
