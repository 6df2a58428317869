"""Tunes in ABC as they are played: notes, onsets and lengths that were written by hand."""

import re
from fractions import Fraction

import pytest

from recipes.music.repeats import Mark, expand_parts, play_order
from recipes.music.tune import parse_signature, parse_tempo, parse_tune, to_piece
from zoo.errors import ZooError


def tune(body, meter="4/4", unit="1/8", key="C", more=""):
    fields = [f"M:{meter}" if meter else "", f"L:{unit}" if unit else "", more, f"K:{key}"]
    return "\n".join(["X:1", "T:test", *filter(None, fields), body, ""])


def played(text, voice=0):
    """Returns `60:1 r:2 64:1`: pitches and rests with their lengths in eighths, a line a voice.

    Notes of a chord are joined by `+`.
    """
    piece = to_piece(parse_tune(text))
    here, words = 0.0, []
    notes = [note for note in piece.notes if note.voice == voice]
    for start in sorted({note.start for note in notes}):
        if start > here + 1e-9:
            words.append(f"r:{eighths(start - here)}")
        chord = [note for note in notes if note.start == start]
        (end,) = {note.end for note in chord}
        words.append("+".join(str(note.pitch) for note in chord) + f":{eighths(end - start)}")
        here = end
    if piece.length > here + 1e-9:
        words.append(f"r:{eighths(piece.length - here)}")
    return " ".join(words)


def eighths(quarters):
    return f"{round(quarters * 2, 4):g}"


def same(pitches, length=1):
    return " ".join(f"{pitch}:{length}" for pitch in pitches)


# Four quarters each, in C major.
A, B, D = "C2D2E2F2", "G2A2B2c2", "d2e2f2g2"
a, b, d = same((60, 62, 64, 65), 2), same((67, 69, 71, 72), 2), same((74, 76, 77, 79), 2)
x, y = same((60,), 8), same((67,), 8)  # whole notes C8 and G8

