"""Several replicas train what one would: the same steps, losses and metrics, each row once.

Keras 3.15 cannot do it by itself, in two ways:

- It takes the mean of the replicas' means, which is another number where they have unequal shares
  of a batch; and to build metrics it averages what the replicas are given, which must then be of
  one shape.
- `fit` fails under `MultiWorkerMirroredStrategy` (https://github.com/keras-team/keras/issues/20585):
  in that same average of what the replicas are given, and in the reduction of the logs, of which
  it takes the mean over an axis that a scalar lacks. `tests/unit/test_workers.py` fails once Keras
  has mended this.

So metrics are built beforehand from one plain batch and Keras' own building is omitted; each
replica says how many of its rows count; and a step's logs get the axis.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data import Batches
from zoo.training import diagnostics, keras_private


def distribute(
    batches: Batches,
    order: list[np.ndarray],
    strategy: tf.distribute.Strategy,
    made: Callable[[], None] | None = None,
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Returns batches for `fit` and `evaluate` under a strategy.

    Every process names the whole batches, and takes only what its replicas need. They have to be
    told how many steps there are: Keras takes the number of shares for it, and of a step at the
    end of the data replicas do what needs no data, such as counting it.

    Args:
      batches: encoded examples.
      order: row numbers of each global batch.
      strategy: one device, replicas, or workers.
      made: called when a batch has been made.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batches.dataset(order, made)

    def mine(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * here
        return batches.shards(order, replicas, range(first, first + here), made)

    return strategy.distribute_datasets_from_function(mine)


def prepare(model: keras.Model, batch: tuple[Any, Any]) -> None:
    """Makes a compiled model's steps those of several replicas, if it was built for several.

    Args:
      model: built and compiled under a strategy's scope, with any optimizer of Keras.
      batch: `(x, y)` of any rows, from which metrics and losses are built.

    Raises:
      ValueError: the model adds up a mean over rows and another kind of loss.
    """
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return
    losses = [keras.losses.get(loss) for loss in tf.nest.flatten(model.loss)]
    means = {getattr(loss, "reduction", "mean") != "sum" for loss in losses}
    if len(means) != 1:
        raise ValueError("Losses that are means cannot be added to losses that are sums here.")
    with strategy.scope():
        keras_private.build_metrics(model, batch)
    # The optimizer is given the sums of the replicas' gradients: it must not add them up again.
    keras_private.skip_gradient_sum(diagnostics.inner_optimizer(model))
    workers = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)

    def loss_of(x: Any, y: Any, y_pred: Any, counts: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns this replica's part of the loss of the global batch, and counts it."""
        loss = model.compute_loss(x=x, y=y, y_pred=y_pred, training=training)
        here, everywhere = tf.unstack(tf.cast(counts, loss.dtype), num=2)
        if means == {True}:
            # Keras has divided the mean over these rows by the number of replicas.
            loss *= here * strategy.num_replicas_in_sync / everywhere
        # So that the sum over replicas is what one would add up.
        value = tf.math.divide_no_nan(loss * everywhere, here)
        keras_private.update_loss(model, value, here)
        return loss

    def logs_of(x: Any, y: Any, y_pred: Any) -> dict[str, Any]:
        logs = model.compute_metrics(x, y, y_pred)
        return {name: value[None] for name, value in logs.items()} if workers else logs

    def train_step(self: keras.Model, data: tuple[Any, Any, tf.Tensor]) -> dict[str, Any]:
        x, y, counts = data
        with tf.GradientTape() as tape:
            y_pred = _first(self(x, training=True), counts[0])
            y = _first(y, counts[0])
            loss = self.optimizer.scale_loss(loss_of(x, y, y_pred, counts, training=True))
        variables = self.trainable_variables
        self.optimizer.apply(_summed(tape.gradient(loss, variables)), variables)
        return logs_of(x, y, y_pred)

    def test_step(self: keras.Model, data: tuple[Any, Any, tf.Tensor]) -> dict[str, Any]:
        x, y, counts = data
        y, y_pred = _first(y, counts[0]), _first(self(x, training=False), counts[0])
        loss_of(x, y, y_pred, counts, training=False)
        return logs_of(x, y, y_pred)

    model.train_step = types.MethodType(train_step, model)
    model.test_step = types.MethodType(test_step, model)


def read_metrics(model: keras.Model) -> list[np.ndarray]:
    """Returns the variables of the running metrics, those of each replica.

    A metric of several replicas is the sum of theirs. Of the sum alone training could not go on to
    the last bit: floating-point numbers would be added up in another order.

    Returns:
      An array `(replicas, ...)` for each variable; of one replica, `(...)`. All workers have to
      call this.
    """
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return [np.asarray(variable) for variable in model.metrics_variables]
    if model not in _READERS:

        def read(variable: Any) -> tf.Tensor:
            value = tf.convert_to_tensor(variable)
            place = tf.distribute.get_replica_context().replica_id_in_sync_group
            mine = tf.reshape(tf.range(replicas) == place, [replicas] + [1] * len(value.shape))
            return tf.where(mine, value[None], tf.zeros_like(value)[None])

        variables = list(model.metrics_variables)

        def read_all() -> list[tf.Tensor]:
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, [read(v) for v in variables])

        _READERS[model] = tf.function(lambda: strategy.run(read_all))
    found = _READERS[model]()
    return [strategy.experimental_local_results(value)[0].numpy() for value in found]


_READERS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # by model: tracing takes long


def write_metrics(model: keras.Model, values: list[np.ndarray]) -> None:
    """Sets the variables of the running metrics to what `read_metrics` has returned.

    Values of another number of replicas are added up.
    """
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync

    def own() -> None:
        place = tf.distribute.get_replica_context().replica_id_in_sync_group
        for variable, value in each:
            variable.assign(tf.gather(value, place))

    each = []
    for variable, value in zip(model.metrics_variables, values, strict=True):
        several = value.ndim > len(variable.shape)
        if several and replicas > 1 and len(value) == replicas:
            each.append((variable, tf.constant(value)))
        else:
            variable.assign(value.sum(axis=0, dtype=value.dtype) if several else value)
    if each:
        strategy.run(tf.function(own))


def _first(structure: Any, rows: tf.Tensor) -> Any:
    """Returns the first rows of every tensor, and of the mask that it carries."""

    def cut(tensor: tf.Tensor) -> tf.Tensor:
        part = tensor[:rows]
        if (mask := keras_private.mask_of(tensor)) is not None:
            keras_private.set_mask(part, mask[:rows])
        return part

    return tf.nest.map_structure(cut, structure)


def _summed(gradients: list[Any]) -> list[Any]:
    """Adds up the gradients of all replicas, before anything measures or clips them."""
    there = [place for place, gradient in enumerate(gradients) if gradient is not None]
    context = tf.distribute.get_replica_context()
    sums = context.all_reduce(tf.distribute.ReduceOp.SUM, [gradients[place] for place in there])
    for place, total in zip(there, sums, strict=True):
        gradients[place] = total
    return gradients
