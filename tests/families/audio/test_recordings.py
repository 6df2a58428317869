"""Files of sound: every way of storing samples, wrong headers, and what is no recording."""

import io
import struct
import sys

import numpy as np
import pytest
import scipy.io.wavfile

from recipes.audio import read_recording
from recipes.audio.recordings import decode
from zoo.errors import UsageError, ZooError


def tone(seconds=0.5, rate=8000, hertz=440.0, loud=0.5):
    return (loud * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype("f4")


def wav(samples, rate=8000):
    file = io.BytesIO()
    scipy.io.wavfile.write(file, rate, samples)
    return file.getvalue()


def chunk(ident, content, size=None):
    return ident + struct.pack("<I", len(content) if size is None else size) + content


def riff(*chunks, size=None):
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def layout(code=1, channels=1, rate=8000, bits=16):
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * block, block, bits))


PCM = (tone() * 32767).astype("<i2")
FULL = PCM.astype("f4") / 32768


def read(content, expected_notes=()):
    """Decodes bytes, and checks what is said of them."""
    notes = []
    audio = decode(content, "a.wav", notes.append)
    assert len(notes) == len(expected_notes), notes
    for note, part in zip(notes, expected_notes, strict=True):
        assert note.startswith("a.wav: ")
        assert part in note
    return audio


@pytest.fixture
def write(tmp_path):
    def write(samples, rate=8000, name="a.wav"):
        scipy.io.wavfile.write(tmp_path / name, rate, samples)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("kind", "scale", "middle"),
    [("u1", 127, 128), ("i2", 32767, 0), ("i4", 2**31 - 1000, 0), ("f4", 1, 0), ("f8", 1, 0)],
)
def test_samples_of_any_kind_and_channels_are_one_sound(write, kind, scale, middle):
    stereo = np.stack([tone(), 0 * tone()], axis=1)
    output = read_recording(write((stereo * scale + middle).astype(kind)))
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, tone() / 2, atol=0.01 if kind == "u1" else 1e-4)


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 44_100, 48_000])
def test_other_rates_are_resampled(write, rate):
    output = read_recording(write((tone(rate=rate) * 32767).astype("i2"), rate))
    assert len(output) == 4000
    np.testing.assert_allclose(output[400:-400], tone()[400:-400], atol=0.01)


@pytest.mark.parametrize("size", [0, 1, 0xFFFFFFFF, 0x7FFFFFFF])
def test_the_header_of_a_stream_does_not_say_how_long_it_is(size):
    # Of RIFF, the size does not matter; of the sound, it is read to the end of the file.
    assert np.array_equal(read(riff(layout(), chunk(b"data", PCM.tobytes()), size=size)), FULL)
    if size != 1:
        said = "does not say how long it is" if size in (0, 0xFFFFFFFF) else "are missing"
        content = riff(layout(), chunk(b"data", PCM.tobytes(), size), size=size)
        assert np.array_equal(read(content, [said]), FULL)
        content = riff(layout(), chunk(b"LIST", b"INFO"), chunk(b"data", PCM.tobytes(), size))
        assert np.array_equal(read(content, [said]), FULL)


def test_a_file_that_is_cut_in_a_sample_is_read_as_far_as_it_goes():
    content = riff(layout(), chunk(b"data", PCM.tobytes()))
    assert np.array_equal(read(content[:-1001], ["the last 1,001 bytes are missing"]), FULL[:3499])
    stereo = riff(layout(channels=2), chunk(b"data", PCM.tobytes()))
    mean = FULL.reshape(-1, 2).mean(axis=1)
    assert np.array_equal(read(stereo[:-2], ["the last 2 bytes"]), mean[:1999])
    # The size of the chunk itself may end within a sample.
    odd = riff(layout(), chunk(b"data", PCM.tobytes(), 4001))
    assert np.array_equal(read(odd), FULL[:2000])


def test_chunks_around_the_sound_are_passed_over():
    after = chunk(b"LIST", b"INFOISFT\x05\x00\x00\x00Lavf\x00\x00")
    sound = chunk(b"data", PCM.tobytes())
    assert np.array_equal(read(riff(layout(), sound, after)), FULL)
    assert np.array_equal(read(riff(chunk(b"JUNK", bytes(28)), layout(), after, sound)), FULL)
    # An odd chunk has a byte of padding, which some writers forget.
    for padding in (b"", b"\0"):
        odd = chunk(b"LIST", b"INFOx") + padding
        assert np.array_equal(read(riff(layout(), odd, sound)), FULL)
    # No sound, and not a size that was never filled in: what follows is another chunk.
    with pytest.raises(ZooError, match=r"a\.wav has no sound: its length is 0"):
        read(riff(layout(), chunk(b"data", b""), after))


def test_large_files_and_the_other_order_of_bytes():
    sizes = struct.pack("<QQQI", 0, PCM.nbytes, len(PCM), 0)
    ds64, data = chunk(b"ds64", sizes), chunk(b"data", PCM.tobytes(), 0xFFFFFFFF)
    large = b"RF64" + riff(ds64, layout(), data, chunk(b"LIST", b"INFO"))[4:]
    assert np.array_equal(read(large), FULL)
    swapped = struct.pack(">4sI4s4sIHHIIHH", b"RIFX", 0, b"WAVE", b"fmt ", 16, 1, 1, 8000, 0, 2, 16)
    swapped += struct.pack(">4sI", b"data", PCM.nbytes) + PCM.astype(">i2").tobytes()
    assert np.array_equal(read(swapped), FULL)


