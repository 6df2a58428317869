"""Many-to-one: the adding problem, which asks how far back a network can remember.

Each step has a number, uniform between 0 and 1, and a marker. After the last step, the network
answers with the sum of the two numbers whose marker is 1 (Hochreiter & Schmidhuber 1997). One of
them is in the first half, so the gradient must be carried back over at least T/2 steps. The
baseline always answers 1; its mean squared error is 1/6.

    SimpleRNN  h_t = tanh(W x_t + U h_{t-1} + b)

    dL/dh_t = U' diag(1 - h_{t+1}^2) dL/dh_{t+1}: after k steps, there are k such factors. The
    gradient vanishes or explodes exponentially (Hochreiter 1991; Bengio, Simard & Frasconi 1994).

    LSTM       c_t = f c_{t-1} + i tanh(..)            the factor is f, near 1 where it is open
                                                       (the gate f: Gers et al. 2000)
    GRU        h_t = z h_{t-1} + (1 - z) tanh(..)      the factor is z

`recipes/sentiment.py` has the full equations; `recipes/anatomy` has them in NumPy, with every
gradient.

Each remedy is a setting:

    recurrent=orthogonal    U preserves norms (Saxe, McClelland & Ganguli 2014); Keras' default
    forget_bias=true        f starts at 0.73, not 0.5 (Jozefowicz, Zaremba & Sutskever 2015), and
    forget_start=3          with this at 0.95
    clip_norm               the norm of gradients is limited (Pascanu, Mikolov & Bengio 2013)
    layer_norm=true         states keep their scale (Ba, Kiros & Hinton 2016)
    recurrent=identity activation=relu   the IRNN: a SimpleRNN that starts as a plain sum of its
                            inputs (Le, Jaitly & Hinton 2015)

The sequences are drawn from a fixed seed; `length` sets T. Mean squared error on the test split at
T = 100, means of three seeds (results/; baseline 0.1649; a few minutes on 2 cores):

    adding-simplernn 0.1656   adding-lstm 0.0002   adding-gru 0.0001
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from recipes.toys.adding import adding
from zoo.assets import Assets, Json
from zoo.config import Config as BaseConfig
from zoo.config import check_at_least
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Objective
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo.data import Batches, Splits
    from zoo.serving import Served

TOPOLOGY = "many-to-one"
TASK = "adding"
METRIC = Metric("mse", better="lower")
MONITOR = Monitor("val_loss", better="lower")
KERAS_OBJECTS = {"zoo>LayerNormCell": "recipes.toys.normalised"}


@dataclasses.dataclass(frozen=True)
class Config(BaseConfig):
    epochs: int = 10  # passes over the training split, at most
    batch_size: int = 50  # examples in one step, over all replicas together
    learning_rate: float = 5e-3  # Adam's step size at its highest
    patience: int = 0  # epochs without a better score before training stops (0: never)
    length: int = 100  # steps T of a sequence
    max_length: int = 100_000  # a longer sequence has no answer
    cell: Literal["simplernn", "lstm", "gru"] = "lstm"  # the recurrent cell
    units: int = 64  # size of the state h_t
    recurrent: Literal["orthogonal", "glorot_uniform", "identity"] = "orthogonal"  # initial U
    activation: Literal["tanh", "relu"] = "tanh"  # activation of a SimpleRNN
    forget_bias: bool = True  # initial bias of an LSTM's forget gate: `forget_start`, else 0
    forget_start: float = 1.0  # 1 as in Keras; with 3 or 5, the gate is more open at the start
    layer_norm: bool = False  # normalise inside the cell at every step

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 2, "length")
        if self.activation != "tanh" and self.cell != "simplernn":
            raise ValueError("Setting 'activation' is only for a SimpleRNN; gated cells use tanh.")
        if self.recurrent == "identity" and self.cell != "simplernn":
            raise ValueError("Setting 'recurrent' can be 'identity' only for a SimpleRNN.")
        if not self.forget_bias and self.cell != "lstm":
            raise ValueError("Setting 'forget_bias' is only for an LSTM.")
        if self.forget_start != 1 and (self.cell != "lstm" or self.layer_norm):
            raise ValueError("Setting 'forget_start' is only for an LSTM without 'layer_norm'.")


RECIPES = {
    "adding-simplernn": Config(cell="simplernn"),
    "adding-lstm": Config(cell="lstm"),
    "adding-gru": Config(cell="gru"),
}


def data(config: Config) -> Dataset:
    return adding(config.length)


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    return {}  # there is nothing to learn but the weights


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    import numpy as np

    from zoo.data import Batches
    from zoo.data.batching import Ragged

    pairs = zip(examples["numbers"], examples["markers"], strict=True)
    return Batches(
        x=Ragged([np.stack(pair, axis=-1).astype("float32") for pair in pairs]),  # (time, 2) each
        y=np.array(examples["sum"], "float32")[:, None],  # (rows, 1)
        batch_size=config.batch_size,
    )


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers, ops

    from recipes.toys.normalised import LayerNormCell
    from zoo.layers import CELLS

    options: dict[str, Any] = {"recurrent_initializer": config.recurrent}
    if config.cell == "lstm":
        options["unit_forget_bias"] = config.forget_bias
    if config.cell == "simplernn":
        options["activation"] = config.activation
    if config.layer_norm:
        rnn = layers.RNN(LayerNormCell(config.units, config.cell, **options))
    else:
        rnn = CELLS[config.cell](config.units, **options)
    inputs = keras.Input((None, 2), name="steps")  # (batch, time, 2)
    real = layers.Masking()(inputs)  # a step whose number and marker are 0 is padding
    state = rnn(real)  # (batch, units)
    if config.forget_bias and config.forget_start != 1:
        gate = ops.arange(4 * config.units) // config.units  # input, forget, candidate, output
        rnn.cell.bias.assign(ops.where(gate == 1, config.forget_start, 0.0))
    return keras.Model(inputs, layers.Dense(1, dtype="float32", name="sum")(state))


def objective(config: Config, assets: Assets) -> Objective:
    return {"loss": "mse", "metrics": []}


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    import tensorflow as tf

    from zoo.bounds import beyond, marked, problems
    from zoo.serving import Served

    def sequence(name: str) -> tf.TensorSpec:
        return tf.TensorSpec([None, None], tf.float32, name=name)

    @tf.function(input_signature=[sequence("numbers"), sequence("markers")], autograph=False)
    def answer(numbers: tf.Tensor, markers: tf.Tensor) -> dict[str, tf.Tensor]:
        most = config.max_length
        long = tf.reduce_any((numbers != 0)[:, most:], axis=1)
        long |= tf.reduce_any((markers != 0)[:, most:], axis=1)
        parts = [numbers[:, :most], markers[:, :most]]
        time = tf.reduce_max([tf.shape(part)[1] for part in parts])
        # The shorter ones are filled up with 0, which adds nothing.
        filled = [tf.pad(part, [[0, 0], [0, time - tf.shape(part)[1]]]) for part in parts]
        steps = tf.stack(filled, axis=-1)  # (batch, time, 2)
        wrong = tf.reduce_any(beyond(steps, 1e6), axis=[1, 2])
        steps = tf.where((wrong | long)[:, tf.newaxis, tf.newaxis], 0.0, steps)
        # One padded step more: an empty sequence has a step then, too.
        total = model(tf.pad(steps, [[0, 0], [0, 1], [0, 0]]), training=False)[:, 0]
        problem = problems(
            (long, f"The sequence is longer than {most:,} steps"),
            (wrong, "The sequence has numbers that are not from -1,000,000 to 1,000,000"),
        )
        return marked({"sum": total}, problem)

    return Served(answer=answer, parts=[model])


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    import numpy as np

    given = {
        name: [[*map(float, row)] for row in examples[name]] for name in ("numbers", "markers")
    }
    answers = predictor.predict(given, batch_size=250)
    return scores(examples, np.array([answer["sum"] for answer in answers]))


def scores(examples: Examples, answers: np.ndarray | float) -> Scores:
    """Scores sums, float `(rows,)`, or one number for all rows."""
    import numpy as np

    from zoo.metrics.intervals import ratios

    errors = np.abs(answers - np.array(examples["sum"]))
    return Scores(
        {
            "mse": float(np.mean(errors**2)),
            "right": float(np.mean(errors < 0.04)),  # Hochreiter & Schmidhuber's measure
            "rows": len(errors),
        },
        units={"mse": ratios("rows", errors**2, np.ones(len(errors)))},
    )


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    return {"always 1": scores(splits.test, 1.0)}


def show(example: dict, answer: dict) -> str:
    numbers, markers = example["numbers"], example["markers"]
    marked = [number for number, marker in zip(numbers, markers, strict=True) if marker]
    return f"{answer['sum']:.4f}  {' + '.join(f'{n:.4f}' for n in marked)} among {len(numbers)}"
