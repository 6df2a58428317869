"""One-to-many: a language model of film reviews, read from both ends.

Before a network learns to classify reviews, it can learn their language from unlabelled reviews
(Dai & Le 2015; Howard & Ruder 2018). Two LSTMs read a review, one from each end, and each predicts
its next word:

    h_t = LSTM(E x_t, h_{t-1})        p(x_t | x_1 … x_{t-1}) = softmax(E W h_{t-1} + b)
    g_t = LSTM(E x_t, g_{t+1})        p(x_t | x_{t+1} … x_T) = softmax(E V g_{t+1} + b)

Both share the word vectors E, also with the softmax (Inan et al. 2017). A softmax over 30,000 words
would take most of the time; in training, it is over the next word and 2,000 sampled words (Bengio &
Senécal 2008). Another network starts from these weights:

    zoo train reviews-lm
    zoo train imdb-bilstm --from runs/reviews-lm --set layer_decay=0.5

It takes over the vocabulary, the word vectors and both LSTMs. The forward LSTM also generates
reviews.

Perplexity on 2,500 reviews of the test split (results/): 3-grams 194.9; this network with 1,024
units, trained on a GPU (docs/methods.md), 75.7.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zoo.assets import Assets, Json
from zoo.config import Config as BaseConfig
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Objective, Option
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo.data import Batches, Splits
    from zoo.serving import Served
    from zoo.text import WordEncoder

TOPOLOGY = "one-to-many"
TASK = "language model"
METRIC = Metric("perplexity", better="lower", format=".1f")
MONITOR = Monitor("val_loss", better="lower")
HANDED_ON = ("units", "embedding")
SEEDS = (Option("prompt", "First words of a review."),)
KERAS_OBJECTS = {
    "zoo>TiedEmbedding": "recipes.writing.word_layers",
    "zoo>NegativeLogLikelihood": "recipes.writing.word_layers",
}


@dataclasses.dataclass(frozen=True)
class Config(BaseConfig):
    MAY_BE_0 = ("sampled",)

    epochs: int = 4  # passes over the training split, at most
    batch_size: int = 64  # windows in a step
    learning_rate: float = 2e-3  # Adam's step size at its highest
    units: int = 128  # size of the state of each of the two LSTMs
    embedding: int = 128  # size of a word vector E x_t
    window: int = 200  # words in one training window
    vocabulary: int = 30_000  # most frequent words, at most
    sampled: int = 2_000  # words that the training softmax samples (0: uses all)
    word_dropout: float = 0.1  # fraction of the vocabulary hidden in each step
    input_dropout: float = 0.2  # dropout rate of word vectors, with one mask per window
    dropout: float = 0.2  # dropout rate of states, with one mask per window
    max_words: int = 10_000  # a longer text keeps its first N/4 and last 3N/4 words
    max_prompt: int = 500  # of a longer prompt, only the last words are read
    max_bytes: int = 100_000  # a longer text has no score
    max_steps: int = 100_000  # maximum of rows times steps in a request
    steps: int = 100  # words to generate by default
    temperature: float = 0.8  # below 1: probable words become more probable
    top_k: int = 0  # draw from the k most probable words (0: from all)
    top_p: float = 0.95  # draw from the most probable words that together reach this probability


RECIPES = {"reviews-lm": Config()}


def data(config: Config) -> Dataset:
    from recipes.writing.film_reviews import REVIEWS

    return REVIEWS


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    from zoo import text

    rule = text.rule_of(base) if base else text.RULE
    words = base["vocabulary"] if base else None
    words = words or text.learn_vocabulary(train["text"], config.vocabulary, rule)
    symbols = ["[UNK] ", *(f"{word} " for word in words)]  # of the ids from 1 on
    return {"vocabulary": words, "normalisation": rule, "symbols": symbols}


def encoder(config: Config, assets: Assets) -> WordEncoder:
    from zoo import text

    return text.WordEncoder(
        assets["vocabulary"],
        config.max_words,
        config.max_bytes,
        text.rule_of(assets),
        name="encoder",
    )


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    from zoo.data import Batches
    from zoo.data.batching import Ragged

    rows = assets.encoder.rows(examples["text"])
    windows = []
    for start, length in zip(rows.starts, rows.lengths, strict=True):
        text = rows.values[start : start + length]
        windows += [text[at : at + config.window] for at in range(0, length, config.window)]
    ids = Ragged(windows)
    return Batches(ids, ids, config.batch_size)  # (rows, time) both


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers, ops

    from recipes.writing.word_layers import TiedEmbedding
    from zoo.text import RESERVED

    def dropped(x: keras.KerasTensor, share: float) -> keras.KerasTensor:
        return layers.Dropout(share, noise_shape=(None, 1, None))(x)  # the same at all steps

    ids = keras.Input((None,), dtype="int32", name="ids")  # (batch, time)
    size = len(assets["vocabulary"]) + RESERVED
    embedding = TiedEmbedding(
        size, config.embedding, config.word_dropout, config.sampled, name="embedding"
    )
    x = dropped(embedding(ids), config.input_dropout)  # (batch, time, embedding)
    rnn = layers.LSTM(config.units, return_sequences=True, return_state=True)
    both = layers.Bidirectional(rnn, merge_mode=None)(x, mask=ops.not_equal(ids, 0))
    forwards, backwards = (dropped(states, config.dropout) for states in both[:2])
    # Of a word, what is before it and what is behind it: nothing, at the ends.
    before = ops.pad(forwards[:, :-1], ((0, 0), (1, 0), (0, 0)))
    behind = ops.pad(backwards[:, 1:], ((0, 0), (0, 1), (0, 0)))
    before = layers.Dense(config.embedding, name="projection")(before)
    behind = layers.Dense(config.embedding, name="projection_backwards")(behind)
    logs = layers.Concatenate(dtype="float32")([embedding(ids, before), embedding(ids, behind)])
    return keras.Model(ids, logs)  # log p from both ends, (batch, time, 2)


def objective(config: Config, assets: Assets) -> Objective:
    from recipes.writing.word_layers import NegativeLogLikelihood

    return {"loss": NegativeLogLikelihood(), "metrics": []}


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    import tensorflow as tf

    from recipes.writing.word_signatures import NO_CACHE, word_signatures
    from zoo.decoding.sampling import settings
    from zoo.serving import Served

    def join(ids: tf.Tensor) -> tf.Tensor:
        return tf.strings.reduce_join(tf.gather(["", *assets["symbols"]], ids), axis=1)

    limits = {name: getattr(config, name) for name in ("max_bytes", "max_prompt", "max_steps")}
    encode = assets.encoder.ragged
    functions = word_signatures(model, encode, join, NO_CACHE, **limits, **settings(config))
    return Served(**functions, parts=[model, assets.encoder])


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    from recipes.writing.perplexity import perplexity
    from zoo.metrics import generation

    scores = predictor.predict(examples["text"], signature="score")
    nats = generation.nats_per_step(scores)  # read forwards, without the first word of a review
    words = sum(score["count"] for score in scores)
    values = {"perplexity": perplexity(nats), "nats_per_word": nats, "words": words}
    return Scores(values)


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    import numpy as np

    from recipes.writing.perplexity import perplexity
    from zoo.metrics.ngram import NGram

    encode = encoder(config, Assets(prepare(config, splits.train)))
    few = encode.rows(splits.train["text"][:8_000])  # of more, n-grams need too much memory
    train, test = (
        np.split(rows.values, rows.starts[1:]) for rows in (few, encode.rows(splits.test["text"]))
    )
    nats, count = NGram(3, len(encode.vocabulary) + 1).fit(train).nats(test, skip=1)
    name = "3-gram of 8,000 reviews" if len(few) < len(splits.train["text"]) else "3-gram"
    return {name: Scores({"perplexity": perplexity(nats / max(1, count))})}


def seed(config: Config, given: Mapping[str, str]) -> dict[str, str]:
    rest = dict(given)
    return {"text": rest.pop("prompt", ""), **rest}


def show(example: dict, answer: dict) -> str:
    return " ".join(f"{example['text']} {answer['continuation']}".split())  # on one line


def token_labels(config: Config, assets: Assets, x: np.ndarray) -> dict[str, list[str]]:
    words = ["", *(symbol.strip() for symbol in assets["symbols"])]
    return {"": [words[number] for number in x]}
