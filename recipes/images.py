"""One-to-one: an image goes in whole, a digit comes out. No time, no recurrence.

This is where the lesson starts, with a feed-forward network (multilayer perceptron; Rumelhart,
Hinton & Williams 1986). All 64 pixels x are read at once, Tx = Ty = 1:

    a = relu(W_ax x + b_a)
    y = softmax(W_ya a + b_y)

A recurrent network adds one term, W_aa a_{t-1}, and so can take its input in steps. Here there is
nothing to remember between two images. notebooks/00-from-ann-to-rnn.ipynb reads the same images
row by row with a SimpleRNN and shows what the sequence adds and what it costs.

Each pixel has a weight of its own, so that a digit moved by a pixel is another input; training
images are also shown moved by one pixel to each side.

Accuracy on a tenth of the images, drawn by a fixed seed, in % (results/; seconds on 2 cores):

    digits-mlp 99.4
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from recipes.toys.images import IMAGES, INK, SIDE
from zoo.assets import Assets, Json
from zoo.config import Config as BaseConfig
from zoo.config import check_at_least
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Objective
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras

    from zoo.data import Batches, Splits
    from zoo.serving import Served

TOPOLOGY = "one-to-one"
TASK = "images"
NAMED = {"pixels": "picture.png"}
METRIC = Metric("accuracy", better="higher")
MONITOR = Monitor("val_accuracy", better="higher")


@dataclasses.dataclass(frozen=True)
class Config(BaseConfig):
    epochs: int = 30  # passes over the training split, at most
    batch_size: int = 64  # images in one step, over all replicas together
    learning_rate: float = 3e-3  # Adam's step size at its highest
    patience: int = 0  # epochs without a better validation score before training stops (0: never)
    layers: int = 1  # hidden layers
    units: int = 128  # size of a
    dropout: float = 0.3  # share of a hidden in training
    move: int = 1  # pixels by which training images are moved, at most

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 1, "layers", "units")
        check_at_least(self, 0, "move")


RECIPES = {"digits-mlp": Config()}


def data(config: Config) -> Dataset:
    return IMAGES


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    return {"labels": sorted(set(train["label"]))}


def augment(config: Config, train: Examples) -> Examples:
    import numpy as np

    pixels = np.array(train["pixels"])  # (rows, 8, 8)
    moves = [(0, 0)]
    for step in range(1, config.move + 1):
        moves += [(0, step), (0, -step), (step, 0), (-step, 0)]
    # Ink that would leave on one side would come back on the other: such rows are paper there.
    edges = np.pad(pixels, ((0, 0), (config.move,) * 2, (config.move,) * 2))
    moved = [np.roll(edges, move, axis=(1, 2)) for move in moves]
    inside = slice(config.move, config.move + SIDE)
    return {
        "pixels": np.concatenate([each[:, inside, inside] for each in moved]).tolist(),
        "label": train["label"] * len(moves),
    }


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    import numpy as np

    from zoo.data import Batches

    classes = {label: number for number, label in enumerate(assets["labels"])}
    return Batches(
        x=np.array(examples["pixels"], "float32"),  # (rows, 8, 8)
        y=np.array([classes[label] for label in examples["label"]], "int32"),  # (rows,)
        batch_size=config.batch_size,
    )


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

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE], tf.float32, name="pixels")])
    def answer(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        wrong = tf.reduce_any(beyond(pixels, 1e6), axis=[1, 2])
        pixels = tf.where(wrong[:, tf.newaxis, tf.newaxis], 0.0, pixels)
        probabilities = model(pixels, training=False)  # (batch, classes)
        outputs = {
            "label": tf.gather(labels, tf.argmax(probabilities, axis=-1)),  # (batch,)
            "score": tf.reduce_max(probabilities, axis=-1),  # (batch,)
            "probabilities": probabilities,
        }
        return marked(outputs, problems((wrong, "The image has pixels that are no shades of grey")))

    return Served(answer=answer, parts=[model])


def read_input(config: Config, text: str) -> Examples:
    from pathlib import Path

    from recipes.toys.images import read_picture

    return {"pixels": [read_picture(Path(text).expanduser())], "file": [text]}


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
