"""The readers of chorales, on small files made by hand."""

import io
import json
import sys
import zipfile

import numpy as np
import pytest

from recipes.music import chorales
from recipes.music.chorales import CHORALES, read_custom, read_json, read_rolls, read_scores
from recipes.music.derived import derived_path
from zoo.data.reading import Reading, ReadOptions
from zoo.errors import UsageError, ZooError

HEAD = '<?xml version="1.0"?><score-partwise version="3.1"><part-list>'
PITCH = "<pitch><step>{}</step>{}<octave>{}</octave></pitch>"

# One bar of each voice: name with octave and length in eighths; "r" is a rest.
SOPRANO = [("G4", 2), ("A4", 1), ("B4", 1), ("C5", 4)]
ALTO = [("E4", 4), ("E4", 4)]
TENOR = [("C4", 2), ("r", 2), ("G3", 4)]
BASS = [("C3", 4), ("C3", 4)]


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))


def xml(*voices, shift=0):
    """Returns a MusicXML score of one bar, a part a voice."""
    names = "".join(
        f'<score-part id="P{i}"><part-name>{i}</part-name></score-part>' for i in range(len(voices))
    )
    parts = ""
    for number, voice in enumerate(voices):
        notes = ""
        for name, length in voice:
            pitch = "<rest/>"
            if name != "r":
                midi = "C D EF G A B".index(name[0]) + 12 * (int(name[1]) + 1) + shift
                step = "CCDDEFFGGAAB"[midi % 12]
                sharp = "<alter>1</alter>" if "0101001010100"[midi % 12] == "1" else ""
                pitch = PITCH.format(step, sharp, midi // 12 - 1)
            notes += f"<note>{pitch}<duration>{length}</duration></note>"
        parts += (
            f'<part id="P{number}"><measure number="1"><attributes><divisions>2</divisions>'
            "<time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
            f"{notes}</measure></part>"
        )
    return f"{HEAD}{names}</part-list>{parts}</score-partwise>".encode()


def mxl(content):
    """Returns the same, compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.writestr("score.xml", content)
    return buffer.getvalue()


FRAMES = [
    [48, 60, 64, 67],
    [48, 60, 64, 67],
    [48, 64, 69],
    [48, 64, 71],
    *[[48, 55, 64, 72]] * 4,
]


@pytest.mark.parametrize("pack", [bytes, mxl])
def test_a_score_becomes_what_sounds_at_each_eighth(pack, capsys):
    pytest.importorskip("music21")
    parts, notes = read_scores({"bwv1.mxl": pack(xml(SOPRANO, ALTO, TENOR, BASS))})
    assert parts["train"] == {"key": ["C major"], "frames": [FRAMES]}
    assert notes[0].startswith("0 scores omitted")
    assert "reading scores, once: 1 of 1" in capsys.readouterr().err


def test_scores_with_another_number_of_parts_and_repeated_scores_are_omitted():
    pytest.importorskip("music21")
    voices = (SOPRANO, ALTO, TENOR, BASS)
    other = ([("G4", 8)], [("D4", 8)], [("B3", 8)], [("G3", 8)])
    members = {
        "a.mxl": xml(*voices),
        "b.mxl": xml(*voices[:3]),
        "c.mxl": xml(*voices, shift=2),  # the same in D major
        "d.mxl": xml(*other),
    }
    parts, notes = read_scores(members)
    assert parts["train"]["frames"] == [FRAMES, [[55, 59, 62, 67]] * 8]
    assert [note.split()[0] for note in notes] == ["1", "1"]


def test_silence_before_and_after_is_cut_off_and_short_notes_between_frames_are_lost():
    pytest.importorskip("music21")
    score = chorales.parse_scores(
        {
            "a.xml": xml(
                [("r", 2), ("G4", 2), ("r", 4)],
                [("r", 3), ("E4", 1), ("r", 4)],
                [("r", 8)],
                [("r", 8)],
            )
        }
    )
    assert score["examples"]["frames"] == [[[67], [64, 67]]]


def test_notes_that_begin_between_frames_wait_for_the_next_one():
    music21 = pytest.importorskip("music21")
    score = music21.stream.Score()
    part = music21.stream.Part()
    # Offsets and lengths in quarters: 3/4 of a quarter, a sixteenth, an eighth.
    for start, length, name in ((0, 0.75, "C4"), (0.75, 0.25, "D4"), (1, 0.5, "E4")):
        part.insert(start, music21.note.Note(name, quarterLength=length))
    score.insert(0, part)
    assert chorales.to_frames(score) == [[60], [60], [64]]


def test_scores_are_read_once_and_a_damaged_cache_is_built_again(monkeypatch, capsys):
    calls = []

    def parse(members):
        calls.append(list(members))
        return {"examples": {"key": [""], "frames": [[[60]]]}, "notes": ["a note"]}

    monkeypatch.setattr(chorales, "parse_scores", parse)
    members = {"a.mxl": b"1", "b.mxl": b"2"}
    first = read_scores(members)
    assert (
        read_scores(members) == first == ({"train": {"key": [""], "frames": [[[60]]]}}, ["a note"])
    )
    assert calls == [["a.mxl", "b.mxl"]]
    read_scores({"a.mxl": b"1", "b.mxl": b"3"})  # other content
    assert len(calls) == 2
    monkeypatch.setattr(chorales, "READER_VERSION", chorales.READER_VERSION + 1)
    read_scores(members)
    assert len(calls) == 3
    (path, *_) = sorted((derived_path("chorales", "").parent).glob("chorales-*.json"))
    for cached in path.parent.glob("chorales-*.json"):
        cached.write_text(cached.read_text()[:-20])
    capsys.readouterr()
    assert read_scores(members) == first
    assert len(calls) == 4
    assert "is damaged" in capsys.readouterr().err
    assert read_scores(members) == first
    assert len(calls) == 4


def test_without_music21_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(ZooError, match=r"pip install '\.\[music\]'"):
        read_scores({"a.mxl": b""})


def test_a_damaged_score_is_named():
    pytest.importorskip("music21")
    with pytest.raises(ZooError, match=r"music21 cannot read bwv7\.mxl"):
        read_scores({"bwv7.mxl": b"<score-partwise"})


def test_piano_rolls_begin_at_the_lowest_key_of_a_piano(tmp_path):
    import scipy.io

    content = {}
    for split, length in (("train", 3), ("valid", 2), ("test", 1)):
        pieces = np.empty((1, 2), object)
        for number in range(2):
            pieces[0, number] = np.zeros((length, 88), "uint8")
            pieces[0, number][0, [0, 39, 87]] = 1
        content[f"{split}data"] = pieces
    scipy.io.savemat(tmp_path / "rolls.mat", content)
    parts, _ = read_rolls([tmp_path / "rolls.mat"])
    assert list(parts) == ["train", "validation", "test"]
    assert parts["train"] == {"key": ["", ""], "frames": [[[21, 60, 108], [], []]] * 2}
    assert parts["test"]["frames"] == [[[21, 60, 108]]] * 2


def test_frames_in_json_are_sorted_and_rests_go(tmp_path):
    content = {"train": [[[72, 60, -1, 60], []]], "valid": [[[50]]], "test": [[[-1, -1]]]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    parts, _ = read_json([tmp_path / "a.json"])
    assert parts["train"] == {"key": [""], "frames": [[[60, 72], []]]}
    assert parts["test"]["frames"] == [[[]]]


def test_custom_pieces_are_read_with_or_without_a_key(tmp_path):
    path = tmp_path / "custom.jsonl"
    rows = [{"key": "bb minor", "frames": [[60, 48], []]}, {"frames": [[21, 108]]}]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    assert read_custom(path) == {"key": ["B- minor", ""], "frames": [[[48, 60], []], [[21, 108]]]}
    path.write_text(json.dumps({"chords": [[60]]}))
    assert read_custom(path, {"frames": "chords"})["frames"] == [[[60]]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not an object"),
        ("[]", "line 2 is not an object"),
        ('{"frames": []}', "line 2 is not an object"),
        ('{"frames": [60]}', "line 2 is not an object"),
        ('{"frames": [[20]]}', "from 21 to 108"),
        ('{"frames": [[60.5]]}', "line 2 is not an object"),
        (
            '{"frames": [[60]], "key": "H major"}',
            "line 2 has a 'key' that .*'H major' is not a key",
        ),
        ('{"frames": [[60]], "key": 3}', "line 2 has a 'key' that cannot be read .'3' is not"),
    ],
)
def test_an_invalid_line_of_custom_data_is_named(tmp_path, line, message):
    path = tmp_path / "custom.jsonl"
    path.write_text('{"frames": [[60]]}\n' + line)
    with pytest.raises(ZooError, match=message) as caught:
        read_custom(path)
    assert "\n" not in str(caught.value)
    assert "--drop-bad" in str(caught.value)
    reading = Reading(ReadOptions(drop_bad=True))
    assert read_custom(path, reading=reading) == {"key": [""], "frames": [[[60]]]}
    assert [note.split(" ")[:3] for note in reading.notes] == [["custom.jsonl:", "line", "2"]]
    path.write_text(line)
    with pytest.raises(ZooError, match="has no piece"):
        read_custom(path, reading=reading)


def test_custom_files_without_pieces_and_missing_files_are_errors(tmp_path):
    (tmp_path / "custom.jsonl").write_text("\n")
    with pytest.raises(ZooError, match="is empty"):
        read_custom(tmp_path / "custom.jsonl")
    with pytest.raises(UsageError, match="There is no file"):
        read_custom(tmp_path / "none.jsonl")


def test_a_custom_folder_is_split(tmp_path):
    for name, count in (("train", 5), ("test", 2)):
        rows = [json.dumps({"frames": [[60 + row]]}) for row in range(count)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows))
    splits = CHORALES.load(tmp_path)
    assert len(splits.train["frames"]) == 4
    assert len(splits.validation["frames"]) == 1
    assert splits.test["frames"] == [[[60]], [[61]]]


def test_frames_have_a_length():
    with pytest.raises(UsageError, match="'quarter_length' must be above 0; got 0"):
        chorales.framed(0)
