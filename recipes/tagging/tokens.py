"""Tokenises text with offsets, and maps tokens to word, character and casing ids, in the graph.

This uses TensorFlow's core ops only, so that any TF Serving binary runs it. Text is tokenised as
in the Penn Treebank and CoNLL corpora. Unlike in `zoo.text.words`, the case is kept.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from zoo.assets import Json
from zoo.bounds import first_bytes
from zoo.data.batching import Ragged
from zoo.errors import ZooError
from zoo.text.chunks import in_chunks
from zoo.text.normalisation import NONE, is_invisible, normalise_tokens
from zoo.text.novelty import word_novelty
from zoo.utf8 import utf8

PADDING = 0
UNKNOWN = 1
RESERVED = 2  # lower ids are not words
FURTHER = 15  # see `zoo.text.novelty`; half of the sentences are short, and names are often new

# Character ids: 0 is a padded token. Within a token:
NO_CHARACTER = 1
UNKNOWN_CHARACTER = 2
EDGE = 3  # before the first and after the last character
RESERVED_CHARACTERS = 4

# The casing of a token is the first pattern that matches all of it: id 1, 2, …
CASINGS = (
    r"[0-9]+",
    r"[^\pL]*[0-9][^\pL]*",
    r"[^\pL]*",
    r"\p{Ll}+",
    r"\p{Lu}",
    r"\p{Lu}\p{Ll}+",
    r"[\p{Lu}\pM]+",
    r"[\p{Lu}\pN\pP]+",
    r"\p{Lu}.*",
    r"[^\p{Lu}]*",
    r"(?s).*",
)

_CHUNK = 50_000  # tokens encoded in one call; limits memory for large data sets

# Abbreviations that keep their full stop.
TITLES = (
    *("Mr", "Mrs", "Ms", "Dr", "Prof", "Rev", "Gen", "Col", "Maj", "Capt", "Lt", "Sgt", "Gov"),
    *("Sen", "Rep", "Hon", "St", "Mt", "Ft", "Jr", "Sr", "Inc", "Corp", "Co", "Ltd", "Bros", "vs"),
    *("Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Sept", "Oct", "Nov", "Dec"),
)
_CUT = "\x1f"  # marks a token boundary; control characters of the text are already spaces
_WORD = r"[\pL\pM\pN\p{Cf}]"
_SPACE = r"[\pZ\p{Cc}\x{FEFF}\x{200B}]"
_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
# Character classes for `recipes.tagging.tag_reader`.
CLASSES = {
    "letter": r"\pL",
    "number": r"\pN",
    "mark": r"\pM",
    "format": r"\p{Cf}",
    "space": _SPACE,
    "cjk": _CJK,
    "upper": r"\p{Lu}",
    "lower": r"\p{Ll}",
    "punctuation": r"\pP",
}
# Applied in order. RE2 has no lookahead, so cuts are made first and removed depending on their
# neighbours. A rule is applied twice where matches may overlap.
_BETWEEN_DIGITS = (rf"(\pN){_CUT}+([.,:/]){_CUT}+(\pN)", r"\1\2\3")
_BETWEEN_LETTERS = (rf"({_WORD}){_CUT}+(['’.&@_-]){_CUT}+({_WORD})", r"\1\2\3")
_RULES = (
    # Each symbol is a token, with its marks and (for emoji) joiners.
    (r"([^\pL\pN\pM\p{Cf} ][\pM\p{Cf}]*)", rf"{_CUT}\1{_CUT}"),
    # Chinese and Japanese have no spaces between words: each character is a token.
    (rf"({_CJK}[\pM\p{{Cf}}]*)", rf"{_CUT}\1{_CUT}"),
    # ... and -- are one token each.
    (rf"{_CUT}\.{_CUT}{_CUT}\.{_CUT}{_CUT}\.{_CUT}", rf"{_CUT}...{_CUT}"),
    (rf"{_CUT}-{_CUT}{_CUT}-{_CUT}", rf"{_CUT}--{_CUT}"),
    # 1,000  3.14  10:30  1996/97
    _BETWEEN_DIGITS,
    _BETWEEN_DIGITS,
    # O'Brien  al-Aqsa  U.S  AT&T  me@x.com
    _BETWEEN_LETTERS,
    _BETWEEN_LETTERS,
    # U.S.  J.  St.: a full stop after initials, a single letter or an abbreviation is part of it.
    (rf"((?:^|[ {_CUT}])(?:\pL|(?:\pL\.)+\pL)){_CUT}\.{_CUT}", rf"\1.{_CUT}"),
    (rf"((?:^|[ {_CUT}])(?:{'|'.join(TITLES)})){_CUT}\.{_CUT}", rf"\1.{_CUT}"),
    # @name  #topic
    (rf"((?:^|[ {_CUT}])[@#]){_CUT}({_WORD})", r"\1\2"),
    # they 're   Lauck 's   did n't
    (rf"(?i)(['’]){_CUT}?((?:s|re|ve|ll|d|m)(?:[ {_CUT}]|$))", rf"{_CUT}\1\2"),
    (rf"(?i)(n['’]t(?:[ {_CUT}]|$))", rf"{_CUT}\1"),
)


def tokenise(text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
    """Tokenises raw text, similar to the Penn Treebank.

    `Lauck's lawyer (of the U.S.) won't pay $1,000.` gives `Lauck 's lawyer ( of the U.S. ) wo n't
    pay $ 1,000 .` White space and control characters separate tokens. Invalid UTF-8 becomes
    U+FFFD, as with Python's `errors="replace"`. A full stop after a single letter or a common title
    is part of the token.

    Args:
      text: string `(batch,)`.

    Returns:
      Tokens, string; and the start and end (exclusive) of each in the text, int32, in Unicode
      characters, not bytes. All `(batch, None)`, ragged; a row may be empty.
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    # Each is replaced by one character, so that offsets are unchanged.
    text = tf.strings.regex_replace(text, _SPACE, " ")
    for pattern, replacement in _RULES:
        text = tf.strings.regex_replace(text, pattern, replacement)
    characters = tf.strings.unicode_split(text, "UTF-8")  # (batch, None)
    flat = characters.flat_values
    cut = tf.equal(flat, _CUT)
    outside = cut | tf.equal(flat, " ")
    # Like `value_rowids`, but without its mask, which is as large as all rows times the longest.
    count = tf.size(flat, tf.int64)
    row = tf.searchsorted(
        characters.row_splits[1:], tf.range(count), side="right", out_type=tf.int64
    )
    # Position in the original text: preceding cuts in the row do not count.
    real = tf.cast(~cut, tf.int32)
    before = tf.cumsum(real, exclusive=True)
    begin = tf.gather(tf.concat([before, [0]], 0), characters.row_starts())
    position = before - tf.gather(begin, row)
    new_row = tf.not_equal(row, tf.concat([[-1], row[:-1]], 0))
    starts = ~outside & (new_row | tf.concat([[True], outside[:-1]], 0))
    first = tf.where(starts)[:, 0]
    letters = tf.where(~outside)
    token = tf.gather_nd(tf.cumsum(tf.cast(starts, tf.int64)) - 1, letters)
    inside = tf.gather_nd(flat, letters)
    start = tf.gather(position, first)
    length = tf.math.unsorted_segment_sum(tf.ones_like(token), token, tf.size(first))
    # Not ragged `reduce_join`: its mask is as large as all tokens times the longest.
    tokens = tf.strings.unsorted_segment_join(inside, token, tf.size(first))

    def rows(values: tf.Tensor) -> tf.RaggedTensor:
        return tf.RaggedTensor.from_value_rowids(
            values, tf.gather(row, first), nrows=characters.nrows(), validate=False
        )

    return rows(tokens), rows(start), rows(start + tf.cast(length, tf.int32))


