"""Losses for tagging: of whole tag sequences under a CRF, and of single tags.

Targets are tags, int `(batch, time)`: tag + 1; 0 at padding, on the right. For distillation, they
are float `(batch, time, 1 + tags)`: the same number, and the teachers' tag probabilities
multiplied by the teachers' share s. The loss of a step is then

    (1 - s) · -log p(true tags) - sum over tags j of s q_t(j) log p_t(j)

with the teachers' probabilities q_t at step t, and the network's probabilities p_t given the whole
text: for a CRF, the marginals (posterior distillation: X. Wang et al.: Structure-Level Knowledge
Distillation For Multilingual Sequence Labeling, ACL 2020).
"""

from __future__ import annotations

import keras
from keras import KerasTensor, ops

from recipes.tagging.crf import forward, log_marginals
from zoo.losses import StepLoss, ids_of


def true_tags(y_true: KerasTensor) -> KerasTensor:
    """Returns tag + 1 from targets with or without probabilities: int32 `(batch, time)`."""
    return ids_of(y_true if len(y_true.shape) == 2 else y_true[..., 0])


class _Taught(StepLoss):
    """A loss on the true tags, and on the teachers' probabilities if the targets have them."""

    def hard(self, tags: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        """Returns the loss of the true tags, float32 `(batch, time)`; `tags` is 0 at padding."""
        raise NotImplementedError

    def log_probabilities(self, y_pred: KerasTensor, real: KerasTensor) -> KerasTensor:
        """Returns log p(tag at t | the text), float32 `(batch, time, tags)`."""
        raise NotImplementedError

    def real(self, y_true: KerasTensor) -> KerasTensor:
        return ops.not_equal(true_tags(y_true), 0)

    def terms(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        tags, y_pred = true_tags(y_true), ops.cast(y_pred, "float32")
        hard = self.hard(tags, y_pred)
        if len(y_true.shape) == 2:
            return hard
        taught = ops.cast(y_true[..., 1:], "float32")
        soft = -ops.sum(taught * self.log_probabilities(y_pred, ops.not_equal(tags, 0)), axis=-1)
        return (1 - ops.sum(taught, axis=-1)) * hard + soft


@keras.saving.register_keras_serializable("zoo")
class CRFLoss(_Taught):
    """Negative log-likelihood of the true tags under a `recipes.tagging.crf.CRF`.

    The loss of step t is log Z_t - log Z_{t-1} - scores[t, y_{t-1}, y_t], where Z_t sums over
    the sequences up to t. The losses of a row add up to -log p(y).

    Call arguments:
      y_true: see the module.
      y_pred: float `(batch, time, tags, tags)`: scores of a `CRF`.
    """

    def __init__(self, name: str = "crf_loss", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)

    def hard(self, tags: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        size = y_pred.shape[-1]
        _, steps = forward(y_pred)
        tag = ops.maximum(tags - 1, 0)
        before = ops.pad(tag[:, :-1], [[0, 0], [1, 0]])  # at step 0, any tag gives the same score
        chosen = ops.one_hot(before * size + tag, size * size, dtype="float32")
        flat = ops.reshape(y_pred, (*ops.shape(y_pred)[:2], size * size))
        return steps - ops.sum(flat * chosen, axis=-1)

    def log_probabilities(self, y_pred: KerasTensor, real: KerasTensor) -> KerasTensor:
        return log_marginals(y_pred, real)


@keras.saving.register_keras_serializable("zoo")
class TagLoss(_Taught):
    """Negative log-likelihood of each true tag, independent of the other tags.

    Call arguments:
      y_true: see the module.
      y_pred: float `(batch, time, tags)`: probabilities.
    """

    def __init__(self, name: str = "tag_loss", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)

    def hard(self, tags: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        return keras.losses.sparse_categorical_crossentropy(ops.maximum(tags - 1, 0), y_pred)

    def log_probabilities(self, y_pred: KerasTensor, real: KerasTensor) -> KerasTensor:
        return ops.log(ops.maximum(y_pred, keras.config.epsilon()))
