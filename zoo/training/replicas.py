"""Training on several replicas with the results of one: same steps, losses and metrics.

Keras 3.15 does not provide this, for two reasons:

- It averages the replicas' means, which gives another result if they have unequal shares of a
  batch. To build metrics, it averages the inputs of the replicas, which must then have the same
  shape.
- `fit` fails under `MultiWorkerMirroredStrategy`
  (https://github.com/keras-team/keras/issues/20585): in the same average of the inputs, and in the
  reduction of the logs, where it takes the mean over an axis that a scalar does not have.
  `tests/engine/test_workers.py` fails once Keras has fixed this.

Therefore, metrics are built beforehand from one plain batch and Keras does not build them. Each
replica reports how many of its rows count, and samples dropout masks as one device would.

Over a network, each reduction costs round trips, whatever its size. A step has a single one, for
gradients, loss and flags of the workers, as one vector. Running metrics are summed at the end of
an epoch; those that a step returns are of this process' first replica.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data import Batches
from zoo.training import diagnostics, keras_private
from zoo.training.train_step import TrainingLoss, TrainStep, plain_loss, use_training_loss


def distribute(
    batches: Batches,
    order: list[np.ndarray],
    strategy: tf.distribute.Strategy,
    made: Callable[[], None] | None = None,
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Returns batches for `fit` and `evaluate` under a strategy.

    Every process gets the order of the whole batches, and encodes only the rows of its replicas.
    `fit` must be given the number of steps: Keras would use the number of shares instead. In a step
    beyond the end of the data, replicas run the operations that need no data, such as counting it.

    Args:
      batches: encoded examples.
      order: row numbers of each global batch.
      strategy: one device, replicas, or workers.
      made: called when a batch has been prepared.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batches.dataset(order, made)

    def mine(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * here
        return batches.shards(order, replicas, range(first, first + here), made)

    return strategy.distribute_datasets_from_function(mine)


@dataclasses.dataclass
class Votes:
    """Flags that the processes of a training exchange with each step.

    Attributes:
      raised: flags that this process raises with the next step.
      heard: whether any process has raised them with the last step.
      loss: loss of the global batch of the last step.
    """

    raised: list[bool]
    heard: list[bool] = dataclasses.field(default_factory=list)
    loss: float = 0.0


def prepare(
    model: keras.Model,
    batch: tuple[Any, Any],
    flags: int = 2,
    training_loss: TrainingLoss | None = None,
) -> Votes | None:
    """Replaces the steps of a compiled model if it was built for several replicas.

    Args:
      model: built and compiled under a strategy's scope, with any Keras optimizer.
      batch: `(x, y)` of any rows, from which metrics and losses are built.
      flags: number of flags that processes exchange.
      training_loss: the loss to minimise, if it is not the loss of the model's output.

    Returns:
      The flags exchanged with each step; None for one replica.

    Raises:
      ValueError: the model combines a mean over rows with another kind of loss.
    """
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        if training_loss is not None:
            use_training_loss(model, training_loss)
        return None
    minimised = training_loss or plain_loss(model)
    losses = [keras.losses.get(loss) for loss in tf.nest.flatten(model.loss)]
    means = {getattr(loss, "reduction", "mean") != "sum" for loss in losses}
    if len(means) != 1:
        raise ValueError("Losses that are means cannot be added to losses that are sums here.")
    with strategy.scope():
        keras_private.build_metrics(model, batch)
    # The optimizer receives gradients summed over replicas and must not sum them again.
    keras_private.skip_gradient_sum(diagnostics.inner_optimizer(model))
    here = len(strategy.extended.worker_devices)  # replicas of this process
    votes = Votes([False] * flags)

    def loss_of(x: Any, y: Any, y_pred: Any, counts: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns this replica's part of the loss of the global batch."""
        loss = model.compute_loss(x=x, y=y, y_pred=y_pred, training=training)
        mine, everywhere = tf.unstack(tf.cast(counts[:2], loss.dtype), num=2)
        # Keras has divided the mean over these rows by the number of replicas.
        return loss * (mine * replicas / everywhere) if means == {True} else loss

    def count(loss: tf.Tensor, counts: tf.Tensor) -> None:
        """Adds a part of the loss to the running mean, so that replicas sum up to one device."""
        mine, everywhere = tf.unstack(tf.cast(counts[:2], loss.dtype), num=2)
        keras_private.update_loss(model, tf.math.divide_no_nan(loss * everywhere, mine), mine)

    def train_step(
        data: tuple[Any, Any, tf.Tensor], raised: tf.Tensor
    ) -> tuple[dict[str, Any], tf.Tensor]:
        x, y, counts = data
        share = keras_private.Share(tf.shape(tf.nest.flatten(x)[0])[0], counts[1], counts[2])
        real_y = _first(y, counts[0])

        def compiled_loss(y_pred: Any) -> tf.Tensor:
            return loss_of(x, real_y, _first(y_pred, counts[0]), counts, training=True)

        def mean(values: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(values[: counts[0]]) / tf.cast(counts[1], values.dtype)

        step = TrainStep(x, y, lambda: keras_private.drawing_for(share), compiled_loss, mean)
        with tf.GradientTape() as tape:
            y_pred, loss = minimised(step)
            count(loss, counts)
            scaled = model.optimizer.scale_loss(loss)
        variables = model.trainable_variables
        place = tf.distribute.get_replica_context().replica_id_in_sync_group
        # Only one replica per process raises flags.
        raised = tf.where(tf.equal(place % here, 0), raised, tf.zeros_like(raised))
        said = tf.concat([[tf.cast(loss, tf.float32)], raised], axis=0)
        *gradients, heard = _summed([*tape.gradient(scaled, variables), said], replicas)
        model.optimizer.apply(gradients, variables)
        return model.compute_metrics(x, real_y, _first(y_pred, counts[0])), heard

    def test_step(data: tuple[Any, Any, tf.Tensor]) -> dict[str, Any]:
        x, y, counts = data
        y, y_pred = _first(y, counts[0]), _first(model(x, training=False), counts[0])
        count(loss_of(x, y, y_pred, counts, training=False), counts)
        return model.compute_metrics(x, y, y_pred)

    def run(step: Callable, *arguments: Any) -> Any:
        found = strategy.run(tf.autograph.experimental.do_not_convert(step), args=arguments)
        return tf.nest.map_structure(lambda v: strategy.experimental_local_results(v)[0], found)

    @tf.function(autograph=False, reduce_retracing=True)
    def train(iterator: Any, raised: tf.Tensor) -> Any:
        return run(train_step, next(iterator), raised)

    @tf.function(autograph=False, reduce_retracing=True)
    def test(iterator: Any) -> Any:
        return run(test_step, next(iterator))

    def train_function(iterator: Any) -> dict[str, tf.Tensor]:
        logs, heard = train(iterator, tf.constant(votes.raised, tf.float32))
        loss, *flags = heard.numpy().tolist()
        votes.loss, votes.heard = loss, [flag > 0 for flag in flags]
        return logs

    # `fit` and `evaluate` create these only if missing. Those of Keras would reduce each log.
    model.train_function, model.test_function = train_function, test
    return votes


def read_metrics(model: keras.Model) -> list[np.ndarray]:
    """Returns the variables of the running metrics, for each replica.

    A metric of several replicas is the sum of theirs. From the sum alone, training could not be
    resumed bit for bit: floating-point numbers would be added in another order.

    Returns:
      An array `(replicas, ...)` for each variable; `(...)` for one replica. All workers must call
      this.
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

        _READERS[model] = tf.function(lambda: strategy.run(read_all), autograph=False)
    found = _READERS[model]()
    return [strategy.experimental_local_results(value)[0].numpy() for value in found]


_READERS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # by model: tracing takes long


def write_metrics(model: keras.Model, values: list[np.ndarray]) -> None:
    """Sets the variables of the running metrics to the result of `read_metrics`.

    Values of another number of replicas are summed.
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
        strategy.run(tf.function(own, autograph=False))


def _first(structure: Any, rows: tf.Tensor) -> Any:
    """Returns the first rows of every tensor, and of its Keras mask."""

    def cut(tensor: tf.Tensor) -> tf.Tensor:
        part = tensor[:rows]
        if (mask := keras_private.mask_of(tensor)) is not None:
            keras_private.set_mask(part, mask[:rows])
        return part

    return tf.nest.map_structure(cut, structure)


def _summed(tensors: list[Any], replicas: int) -> list[Any]:
    """Sums tensors over all replicas, in one reduction per dtype.

    Embedding gradients (`tf.IndexedSlices`) of all replicas are concatenated instead: clipping and
    monitoring need the gradient of each occurrence, in the order of one device.

    Args:
      tensors: dense, or `tf.IndexedSlices` of as many rows on each replica, or None.
      replicas: number of replicas.

    Returns:
      The sums, in the same order.
    """
    context = tf.distribute.get_replica_context()
    place = tf.one_hot(context.replica_id_in_sync_group, replicas)  # (replicas,)

    def side_by_side(tensor: tf.Tensor) -> tf.Tensor:
        mine = tf.reshape(tf.cast(place, tensor.dtype), [-1] + [1] * len(tensor.shape))
        # Not a product: non-finite values times zero are not zero.
        spread = tf.where(mine > 0, tensor[None], tf.zeros_like(tensor)[None])
        return tf.reshape(spread, tf.concat([[-1], tf.shape(tensor)[1:]], axis=0))

    parts: list[tf.Tensor] = []
    for tensor in tensors:
        if isinstance(tensor, tf.IndexedSlices):
            # Row numbers are sent as two numbers that float32 represents exactly.
            high, low = tensor.indices // _EXACT, tensor.indices % _EXACT
            numbers = [tf.cast(part, tf.float32) for part in (high, low)]
            parts += [side_by_side(part) for part in (tensor.values, *numbers)]
        elif tensor is not None:
            parts.append(tensor)
    sums: list[Any] = [None] * len(parts)
    for dtype in dict.fromkeys(part.dtype for part in parts):
        places = [at for at, part in enumerate(parts) if part.dtype == dtype]
        flat = [tf.reshape(parts[at], [-1]) for at in places]
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.concat(flat, axis=0))
        pieces = tf.split(total, [tf.size(part) for part in flat])
        for at, piece in zip(places, pieces, strict=True):
            sums[at] = tf.ensure_shape(tf.reshape(piece, tf.shape(parts[at])), parts[at].shape)
    left = iter(sums)
    found: list[Any] = []
    for tensor in tensors:
        if isinstance(tensor, tf.IndexedSlices):
            values, high, low = next(left), next(left), next(left)
            kind = tensor.indices.dtype
            indices = tf.cast(high, kind) * _EXACT + tf.cast(low, kind)
            found.append(tf.IndexedSlices(values, indices, tensor.dense_shape))
        else:
            found.append(None if tensor is None else next(left))
    return found


_EXACT = 1 << 24  # float32 represents integers exactly up to this