Tokens = tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]  # what `tokenise` returns


def only_visible(tokens: Tokens) -> Tokens:
    """Omits invisible tokens, such as a single soft hyphen."""
    seen = tokens[0].with_flat_values(~is_invisible(tokens[0].flat_values))
    text, start, end = (tf.ragged.boolean_mask(part, seen) for part in tokens)
    return text, start, end


def clean(tokens: tf.Tensor, normalisation: int = NONE) -> tf.Tensor:
    """Normalises tokens; invalid UTF-8 and control characters become U+FFFD.

    TensorFlow 2.21's `lower` drops all text after a NUL.

    Args:
      tokens: string `(tokens,)`.
      normalisation: see `zoo.text.normalisation.normalise_tokens`.

    Returns:
      string `(tokens,)`.
    """
    tokens = normalise_tokens(tokens, normalisation)
    return tf.strings.regex_replace(tokens, r"\p{Cc}", "\ufffd")


def without_digits(words: tf.Tensor) -> tf.Tensor:
    """Replaces each digit by 0, so that numbers of the same format become one word.

    Takes strings of any shape; the result has the same shape.
    """
    return tf.strings.regex_replace(words, "[0-9]", "0")


def count_words(
    rows: Sequence[Sequence[str]], known: frozenset[str] = frozenset(), normalisation: int = NONE
) -> list[tuple]:
    """Counts lower-cased words, as `TokenEncoder` looks them up.

    Args:
      rows: tokens of each sentence.
      known: words that keep their digits; in other words, each digit counts as 0.
      normalisation: as for `TokenEncoder`.

    Returns:
      `(word, count)` pairs, the most frequent first; ties in alphabetical order.

    Raises:
      ZooError: there are no tokens.
    """
    tokens = [token for row in rows for token in row]
    if not tokens:
        raise ZooError("The training sentences hold no token. Check the file.")
    lower = tf.strings.lower(clean(_constant(tokens), normalisation), encoding="utf-8")
    counts: collections.Counter[str] = collections.Counter()
    pairs = zip(lower.numpy(), without_digits(lower).numpy(), strict=True)
    for (word, shape), times in collections.Counter(pairs).items():
        word = word.decode("utf-8")
        counts[word if word in known else shape.decode("utf-8")] += times
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def learn_words(
    rows: Sequence[Sequence[str]],
    rare: int,
    given: Sequence[str] = (),
    most: int = 0,
    normalisation: int = NONE,
) -> dict[str, list[str]]:
    """Sorts words into the three parts of a `recipes.tagging.embedding.WordEmbedding`.

    Args:
      rows: tokens of each sentence.
      rare: words with a lower count are rare.
      given: words with a pretrained vector, the most frequent first.
      most: number of these, from the first, that the model knows even if they do not occur.
      normalisation: as for `TokenEncoder`.

    Returns:
      `common` words; `rare` words without a pretrained vector; and `fixed` words, which have a
      pretrained vector and are rare or do not occur.
    """
    known = frozenset(given)
    counts = count_words(rows, known, normalisation)
    common = [word for word, times in counts if times >= rare]
    others = [word for word, times in counts if times < rare]
    fixed = dict.fromkeys([*(word for word in others if word in known), *given[:most]])
    for word in common:
        fixed.pop(word, None)
    return {
        "common": common,
        "rare": [word for word in others if word not in known],
        "fixed": list(fixed),
    }


