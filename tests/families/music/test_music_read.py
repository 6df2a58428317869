"""Custom music files, valid and damaged."""

import io
import random
import sys
import zipfile

import pytest

from recipes.music.midi import bar_starts, parse_midi
from recipes.music.read import read_excerpt, read_score
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
    assert read_score(path, 1.0) == [(48, 60), (48, 62)]  # the passing E is omitted
    assert read_score(path, 0.5) == [(48, 60), (48, 60), (48, 62), (48, 64)]
    assert read_score(str(path), 2.0) == [(48, 60)]


def test_a_player_is_not_exact(tmp_path):
    notes = [(0.04, 0.6, 60), (1.09, 2.05, 62), (1.97, 2.9, 64), (3.0, 3.3, 65)]
    assert read_score(midi(tmp_path / "x.mid", notes), 1.0) == [(60,), (62,), (64,), (65,)]


def test_rests_inside_are_kept_and_those_around_are_omitted(tmp_path):
    notes = [(3, 4, 60), (6, 7, 62)]
    assert read_score(midi(tmp_path / "x.mid", notes), 1.0) == [(60,), (), (), (62,)]


def test_a_note_that_is_struck_twice_is_one_in_its_frame(tmp_path):
    notes = [(0, 0.5, 60), (0.5, 1, 60), (0, 1, 72)]
    assert read_score(midi(tmp_path / "x.mid", notes), 1.0) == [(60, 72)]


def refused(path, quarter_length=1.0, error=ZooError):
    """Returns the one line of the error of a file."""
    with pytest.raises(error) as caught:
        read_score(path, quarter_length)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300 + len(str(path))
    assert message.startswith(str(path))
    return message.removeprefix(str(path)).strip()


def test_invalid_pieces_give_one_line(tmp_path, capfd):
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
def test_a_truncated_file_is_an_error(files, tmp_path, ending):
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
    for library in ("music21", "mido", "pretty_midi"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ZooError, match=r"needs music21 .*'\.\[music\]'"):
        read_score(files / "piece.musicxml", 1.0)
    assert read_score(files / "piece.mid", 1.0) == FRAMES


def test_lengths_of_frames_are_positive(files):
    for length in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ZooError, match="quarter_length is"):
            read_score(files / "piece.mid", length)


# Events that are not used, and files that others write.

CHORDS = [(0, 1, 48), (0, 1, 64), (1, 2, 50), (1, 2, 65), (2, 4, 43), (2, 4, 62)]
EXPECTED = [(48, 64), (50, 65), (43, 62), (43, 62)]


def with_event(path, event, offset=0):
    """Writes the chords with the bytes of an event, its time of 0 included, before others."""
    data = bytearray(midi(path, CHORDS).read_bytes())
    start = data.index(b"MTrk") + 8 + offset
    data[start:start] = event
    size = int.from_bytes(data[18:22], "big") + len(event)
    data[18:22] = size.to_bytes(4, "big")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "event",
    [
        b"\0\xff\x59\2\xf8\0",  # 8 flats
        b"\0\xff\x59\2\2\xff",  # a mode that is none
        b"\0\xff\x59\0",  # a key signature without a key
        b"\0\xb0\7\xff",  # the volume 255
        b"\0\xc0\xff",
        b"\0\xe0\xff\xff",
        b"\0\xf0\5\x7e\xff\x80\1\xf7",  # system exclusive data above 127
        b"\0\xf7\2\xff\xff",
        b"\0\xff\1\4\xff\xfe\0\x80",  # a text that is none
        b"\0\xff\x7f\3\0\0\xff",
        b"\0\xff\x58\4\0\0\x18\x08",  # a time signature of 0/1
        b"\0\xf2\1\2\0\xf8",  # system messages
    ],
)
def test_unused_events_are_skipped(tmp_path, event):
    assert read_score(with_event(tmp_path / "x.mid", event), 1.0) == EXPECTED


def test_midi_inside_riff_and_with_other_chunks(tmp_path):
    path = midi(tmp_path / "x.mid", CHORDS)
    data = path.read_bytes()
    size = len(data).to_bytes(4, "little")
    path.write_bytes(b"RIFF" + (len(data) + 12).to_bytes(4, "little") + b"RMIDdata" + size + data)
    assert read_score(path, 1.0) == EXPECTED
    path.write_bytes(data[:14] + b"XFIH\0\0\0\3abc" + data[14:])
    assert read_score(path, 1.0) == EXPECTED


def test_a_note_outside_of_midi_is_damage(tmp_path):
    path = with_event(tmp_path / "x.mid", b"\0\x90\xc0\x40")
    assert "damaged (it has the note 192)" in refused(path)


def test_the_last_chord_needs_no_end(tmp_path):
    track = mido.MidiTrack()
    track += [mido.Message("note_on", note=60), mido.Message("note_on", note=67)]
    track += [mido.Message("note_off", note=60, time=200), mido.Message("note_off", note=67)]
    track += [mido.Message("note_on", note=62), mido.Message("note_on", note=71, time=0)]
    file = mido.MidiFile(ticks_per_beat=100)
    file.tracks.append(track)
    file.save(tmp_path / "x.mid")
    assert read_score(tmp_path / "x.mid", 1.0) == [(60, 67), (60, 67), (62, 71)]
    # Where the track goes on, until its end; and before another note of the channel.
    track.append(mido.MetaMessage("marker", text="x", time=300))
    file.save(tmp_path / "x.mid")
    assert read_score(tmp_path / "x.mid", 1.0)[2:] == [(62, 71)] * 3
    track += [mido.Message("note_on", note=64), mido.Message("note_off", note=64, time=100)]
    file.save(tmp_path / "x.mid")
    assert read_score(tmp_path / "x.mid", 1.0)[4:] == [(62, 71), (64,)]