TABLE = {
    # Repeats.
    "no repeat": (f"{A}|{B}|]", [a, b]),
    "a repeat": (f"|:{A}|{B}:|", [a, b, a, b]),
    "without an opening": (f"{A}|{B}:|", [a, b, a, b]),
    "a second part without an opening": (f"{A}:|{B}:|", [a, a, b, b]),
    "three parts": (f"{A}:|{B}:|{D}:|", [a, a, b, b, d, d]),
    "both at once": (f"|:{A}::{B}:|", [a, a, b, b]),
    "written out": (f"|:{A}:||:{B}:|", [a, a, b, b]),
    "back to a double bar": (f"{A}||{B}:|", [a, b, b]),
    "back to a final bar": (f"{A}|]{B}:|", [a, b, b]),
    "a double bar within": (f"|:{A}||{B}:|{D}|]", [a, b, a, b, d]),
    "never closed": (f"|:{A}||{B}|{D}|]", [a, b, d]),
    "never closed, before a repeat": (f"|:{A}|{B}|:{D}:|", [a, b, d, d]),
    "never closed, after a repeat": (f"{A}:||:{B}|{D}|]", [a, a, b, d]),
    "opened at the end": (f"{A}:|{B}|:", [a, a, b]),
    "three times": (f"|::{A}::|{B}|]", [a, a, a, b]),
    "an upbeat within": ("c|C2D2E2F:|d|G2A2B2c:|", [
        same((72,)), same((60, 62, 64), 2), same((65, 72)), same((60, 62, 64), 2), same((65, 74)),
        same((67, 69, 71), 2), same((72, 74)), same((67, 69, 71), 2), same((72,)),
    ]),
    "an upbeat before": (f"c|:{A}:|", [same((72,)), a, a]),
    # Endings.
    "two endings": (f"|:{A}|1C8:|2G8|]", [a, x, a, y]),
    "endings in brackets": (f"|:{A}|[1C8:|[2G8|]", [a, x, a, y]),
    "endings without an opening": (f"{D}:|{A}|1C8:|2G8|]", [d, d, a, x, a, y]),
    "endings closed twice": (f"|:{A}|1C8:|2G8:|", [a, x, a, y]),
    "endings without a repeat": (f"{A}|1C8|2G8||{B}|]", [a, x, a, y, b]),
    "endings, then a part": (f"|:{A}|1C8:|2G8||{B}:|", [a, x, a, y, b, b]),
    "endings, then a part after a bar": (f"|:{A}|1C8:|2G8|{B}|{D}:|", [a, x, a, y, b, d, b, d]),
    "only a first ending": (f"|:{A}|1C8:|{B}|]", [a, x, a, b]),
    "three endings": (f"|:{A}|1C8:|2G8:|3{D}|]", [a, x, a, y, a, d]),
    "an ending for two passes": (f"|:{A}|1,3C8:|2G8:|{B}|]", [a, x, a, y, a, x, b]),
    "an ending for a range": (f"|:{A}|[1-2C8:|[3G8|]", [a, x, a, x, a, y]),
    "only a second ending": (f"|:{A}|2{B}:|{D}|]", [a, b, a, b, d]),
    # Accidentals.
    "until the end of the bar": ("^c2cB c2cB|c8|]", [
        same((73,), 2), same((73, 71)), same((73,), 2), same((73, 71)), same((72,), 8)]),
    "in all octaves": ("^F2f2F,2=f2|F8|]", [same((66, 78, 54, 77), 2), same((65,), 8)]),
    "double": ("^^F2__B2F2B2|", [same((67, 69, 67, 69), 2)]),
    "again at a repeat": ("^F4F4:|F8|]", [same((66,), 4)] * 4 + [same((65,), 8)]),
    "over a tie": ("C6^F2-|F2F2=F2F2|", [same((60,), 6), same((66,), 4), same((65, 65, 65), 2)]),
    # Ties.
    "a tie": ("C4-C2D2|", ["60:6 62:2"]),
    "a tie over a bar line": ("C4D4-|D4C4|", ["60:4 62:8 60:4"]),
    "a tie over two": ("C4D4-|D8-|D4C4|", ["60:4 62:16 60:4"]),
    "a slur": ("C4-D4|", ["60:4 62:4"]),
    "a tie into a repeat": ("|:C4E4D2C2-:|C8|]", ["60:4 64:4 62:2 60:6 64:4 62:2 60:10"]),
    "a tie within chords": ("[C-E]4[CG]4|", None),
    # Rhythm.
    "lengths": ("C2D/E/F3/2G//A3/4B4|", ["60:2 62:0.5 64:0.5 65:1.5 67:0.25 69:0.75 71:4"]),
    "broken": ("C>DE<FG>>AB<<c|", ["60:1.5 62:0.5 64:0.5 65:1.5 67:1.75 69:0.25 71:0.25 72:1.75"]),
    "a triplet": ("(3CDE F2 G4|", ["60:0.6667 62:0.6667 64:0.6667 65:2 67:4"]),
    "a triplet of other lengths": ("(3:2:2C2D G6|", ["60:1.3333 62:0.6667 67:6"]),
    "quintuplet": ("(5CDEFG A6|", [same((60, 62, 64, 65, 67), "0.4") + " 69:6"]),
    "rests": ("z2C2x2D2|Z|C8|", ["r:2 60:2 r:2 62:2 r:8 60:8"]),
    "a tuplet with rests": ("(3CzE F6|", ["60:0.6667 r:0.6667 64:0.6667 65:6"]),
    # Grace notes take a 32nd, but not more than half of their note.
    "a grace note": ("{d}C4D4|", ["74:0.25 60:3.75 62:4"]),
    "three grace notes": ("{GAB}c8|", ["67:0.25 69:0.25 71:0.25 72:7.25"]),
    "grace notes before a short note": ("{/GABd}c/ C/C7|", [same((67, 69, 71, 74), "0.0625")
                                                            + " 72:0.25 60:0.5 60:7"]),
    # Chords and signs around notes.
    "chords": ('"Am"[CE]2[C2E2G2]"^slow"[CE]4|', ["60+64:2 60+64+67:2 60+64:4"]),
    "decorations": ("~C2.D2!trill!E2+fermata+TF2|", [a]),
    "slurs and spaces": ("(C2 D2) (E2 F2)|", [a]),
    "a word and a line that goes on": ("C2D2 \\\nw: la la\nE2F2|", [a]),
    "comments": ("C2D2 % G2\n%%MIDI program 40\n% A\nE2F2|", [a]),
    "fields in a line": ("[r: a remark]C2D2[N:more]E2F2|", [a]),
    "another key": (f"{A}|[K:D]C2D2E2F2|\nK:F\nB8|", [a, same((61, 62, 64, 66), 2), "70:8"]),
    "another unit": ("C2D2[L:1/4]EF|", [a]),
    "another metre": (f"{A}|[M:3/4]C2D2E2|", [a, same((60, 62, 64), 2)]),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_a_tune_is_played_as_by_hand(name):
    body, expected = TABLE[name]
    if expected is not None:
        assert played(tune(body)) == " ".join(expected)


def test_the_onsets_are_where_they_are_by_hand():
    text = tune("D|GAB c2d|1e3 d3:|2(3efg e2 z2|]", "6/8", key="G")
    notes = [(note.start, note.end, note.pitch) for note in to_piece(parse_tune(text)).notes]
    third = 1 / 3
    expected = [
        (0, 0.5, 62), (0.5, 1, 67), (1, 1.5, 69), (1.5, 2, 71), (2, 3, 72), (3, 3.5, 74),
        (3.5, 5, 76), (5, 6.5, 74),
        (6.5, 7, 62), (7, 7.5, 67), (7.5, 8, 69), (8, 8.5, 71), (8.5, 9.5, 72), (9.5, 10, 74),
        (10, 10 + third, 76), (10 + third, 10 + 2 * third, 78), (10 + 2 * third, 11, 79),
        (11, 12, 76),
    ]  # fmt: skip
    assert notes == [pytest.approx(each) for each in expected]
    piece = to_piece(parse_tune(text))
    assert piece.bars == (0, 0.5, 3.5, 6.5, 7, 10)  # the upbeats stay upbeats
    assert piece.length == 13
    assert (piece.time, piece.key, piece.title) == ((6, 8), "G major", "test, G major")


def test_tied_notes_of_a_chord_sound_once():
    piece = to_piece(parse_tune(tune("[C-E]4[CG]4|[CE]4-[CE]4|")))
    assert [(n.start, n.end, n.pitch) for n in piece.notes] == [
        (0, 4, 60), (0, 2, 64), (2, 4, 67), (4, 8, 60), (4, 8, 64),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("meter", "unit", "eighths_"),
    [("2/4", "", "0.5"), ("3/8", "", "0.5"), ("5/16", "", "0.5"), ("3/4", "", "1"),
     ("6/8", "", "1"), ("C", "", "1"), ("C|", "", "1"), ("none", "", "1"), ("", "", "1"),
     ("2/4", "1/8", "1"), ("2/4", "1/4", "2")],
)  # fmt: skip
def test_the_unit_follows_the_metre_where_it_is_not_given(meter, unit, eighths_):
    assert played(tune("CDE|", meter, unit)) == same((60, 62, 64), eighths_)


@pytest.mark.parametrize(
    ("key", "pitches"),
    [
        ("G", (66, 71, 72, 78)),
        ("G clef=treble", (66, 71, 72, 78)),
        ("Gm bass", (65, 70, 72, 77)),
        ("G clef=treble-8", (54, 59, 60, 66)),
        ("G octave=-1", (54, 59, 60, 66)),
        ("D transpose=-2 clef=treble", (64, 69, 71, 76)),  # C sharp sounds a tone lower
        ("HP", (66, 71, 73, 78)),
        ("Hp", (66, 71, 73, 78)),
        ("none", (65, 71, 72, 77)),
        ("", (65, 71, 72, 77)),
        ("Ddor", (65, 71, 72, 77)),
        ("D exp _B", (65, 70, 72, 77)),
        ("D =c", (66, 71, 72, 78)),
        ("Amix ^g", (66, 71, 73, 78)),
        ("E major % four sharps", (66, 71, 73, 78)),
    ],
)
def test_keys(key, pitches):
    assert played(tune("FBcf|", key=key)) == same(pitches)


def test_a_file_with_a_mark_and_text_around_is_one_tune():
    text = "\ufeff" + tune(A + "|") + "\n\nThis is a note about the tune.\n"
    assert played(text.replace("\n", "\r\n")) == a
    assert played("M:4/4\nL:1/8\nK:C\n" + A) == a
    head = "%abc-2.1\nM:2/4\nL:1/16\n\nfree text: CDEF\n\n"
    assert played(head + "X:1\nK:C\nCDEF|") == same((60, 62, 64, 65), "0.5")
    assert played(head + tune("CDEF|", "4/4", "1/8")) == same((60, 62, 64, 65))


def test_voices_sound_together():
    body = f"V:1\n{A}:|\nV:2 clef=bass octave=-1\n{B}:|\n[V:1]{D}|]\n[V:2]C8|]"
    text = tune(body, more='V:1 name="Fiddle"\nV:2')
    assert played(text, 0) == " ".join([a, a, d])
    assert played(text, 1) == " ".join([same((55, 57, 59, 60), 2)] * 2 + ["48:8"])
    assert to_piece(parse_tune(text)).voices == ("Fiddle", "Voice 2")
    # The repeats of the first voice hold for one that does not write them.
    text = tune(f"V:1\n{A}:|{D}|]\nV:2\n{B}|C8|")
    assert played(text, 1) == " ".join([b, b, x])
    # Two layers of one bar.
    piece = to_piece(parse_tune(tune("C4D4&E8|F8|")))
    assert [(n.start, n.end, n.pitch) for n in piece.notes] == [
        (0, 2, 60), (0, 4, 64), (2, 4, 62), (4, 8, 65),
    ]  # fmt: skip


def test_parts_are_played_in_their_order():
    body = f"P:A\n{A}:|\nP:B\n{B}|]"
    assert played(tune(body)) == " ".join([a, a, b])
    assert played(tune(body, more="P:ABA")) == " ".join([a, a, b, a, a])
    assert played(tune(body, more="P:(AB)2")) == " ".join([a, a, b] * 2)
    with pytest.raises(ZooError, match="part 'C'"):
        played(tune(body, more="P:AC"))
    assert expand_parts("A2 (B.C)2D") == "AABCBCD"
    with pytest.raises(ZooError, match="cannot be read"):
        expand_parts("A(B")


def test_skipped_parts_are_reported():
    parsed = parse_tune(tune(f"{A}|!D.C.!{B}|[Q:1/4=90]{D}|", more="Q:1/4=120\nm:~n = {o}n"))
    assert parsed.notes == (
        "a jump (such as D.C. or D.S.) skipped",
        "a change of tempo (Q:) skipped",
        "macros (m:) skipped",
    )
    assert parse_tune(tune(A)).notes == ()


@pytest.mark.parametrize(
    ("field", "bpm"),
    [("1/4=90", 90), ("3/8=100", 150), ('"Slow" 1/2=40', 80), ("1/4 3/8=40", 100), ("120", 60),
     ('"Allegro"', 100), ("1/4=0", 100)],
)  # fmt: skip
def test_tempo(field, bpm):
    assert to_piece(parse_tune(tune(A, more=f"Q:{field}")), 100).bpm == bpm
    assert parse_tempo("C=90", Fraction(1, 8)) == 45


def test_keys_without_a_name_have_a_signature():
    assert parse_signature("HP").sharps == 2
    assert parse_signature("HP").name == ""
    assert parse_signature("Edor").written == "D major"
    assert parse_signature("Cm").written == "C minor"
    assert parse_signature("Bb").written == "B- major"


@pytest.mark.parametrize(
    ("title", "key", "expected"),
    [("Jig in D major", "D", "Jig in D major"), ("Jig in Bb major", "Bb", "Jig in Bb major"),
     ("Air in E dorian", "Edor", "Air in E dorian"), ("Haste", "Edor", "Haste, E dorian"),
     ("", "Am", "A minor")],
)  # fmt: skip
def test_the_title_names_the_key_once(title, key, expected):
    text = tune(A, key=key).replace("T:test", f"T:{title}")
    assert to_piece(parse_tune(text)).title == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [("CDE hello", "'hello'"), ("C0 D", "not a length"), ("z8|", "no note"), ("|:|", "no note"),
     ("C,,,,,D|", "C-1 of the ABC tune is not on a piano"), ("[K:H]C|", "'H' is not a key"),
     ("[L:1/0]C|", "not a unit of length"), ("[M:4/5]C|", "not a metre")],
)  # fmt: skip
def test_what_cannot_be_played_is_refused(body, message):
    with pytest.raises(ZooError, match=message):
        to_piece(parse_tune(tune(body)))


