"""Frames of notes as a sequence of ids, generated like any other sequence.

A network that predicts a frame gives, for each key i from the lowest to the highest, the logit
l_i that it sounds, given the keys below it. If j is the highest key that sounds so far, then

    p(next note is k) = sigmoid(l_k) prod_{j<i<k} (1 - sigmoid(l_i)),   k > j
    p(frame is over)  = prod_{i>j} (1 - sigmoid(l_i))

add up to 1, and the product of these over the notes of a frame and its end is the probability of
the frame. A frame is therefore written as its notes, ascending, and an id for its end:

    0  padding    1 … keys  a note    keys + 1  the end of a frame    keys + 2 …  a condition

A condition begins a piece: 0 if its key is unknown, or the number of its key and mode.

A network may also predict the probability e_t that a piece is over before frame t. Then the end of
the piece is one more id: p(the piece is over) = e_t, and the probabilities above are multiplied
by 1 - e_t, at the beginning of a frame. Such a network reads the number of frames that are left, if
it is known, as digits before the condition (`FrameChain.countdown`).
"""

from __future__ import annotations

import dataclasses

import keras
import tensorflow as tf

from recipes.music.keys import KEYS, tonic
from recipes.music.losses import frame_nats
from zoo.decoding.sampling import IMPOSSIBLE, PADDING, State, Step

BASE, DIGITS = 32, 3  # of the number of frames that are left
NEVER = BASE**DIGITS - 1  # frames left in a piece that does not end
FINAL = 2  # minimum frames of the last chord where a count of frames ends the piece


