"""ABC notation: fields, tokens, and bars whose lengths were computed by hand."""

from fractions import Fraction as F

import pytest

from recipes.music import abc, modes
from zoo.errors import UsageError, ZooError


def lengths(text):
    return [bar.length for bar in abc.bars(abc.tokens(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[M:6/8] GAB c2d | e3 d3 |]", [F(6, 8), F(6, 8)]),
        ("[M:4/4] G2A2 B4 | c/2d/2e/2f/2 g6 |]", [F(1), F(1)]),
        ("[M:4/4] (3GAB c2 d4 |]", [F(1)]),  # three eighths in the time of two
        ("[M:2/4] (3G/2A/2B/2 c d2 |]", [F(1, 2)]),
        ("[M:4/4] (3G2A2B2 d4 |]", [F(1)]),
        ("[M:6/8] (2GA B3 |]", [F(6, 8)]),  # two in the time of three
        ("[M:6/8] (5GABcd e3 |]", [F(6, 8)]),  # in a compound metre, five in the time of three
        ("[M:4/4] (5GABcd e6 |]", [F(1)]),  # in a simple one, of two
        ("[M:4/4] (3:2:4G2A2Bc d4 |]", [F(1)]),  # four notes in the triplet, (2+2+1+1) 2/3 eighths
        ("[M:4/4] G>A B<c d4 |]", [F(1)]),
        ("[M:4/4] G>>A B<<c d4 |]", [F(1)]),
        ("[M:4/4] G2>A2 B4 |]", [F(1)]),
        ("[M:4/4] (3G>AB c2 d4 |]", [F(1)]),
        ("[M:3/4] G3/2A/2 z2 B2- | B6 |]", [F(3, 4), F(3, 4)]),
        ("[M:12/8] G12 |]", [F(12, 8)]),
    ],
)  # fmt: skip
def test_bar_lengths_equal_those_computed_by_hand(text, expected):
    assert lengths(text) == expected


def test_broken_rhythm_gives_a_half_or_a_quarter_of_a_note_to_its_neighbour():
    (bar,) = abc.bars(abc.tokens("G>A B<c d>>e f2>g2"))
    sixteenth = F(1, 16)
    expected = [3, 1, 1, 3, F(7, 2), F(1, 2), 6, 2]
    assert [note.length for note in bar.notes] == [sixteenth * each for each in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[M:6/8] GAB c2d | e3 d3 |]", [True, True]),
        ("[M:6/8] GAB c2d | e3 d2 |]", [True, False]),
        ("[M:6/8] GAB c2d e | e3 d3 |]", [False, True]),
        # An upbeat of an eighth; the last bars lack it.
        ("[M:6/8] D | GAB c2d | e3 d2 :| e | f3 g3 | e3 d2 |]", [True] * 6),
        ("[M:6/8] D | GAB c2d | e3 d3 |]", [False, True, True]),
        ("[M:6/8] D2 | GAB c2d | e3 d2 |]", [False, True, False]),
        # A short bar in the middle is wrong even where it would complete an upbeat.
        ("[M:6/8] D | GAB c2 | e3 d2 |]", [True, False, True]),
        # The second part begins within the bar in which the first one ends.
        ("[M:4/4] G8 | G6 || A2 | B8 | B6 |]", [True] * 5),
        # Endings: both are followed by the upbeat, or by nothing.
        ("[M:6/8] |: D | GAB c2d | [1 e3 d2 :| [2 e3 d3 |]", [True] * 4),
        ("[M:6/8] |: D | GAB c2d | [1 e3 d3 :| [2 e3 d2 |]", [True] * 4),
        ("[M:6/8] |: D | GAB c2d | [1 e3 d4 :| [2 e3 d2 |]", [True, True, False, True]),
    ],
)
def test_a_bar_is_full_alone_or_with_an_upbeat(text, expected):
    tokens = abc.tokens(text)
    assert abc.full_bars(abc.bars(tokens), abc.meter_of(tokens)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no note"),
        ("| |]", "no note"),
        ("2G", "'2'"),
        ("G22 3", "'3'"),
        ("G2 /2", "'/2'"),
        (">G", "'>'"),
        ("G>|A", r"'\|'"),
        ("G>>", "middle of a rhythm"),
        ("(3GA|B", r"'\|'"),
        ("(3GA", "middle of a rhythm"),
        ("(3(3GAB", r"'\(3'"),
        ("-G", "'-'"),
        ("z-", "'-'"),
        ("G--", "'-'"),
        ("G [1 A", r"'\[1'"),
        ("G|[M:6/8]A", r"'\[M:6/8\]'"),
    ],
)
def test_damaged_tunes_are_refused(text, message):
    with pytest.raises(ZooError, match=message):
        abc.bars(abc.tokens(text))


