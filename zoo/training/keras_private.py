"""The private names of Keras that this package needs, and no other module uses.

Private names may change with any release of Keras. `tests/engine/test_keras_private.py` says what
breaks when one does, and `setup.cfg` bounds the releases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


def layers_of(model: keras.Model) -> list[Any]:
    """Returns every layer of a model, those inside other layers too, without the model itself."""
    return list(model._flatten_layers(include_self=False))


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
    """Has an optimizer apply the gradients it is given, without adding up those of replicas."""
    optimizer._all_reduce_sum_gradients = list


def optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """Returns the trainable variables that an optimizer was built with, in their order."""
    return list(optimizer._trainable_variables)


def variable_indices(optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]) -> list[int]:
    """Returns the place of each variable among those that an optimizer was built with."""
    return [optimizer._get_variable_index(variable) for variable in variables]


def moving_averages(optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """Returns the mean over steps of each of `optimizer_variables`, in their order."""
    return list(optimizer._model_variables_moving_average)


def mask_of(tensor: Any) -> Any:
    """Returns the mask that a tensor carries, bool `(batch, time)`; None if it carries none."""
    return getattr(tensor, "_keras_mask", None)


def set_mask(tensor: Any, mask: Any) -> None:
    """Has a tensor carry a mask, bool `(batch, time)`, as the output of a layer does."""
    tensor._keras_mask = mask
