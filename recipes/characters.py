"""One-to-many: a few characters go in, a text comes out, character by character.

A recurrent network reads a text. After each character x_t, it predicts the distribution of the
next one:

    h_t = GRU(E x_t, h_{t-1})                         (or LSTM)
    p(x_{t+1} | x_1 … x_t) = softmax(V h_t + b)

The loss is the mean of -log p(x_{t+1} | …), in nats per character; e to this power is the
perplexity. Training cuts the text into windows, and each window starts from a state of zeros
(truncated backpropagation through time; Williams & Peng 1990).

The network is told nothing about words, verses or speakers. To generate text, a character is drawn
from the distribution and becomes the next input, and so on (Graves 2013; Karpathy: The Unreasonable
Effectiveness of Recurrent Neural Networks, 2015). `temperature` sharpens or flattens the
distribution; `top_p` omits its improbable tail (Holtzman et al. 2020).

Nats per character on the test text of Tiny Shakespeare, in passages of about 1,000 characters, each
from a state of zeros (results/; 40 and 34 minutes, on one of two busy cores):

    shakespeare-gru 1.57   shakespeare-lstm 1.54   (6-grams 1.63)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from zoo.assets import Assets, Json
from zoo.config import Config as BaseConfig
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Demo, Objective, Option
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras

    from recipes.writing.character_encoder import Characters
    from zoo.data import Batches, Splits
    from zoo.serving import Served

TOPOLOGY = "one-to-many"
TASK = "text generation"
METRIC = Metric("nats_per_character", better="lower", format=".3f")
MONITOR = Monitor("val_loss", better="lower")
SEEDS = (Option("prompt", "First words of a text."),)
DEMO = Demo(title="Text", input="seed", example={"prompt": "ROMEO:"})


@dataclasses.dataclass(frozen=True)
class Config(BaseConfig):
    epochs: int = 14  # passes over the training split, at most
    batch_size: int = 32  # windows in a step
    learning_rate: float = 3e-3  # Adam's step size at its highest
    patience: int = 4  # epochs without a better validation score before training stops (0: never)
    cell: Literal["gru", "lstm"] = "gru"  # the recurrent cell
    layers: int = 1  # recurrent layers on top of each other
    units: int = 512  # size of the state h_t
    embedding: int = 64  # size of the vector E x_t of a character
    window: int = 128  # characters in one training window
    characters: int = 1_000  # maximum number of different characters
    dropout: float = 0.5  # dropout rate of each layer's states
    max_prompt: int = 1_000  # of a longer prompt, only the last characters are read
    max_bytes: int = 100_000  # a longer prompt is cut to its last bytes; a longer text has no score
    max_steps: int = 1_000_000  # maximum of rows times steps in a request
    steps: int = 300  # characters to generate by default
    temperature: float = 0.8  # below 1: probable characters become more probable
    top_k: int = 0  # draw from the k most probable characters (0: from all)
    top_p: float = 0.95  # draw from the most probable ones that together reach this probability


RECIPES = {
    "shakespeare-gru": Config(),
    "shakespeare-lstm": Config(
        cell="lstm", layers=2, units=448, dropout=0.5, learning_rate=4e-3, epochs=16),
}  # fmt: skip


def data(config: Config) -> Dataset:
    from recipes.writing.books import BOOKS

    return BOOKS


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    from recipes.writing.character_encoder import learn_characters

    if base:
        return base
    return {"symbols": learn_characters(train["text"], config.characters)}


def encoder(config: Config, assets: Assets) -> Characters:
    from recipes.writing.character_encoder import Characters

    return Characters(assets["symbols"])


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    from zoo.data import Batches
    from zoo.data.batching import Ragged

    # A text begins as if behind a line break, so that the first character can be predicted too.
    ids = assets.encoder.rows(["\n" + text for text in examples["text"]])
    before, after = [], []
    for row in ids:
        for start in range(0, len(row) - 1, config.window):
            part = row[start : start + config.window + 1]
            before.append(part[:-1])
            after.append(part[1:])
    return Batches(Ragged(before), Ragged(after), config.batch_size)  # (rows, time) both


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers

    from zoo.layers import CELLS

    cell = CELLS[config.cell]
    size = assets.encoder.size
    x = ids = keras.Input((None,), dtype="int32", name="ids")  # (batch, time)
    x = layers.Embedding(size, config.embedding)(x)
    for _ in range(config.layers):
        x = cell(config.units, return_sequences=True)(x)  # (batch, time, units)
        x = layers.Dropout(config.dropout)(x)
    logits = layers.Dense(size, dtype="float32")(x)  # (batch, time, ids)
    return keras.Model(ids, logits)


def objective(config: Config, assets: Assets) -> Objective:
    from zoo.losses import SmoothedCrossEntropy

    return {"loss": SmoothedCrossEntropy(0.0), "metrics": []}


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    import tensorflow as tf

    from zoo.bounds import first_bytes, last_bytes, marked, problems
    from zoo.decoding import generation_signatures, scored, step_function
    from zoo.decoding.sampling import settings
    from zoo.serving import Served

    characters = assets.encoder
    text = tf.TensorSpec([None], tf.string, name="text")

    def encode(text: tf.Tensor) -> tf.Tensor:
        return characters(tf.strings.join(["\n", text]))

    def encode_prompt(text: tf.Tensor) -> tf.Tensor:
        return encode(last_bytes(text, config.max_bytes))[:, -config.max_prompt :]

    generation = generation_signatures(
        *step_function(model),
        inputs=[text],
        encode=encode_prompt,
        answer=lambda ids, seed: {"continuation": characters.join(ids)},
        **settings(config),
        max_steps=config.max_steps,
    )

    @tf.function(input_signature=[text], autograph=False)
    def score(text: tf.Tensor) -> dict[str, tf.Tensor]:
        long = tf.strings.length(text) > config.max_bytes
        ids = encode(tf.where(long, "", first_bytes(text, config.max_bytes)))
        problem = f"The text is longer than {config.max_bytes:,} bytes"
        return marked(scored(model, ids), problems((long, problem)))

    return Served(generation=generation, score=score, parts=[model])


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    from recipes.writing.checks import text_checks
    from zoo.metrics import generation
    from zoo.serving.evaluation import training_splits

    scores = predictor.predict(examples["text"], signature="score")
    values = {
        "nats_per_character": generation.nats_per_step(scores),
        "characters": sum(score["count"] for score in scores),
    }
    units = {"nats_per_character": generation.nats_units(scores, "passages")}
    if unknown := assets.encoder.unknown(examples["text"]).total():
        values["unknown_characters"] = unknown  # which are not scored
    tables = {}
    if splits := training_splits(predictor):
        # As many texts as people's, of about their length, each with its own seed.
        texts = examples["text"][:50]
        steps = sum(map(len, texts)) // len(texts)
        answers = predictor.generate(len(texts), steps=steps)
        made = [answer["continuation"] for answer in answers]
        tables["checks"] = text_checks(made, texts, splits.train["text"])
    return Scores(values, tables, units=units)


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    from recipes.writing.baselines import ngram_baseline

    assets = Assets(prepare(config, splits.train))
    return ngram_baseline(encoder(config, assets), splits)


def seed(config: Config, given: Mapping[str, str]) -> dict[str, str]:
    from recipes.writing import books

    return books.seed(given)


def unread(config: Config, assets: Assets, given: Mapping[str, str]) -> str:
    from recipes.writing import books

    return books.unread(assets.encoder.unknown([given["text"]]), "characters")


def show(example: dict, answer: dict) -> str:
    return " ".join(f"{example['text']}{answer['continuation']}".split())  # on one line
