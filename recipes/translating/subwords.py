"""Converts text to subword ids and back inside the graph, both in training and in serving.

A text is split into pieces from a fixed vocabulary: frequent words are whole pieces, rarer words
are split, so no word is unknown (Sennrich, Haddow & Birch: Neural Machine Translation of Rare Words
with Subword Units, ACL 2016). `▁` at the start of a piece stands for the space before it, so
joining the pieces restores the text, including casing and the spacing of punctuation.

It only uses TensorFlow's core ops, so any TF Serving binary can run it.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from zoo.assets import Assets, Json
from zoo.bounds import first_bytes
from zoo.errors import ZooError
from zoo.text import rule_of
from zoo.text.chunks import in_chunks
from zoo.text.normalisation import NONE, normalise

PADDING, UNKNOWN, BEGIN, END = range(4)
RESERVED = 4  # ids below this are not pieces
END_PIECE = "</s>"  # display form of the end of a source text
SPACE = "▁"
LONGEST = 20  # maximum number of characters per piece
FURTHER = 10  # added to the number of characters: damps the novelty of short texts
MAX_BYTES = 100_000  # longer texts are truncated


def split_words(text: tf.Tensor, lower: bool = False) -> tf.RaggedTensor:
    """Splits raw text into words, digits and other symbols; joining them restores the text.

    Each run of spaces and control characters becomes one `▁` at the start of the next word; the
    text also begins with `▁`. Zero-width characters (soft hyphens, joiners) are omitted. An
    apostrophe belongs to the letters before it, as in French elision: `L'homme, 30.` gives
    `▁L' homme , ▁3 0 .`. Invalid UTF-8 becomes U+FFFD. A `▁` in the text becomes `_`. Texts must
    already be normalised, see `zoo.text.normalise`.

    Args:
      text: string `(batch,)`.
      lower: whether to lower-case the text.

    Returns:
      string `(batch, None)`, ragged; a blank text gives an empty row.
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    text = tf.strings.regex_replace(text, SPACE, "_")
    text = tf.strings.regex_replace(text, r"\p{Cf}", "")
    # Control characters are removed first: TensorFlow 2.21's `lower` truncates text at a NUL.
    text = tf.strings.regex_replace(text, r"[\pZ\pC]+", " ")
    if lower:
        text = tf.strings.lower(text, encoding="utf-8")
    text = tf.strings.regex_replace(" " + tf.strings.strip(text), " ", SPACE)
    text = tf.strings.regex_replace(text, f"^{SPACE}$", "")
    word = rf"{SPACE}?(?:[\pL\pM]+['’]?|[^{SPACE}])"
    return tf.strings.split(tf.strings.regex_replace(text, f"({word})", r"\1 "))


def learn_subwords(
    texts: Sequence[str], size: int, lower: bool = False, normalisation: int = NONE
) -> list[str]:
    """Returns a vocabulary of at most `size` pieces, learnt by byte-pair encoding.

    Every character of `texts` is also a piece, so `texts` have no unknown characters. The result
    does not depend on the order of the texts.

    Args:
      texts: raw texts.
      size: maximum number of pieces.
      lower: whether to lower-case the texts.
      normalisation: see `zoo.text.normalise`; the same as for `Subwords`.

    Raises:
      ZooError: the texts are blank, or have more than `size` different characters.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    def lines() -> Iterator[str]:
        for words in in_chunks(
            lambda text: split_words(normalise(text, normalisation), lower), texts
        ):
            yield b"\n".join(words.flat_values.numpy().tolist()).decode("utf-8")

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\n", "removed")
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, max_token_length=LONGEST, show_progress=False
    )
    tokenizer.train_from_iterator(lines(), trainer)
    vocabulary = tokenizer.get_vocab()
    if not vocabulary:
        raise ZooError(
            "The training texts hold no text. Check that the columns are the right ones."
        )
    if len(vocabulary) > size:
        raise ZooError(
            f"The training texts have {len(vocabulary):,} different characters, which do not fit "
            f"into a vocabulary of {size:,} pieces. Raise its size, such as --set pieces=8000."
        )
    return sorted(vocabulary, key=lambda piece: vocabulary[piece])


def pieces_from(
    base: Assets, source: str, target: str, pieces: int, train: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Returns the assets of a base, with new pieces of each language that is another one.

    Args:
      base: assets of a translator.
      source, target: languages to translate from and to.
      pieces: number of pieces to learn.
      train: `text` and `translation`, one each per row.

    Raises:
      KeyError: the base is no translator.
      ZooError: as `check_characters`, of a target language that is that of the base.
    """
    kept, rule = {side: base[f"{side}_pieces"] for side in ("source", "target")}, rule_of(base)
    if source != base.config.source:
        kept["source"] = learn_subwords(train["text"], pieces, True, rule)
    if target != base.config.target:
        kept["target"] = learn_subwords(train["translation"], pieces, False, rule)
    else:
        check_characters(train["translation"], kept["target"], rule)
    return {**base, **{f"{side}_pieces": found for side, found in kept.items()}}


