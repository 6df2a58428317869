"""All uses of private Keras names in this package.

Private names may change with any release of Keras. `tests/engine/test_keras_private.py` shows what
breaks if one does, and `setup.cfg` bounds the supported releases.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.tensorflow import random


def layers_of(model: keras.Model) -> list[Any]:
    """Returns every layer of a model, including nested layers, without the model itself."""
    return list(model._flatten_layers(include_self=False))


@contextlib.contextmanager
def wrapped_calls(layers: Sequence[Any], wrap: Callable[[Any, Any], Any]) -> Iterator[None]:
    """Context in which `call` of each of these layers is `wrap(layer, call)`."""
    for layer in layers:
        vars(layer)["call"] = wrap(layer, layer.call)  # not by setattr, which Keras overrides
    try:
        yield
    finally:
        for layer in layers:
            del vars(layer)["call"]


def replace_method(layer: Any, name: str, make: Callable[[Any, Any], Any]) -> None:
    """Replaces a method of one layer by `make(layer, method)`."""
    vars(layer)[name] = make(layer, getattr(layer, name))  # not by setattr, see `wrapped_calls`


def build_metrics(model: keras.Model, batch: tuple[Any, Any]) -> None:
    """Builds the losses and metrics of a compiled model, and stops `fit` from doing so.

    Args:
      model: built and compiled.
      batch: `(x, y)` of any rows, arrays or tensors.
    """
    model._symbolic_build(data_batch=tf.nest.map_structure(tf.convert_to_tensor, batch))
    model._maybe_symbolic_build = lambda **_: None


def update_loss(model: keras.Model, value: Any, rows: Any) -> None:
    """Adds a batch to the running `loss` of a compiled model.

    Args:
      value: mean loss of the batch, a scalar.
      rows: how many rows it is the mean of.
    """
    model._loss_tracker.update_state(value, sample_weight=rows)


def skip_gradient_sum(optimizer: keras.optimizers.Optimizer) -> None:
    """Makes an optimizer apply gradients as given, without summing them over replicas."""
    optimizer._all_reduce_sum_gradients = list


def optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """Returns the trainable variables that an optimizer was built with, in their order."""
    return list(optimizer._trainable_variables)


def variable_indices(optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]) -> list[int]:
    """Returns the index of each variable among those that an optimizer was built with."""
    return [optimizer._get_variable_index(variable) for variable in variables]


def moving_averages(optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """Returns the moving average of each of `optimizer_variables`, in their order."""
    return list(optimizer._model_variables_moving_average)


class RisingAverage(keras.optimizers.Adam):
    """Adam whose average of the weights (`use_ema`) has a rising momentum.

    After step n, the momentum is at most (n - 1) / (n + 8), as in TensorFlow's
    `ExponentialMovingAverage` with `num_updates`. With a constant momentum, the average of a short
    training would consist of its first steps.
    """

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[Any]) -> None:
        if not self.use_ema:
            return
        steps = tf.cast(self.iterations, tf.float32)  # before this one
        momentum = tf.minimum(self.ema_momentum, steps / (steps + 9))
        for variable, average in zip(trainable_variables, moving_averages(self), strict=True):
            average.assign(momentum * average + (1 - momentum) * variable)


def mask_of(tensor: Any) -> Any:
    """Returns the Keras mask of a tensor, bool `(batch, time)`; None if it has none."""
    return getattr(tensor, "_keras_mask", None)


def set_mask(tensor: Any, mask: Any) -> None:
    """Sets the Keras mask of a tensor, bool `(batch, time)`, as layers do for their output."""
    tensor._keras_mask = mask


@dataclasses.dataclass(frozen=True)
class Share:
    """The rows of a batch that belong to one replica.

    Attributes:
      rows: their number, a scalar tensor.
      everywhere: number of rows of the whole batch.
      first: index of the first of them in the batch.
    """

    rows: tf.Tensor
    everywhere: tf.Tensor
    first: tf.Tensor


_DRAWING = threading.local()  # strategies trace each replica in a thread of its own


@contextlib.contextmanager
def drawing_for(share: Share) -> Iterator[None]:
    """Context in which layers draw random numbers for the whole batch, and use those of a share.

    Keras samples dropout masks for the rows that it sees, in their order: replicas that sample for
    their own rows have other masks than one device. So each replica samples what one device would,
    for all rows, and keeps its own. Covered are `dropout`, `uniform`, `normal`, `truncated_normal`
    and `randint` of `keras.random`, also in recurrent layers. Numbers whose first axis has a
    static length, and so is not the batch, are sampled unchanged.

    Nothing else changes: without a share, Keras' own functions are used.
    """
    _install()
    _DRAWING.share = share
    try:
        yield
    finally:
        _DRAWING.share = None


@functools.cache
def _install() -> None:
    for name in ("uniform", "normal", "truncated_normal", "randint"):
        setattr(random, name, _drawn_whole(getattr(random, name)))
    random.dropout = _dropped_whole(random.dropout)


def _drawn_whole(draw: Callable) -> Callable:
    @functools.wraps(draw)
    def drawn(shape: Any, *arguments: Any, **options: Any) -> Any:
        share = getattr(_DRAWING, "share", None)
        if share is None:
            return draw(shape, *arguments, **options)
        sizes = tf.unstack(shape) if tf.is_tensor(shape) else list(shape)
        if not sizes or not tf.is_tensor(sizes[0]):
            return draw(shape, *arguments, **options)
        return _own(lambda whole: draw(whole, *arguments, **options), sizes, share)

    return drawn


def _dropped_whole(drop: Callable) -> Callable:
    @functools.wraps(drop)
    def dropped(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
        share = getattr(_DRAWING, "share", None)
        inputs = tf.convert_to_tensor(inputs)
        given = list(noise_shape or [None] * len(inputs.shape))
        if share is None or not 0 < rate < 1 or inputs.shape[0] is not None or given[0] is not None:
            return drop(inputs, rate, noise_shape=noise_shape, seed=seed)
        there = tf.unstack(tf.shape(inputs))
        sizes = [size if one is None else one for size, one in zip(there, given, strict=True)]

        def mask(whole: list[Any]) -> tf.Tensor:
            return drop(tf.ones(whole, inputs.dtype), rate, seed=seed)  # 0, or 1 / (1 - rate)

        return inputs * _own(mask, sizes, share)

    return dropped


def _own(draw: Callable[[list[Any]], tf.Tensor], sizes: list[Any], share: Share) -> tf.Tensor:
    """Returns a share of what is drawn for all rows; a row may have several adjacent entries."""
    places = sizes[0] // share.rows
    last = places * share.everywhere - 1
    whole = draw([last + 1, *sizes[1:]])
    # A row that does not count may lie beyond the last one.
    return tf.gather(whole, tf.minimum(places * share.first + tf.range(sizes[0]), last))