def test_running_status_and_notes_within_notes():
    on = bytes([0, 0x90, 60, 64, 50, 60, 64, 50, 60, 0, 50, 62, 64, 50, 62, 0, 0, 0xFF, 0x2F, 0])
    data = b"MThd\0\0\0\6\0\0\0\1\0\x64MTrk" + len(on).to_bytes(4, "big") + on
    assert parse_midi(data).spans == [(0, 1, 60), (0.5, 1, 60), (1.5, 2, 62)]
    assert parse_midi(data).length == 2


def signatures(*meters):
    return [
        mido.MetaMessage("time_signature", numerator=above, denominator=below, time=time)
        for above, below, time in meters
    ]


@pytest.mark.parametrize(
    ("before", "notes", "upbeat", "time"),
    [
        ([], [(0, 1, 60), (1, 2, 62)], 0, (4, 4)),
        ([], [(3, 4, 60), (4, 6, 62)], 1, (4, 4)),
        (signatures((3, 4, 0)), [(2, 3, 60), (3, 5, 62)], 1, (3, 4)),
        (signatures((3, 4, 0)), [(2.5, 3, 60), (3, 5, 62)], 0.5, (3, 4)),
        (signatures((1, 4, 0), (4, 4, 100)), [(0, 1, 60), (1, 3, 62)], 1, (4, 4)),
        (signatures((1, 8, 0), (6, 8, 50)), [(0, 0.5, 60), (0.5, 3, 62)], 0.5, (6, 8)),
    ],
)
def test_an_upbeat_stays_an_upbeat(tmp_path, before, notes, upbeat, time):
    track = mido.MidiTrack(before)
    conductor = mido.MidiFile(midi(tmp_path / "x.mid", notes))
    conductor.tracks.insert(0, track)
    conductor.save(tmp_path / "x.mid")
    excerpt = read_excerpt(tmp_path / "x.mid", 0.5)
    assert (excerpt.upbeat, excerpt.time) == (upbeat, time)


def test_bars_are_counted_from_each_time_signature():
    starts, time = bar_starts([(0, 1, 4), (1, 3, 4), (7, 2, 4)], 10)
    assert starts[:5] == [0, 1, 4, 7, 9]
    assert time == (3, 4)


@pytest.mark.parametrize("ending", ["mid", "musicxml"])
def test_an_upbeat_is_written_as_one(tmp_path, ending):
    frames = [(60,)] * 2 + [(64,)] * 9 + [(65,)]
    write_frames(frames, tmp_path / "x", quarter_length=0.5, beats=3, upbeat=1.0)
    excerpt = read_excerpt(tmp_path / f"x.{ending}", 0.5)
    assert (excerpt.frames, excerpt.upbeat, excerpt.time) == (frames, 1.0, (3, 4))
    if ending == "musicxml":
        first = (tmp_path / "x.musicxml").read_text().partition("</measure>")[0]
        assert 'implicit="yes" number="0"' in first
        assert first.count("<note>") == 1


def transposing(diatonic, chromatic, octaves=""):
    part = "".join(
        f"<note><pitch><step>{step}</step><octave>5</octave></pitch><duration>1</duration></note>"
        for step in "CDEF"
    )
    return (
        "<score-partwise version='4.0'><part-list><score-part id='P1'><part-name>x</part-name>"
        "</score-part></part-list><part id='P1'><measure number='1'><attributes><divisions>1"
        "</divisions><key><fifths>0</fifths></key><time><beats>4</beats><beat-type>4</beat-type>"
        f"</time><transpose><diatonic>{diatonic}</diatonic><chromatic>{chromatic}</chromatic>"
        f"{octaves}</transpose></attributes>{part}</measure></part></score-partwise>"
    )


@pytest.mark.parametrize(
    ("transpose", "pitches"),
    [
        ((-1, -2), (70, 72, 74, 75)),  # a clarinet in B flat
        ((-5, -9), (63, 65, 67, 68)),  # an alto saxophone
        ((-4, -7), (65, 67, 69, 70)),  # a horn
        ((0, 0, "<octave-change>-1</octave-change>"), (60, 62, 64, 65)),  # a guitar
        ((0, 0), (72, 74, 76, 77)),
    ],
)
def test_a_transposing_instrument_is_read_as_it_sounds(tmp_path, transpose, pitches):
    (tmp_path / "x.musicxml").write_text(transposing(*transpose))
    assert read_score(tmp_path / "x.musicxml", 1.0) == [(pitch,) for pitch in pitches]


def test_abc_is_read_once_through(tmp_path):
    path = tmp_path / "x.abc"
    path.write_text("\ufeffX:1\nM:3/4\nL:1/4\nK:G\nD|GAB|d2D:|GFG|G2|]\n\nX:2\nK:C\nC|")
    excerpt = read_excerpt(path, 1.0)
    assert [frame[0] for frame in excerpt.frames] == [
        62,
        67,
        69,
        71,
        74,
        74,
        62,
        67,
        66,
        67,
        67,
        67,
    ]
    assert (excerpt.upbeat, excerpt.time) == (1, (3, 4))
    path.write_text("hello")
    assert "not an ABC tune" in refused(path)
    path.write_bytes(b"\xff\xfe")
    assert "UTF-8" in refused(path)
