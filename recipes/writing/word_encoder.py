"""Converts text to word ids and back inside the graph, by Mikolov's rules for the Penn Treebank.

Words are in lower case, without punctuation marks; each number is `N`; `don't` is `do n't` and
`Anna's` is `anna 's`; the end of a line is a word, too. Text that is already in this form does not
change.
(T. Mikolov et al.: Recurrent Neural Network Based Language Model, Interspeech 2010.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from zoo.errors import ZooError
from zoo.text import normalise
from zoo.text.chunks import in_chunks

PADDING = 0
UNKNOWN, END, NUMBER = "<unk>", "<eos>", "N"  # END is a line break
CHUNK = 500  # texts that are split per call; bounds the memory that a large data set needs

# Patterns and their replacements, applied in this order.
_RULES = (
    (r"\s*[\r\n]\s*", f" {END} "),
    (rf"({END}\s+)+", f"{END} "),
    (r"[\pZ\pC]+", " "),
    (r"[“”„«»\"()\[\]{}?!;:…–—%]|\.\.+|--+", " "),
    (r"([^0-9]|^),", r"\1 "),  # commas within numbers are kept
    (r",([^0-9]|$)", r" \1"),
    (r"\$([0-9])", r"$ \1"),
    (r"(?i)([a-z])(n't)\b", r"\1 \2"),
    (r"(?i)([a-z0-9.])('(?:s|re|ve|ll|d|m))\b", r"\1 \2"),
    (r"([a-z])'( |$)", r"\1 '\2"),
)


def split_text(text: tf.Tensor) -> tf.RaggedTensor:
    """Splits texts, string `(batch,)`, into words, string `(batch, (words))`."""
    text = normalise(text)
    for pattern, replacement in _RULES:
        text = tf.strings.regex_replace(text, pattern, replacement)
    words = tf.strings.split(text)
    flat = words.flat_values
    number = tf.strings.regex_full_match(flat, r"[-+]?[0-9][0-9.,]*|\.[0-9]+")
    kept = number | (flat == NUMBER)
    return words.with_flat_values(tf.where(kept, NUMBER, tf.strings.lower(flat, "utf-8")))


def bare(words: tf.Tensor) -> tf.Tensor:
    """Strips full stops and quotation marks from words, string of any shape."""
    return tf.strings.regex_replace(words, r"^'+|[.']+$", "")


def learn_words(texts: Iterable[str], size: int) -> list[str]:
    """Returns the symbols of the `size` most frequent words for `Words`, the most frequent first.

    The end of a line and the unknown word are always included. In text with capital letters, full
    stops are not part of a word.

    Raises:
      ZooError: the texts contain no word.
    """
    texts = list(texts)
    raw = any(word != word.lower() and word != NUMBER for text in texts for word in text.split())
    counts: Counter[bytes] = Counter()
    for words in in_chunks(split_text, texts, size=CHUNK):
        flat = words.flat_values
        counts.update((bare(flat) if raw else flat).numpy().tolist())
    named = {word.decode("utf-8"): times for word, times in counts.items() if word}
    if not named.keys() - {UNKNOWN, END}:
        raise ZooError("The texts hold no word. Give other data.")
    for needed in (UNKNOWN, END):
        named.setdefault(needed, 0)
    ranked = sorted(named, key=lambda word: (word not in (UNKNOWN, END), -named[word], word))
    kept = sorted(ranked[: max(size, 3)], key=lambda word: (-named[word], word))
    return [symbol_of(word) for word in kept]


def symbol_of(word: str) -> str:
    """Returns the characters that a word adds to a text."""
    return "\n" if word == END else f"{word} "


class Words(tf.Module):
    """Maps words to the ids 1, 2, … and back. Unknown words have the id of `<unk>`.

    Args:
      symbols: the result of `learn_words`.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        super().__init__()
        self.symbols = list(symbols)
        self.words = [END if symbol == "\n" else symbol.rstrip() for symbol in symbols]
        self.end = self.words.index(END) + 1
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(self.words), tf.range(1, len(self.words) + 1)
            ),
            default_value=PADDING,
        )

    @property
    def size(self) -> int:
        """Number of ids, including padding."""
        return len(self.symbols) + 1

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Converts texts, string `(batch,)`, to ids, int32 `(batch, (words))`."""
        words, ids = self._known(text)
        unknown = self.words.index(UNKNOWN) + 1
        return words.with_flat_values(tf.where(ids == PADDING, unknown, ids))

    def after_a_line(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns the ids of the texts with a line break, which has an id, put before each."""
        return self(tf.strings.join(["\n", text]))

    def _known(self, text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """Returns the words of texts and their ids `(all words,)`, 0 for unknown words."""
        words = split_text(text)
        flat = words.flat_values
        ids, short = self._table.lookup(flat), bare(flat)
        ids = tf.where(ids == PADDING, self._table.lookup(short), ids)
        kept = (ids != PADDING) | tf.strings.regex_full_match(short, r".*[\pL\pM\pN].*")
        words = tf.ragged.boolean_mask(words, words.with_flat_values(kept))
        return words, tf.boolean_mask(ids, kept)

    def rows(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Returns the ids of each text, int32 `(words,)`."""
        rows: list[np.ndarray] = []
        for ids in in_chunks(self, texts, size=CHUNK):
            rows += np.split(ids.flat_values.numpy(), ids.row_splits.numpy()[1:-1])
        return rows

    def unknown(self, texts: Sequence[str]) -> Counter[str]:
        """Counts the words of the texts that have no id; `<unk>` itself has one."""
        counts: Counter[str] = Counter()
        for words, ids in in_chunks(self._known, texts, size=CHUNK):
            missing = words.flat_values.numpy()[ids.numpy() == PADDING]
            counts.update(word.decode("utf-8") for word in missing.tolist())
        return counts

    def join(self, ids: tf.Tensor) -> tf.Tensor:
        """Converts ids, int `(batch, time)`, right-padded with 0, to texts, string `(batch,)`."""
        symbols = tf.gather(tf.constant(["", *self.symbols]), ids)
        return tf.strings.reduce_join(symbols, axis=1)
