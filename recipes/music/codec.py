"""Converts tunes in ABC notation to ids and back, in the graph, by TensorFlow's core ops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from recipes.music import abc, modes
from zoo.assets import Json
from zoo.bounds import first_bytes, problems
from zoo.errors import ZooError
from zoo.text.chunks import in_chunks

PADDING, END = 0, 1
RESERVED = 2  # ids below this are neither a type, a key nor a token

MAX_BYTES = 100_000  # of a tune that is continued or scored


def learn_tunes(types: Sequence[str], keys: Sequence[str], tunes: Sequence[str]) -> dict[str, Json]:
    """Returns the arguments of a `TuneCodec` for the training tunes."""

    def ranked(values: Counter[str]) -> list[str]:
        return [value for value, _ in sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))]

    found = [abc.tokens(tune) for tune in tunes]
    by_type: dict[str, Counter[str]] = {}
    for kind, key in zip(types, keys, strict=True):
        by_type.setdefault(kind, Counter())[key] += 1
    return {
        "types": ranked(Counter(types)),
        "keys": ranked(Counter(keys)),
        "tokens": ranked(Counter(token for tokens in found for token in tokens)),
        "usual_keys": {kind: ranked(counts)[0] for kind, counts in by_type.items()},
        "meters": meters_of(types, found),
    }


@keras.saving.register_keras_serializable("zoo")
class TuneCodec(keras.layers.Layer):
    """Types, keys and tunes to ids: type, key, the tokens of `recipes.music.abc`, and an end.

    Args:
      types, keys: their names, the most frequent first.
      tokens: the tokens that there are.
      usual_keys: type to its most frequent key.
      meters: type to its metres, the most frequent first.

    Call arguments:
      kind, key, tune: string `(batch,)`.

    Returns:
      int32 `(batch, time)`; 0 is padding, on the right.
    """

    def __init__(
        self,
        types: Sequence[str],
        keys: Sequence[str],
        tokens: Sequence[str],
        usual_keys: Mapping[str, str],
        meters: Mapping[str, Sequence[str]],
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.types, self.keys, self.tokens = list(types), list(keys), list(tokens)
        self.usual_keys = dict(usual_keys)
        self.meters = {kind: list(found) for kind, found in meters.items()}
        self.end = END
        self.built = True  # no weights to build
        self.first_key = RESERVED + len(self.types)
        self.first_token = self.first_key + len(self.keys)
        self.size = self.first_token + len(self.tokens)
        names = {key: self.first_key + place for place, key in enumerate(self.keys)}
        kinds = {kind: RESERVED + place for place, kind in enumerate(self.types)}
        places = {token: self.first_token + place for place, token in enumerate(self.tokens)}
        self._kinds, self._keys, self._places = map(_table, (kinds, names, places))
        # By id: the default key and the default metre of each type.
        self._usual_key = [0] * RESERVED + [names[usual_keys[kind]] for kind in self.types]
        self._usual_meter = [0] * RESERVED + [places[f"[M:{meters[k][0]}]"] for k in self.types]
        self._is_meter = [token.startswith("[M:") for token in self.tokens]

    def conditions(self, kind: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns the ids of type and key, int32 `(batch, 2)`.

        `""` means the most frequent type, and the most frequent key of the type. An unknown one is
        replaced in the same way, and is a `problem`.
        """
        kinds = self._kinds.lookup(tf.strings.strip(kind))
        kinds = tf.where(kinds < 0, RESERVED, kinds)
        keys = self._keys.lookup(tf.strings.strip(key))
        keys = tf.where(keys < 0, tf.gather(self._usual_key, kinds), keys)
        return tf.stack([kinds, keys], axis=1)

    def problem(
        self,
        kind: tf.Tensor,
        key: tf.Tensor,
        tune: tf.Tensor | None = None,
        max_bytes: int = MAX_BYTES,
        *,
        unknown: bool = False,
    ) -> tf.Tensor:
        """Returns the problem of each row, string `(batch,)`: see `zoo.bounds.problems`.

        Args:
          kind, key, tune: string `(batch,)`.
          max_bytes: maximum size of a tune.
          unknown: whether tokens are allowed that no training tune has.
        """
        found = []
        for given, table, name, known in (
            (tf.strings.strip(kind), self._kinds, "types", self.types),
            (tf.strings.strip(key), self._keys, "keys", self.keys),
        ):
            text = f"Known {name} are {', '.join(known)}; got "
            found.append(((given != "") & (table.lookup(given) < 0), text + _start(given)))
        if tune is not None:
            long = tf.strings.length(tune) > max_bytes
            found.append((long, f"The tune is longer than {max_bytes:,} bytes"))
            if not unknown:
                strange = tf.reduce_any(self.split(first_bytes(tune, max_bytes)) < 0, axis=1)
                text = "The prime has signs that no training tune has; got "
                found.append((strange, text + _start(tune)))
        return problems(*found)

    def split(self, tune: tf.Tensor) -> tf.RaggedTensor:
        """Returns the ids of a tune's tokens, int32 `(batch, None)`; unknown ones are -1."""
        tune = tf.strings.unicode_transcode(tune, "UTF-8", "UTF-8", errors="replace")
        parts = tf.strings.split(tf.strings.regex_replace(tune, abc.TOKEN, r" \0 "))
        return parts.with_flat_values(self._places.lookup(parts.flat_values))

    def prefix(self, kind: tf.Tensor, key: tf.Tensor, prime: tf.Tensor) -> tf.RaggedTensor:
        """Returns the ids that a tune begins with: type, key, and the tokens of `prime`.

        A prime without a metre gets the most frequent one of the type; an empty one leaves the
        metre open. Unknown tokens are omitted, and are a `problem`.

        Returns:
          int32 `(batch, None)`.
        """
        conditions = self.conditions(kind, key)
        ids = self.split(prime)
        ids = tf.ragged.boolean_mask(ids, ids >= 0)
        first = ids[:, :1].to_tensor(0, shape=[None, 1])[:, 0]  # 0 where there is none
        place = tf.clip_by_value(first - self.first_token, 0, len(self.tokens) - 1)
        given = tf.gather(self._is_meter, place) | (first == 0)
        meter = tf.gather(self._usual_meter, conditions[:, 0])
        meter = tf.RaggedTensor.from_tensor(meter[:, tf.newaxis], lengths=tf.cast(~given, tf.int64))
        return tf.concat([conditions, meter, ids], axis=1)

    def ragged(self, kind: tf.Tensor, key: tf.Tensor, tune: tf.Tensor) -> tf.RaggedTensor:
        """Returns type, key, tokens and the end, int32 `(batch, None)`; without unknown tokens."""
        ids = self.split(tune)
        ids = tf.ragged.boolean_mask(ids, ids >= 0)
        conditions = self.conditions(kind, key)
        return tf.concat([conditions, ids, tf.fill([tf.shape(kind)[0], 1], END)], axis=1)

    def call(self, kind: tf.Tensor, key: tf.Tensor, tune: tf.Tensor) -> tf.Tensor:
        return self.ragged(kind, key, tune).to_tensor(PADDING)

    def rows(
        self, types: Sequence[str], keys: Sequence[str], tunes: Sequence[str]
    ) -> list[np.ndarray]:
        """Returns the ids of a whole data set, int32 `(time,)` per row.

        Raises:
          ZooError: a type or key is unknown.
        """
        for wrong in set(self.problem(tf.constant(types), tf.constant(keys)).numpy()) - {b""}:
            raise ZooError(f"{wrong.decode()} Omit such tunes, or train on them too.")
        rows: list[np.ndarray] = []
        for ids in in_chunks(self.ragged, types, keys, tunes):
            rows += np.split(ids.flat_values.numpy(), ids.row_splits.numpy()[1:-1])
        return rows

    def text(self, ids: tf.Tensor, prefix: tf.RaggedTensor) -> tf.Tensor:
        """Returns whole ABC tunes, string `(batch,)`: fields and four bars a line.

        Tokens after the last bar line are omitted: the tune was cut there by the number of steps.

        Args:
          ids: int32 `(batch, time)`, the ids after the prefix, 0 at padding.
          prefix: int32 `(batch, None)`, the result of `prefix`.
        """
        kinds = [f"T:{kind.capitalize()} in " for kind in self.types]
        keys = [f"{key.replace('-', 'b')}\n" for key in self.keys]
        fields = [f"R:{kind}\n" for kind in self.types]
        signatures = [f"L:1/8\nK:{modes.key_field(key)}\n" for key in self.keys]
        signs = ["", "", *[""] * (self.first_token - RESERVED)]
        signs += [f" {t} " if t in abc.BARS or t[0] == "[" else t for t in self.tokens]
        conditions = prefix[:, :2].to_tensor(shape=[None, 2])
        kind, key = conditions[:, 0] - RESERVED, conditions[:, 1] - self.first_key
        body = tf.gather(signs, tf.concat([prefix[:, 2:].to_tensor(), ids], axis=1))
        notes = tf.strings.reduce_join(body, axis=1)
        notes = tf.strings.regex_replace(notes, r"^(.*\|\]?)[^|]*$", r"\1")
        notes = tf.strings.strip(tf.strings.regex_replace(notes, " +", " "))
        meter = r"^\[M:([0-9]+/[0-9]+)\]"
        has = tf.strings.regex_full_match(notes, meter + ".*")
        field = tf.strings.regex_replace(notes, meter + ".*$", r"M:\1")
        notes = tf.strings.regex_replace(notes, meter + " ?", "")
        notes = tf.strings.regex_replace(notes, r"(:\||\|\||\|\]) ", r"\1" + "\n")
        notes = tf.strings.regex_replace(notes, r"((?:[^|\n]*\| ){3}[^|\n]*\|) ", r"\1" + "\n")
        return tf.strings.join(
            [
                "X:1\n",
                tf.gather(kinds, kind),
                tf.gather(keys, key),
                tf.gather(fields, kind),
                tf.where(has, field, "M:none"),
                "\n",
                tf.gather(signatures, key),
                notes,
                "\n",
            ]
        )

    def compute_output_shape(self, input_shape: tuple, *_: object) -> tuple:
        return (input_shape[0], None)

    def get_config(self) -> dict[str, object]:
        names = ("types", "keys", "tokens", "usual_keys", "meters")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _table(places: Mapping[str, int]) -> tf.lookup.StaticHashTable:
    names = tf.constant(list(places), tf.string)
    ids = tf.constant(list(places.values()), tf.int32)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(names, ids), -1)


def _start(text: tf.Tensor) -> tf.Tensor:
    """Returns the first 40 characters of texts, on one line, for messages."""
    text = tf.strings.unicode_transcode(first_bytes(text, 160), "UTF-8", "UTF-8", errors="replace")
    zero, size = tf.zeros(tf.shape(text), tf.int32), tf.fill(tf.shape(text), 40)
    text = tf.strings.substr(text, zero, size, unit="UTF8_CHAR")
    return tf.strings.strip(tf.strings.regex_replace(text, r"[\s\pC]+", " "))


# Minimum fraction of a type's training tunes with a metre; rarer metres do not fit the type.
LEAST_OF_A_METER = 0.05


def meters_of(types: Sequence[str], tunes: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """Returns the metres that fit each type, the most frequent first.

    Args:
      types: the type of each tune.
      tunes: tokens, the metre first.
    """
    counts: dict[str, Counter[str]] = {}
    for kind, tokens in zip(types, tunes, strict=True):
        counts.setdefault(kind, Counter())[abc.meter_of(tokens)] += 1
    return {
        kind: [
            meter
            for meter, number in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
            if number >= LEAST_OF_A_METER * found.total()
        ]
        for kind, found in counts.items()
    }
