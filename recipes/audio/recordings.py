"""WAV files as arrays of one channel at one rate.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import io
import warnings
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    import numpy as np

RATE = 8000  # samples per second of all inputs of networks
LOWEST, HIGHEST = 1000, 192_000  # rates of files


def read_recording(path: str | Path) -> np.ndarray:
    """Reads a WAV file: its channels' mean, at 8 kHz.

    Args:
      path: PCM of 8 to 32 bits or floating point, of any number of channels.

    Returns:
      float32 `(samples,)`, full scale at -1 and 1; floating-point samples beyond are clipped.

    Raises:
      UsageError: there is no such file.
      ZooError: it is no WAV file, damaged, or empty.
    """
    path = Path(path).expanduser()
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
    return decode_wav(data, str(path))


def decode_wav(data: bytes, name: str) -> np.ndarray:
    """Decodes the bytes of a WAV file to float32 `(samples,)`; see `read_recording`.

    Args:
      data: the bytes.
      name: of the file, for messages.

    Raises:
      ZooError: it is no WAV file, damaged, or empty.
    """
    import numpy as np
    from scipy.io import wavfile

    if not data:
        raise ZooError(f"{name} is empty.")
    if data[:4] not in (b"RIFF", b"RIFX", b"RF64") or data[8:12] != b"WAVE":
        raise ZooError(
            f"{name} is no WAV file (it begins with {data[:4]!r}). Convert it: "
            "ffmpeg -i FILE file.wav."
        )
    try:
        with warnings.catch_warnings():
            # Unknown chunks, and files that are shorter than their header says.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            rate, samples = wavfile.read(io.BytesIO(data))
    except Exception as error:  # a damaged file may raise anything
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise ZooError(f"{name} is a damaged WAV file, or of an unknown kind ({reason}).") from None
    if not LOWEST <= rate <= HIGHEST:
        raise ZooError(
            f"{name} has {rate:,} samples a second; it must be {LOWEST:,} to {HIGHEST:,}."
        )
    if not samples.size:
        raise ZooError(f"{name} has no sound: its length is 0.")
    scaled = _scaled(samples)
    audio = scaled.mean(axis=1) if scaled.ndim > 1 else scaled
    if not np.isfinite(audio).all():
        raise ZooError(f"{name} has samples that are not finite numbers.")
    return resampled(audio.astype(np.float32), rate, RATE)


def _scaled(samples: np.ndarray) -> np.ndarray:
    """Returns PCM of any width as float32 of -1 … 1."""
    import numpy as np

    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if np.issubdtype(samples.dtype, np.integer):
        return samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    return np.clip(samples.astype(np.float32), -1, 1)


def resampled(audio: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Returns audio, float32 `(samples,)`, of `rate`, resampled to `new_rate` by SciPy."""
    import numpy as np
    from scipy.signal import resample_poly

    if rate == new_rate:
        return audio
    common = gcd(rate, new_rate)
    changed = resample_poly(audio, new_rate // common, rate // common)
    return changed.astype(np.float32)
