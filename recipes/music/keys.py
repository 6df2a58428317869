"""Names of keys, notes and chords. A flat is written `-`, as music21 writes it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from zoo.errors import UsageError

# The keys of a piano, as MIDI numbers.
LOWEST, HIGHEST = 21, 108

# The spelling of each tonic that takes the fewest accidentals.
_MAJOR = ("C", "D-", "D", "E-", "E", "F", "F#", "G", "A-", "A", "B-", "B")
_MINOR = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "G#", "A", "B-", "B")
KEYS: tuple[str, ...] = (
    *(f"{name} major" for name in _MAJOR),
    *(f"{name} minor" for name in _MINOR),
)
"""The 24 keys: major keys from C upwards, then minor keys, so that key `i` has tonic `i % 12`."""

_SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLATS = ("C", "D-", "D", "E-", "E", "F", "G-", "G", "A-", "A", "B-", "B")
# Pitch classes of the letters.
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NOTE = r"([A-Ga-g])\s*(#|♯|-flat|-sharp|-|b|♭|flat|sharp)?"
_MODES = {"major": "major", "maj": "major", "minor": "minor", "min": "minor", "m": "minor"}


def parse_key(text: str) -> str:
    """Returns the name in `KEYS` of a key: `"bb minor"`, `"B♭m"` and `"A# min"` are `"B- minor"`.

    Raises:
      UsageError: it is not a major or minor key, or is ambiguous (`"A-minor"`).
    """
    match = re.fullmatch(rf"{_NOTE}[\s_-]*([A-Za-z]*)", text.strip())
    if match is None:
        raise UsageError(
            f"{text!r} is not a key. Write a note and 'major' or 'minor', such as 'G major', "
            "'Bb major' or 'F# minor'."
        )
    if re.search("-(m|$)", text.strip(), re.IGNORECASE) and match[2] == "-":
        letter = match[1].upper()
        raise UsageError(
            f"{text!r} may be {letter} or {letter} flat: write '{letter} minor' or "
            f"'{letter}b minor', or major."
        )
    note = (LETTERS[match[1].upper()] + _accidental(match[2])) % 12
    mode = _MODES.get("major" if match[3] == "M" else match[3].lower())
    if mode is None:
        problem = f"has the mode {match[3]!r}" if match[3] else "has no mode"
        raise UsageError(f"The key {text!r} {problem}. Did you mean {KEYS[note]!r} or "
                         f"{KEYS[note + 12]!r}?")  # fmt: skip
    return KEYS[note + (12 if mode == "minor" else 0)]


# Relative duration of each degree of a major and of a minor key, from the tonic up: B. Aarden,
# Dynamic melodic expectancy, 2003.
_PROFILES = (
    (17.77, 0.15, 14.93, 0.16, 19.80, 11.36, 0.29, 22.06, 0.15, 8.15, 0.23, 4.95),
    (18.26, 0.74, 14.05, 16.86, 0.70, 14.44, 0.70, 18.62, 4.57, 1.93, 7.38, 1.76),
)


def estimate_key(frames: Iterable[Iterable[int]]) -> str:
    """Returns the key whose profile fits the notes best (Krumhansl's method).

    Args:
      frames: MIDI numbers of each frame, of equal lengths.

    Returns:
      A name in `KEYS`; `""` where there is no note.
    """
    counts = [0] * 12
    for frame in frames:
        for note in frame:
            counts[note % 12] += 1
    if not any(counts):
        return ""

    def fit(index: int) -> float:
        profile = _PROFILES[index // 12]
        rotated = [counts[(degree + index) % 12] for degree in range(12)]
        mean, profile_mean = sum(rotated) / 12, sum(profile) / 12
        product = sum(
            (a - mean) * (b - profile_mean) for a, b in zip(rotated, profile, strict=True)
        )
        return product / math.sqrt(sum((b - profile_mean) ** 2 for b in profile))

    return KEYS[max(range(len(KEYS)), key=fit)]


def tonic(key: str) -> int:
    """Returns the pitch class of a key's tonic, 0 for C to 11 for B."""
    return KEYS.index(parse_key(key)) % 12


def sharps(key: str) -> int:
    """Returns the sharps of a key's signature; flats are negative."""
    key = parse_key(key)
    # A minor key has the signature of the major key on its third. Fifths order the signatures.
    root = tonic(key) + (3 if key.endswith("minor") else 0)
    count = root * 7 % 12
    return count - 12 if count > 6 or (count == 6 and key[1] == "-") else count


def transpose_key(key: str, semitones: int) -> str:
    """Returns the key `semitones` higher, of the same mode."""
    key = parse_key(key)
    index = KEYS.index(key)
    return KEYS[(index + semitones) % 12 + index // 12 * 12]


def scale(key: str) -> frozenset[int]:
    """Returns the pitch classes of a key's scale.

    A minor scale has nine: those of natural minor, and the sixth and seventh raised, as melodies
    and dominants have them.
    """
    key = parse_key(key)
    major = key.endswith("major")
    steps = (0, 2, 4, 5, 7, 9, 11) if major else (0, 2, 3, 5, 7, 8, 9, 10, 11)
    return frozenset((tonic(key) + step) % 12 for step in steps)


def note_name(pitch: int, key: str | None = None) -> str:
    """Returns the name of a MIDI number, 60 being `"C4"`.

    Args:
      pitch: the MIDI number.
      key: a key with flats in its signature gives names with flats, except for the raised seventh
        of minor: in G minor it is F sharp.
    """
    flats = key is not None and sharps(key) < 0 and (pitch + 1 - tonic(key)) % 12
    names = _FLATS if flats else _SHARPS
    return f"{names[pitch % 12]}{pitch // 12 - 1}"


def chord_name(notes: Iterable[int], key: str | None = None) -> str:
    """Returns the names of MIDI numbers with spaces between, `"-"` for a rest."""
    return " ".join(note_name(note, key) for note in notes) or "-"


def parse_chord(text: str) -> tuple[int, ...]:
    """Returns the MIDI numbers of a chord, ascending and without repetitions.

    Args:
      text: names with octaves, `"G2 D3 B3 G4"` or `"G2,D3,Bb3"` (C4 is middle C, 60), or MIDI
        numbers, `"43 50 59 67"`.

    Raises:
      UsageError: there is no note, or one is invalid or not on a piano.
    """
    pitches = set()
    for word in re.split(r"[\s,;]+", text.strip()):
        if re.fullmatch(r"[0-9]{1,9}", word):
            pitch = int(word)
        elif match := re.fullmatch(rf"{_NOTE}([0-9])", word):
            # Not by pitch class: C flat of octave 4 lies below C4, B sharp above B4.
            shift = _accidental(match[2])
            pitch = 12 * (int(match[3]) + 1) + LETTERS[match[1].upper()] + shift
        else:
            raise UsageError(
                f"{word!r} in the chord {text!r} is not a note. Write names with octaves, such as "
                "'G2 D3 B3 G4', or MIDI numbers, such as '43 50 59 67'."
                if word
                else "The chord is empty. Write its notes, such as 'G2 D3 B3 G4'."
            )
        if not LOWEST <= pitch <= HIGHEST:
            raise UsageError(
                f"The note {word!r} is not on a piano. Use notes from A0 to C8 "
                f"({LOWEST} to {HIGHEST})."
            )
        pitches.add(pitch)
    return tuple(sorted(pitches))


def _accidental(sign: str | None) -> int:
    if not sign:
        return 0
    return 1 if sign in ("#", "♯") or sign.endswith("sharp") else -1
