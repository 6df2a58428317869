"""Text to ids of words and back, as Mikolov prepared the Penn Treebank, inside the graph.

Words are in lower case, without punctuation marks; each number is `N`; `don't` is `do n't` and
`Anna's` is `anna 's`; the end of a line is a word, too. Text that is prepared so stays as it is.
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
CHUNK = 500  # texts that are split in one call: bounds the memory that a large data set takes

# Pattern to replacement, in this order.
_RULES = (
    (r"\s*[\r\n]\s*", f" {END} "),
    (rf"({END}\s+)+", f"{END} "),
    (r"[\pZ\pC]+", " "),
    (r"[“”„«»\"()\[\]{}?!;:…–—%]|\.\.+|--+", " "),
    (r"([^0-9]|^),", r"\1 "),  # commas within numbers stay
    (r",([^0-9]|$)", r" \1"),
    (r"\$([0-9])", r"$ \1"),
    (r"(?i)([a-z])(n't)\b", r"\1 \2"),
    (r"(?i)([a-z0-9.])('(?:s|re|ve|ll|d|m))\b", r"\1 \2"),
    (r"([a-z])'( |$)", r"\1 '\2"),
)


def split_text(text: tf.Tensor) -> tf.RaggedTensor:
    """Splits texts into words, string `(batch,)` to `(batch, (words))`."""
    text = normalise(text)
    for pattern, replacement in _RULES:
        text = tf.strings.regex_replace(text, pattern, replacement)
    words = tf.strings.split(text)
    flat = words.flat_values
    number = tf.strings.regex_full_match(flat, r"[-+]?[0-9][0-9.,]*|\.[0-9]+")
    kept = number | (flat == NUMBER)
    return words.with_flat_values(tf.where(kept, NUMBER, tf.strings.lower(flat, "utf-8")))


def bare(words: tf.Tensor) -> tf.Tensor:
    """Returns words, string of any shape, without full stops and quotation marks around them."""
    return tf.strings.regex_replace(words, r"^'+|[.']+$", "")


def learn_words(texts: Iterable[str], size: int) -> list[str]:
    """Returns the `size` most frequent words, the most frequent first: the symbols of `Words`.

    The end of a line and the unknown word are among them whether they occur or not. In text with
    capital letters, a full stop ends a sentence and is no part of a word.

    Raises:
      ZooError: the texts have no word.
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
    """Returns what a word adds to a text."""
    return "\n" if word == END else f"{word} "


class Words(tf.Module):
    """Words to ids 1, 2, …, and back. Words that are not among them have the id of `<unk>`.

    Args:
      symbols: of `learn_words`.
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
        """Number of ids, padding included."""
        return len(self.symbols) + 1

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns the ids of texts, string `(batch,)`, as int32 `(batch, (words))`."""
        words, ids = self._known(text)
        unknown = self.words.index(UNKNOWN) + 1
        return words.with_flat_values(tf.where(ids == PADDING, unknown, ids))

    def after_a_line(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns the same for texts that begin behind a line break, which has an id, too."""
        return self(tf.strings.join(["\n", text]))

    def _known(self, text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """Returns the words of texts, and their ids `(all words,)`; 0 of those not known."""
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
        """Counts the words of texts that have no id; `<unk>` itself has one."""
        counts: Counter[str] = Counter()
        for words, ids in in_chunks(self._known, texts, size=CHUNK):
            missing = words.flat_values.numpy()[ids.numpy() == PADDING]
            counts.update(word.decode("utf-8") for word in missing.tolist())
        return counts

    def join(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the texts of ids, int `(batch, time)`, 0 behind the last: string `(batch,)`."""
        symbols = tf.gather(tf.constant(["", *self.symbols]), ids)
        return tf.strings.reduce_join(symbols, axis=1)
