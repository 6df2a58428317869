"""Music files of people's own, sound and damaged."""

import io
import random
import sys
import zipfile

import pytest

from recipes.music.read import read_score
from recipes.music.write import write_frames
from zoo import ZooError
from zoo.errors import UsageError

mido = pytest.importorskip("mido")
pytest.importorskip("music21")
pytest.importorskip("pretty_midi")

FRAMES = [(43, 55, 64, 72), (45, 57, 64, 72), (), (41, 57, 65, 72)] * 3


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    write_frames(FRAMES, folder / "piece", quarter_length=1.0)
    return folder


def midi(path, notes, *, ticks=100, kind=1, channel=0, before=()):
    """Writes notes given as `(start, end, pitch)` in quarter notes."""
    events = []
    for start, end, pitch in notes:
        events.append(
            (round(end * ticks), 0, mido.Message("note_off", note=pitch, channel=channel))
        )
        on = mido.Message("note_on", note=pitch, velocity=64, channel=channel)
        events.append((round(start * ticks), 1, on))
    track, now = mido.MidiTrack(before), 0
    for when, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=when - now))
        now = when
    file = mido.MidiFile(type=kind, ticks_per_beat=ticks)
    file.tracks.append(track)
    file.save(path)
    return path


def test_time_is_counted_in_quarter_notes_whatever_the_tempo(tmp_path):
    tempi = [mido.MetaMessage("set_tempo", tempo=1_234_567)]
    notes = [(0, 1, 60), (0, 2, 48), (1, 1.5, 62), (1.5, 2, 64)]
    path = midi(tmp_path / "x.MID", notes, kind=0, before=tempi)
    assert read_score(path, 1.0) == [(48, 60), (48, 62)]  # the passing E is left out
    assert read_score(path, 0.5) == [(48, 60), (48, 60), (48, 62), (48, 64)]
    assert read_score(str(path), 2.0) == [(48, 60)]


def test_a_player_is_not_exact(tmp_path):
    notes = [(0.04, 0.6, 60), (1.09, 2.05, 62), (1.97, 2.9, 64), (3.0, 3.3, 65)]
    assert read_score(midi(tmp_path / "x.mid", notes), 1.0) == [(60,), (62,), (64,), (65,)]


def test_rests_within_stay_and_those_around_go(tmp_path):
    notes = [(3, 4, 60), (6, 7, 62)]
    assert read_score(midi(tmp_path / "x.mid", notes), 1.0) == [(60,), (), (), (62,)]


def test_a_note_that_is_struck_twice_is_one_in_its_frame(tmp_path):
    notes = [(0, 0.5, 60), (0.5, 1, 60), (0, 1, 72)]
    assert read_score(midi(tmp_path / "x.mid", notes), 1.0) == [(60, 72)]


def refused(path, quarter_length=1.0, error=ZooError):
    """Returns the one line with which a file is refused."""
    with pytest.raises(error) as caught:
        read_score(path, quarter_length)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300 + len(str(path))
    assert message.startswith(str(path))
    return message.removeprefix(str(path)).strip()


