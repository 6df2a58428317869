"""Exports for `subword_reader`: JSON-compatible rules and single-step networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from recipes.translating.signatures import encoding
from recipes.translating.subwords import Subwords
from zoo.assets import Json
from zoo.novelty import Novelty
from zoo.text.rules import matching, text_rules


def translation_rules(
    source: Subwords,
    target: Subwords,
    beam: int,
    penalty: float,
    measures: Sequence[Novelty],
    limits: Mapping[str, float],
) -> dict[str, Json]:
    """Returns the rules of `recipes.translating.subword_reader.Reader`.

    Args:
      source, target, beam, penalty: as in `recipes.translating.signatures.translation_signatures`.
      measures, limits: as in `zoo.novelty.is_unusual`.

    Returns:
      The result of `zoo.text.rules.text_rules`, and:

      `source`, `target`: their pieces; `max_pieces` and `max_bytes` of the source; `beam`,
      `penalty`; `letters` (including marks) and `format`: ranges of characters; `unusual`: name of
      an output, which of its values are unusual (`"high"` or `"low"`), and their limit.
    """
    return {
        **text_rules(source.normalisation),
        "source": source.vocabulary,
        "target": target.vocabulary,
        "max_pieces": source.max_pieces,
        "max_bytes": source.max_bytes,
        "letters": matching(r"[\pL\pM]"),
        "format": matching(r"\p{Cf}"),
        "beam": beam,
        "penalty": penalty,
        "unusual": [[each.output, each.unusual, each.limit_of(limits)] for each in measures],
    }


def networks(
    model: keras.Model,
) -> dict[str, tuple[Callable[..., Mapping[str, tf.Tensor]], Sequence[tf.TensorSpec]]]:
    """Returns the functions that an export needs, by name, with the specs of their inputs.

    `encode` maps `source`, int32 `(batch, source)`, 0 at padding, to the first state and the
    memory, see `recipes.translating.decoder.Decoder.begin`. `step` maps `previous`, int32
    `(batch,)`, the state and the memory to `logits`, float32 `(batch, ids)`, and the next state.

    Args:
      model: as in `recipes.translating.signatures.translation_signatures`.
    """
    begin, decoder = encoding(model), model.get_layer("decoder")
    source = tf.TensorSpec([None, None], tf.int32, name="source")

    def encode(source: tf.Tensor) -> dict[str, tf.Tensor]:
        state, memory = begin(source)
        return {**state, **memory}

    traced = tf.function(begin, autograph=False).get_concrete_function(source)
    state, memory = traced.structured_outputs

    def step(previous: tf.Tensor, **given: tf.Tensor) -> dict[str, tf.Tensor]:
        states, memories = ({name: given[name] for name in each} for each in (state, memory))
        logits, following, _ = decoder.step(previous, states, memories)
        return {"logits": logits, **following}

    specs = [
        tf.TensorSpec([None, *value.shape[1:]], value.dtype, name=name)
        for name, value in {**state, **memory}.items()
    ]
    previous = tf.TensorSpec([None], tf.int32, name="previous")
    return {"encode": (encode, [source]), "step": (step, [previous, *specs])}
