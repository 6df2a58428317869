"""Folders of music files as data: what is read, as what, and what is omitted."""

from fractions import Fraction

import pytest

from recipes import chorales as recipe
from recipes.music import abc, chorales, folk
from recipes.music.melody import to_tune
from recipes.music.midi import bar_starts, parse_midi
from recipes.music.read import Score, read_excerpt
from recipes.music.sound import midi
from recipes.music.tune import parse_tune, to_piece
from recipes.music.write import write_frames
from zoo.errors import UsageError, ZooError

for library in ("music21", "pretty_midi"):
    pytest.importorskip(library)

CHORDS = [(48, 60, 64, 67), (53, 60, 65, 69), (43, 59, 62, 67), (48, 60, 64, 72)]
TUNE = "X:{number}\nT:{title}\nM:6/8\nL:1/8\nK:G\nD|GAB cBA|GAB d3|{notes} cBA|G3 G2:|\n\n"


def book(*titles):
    names = ("GAB", "BAG", "dBG", "gfe", "edB", "cde")
    return "".join(
        TUNE.format(number=number, title=title, notes=names[number % len(names)])
        for number, title in enumerate(titles, 1)
    )


@pytest.fixture
def folder(tmp_path):
    """Six files of five kinds, a hidden one and two other files."""
    music = tmp_path / "music"
    for number in range(3):
        frames = [tuple(note + number for note in chord) for chord in CHORDS for _ in (0, 1)]
        write_frames(frames, music / f"sub{number}" / f"reel {number}", quarter_length=0.5)
        (music / f"sub{number}" / f"reel {number}.musicxml").rename(music / f"hymn_{number}.xml")
    (music / "book.abc").write_text("\ufeff" + book("One", "Two") + "X:9\nK:H\nx|\n")
    (music / "._book.abc").write_text("rubbish")
    (music / "damaged.mid").write_bytes(b"MThd")
    (music / "notes.txt").write_text("not music")
    return music


def test_a_folder_of_all_kinds_trains_chorales(folder):
    parts, notes, title, _ = chorales.read_folder(folder)
    rows = parts["train"]
    assert title == "music (custom data)"
    assert len(rows["frames"]) == 3 + 3 + 2
    assert rows["frames"].count([[*chord] for chord in CHORDS for _ in (0, 1)]) == 2
    assert rows["key"].count("C major") == 2
    assert rows["key"].count("D- major") == 2
    assert len(notes) == 1
    assert notes[0].startswith("1 file of train omitted, such as damaged.mid: ")
    splits = chorales.CHORALES.load(folder)
    sizes = [len(part["frames"]) for part in (splits.train, splits.validation, splits.test)]
    assert sizes == [6, 1, 1]
    assert splits.notes[0].startswith("1 of 3 tunes of book.abc omitted that cannot be read; the")
    assert splits.notes[1] == notes[0]


def test_frames_have_the_length_of_the_recipe(folder):
    config = recipe.Config(quarter_length=1.0)
    path = folder / "hymn_0.xml"
    assert recipe.data(config).reader(path, None)["frames"] == [[[*each] for each in CHORDS]]
    assert len(chorales.read_custom(path)["frames"][0]) == 2 * len(CHORDS)
    rows = recipe.data(config).folder(folder)[0]["train"]["frames"]
    assert [[*each] for each in CHORDS] in rows


def test_a_folder_of_all_kinds_trains_folk(folder):
    parts, notes, _, _ = folk.read_folder(folder)
    rows = parts["train"]
    hymns, reels = ([f"{name} {number}" for number in range(3)] for name in ("hymn", "reel"))
    assert sorted(rows["title"]) == [*hymns, "one", *reels, "two"]
    assert rows["type"].count("reel") == 3
    assert rows["tune"].count("[M:4/4] G2A2G2c2 |]") == 2  # as MIDI and as MusicXML
    assert rows["key"].count("C major") == 2
    assert any("1 of 3 tunes of book.abc omitted" in note for note in notes)
    assert any("damaged.mid" in note for note in notes)
    assert all(abc.bars(abc.tokens(tune)) for tune in rows["tune"])


def test_a_folder_may_be_divided_into_splits(folder):
    for name, titles in (("train", ("A", "B")), ("validation", ("C",)), ("test", ("D",))):
        (folder / name).mkdir()
        (folder / name / "x.abc").write_text(book(*titles))
    parts, notes, _, _ = folk.read_folder(folder)
    assert {name: len(rows["tune"]) for name, rows in parts.items()} == {
        "train": 2, "validation": 1, "test": 1,
    }  # fmt: skip
    assert notes == []


def test_a_folder_without_music_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UsageError, match="has no music file; MIDI"):
        chorales.CHORALES.load(tmp_path)
    (tmp_path / "x.mid").write_bytes(b"MThd")
    for read in (chorales.read_folder, folk.read_folder):
        with pytest.raises(ZooError, match=r"No file of .*, such as x\.mid: .*damaged"):
            read(tmp_path)


def test_one_file_is_one_piece(folder):
    assert folk.FOLK.reader(folder / "hymn_0.xml", None) == {
        "type": ["tune"],
        "key": ["C major"],
        "tune": ["[M:4/4] G2A2G2c2 |]"],
        "title": ["hymn 0"],
    }
    assert len(chorales.CHORALES.reader(folder / "book.abc", None)["key"]) == 2


