import subprocess
import sys

import pytest

from recipes.music.keys import (
    KEYS,
    estimate_key,
    note_name,
    parse_chord,
    parse_key,
    scale,
    sharps,
    tonic,
    transpose_key,
)
from zoo.errors import UsageError


def test_the_order_of_the_keys_is_fixed():
    assert len(set(KEYS)) == 24
    assert KEYS[:4] == ("C major", "D- major", "D major", "E- major")
    assert KEYS[12:16] == ("C minor", "C# minor", "D minor", "E- minor")
    assert [tonic(key) for key in KEYS] == [*range(12), *range(12)]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("G major", "G major"),
        (" g MAJOR ", "G major"),
        ("Gmaj", "G major"),
        ("GM", "G major"),
        ("Gm", "G minor"),
        ("E minor", "E minor"),
        ("B- minor", "B- minor"),
        ("Bb major", "B- major"),
        ("bb minor", "B- minor"),
        ("b minor", "B minor"),
        ("B♭m", "B- minor"),
        ("B-flat minor", "B- minor"),
        ("F sharp min", "F# minor"),
        ("f♯ minor", "F# minor"),
        ("A- minor", "G# minor"),  # spelt with fewer accidentals
        ("A# minor", "B- minor"),
        ("C# major", "D- major"),
        ("Cb major", "B major"),
        ("B# major", "C major"),
        ("G- major", "F# major"),
    ],
)
def test_parse_key(text, key):
    assert parse_key(text) == key
    assert parse_key(key) == key


@pytest.mark.parametrize("text", ["", "H major", "major", "G major minor", "G##", "Gé", "7"])
def test_invalid_keys_give_one_line(text):
    with pytest.raises(UsageError, match="is not a key") as caught:
        parse_key(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["A-minor", "b-Major", "E-"])
def test_ambiguous_keys_are_errors(text):
    letter = text[0].upper()
    with pytest.raises(UsageError, match=f"may be {letter} or {letter} flat: write '{letter} min"):
        parse_key(text)


def test_a_key_without_its_mode_gives_a_suggestion():
    with pytest.raises(UsageError, match=r"no mode. Did you mean 'G major' or 'G minor'"):
        parse_key("G")
    with pytest.raises(UsageError, match=r"has the mode 'dorian'. Did you mean 'D major' or"):
        parse_key("D dorian")


# Every signature, as any textbook's circle of fifths has them.
SHARPS = {
    "C major": 0, "G major": 1, "D major": 2, "A major": 3, "E major": 4, "B major": 5,
    "F# major": 6, "F major": -1, "B- major": -2, "E- major": -3, "A- major": -4, "D- major": -5,
    "A minor": 0, "E minor": 1, "B minor": 2, "F# minor": 3, "C# minor": 4, "G# minor": 5,
    "E- minor": -6, "D minor": -1, "G minor": -2, "C minor": -3, "F minor": -4, "B- minor": -5,
}  # fmt: skip


def test_signatures():
    assert {key: sharps(key) for key in KEYS} == SHARPS


def test_keys_agree_with_music21():
    music21 = pytest.importorskip("music21")
    for key in KEYS:
        name, mode = key.split()
        theirs = music21.key.Key(name, mode)
        assert theirs.sharps == sharps(key)
        assert theirs.tonic.pitchClass == tonic(key)
        assert {pitch.pitchClass for pitch in theirs.pitches} <= scale(key)
        assert len(scale(key)) == (7 if mode == "major" else 9)


def test_scales_by_hand():
    assert scale("C major") == {0, 2, 4, 5, 7, 9, 11}
    # A B C D E F F# G G#
    assert scale("A minor") == {9, 11, 0, 2, 4, 5, 6, 7, 8}
    assert scale("B- major") == {10, 0, 2, 3, 5, 7, 9}


def test_transposing():
    assert transpose_key("G major", 2) == "A major"
    assert transpose_key("C major", -1) == "B major"
    assert transpose_key("B minor", 1) == "C minor"
    assert transpose_key("A minor", 25) == "B- minor"
    for key in KEYS:
        assert transpose_key(transpose_key(key, 5), -5) == key
        assert scale(transpose_key(key, 3)) == {(note + 3) % 12 for note in scale(key)}


def test_note_names():
    assert [note_name(pitch) for pitch in (21, 60, 70, 108)] == ["A0", "C4", "A#4", "C8"]
    assert note_name(70, "F major") == "B-4"
    assert note_name(70, "C major") == "A#4"
    assert [note_name(pitch, "G minor") for pitch in (66, 63)] == ["F#4", "E-4"]
    assert note_name(59, "C minor") == "B3"
    for pitch in range(21, 109):
        assert parse_chord(note_name(pitch)) == parse_chord(note_name(pitch, "F minor")) == (pitch,)


def test_chords():
    assert parse_chord("G2 D3 B3 G4") == (43, 50, 59, 67)
    assert parse_chord(" 43,50, 59 67 ") == (43, 50, 59, 67)
    assert parse_chord("g4 G2 b3 D3 67") == (43, 50, 59, 67)
    assert parse_chord("Bb3 B-3 b♭3 F#4 F♯4") == (58, 66)
    assert parse_chord("Cb4 B#4") == (59, 72)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The chord is empty"),
        ("G2 H3", "'H3' in the chord 'G2 H3' is not a note"),
        ("G", "'G' in the chord"),
        ("G10", "'G10' in the chord"),
        ("20", "'20' is not on a piano"),
        ("C9", "'C9' is not on a piano"),
        ("-60", "'-60' in the chord"),
    ],
)
def test_invalid_chords_give_one_line(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_chord(text)
    assert "\n" not in str(caught.value)


def test_the_package_is_light():
    heavy = ("numpy", "music21", "pretty_midi", "mido", "scipy", "matplotlib", "tensorflow")
    code = f"import sys, recipes.music; print(*(name for name in {heavy!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("shift", range(12))
def test_the_key_is_estimated_from_the_notes(shift):
    major = [(0, 4, 7), (5, 9), (7, 11, 2), (0, 4, 7), (2, 5, 9), (7, 11), (0, 4)]
    minor = [(0, 3, 7), (5, 8), (7, 11, 2), (0, 3, 7), (8, 0, 3), (7, 10), (0, 3)]
    for index, chords in ((shift, major), (12 + shift, minor)):
        frames = [[48 + shift + note for note in chord] for chord in chords]
        assert estimate_key(frames) == KEYS[index]
    assert estimate_key([(), []]) == ""
