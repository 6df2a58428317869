"""ABC notation of tunes of one voice: fields, tokens, keys, and the arithmetic of bars.

A tune is a text of fields (`M:6/8`, `K:Ador`) and a body of notes. A note is a letter for
a pitch of the key (`C` is middle C, `c` the octave above, `,` and `'` go further), with an
accidental before it and its length after it, as a multiple of the unit `L:`. Chris Walshaw: The
abc music standard 2.1, 2011, https://abcnotation.com/wiki/abc:standard:v2.1.

Here a body is a list of tokens in one canonical form, the unit being always an eighth:

- `[M:6/8]`: the metre; the first token, where it is part of the tune;
- `^f`, `=c'`, `G,`, `z`: a pitch or a rest, an eighth long;
- `2`, `3/2`, `/2`: after a pitch, its length in eighths;
- `>`, `<`, `>>`, …: broken rhythm: the dot goes to the left or to the right note;
- `(3`: a triplet; `(3:2:4`: the next 4 notes are 2/3 of their length;
- `-`: a tie to the next note, of the same pitch;
- `|`, `||`, `|]`, `|:`, `:|`: bar lines; `[1`, `[2`: endings of a repeat.

Grace notes, slurs, ornaments, fingerings, chord names, lyrics and the spaces that group notes
under a beam are omitted. Of notes that sound together, the highest is kept.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from recipes.music.keys import LETTERS
from recipes.music.modes import key_field, parse_key, signature, split_key
from zoo.errors import ZooError

UNIT = Fraction(1, 8)  # the length of a note without a length, of a whole note

# One token of the canonical form, the longest first. RE2, which TensorFlow uses, reads it alike.
TOKEN = (
    r"\[M:[0-9]+/[0-9]+\]"
    r"|\([2-9](?::[1-9]:[1-9])?"
    r"|(?:\^\^|__|\^|_|=)?[A-Ga-g][,']*"
    r"|z"
    r"|[0-9]+/[0-9]+|/[0-9]+|[0-9]+"
    r"|>+|<+|-"
    r"|\[[1-9]|\|\]|\|\||\|:|:\||\|"
)
_TOKEN = re.compile(TOKEN)
_METER = re.compile(r"\[M:([0-9]+)/([0-9]+)\]")
_PITCH = re.compile(r"(\^\^|__|\^|_|=)?([A-Ga-g])([,']*)")
_TUPLET = re.compile(r"\(([2-9])(?::([1-9]):([1-9]))?")
_COMPOUND = frozenset(("3/8", "6/8", "9/8", "12/8", "6/4", "9/4"))  # three notes to a beat
BARS = frozenset(("|", "||", "|]", "|:", ":|"))
SECTIONS = BARS - {"|"}  # bar lines at which a part of the tune begins or ends
_ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}


@dataclasses.dataclass(frozen=True)
class Tune:
    """One tune of an ABC file, as it is written.

    Attributes:
      fields: letter to the values of the fields above the body, in their order; `K` is the last.
      body: the lines below, with their comments and fields.
    """

    fields: dict[str, list[str]]
    body: tuple[str, ...]

    def first(self, letter: str) -> str:
        """Returns the first value of a field, `""` where there is none."""
        return next(iter(self.fields.get(letter, ())), "")


@dataclasses.dataclass(frozen=True)
class Note:
    """A note or rest.

    Attributes:
      pitch: its token without the length; `z` for a rest.
      length: as a part of a whole note, with tuplets and broken rhythm.
      tied: whether it goes on into the next note.
    """

    pitch: str
    length: Fraction
    tied: bool = False


@dataclasses.dataclass(frozen=True)
class Bar:
    """The notes between two bar lines.

    Attributes:
      notes: at least one.
      opening, closing: the bar lines before and after; `""` at the ends of the tune.
    """

    notes: tuple[Note, ...]
    opening: str
    closing: str

    @property
    def length(self) -> Fraction:
        return sum((note.length for note in self.notes), Fraction(0))


def split_tunes(text: str, whole: bool = False) -> list[Tune]:
    """Splits an ABC file at its `X:` fields.

    A tune ends at an empty line below its first line of notes; free text that follows is not part
    of it. Metre and unit (`M:`, `L:`) in the header of the file apply to tunes without their own.

    Args:
      text: the content of a file.
      whole: whether a tune goes on after empty lines.
    """
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    head, *parts = re.split(r"(?m)^(?=X:)", text)
    defaults = {
        letter: match[1].partition("%")[0].strip()
        for letter in "ML"
        if (match := re.search(rf"(?m)\A(?:[A-Za-z%].*\n)*?{letter}:(.*)", head))
    }
    tunes = []
    for part in parts:
        fields: dict[str, list[str]] = {}
        lines = part.split("\n")
        body = 0
        for number, line in enumerate(lines):
            if field := re.match(r"([A-Za-z]):(.*)", line):
                value = field[2].partition("%")[0].strip()
                fields.setdefault(field[1], []).append(value)
                if field[1] == "K":
                    body = number + 1
                    break
        if body:
            for letter, value in defaults.items():
                fields.setdefault(letter, [value])
            tunes.append(Tune(fields, tuple(lines[body:] if whole else _until_empty(lines[body:]))))
    return tunes


def whole_text(tune: Tune) -> str:
    """Returns the text of a tune, from `X:` on."""
    fields = [f"{name}:{value}" for name, values in tune.fields.items() for value in values]
    last = f"K:{tune.first('K')}"
    return "\n".join([*(field for field in fields if field != last), last, *tune.body, ""])


def _until_empty(lines: Sequence[str]) -> Iterator[str]:
    """Yields the lines above the first empty one, which ends a tune; those before notes remain."""
    started = False
    for line in lines:
        if not line.strip() and started:
            return
        started = started or bool(line.strip())
        yield line


def read_tune(tune: Tune, strict: bool = False) -> tuple[str, list[str]]:
    """Returns the key of a tune and its tokens, the metre first.

    Args:
      tune: of `split_tunes`.
      strict: read it as the tunes of the packed model were read: without `L:` the unit is an
        eighth in every metre, and fields within a line (`[P:A]`) are errors.

    Raises:
      ZooError: the tune is damaged, or has several voices, keys or metres.
    """
    if len({*tune.fields.get("M", ())}) != 1 or len({*tune.fields.get("L", [""])}) != 1:
        raise ZooError("a tune needs one metre M: and one unit L:.")
    if "V" in tune.fields:
        raise ZooError("the tune has voices.")
    key = parse_key(split_key(tune.first("K"))[0])
    if strict and (inline := re.search(r"\[[A-Za-z]:", "\n".join(tune.body))):
        raise ZooError(f"{inline[0]!r} cannot be read.")
    body = [_without_repeated(line, tune) for line in tune.body]
    meter = parse_meter(tune.first("M"))
    unit = UNIT if strict else default_unit(meter)
    if tune.first("L"):
        unit = parse_length(tune.first("L"))
    return key, canonical(body, unit, IGNORED_FIELDS, meter)


def default_unit(meter: str) -> Fraction:
    """Returns the unit of a tune without `L:`: 1/16 where the metre is below 3/4, else 1/8."""
    return Fraction(1, 16) if bar_length(meter) < Fraction(3, 4) else Fraction(1, 8)


def _without_repeated(line: str, tune: Tune) -> str:
    """Returns a line of the body without the fields that repeat those of the header."""
    field = re.match(r"([KML]):(.*)", line)
    if field and field[2].partition("%")[0].strip() == tune.first(field[1]):
        return ""
    return re.sub(
        r"\[([KML]):([^\]\n]*)\]",
        lambda match: "" if match[2].strip() == tune.first(match[1]) else match[0],
        line,
    )


# Fields.

IGNORED_FIELDS = "BCDFGHINOPQRSTWZrsw"  # fields in a body that change no note


def parse_meter(text: str) -> str:
    """Returns a metre as a fraction: `"C|"` gives `"2/2"`.

    Raises:
      ZooError: it is not a metre, or it is free.
    """
    text = {"C": "4/4", "C|": "2/2"}.get(text.strip(), text.strip())
    if not re.fullmatch(r"[1-9][0-9]?/(1|2|4|8|16)", text):
        raise ZooError(f"{text!r} is not a metre; write it as 6/8.")
    return text


def bar_length(meter: str) -> Fraction:
    """Returns the length of a full bar of a metre such as `"6/8"`, as a part of a whole note."""
    numerator, _, denominator = meter.partition("/")
    return Fraction(int(numerator), int(denominator))


# Tokens.


def tokens(text: str) -> list[str]:
    """Splits a body in canonical form into its tokens; spaces do not matter.

    Raises:
      ZooError: the text has a sign that is not a token.
    """
    result = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            raise ZooError(f"{text[position : position + 10]!r} is not a token of a tune.")
        result.append(match[0])
        position = match.end()
    return result


def join(tokens: Iterable[str]) -> str:
    """Returns the text of tokens: spaces only beside bar lines, endings and the metre."""
    text = "".join(
        f" {token} " if token in BARS or token.startswith("[") else token for token in tokens
    )
    return re.sub(r" +", " ", text).strip()


def beamed(tokens: Sequence[str]) -> list[str]:
    """Puts a space before each beat: notes without one between them are written under one beam.

    Args:
      tokens: the metre first.

    Raises:
      ZooError: they cannot be read as bars.
    """
    meter = meter_of(tokens)
    beat = Fraction(3, 8) if meter in _COMPOUND else Fraction(1, 4)
    if meter in ("2/2", "4/4"):
        beat = Fraction(1, 2)
    starts = [
        start
        for bar in bars(tokens)
        for start in itertools.accumulate((n.length for n in bar.notes[:-1]), initial=Fraction(0))
    ]
    result: list[str] = []
    for token in tokens:
        sounds = token == "z" or _PITCH.fullmatch(token)
        if sounds and (start := starts.pop(0)) and start % beat == 0:
            tuplet = bool(result) and result[-1][0] == "("
            result.insert(len(result) - tuplet, " ")
        result.append(token)
    return result


def tune_text(kind: str, key: str, tokens: Sequence[str]) -> str:
    """Returns a whole tune, with its fields and four bars a line.

    Args:
      kind: its type, which is also part of its title.
      key: as of `recipes.music.modes`.
      tokens: with or without the metre, or those of `beamed`.
    """
    meter = meter_of(tokens) or "none"
    title = f"{kind.capitalize()} in {key.replace('-', 'b')}"
    return f"X:1\nT:{title}\nR:{kind}\nM:{meter}\nL:1/8\nK:{key_field(key)}\n{_lines(tokens)}\n"


def _lines(tokens: Sequence[str]) -> str:
    """Returns the text of tokens without the metre, four bars a line."""
    body = join(tokens[1:] if tokens and _METER.fullmatch(tokens[0]) else tokens)
    body = re.sub(r"(:\||\|\||\|\]) ", r"\1\n", body)
    return re.sub(r"((?:[^|\n]*\| ){3}[^|\n]*\|) ", r"\1\n", body)


def with_beams(text: str) -> str:
    """Returns a whole tune with spaces between its beats; unchanged where the rhythm is damaged."""
    head, field, body = text.partition("\nK:")
    try:
        tokens = beamed(tokens_of(text))
    except ZooError:
        return text
    key, _, _ = body.partition("\n")
    return f"{head}{field}{key}\n{_lines(tokens)}\n"


def tokens_of(text: str) -> list[str]:
    """Returns the tokens of a whole tune whose body is in canonical form, as of `tune_text`.

    Raises:
      ZooError: the text is not one tune, or its body is not in canonical form.
    """
    tunes = split_tunes(text)
    if len(tunes) != 1:
        raise ZooError("a text with one tune is needed, from X: on.")
    meter = tunes[0].first("M")
    return [f"[M:{meter}]"] * (meter != "none") + tokens("\n".join(tunes[0].body))


def canonical(
    body: Iterable[str], unit: Fraction = UNIT, allowed: str = "", meter: str = ""
) -> list[str]:
    """Converts a body as people write it to tokens of the canonical form.

    Args:
      body: lines.
      unit: what its lengths are multiples of, as a part of a whole note (`L:`).
      allowed: letters of fields in the body that are ignored; other fields are errors.
      meter: a fraction, which becomes the first token; `""` for none.

    Raises:
      ZooError: the body has something that the canonical form cannot express: another key, metre,
        unit or voice, a rest of several bars, text, or an incomplete rhythm.
    """
    raw = _cleaned(body, allowed)
    result = _drop_slurs(_merge_bar_lines(_raw_tokens(raw, unit / UNIT)))
    result = ([f"[M:{meter}]"] if meter else []) + result
    bars(result)
    return result


def _cleaned(body: Iterable[str], allowed: str) -> str:
    """Returns the notes and bar lines of the lines, without comments, text and ornaments."""
    kept = []
    for line in body:
        field = re.match(r"([A-Za-z]):(?![|:])", line)
        if field:
            if field[1] not in allowed:
                raise ZooError(f"the field {line.strip()!r} is not allowed inside the tune.")
            continue
        kept.append(line.partition("%")[0])
    text = "\n".join(kept)
    text = re.sub(r'"[^"\n]*"', "", text)  # chord names, fingerings, remarks
    text = re.sub(r"\{[^}]*\}", "", text)  # grace notes
    for letter, value in re.findall(r"\[([A-Za-z]):([^\]\n]*)\]", text):
        if letter not in allowed:
            raise ZooError(f"the field '{letter}:{value.strip()}' is not allowed inside the tune.")
    text = re.sub(r"\[[A-Za-z]:[^\]\n]*\]", "", text)
    text = re.sub(r"![A-Za-z0-9.:()<>+^]*!", "", text)  # named decorations
    return re.sub(r"[!`\\y.~HLMOPSTuvkVJR]", "", text)


_RAW = re.compile(
    r"(?P<chord>\[[\^_=A-Ga-g][\^_=A-Ga-g,'0-9/ -]*\])"
    r"|(?P<bar>(?:\[\||\|\]|\||:)+)(?P<ending>\s*\[[1-9]|[1-9])?(?![0-9,-])"
    r"|\[(?P<alone>[1-9])(?![0-9,-])"
    r"|(?P<tuplet>\([2-9](?::[1-9]?){0,2})"
    r"|(?P<pitch>(?:\^\^|__|\^|_|=)?[A-Ga-g][,']*|[zx])"
    r"|(?P<length>[0-9]+/*[0-9]*|/+[0-9]*)"
    r"|(?P<sign>>+|<+|-)"
    r"|(?P<nothing>[\s)\]]+|\((?![2-9]))"  # slurs, and the end of an ending
)


def _raw_tokens(text: str, scaling: Fraction) -> list[str]:
    result: list[str] = []
    position = 0
    waiting = False  # a pitch has been read whose length may follow
    length = Fraction(1)

    def close() -> None:
        nonlocal waiting, length
        if waiting:
            result.extend(length_tokens(length * scaling))
        waiting, length = False, Fraction(1)

    while position < len(text):
        match = _RAW.match(text, position)
        if match is None:
            raise ZooError(f"{text[position : position + 10]!r} cannot be read.")
        position = match.end()
        kind = match.lastgroup
        if kind == "length":
            if not waiting:
                raise ZooError(f"the length {match[0]!r} belongs to no note.")
            length *= parse_length(match[0])
            result.extend(length_tokens(length * scaling))
            waiting, length = False, Fraction(1)
            continue
        close()
        if kind == "pitch":
            result.append("z" if match[0] == "x" else match[0])
            waiting = True
        elif kind == "chord":
            pitch, length = _highest(match[0][1:-1])
            result.append(pitch)
            waiting = True
        elif kind in ("bar", "ending"):
            result += _bar_tokens(match["bar"])
            if match["ending"]:
                result.append("[" + match["ending"][-1])
        elif kind == "alone":
            result.append("[" + match["alone"])
        elif kind == "tuplet":
            result.append(_tuplet_token(match[0]))
        elif kind == "sign":
            result.append(match[0])
    close()
    return result


def parse_length(text: str) -> Fraction:
    """Returns the factor of the unit that the length after a note means: `"3/2"`, `"/"`, `"//"`.

    Raises:
      ZooError: it is not a length.
    """
    match = re.fullmatch(r"([0-9]*)(/*)([0-9]*)", text)
    if match is None or (match[3] and len(match[2]) != 1) or not (match[1] or match[2]):
        raise ZooError(f"{text!r} is not a length of a note.")
    denominator = int(match[3]) if match[3] else 2 ** len(match[2])
    numerator = int(match[1] or 1)
    if not numerator or not denominator:
        raise ZooError(f"{text!r} is not a length of a note.")
    return Fraction(numerator, denominator)


def length_tokens(length: Fraction) -> list[str]:
    """Returns the token of a length in eighths, none for one eighth."""
    if length == 1:
        return []
    numerator = str(length.numerator)
    if length.denominator == 1:
        return [numerator]
    return [f"{'' if numerator == '1' else numerator}/{length.denominator}"]


def _highest(chord: str) -> tuple[str, Fraction]:
    """Returns the highest pitch of `CE2G` and the length that it has there."""
    best: tuple[int, str, Fraction] | None = None
    for pitch, length in re.findall(r"((?:\^\^|__|\^|_|=)?[A-Ga-g][,']*)([0-9]*/*[0-9]*)", chord):
        height = _height(pitch)
        if best is None or height > best[0]:
            best = height, pitch, parse_length(length) if length else Fraction(1)
    assert best is not None  # the pattern of a chord begins with a note
    return best[1], best[2]


def heights(tokens: Iterable[str]) -> list[int]:
    """Returns the height of each note in steps of the scale, C being 0, without accidentals."""
    return [_height(token) for token in tokens if _PITCH.fullmatch(token)]


def _height(pitch: str) -> int:
    match = _PITCH.fullmatch(pitch)
    assert match is not None
    octave = match[2].islower() + match[3].count("'") - match[3].count(",")
    return 7 * octave + "CDEFGAB".index(match[2].upper())


def _bar_tokens(run: str) -> list[str]:
    if set(run) == {":"} and len(run) < 2:
        raise ZooError("a single colon is not a bar line.")
    end, start = run.startswith(":"), run.endswith(":")
    if end or start:
        return [":|"] * end + ["|:"] * start
    return ["||"] if len(run) > 1 else ["|"]


def _tuplet_token(text: str) -> str:
    count, *rest = text[1:].split(":")
    if not any(rest):
        return f"({count}"
    time = rest[0] or str(_tuplet_time(int(count), False))
    among = (rest[1] if len(rest) > 1 else "") or count
    default = time == str(_tuplet_time(int(count), False)) and among == count
    return f"({count}" if default else f"({count}:{time}:{among}"


def tuplet_time(count: int, meter: str) -> int:
    """Returns the number of notes whose time a tuplet of `count` takes, in a metre like `"6/8"`."""
    return _tuplet_time(count, meter in _COMPOUND)


def _tuplet_time(count: int, compound: bool) -> int:
    return {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(count, 3 if compound else 2)


def _merge_bar_lines(tokens: list[str]) -> list[str]:
    """Merges bar lines without notes between them; a tune ends with `|]` or `:|`."""
    result: list[str] = []
    for token in tokens:
        if token in BARS and (not result or result[-1] in BARS):
            before = result[-1] if result else ""
            if not before and token != "|:":  # a bar line before the first note
                continue
            if before == ":|" and token == "|:":
                result.append(token)
            elif before == "|:" or (before == ":|" and token != "|:"):
                pass
            elif before and (token != "|"):
                result[-1] = token
            elif not before:
                result.append(token)
            continue
        result.append(token)
    while result and (result[-1] == "|:" or result[-1].startswith("[")):
        result.pop()
    if result and result[-1] in ("|", "||"):
        result[-1] = "|]"
    elif result and result[-1] not in BARS:
        result.append("|]")
    return result


def _drop_slurs(tokens: list[str]) -> list[str]:
    """Drops the ties between different pitches: old files write slurs like that."""
    result = []
    before = ""
    for position, token in enumerate(tokens):
        if token == "-":
            after = next((each for each in tokens[position:] if _PITCH.fullmatch(each)), "")
            ahead = tokens[position + 1] if position + 1 < len(tokens) else ""
            near = ahead in BARS or ahead == after
            if not near or not before or _bare(before) != _bare(after):
                continue
        if _PITCH.fullmatch(token) or token == "z":
            before = token if token != "z" else ""
        result.append(token)
    return result


def _bare(pitch: str) -> str:
    return pitch.lstrip("^_=")


def transposed(tokens: Sequence[str], key: str, other: str) -> list[str]:
    """Returns a tune in another key, moved up or down, whichever is nearer.

    Each note keeps its degree of the scale; an accidental alters it by as much as before.

    Args:
      tokens: of the tune.
      key: the key of the tokens.
      other: the new key, of the same mode.

    Raises:
      ZooError: a triple accidental would be needed.
    """
    steps = ("CDEFGAB".index(other[0]) - "CDEFGAB".index(key[0]) + 3) % 7 - 3
    before, after = signature(key), signature(other)
    names = {value: sign for sign, value in _ACCIDENTALS.items()}
    result = []
    for token in tokens:
        match = _PITCH.fullmatch(token)
        if match is None:
            result.append(token)
            continue
        octave, degree = divmod(_height(token) + steps, 7)
        letter = "CDEFGAB"[degree]
        sign = ""
        if match[1]:
            old = match[2].upper()
            altered = _ACCIDENTALS[match[1]] - before.get(old, 0) + after.get(letter, 0)
            if altered not in names:
                raise ZooError(f"{token!r} cannot be written in {other}.")
            sign = names[altered]
        name = letter if octave < 1 else letter.lower()
        result.append(sign + name + "'" * (octave - 1) + "," * -octave)
    return result


# Bars.


def meter_of(tokens: Sequence[str]) -> str:
    """Returns the metre that is a tune's first token; `""` where there is none."""
    match = _METER.fullmatch(tokens[0]) if tokens else None
    return f"{match[1]}/{match[2]}" if match else ""


