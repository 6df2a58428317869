"""Signatures of word-level language models: generation, and the probability of each word.

The network is combined with a cache: words that followed similar states are likely to recur (E.
Grave, A. Joulin, N. Usunier: Improving Neural Language Models with a Continuous Cache, ICLR 2017).

    p(w | h_t) = (1 - λ) softmax(E h_t + b)_w + λ Σ_i [x_{i+1} = w] softmax_i(θ h_t · h_i)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from zoo.bounds import in_parts, marked, problems
from zoo.decoding.sampling import State, Step

if TYPE_CHECKING:
    from zoo.serving.signatures import Functions

BLOCK = 64  # words of a text that are processed together
ROWS = 8  # texts that are processed together
SHARPNESS = (0.1, 0.2, 0.4, 0.8)  # candidate values of θ; chosen on the validation split


@dataclasses.dataclass(frozen=True)
class Cache:
    """Parameters of the cache of recent words.

    Attributes:
      size: number of words that the cache stores; 0 for no cache.
      weight: λ.
      sharpness: θ.
    """

    size: int
    weight: float
    sharpness: float


NO_CACHE = Cache(0, 0.0, 0.0)


def state_specs(model: keras.Model, size: int) -> dict[str, tf.TensorSpec]:
    """Returns the specs of the state: that of the network, and that of a cache of this size."""
    units = model.get_layer("embedding").output_dim
    specs = {}
    for number, layer in enumerate(_recurrent(model)):
        for place in (2 * number, 2 * number + 1):
            specs[f"state_{place}"] = tf.TensorSpec([None, layer.units], tf.float32)
    if size:
        specs["last"] = tf.TensorSpec([None, units], tf.float32)
        specs["memory"] = tf.TensorSpec([None, size, units], tf.float32)
        specs["words"] = tf.TensorSpec([None, size], tf.int32)
    return {name: tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in specs.items()}


def _recurrent(model: keras.Model) -> list[keras.layers.LSTM]:
    """Returns the forward LSTMs."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Bidirectional):
            found.append(layer.forward_layer)
        elif hasattr(layer, "lstm"):
            found.append(layer.lstm)
    return found


def _empty(specs: dict[str, tf.TensorSpec], rows: tf.Tensor) -> State:
    return {name: tf.zeros([rows, *spec.shape[1:]], spec.dtype) for name, spec in specs.items()}