@pytest.mark.parametrize(("code", "kind"), [(7, "ULAW"), (6, "ALAW")])
def test_the_codes_of_telephony_are_those_of_libsndfile(code, kind):
    import soundfile

    codes = bytes(range(256)) * 4
    file = io.BytesIO(codes)
    theirs, _ = soundfile.read(file, samplerate=8000, channels=1, format="RAW", subtype=kind)
    ours = read(riff(layout(code, bits=8), chunk(b"fact", bytes(4)), chunk(b"data", codes)))
    np.testing.assert_allclose(ours, theirs, atol=1e-7)
    plain = struct.pack("<HHIIHH", 0xFFFE, 2, 8000, 16_000, 2, 8)
    extensible = chunk(b"fmt ", plain + struct.pack("<HHIH", 22, 8, 0, code) + bytes(14))
    stereo = read(riff(extensible, chunk(b"data", codes)))
    np.testing.assert_allclose(stereo, theirs.reshape(-1, 2).mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("bits", [16, 32])
def test_whole_numbers_that_are_written_as_floating_point_are_scaled_and_said(bits):
    loud = (tone() * 2.0 ** (bits - 1)).astype("f4")
    audio = read(wav(loud), [f"whole numbers of {bits} bits and divided by {2 ** (bits - 1):,}"])
    np.testing.assert_allclose(audio, tone(), atol=1e-6)
    # A hundredth as loud, it is still recognised; and its loudness is kept.
    if bits == 16:
        quiet = read(wav(loud / 100), ["reach 164, not 1"])
        np.testing.assert_allclose(quiet, tone() / 100, atol=1e-6)


def test_sound_a_little_over_full_scale_keeps_its_shape():
    over = tone() * 3
    np.testing.assert_allclose(read(wav(over)), over / np.abs(over).max(), atol=1e-6)
    np.testing.assert_allclose(read(wav(tone() * 2)), tone() * 2, atol=1e-6)  # just full scale


@pytest.mark.parametrize(
    ("kind", "subtype", "error"),
    [("FLAC", "PCM_16", 1e-3), ("OGG", "VORBIS", 0.05), ("MP3", "MPEG_LAYER_III", 0.1)],
)
def test_other_formats_are_read_by_libsndfile(tmp_path, kind, subtype, error):
    import soundfile

    path = tmp_path / f"a.{kind.lower()}"
    stereo = np.stack([tone(rate=16_000), 0 * tone(rate=16_000)], axis=1)
    soundfile.write(path, stereo, 16_000, format=kind, subtype=subtype)
    audio = read_recording(path)
    assert abs(len(audio) - 4000) < 600  # MP3 has whole frames
    assert np.abs(np.abs(np.fft.rfft(audio, 8000))[:2000].argmax() - 440) <= 2
    assert np.abs(audio[1000:3000]).max() == pytest.approx(0.25, abs=error)


def test_without_soundfile_one_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    says = r"a\.flac is a FLAC file, which is read by soundfile: pip install '\.\[audio\]'"
    with pytest.raises(ZooError, match=says) as raised:
        decode(b"fLaC" + bytes(100), "a.flac")
    assert "ffmpeg -i FILE file.wav" in str(raised.value)
    with pytest.raises(ZooError, match="of the kind IMA ADPCM, which is read by soundfile"):
        decode(riff(layout(0x11, bits=8), chunk(b"data", bytes(100))), "a.wav")
    assert np.array_equal(read(wav(PCM)), FULL)  # WAV needs no soundfile


def test_what_is_no_recording_is_said_in_one_line(tmp_path, write):
    good = write(PCM).read_bytes()
    cases = {
        "empty.wav": (b"", "is empty"),
        "song.mp3": (b"ID3\x03" + bytes(500), "is an MP3 file that cannot be read"),
        "text.txt": (b"seven", "is not a recording .it begins with b'seve"),
        "film.m4a": (b"\0\0\0\x20ftypM4A ", "convert it: ffmpeg -i FILE file.wav"),
        "header.wav": (good[:30], "does not say how its sound is stored"),
        "ends.wav": (good[:36], "ends before its sound begins"),
        "silent.wav": (good[:40] + struct.pack("<I", 0), "its length is 0"),
        "half.wav": (good[:45], "its length is 0"),
        "slow.wav": (write(tone(), 100).read_bytes(), "has 100 samples a second; it must be"),
        "strange.wav": (good[:20] + b"\x99\x01" + good[22:], "a WAV file of the kind code 0x199"),
        "none.wav": (good[:22] + b"\0\0" + good[24:], "says 0 channels of 16 bits in 2 bytes"),
        "nan.wav": (wav(np.full(10, np.nan, "f4")), "not finite numbers"),
    }
    for name, (content, says) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ZooError, match=says) as raised:
            read_recording(tmp_path / name, lambda line: None)
        assert str(tmp_path / name) in str(raised.value)
        assert "\n" not in str(raised.value)
    with pytest.raises(UsageError, match="There is no file"):
        read_recording(tmp_path / "nowhere.wav")
    with pytest.raises(UsageError, match="is a folder"):
        read_recording(tmp_path)
    with pytest.raises(ZooError, match="cannot be read"):
        read_recording("a\0b")
