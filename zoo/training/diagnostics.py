"""Training diagnostics: gradient norms, share of clipped steps, relative size of weight updates.

They show early that a network does not learn or diverges: a gradient norm that vanishes or jumps,
nearly every step clipped, or a layer whose weights change per step by more than some hundredths of
their norm, or by less than some millionths.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from zoo.report.epochs import UPDATE
from zoo.training.keras_private import RisingAverage, optimizer_variables, variable_indices


@keras.saving.register_keras_serializable("zoo")
class MonitoredAdam(RisingAverage):
    """Adam that accumulates statistics of each step in variables of its own.

    As variables of the optimizer, they are in every checkpoint, so that an interrupted epoch
    reports the same numbers as an uninterrupted one.

    Replicas must pass the sums of their gradients, as `zoo.training.replicas` does, so that
    several replicas measure and clip what one device would.

    Args:
      *args: passed to `keras.optimizers.Adam`.
      groups: the layer name of each trainable variable, in their order.
      rates: factor of the step size of each layer, in the order of `layers`; () for 1.
      starts: the step from which each layer is trained; () for the first one.
      **kwargs: passed to `keras.optimizers.Adam`.
    """

    def __init__(
        self,
        *args: Any,
        groups: Sequence[str] = (),
        rates: Sequence[float] = (),
        starts: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.groups = list(groups)
        self.rates, self.starts = list(rates), list(starts)

    @property
    def layers(self) -> list[str]:
        """The layers, each once, in the order of their variables."""
        return list(dict.fromkeys(self.groups))

    def build(self, variables: list) -> None:
        if self.built:
            return
        super().build(variables)
        if not self.groups:
            self.groups = [variable.path.split("/")[0] for variable in variables]
        size = len(self.layers)
        # Steps, sum of the norms, clipped steps; then the sum of the ratios of each layer.
        self.totals = self.add_variable(
            (3 + size,), dtype="float32", aggregation="only_first_replica", name="health_totals"
        )
        # Norm of the gradient of each layer in the last step.
        self.last = self.add_variable(
            (size,), dtype="float32", aggregation="only_first_replica", name="health_last"
        )

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        if not self.built:
            self.build(list(trainable_variables))
        variables = list(trainable_variables or optimizer_variables(self))
        places = [
            self.layers.index(self.groups[index]) for index in variable_indices(self, variables)
        ]

        def by_layer(squares: list[Any]) -> Any:
            """Sums one number per variable into `(layers,)`."""
            return tf.math.unsorted_segment_sum(tf.stack(squares), places, len(self.layers))

        # Keras, and its clipping, treat the gradient of every embedding lookup separately.
        scale = self.loss_scale_factor or 1.0
        gradient = by_layer([tf.zeros(()) if g is None else _square(g) for g in grads]) / scale**2
        norm = tf.sqrt(tf.reduce_sum(gradient))
        before = [tf.convert_to_tensor(variable) for variable in variables]
        super().apply(grads, variables)
        after = [tf.convert_to_tensor(variable) for variable in variables]
        weights = by_layer([_square(old) for old in before])
        update = by_layer([_square(new - old) for new, old in zip(after, before, strict=True)])
        # Weights that are all zero, as some initially are, have no norm to compare a step with.
        ratio = tf.sqrt(tf.math.divide_no_nan(update, weights))
        limit = self.global_clipnorm or np.inf
        counted = tf.stack([tf.ones(()), norm, tf.cast(norm > limit, tf.float32)])
        self.totals.assign_add(tf.concat([counted, ratio], axis=0))
        self.last.assign(tf.sqrt(gradient))

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if self.rates or self.starts:
            (index,) = variable_indices(self, [variable])
            layer = self.layers.index(self.groups[index])
            factor = self.rates[layer] if self.rates else 1.0
            if self.starts:
                begun = ops.greater_equal(self.iterations, self.starts[layer])
                factor = factor * ops.cast(begun, learning_rate.dtype)
            learning_rate = learning_rate * factor
        super().update_step(gradient, variable, learning_rate)

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Leaves the weights unchanged: `zoo.training.averages` applies their averages."""

    def get_config(self) -> dict[str, Any]:
        mine = {"groups": self.groups, "rates": self.rates, "starts": self.starts}
        return {**super().get_config(), **mine}