@pytest.mark.parametrize("text", ["GAB!", "G(AB)", "[CEG]", "{g}A", "G*", "K:G"])
def test_tokens_are_of_the_canonical_form_alone(text):
    with pytest.raises(ZooError, match="is not a token of a tune"):
        abc.tokens(text)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('"G"G2{ag}(AB) .c~d|"D7"!trill!e4 y|', "G2ABcd | e4 |]"),
        ("GABc` def % a comment\n% another\ng|]", "GABcdefg |]"),
        ("G/A/ B//c/2 d3/2 e1 f2/2", "G/2A/2B/4c/2d3/2ef |]"),
        ("[GB]2 [g2c2] [EA/]", "B2g2A/2 |]"),  # the highest note
        ("x2 G|z2 G", "z2G | z2G |]"),
        ("||: G2 A2 :: B2 c2 :|", "|: G2A2 :| |: B2c2 :|"),
        ("|| G2 | A2 | || B2 |: c2 |1 d2 :|2 e2 [|]", "G2 | A2 || B2 |: c2 | [1 d2 :| [2 e2 |]"),
        ("(3(GAB) ((3GAB) (3::GAB (3:2GAB (3:2:4GABc", "(3GAB(3GAB(3GAB(3GAB(3:2:4GABc |]"),
        ("G-A B2-|B2", "GAB2- | B2 |]"),  # to another pitch it is a slur
        ("P:A\nGAB\nP:B\ncde", "GABcde |]"),
        ("GAB \\\nc|]", "GABc |]"),
    ],
)
def test_human_notation_is_converted_to_the_canonical_form(body, expected):
    tokens = abc.canonical(body.split("\n"), allowed=abc.IGNORED_FIELDS)
    assert abc.join(tokens) == expected
    assert abc.tokens(expected) == tokens


def test_lengths_are_converted_to_eighths():
    assert abc.join(abc.canonical(["G4 A2 B/ c | d"], F(1, 16))) == "G2AB/4c/2 | d/2 |]"
    assert abc.join(abc.canonical(["G2 A B/"], F(1, 4))) == "G4A2B |]"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("GAB|\nK:D\nabc", "field 'K:D'"),
        ("GAB [K:D] abc", "field 'K:D' is not allowed"),
        ("G Z4 |", "Z4"),
        ("GAB & abc", "&"),
        ("GAB hello", "hello"),
        ("2GAB", "belongs to no note"),
        ("G0 A", "not a length"),
        ("GAB |1,3 abc", "cannot be read"),
        ("", "no note"),
    ],
)
def test_bodies_without_a_canonical_form_are_errors(body, message):
    with pytest.raises(ZooError, match=message):
        abc.canonical(body.split("\n"))


FILE = """% a book
%%header

X:1
T:First, The
T:Other name % of it
M:C|
L:1/16
R:reel
K:Ador % or Am?
A2B2|c4 :|

X: 2
T:Second
M:6/8
K:Bb
BAG F3|]
X:3
no key at all
"""


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_file_is_split_into_tunes(ends):
    first, second = abc.split_tunes(FILE.replace("\n", ends))
    assert first.fields["T"] == ["First, The", "Other name"]
    assert first.first("R") == "reel"
    assert second.first("R") == ""
    assert abc.read_tune(first) == ("A dorian", ["[M:2/2]", "A", "B", "|", "c", "2", ":|"])
    key, tokens = abc.read_tune(second)
    assert key == "B- major"
    assert abc.join(tokens) == "[M:6/8] BAGF3 |]"


