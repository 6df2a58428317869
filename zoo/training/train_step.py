"""Training steps with a loss computed by the recipe, e.g. with terms for perturbed inputs."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from zoo.training import keras_private


@dataclasses.dataclass(frozen=True)
class TrainStep:
    """The rows of a batch that belong to this replica, and functions to compute a loss.

    Attributes:
      x: the model's input.
      y: the targets.
      drawing: a context in which layers draw random numbers as one device would for the whole
        batch. Every call of a network must be inside one.
      loss: takes the model's output for `x` and returns the loss that the model was compiled with,
        a scalar. With several replicas, the values add up to that of the batch.
      mean: takes a number for each row, float `(rows,)`, and returns the mean over the batch, a
        scalar; with several replicas likewise.
    """

    x: Any
    y: Any
    drawing: Callable[[], contextlib.AbstractContextManager[None]]
    loss: Callable[[Any], tf.Tensor]
    mean: Callable[[tf.Tensor], tf.Tensor]


class LayerOutput:
    """Reads or replaces the output of a layer of a model.

    A submodel that starts at this layer would also work, but creating one with Keras 3.15 makes it
    impossible to save the model.

    Args:
      layer: layer of the model.
    """

    def __init__(self, layer: keras.layers.Layer) -> None:
        self._local = threading.local()  # strategies trace each replica in a thread of its own
        call = layer.call

        @functools.wraps(call)
        def mapped(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            function = getattr(self._local, "function", None)
            return function(output) if function else output

        vars(layer)["call"] = mapped  # not by setattr, which Keras overrides

    @contextlib.contextmanager
    def mapped(self, function: Callable[[Any], Any]) -> Iterator[None]:
        """Context in which the layer returns a function of its output."""
        self._local.function = function
        try:
            yield
        finally:
            self._local.function = None


# Returns the model's output in training mode, for the metrics, and the loss.
TrainingLoss = Callable[[TrainStep], tuple[Any, tf.Tensor]]


def plain_loss(model: keras.Model) -> TrainingLoss:
    """Returns the default training loss: the compiled loss of the model's output."""

    def loss(step: TrainStep) -> tuple[Any, tf.Tensor]:
        with step.drawing():
            y_pred = model(step.x, training=True)
        return y_pred, step.loss(y_pred)

    return loss


def use_training_loss(model: keras.Model, training_loss: TrainingLoss) -> None:
    """Makes `fit` minimise a loss on one device; otherwise as Keras' own training step.

    Args:
      model: built and compiled, not under a strategy with several replicas.
      training_loss: computes the loss of a step.
    """

    def train_step(data: Any) -> dict[str, Any]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)

        def compiled_loss(y_pred: Any) -> tf.Tensor:
            return model.compute_loss(
                x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True
            )

        step = TrainStep(x, y, contextlib.nullcontext, compiled_loss, tf.reduce_mean)
        with tf.GradientTape() as tape:
            y_pred, loss = training_loss(step)
            keras_private.update_loss(model, loss, tf.shape(tf.nest.flatten(x)[0])[0])
            scaled = model.optimizer.scale_loss(loss)
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(scaled, variables), variables)
        return model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    model.train_step = train_step
