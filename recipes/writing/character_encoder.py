"""Converts text to character ids and back inside the graph, with TensorFlow's core ops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from zoo.assets import Json
from zoo.errors import ZooError
from zoo.utf8 import utf8

PADDING = 0


def learn_characters(texts: Iterable[str], size: int) -> list[str]:
    """Returns the `size` most frequent characters of the texts, in Unicode order.

    The line break is always included.

    Raises:
      ZooError: the texts contain no character.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(utf8(text).decode("utf-8", errors="ignore"))
    if not counts:
        raise ZooError("The texts are empty: there is no character to learn. Give other data.")
    counts["\n"] += 1
    frequent = sorted(counts, key=lambda character: (-counts[character], character))[:size]
    return sorted({*frequent[: size - 1], "\n"})


class Characters:
    """Maps characters to the ids 1, 2, … and back.

    Unknown characters and invalid UTF-8 are omitted.

    Args:
      characters: in Unicode order, as returned by `learn_characters`.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = list(characters)
        self._codes = np.array([ord(character) for character in characters], "int32")

    @property
    def size(self) -> int:
        """Number of ids, including padding."""
        return len(self.characters) + 1

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Converts texts, string `(batch,)`, to ids, int32 `(batch, (characters))`."""
        codes = tf.strings.unicode_decode(text, "UTF-8", errors="ignore")
        known = tf.constant(self._codes)
        place = tf.searchsorted(known, codes.flat_values)
        place = tf.minimum(place, len(self._codes) - 1)
        found = tf.gather(known, place) == codes.flat_values
        ids = codes.with_flat_values(tf.where(found, place + 1, PADDING))
        return tf.ragged.boolean_mask(ids, codes.with_flat_values(found))

    def portable(self) -> dict[str, Json]:
        """Returns the characters in a JSON-compatible form, see `zoo.serving.portable`.

        A text is read as if a line break preceded it.
        """
        return {"kind": "characters", "symbols": self.characters, "before": "\n"}

    def rows(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Returns the ids of each text, int32 `(characters,)`, by the same rules."""
        rows = []
        for text in texts:
            data = utf8(text).decode("utf-8", errors="ignore").encode("utf-32-le")
            codes = np.frombuffer(data, "<u4").astype("int32")
            place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
            rows.append((place + 1)[self._codes[place] == codes].astype("int32"))
        return rows

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """Counts the characters of the texts that have no id."""
        known = set(self.characters)
        counts = Counter(character for text in texts for character in text)
        return Counter({each: times for each, times in counts.items() if each not in known})

    def join(self, ids: tf.Tensor) -> tf.Tensor:
        """Converts ids, int `(batch, time)`, right-padded with 0, to texts, string `(batch,)`."""
        ragged = tf.RaggedTensor.from_tensor(ids, padding=PADDING)
        codes = ragged.with_flat_values(
            tf.gather(tf.constant(self._codes), tf.maximum(ragged.flat_values - 1, 0))
        )
        return tf.strings.unicode_encode(codes, "UTF-8")
