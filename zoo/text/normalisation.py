"""Text normalisation for all tokenisers, inside the graph.

The same visible text can be encoded in several ways: é as one character or as e with an accent,
soft hyphens inside words, ’ for '. A network must read them alike. Only TensorFlow's core ops are
used. They do not include Unicode normalisation: that of TensorFlow Text is not a core op.

Models that were trained before this rule keep working without it. The rule of a model is an asset:
`prepare` of a recipe stores `RULE` as `normalisation`, and `rule_of` reads it.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

RULE = 1  # the newest one
NONE = 0  # for models trained before the rule existed

# What separates words although it has no width: the zero-width space, and the byte order mark.
PARTING = r"[\x{200B}\x{FEFF}]"
# What is invisible and means nothing: soft hyphens, joiners, marks of direction, tags, selectors of
# variants, fillers. Format characters of Arabic numbers and of Kaithi are visible.
INVISIBLE = (
    r"[\x{AD}\x{34F}\x{61C}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{200C}-\x{200F}"
    r"\x{202A}-\x{202E}\x{2060}-\x{206F}\x{3164}\x{FE00}-\x{FE0F}\x{FFA0}\x{FFF9}-\x{FFFB}"
    r"\x{1BCA0}-\x{1BCA3}\x{1D173}-\x{1D17A}\x{E0000}-\x{E0FFF}]"
)
APOSTROPHES = "[’ʼ＇]"  # U+2019, which keyboards of telephones write; U+02BC; the wide one
_INSIDE = rf"([\pL\pM\pN]){APOSTROPHES}([\pL\pN])"

_LIMIT = 0x30000  # no character from here on has a canonical decomposition
_HANGUL, _LEADING, _VOWEL, _TRAILING = 0xAC00, 0x1100, 0x1161, 0x11A7
SHIFT = 2**21  # more than any code point


def rule_of(assets: Mapping[str, Any]) -> int:
    """Returns the rule that a model was trained with.

    Raises:
      ValueError: this version does not know the rule.
    """
    rule = assets.get("normalisation", NONE)
    if rule not in (NONE, RULE):
        raise ValueError(f"normalisation {rule!r} is of a newer version of this package")
    return rule


def normalise(text: tf.Tensor, rule: int = RULE) -> tf.Tensor:
    """Returns normalised texts.

    Bytes that are not UTF-8 become U+FFFD, whatever the rule. By rule 1, U+200B and U+FEFF become
    spaces; other characters that are invisible (U+00AD, U+2060, joiners, variation selectors, …)
    are omitted; the text is then in Unicode's normal form C; and ’ between letters or digits is '.

    Args:
      text: string `(batch,)`.
      rule: 0 or 1, see `rule_of`.

    Returns:
      string `(batch,)`.
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    if rule == NONE:
        return text
    text = compose(_without_invisible(text, " "))
    for _ in range(2):  # the letter between two apostrophes is matched once only: rock’n’roll
        text = tf.strings.regex_replace(text, _INSIDE, r"\1'\2")
    return text


def normalise_tokens(tokens: tf.Tensor, rule: int = RULE) -> tf.Tensor:
    """Returns normalised tokens, as `normalise` does, but without splitting them.

    By rule 1, each ’ becomes ', also at either end: `’s` and `'s` are the same token.

    Args:
      tokens: string `(tokens,)`.
      rule: 0 or 1, see `rule_of`.

    Returns:
      string `(tokens,)`; `""` of a token that is invisible.
    """
    tokens = tf.strings.unicode_transcode(tokens, "UTF-8", "UTF-8", errors="replace")
    if rule == NONE:
        return tokens
    tokens = compose(_without_invisible(tokens, ""))
    return tf.strings.regex_replace(tokens, APOSTROPHES, "'")


def is_invisible(tokens: tf.Tensor) -> tf.Tensor:
    """Returns whether tokens are invisible: bool, of the shape of `tokens`, string."""
    return tf.strings.regex_full_match(tokens, f"(?:{INVISIBLE}|{PARTING})*")


