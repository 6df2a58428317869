"""Metrics that Keras accumulates during training and validation."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import KerasTensor, ops

from recipes.tagging.crf import marginals, only_legal, pairwise, viterbi
from recipes.tagging.losses import true_tags


def best_tags(output: KerasTensor, tags: Sequence[str], mask: KerasTensor) -> KerasTensor:
    """Returns the best legal tag sequence of each row, int32 `(batch, time)`.

    Args:
      output: float `(batch, time, tags)`, probabilities; or `(batch, time, tags, tags)`, the
        scores of a `CRF`.
      tags: tag names, BIO or BIOES, in the order of the last axis.
      mask: bool `(batch, time)`: real steps, on the left.
    """
    return viterbi(only_legal(tag_scores(output), tags), mask)


def tag_probabilities(output: KerasTensor, tags: Sequence[str], mask: KerasTensor) -> KerasTensor:
    """Returns p(tag at t | the text) among legal sequences, float32 `(batch, time, tags)`.

    The arguments are those of `best_tags`.
    """
    return marginals(only_legal(tag_scores(output), tags), mask)


def tag_scores(output: KerasTensor) -> KerasTensor:
    """Returns a network's output as pairwise scores, float32 `(batch, time, tags, tags)`.

    Args:
      output: as for `best_tags`.
    """
    output = ops.cast(output, "float32")
    if len(output.shape) == 4:
        return output
    return pairwise(ops.log(ops.maximum(output, 1e-30)))


@keras.saving.register_keras_serializable("zoo")
class EntityF1(keras.metrics.Metric):
    """F1 of entities over real tokens: exact matches of first token, last token and class.

    It equals the F1 of `recipes.tagging.metrics.entity_scores` for the best legal sequences.

    Args:
      tags: names of the tags, BIO or BIOES, in the order of the output's last axis.

    Call arguments:
      y_true: as for the losses in `recipes.tagging.losses`.
      y_pred: as `output` of `best_tags`.
    """

    def __init__(self, tags: Sequence[str], name: str = "f1", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)
        self.tags = list(tags)
        kinds = sorted({tag[2:] for tag in self.tags if tag != "O"})
        # Class of each tag, from 1 (0: outside), and whether the tag always begins an entity.
        self._kind = np.array([kinds.index(t[2:]) + 1 if t != "O" else 0 for t in self.tags])
        self._begins = np.array([tag.startswith(("B-", "S-")) for tag in self.tags])
        self.right = self.add_weight(name="right", initializer="zeros")
        self.counted = self.add_weight(name="counted", initializer="zeros")

    def update_state(
        self, y_true: KerasTensor, y_pred: KerasTensor, sample_weight: KerasTensor | None = None
    ) -> None:
        true = true_tags(y_true)
        mask = true > 0
        predicted = best_tags(y_pred, self.tags, mask)
        kind, starts, ends = self._entities(true - 1, mask)
        predicted_kind, predicted_starts, predicted_ends = self._entities(predicted, mask)
        time = ops.shape(mask)[1]

        def end(ends: KerasTensor) -> KerasTensor:
            """Returns the end of the entity of each token, `(batch, time)`."""
            # Sorted ends. The end of a token's entity is the first after the ends before the token.
            end_positions = ops.sort(ops.where(ends, ops.arange(time), time), axis=1)
            ended = ops.cast(ends, "int32")
            before = ops.cumsum(ended, axis=1) - ended
            return ops.take_along_axis(end_positions, ops.minimum(before, time - 1), axis=1)

        same = (
            starts
            & predicted_starts
            & (kind == predicted_kind)
            & (end(ends) == end(predicted_ends))
        )
        self.right.assign_add(self._count(same))
        self.counted.assign_add(self._count(starts) + self._count(predicted_starts))

    def _entities(
        self, tags: KerasTensor, mask: KerasTensor
    ) -> tuple[KerasTensor, KerasTensor, KerasTensor]:
        """Returns classes, and where entities start and end, `(batch, time)` each."""
        tags = ops.maximum(tags, 0)
        kind = ops.where(mask, ops.take(self._kind, tags, axis=0), 0)
        begins = ops.take(self._begins, tags, axis=0)
        before = ops.pad(kind[:, :-1], [[0, 0], [1, 0]])
        starts = (kind > 0) & (begins | (kind != before))
        after = ops.pad(kind[:, 1:], [[0, 0], [0, 1]])
        next_starts = ops.pad(starts[:, 1:], [[0, 0], [0, 1]])
        return kind, starts, (kind > 0) & (next_starts | (kind != after))

    def _count(self, flags: KerasTensor) -> KerasTensor:
        return ops.sum(ops.cast(flags, self.dtype))

    def result(self) -> KerasTensor:
        return 2 * self.right / ops.maximum(self.counted, 1)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "tags": self.tags}