def count_characters(rows: Sequence[Sequence[str]], normalisation: int = NONE) -> list[str]:
    """Returns the characters of all normalised tokens, the most frequent first."""
    tokens = [token for row in rows for token in row]
    if normalisation:
        written = normalise_tokens(_constant(tokens), normalisation)
        tokens = [token.decode("utf-8") for token in written.numpy()]
    counts = collections.Counter("".join(tokens))
    return [c for c, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


@keras.saving.register_keras_serializable("zoo")
class TokenEncoder(keras.layers.Layer):
    """Maps tokens to word, character and casing ids.

    A word is looked up in lower case and, if it is unknown, with each digit as 0. The characters
    keep their case. If a token is longer than `max_characters` minus the two edges, its first and
    last characters are used.

    Args:
      words: word `i` has the id `i + RESERVED`.
      characters: character `i` has the id `i + RESERVED_CHARACTERS`.
      max_characters: number of character ids per token.
      normalisation: how tokens are normalised, see `zoo.text.normalisation.normalise_tokens`.

    Call arguments:
      tokens: string `(batch, time)`; `""` is padding, on the right.

    Returns:
      A dict of int32: `words` and `casing` `(batch, time)`, `characters`
      `(batch, time, max_characters)`; 0 at padding. The first step of a row is always real: a
      row without tokens consists of one `UNKNOWN` word.
    """

    def __init__(
        self,
        words: Sequence[str],
        characters: Sequence[str],
        max_characters: int,
        normalisation: int = NONE,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.words, self.characters = list(words), list(characters)
        self.max_characters = max_characters
        self.normalisation = normalisation
        self.built = True  # no weights to build
        self._words = _table(_constant(self.words), RESERVED, PADDING)
        codes = tf.constant([ord(character) for character in self.characters], tf.int64)
        self._characters = _table(codes, RESERVED_CHARACTERS, UNKNOWN_CHARACTER)

    def is_unknown(self, ids: tf.Tensor, common: int | None = None) -> tf.Tensor:
        """Returns 1 for ids of unknown words, else 0, int32.

        Args:
          ids: word ids, int32, of any shape; padding counts as known.
          common: number of words, from the first, that count as known; None: all.
        """
        unknown = ids == UNKNOWN
        if common is not None:
            unknown |= ids >= common + RESERVED
        return tf.cast(unknown, tf.int32)

    def measured(
        self, text: tf.Tensor, max_bytes: int, common: int | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns how far texts are from the training texts; see `zoo.text.novelty.word_novelty`.

        Args:
          text: string `(batch,)`.
          max_bytes: number of bytes of a text that are read.
          common: as for `is_unknown`.
        """
        found = tokenise(first_bytes(text, max_bytes))
        tokens, *_ = only_visible(found) if self.normalisation else found
        ids = self._look_up(clean(tokens.flat_values, self.normalisation))
        unknown = tokens.with_flat_values(self.is_unknown(tf.cast(ids, tf.int32), common))
        return word_novelty(tf.reduce_sum(unknown, axis=1), tokens.row_lengths(), FURTHER)

    def _look_up(self, tokens: tf.Tensor) -> tf.Tensor:
        """Returns the ids of cleaned tokens, int64 `(tokens,)`."""
        lower = tf.strings.lower(tokens, encoding="utf-8")
        ids = self._words.lookup(lower)
        shapes = self._words.lookup(without_digits(lower))
        return tf.where(ids > 0, ids, tf.where(shapes > 0, shapes, UNKNOWN))

    def flat(self, tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encodes tokens, string `(tokens,)`, without padding.

        Returns:
          A dict of int32: `words` and `casing` `(tokens,)`, `characters`
          `(tokens, max_characters)`.
        """
        tokens = clean(tokens, self.normalisation)
        ids = self._look_up(tokens)
        casing = tf.fill(tf.shape(tokens), len(CASINGS))
        for number, pattern in reversed(list(enumerate(CASINGS, 1))):
            casing = tf.where(tf.strings.regex_full_match(tokens, pattern), number, casing)
        return {
            "casing": casing,
            "characters": self._spell(tokens),
            "words": tf.cast(ids, tf.int32),
        }

    def _spell(self, tokens: tf.Tensor) -> tf.Tensor:
        """Returns character ids, int32 `(tokens, max_characters)`."""
        room = self.max_characters - 2
        head = room // 2
        # Omit the middle of a long token: its ends are more informative.
        lengths = tf.strings.length(tokens, unit="UTF8_CHAR")
        tail = tf.where(lengths > room, room - head, 0)
        first = tf.where(lengths > room, lengths - tail, 0)
        kept = tf.strings.join(
            [
                tf.strings.substr(tokens, tf.zeros_like(tail), room - tail, unit="UTF8_CHAR"),
                tf.strings.substr(tokens, first, tail, unit="UTF8_CHAR"),
            ]
        )
        codes = tf.strings.unicode_decode(kept, "UTF-8")
        ids = tf.ragged.map_flat_values(self._characters.lookup, tf.cast(codes, tf.int64))
        edge = tf.fill([tf.shape(tokens)[0], 1], tf.constant(EDGE, tf.int64))
        spelt = tf.concat([edge, ids, edge], axis=1)
        spelt = spelt.to_tensor(NO_CHARACTER, shape=[None, self.max_characters])
        return tf.cast(spelt, tf.int32)

    def call(self, tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = _real(tokens)
        width = tf.shape(tokens)[1]
        return {
            name: rows.with_flat_values(ids).to_tensor(PADDING, shape=[-1, width, *ids.shape[1:]])
            for name, ids in self.flat(rows.flat_values).items()
        }

    def rows(self, rows: Sequence[Sequence[str]]) -> dict[str, Ragged]:
        """Encodes a data set for `Batches`, with the names and dtypes of the layer's output."""
        rows = [row or [""] for row in rows]
        flat = [token for row in rows for token in row]
        chunks = [
            {name: ids.numpy() for name, ids in found.items()}
            for found in in_chunks(self.flat, flat, size=_CHUNK)
        ]
        ends = np.cumsum([len(row) for row in rows])[:-1]
        return {
            name: Ragged(np.split(np.concatenate([chunk[name] for chunk in chunks]), ends))
            for name in chunks[0]
        }

    def compute_output_shape(self, input_shape: tuple) -> dict[str, tuple]:
        batch = (input_shape[0], None)
        return {"words": batch, "characters": (*batch, self.max_characters), "casing": batch}

    def get_config(self) -> dict[str, Json]:
        return {
            **super().get_config(),
            "words": self.words,
            "characters": self.characters,
            "max_characters": self.max_characters,
            "normalisation": self.normalisation,
        }


def with_a_step(values: tf.Tensor, padding: int | str) -> tf.Tensor:
    """Returns `(batch, time)` of any dtype, with one step of padding if time is 0."""
    missing = tf.cast(tf.equal(tf.shape(values)[1], 0), tf.int32)
    return tf.pad(values, [[0, 0], [0, missing]], constant_values=padding)


def windows(tokens: tf.Tensor, size: int) -> tf.RaggedTensor:
    """Splits rows into windows of `size` tokens; the last window of a row may be shorter.

    Args:
      tokens: string `(batch, time)`; `""` is padding, on the right; time ≥ 1.
      size: number of tokens per window.

    Returns:
      string `(windows, None)`: the windows of the first row, then those of the second, …; a row
      without tokens has one window with one `""`.
    """
    rows = _real(tokens)
    position = tf.ragged.range(rows.row_lengths()).flat_values
    first = tf.equal(position % size, 0)  # first token of a window
    window = tf.cumsum(tf.cast(first, tf.int32)) - 1
    return tf.RaggedTensor.from_value_rowids(
        rows.flat_values, window, nrows=tf.reduce_sum(tf.cast(first, tf.int32)), validate=False
    )


def joined(values: tf.Tensor, parts: tf.RaggedTensor, tokens: tf.Tensor) -> tf.Tensor:
    """Joins the values of windows into the original rows; the inverse of `windows`.

    Args:
      values: `(windows, window)`, of any dtype.
      parts: output of `windows`.
      tokens: input of `windows`.

    Returns:
      `(batch, time)`, as `tokens`, with the dtype of `values`; 0 at padding.
    """
    flat = tf.RaggedTensor.from_tensor(values, parts.row_lengths()).flat_values
    return _real(tokens).with_flat_values(flat).to_tensor(shape=tf.shape(tokens))


def row_lengths(tokens: tf.Tensor) -> tf.Tensor:
    """Returns the tokens per row, up to the last that is not "", int32 `(batch,)`."""
    position = tf.range(1, tf.shape(tokens)[1] + 1)
    return tf.reduce_max(tf.where(tf.equal(tokens, ""), 0, position), axis=1)


def _real(tokens: tf.Tensor) -> tf.RaggedTensor:
    """Returns rows without padding, but with at least one token each."""
    return tf.RaggedTensor.from_tensor(tokens, tf.maximum(row_lengths(tokens), 1))


def _constant(texts: Sequence[str]) -> tf.Tensor:
    return tf.constant([utf8(text) for text in texts], tf.string)


def _table(keys: tf.Tensor, first: int, default: int) -> tf.lookup.StaticHashTable:
    values = tf.range(first, first + tf.size(keys), dtype=tf.int64)
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, values), default_value=default
    )
