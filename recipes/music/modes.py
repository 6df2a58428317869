"""Keys with the modes that folk tunes are in: their names, signatures and scales.

A mode has the notes of a major key but another first note: D dorian is the white keys from D on.
`recipes.music.keys` has only major and minor, in any spelling.
"""

from __future__ import annotations

import re

from recipes.music.keys import LETTERS
from zoo.errors import UsageError

MODES = {  # mode to sharps of its signature, less those of the major key on the same tonic
    "major": 0,
    "mixolydian": -1,
    "dorian": -2,
    "minor": -3,
    "phrygian": -4,
    "locrian": -5,
    "lydian": 1,
}
# "M" is omitted: the standard ignores case and reads it as minor, but people mean major.
_ALIASES = {"": "major", "m": "minor", "ionian": "major", "aeolian": "minor"}
_FIFTHS = {letter: index for index, letter in enumerate("FCGDAEB")}


def parse_key(text: str) -> str:
    """Returns a key by its name: `"Ador"` and `"A Dorian"` give `"A dorian"`.

    A flat is written `-`: `"Bb"` gives `"B- major"`.

    Raises:
      UsageError: it is not a key, or has extra accidentals.
    """
    match = re.fullmatch(r"([A-Ga-g])\s*([#♯b♭-]?)\s*([A-Za-z]*)", text.strip())
    mode = _mode(match[3]) if match else ""
    if text.strip() in ("HP", "Hp"):
        raise UsageError(
            f"{text.strip()!r} is the scale of Highland pipes, not a key; write it as A mix "
            "or D major."
        )
    if match is None or not mode:
        raise UsageError(f"{text!r} is not a key; write it as G major, Em, A dorian or Bb major.")
    sign = {"": "", "#": "#", "♯": "#"}.get(match[2], "-")
    name = f"{match[1].upper()}{sign} {mode}"
    if not -7 <= sharps(name) <= 7:
        raise UsageError(f"{text!r} is a key with more than seven sharps or flats.")
    return name


_CLEF = re.compile(
    r"(?:clef=)?(?:treble|alto|tenor|bass|baritone|soprano|mezzosoprano|perc|G|F|C)?[1-5]?([+-]8)?"
)
_PROPERTY = re.compile(
    r"(?:clef|middle|m|transpose|t|octave|stafflines|staffscale|style|score|sound|shift|cue|name|nm"
    r"|subname|sname|snm|stems?|gchord|dyn|lyrics|instrument|program)=(.*)"
)


def split_key(text: str) -> tuple[str, int]:
    """Separates the key of a `K:` field from clef and transposition.

    Returns:
      The key as it is written, `""` for none, and the transposition in semitones from the written
      to the sounding notes: `"G clef=treble-8"` gives `("G", -12)`.
    """
    words, shift = [], 0
    for index, word in enumerate(re.sub(r'"[^"]*"', "", text).split()):
        clef = _CLEF.fullmatch(word)
        if (clef and (index or len(word) > 1)) and not re.fullmatch("[A-G]", word):
            shift += {"+8": 12, "-8": -12}.get(clef[1] or "", 0)
        elif field := _PROPERTY.fullmatch(word):
            number = re.fullmatch(r"([+-]?[0-9]{1,2})", field[1])
            size = {"octave": 12, "transpose": 1, "t": 1}.get(word.partition("=")[0], 0)
            shift += size * int(number[1]) if number else 0
        else:
            words.append(word)
    return " ".join(words), shift


def _mode(word: str) -> str:
    """Returns the mode that a word of at least three letters begins; `""` for none."""
    if word in _ALIASES:
        return _ALIASES[word]
    names = [name for name in (*MODES, *_ALIASES) if name.startswith(word.lower())]
    return _ALIASES.get(names[0], names[0]) if names and len(word) >= 3 else ""


def sharps(key: str) -> int:
    """Returns the sharps of a key's signature, flats as a negative number."""
    tonic, _, mode = key.partition(" ")
    return _FIFTHS[tonic[0]] - 1 + 7 * ((tonic[1:] == "#") - (tonic[1:] == "-")) + MODES[mode]


def signature(key: str) -> dict[str, int]:
    """Returns the altered letters of a key: `"D major"` gives `{"F": 1, "C": 1}`."""
    count = sharps(key)
    letters = "FCGDAEB"[:count] if count >= 0 else "BEADGCF"[:-count]
    return dict.fromkeys(letters, 1 if count > 0 else -1)


def tonic(key: str) -> int:
    """Returns the pitch class of a key's first note, 0 being C."""
    name = key.partition(" ")[0]
    return (LETTERS[name[0]] + (name[1:] == "#") - (name[1:] == "-")) % 12


def scale(key: str) -> frozenset[int]:
    """Returns the pitch classes of a key, in minor also those of the raised sixth and seventh."""
    altered = signature(key)
    classes = {(value + altered.get(letter, 0)) % 12 for letter, value in LETTERS.items()}
    if key.endswith(" minor"):
        classes |= {(tonic(key) + 9) % 12, (tonic(key) + 11) % 12}
    return frozenset(classes)


def key_field(key: str) -> str:
    """Returns the value of a key's `K:` field: `"B- major"` gives `"Bb"`."""
    name, _, mode = key.partition(" ")
    ending = {"major": "", "minor": "m"}.get(mode, mode[:3])
    return name.replace("-", "b") + ending