def test_what_is_no_piece_is_refused_in_one_line(tmp_path, capfd):
    path = tmp_path / "x.mid"
    assert refused(path).startswith("does not exist")
    (tmp_path / "folder.mid").mkdir()
    assert refused(tmp_path / "folder.mid").startswith("cannot be read")
    assert "by its ending" in refused(tmp_path / "x.wav", error=UsageError)
    assert refused(midi(path, [])) == "has no note (drums are not read)."
    assert refused(midi(path, [(0, 1, 60)], channel=9)).startswith("has no note")
    assert refused(midi(path, [(0, 1, 60), (0, 1, 20)])).startswith("has the note 20, which is not")
    assert refused(midi(path, [(0, 1, 60), (10_001, 10_002, 60)])).startswith("is 10,002 quarter")
    assert refused(midi(path, [(0.5, 0.9, 60)]), 1.0).startswith("has no note that sounds on")
    empty = mido.MidiFile()
    empty.save(path)
    assert refused(path).startswith("has no note")
    data = bytearray(midi(path, [(0, 1, 60)]).read_bytes())
    data[12:14] = b"\xe7\x28"  # 25 frames of film a second
    path.write_bytes(data)
    assert "SMPTE" in refused(path)
    path.write_bytes(b"MThd" + bytes(10_000_000))
    assert refused(path).startswith("is larger than 10 MB")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", ["mid", "musicxml", "mxl"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 500, b"This is a text.\n" * 20, random.Random(0).randbytes(2000),
     b"MThd", b"<?xml version='1.0'?><html/>", b"PK\3\4" + bytes(100)],
    ids=["empty", "zeros", "text", "random", "magic", "html", "zip"],
)  # fmt: skip
def test_other_files_are_refused_in_one_line(tmp_path, capfd, ending, content):
    path = tmp_path / f"x.{ending}"
    path.write_bytes(content)
    assert refused(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", ["mid", "musicxml"])
def test_a_file_that_breaks_off_is_refused(files, tmp_path, ending):
    data = (files / f"piece.{ending}").read_bytes()
    path = tmp_path / f"x.{ending}"
    for size in range(1, len(data) - 8, max(1, len(data) // 150)):
        path.write_bytes(data[:size])
        assert "damaged" in refused(path)


def test_a_file_with_wrong_bytes_is_read_or_refused(files, tmp_path):
    data = (files / "piece.mid").read_bytes()
    draw = random.Random(1)
    outcomes = set()
    for _ in range(300):
        broken = bytearray(data)
        for _ in range(draw.randint(1, 6)):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        path = tmp_path / "x.mid"
        path.write_bytes(broken)
        try:
            frames = read_score(path, 1.0)
            assert all(21 <= pitch <= 108 for frame in frames for pitch in frame)
            outcomes.add("read")
        except ZooError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def packed(document, name="score.xml", container=True):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if container:
            archive.writestr(
                "META-INF/container.xml",
                f'<container><rootfiles><rootfile full-path="{name}"/></rootfiles></container>',
            )
        archive.writestr("score.xml", document)
    return file.getvalue()


def test_musicxml_of_all_kinds_gives_the_same(files, tmp_path):
    document = (files / "piece.musicxml").read_bytes()
    utf16 = document.decode().replace('encoding="utf-8"', 'encoding="utf-16"').encode("utf-16")
    for name, content in {
        "x.xml": document,
        "x.mxl": packed(document),
        "y.xml": packed(document),  # compressed, whatever it is called
        "z.musicxml": utf16,
    }.items():
        (tmp_path / name).write_bytes(content)
        assert read_score(tmp_path / name, 1.0) == FRAMES


def test_damaged_compressed_musicxml_is_refused(files, tmp_path):
    path = tmp_path / "x.mxl"
    document = (files / "piece.musicxml").read_bytes()
    for content in (
        packed(document, container=False),
        packed(document, name="other.xml"),
        packed(b"<score-partwise/>"),
        packed(document)[:-30],
        packed(document).replace(b"PK\1\2", b"PK\7\7"),
    ):
        path.write_bytes(content)
        assert refused(path)
    path.write_bytes(packed(b" " * 10_000_001))
    assert "unpacks to more than 10 MB" in refused(path)


def test_a_missing_library_is_named_with_what_installs_it(files, monkeypatch):
    for library, ending in (("mido", "mid"), ("pretty_midi", "mid"), ("music21", "musicxml")):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, library, None)
            with pytest.raises(ZooError, match=rf"needs {library} .*rnn-zoo\[music\]"):
                read_score(files / f"piece.{ending}", 1.0)


def test_lengths_of_frames_are_above_nothing(files):
    for length in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ZooError, match="quarter_length is"):
            read_score(files / "piece.mid", length)
