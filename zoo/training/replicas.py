"""Several replicas train what one would: the same steps, losses and metrics, each row once.

Keras 3.15 cannot do it by itself, in two ways:

- It takes the mean of the replicas' means, which is another number where they have unequal shares
  of a batch; and to build metrics it averages what the replicas are given, which must then be of
  one shape.
- `fit` fails under `MultiWorkerMirroredStrategy` (https://github.com/keras-team/keras/issues/20585):
  in that same average of what the replicas are given, and in the reduction of the logs, of which
  it takes the mean over an axis that a scalar lacks. `tests/engine/test_workers.py` fails once
  Keras has fixed this.

So metrics are built beforehand from one plain batch and Keras' own building is omitted; each
replica says how many of its rows count, and draws dropout's masks as one device would.

Over a network each reduction costs round trips, whatever its size. A step has one: of gradients,
of its loss and of what workers have to tell each other, as one vector. Running metrics are added
up at the end of an epoch; those that a step returns are of this process' first replica.
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


@dataclasses.dataclass
class Votes:
    """What the processes of a training tell each other with each step.

    Attributes:
      raised: flags that this process raises with the next step.
      heard: whether any process has raised them with the last step.
      loss: of the global batch of the last step.
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
    """Makes a compiled model's steps those of several replicas, if it was built for several.

    Args:
      model: built and compiled under a strategy's scope, with any optimizer of Keras.
      batch: `(x, y)` of any rows, from which metrics and losses are built.
      flags: how many flags processes raise.
      training_loss: what training minimises, where it is not the loss of the model's answer.

    Returns:
      What travels with each step; None for one replica.

    Raises:
      ValueError: the model adds up a mean over rows and another kind of loss.
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
    # The optimizer is given the sums of the replicas' gradients: it must not add them up again.
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
        """Counts a part of the loss, so that the sum over replicas is what one would add up."""
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
        # Of several replicas of a process, one speaks.
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

    # `fit` and `evaluate` make these only where there are none. Keras' own add up each log.
    model.train_function, model.test_function = train_function, test
    return votes


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

        _READERS[model] = tf.function(lambda: strategy.run(read_all), autograph=False)
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
        strategy.run(tf.function(own, autograph=False))


def _first(structure: Any, rows: tf.Tensor) -> Any:
    """Returns the first rows of every tensor, and of the mask that it carries."""

    def cut(tensor: tf.Tensor) -> tf.Tensor:
        part = tensor[:rows]
        if (mask := keras_private.mask_of(tensor)) is not None:
            keras_private.set_mask(part, mask[:rows])
        return part

    return tf.nest.map_structure(cut, structure)


def _summed(tensors: list[Any], replicas: int) -> list[Any]:
    """Adds up tensors over all replicas, in one reduction for each type.

    Of rows of an embedding, those of all replicas are put together instead: clipping and
    measuring need the gradient of each occurrence, as one device has them, and in its order.

    Args:
      tensors: dense, or `tf.IndexedSlices` of as many rows on each replica, or None.
      replicas: how many there are.

    Returns:
      The sums, in the same places.
    """
    context = tf.distribute.get_replica_context()
    place = tf.one_hot(context.replica_id_in_sync_group, replicas)  # (replicas,)

    def side_by_side(tensor: tf.Tensor) -> tf.Tensor:
        mine = tf.reshape(tf.cast(place, tensor.dtype), [-1] + [1] * len(tensor.shape))
        # Not a product: what is not finite is not zero elsewhere.
        spread = tf.where(mine > 0, tensor[None], tf.zeros_like(tensor)[None])
        return tf.reshape(spread, tf.concat([[-1], tf.shape(tensor)[1:]], axis=0))

    parts: list[tf.Tensor] = []
    for tensor in tensors:
        if isinstance(tensor, tf.IndexedSlices):
            # Row numbers travel as two numbers that float32 holds exactly.
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


_EXACT = 1 << 24  # float32 holds whole numbers up to it
