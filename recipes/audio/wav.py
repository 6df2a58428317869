"""Reads WAV files, also those with wrong chunk sizes, truncated ones, and µ-law and A-law codes.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import dataclasses
import io
import struct
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zoo.errors import ZooError, quoted

if TYPE_CHECKING:
    import numpy as np

BEGINNINGS = (b"RIFF", b"RIFX", b"RF64")
PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
NAMES = {2: "ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x40: "G.721", 0x55: "MP3"}
UNKNOWN = 0xFFFFFFFF  # an unknown size; a size of 0 may mean the same
IDS = (b"fmt ", b"data", b"LIST", b"fact", b"bext", b"id3 ", b"cue ", b"JUNK", b"PEAK", b"ds64")


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Wav:
    """The content of a WAV file.

    Attributes:
      code: format code: `PCM`, `FLOAT`, `A_LAW`, `MU_LAW`, or another.
      channels: number of channels.
      rate: samples per second.
      layout: the unchanged format chunk.
      data: the samples of all channels, without an incomplete last one.
      order: byte order: `"<"`, or `">"` in a file that begins with `RIFX`.
      note: a defect of the file that does not prevent reading it; or "".
    """

    code: int
    channels: int
    rate: int
    layout: bytes
    data: bytes
    order: str
    note: str


def parse_wav(content: bytes, name: str) -> Wav:
    """Finds the format and the samples in the bytes of a WAV file.

    If the header gives a length of 0 or more bytes than the file has, the file is read to its end,
    as by ffmpeg, sox and libsndfile. Streams and interrupted recorders write such headers. An
    incomplete last sample is dropped.

    Args:
      content: bytes of the file, which begin with one of `BEGINNINGS`.
      name: name of the file, for messages.

    Raises:
      ZooError: the file has no format, no samples, or another kind of header.
    """
    order = ">" if content[:4] == b"RIFX" else "<"
    layout, data, note, size64 = b"", None, "", 0
    for ident, start, size in _chunks(content, order):
        if ident == b"ds64" and size >= 16:
            size64 = struct.unpack("<Q", content[start + 8 : start + 16])[0]
        elif ident == b"fmt ":
            layout = content[start : start + size]
        elif ident == b"data":
            there = len(content) - start
            said = size64 if size == UNKNOWN and size64 else size
            unknown = said == UNKNOWN or (said == 0 and there and not _is_chunk(content, start))
            if unknown:
                note = "its header does not say how long it is, so it is read to its end"
            elif said > there:
                note = f"it is cut off: the last {said - there:,} bytes are missing"
            data = content[start:] if unknown else content[start : start + said]
            break
    if len(layout) < 16:
        raise ZooError(f"{name} is a damaged WAV file: it does not say how its sound is stored.")
    if data is None:
        raise ZooError(f"{name} is a damaged WAV file: it ends before its sound begins.")
    code, channels, rate, _, block, bits = struct.unpack(f"{order}HHIIHH", layout[:16])
    if code == EXTENSIBLE and len(layout) >= 26:
        code = struct.unpack(f"{order}H", layout[24:26])[0]
    if code in (PCM, FLOAT, A_LAW, MU_LAW):
        if not channels or block != channels * -(-bits // 8) or not block:
            raise ZooError(
                f"{name} is a damaged WAV file: its header says {channels} channels of {bits} bits "
                f"in {block} bytes."
            )
        data = data[: len(data) // block * block]
    if not data:
        raise ZooError(f"{name} has no sound: its length is 0.")
    return Wav(code, channels, rate, layout, data, order, note)


def samples_of(wav: Wav, name: str) -> np.ndarray:
    """Returns the samples of all channels, `(samples, channels)`, in the type of the file.

    Integers of 8 bits are uint8, those of 16 to 64 bits int16 to int64; floating point is float32
    or float64. µ-law and A-law codes, which expand to 14 bits, are int16 (ITU-T G.711).

    Args:
      wav: result of `parse_wav`.
      name: name of the file, for messages.

    Raises:
      ZooError: the samples have an unsupported format.
    """
    import numpy as np
    from scipy.io import wavfile

    if wav.code in (A_LAW, MU_LAW):
        table = (_a_law if wav.code == A_LAW else _mu_law)(np.arange(256))
        return table[np.frombuffer(wav.data, np.uint8)].reshape(-1, wav.channels)
    (block,) = struct.unpack(f"{wav.order}H", wav.layout[12:14])
    # Bytes per second follow from the other fields; some writers omit them.
    speed = struct.pack(f"{wav.order}I", min(wav.rate * block, UNKNOWN))
    layout = wav.layout[:8] + speed + wav.layout[12:]
    sizes = [struct.pack(f"{wav.order}I", len(part)) for part in (layout, wav.data)]
    body = b"WAVEfmt " + sizes[0] + layout + b"data" + sizes[1] + wav.data
    beginning = b"RIFX" if wav.order == ">" else b"RIFF"
    clean = beginning + struct.pack(f"{wav.order}I", len(body)) + body
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            samples = wavfile.read(io.BytesIO(clean))[1]
    except Exception as error:  # a damaged format may raise any exception
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise ZooError(f"{name} is a WAV file of an unknown kind ({quoted(reason)}).") from None
    return samples.reshape(len(samples), -1)


def _chunks(content: bytes, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Yields name, offset and size, as written in the file, of each chunk of a RIFF file."""
    place = 12
    while place + 8 <= len(content):
        ident, size = struct.unpack(f"{order}4sI", content[place : place + 8])
        yield ident, place + 8, size
        place += 8 + size
        # A chunk of an odd size is followed by a byte of padding; some writers omit it.
        if size % 2 and content[place : place + 4] not in IDS:
            place += 1


def _is_chunk(content: bytes, place: int) -> bool:
    return content[place : place + 4] in IDS


def _mu_law(codes: np.ndarray) -> np.ndarray:
    """Returns 8-bit µ-law codes as int16."""
    import numpy as np

    codes = ~codes & 0xFF
    size = ((((codes & 0x0F) << 3) + 0x84) << ((codes & 0x70) >> 4)) - 0x84
    return np.where(codes & 0x80, -size, size).astype(np.int16)


def _a_law(codes: np.ndarray) -> np.ndarray:
    """Returns 8-bit A-law codes as int16."""
    import numpy as np

    codes = codes ^ 0x55
    step, exponent = (codes & 0x0F) << 4, (codes & 0x70) >> 4
    size = np.where(exponent, (step + 0x108) << np.maximum(exponent - 1, 0), step + 8)
    return np.where(codes & 0x80, size, -size).astype(np.int16)
