"""Names of keys and chords to numbers, inside the graph."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import tensorflow as tf

from zoo.errors import UsageError
from zoo.music.keys import HIGHEST, KEYS, LOWEST, parse_chord, parse_key

_ACCIDENTALS = ("", "#", "♯", "-", "b", "♭")


@keras.saving.register_keras_serializable("zoo")
class MusicEncoder(keras.layers.Layer):
    """Keys and chords as people write them, to numbers; tables of what `zoo.music.keys` reads.

    Only TensorFlow's core ops are used, so that any TF Serving binary runs them.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.built = True  # no weights to build
        notes = ["".join(note) for note in itertools.product("ABCDEFG", _ACCIDENTALS)]
        keys = {
            f"{note} {mode}": KEYS.index(parse_key(f"{note} {mode}")) + 1
            for note in notes
            for mode in ("major", "minor")
        }
        self._keys = _table({"": 0} | {name.lower(): number for name, number in keys.items()}, -1)
        chords = {str(pitch): pitch for pitch in range(LOWEST, HIGHEST + 1)}
        for note, octave in itertools.product(notes, range(9)):
            try:
                (chords[f"{note}{octave}"],) = parse_chord(f"{note}{octave}")
            except UsageError:
                continue  # beyond the piano
        self._notes = _table({name.lower(): pitch for name, pitch in chords.items()}, 0)

    def key(self, text: tf.Tensor) -> tf.Tensor:
        """Returns int32 `(batch,)`: 0 for `""`, else 1 + the key's place in `KEYS`.

        Args:
          text: string `(batch,)`: `"G major"`, `"b- minor"`, `"Bb minor"`.

        Raises:
          tf.errors.InvalidArgumentError: one is no key.
        """
        words = tf.strings.regex_replace(tf.strings.strip(_lower(text)), r"\s+", " ")
        keys = self._keys.lookup(words)
        message = "key must be a note and its mode, such as G major or Bb minor; got"
        wrong = tf.boolean_mask(text, keys < 0)
        with tf.control_dependencies(
            [tf.debugging.Assert(tf.reduce_all(keys >= 0), [message, wrong])]
        ):
            return tf.cast(keys, tf.int32)

    def chord(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns MIDI numbers, int32 `(batch, None)`, in the order in which they are written.

        Args:
          text: string `(batch,)`: `"G2 D3 B3 G4"` or `"43 50 59 67"`; `""` gives none.

        Raises:
          tf.errors.InvalidArgumentError: one is no note of a piano.
        """
        words = tf.strings.split(tf.strings.regex_replace(_lower(text), r"[\s,;]+", " "))
        notes = self._notes.lookup(words.flat_values)
        message = "chord must be notes from A0 to C8 with their octaves, such as G2 D3 B3; got"
        wrong = tf.boolean_mask(words.flat_values, notes == 0)
        with tf.control_dependencies(
            [tf.debugging.Assert(tf.reduce_all(notes > 0), [message, wrong])]
        ):
            return words.with_flat_values(tf.cast(notes, tf.int32))


def _lower(text: tf.Tensor) -> tf.Tensor:
    # ♯ and ♭ have no case; bytes that are no UTF-8 are no name either, and fit no entry.
    return tf.strings.lower(text)


def _table(entries: dict[str, int], default: int) -> tf.lookup.StaticHashTable:
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(list(entries), tf.string), tf.constant(list(entries.values()), tf.int64)
        ),
        default_value=default,
    )
