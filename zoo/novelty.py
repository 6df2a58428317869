"""Outputs that measure how far a row is from the training data, and their limits.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import array
import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import tensorflow as tf

UNUSUAL = "unusual"  # output: whether a row is beyond a limit


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Novelty:
    """An output of an answer that measures how far a row is from the training data.

    Attributes:
      output: its name, float32 `(batch,)`.
      unusual: which of its values are unusual, `"high"` or `"low"` ones.
      text: a clause on a row with an unusual value, a format string of its outputs:
        `"{unknown_words:.0%} of its words are unknown"`.
      limit: default limit beyond which a value is unusual, used until one is learnt; None: no value
        is unusual.
    """

    output: str
    unusual: Literal["high", "low"]
    text: str
    limit: float | None = None

    def limit_of(self, limits: Mapping[str, float]) -> float | None:
        """Returns its limit: from `limits`, by the output's name, or else the default."""
        return limits.get(self.output, self.limit)


def is_unusual(
    outputs: Mapping[str, tf.Tensor], measures: Sequence[Novelty], limits: Mapping[str, float]
) -> tf.Tensor:
    """Returns which rows are unusual, in the graph.

    Args:
      outputs: named outputs of an answer, `(batch,)` or `(batch, answers)` alike.
      measures: declared by the recipe.
      limits: output to learnt limit; the default of the measure is used for missing ones.

    Returns:
      bool, of the shape of the outputs: whether any of them is beyond its limit.
    """
    import tensorflow as tf

    found = tf.zeros_like(outputs[measures[0].output], tf.bool)
    for each in measures:
        limit = each.limit_of(limits)
        if limit is not None:
            value = outputs[each.output]
            found |= value > limit if each.unusual == "high" else value < limit
    return found


def marked(
    outputs: Mapping[str, tf.Tensor], measures: Sequence[Novelty], limits: Mapping[str, float]
) -> dict[str, tf.Tensor]:
    """Returns the outputs of an answer with `unusual`; unchanged if a measured output is missing.

    Args as for `is_unusual`.
    """
    if any(each.output not in outputs for each in measures):
        return dict(outputs)
    return {**outputs, UNUSUAL: is_unusual(outputs, measures, limits)}


def reasons(
    measures: Sequence[Novelty], limits: Mapping[str, float], answer: Mapping[str, Any]
) -> list[str]:
    """Returns readable reasons why an answer is unusual: a clause per output beyond its limit.

    Args as for `is_unusual`, except `answer`, which is that of one row.
    """
    best = {
        name: value[0] if isinstance(value, list) and value else value
        for name, value in answer.items()
    }
    found = []
    for each in measures:
        limit, value = each.limit_of(limits), best.get(each.output)
        if limit is not None and value is not None:
            (limit,) = array.array("f", [limit])  # float32, as in the graph
            beyond = value > limit if each.unusual == "high" else value < limit
            found += [each.text.format(**best)] if beyond else []
    return found
