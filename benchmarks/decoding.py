"""Sentences translated per second: one graph against a loop in Python, on the same trained model.

The loop is that of the keras.io example "Character-level recurrent sequence-to-sequence model"
(https://keras.io/examples/nlp/lstm_seq2seq/, F. Chollet, 2017): one sentence at a time, one
`predict` of the encoder, then one `predict` of the decoder for each piece, and greedy
choice of the piece.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.translating.signatures import NEVER, encoding, limits
from recipes.translating.subwords import BEGIN, END, PADDING, Subwords
from zoo import files
from zoo.decoding.search import greedy
from zoo.environment import environment
from zoo.errors import UsageError

SOURCE = "https://keras.io/examples/nlp/lstm_seq2seq/"


class PythonLoop:
    """Translates one sentence at a time by `predict`, as the example does.

    Args:
      model: with an input `source` and a `recipes.translating.decoder.Decoder` named `decoder`.
      source, target: texts to ids and back.
      length: pieces to which every source is padded, as in the example: `predict` traces its
        graph again for each length.
    """

    def __init__(self, model: keras.Model, source: Subwords, target: Subwords, length: int) -> None:
        decoder, encode = model.get_layer("decoder"), encoding(model)

        class Encoder(keras.Model):
            def call(self, ids: Any) -> Any:
                return encode(ids)

        class Step(keras.Model):
            def call(self, inputs: Any) -> Any:
                logits, state, _ = decoder.step(*inputs)
                return logits, state

        self.source, self.target, self.length = source, target, length
        self.encoder, self.step = Encoder(), Step()

    def translate(self, text: str) -> str:
        """Returns the translation of one text."""
        ids = self.source.rows([text])[0]
        padded = np.pad(ids, (0, self.length - len(ids)))[np.newaxis]
        state, memory = self.encoder.predict(padded, verbose=0)
        limit = int(limits(tf.constant(padded))[0])
        previous = BEGIN
        written: list[int] = []
        while len(written) < limit:
            inputs = (np.array([previous]), state, memory)
            logits, state = self.step.predict(inputs, verbose=0)
            logits[:, [PADDING, *NEVER]] = -np.inf
            previous = int(logits[0].argmax())
            written.append(previous)
            if previous == END:
                break
        return self.target.join(tf.constant([written], tf.int32)).numpy()[0].decode("utf-8")


def greedy_graph(model: keras.Model, source: Subwords, target: Subwords) -> Any:
    """Returns a `tf.function` of texts, string `(batch,)`, to translations by greedy search."""
    decoder, encode = model.get_layer("decoder"), encoding(model)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def translate(text: tf.Tensor) -> tf.Tensor:
        ids = source(text)
        state, memory = encode(ids)
        hypotheses = greedy(
            lambda previous, state: decoder.step(previous, state, memory),
            state,
            limits(ids),
            begin=BEGIN,
            end=END,
            never=NEVER,
        )
        return target.join(hypotheses.ids[:, 0])

    return translate


def decoding_race(
    model: str,
    output: str | Path,
    *,
    texts: Sequence[str] | None = None,
    data: str | None = None,
    loop_texts: int = 25,
    batch_size: int = 64,
) -> dict[str, Any]:
    """Measures sentences per second of a trained translation model, for several ways of decoding.

    Each way does one warm-up before it is timed. The Python loop is timed on every k-th text,
    because it is slow; the graphs on all of them, in batches.

    Args:
      model: as for `zoo.load`.
      output: JSON file to write.
      texts: sentences to translate; the test split's if None.
      data: its source; the one that the model was trained on if None.
      loop_texts: sentences for the Python loop.
      batch_size: sentences that the graphs translate together.

    Returns:
      What it writes: for `loop` (greedy), `single` (the graph of greedy search, a sentence at a
      time), `greedy` and `beam` (batches), the texts, seconds and sentences a second;
      `single_ratio`, `ratio` and `beam_ratio`, those of the graphs over those of the loop;
      `equal`, how many of the loop's translations the greedy graph gives too.

    Raises:
      UsageError: the model is no translation model, or there are no texts.
    """
    from zoo.serving import load
    from zoo.serving.evaluation import splits_of

    predictor = load(model)
    codecs = [part for part in predictor.served().parts if isinstance(part, Subwords)]
    if len(codecs) != 2:
        raise UsageError(f"{predictor.name} does not translate; name a translation model.")
    source, target = codecs
    if texts is None:
        texts = splits_of(predictor, data).test["text"]
    if not texts:
        raise UsageError("There are no texts to translate; give at least one.")
    texts = sorted(texts, key=len)
    few = texts[:: max(1, len(texts) // loop_texts)][:loop_texts]

    loop = PythonLoop(predictor.model, source, target, max(map(len, source.rows(few))))
    loop.translate(few[0])
    slow, seconds = _timed(lambda: [loop.translate(text) for text in few])
    ways = {"loop": _speed(len(few), seconds)}

    graph = greedy_graph(predictor.model, source, target)
    parts = [texts[start : start + batch_size] for start in range(0, len(texts), batch_size)]
    graph(tf.constant(few[:1]))
    _, seconds = _timed(lambda: [graph(tf.constant([text])) for text in few])
    ways["single"] = _speed(len(few), seconds)
    graph(tf.constant(parts[0]))
    _, seconds = _timed(lambda: [graph(tf.constant(part)) for part in parts])
    ways["greedy"] = _speed(len(texts), seconds)
    fast = [text.decode("utf-8") for text in graph(tf.constant(few)).numpy()]

    predictor.predict(parts[0])
    _, seconds = _timed(lambda: predictor.predict(texts, batch_size=batch_size))
    ways["beam"] = _speed(len(texts), seconds)
    result = {
        "kind": "decoding",
        "recipe": predictor.name,
        "source": SOURCE,
        "batch_size": batch_size,
        "searched": getattr(predictor.config, "beam", None),
        **ways,
        "single_ratio": ways["single"]["per_second"] / ways["loop"]["per_second"],
        "ratio": ways["greedy"]["per_second"] / ways["loop"]["per_second"],
        "beam_ratio": ways["beam"]["per_second"] / ways["loop"]["per_second"],
        "equal": sum(one == other for one, other in zip(slow, fast, strict=True)),
        "environment": environment(),
    }
    files.write_json(Path(output), result)
    return result


def _timed(work: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def _speed(texts: int, seconds: float) -> dict[str, Any]:
    return {"texts": texts, "seconds": seconds, "per_second": texts / seconds}