def check_characters(
    texts: Sequence[str], vocabulary: Sequence[str], normalisation: int = NONE
) -> None:
    """Checks that a vocabulary learnt from other texts covers the characters of these texts.

    Args:
      texts: raw texts.
      vocabulary: pieces.
      normalisation: how texts are normalised before they are split into pieces.

    Raises:
      ZooError: at least one in fifty texts has a character that no piece contains.
    """
    if normalisation:
        written = in_chunks(lambda text: normalise(text, normalisation), texts)
        texts = [text.decode("utf-8") for chunk in written for text in chunk.numpy()]
    known = frozenset("".join(vocabulary))
    strange = collections.Counter(
        character
        for text in texts
        for character in set(text) - known
        if character.isprintable() and not character.isspace()
    )
    if not strange:
        return
    affected = sum(not strange.keys().isdisjoint(text) for text in texts)
    if affected * 50 >= len(texts):
        common = sorted(strange, key=lambda character: (-strange[character], character))
        shown = " ".join(common[:8])
        raise ZooError(
            f"{affected:,} of {len(texts):,} training texts have characters that the pieces of "
            f"the base lack ({shown}): it could not write them. If they are of another language, "
            "name it by --set target=CODE. Otherwise train without --from."
        )


def shifted(rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns rows shifted right by one: `BEGIN`, followed by all ids but the last.

    Args:
      rows: int `(time,)` each.

    Returns:
      The same number of rows, of the same dtypes and shapes.
    """
    return [np.concatenate([[BEGIN], row[:-1]]).astype(row.dtype) for row in rows]


@keras.saving.register_keras_serializable("zoo")
class Subwords(keras.layers.Layer):
    """Converts raw text to right-padded subword ids, and ids to text.

    Each word is split from left to right into the longest pieces of the vocabulary (Wu et al.
    2016). A character that is not in the vocabulary becomes `UNKNOWN`. The ids of a text end with
    `END`, unless the text was truncated.

    Args:
      vocabulary: pieces; piece `i` has the id `i + RESERVED`.
      max_pieces: longer texts are truncated to this number of pieces.
      lower: whether to lower-case the text.
      max_bytes: longer texts are truncated to this number of bytes before they are split.
      normalisation: how texts are normalised, see `zoo.text.normalise`.

    Call arguments:
      text: string `(batch,)`.

    Returns:
      int32 `(batch, time)`, where `time` ≥ 1 is the length of the longest row; 0 is padding.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        max_pieces: int,
        lower: bool = False,
        max_bytes: int = MAX_BYTES,
        normalisation: int = NONE,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary = list(vocabulary)
        self.max_pieces = max_pieces
        self.lower = lower
        self.max_bytes = max_bytes
        self.normalisation = normalisation
        self.built = True  # no weights to build
        self._sizes = range(max(len(piece) for piece in self.vocabulary), 0, -1)
        self._pieces = tf.constant(["", "\N{REPLACEMENT CHARACTER}", "", END_PIECE, *vocabulary])
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(self.vocabulary, tf.string),
                tf.range(RESERVED, len(self.vocabulary) + RESERVED, dtype=tf.int64),
            ),
            default_value=UNKNOWN,
        )

    @property
    def size(self) -> int:
        """Number of different ids."""
        return len(self.vocabulary) + RESERVED

    def whole_words(self) -> dict[int, str]:
        """Maps ids of pieces that are whole words or symbols to these, without the space."""
        pieces = enumerate(self.vocabulary, RESERVED)
        return {number: piece[1:] for number, piece in pieces if piece[0] == SPACE and piece[1:]}

    def cut(self, text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Returns the ids and the pieces of each text.

        Args:
          text: string `(batch,)`.

        Returns:
          int32 and string `(batch, None)`, ragged; each row ends with `END` or `END_PIECE`, unless
          the text was truncated.
        """
        ids, pieces, _ = self.measured(text)
        return ids, pieces

    def measured(
        self, text: tf.Tensor
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor, dict[str, tf.Tensor]]:
        """Returns the results of `cut`, and the distance of each text from the training texts.

        The distance has two values, float32 `(batch,)`: `unknown_words`, the fraction of words and
        symbols that are not a single known piece; and `novelty`, the number of pieces divided by
        the number of characters plus 10. Text of another language is split into many short pieces.
        """
        # A word has at least one piece; one piece too many shows that a text is too long.
        read = tf.strings.length(text) <= self.max_bytes
        begin = normalise(first_bytes(text, self.max_bytes), self.normalisation)
        words = split_words(begin, self.lower)
        words = words[:, : self.max_pieces + 1]
        different, which = tf.unique(words.flat_values)
        ids, pieces = self._cut_words(different)
        whole_word = (ids.row_lengths() == 1) & tf.reduce_all(ids != UNKNOWN, axis=1)
        sizes = tf.strings.length(different, "UTF8_CHAR")

        def total(values: tf.Tensor) -> tf.Tensor:  # sums word values over each text
            each = tf.gather(tf.cast(values, tf.float32), which)
            return tf.reduce_sum(words.with_flat_values(each), axis=1)

        count = tf.cast(words.row_lengths(), tf.float32)
        novelty = {
            "unknown_words": tf.math.divide_no_nan(total(~whole_word), count),
            "novelty": total(ids.row_lengths()) / (total(sizes) + FURTHER),
        }

        def rows(parts: tf.RaggedTensor, last: int | str) -> tf.RaggedTensor:
            inside = words.with_flat_values(tf.gather(parts, which))  # (batch, words, pieces)
            inside = inside.merge_dims(1, 2)
            whole = read & (inside.row_lengths() <= self.max_pieces)
            end = tf.ragged.boolean_mask(tf.fill([tf.size(whole), 1], last), whole[:, tf.newaxis])
            return tf.concat([inside[:, : self.max_pieces], end], axis=1)

        return rows(ids, END), rows(pieces, END_PIECE), novelty

    def _cut_words(self, words: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Splits all `words`, string `(words,)`, in parallel: one piece per word and step."""
        sizes = tf.constant(list(self._sizes))  # in descending order
        # In scripts without spaces, words are as long as sentences.
        words = tf.strings.substr(words, 0, self._sizes[0] * (self.max_pieces + 1), "UTF8_CHAR")
        lengths = tf.strings.length(words, "UTF8_CHAR")

        def more(start: tf.Tensor, ids: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
            return tf.reduce_any(start < lengths) & (tf.shape(ids)[1] <= self.max_pieces)

        def step(start: tf.Tensor, ids: tf.Tensor, pieces: tf.Tensor) -> tuple[tf.Tensor, ...]:
            left = lengths - start
            size = tf.minimum(sizes, left[:, tf.newaxis])  # (words, sizes)
            begin = tf.zeros_like(size) + start[:, tf.newaxis]
            tried = tf.strings.substr(words[:, tf.newaxis], begin, size, "UTF8_CHAR")
            found = self._table.lookup(tried)
            best = tf.argmax(found != UNKNOWN, axis=1)  # the first; 0 if there is none
            known = tf.gather(found, best, batch_dims=1)
            taken = tf.where(known == UNKNOWN, 1, tf.gather(size, best, batch_dims=1))
            taken = tf.minimum(taken, left)
            piece = tf.strings.substr(words, start, taken, "UTF8_CHAR")
            now = tf.where(left > 0, tf.cast(known, tf.int32), PADDING)
            return (
                start + taken,
                tf.concat([ids, now[:, tf.newaxis]], axis=1),
                tf.concat([pieces, piece[:, tf.newaxis]], axis=1),
            )

        count, growing = tf.shape(words)[0], tf.TensorShape([None, None])
        _, ids, pieces = tf.while_loop(
            more,
            step,
            (tf.zeros_like(lengths), tf.fill([count, 0], PADDING), tf.fill([count, 0], "")),
            shape_invariants=(lengths.shape, growing, growing),
        )
        real = ids != PADDING
        return tf.ragged.boolean_mask(ids, real), tf.ragged.boolean_mask(pieces, real)

    def call(self, text: tf.Tensor) -> tf.Tensor:
        return self.cut(text)[0].to_tensor(PADDING)

    def rows(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Returns the ids of each text of a whole dataset, int32 `(time,)`, like `cut`."""
        rows: list[np.ndarray] = []
        for ids in in_chunks(lambda text: self.cut(text)[0], texts):
            rows += np.split(ids.flat_values.numpy(), ids.row_splits.numpy()[1:-1])
        return rows

    def pieces(self, ids: tf.Tensor) -> tf.Tensor:
        """Converts ids, int `(...)`, to pieces, string `(...)`; padding and `BEGIN` give `""`."""
        return tf.gather(self._pieces, ids)

    def join(self, ids: tf.Tensor) -> tf.Tensor:
        """Converts ids, int32 `(..., time)`, to texts; ids that are not pieces are omitted.

        Returns:
          string `(...)`.
        """
        pieces = tf.where(ids < RESERVED, "", self.pieces(ids))
        text = tf.strings.regex_replace(tf.strings.reduce_join(pieces, axis=-1), SPACE, " ")
        return tf.strings.strip(text)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], None)

    def get_config(self) -> dict[str, Json]:
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary,
            "max_pieces": self.max_pieces,
            "lower": self.lower,
            "max_bytes": self.max_bytes,
            "normalisation": self.normalisation,
        }


class Encoder(NamedTuple):
    """Converts source and target texts to ids and back."""

    source: Subwords
    target: Subwords


def encoder_of(assets: Mapping[str, Any], max_pieces: int, max_bytes: int) -> Encoder:
    """Returns the encoder of a translator.

    Args:
      assets: contain `source_pieces`, which are in lower case (fewer different pieces, of which
        more is learnt), and `target_pieces`.
      max_pieces, max_bytes: as for `Subwords`.
    """

    def subwords(side: str, lower: bool) -> Subwords:
        limits = (max_pieces, lower, max_bytes)
        return Subwords(assets[f"{side}_pieces"], *limits, rule_of(assets), name=f"{side}_codec")

    return Encoder(subwords("source", lower=True), subwords("target", lower=False))


def piece_labels(
    assets: Mapping[str, Sequence[str]], x: Mapping[str, Iterable[int]]
) -> dict[str, list[str]]:
    """Returns the pieces of one input row, by the prefix of the layer names.

    Args:
      assets: contain `source_pieces` and `target_pieces`.
      x: ids `source` and `target`, `(time,)` each.
    """
    reserved = ["", "[UNK]", "<s>", "</s>"]  # padding, an unknown piece, begin, end
    named = {}
    for layer, side in (("encoder", "source"), ("decoder", "target")):
        pieces = [*reserved, *assets[f"{side}_pieces"]]
        named[layer] = [pieces[number] for number in x[side]]
    return named
