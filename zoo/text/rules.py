"""The rules of the text preprocessing as data, for readers in other programming languages.

Letters, their lower case and the composition of marks differ between versions of Unicode.
Therefore, readers do not use their own library: the graph's own operations are applied to every
character, and the results are stored.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.text import normalisation
from zoo.text.normalisation import NONE

CODES = 0x110000
SURROGATES = range(0xD800, 0xE000)
FINAL_SIGMA = "ς"  # the only letter whose lower case depends on its neighbours


def text_rules(rule: int) -> dict[str, Any]:
    """Returns the rules of normalisation and lower-casing, JSON-serialisable.

    Args:
      rule: of `zoo.text.normalisation`.

    Returns:
      Lists of ranges are flat: first, last, first, last, … of code points.

      `space`, `letter` (letters and digits), `mark`: ranges; all other characters but `'` are words
      of their own. `lower`: lists of a code point and those of its lower case. `cased`,
      `ignorable`: ranges; Σ is ς where a cased letter is before it and none behind it, ignorable
      ones omitted.

      By rule 1 also `parting` and `invisible`: ranges; `apostrophes`: code points; `composed`:
      lists of a code point and those it is made of; `marks`: pairs of a mark and its combining
      class; `pairs`: triples of two code points and what they are together.
    """
    return {**_classes(), **({} if rule == NONE else _normal_form())}


@functools.cache
def _classes() -> dict[str, Any]:
    codes, text = _characters()
    lower = tf.strings.lower(text[1:], encoding="utf-8")  # not of NUL, which becomes a space
    lowered = tf.strings.unicode_decode(lower, "UTF-8").to_list()
    sigma = tf.constant("aΣ")
    ends = tf.strings.lower(sigma + text[1:], encoding="utf-8")
    goes_on = tf.strings.lower(sigma + text[1:] + "a", encoding="utf-8")
    final = f"(?s)a{FINAL_SIGMA}.*"
    is_cased = ~tf.strings.regex_full_match(ends, final).numpy()
    is_ignorable = ~is_cased & ~tf.strings.regex_full_match(goes_on, final).numpy()
    return {
        "space": matching(r"[\pZ\pC\s]"),
        "letter": matching(r"[\pL\pN]"),
        "mark": matching(r"\pM"),
        "lower": [
            [int(code), *new] for code, new in zip(codes[1:], lowered, strict=True) if new != [code]
        ],
        "cased": _ranges(codes[1:][is_cased]),
        "ignorable": _ranges(codes[1:][is_ignorable]),
    }


@functools.cache
def _normal_form() -> dict[str, Any]:
    tables = normalisation.character_tables()
    return {
        "parting": matching(normalisation.PARTING),
        "invisible": matching(normalisation.INVISIBLE),
        "apostrophes": [ord(character) for character in normalisation.APOSTROPHES[1:-1]],
        "composed": [
            [int(code), *(int(part) for part in parts if part >= 0)]
            for code, parts in zip(tables.composed, tables.parts, strict=True)
        ],
        "marks": [
            [int(code), int(kind)] for code, kind in zip(tables.marks, tables.kinds, strict=True)
        ],
        "pairs": [
            [*(int(part) for part in divmod(key, normalisation.SHIFT)), int(together)]
            for key, together in zip(tables.pairs, tables.together, strict=True)
        ],
    }


@functools.cache
def _characters() -> tuple[np.ndarray, tf.Tensor]:
    """Returns all code points, int32 `(characters,)`, and the text of each, string."""
    codes = np.array([code for code in range(CODES) if code not in SURROGATES], "int32")
    return codes, tf.strings.unicode_encode(codes[:, np.newaxis], "UTF-8")


def matching(pattern: str) -> list[int]:
    """Returns the characters that a class of a regular expression matches, as flat ranges."""
    codes, text = _characters()
    return _ranges(codes[tf.strings.regex_full_match(text, pattern).numpy()])


def _ranges(codes: Sequence[int] | np.ndarray) -> list[int]:
    """Returns the ranges of sorted numbers: first, last, first, last, …"""
    codes = np.asarray(codes)
    if not codes.size:
        return []
    breaks = np.flatnonzero(np.diff(codes) > 1)
    firsts, lasts = codes[np.r_[0, breaks + 1]], codes[np.r_[breaks, codes.size - 1]]
    return [int(code) for pair in zip(firsts, lasts, strict=True) for code in pair]