# Melodies.


def score_of(text):
    """Returns a tune as its MIDI file has it."""
    file = parse_midi(midi(to_piece(parse_tune(text), repeats=False)))
    return Score(file.spans, *bar_starts(file.meters, file.length))


@pytest.mark.parametrize(
    ("meter", "key", "body"),
    [
        ("6/8", "G", "D | GABc2d | e3d3 | GABcBA | G3G2 |]"),
        ("4/4", "D", "DEFG A2d2 | ^c=cBA GFED | F4 z2E2 | D8 |]"),
        ("3/4", "Bb", "B2A2G2 | _A2=A2_A2 | ^F2=F2E2 | D6 |]"),
        ("2/4", "Gm", "G2^FG | A/2B/2c/2d/2 e2 | d3/2c/2 B/4A/4G/2z | G,4 |]"),
        ("4/4", "C", "(3CDE (3F2G2A2 (3:2:2B2c | c8- | c4 c,,4 |]".replace("c,,", "C,")),
        ("9/8", "Am", "c' | a3^g3a2b | c'6a3- | a3e3z2 |]"),
    ],
)
def test_a_melody_is_written_as_it_was(meter, key, body):
    text = f"X:1\nM:{meter}\nL:1/8\nK:{key}\n{body}\n"
    melody_key, tokens = to_tune(score_of(text))
    expected = abc.canonical([body], meter=meter)
    name = abc.parse_key(key)
    assert abc.pitches(abc.bars(tokens), melody_key) == abc.pitches(abc.bars(expected), name)
    lengths = [[note.length for note in bar.notes] for bar in abc.bars(expected)]
    last = lengths[-1]
    if abc.bars(expected)[-1].notes[-1].pitch == "z":  # MIDI has no rest at the end
        last.pop()
    assert [[note.length for note in bar.notes] for bar in abc.bars(tokens)] == lengths


def test_the_melody_is_the_highest_note():
    spans = [(0, 4, 48), (0, 1, 64), (0, 1, 55), (1, 2, 65), (2, 4, 67), (2, 3, 60), (3, 4, 59)]
    key, tokens = to_tune(Score(spans, (0, 4), (4, 4)))
    assert (key, abc.join(tokens)) == ("C major", "[M:4/4] E2F2G4 |]")


def test_a_performance_is_moved_to_sixteenths():
    spans = [(0.02, 0.9, 60), (1.03, 1.45, 62), (1.49, 1.97, 64), (2.01, 2.3, 65), (3.02, 3.9, 67)]
    _, tokens = to_tune(Score(spans, (0, 4), (4, 4)))
    assert abc.join(tokens) == "[M:4/4] C2DEF/2z3/2G2 |]"
    assert sum(bar.length for bar in abc.bars(tokens)) == Fraction(4, 4)


def test_scores_that_are_not_tunes_are_errors():
    with pytest.raises(ZooError, match="no note"):
        to_tune(Score([], (0,), (4, 4)))
    with pytest.raises(ZooError, match="not a metre"):
        to_tune(Score([(0, 1, 60)], (0,), (4, 32)))


# A file to go on from.


def test_a_piece_has_the_bars_and_the_key_of_the_file_that_it_continues(tmp_path):
    prime = tmp_path / "prime.abc"
    prime.write_text("X:1\nM:3/4\nL:1/4\nK:Gm\nD|GAB|dBG|c2A|G2|]\n")
    frames = recipe.seed(recipe.Config(), {"prime": str(prime)})["prime"]
    assert len(frames) == 24
    answer = {"key": "", "frames": [*frames, (55, 62, 67, 70)], "prime": str(prime)}
    paths = recipe.render(recipe.Config(), answer, tmp_path / "x")
    for path in paths[:2]:
        excerpt = read_excerpt(path, 0.5)
        assert (excerpt.upbeat, excerpt.time) == (1.0, (3, 4))
    assert "<fifths>-2</fifths>" in (tmp_path / "x.musicxml").read_text()
    # The first chord stands before the file's frames.
    longer = {**answer, "frames": [(50, 57), *answer["frames"]], "chord": "D3 A3"}
    recipe.render(recipe.Config(), longer, tmp_path / "y")
    assert read_excerpt(tmp_path / "y.mid", 0.5).upbeat == 1.5
    recipe.render(recipe.Config(), {**answer, "key": "F major", "prime": None}, tmp_path / "z")
    excerpt = read_excerpt(tmp_path / "z.mid", 0.5)
    assert (excerpt.upbeat, excerpt.time) == (0.0, (4, 4))
    assert "<fifths>-1</fifths>" in (tmp_path / "z.musicxml").read_text()


def test_a_tune_goes_on_from_a_file_without_signs(tmp_path):
    write_frames([(67,), (69,), (71,), (72,)], tmp_path / "a_reel", quarter_length=1.0)
    assert folk.read_prime(tmp_path / "a_reel.mid") == {
        "prime": "[M:4/4] G2A2B2c2 |", "key": "G major", "type": "reel",
    }  # fmt: skip
