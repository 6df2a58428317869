"""Converts names of keys and chords to numbers, in the graph."""

from __future__ import annotations

import itertools

import keras
import tensorflow as tf

from recipes.music.keys import HIGHEST, KEYS, LOWEST, parse_chord, parse_key
from zoo.errors import UsageError

_ACCIDENTALS = ("", "#", "♯", "-", "b", "♭")


@keras.saving.register_keras_serializable("zoo")
class MusicEncoder(keras.layers.Layer):
    """Converts written keys and chords to numbers, with lookup tables of `recipes.music.keys`.

    Invalid text is treated as empty text and raises no error, because a server may put it in one
    batch with other requests. Only TensorFlow's core ops are used, so that any TF Serving binary
    runs them.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.built = True  # no weights to build
        notes = ["".join(note) for note in itertools.product("ABCDEFG", _ACCIDENTALS)]
        keys = {
            f"{note} {mode}": KEYS.index(parse_key(f"{note} {mode}")) + 1
            for note in notes
            for mode in ("major", "minor")
        }
        self._keys = _table({name.lower(): number for name, number in keys.items()})
        chords = {str(pitch): pitch for pitch in range(LOWEST, HIGHEST + 1)}
        for note, octave in itertools.product(notes, range(9)):
            try:
                (chords[f"{note}{octave}"],) = parse_chord(f"{note}{octave}")
            except UsageError:
                continue  # beyond the piano
        self._notes = _table({name.lower(): pitch for name, pitch in chords.items()})

    def key(self, text: tf.Tensor) -> tf.Tensor:
        """Returns int32 `(batch,)`: 1 + the key's index in `KEYS`; 0 for `""` and for invalid text.

        Args:
          text: string `(batch,)`: `"G major"`, `"b- minor"`, `"Bb minor"`.
        """
        words = tf.strings.regex_replace(tf.strings.strip(_lower(text)), r"\s+", " ")
        return tf.cast(self._keys.lookup(words), tf.int32)

    def key_name(self, number: tf.Tensor) -> tf.Tensor:
        """Returns the name of each key, string `(batch,)`; `""` for 0."""
        return tf.gather(tf.constant(["", *KEYS]), number)

    def chord(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns MIDI numbers, int32 `(batch, None)`, in the order in which they are written.

        Args:
          text: string `(batch,)`: `"G2 D3 B3 G4"` or `"43 50 59 67"`; words that are not
            notes of a piano are omitted.
        """
        words = tf.strings.split(tf.strings.regex_replace(_lower(text), r"[\s,;]+", " "))
        notes = words.with_flat_values(tf.cast(self._notes.lookup(words.flat_values), tf.int32))
        return tf.ragged.boolean_mask(notes, notes > 0)


def _lower(text: tf.Tensor) -> tf.Tensor:
    # ♯ and ♭ have no case; bytes that are not UTF-8 match no entry.
    return tf.strings.lower(text)


def _table(entries: dict[str, int]) -> tf.lookup.StaticHashTable:
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(list(entries), tf.string), tf.constant(list(entries.values()), tf.int64)
        ),
        default_value=0,
    )
