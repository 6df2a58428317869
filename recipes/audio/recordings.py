"""Reads audio files as arrays of one channel at one sampling rate.

WAV files need only SciPy; FLAC, Ogg, MP3, AIFF and AU files need soundfile (libsndfile).
Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import files
from zoo.errors import UsageError, ZooError, first_line, quoted

if TYPE_CHECKING:
    import numpy as np

RATE = 8000  # samples per second of all inputs of networks
LOWEST, HIGHEST = 1000, 192_000  # sampling rates of files
OVER = 4.0  # larger floating-point samples are unscaled integers
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au")
# The first bytes of files that soundfile reads.
OTHERS = {
    b"fLaC": "a FLAC file",
    b"OggS": "an Ogg file",
    b"ID3": "an MP3 file",
    b"\xff\xfb": "an MP3 file",
    b"\xff\xf3": "an MP3 file",
    b"\xff\xf2": "an MP3 file",
    b"FORM": "an AIFF file",
    b".snd": "an AU file",
}

# Packed recordings to try networks with; see the README in their folder.
VOICES = {
    name: Path(__file__).with_name("voices") / name
    for name in ("7_jackson_0.wav", "314_jackson.wav")
}

Note = Callable[[str], None]


def note_to_stderr(line: str) -> None:
    """Prints a note on a repaired recording."""
    from zoo.data import fetch

    fetch.log(f"note: {line}")


def read_recording(path: str | Path, note: Note = note_to_stderr) -> np.ndarray:
    """Reads an audio file, resampled to 8 kHz; channels are averaged.

    Args:
      path: a WAV file of 8 to 64 bits, floating point, µ-law or A-law, with any number of channels;
        or a file in another format that libsndfile reads.
      note: called with a line on each repair: the header of a stream, a truncated file, a wrong
        scale.

    Returns:
      float32 `(samples,)`, full scale at -1 and 1; see `scaled`.

    Raises:
      UsageError: there is no such file.
      ZooError: it is not a recording, damaged, or empty; or soundfile is needed and not installed.
    """
    path = files.expanded(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not a recording.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        raise ZooError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from None
    return decode(data, str(path), note)


def decode(data: bytes, name: str, note: Note = note_to_stderr) -> np.ndarray:
    """Decodes the bytes of an audio file to float32 `(samples,)`; see `read_recording`.

    Args:
      data: the bytes.
      name: name of the file, for messages.
      note: called with a line on each repair.

    Raises:
      ZooError: it is not a recording, damaged, or empty; or soundfile is needed and not installed.
    """
    import numpy as np

    if not data:
        raise ZooError(f"{name} is empty.")
    # Imported here, because `zoo list` has to start fast.
    from recipes.audio.wav import (
        A_LAW,
        BEGINNINGS,
        FLOAT,
        MU_LAW,
        NAMES,
        PCM,
        parse_wav,
        samples_of,
    )

    if data[:4] in BEGINNINGS and data[8:12] == b"WAVE":
        wav = parse_wav(data, name)
        if wav.note:
            note(f"{name}: {wav.note}.")
        if wav.code in (PCM, FLOAT, A_LAW, MU_LAW):
            rate, samples = wav.rate, samples_of(wav, name)
        else:
            kind = NAMES.get(wav.code, f"code {wav.code:#x}")
            rate, samples = _by_soundfile(data, name, f"a WAV file of the kind {kind}")
    else:
        kind = next((kind for start, kind in OTHERS.items() if data.startswith(start)), "")
        if not kind:
            raise ZooError(
                f"{name} is not a recording (it begins with {data[:4]!r}). If it is one, convert "
                "it: "
                "ffmpeg -i FILE file.wav."
            )
        rate, samples = _by_soundfile(data, name, kind)
    if not LOWEST <= rate <= HIGHEST:
        raise ZooError(
            f"{name} has {rate:,} samples a second; it must be {LOWEST:,} to {HIGHEST:,}."
        )
    if not samples.size:
        raise ZooError(f"{name} has no sound: its length is 0.")
    if not np.isfinite(samples).all():
        raise ZooError(f"{name} has samples that are not finite numbers.")
    audio, repaired = scaled(samples)
    if repaired:
        note(f"{name}: {repaired}.")
    return resampled(audio.mean(axis=1), rate, RATE)


def scaled(samples: np.ndarray) -> tuple[np.ndarray, str]:
    """Scales samples to -1 … 1.

    Floating-point samples slightly above full scale are divided by the largest one. Samples beyond
    4 are treated as unscaled integers of 16 or 32 bits.

    Args:
      samples: integers of any width (unsigned if they have 8 bits), or finite floating point.

    Returns:
      float32 of the same shape; and a note on the repair, or "".
    """
    import numpy as np

    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128, ""
    if np.issubdtype(samples.dtype, np.integer):
        return samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min), ""
    loudest = float(np.abs(samples).max())
    if loudest <= 1:
        return samples.astype(np.float32), ""
    if loudest <= OVER:
        return (samples / loudest).astype(np.float32), ""
    for bits in (16, 32):
        if loudest <= 2 ** (bits - 1):
            what = f"its floating-point samples reach {loudest:,.0f}, not 1"
            scale = f"they are taken as whole numbers of {bits} bits and divided by"
            return (samples / 2 ** (bits - 1)).astype(np.float32), (
                f"{what}: {scale} {2 ** (bits - 1):,}"
            )
    return (samples / loudest).astype(np.float32), (
        f"its floating-point samples reach {loudest:.3g}, not 1: they are divided by that"
    )


def _by_soundfile(data: bytes, name: str, kind: str) -> tuple[int, np.ndarray]:
    """Returns the rate and the samples, float32 `(samples, channels)`, by libsndfile."""
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: libsndfile is missing
        raise ZooError(
            f"{name} is {kind}, which is read by soundfile: pip install '.[audio]'. Or "
            "convert it: ffmpeg -i FILE file.wav."
        ) from None
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (RuntimeError, TypeError, ValueError) as error:  # LibsndfileError is a RuntimeError
        raise ZooError(
            f"{name} is {kind} that cannot be read ({quoted(first_line(error))}). Convert it: "
            "ffmpeg -i FILE file.wav."
        ) from None
    return rate, samples


def resampled(audio: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Resamples audio, float32 `(samples,)`, from `rate` to `new_rate` by SciPy."""
    import numpy as np
    from scipy.signal import resample_poly

    if rate == new_rate:
        return audio
    common = gcd(rate, new_rate)
    changed = resample_poly(audio, new_rate // common, rate // common)
    return changed.astype(np.float32)