def bars(tokens: Sequence[str]) -> list[Bar]:
    """Reads tokens as bars of notes.

    Raises:
      ZooError: a token is not allowed at its position, or there is no note.
    """
    meter = meter_of(tokens)
    compound = meter in _COMPOUND
    result: list[Bar] = []
    notes: list[Note] = []
    opening = ""
    factor, left = Fraction(1), 0  # of the current tuplet; the number of its notes still to come
    broken = Fraction(0)  # factor of the next note's length; 0 for none
    sized = False  # whether the length of the last note has been read
    for position, token in enumerate(tokens[1:] if meter else tokens):
        wrong = ZooError(f"{token!r} has no meaning here (token {position + 1}).")
        if token == "z" or _PITCH.fullmatch(token):
            length = UNIT * (broken or 1)
            broken = Fraction(0)
            if left:
                length *= factor
                left -= 1
            notes.append(Note(token, length))
            sized = False
        elif token in BARS:
            if broken or left:
                raise wrong
            if notes:
                result.append(Bar(tuple(notes), opening, token))
                notes = []
                opening = ""
            # Of several bar lines in a row, one between sections counts.
            opening = opening if opening in SECTIONS else token
        elif token[0] == "[" and len(token) == 2:
            if notes or (result and opening == ""):
                raise wrong
        elif token[0] == "(" and not left and not broken:
            match = _TUPLET.fullmatch(token)
            if match is None:
                raise wrong
            count = int(match[1])
            factor = Fraction(int(match[2] or _tuplet_time(count, compound)), count)
            left = int(match[3] or count)
        elif not notes or broken or (notes[-1].tied and token != "-"):
            raise wrong
        elif token == "-":
            if notes[-1].tied or notes[-1].pitch == "z":
                raise wrong
            notes[-1] = dataclasses.replace(notes[-1], tied=True)
        elif token[0] in "<>":
            small = Fraction(1, 2 ** len(token))
            here = 2 - small if token[0] == ">" else small
            broken = 2 - here
            notes[-1] = dataclasses.replace(notes[-1], length=notes[-1].length * here)
            sized = True
        elif not sized and (token[0].isdigit() or token[0] == "/"):
            length = notes[-1].length * parse_length(token)
            notes[-1] = dataclasses.replace(notes[-1], length=length)
            sized = True
        else:
            raise wrong
    if broken or left:
        raise ZooError("the tune ends in the middle of a rhythm.")
    if notes:
        result.append(Bar(tuple(notes), opening, ""))
    if not result:
        raise ZooError("there is no note in it.")
    return result


