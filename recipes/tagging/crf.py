"""A linear-chain conditional random field (CRF): layer, forward-backward and Viterbi decoding.

J. Lafferty, A. McCallum, F. Pereira: Conditional Random Fields, ICML 2001; on top of a
recurrent network: Z. Huang, W. Xu, K. Yu: Bidirectional LSTM-CRF Models for Sequence Tagging,
2015.

The layer's output defines the distribution completely: loss, metric and decoding are plain
functions of it. `scores[b, t, i, j]` is the score of tag `j` at step `t` after tag `i`. Step 0 has
no preceding tag, so its score is the same for every `i`. The probability of the tags y given
the text is

    p(y) = exp(sum_t scores[t, y_{t-1}, y_t]) / Z,   Z = the same summed over all sequences.

All computations use logarithms, in float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from zoo.tensors import Tensor

# Added to the score of a forbidden tag: below any real score, but finite, because a row of -inf
# would give NaN.
FORBIDDEN = -1e4


@keras.saving.register_keras_serializable("zoo")
class CRF(keras.layers.Layer):
    """Adds learnt transition scores to the scores of single tags.

    Weights: `transitions` `(tags, tags)`, from the row's tag to the column's tag, and `start`
    `(tags,)`, for the first step. There are no weights for the end, because a bidirectional
    network knows where the sequence ends.

    Call arguments:
      inputs: float `(batch, time, tags)`: the score of each tag at each step (logits).

    Returns:
      float32 `(batch, time, tags, tags)`: pairwise scores, see the module. The mask of the
      inputs is unchanged.
    """

    def __init__(self, **kwargs: object) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        tags = input_shape[-1]
        self.transitions = self.add_weight(
            shape=(tags, tags), initializer="zeros", name="transitions"
        )
        self.start = self.add_weight(shape=(tags,), initializer="zeros", name="start")

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        first = ops.broadcast_to(self.start, ops.shape(self.transitions))
        time = ops.shape(inputs)[1]
        at_start = ops.reshape(ops.arange(time) == 0, (1, -1, 1, 1))
        return ops.expand_dims(inputs, -2) + ops.where(at_start, first, self.transitions)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape, input_shape[-1])


def forward(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Runs the forward algorithm.

    Args:
      scores: float `(batch, time, tags, tags)`.

    Returns:
      `(log_alpha, steps)`: log p(tag at t | the scores up to t), `(batch, time, tags)`, and
      log Z_t - log Z_{t-1}, `(batch, time)`. Neither value grows with time, so that no precision is
      lost over 5,000 steps.
    """

    def step(before: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        new = _logsumexp(ops.expand_dims(before, -1) + score, axis=1)  # (batch, tags)
        return new - _logsumexp(new, axis=-1, keepdims=True), new

    # A uniform prior before the first step, whose scores do not depend on the preceding tag.
    tags = scores.shape[-1]
    nothing = ops.zeros_like(scores[:, 0, 0]) - float(np.log(tags))
    _, new = ops.scan(step, nothing, ops.transpose(scores, (1, 0, 2, 3)))
    new = ops.transpose(new, (1, 0, 2))
    total = _logsumexp(new, axis=-1, keepdims=True)
    return new - total, total[:, :, 0]


def backward(scores: Tensor) -> Tensor:
    """Runs the backward algorithm.

    Args:
      scores: float `(batch, time, tags, tags)`.

    Returns:
      float `(batch, time, tags)`: log of the sum over all continuations after tag i at step t,
      minus a constant for each step.
    """

    def step(after: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        new = _logsumexp(score + ops.expand_dims(after, 1), axis=2)
        return new - ops.max(new, axis=-1, keepdims=True), after

    steps = ops.transpose(scores, (1, 0, 2, 3))
    _, beta = ops.scan(step, ops.zeros_like(scores[:, 0, 0]), steps, reverse=True)
    return ops.transpose(beta, (1, 0, 2))


def marginals(scores: Tensor, mask: Tensor) -> Tensor:
    """Returns p(tag at t | the whole sequence).

    Args:
      scores: float `(batch, time, tags, tags)`.
      mask: bool `(batch, time)`: real steps, on the left, at least one per row.

    Returns:
      float32 `(batch, time, tags)`; each real step sums to 1; values at padding are undefined.
    """
    scores = _with_constant_padding(scores, mask)
    return ops.softmax(forward(scores)[0] + backward(scores), axis=-1)


def log_marginals(scores: Tensor, mask: Tensor) -> Tensor:
    """Returns the logarithms of `marginals`; finite at padding too."""
    scores = _with_constant_padding(scores, mask)
    return ops.log_softmax(forward(scores)[0] + backward(scores), axis=-1)


def viterbi(scores: Tensor, mask: Tensor) -> Tensor:
    """Returns the most probable sequence of tags (A. Viterbi, 1967).

    Args:
      scores: float `(batch, time, tags, tags)`.
      mask: bool `(batch, time)`: real steps, on the left, at least one per row.

    Returns:
      int32 `(batch, time)`; values at padding are undefined.
    """
    scores = _with_constant_padding(scores, mask)

    def step(before: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        new = ops.max(ops.expand_dims(before, -1) + score, axis=1)
        return new - ops.max(new, axis=-1, keepdims=True), before  # keeps it from growing over time

    steps = ops.transpose(scores, (1, 0, 2, 3))
    last, before = ops.scan(step, ops.zeros_like(scores[:, 0, 0]), steps)  # (time, batch, tags)
    before = ops.expand_dims(ops.transpose(before, (1, 0, 2)), -1)
    origin = ops.cast(ops.argmax(before + scores, axis=2), "int32")  # best tag before each tag

    def back(tag: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
        previous = ops.take_along_axis(origin, ops.expand_dims(tag, -1), axis=-1)
        return ops.squeeze(previous, -1), tag

    end = ops.cast(ops.argmax(last, axis=-1), "int32")
    _, tags = ops.scan(back, end, ops.transpose(origin, (1, 0, 2)), reverse=True)
    return ops.transpose(tags)


def pairwise(log_probabilities: Tensor) -> Tensor:
    """Returns scores of single tags as pairwise scores, for the functions above.

    Args:
      log_probabilities: float `(batch, time, tags)`.

    Returns:
      `(batch, time, tags, tags)`, of the same dtype: the score of the second tag of each pair.
    """
    shape = ops.shape(log_probabilities)
    return ops.broadcast_to(ops.expand_dims(log_probabilities, -2), (*shape, shape[-1]))


def only_legal(scores: Tensor, tags: Sequence[str]) -> Tensor:
    """Forbids transitions that the tagging scheme, BIO or BIOES, does not allow.

    `I-X` and `E-X` only follow `B-X` or `I-X`. In BIOES, nothing else follows `B-X` or `I-X`.
    (Any tag may be the last, because a text may be truncated inside an entity.)

    Args:
      scores: float `(batch, time, tags, tags)`.
      tags: tag names, `"O"`, `"B-X"`, `"I-X"`, … in the order of the last axis.

    Returns:
      The scores, with `FORBIDDEN` added to forbidden transitions.
    """
    follows, starts = legal(tags)
    starts = np.broadcast_to(starts, follows.shape)
    later = ops.convert_to_tensor(np.where(follows, 0, FORBIDDEN).astype("float32"))
    first = ops.convert_to_tensor(np.where(starts, 0, FORBIDDEN).astype("float32"))
    at_start = ops.reshape(ops.arange(ops.shape(scores)[1]) == 0, (1, -1, 1, 1))
    return ops.cast(scores, "float32") + ops.where(at_start, first, later)


def legal(tags: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns which tag (column) may follow which (row), and which may be the first.

    These are bool `(tags, tags)` and bool `(tags,)`. For the rules, see `only_legal`.
    """
    closed = any(tag.startswith(("E-", "S-")) for tag in tags)
    follows = np.array([[_may_follow(one, two, closed) for two in tags] for one in tags])
    return follows, np.array([not tag.startswith(("I-", "E-")) for tag in tags])


def _may_follow(before: str, tag: str, closed: bool) -> bool:
    if tag.startswith(("I-", "E-")):
        return before in ("B-" + tag[2:], "I-" + tag[2:])
    return not (closed and before.startswith(("B-", "I-")))


def _with_constant_padding(scores: Tensor, mask: Tensor) -> Tensor:
    """Returns float32 scores with which the tag does not change at padded steps.

    (Keras 3.15 cannot scan a mask as well if the number of steps is unknown.)
    """
    stay = np.where(np.eye(scores.shape[-1], dtype=bool), 0, FORBIDDEN).astype("float32")
    real = ops.expand_dims(ops.expand_dims(mask, -1), -1)
    return ops.where(real, ops.cast(scores, "float32"), ops.convert_to_tensor(stay))


def _logsumexp(x: Tensor, axis: int, keepdims: bool = False) -> Tensor:
    """Like `ops.logsumexp`, for finite numbers only, with half the TensorFlow operations."""
    highest = ops.stop_gradient(ops.max(x, axis=axis, keepdims=True))
    total = ops.log(ops.sum(ops.exp(x - highest), axis=axis, keepdims=True)) + highest
    return total if keepdims else ops.squeeze(total, axis)