@pytest.mark.parametrize(
    "text",
    [
        "X:1\nM:6/8\nM:4/4\nK:G\nGAB|",
        "X:1\nK:G\nGAB|",
        "X:1\nM:none\nK:G\nGAB|",
        "X:1\nM:6/8\nV:1\nK:G\nGAB|",
        "X:1\nM:6/8\nK:H\nGAB|",
        "X:1\nM:6/8\nK:G\nGAB|\nM:4/4\nGAB|",
    ],
)
def test_tunes_of_several_voices_or_metres_are_refused(text):
    (tune,) = abc.split_tunes(text)
    with pytest.raises(ZooError):
        abc.read_tune(tune)


def test_a_field_may_be_repeated():
    (tune,) = abc.split_tunes("X:1\nM:6/8\nL:1/8\nK:G\nGAB|\nM:6/8 % as before\nL:1/8\nGAB|")
    assert len(abc.bars(abc.read_tune(tune)[1])) == 2


def test_a_whole_tune_is_written_four_bars_a_line_and_read_again():
    tokens = abc.tokens("[M:6/8] |: D | G3 | A3 | B3 | c3 | [1 d3 :| [2 e3 || f3 | g3 |]")
    text = abc.tune_text("slip jig", "B- major", tokens)
    assert text == (
        "X:1\nT:Slip jig in Bb major\nR:slip jig\nM:6/8\nL:1/8\nK:Bb\n"
        "|: D | G3 | A3 | B3 |\nc3 | [1 d3 :|\n[2 e3 ||\nf3 | g3 |]\n"
    )
    assert abc.tokens_of(text) == tokens
    assert abc.read_tune(abc.split_tunes(text)[0]) == ("B- major", tokens)
    with pytest.raises(ZooError, match="one tune"):
        abc.tokens_of(text + text)


def test_pitches_follow_the_key_the_accidentals_and_the_bar():
    def midi(text, key):
        return abc.pitches(abc.bars(abc.tokens(text)), key)

    assert midi("C D E F G A B c c' C,", "C major") == [60, 62, 64, 65, 67, 69, 71, 72, 84, 48]
    assert midi("F B f", "D major") == [66, 71, 78]
    assert midi("B E z A", "B- major") == [70, 63, 69]
    # An accidental lasts until the bar ends, in all octaves.
    assert midi("^F f F | F =F", "C major") == [66, 78, 66, 65, 65]
    assert midi("=F ^^F __B | F", "G major") == [65, 67, 69, 66]
    # A tied note sounds once, over the bar line too.
    assert midi("G2- | G A", "C major") == [67, 69]


def test_heights_count_the_steps_of_the_scale():
    assert abc.heights(abc.tokens("C, ^C D2 c' z b")) == [-7, 0, 1, 14, 13]


@pytest.mark.parametrize(
    ("written", "name", "sharps", "scale"),
    [
        ("G", "G major", 1, {7, 9, 11, 0, 2, 4, 6}),
        ("Ador", "A dorian", 1, {9, 11, 0, 2, 4, 6, 7}),
        ("A Dorian", "A dorian", 1, {9, 11, 0, 2, 4, 6, 7}),
        ("D Mixolydian", "D mixolydian", 1, {2, 4, 6, 7, 9, 11, 0}),
        ("Bb", "B- major", -2, {10, 0, 2, 3, 5, 7, 9}),
        ("E- major", "E- major", -3, {3, 5, 7, 8, 10, 0, 2}),
        ("F#m", "F# minor", 3, {6, 8, 9, 11, 1, 2, 4, 3, 5}),  # and d sharp, e sharp
        ("Gmin", "G minor", -2, {7, 9, 10, 0, 2, 3, 5, 4, 6}),
        ("f lydian", "F lydian", 0, {5, 7, 9, 11, 0, 2, 4}),
        ("Bphr", "B phrygian", 1, {11, 0, 2, 4, 6, 7, 9}),
    ],
)
def test_keys_with_their_modes(written, name, sharps, scale):
    assert modes.parse_key(written) == name
    assert modes.sharps(name) == sharps
    assert modes.scale(name) == scale
    assert min(scale & {modes.tonic(name)}) == modes.tonic(name)
    assert modes.parse_key(modes.key_field(name)) == name