def full_bars(measures: Sequence[Bar], meter: str) -> list[bool]:
    """Returns for each bar whether its notes fill the metre.

    A short bar at the beginning of a section (an upbeat) and one at the end of a section fill it
    together: an upbeat is full where some section ends with a bar that is shorter by its length,
    and vice versa.
    """
    full = bar_length(meter)
    first = [bar.opening in SECTIONS or not position for position, bar in enumerate(measures)]
    last = [bar.closing in SECTIONS or not bar.closing for bar in measures]
    upbeats = {bar.length for bar, begins in zip(measures, first, strict=True) if begins}
    ends = {bar.length for bar, stops in zip(measures, last, strict=True) if stops}
    return [
        bar.length == full
        or (begins and full - bar.length in ends)
        or (stops and full - bar.length in upbeats)
        for bar, begins, stops in zip(measures, first, last, strict=True)
    ]


def pitches(measures: Sequence[Bar], key: str) -> list[int]:
    """Returns the MIDI numbers of the notes (60 is middle C); a tied note counts once.

    An accidental lasts until the end of the bar, in all octaves.
    """
    altered = signature(key)
    result = []
    tied = False
    for bar in measures:
        local: dict[str, int] = {}
        for note in bar.notes:
            match = _PITCH.fullmatch(note.pitch)
            if match is None:  # a rest
                continue
            letter = match[2].upper()
            if match[1]:
                local[letter] = _ACCIDENTALS[match[1]]
            octave = match[2].islower() + match[3].count("'") - match[3].count(",")
            pitch = 60 + LETTERS[letter] + 12 * octave
            if not tied:
                result.append(pitch + local.get(letter, altered.get(letter, 0)))
            tied = note.tied
    return result