@dataclasses.dataclass(frozen=True)
class FrameChain:
    """The ids of a network that predicts frames.

    Attributes:
      voices: maximum number of notes of a generated frame; after these its end is certain.
      conditions: number of conditions, 0 (unknown) included.
      keys: number of keys.
      lowest: MIDI number of the lowest key.
      ends: whether the network predicts the end of a piece, and reads how many frames are left.
      cadences: whether a piece in a known key ends only on the tonic triad in root position. The
        network decides when; only a count of frames forces the chord. The conditions are then 0
        and `recipes.music.keys.KEYS`.
    """

    voices: int = 4
    conditions: int = 25
    keys: int = 88
    lowest: int = 21
    ends: bool = False
    cadences: bool = False

    @property
    def end(self) -> int:
        """The id of a frame's end."""
        return self.keys + 1

    @property
    def first(self) -> int:
        """The id of condition 0; the ids of the other conditions follow."""
        return self.keys + 2

    @property
    def zero(self) -> int:
        """The id of the digit 0; the ids of the other digits follow. Only where `ends`."""
        return self.first + self.conditions

    @property
    def over(self) -> int | None:
        """The id of the end of a piece; None where the network does not predict it."""
        return self.zero + BASE if self.ends else None

    @property
    def size(self) -> int:
        """Number of ids, padding included."""
        return self.zero + (BASE + 1 if self.ends else 0)

    def countdown(self, frames: tf.Tensor) -> tf.Tensor:
        """Returns the digits that go before a condition, int32 `(rows, DIGITS)`.

        Args:
          frames: int32 `(rows,)`: the frames of the whole piece, below `NEVER - 1`; 0 if they are
            unknown, -1 if the piece never ends.
        """
        left = tf.where(frames > 0, frames + 1, tf.where(frames < 0, NEVER, 0))
        places = BASE ** tf.range(DIGITS - 1, -1, -1)
        return self.zero + left[:, tf.newaxis] // places % BASE

    def next_ids(
        self,
        logits: tf.Tensor,
        frame: tf.Tensor,
        over: tf.Tensor | None = None,
        left: tf.Tensor | None = None,
        condition: tf.Tensor | None = None,
        last: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the log-probabilities of the next id.

        Args:
          logits: float `(rows, keys)`: logits of the keys above those that sound, given these.
          frame: float `(rows, keys)`: 1 for the keys that sound so far.
          over: float `(rows,)`: the logit that the piece is over. Only where `ends`.
          left: int32 `(rows,)`: frames that are left, this one included, plus 1; 0 if they are
            unknown, `NEVER` if the piece does not end. Only where `ends`.
          condition: int32 `(rows,)`. Only where `cadences`.
          last: float `(rows, keys)`: the frame before. Only where `cadences`.

        Returns:
          float32 `(rows, size)`; padding and conditions are impossible.
        """
        silent = tf.cumsum(frame, axis=1, reverse=True) == 0  # keys above the highest that sounds
        silent &= tf.reduce_sum(frame, axis=1, keepdims=True) < self.voices
        off = tf.where(silent, tf.math.log_sigmoid(-logits), 0.0)
        note = tf.cumsum(off, axis=1, exclusive=True) + tf.math.log_sigmoid(logits)
        rows = tf.shape(logits)[0]
        ids = [
            tf.fill([rows, 1], IMPOSSIBLE),
            tf.where(silent, note, IMPOSSIBLE),
            tf.reduce_sum(off, axis=1, keepdims=True),
            tf.fill([rows, self.conditions], IMPOSSIBLE),
        ]
        if over is None:
            return tf.concat(ids, axis=1)
        # The end is decided before the first note of a frame, unless a count of frames decides it.
        begins = tf.reduce_sum(frame, axis=1) == 0
        if condition is not None and left is not None:
            allowed, on_tonic = self._cadence(frame, condition, last)
            final = (left > 1) & (left <= 1 + FINAL) & (condition > 0)
            ids[1] = tf.where(final[:, tf.newaxis] & ~allowed, IMPOSSIBLE, ids[1])
            ids[2] = tf.where((final & begins)[:, tf.newaxis], IMPOSSIBLE, ids[2])
            over = tf.where((condition > 0) & ~on_tonic, IMPOSSIBLE, over)
        stop = tf.where(left == 0, tf.math.log_sigmoid(over), tf.where(left == 1, 0.0, IMPOSSIBLE))
        go_on = tf.where(left == 0, tf.math.log_sigmoid(-over), tf.where(left == 1, IMPOSSIBLE, 0))
        stop = tf.where(begins, stop, IMPOSSIBLE)
        go_on = tf.where(begins, go_on, 0.0)[:, tf.newaxis]
        ids = [tf.maximum(part + go_on, IMPOSSIBLE) for part in ids]
        digits = tf.fill([rows, BASE], IMPOSSIBLE)
        return tf.concat([*ids, digits, stop[:, tf.newaxis]], axis=1)

    def _cadence(
        self, frame: tf.Tensor, condition: tf.Tensor, last: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns which keys belong to a final chord, and whether the frame before is a final one.

        Args:
          frame, last: float `(rows, keys)`.
          condition: int32 `(rows,)`.

        Returns:
          bool `(rows, keys)`, and bool `(rows,)`.
        """
        roots = [0, *(tonic(key) for key in KEYS)]
        minor = [False, *(key.endswith("minor") for key in KEYS)]
        root = tf.gather(tf.constant(roots), condition)[:, tf.newaxis]
        degree = (tf.range(self.lowest, self.lowest + self.keys) - root) % 12  # (rows, keys)
        is_minor = tf.gather(tf.constant(minor), condition)[:, tf.newaxis]
        is_third = (degree == 4) | (is_minor & (degree == 3))  # a minor key may end in major
        in_triad = (degree == 0) | (degree == 7) | is_third

        def sounds(where: tf.Tensor, chord: tf.Tensor) -> tf.Tensor:
            return tf.reduce_any(where & (chord > 0), axis=1, keepdims=True)

        other_third = tf.where(
            sounds(degree == 3, frame), 4, tf.where(sounds(degree == 4, frame), 3, -1)
        )
        first = tf.reduce_sum(frame, axis=1, keepdims=True) == 0
        allowed = in_triad & (degree != other_third) & (~first | (degree == 0))
        bass = tf.argmax(last, axis=1, output_type=tf.int32)
        chord = sounds(is_third, last) & ~sounds(~in_triad, last)
        chord &= ~(sounds(degree == 3, last) & sounds(degree == 4, last))
        rooted = tf.gather(degree, bass, batch_dims=1) == 0
        return allowed, chord[:, 0] & rooted

    def cut(
        self, frames: tf.Tensor, length: tf.Tensor, condition: tf.Tensor, first: tf.Tensor
    ) -> tf.Tensor:
        """Returns the last possible end of each piece, int32 `(batch,)`, at most `length`.

        Args:
          frames: int32 `(batch, time, voices)`, as of `to_frames`.
          length: int32 `(batch,)`: frames of each piece.
          condition: int32 `(batch,)`.
          first: int32 `(batch,)`: the frames that a piece keeps in any case.

        Returns:
          The end of the last tonic triad in root position; `length` where there is none after the
          first frames and in the second half, or where the key is unknown.
        """
        shape = tf.shape(frames)
        notes = tf.reshape(self.multi_hot(frames), [-1, self.keys])
        _, on_tonic = self._cadence(notes, tf.repeat(condition, shape[1]), notes)
        place = tf.range(1, shape[1] + 1)
        fits = tf.reshape(on_tonic, shape[:2]) & (place <= length[:, tf.newaxis])
        last = tf.maximum(tf.reduce_max(tf.where(fits, place, 0), axis=1), 0)
        return tf.where((condition > 0) & (last > first) & (2 * last >= length), last, length)

    def step(self, model: keras.Model) -> tuple[Step, dict[str, tf.TensorSpec]]:
        """Converts a network that predicts all frames of a piece to one that predicts single ids.

        Args:
          model: of inputs `before` `(rows, time, keys)`, `notes` `(rows, time, keys)`, `key`
            `(rows,)` and, where `ends`, `left` `(rows, time)`: layers that compute each step
            separately, then stacked recurrent layers, then a layer named `head` with a method
            `above` like `NADE` and, where `ends`, one named `over`. Between these, only layers
            that do nothing outside of training, such as dropout.

        Returns:
          A function of ids int32 `(rows,)` and a state, a dict of tensors `(rows, ...)`, to
          log-probabilities of the next id, float32 `(rows, size)`, and the next state; and the
          specs of the state, which starts as zeros. A condition begins a piece and resets the
          state; padding changes nothing.
        """
        rnns = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
        names = ("before", "key", "left") if self.ends else ("before", "key")
        input_model = keras.Model({name: model.input[name] for name in names}, rnns[0].input)
        head = model.get_layer("head")
        over = model.get_layer("over") if self.ends else None
        sizes = {
            f"{rnn.name}_{part}": size
            for rnn in rnns
            for part, size in enumerate(tf.nest.flatten(rnn.cell.state_size))
        }

        def advance(
            before: tf.Tensor, key: tf.Tensor, left: tf.Tensor, states: State
        ) -> tuple[tf.Tensor, State]:
            """Returns the head's input `(rows, units)` for the frame after `before`."""
            inputs = {"before": before[:, tf.newaxis], "key": key}
            if self.ends:
                told = tf.where(left == NEVER, 0, left)[:, tf.newaxis]
                inputs["left"] = tf.cast(told, model.input["left"].dtype)
            output = input_model(inputs, training=False)[:, 0]
            new: State = {}
            for rnn in rnns:
                names = [name for name in sizes if name.rpartition("_")[0] == rnn.name]
                output, after = rnn.cell(output, [states[name] for name in names], training=False)
                new |= dict(zip(names, tf.nest.flatten(after), strict=True))
            return output, new

        def step(ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            begins = ids >= self.first
            is_note = (ids > PADDING) & (ids <= self.keys)
            note = tf.one_hot(tf.where(is_note, ids - 1, -1), self.keys)
            frame = tf.maximum(state["frame"], note)
            ends_frame = ids == self.end
            left = tf.zeros_like(ids)
            if self.ends:
                is_digit = (ids >= self.zero) & (ids < self.zero + BASE)
                begins &= ids < self.zero
                left = state["left"]
                counted = ends_frame & (left > 0) & (left < NEVER)
                left = tf.where(counted, tf.maximum(left - 1, 1), left)
                left = tf.where(is_digit, left * BASE + ids - self.zero, left)
            condition = tf.where(begins, ids - self.first, state["condition"])
            # The recurrent layers take a step where a frame ends or a piece begins. At the
            # beginning, the frame before is silence and the state is zero.
            fresh = begins[:, tf.newaxis]
            output, states = advance(
                tf.where(fresh, 0.0, frame),
                condition,
                left,
                {name: tf.where(fresh, 0.0, state[name]) for name in sizes},
            )
            moves = (begins | ends_frame)[:, tf.newaxis]
            new = {
                "condition": condition,
                "frame": tf.where(moves, 0.0, frame),
                "output": tf.where(moves, output, state["output"]),
                **{name: tf.where(moves, states[name], state[name]) for name in sizes},
            }
            logits = head.above(new["output"], new["frame"])
            if over is None:
                return self.next_ids(logits, new["frame"]), new
            new["left"] = left
            logit = over(new["output"])[:, 0]
            if not self.cadences:
                return self.next_ids(logits, new["frame"], logit, left), new
            new["last"] = tf.where(begins[:, tf.newaxis], 0.0, state["last"])
            new["last"] = tf.where(ends_frame[:, tf.newaxis], frame, new["last"])
            ids = self.next_ids(logits, new["frame"], logit, left, condition, new["last"])
            return ids, new

        units = {"frame": self.keys, "output": rnns[-1].units, **sizes}
        if self.cadences:
            units["last"] = self.keys
        specs = {name: tf.TensorSpec([None, size], tf.float32) for name, size in units.items()}
        numbers = ("condition", "left") if self.ends else ("condition",)
        return step, {**{name: tf.TensorSpec([None], tf.int32) for name in numbers}, **specs}

    def score(
        self, model: keras.Model, key: tf.Tensor, frames: tf.Tensor, length: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns the log-probability of pieces, without the first frame, which is not predicted.

        Args:
          model: as in `step`.
          key: int32 `(batch,)`: the condition of each piece.
          frames: int32 `(batch, time, voices)`: MIDI numbers, 0 for none.
          length: int32 `(batch,)`: frames of each piece; further ones are padding.

        Returns:
          `log_probability`, float32 `(batch,)`, in nats, of the frames alone, not of the end of
          the piece; and `count`, int32 `(batch,)`: the frames that were predicted.
        """
        notes = self.multi_hot(frames)
        before = tf.pad(notes[:, :-1], [[0, 0], [1, 0], [0, 0]])
        inputs = {"before": before, "notes": notes, "key": key}
        if self.ends:
            inputs["left"] = tf.zeros(tf.shape(frames)[:2], model.input["left"].dtype)
        logits = model(inputs, training=False)[..., : self.keys]
        time = tf.range(tf.shape(frames)[1])
        inside = (time > 0) & (time < length[:, tf.newaxis])
        nats = tf.where(inside, frame_nats(notes, logits), 0.0)
        count = tf.math.count_nonzero(inside, axis=1, dtype=tf.int32)
        return {"log_probability": -tf.reduce_sum(nats, axis=1), "count": count}

    def is_note(self, frames: tf.Tensor) -> tf.Tensor:
        """Returns which numbers, int32 `(...)`, are those of keys, bool `(...)`."""
        return (frames >= self.lowest) & (frames < self.lowest + self.keys)

    def multi_hot(self, frames: tf.Tensor) -> tf.Tensor:
        """Returns MIDI numbers `(..., voices)`, 0 for none, as float32 `(..., keys)` of 0 and 1."""
        shape = tf.shape(frames)
        where = tf.where(self.is_note(frames))
        notes = tf.gather_nd(frames, where) - self.lowest
        index = tf.concat([where[:, :-1], tf.cast(notes, tf.int64)[:, tf.newaxis]], axis=1)
        ones = tf.ones_like(notes, tf.float32)
        shape = tf.concat([shape[:-1], [self.keys]], axis=0)
        roll = tf.scatter_nd(index, ones, tf.cast(shape, tf.int64))
        return tf.ensure_shape(tf.minimum(roll, 1.0), [*frames.shape[:-1], self.keys])

    def to_ids(self, frames: tf.Tensor, length: tf.Tensor) -> tf.RaggedTensor:
        """Returns pieces as ids, without a condition.

        Args:
          frames: int32 `(batch, time, voices)`: MIDI numbers in any order; numbers outside the
            keys, such as 0, are ignored.
          length: int32 `(batch,)`: frames of each piece; further ones are padding.

        Returns:
          int32 `(batch, None)`, ragged.
        """
        notes = tf.sort(tf.where(self.is_note(frames), frames - self.lowest + 1, 0), axis=-1)
        duplicate = notes[..., 1:] == notes[..., :-1]
        notes = tf.concat([notes[..., :1], tf.where(duplicate, 0, notes[..., 1:])], axis=-1)
        ends = tf.fill([*tf.unstack(tf.shape(notes))[:-1], 1], self.end)
        ids = tf.concat([notes, ends], axis=-1)
        time = tf.range(tf.shape(ids)[1])[:, tf.newaxis]
        kept = (ids > 0) & (time < length[:, tf.newaxis, tf.newaxis])
        flat = [tf.shape(ids)[0], -1]
        return tf.ragged.boolean_mask(tf.reshape(ids, flat), tf.reshape(kept, flat))

    def to_frames(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the complete frames of ids int32 `(batch, time)`, 0 at padding.

        Conditions are ignored.

        Returns:
          int32 `(batch, frames, voices)`: MIDI numbers, ascending, then 0 for none, with as
          many voices as the fullest frame, at least `self.voices`; and int32 `(batch,)`: the
          number of frames of each piece.
        """
        ends = tf.cast(ids == self.end, tf.int32)
        frame = tf.cumsum(ends, axis=1, exclusive=True)
        length = tf.reduce_sum(ends, axis=1)
        is_note = (ids > PADDING) & (ids <= self.keys) & (frame < length[:, tf.newaxis])
        where = tf.where(is_note)
        index = tf.stack(
            [
                tf.cast(where[:, 0], tf.int32),
                tf.gather_nd(frame, where),
                tf.gather_nd(ids, where) - 1,
            ],
            axis=1,
        )
        shape = [tf.shape(ids)[0], tf.reduce_max(length), self.keys]
        sounds = tf.scatter_nd(index, tf.ones_like(index[:, 0]), shape) > 0
        voices = tf.reduce_sum(tf.cast(sounds, tf.int32), axis=-1)
        width = tf.maximum(self.voices, tf.reduce_max(voices, [0, 1]))
        # The numbers are negative, so the highest ones belong to the lowest keys.
        order = tf.where(sounds, -tf.range(self.lowest, self.lowest + self.keys), -1000)
        notes = -tf.math.top_k(order, width).values
        return tf.where(notes < 1000, notes, 0), length
