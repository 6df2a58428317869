"""One-to-many: a few words go in, a text comes out, word by word.

A recurrent network reads a text. After each word x_t, it predicts the distribution of the next one:

    h_t = W LSTM(E x_t, h_{t-1})
    p(x_{t+1} | x_1 … x_t) = softmax(E h_t + b)

The matrix E of word vectors is also that of the softmax (tied embeddings; Inan et al. 2017, Press &
Wolf 2017). The metric is the perplexity, e to the power of the mean of -log p. The benchmark is the
Penn Treebank as Mikolov (2010) prepared it: a vocabulary of 10,000 words, and 929,589 training
words. This is little text, so regularisation matters most:

- The text is cut into as many streams as a batch has rows. Each window starts from the last state
  of the window before it, and each epoch cuts at other places.
- Variational dropout: one mask for all steps of a window, on word vectors, states, and whole words
  (Gal & Ghahramani 2016).
- Weight dropout between states (Merity et al. 2018).
- The mean of the weights over training steps (Polyak & Juditsky 1992).

A neural cache stores the last states and the word after each. Words that followed similar states
become more probable (Grave et al. 2017). Its weight and its sharpness are chosen on the validation
split.

Perplexity on the test text (results/):

    5-grams 153.2   ptb-deep-lstm 71.7, with the cache 65.2

Published: 5-grams 141 (Mikolov & Zweig 2012); networks of two LSTM layers 78.4 (Zaremba et al.
2014, 66 million parameters), of three 57.3, with a cache 52.8 (Merity et al. 2018).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zoo.assets import Assets, Json
from zoo.config import Config as BaseConfig
from zoo.config import check_between
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Objective, Option
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras
    import numpy as np

    from recipes.writing.word_encoder import Words
    from zoo.data import Batches, Splits
    from zoo.serving import Served

TOPOLOGY = "one-to-many"
TASK = "language model"
METRIC = Metric("perplexity", better="lower", format=".1f")
MONITOR = Monitor("val_loss", better="lower")
SEEDS = (Option("prompt", "First words of a text."),)
KERAS_OBJECTS = {
    "zoo>TiedEmbedding": "recipes.writing.word_layers",
    "zoo>WeightDropLSTM": "recipes.writing.word_layers",
    "zoo>CarriedLSTM": "recipes.writing.word_layers",
    "zoo>NegativeLogLikelihood": "recipes.writing.word_layers",
}


@dataclasses.dataclass(frozen=True)
class Config(BaseConfig):
    MAY_BE_0 = ("cache",)

    epochs: int = 50  # passes over the training split, at most
    batch_size: int = 64  # streams of text that are read in parallel
    learning_rate: float = 2e-3  # Adam's step size at its highest
    warmup: float = 0.02  # fraction of all steps in which the step size rises from 0
    clip_norm: float = 0.5  # gradients are scaled down to this global norm (0: never)
    patience: int = 0  # epochs without a better validation score before training stops (0: never)
    average: float = 0.998  # decay of the exponential moving average of the weights (0: off)
    layers: int = 1  # recurrent layers on top of each other
    units: int = 1_000  # size of the state of a recurrent layer
    embedding: int = 400  # size of a word vector E x_t
    window: int = 35  # words in one training window
    vocabulary: int = 10_000  # most frequent words, at most; all others are <unk>
    sampled: int = 0  # words that the training softmax samples (0: uses all)
    word_dropout: float = 0.1  # fraction of the vocabulary hidden in each step
    input_dropout: float = 0.5  # dropout rate of word vectors, with one mask per window
    dropout: float = 0.5  # dropout rate of states, with one mask per window
    weight_dropout: float = 0.4  # dropout rate of the recurrent weights in each step
    cache: int = 500  # words that the cache remembers (0: no cache)
    cache_weight: float = 0.1  # weight of the cache in the served probabilities
    cache_sharpness: float = 0.2  # higher: similar states in the cache count more
    max_prompt: int = 500  # of a longer prompt, only the last words are read
    max_bytes: int = 1_000_000  # a longer text has no score
    max_steps: int = 100_000  # maximum of rows times steps in a request
    steps: int = 100  # words to generate by default
    temperature: float = 0.8  # below 1: probable words become more probable
    top_k: int = 0  # draw from the k most probable words (0: from all)
    top_p: float = 0.95  # draw from the most probable words that together reach this probability

    def __post_init__(self) -> None:
        super().__post_init__()
        check_between(self, cache=(0, 10_000), cache_weight=(0, 1), sampled=(0, 1_000_000))


RECIPES = {
    "ptb-lstm": Config(),
    "ptb-deep-lstm": Config(layers=2, epochs=59),  # minutes on a GPU, a night on two cores
}


def data(config: Config) -> Dataset:
    from recipes.writing.treebank import TREEBANK

    return TREEBANK


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    from recipes.writing.word_encoder import learn_words

    return base or {"symbols": learn_words(train["text"], config.vocabulary)}


def encoder(config: Config, assets: Assets) -> Words:
    from recipes.writing.word_encoder import Words

    return Words(assets["symbols"])


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    import numpy as np

    from recipes.writing.streams import stream_batches

    end = np.array([assets.encoder.end], "int32")  # a text begins as if behind a line break
    ids = np.concatenate([end, *assets.encoder.rows(examples["text"])])
    return stream_batches(ids, config.batch_size, config.window)


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers

    from recipes.writing.word_layers import CarriedLSTM, TiedEmbedding

    def dropped(x: keras.KerasTensor, share: float) -> keras.KerasTensor:
        return layers.Dropout(share, noise_shape=(None, 1, None))(x)  # the same at all steps

    ids, following = (keras.Input((None,), dtype="int32", name=name) for name in ("ids", "next"))
    stream, begins = (keras.Input((), dtype="int32", name=name) for name in ("stream", "begins"))
    embedding = TiedEmbedding(
        assets.encoder.size,
        config.embedding,
        config.word_dropout,
        config.sampled,
        name="embedding",
    )
    x = dropped(embedding(ids), config.input_dropout)  # (batch, time, embedding)
    for number in range(config.layers):
        rnn = CarriedLSTM(
            config.units, config.batch_size, config.weight_dropout, name=f"recurrent_{number}"
        )
        x = dropped(rnn(x, stream, begins), config.dropout)  # (batch, time, units)
    x = layers.Dense(config.embedding, name="projection")(x)
    logs = embedding(following, x)  # log p, (batch, time, 1)
    inputs = {"ids": ids, "next": following, "stream": stream, "begins": begins}
    return keras.Model(inputs, logs)


def objective(config: Config, assets: Assets) -> Objective:
    from recipes.writing.word_layers import NegativeLogLikelihood

    return {"loss": NegativeLogLikelihood(), "metrics": []}


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    from recipes.writing.word_signatures import Cache, word_signatures
    from zoo.decoding.sampling import settings
    from zoo.serving import Served

    cache = Cache(config.cache, config.cache_weight, config.cache_sharpness)
    limits = {name: getattr(config, name) for name in ("max_bytes", "max_prompt", "max_steps")}
    words = assets.encoder
    options = {**limits, **settings(config)}
    functions = word_signatures(model, words.after_a_line, words.join, cache, **options)
    return Served(**functions, parts=[model, words])


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    from recipes.writing import perplexity as measure
    from recipes.writing.checks import text_checks
    from zoo.serving.evaluation import training_splits

    logs, repeated = measure.read_text(predictor, examples["text"], config.max_bytes)
    nats = -float(logs.mean())
    values = {
        "perplexity": measure.perplexity(nats),
        "nats_per_word": nats,
        "words": len(logs),
    }
    splits = training_splits(predictor)
    if config.cache and splits:
        held_out = measure.read_text(predictor, splits.validation["text"], config.max_bytes)
        weight, sharpness = measure.best_cache(*held_out)
        nats = measure.nats_with_cache(logs, repeated, weight, sharpness)
        values["cache_perplexity"] = measure.perplexity(nats)
        values |= {"cache_weight": weight, "cache_sharpness": sharpness}
    if unknown := assets.encoder.unknown(examples["text"]).total():
        values["unknown_words"] = unknown  # which are scored as <unk>
    tables = {}
    if splits:
        texts = examples["text"][:20]
        steps = sum(len(text.split()) for text in texts) // len(texts)
        made = [answer["continuation"] for answer in predictor.generate(len(texts), steps=steps)]
        tables["checks"] = text_checks(made, texts, splits.train["text"])
    return Scores(values, tables)


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    from recipes.writing.perplexity import ngram_perplexity

    encode = encoder(config, Assets(prepare(config, splits.train)))
    value = ngram_perplexity(encode, splits.train["text"], splits.test["text"], 5)
    return {"5-gram": Scores({"perplexity": value})}


def seed(config: Config, given: Mapping[str, str]) -> dict[str, str]:
    from recipes.writing import books

    return books.seed(given)


def unread(config: Config, assets: Assets, given: Mapping[str, str]) -> str:
    from recipes.writing import books

    return books.unread(assets.encoder.unknown([given["text"]]), "words")


def show(example: dict, answer: dict) -> str:
    return " ".join(f"{example['text']} {answer['continuation']}".split())  # on one line


def token_labels(
    config: Config, assets: Assets, x: Mapping[str, np.ndarray]
) -> dict[str, list[str]]:
    words = ["", *assets.encoder.words]
    return {"": [words[number] for number in x["ids"]]}