def _without_invisible(text: tf.Tensor, parting: str) -> tf.Tensor:
    text = tf.strings.regex_replace(text, PARTING, parting)
    return tf.strings.regex_replace(text, INVISIBLE, "")


def compose(text: tf.Tensor) -> tf.Tensor:
    """Returns texts in Unicode's normal form C, as `unicodedata.normalize("NFC", …)`.

    Args:
      text: string `(batch,)`, valid UTF-8.

    Returns:
      string `(batch,)`.
    """
    # Most texts have nothing to compose, and cost one search.
    concerned = tf.strings.regex_full_match(text, rf"(?s).*{character_tables().concerned}.*")
    rows = tf.where(concerned)

    def composed() -> tf.Tensor:
        return tf.tensor_scatter_nd_update(text, rows, _compose(tf.gather_nd(text, rows)))

    return tf.cond(tf.reduce_any(concerned), composed, lambda: text)


def _compose(text: tf.Tensor) -> tf.Tensor:
    """Implements `compose`: decomposes, sorts the marks of each letter, composes."""
    decoded = tf.strings.unicode_decode(text, "UTF-8")
    codes, row = decoded.flat_values, decoded.value_rowids()

    tables = character_tables()
    place, known = _find(tables.composed, codes)
    alone = tf.pad(codes[:, tf.newaxis], [[0, 0], [0, 3]], constant_values=-1)
    parts = tf.where(known[:, tf.newaxis], tf.gather(tables.parts, place), alone)  # (codes, 4)
    real = tf.where(parts >= 0)  # (codes, 2): not `boolean_mask`, which is 15 operations
    row = tf.gather(row, real[:, 0])
    codes = tf.gather_nd(parts, real)

    place, known = _find(tables.marks, codes)
    kind = tf.where(known, tf.gather(tables.kinds, place), 0)  # combining class; 0 is a letter
    count = tf.size(codes, tf.int64)
    letter = tf.cumsum(tf.cast((kind == 0) | _begins(row), tf.int64))
    order = tf.argsort((letter * 256 + kind) * count + tf.range(count))
    codes, kind = tf.gather(codes, order), tf.gather(kind, order)

    def step(
        codes: tf.Tensor, kind: tf.Tensor, row: tf.Tensor, _: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """Composes each letter with the first mark behind it that it can be composed with."""
        position = tf.range(tf.size(codes))
        begins = _begins(row)
        starts = (kind == 0) | begins
        first = tf.gather(tf.where(starts)[:, 0], tf.cumsum(tf.cast(starts, tf.int32)) - 1)
        # Two letters that follow each other may be one: Korean.
        partner = tf.where(starts, tf.maximum(position - 1, 0), tf.cast(first, tf.int32))
        before = tf.maximum(position - 1, 0)
        # A mark is composed with its letter unless one of the same class lies between them.
        near = tf.where(starts, tf.gather(starts, before), tf.gather(kind, before) < kind)
        together = _pair(tf.gather(codes, partner), codes)
        able = near & ~begins & (together >= 0)
        able &= ~tf.gather(able, partner)  # what is about to vanish takes nothing
        size = tf.size(codes)
        earliest = tf.math.unsorted_segment_min(tf.where(able, position, size), partner, size)
        taken = able & tf.equal(tf.gather(earliest, partner), position)
        there = tf.where(taken)
        codes = tf.tensor_scatter_nd_update(
            codes, tf.gather_nd(partner, there)[:, tf.newaxis], tf.gather_nd(together, there)
        )
        left = tf.where(~taken)
        codes, kind, row = (tf.gather_nd(part, left) for part in (codes, kind, row))
        return codes, kind, row, tf.reduce_any(taken)

    codes, _, row, _ = tf.while_loop(
        lambda codes, kind, row, more: more,
        step,
        (codes, kind, row, tf.constant(True)),
        shape_invariants=(*[tf.TensorShape([None])] * 3, tf.TensorShape([])),
    )
    rows = tf.RaggedTensor.from_value_rowids(codes, row, nrows=decoded.nrows(), validate=False)
    return tf.strings.unicode_encode(rows, "UTF-8")


def _begins(row: tf.Tensor) -> tf.Tensor:
    """Whether each value, whose row is given, int `(values,)`, is the first of its row."""
    return tf.not_equal(row, tf.concat([[-1], row[:-1]], 0))


def _pair(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the composition of two characters, int32 `(pairs,)`; -1 if there is none."""
    tables = character_tables()
    key = tf.cast(first, tf.int64) * SHIFT + tf.cast(second, tf.int64)
    place, known = _find(tables.pairs, key)
    composed = tf.where(known, tf.gather(tables.together, place), -1)
    lead, vowel = first - _LEADING, second - _VOWEL
    syllable = (lead >= 0) & (lead < 19) & (vowel >= 0) & (vowel < 21)
    composed = tf.where(syllable, _HANGUL + (lead * 21 + vowel) * 28, composed)
    open_syllable, trail = first - _HANGUL, second - _TRAILING
    closes = (open_syllable >= 0) & (open_syllable < 11_172) & (open_syllable % 28 == 0)
    return tf.where(closes & (trail > 0) & (trail < 28), first + trail, composed)


def _find(keys: np.ndarray, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the index of each value in sorted keys, int32, and whether it is found, bool."""
    place = tf.minimum(tf.searchsorted(keys, values), len(keys) - 1)
    return place, tf.equal(tf.gather(keys, place), values)


class _Tables(NamedTuple):
    """Tables of Unicode character properties.

    Attributes:
      composed, parts: int32 `(n,)`, sorted: characters with a decomposition; and int32 `(n, 4)`:
        these, whole, -1 at the end.
      marks, kinds: int32 `(m,)`, sorted: marks; and int64 `(m,)`: their combining classes.
      pairs, together: int64 `(k,)`, sorted: two characters; and int32 `(k,)`: the one that they
        are together.
      concerned: a class of a regular expression: characters without which a text is in normal
        form C.
    """

    composed: np.ndarray
    parts: np.ndarray
    marks: np.ndarray
    kinds: np.ndarray
    pairs: np.ndarray
    together: np.ndarray
    concerned: str


@functools.cache
def character_tables() -> _Tables:
    composed, marks, pairs = {}, {}, {}
    concerned = {*range(_VOWEL, _VOWEL + 21), *range(_TRAILING + 1, _TRAILING + 28)}
    for code in [*range(_HANGUL), *range(_HANGUL + 11_172, _LIMIT)]:
        character = chr(code)
        kind = unicodedata.combining(character)
        if kind:
            marks[code] = kind
            concerned.add(code)
        parts = unicodedata.normalize("NFD", character)
        if parts == character:
            continue
        composed[code] = [*map(ord, parts), -1, -1, -1][:4]
        if unicodedata.normalize("NFC", character) != character:
            concerned.add(code)
        else:
            first, second = (int(part, 16) for part in unicodedata.decomposition(character).split())
            pairs[first * SHIFT + second] = code
            concerned.add(second)
    order = sorted(pairs)
    return _Tables(
        np.array(sorted(composed), "int32"),
        np.array([composed[code] for code in sorted(composed)], "int32"),
        np.array(sorted(marks), "int32"),
        np.array([marks[code] for code in sorted(marks)], "int64"),
        np.array(order, "int64"),
        np.array([pairs[key] for key in order], "int32"),
        _character_class(concerned),
    )


def _character_class(codes: Iterable[int]) -> str:
    """Returns a pattern that matches any of some characters, `[\\x{300}-\\x{34E}…]`."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[" + "".join(rf"\x{{{low:X}}}-\x{{{high:X}}}" for low, high in ranges) + "]"