def test_a_damaged_rhythm_is_played_all_the_same():
    assert played(tune("C>|D|")) == "60:1.5 62:0.5"
    assert played(tune("(3CD|E|")) == "60:0.6667 62:0.6667 64:0.6667"
    assert played(tune("C>2D|/2E|")) == "60:1.5 62:0.5 64:1"
    assert "belongs to no note" in parse_tune(tune("C>2D")).notes[0]
    assert played(tune("C2 [1 D2:|[2E2|]")) == same((60, 62, 60, 64), 2)


def test_the_order_of_play_is_bounded():
    marks = [Mark(back=8)] * 3
    assert len(play_order(marks)) == 27
    assert play_order([Mark(back=99)]) == [0] * 9
    assert play_order([]) == []


NOT_BY_MUSIC21 = {
    "three times", "endings without a repeat", "only a first ending", "an ending for two passes",
    "a tie within chords",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in TABLE if name not in NOT_BY_MUSIC21])
def test_musicxml_is_played_alike_by_another_program(name):
    """music21 expands the repeats of what is written; grace notes have no length in it."""
    pytest.importorskip("music21")
    from music21 import converter

    from recipes.music.libraries import suppress_output
    from recipes.music.notation import musicxml, tune_score

    parsed = parse_tune(tune(re.sub(r"\{.*?\}", "", TABLE[name][0])))
    with suppress_output():
        score = converter.parseData(musicxml(tune_score(parsed)).decode(), format="musicxml")
        part = score.parts[0].expandRepeats().stripTies(matchByPitch=True)
        notes = sorted(
            (float(each.offset), float(each.quarterLength), pitch.midi)
            for each in part.flatten().notes
            if "Harmony" not in each.classes
            for pitch in each.pitches
        )
    piece = to_piece(parsed)
    expected = sorted((note.start, note.end - note.start, note.pitch) for note in piece.notes)
    assert notes == [pytest.approx(each) for each in expected]
