"""One-to-one: an image goes in whole, a digit comes out. No time, no recurrence.

The lesson starts here, with a feed-forward network (multilayer perceptron; Rumelhart, Hinton &
Williams 1986). It reads all 64 pixels x at once, Tx = Ty = 1:

    a = relu(W_ax x + b_a)
    y = softmax(W_ya a + b_y)

A recurrent network adds one term, W_aa a_{t-1}, and can read its input in steps. Here there is
nothing to remember between two images. notebooks/00-from-ann-to-rnn.ipynb reads the same images
row by row with a SimpleRNN, and shows the gain and the cost of the sequence.

Each pixel has its own weight, so a digit that is moved by a pixel is another input. For this reason
the digit is cropped and centred first, for any shade of the paper. Each
epoch moves and scales the digits a little.

Accuracy on a tenth of the images, drawn by a fixed seed, in %, mean of three seeds (results/;
seconds on 2 cores):

    digits-mlp 99.3
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from recipes.toys.images import IMAGES, INK, SIDE
from zoo import files
from zoo.assets import Assets, Json
from zoo.config import Config as BaseConfig
from zoo.config import check_at_least
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Demo, Objective
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras

    from recipes.toys.ink import Ink
    from zoo.data import Batches, Splits
    from zoo.serving import Served

TOPOLOGY = "one-to-one"
TASK = "images"
NAMED = {"pixels": "picture.png"}
METRIC = Metric("accuracy", better="higher")
MONITOR = Monitor("val_accuracy", better="higher")
DEMO = Demo(title="Drawn digit", label="Draw a digit", input="drawing")


@dataclasses.dataclass(frozen=True)
class Config(BaseConfig):
    epochs: int = 40  # passes over the training split, at most
    batch_size: int = 64  # images in one step, over all replicas together
    learning_rate: float = 3e-3  # Adam's step size at its highest
    patience: int = 0  # epochs without a better validation score before training stops (0: never)
    layers: int = 1  # hidden layers
    units: int = 128  # size of a hidden layer a
    dropout: float = 0.2  # dropout rate of the hidden layers
    move: float = 0.4  # maximum shift of training images, in pixels
    grow: float = 0.08  # maximum fraction by which they grow or shrink
    max_side: int = 1024  # a picture with more pixels in height or width has no answer

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 0, "move")
        if not 0 <= self.grow < 1:
            raise ValueError(f"Setting 'grow' must be from 0 to below 1; got {self.grow}.")


RECIPES = {"digits-mlp": Config()}


def data(config: Config) -> Dataset:
    return IMAGES


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    return {"labels": sorted(set(train["label"])), "centred": True}


def encoder(config: Config, assets: Assets) -> Ink | None:
    from recipes.toys.ink import Ink

    # Networks that were trained before ink was centred read pixels as they are.
    return Ink() if assets.get("centred") else None


def augment(config: Config, train: Examples) -> Examples:
    return {**train, "disturbed": [True] * len(train["label"])}  # in `batches`, again each epoch


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    import numpy as np
    import tensorflow as tf

    from zoo.data import Batches

    classes = {label: number for number, label in enumerate(assets["labels"])}
    pixels = np.array(examples["pixels"], "float32")  # (rows, 8, 8)
    rows, disturbed = len(pixels), "disturbed" in examples

    def drawn(seed: int, epoch: int) -> Batches:
        ink = pixels
        if assets.encoder:
            random = np.random.default_rng((seed, epoch))
            move = random.uniform(-config.move, config.move, (rows, 2)) * disturbed
            grow = 1 + random.uniform(-config.grow, config.grow, rows) * disturbed
            ink = assets.encoder(*(tf.constant(x, tf.float32) for x in (pixels, move, grow)))[0]
        return Batches(
            x=np.array(ink),  # (rows, 8, 8)
            y=np.array([classes[label] for label in examples["label"]], "int32"),  # (rows,)
            batch_size=config.batch_size,
        )

    return dataclasses.replace(drawn(0, 0), renew=drawn if disturbed else None)


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers

    pixels = keras.Input((SIDE, SIDE), name="pixels")  # (batch, 8, 8)
    a = layers.Flatten()(layers.Rescaling(1 / INK)(pixels))  # (batch, 64)
    for _ in range(config.layers):
        a = layers.Dense(config.units, activation="relu")(a)  # (batch, units)
        a = layers.Dropout(config.dropout)(a)
    classes = layers.Dense(len(assets["labels"]), activation="softmax", dtype="float32")
    return keras.Model(pixels, classes(a))


def objective(config: Config, assets: Assets) -> Objective:
    return {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    import tensorflow as tf

    from zoo.bounds import beyond, marked, problems
    from zoo.serving import Served

    labels = tf.constant(assets["labels"])

    size = None if assets.encoder else SIDE  # of a picture, and of one as it was trained on

    @tf.function(
        input_signature=[tf.TensorSpec([None, size, size], tf.float32, name="pixels")],
        autograph=False,
    )
    def answer(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        large = tf.reduce_max(tf.shape(pixels)[1:]) > config.max_side
        pixels = pixels[:, : config.max_side, : config.max_side]
        wrong = tf.reduce_any(beyond(pixels, 1e6), axis=[1, 2])
        ink = tf.where(wrong[:, tf.newaxis, tf.newaxis], 0.0, pixels)
        blank = tf.zeros_like(wrong)
        if assets.encoder:
            ink, blank = assets.encoder(ink)  # (batch, 8, 8)
        probabilities = model(ink, training=False)  # (batch, classes)
        outputs = {
            "label": tf.gather(labels, tf.argmax(probabilities, axis=-1)),  # (batch,)
            "score": tf.reduce_max(probabilities, axis=-1),  # (batch,)
            "probabilities": probabilities,
        }
        nothing = (blank, "The picture shows no ink: all of it is as light as its edge")
        greys = (wrong, "The image has values that are not shades of grey")
        too_large = f"The picture is larger than {config.max_side} pixels"
        sizes = (tf.fill(tf.shape(wrong), large), too_large)
        return marked(outputs, problems(sizes, greys, nothing))

    return Served(answer=answer, parts=[model, assets.encoder] if assets.encoder else [model])


def read_input(config: Config, text: str) -> Examples:

    from recipes.toys.images import read_picture

    return {"pixels": [read_picture(files.expanded(text))], "file": [text]}


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    from zoo import metrics

    answers = predictor.predict(examples["pixels"])
    predicted = [answer["label"] for answer in answers]
    return metrics.classification(examples["label"], predicted, assets["labels"])


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    from recipes.toys.baselines import vector_baselines

    return vector_baselines(splits.train, splits.validation, splits.test, "pixels")


def show(example: dict, answer: dict) -> str:
    return f"{answer['label']:>10}  {answer['score']:.3f}  {example.get('file', '')}".rstrip()