def _advance(model: keras.Model, ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
    """Reads ids, int32 `(rows, time)`.

    Returns:
      The states h that predict the next ids, float32 `(rows, time, units)`, and the state after
      the last id.
    """
    x, new = model.get_layer("embedding")(ids), dict(state)
    for number, layer in enumerate(_recurrent(model)):
        names = [f"state_{2 * number}", f"state_{2 * number + 1}"]
        before = [state[name] for name in names]
        if ids.shape[1] == 1:  # a loop over one step is slower than the step
            x, after = layer.cell(x[:, 0], before, training=False)
            x = x[:, tf.newaxis]
        else:
            x, *after = layer(x, initial_state=before, training=False)
        new |= dict(zip(names, after, strict=True))
    return model.get_layer("projection")(x), new


def _remember(
    size: int, ids: tf.Tensor, states: tf.Tensor, state: State
) -> tuple[tf.Tensor, tf.Tensor, State]:
    """Adds ids, `(rows, time)`, and the states after them to the cache.

    Returns:
      `keys`, float32 `(rows, size + time, units)`; the word after each key, int32 `(rows, size +
      time)`, 0 for none; and the new state. At time t, the cache holds entries t + 1 to t + size.
    """
    begun = tf.reduce_any(state["last"] != 0, axis=1, keepdims=True)
    first = tf.where(begun, ids[:, :1], 0)  # there is no state before the first id
    keys = tf.concat([state["memory"], state["last"][:, tf.newaxis], states[:, :-1]], axis=1)
    words = tf.concat([state["words"], first, ids[:, 1:]], axis=1)
    time = tf.shape(ids)[1]
    kept = {"last": states[:, -1], "memory": keys[:, time:], "words": words[:, time:]}
    shaped = {name: tf.ensure_shape(kept[name], state[name].shape) for name in kept}
    return keys, words, {**state, **shaped}


def _shares(
    size: int, keys: tf.Tensor, words: tf.Tensor, states: tf.Tensor, sharpness: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the cache's softmax, `(rows, time, size + time)`, and where it is not empty.

    Args:
      keys, words: results of `_remember`.
      states: float32 `(rows, time, units)`.
    """
    time = tf.shape(states)[1]
    place, now = tf.range(size + time), tf.range(time)[:, tf.newaxis]
    inside = (place > now) & (place <= now + size) & (words != 0)[:, tf.newaxis]
    scores = sharpness * tf.matmul(states, keys, transpose_b=True)
    shares = tf.nn.softmax(tf.where(inside, scores, -1e9))
    known = tf.reduce_any(inside, axis=2)
    return tf.where(inside, shares, 0.0), known


def word_step(model: keras.Model, cache: Cache) -> tuple[Step, dict[str, tf.TensorSpec]]:
    """Returns the generation step, see `zoo.decoding.sampling.Step`, and the specs of its state.

    Args:
      model: has the layers `embedding` (a `TiedEmbedding`) and `projection`, with `CarriedLSTM`s
        between them, or a `Bidirectional`, of which only the forward layer is used; its LSTMs
        return sequences and states.
      cache: the parameters of the cache.
    """
    embedding = model.get_layer("embedding")

    def step(ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        ids = ids[:, tf.newaxis]
        states, state = _advance(model, ids, state)
        logits = embedding.logits(states[:, 0])
        if not cache.size:
            return logits, state
        keys, words, state = _remember(cache.size, ids, states, state)
        shares, known = _shares(cache.size, keys, words, states, cache.sharpness)
        rows, size = tf.shape(ids)[0], embedding.input_dim
        place = words + size * tf.range(rows)[:, tf.newaxis]
        repeated = tf.math.unsorted_segment_sum(shares[:, 0], place, rows * size)
        weight = tf.where(known, cache.weight, 0.0)
        mixed = (1 - weight) * tf.nn.softmax(logits)
        mixed += weight * tf.reshape(repeated, [rows, size])
        return tf.math.log(tf.maximum(mixed, 1e-30)), state

    return step, state_specs(model, cache.size)


def read_words(
    model: keras.Model, ids: tf.RaggedTensor, size: int, sharpness: tuple[float, ...]
) -> dict[str, tf.Tensor]:
    """Returns the probability of each id of the texts, given the ids before it.

    Args:
      model: as in `word_step`.
      ids: int32 `(batch, (time))`; the first one of each row is not predicted.
      size: number of words that the cache stores; 0 for no cache.
      sharpness: values of θ.

    Returns:
      `log_probability`, float32 `(batch, time)`, of the network alone; `repeated`, float32
      `(batch, time, values)`, the probability of the cache alone, -1 where it is empty; `length`,
      int32 `(batch,)`.
    """
    embedding, specs = model.get_layer("embedding"), state_specs(model, size)

    def read(rows: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        before, after = rows["ids"][:, :-1], rows["ids"][:, 1:]
        count = tf.shape(before)[0]

        def block(
            start: tf.Tensor, state: State, logs: tf.Tensor, repeated: tf.Tensor
        ) -> tuple[tf.Tensor, State, tf.Tensor, tf.Tensor]:
            ids, true = (part[:, start : start + BLOCK] for part in (before, after))
            states, state = _advance(model, ids, state)
            logs = tf.concat([logs, embedding(true, states)[:, :, 0]], axis=1)
            if size:
                keys, words, state = _remember(size, ids, states, state)
                same = words[:, tf.newaxis] == true[:, :, tf.newaxis]
                values = []
                for value in sharpness:
                    shares, known = _shares(size, keys, words, states, value)
                    found = tf.reduce_sum(tf.where(same, shares, 0.0), axis=2)
                    values.append(tf.where(known, found, -1.0))
                repeated = tf.concat([repeated, tf.stack(values, axis=2)], axis=1)
            return start + BLOCK, state, logs, repeated

        begun = (
            tf.constant(0),
            _empty(specs, count),
            tf.zeros([count, 0]),
            tf.zeros([count, 0, len(sharpness)]),
        )
        shapes = (
            tf.TensorShape([]),
            {name: spec.shape for name, spec in specs.items()},
            tf.TensorShape([None, None]),
            tf.TensorShape([None, None, len(sharpness)]),
        )
        *_, logs, repeated = tf.while_loop(
            lambda start, *_: start < tf.shape(before)[1], block, begun, shape_invariants=shapes
        )
        return {"log_probability": tf.where(after == 0, 0.0, logs), "repeated": repeated}

    dense = ids.to_tensor(0)
    dense = tf.pad(dense, [[0, 0], [0, tf.maximum(0, 2 - tf.shape(dense)[1])]])
    outputs = {
        "log_probability": tf.TensorSpec([None, None], tf.float32),
        "repeated": tf.TensorSpec([None, None, len(sharpness)], tf.float32),
    }
    lengths = tf.maximum(tf.cast(ids.row_lengths(), tf.int32) - 1, 0)
    return {**in_parts(read, {"ids": dense}, outputs, ROWS), "length": lengths}


def word_signatures(
    model: keras.Model,
    encode: Callable[[tf.Tensor], tf.RaggedTensor],
    join: Callable[[tf.Tensor], tf.Tensor],
    cache: Cache,
    *,
    max_bytes: int,
    max_prompt: int,
    max_steps: int,
    **options: Any,
) -> Functions:
    """Returns arguments of `zoo.serving.Served`: `generation`, `score`, and `words` in `others`.

    Args:
      model: as in `word_step`.
      encode: converts texts, string `(batch,)`, to ids, int32 `(batch, (ids))`, at least one per
        text; the first one is not scored.
      join: converts ids, int32 `(batch, time)`, right-padded with 0, to texts, string `(batch,)`.
      cache: the cache that generation and scores use.
      max_bytes: longer texts have no score; of longer prompts, only the last bytes are read.
      max_prompt: number of words at the end of a prompt that are read.
      max_steps: maximum of rows times steps per request.
      **options: default values of `steps`, `temperature`, `top_k` and `top_p`.
    """
    from zoo.bounds import first_bytes, last_bytes
    from zoo.decoding import generation_signatures

    text = tf.TensorSpec([None], tf.string, name="text")

    def encode_prompt(text: tf.Tensor) -> tf.RaggedTensor:
        return encode(last_bytes(text, min(max_bytes, 100 * max_prompt)))[:, -max_prompt:]

    def bounded(text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        long = tf.strings.length(text) > max_bytes
        ids = encode(tf.where(long, "", first_bytes(text, max_bytes)))
        return ids, problems((long, f"The text is longer than {max_bytes:,} bytes"))

    @tf.function(input_signature=[text], autograph=False)
    def score(text: tf.Tensor) -> dict[str, tf.Tensor]:
        ids, problem = bounded(text)
        found = read_words(model, ids, cache.size, (cache.sharpness,))
        logs = found["log_probability"]
        if cache.size:
            logs = mixed(logs, found["repeated"][:, :, 0], cache.weight)
        inside = tf.sequence_mask(found["length"], tf.shape(logs)[1])
        total = tf.reduce_sum(tf.where(inside, logs, 0.0), axis=1)
        return marked({"log_probability": total, "count": found["length"]}, problem)

    @tf.function(input_signature=[text], autograph=False)
    def words(text: tf.Tensor) -> dict[str, tf.Tensor]:
        ids, problem = bounded(text)
        return marked(read_words(model, ids, cache.size, SHARPNESS), problem)

    generation = generation_signatures(
        *word_step(model, cache),
        inputs=[text],
        encode=encode_prompt,
        answer=lambda ids, seed: {"continuation": join(ids)},
        max_steps=max_steps,
        **options,
    )
    return {"generation": generation, "score": score, "others": {"words": words}}


def mixed(logs: tf.Tensor, repeated: tf.Tensor, weight: float) -> tf.Tensor:
    """Returns the log-probabilities of network and cache combined.

    Args:
      logs, repeated: results of `read_words`, float `(batch, time)`.
      weight: λ; where the cache is empty, the network alone is used.
    """
    network = tf.exp(logs)
    both = (1 - weight) * network + weight * repeated
    return tf.math.log(tf.maximum(tf.where(repeated < 0, network, both), 1e-30))