def test_signatures_name_the_altered_letters():
    assert modes.signature("D major") == {"F": 1, "C": 1}
    assert modes.signature("G minor") == {"B": -1, "E": -1}
    assert modes.signature("A minor") == {}


@pytest.mark.parametrize(
    "text", ["", "H", "Hp", "Bn", "EM", "Em7", "Dmixm", "Dmix=c", "G# major", "Am x"]
)
def test_invalid_keys_are_errors(text):
    with pytest.raises(UsageError, match="key"):
        modes.parse_key(text)


def test_metres():
    assert [abc.parse_meter(text) for text in ("C", "C|", " 6/8")] == ["4/4", "2/2", "6/8"]
    assert abc.bar_length("9/8") == F(9, 8)
    for text in ("none", "", "6", "0/4", "4/5", "2+3/8"):
        with pytest.raises(ZooError, match="not a metre"):
            abc.parse_meter(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[M:6/8] D | GABc2d | G3A3 |]", "D | GAB c2d | G3 A3 |]"),
        ("[M:2/2] GABcdefg | (3GAB(3cdeA>BB<A |]", "GABc defg | (3GAB(3cde A>BB<A |]"),
        ("[M:2/4] G/2A/2B/2c/2de | (3G/2A/2B/2c(3d/2e/2f/2g |]",
         "G/2A/2B/2c/2 de | (3G/2A/2B/2c (3d/2e/2f/2g |]"),
        ("[M:3/4] GABcde | G3/2A/2c>dz2 |]", "GA Bc de | G3/2A/2 c>d z2 |]"),
        ("[M:4/4] G3A2B3 |]", "G3A2B3 |]"),  # no note begins with the second half
    ],
)  # fmt: skip
def test_notes_are_beamed_by_the_beat(text, expected):
    tokens = abc.tokens(text)
    spaced = abc.beamed(tokens)
    assert [token for token in spaced if token != " "] == tokens
    assert abc.join(spaced[1:]) == expected
    written = abc.tune_text("reel", "G major", tokens)
    assert abc.with_beams(written) == abc.tune_text("reel", "G major", spaced)
    assert abc.tokens_of(abc.with_beams(written)) == tokens


def test_a_damaged_rhythm_has_no_beams():
    text = abc.tune_text("reel", "G major", abc.tokens("[M:2/4] GAB> | GABc |]"))
    assert abc.with_beams(text) == text


@pytest.mark.parametrize(
    ("text", "key", "other", "expected", "semitones"),
    [
        ("G,2A ^c =f f c' | z |]", "G major", "D major", "D,2E^G=ccg | z |]", -5),
        ("d ^g =c c a", "D major", "G major", "g^c'=ffd'", 5),
        ("G _B ^F =F", "G major", "B- major", "B_d=A_A", 3),
        ("A ^F ^^G =g", "B minor", "A minor", "G=E^^F=f", -2),
        ("C B, c B c'", "C major", "B- major", "B,A,BAb", -2),
        ("(3DEF D>E", "D dorian", "E dorian", "(3EFGE>F", 2),
        ("[M:6/8] G3 | [1 A2- A :|", "G major", "A major", "[M:6/8] A3 | [1 B2-B :|", 2),
    ],
)
def test_a_tune_is_transposed_by_degrees_of_its_scale(text, key, other, expected, semitones):
    tokens = abc.tokens(text)
    moved = abc.transposed(tokens, key, other)
    assert abc.join(moved) == expected
    before, after = (abc.pitches(abc.bars(t), k) for t, k in ((tokens, key), (moved, other)))
    assert [new - old for old, new in zip(before, after, strict=True)] == [semitones] * len(before)
    assert abc.pitches(abc.bars(abc.transposed(moved, other, key)), key) == before


def test_a_triple_accidental_is_refused():
    with pytest.raises(ZooError, match=r"'\^\^E' cannot be written in D major"):
        abc.transposed(["^^E"], "C major", "D major")