# Its name in `.keras` files of earlier versions.
keras.saving.get_custom_objects()["zoo>WatchedAdam"] = MonitoredAdam


def _square(values: Any) -> Any:
    """Returns the sum of squares, as Keras' clipping computes it."""
    return ops.cast(ops.sum(ops.square(values)), "float32")


def named_layers(model: keras.Model) -> dict[str, Any]:
    """Returns the layers of a model that have weights, by name, in the order of the model.

    Names generated by Keras depend on what else the process has built (`lstm_7`). Such layers are
    renumbered, so that a model's names are always the same.
    """
    named = {}
    count: Counter[str] = Counter()
    for layer in model.layers:
        base, _ = re.fullmatch(r"(.*?)(_\d+)?", layer.name).groups()  # type: ignore[union-attr]
        name = layer.name
        if base.replace("_", "") == type(layer).__name__.lower():
            name = f"{base}_{count[base]}" if count[base] else base
            count[base] += 1
        if layer.weights:
            named[name] = layer
    return named


def layer_names(model: keras.Model) -> list[str]:
    """Returns the layer name of each trainable variable of a model, in their order."""
    owner: dict[int, str] = {}
    for name, layer in named_layers(model).items():
        for variable in layer.trainable_variables:
            owner.setdefault(id(variable), name)
    return [owner.get(id(variable), "model") for variable in model.trainable_variables]


def inner_optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    """Returns a compiled model's optimizer, unwrapped from the loss scaling of half precision."""
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def monitored(model: keras.Model) -> MonitoredAdam | None:
    """Returns a compiled model's `MonitoredAdam`; None if a recipe has its own optimizer."""
    optimizer = inner_optimizer(model)
    return optimizer if isinstance(optimizer, MonitoredAdam) else None


def end_epoch(model: keras.Model) -> dict[str, float]:
    """Returns the step statistics averaged over the epoch, and resets them.

    Returns:
      `gradient_norm`, before clipping, of all layers together; `clipped`, the share of clipped
      steps; and `update/LAYER`, the ratio of the norms of a step and of the weights it changed.
      Empty if a recipe has its own optimizer.
    """
    optimizer = monitored(model)
    if optimizer is None:
        return {}
    steps, norm, clipped, *ratios = (float(total) for total in np.asarray(optimizer.totals))
    steps = max(1.0, steps)  # half precision skips steps that overflow
    with model.distribute_strategy.scope():
        optimizer.totals.assign(np.zeros(optimizer.totals.shape, "float32"))
    names = (f"{UPDATE}{name}" for name in optimizer.layers)
    ratios = [ratio / steps for ratio in ratios]
    return {
        "gradient_norm": norm / steps,
        "clipped": clipped / steps,
        **dict(zip(names, ratios, strict=True)),
    }


def broken(model: keras.Model, loss: float) -> str | None:
    """Returns what is not finite after a step, and in which layer; None if all is finite.

    Args:
      loss: loss of the epoch up to this step.
    """
    optimizer = monitored(model)
    if optimizer is None:
        return _broken_weight(model, loss)
    finite = np.isfinite(np.asarray(optimizer.last))  # (layers,)
    if np.isfinite(loss) and finite.all():
        return None
    also = "while the loss is still finite" if np.isfinite(loss) else f"and the loss is {loss}"
    if not finite.all():
        # In backpropagation, non-finite values spread from output to input: find their origin.
        last = int(np.flatnonzero(~finite)[-1])
        value = float(np.asarray(optimizer.last)[last])
        return f"The gradient of layer {optimizer.layers[last]} is {value} {also}"
    # Half precision skips such steps, so that only the loss shows it.
    return _broken_weight(model, loss)


def _broken_weight(model: keras.Model, loss: float) -> str | None:
    """Returns what is not finite, judged by loss and weights only; None if the loss is finite."""
    if np.isfinite(loss):
        return None
    for name, variable in zip(layer_names(model), model.trainable_variables, strict=True):
        if not np.isfinite(np.asarray(variable)).all():
            return f"A weight of layer {name} is not finite and the loss is {loss}"
    return f"The loss is {loss} though all weights and gradients are finite"
