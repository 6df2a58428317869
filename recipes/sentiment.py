"""Many-to-one: a film review goes in word by word, one opinion comes out.

An embedding turns each word id into a vector x_t. At each word, a recurrent cell updates a state
h_t, with the same weights at every step:

    SimpleRNN  h_t = tanh(W x_t + U h_{t-1} + b)                            (Elman 1990)

    LSTM       i, f, o = sigmoid(W x_t + U h_{t-1} + b), one set each       (Hochreiter &
               c_t = f * c_{t-1} + i * tanh(W_c x_t + U_c h_{t-1} + b_c)     Schmidhuber 1997;
               h_t = o * tanh(c_t)                                          f: Gers et al. 2000)

    GRU        z, r = sigmoid(W x_t + U h_{t-1} + b), one set each          (Cho et al. 2014)
               h_t = z * h_{t-1} + (1 - z) * tanh(W_h x_t + r * (U_h h_{t-1} + b'_h) + b_h)

This GRU resets after the product with U_h, as Keras does by default. That of Cho et al. resets
before it: U_h (r * h_{t-1}).

The cell state c_t of the LSTM changes by addition, not by a product with U at every step, so that
gradients survive many more steps than in a SimpleRNN. A bidirectional layer reads the review from
both ends (Schuster & Paliwal 1997); a stacked layer reads the states of the layer below. The states
of all words, not only the last, are pooled over time (Collobert et al. 2011): a decisive word in
the middle needs no long memory, and its gradient takes a short path. The output is a softmax over
the classes.

In training, words are dropped at random (Iyyer et al. 2015), so that no single word decides. The
network can also be trained against adversarial perturbations of its word vectors (Miyato et al.
2017; `recipes.classifying.perturbation`).

With few training rows, such a network can be worse than a linear model of words and word pairs
(64.6 and 69.8 % in notebooks/12-knowledge.ipynb). There are two remedies: the network corrects the
linear model (`recipes.classifying.wide`), or it starts from weights that were trained on similar
texts (`recipes.classifying.starts`).

Accuracy on the official test split of IMDB (results/), in %. The packed models were trained by
distillation, on 50,000 more reviews (`zoo distil`); in brackets, from the labels alone (`zoo
train`, 2 to 8 minutes on one core, means of three seeds):

    imdb-simplernn 89.9 (87.3)   imdb-lstm 90.5 (88.6)   imdb-gru 90.7 (88.7)
    imdb-deep-gru 90.5 (88.7)    imdb-bilstm 90.8 (88.9)

    imdb-bilstm-large 93.2

The linear baselines have 91.6 and 90.8. `imdb-bilstm-large` is above both (no paired test). It
starts from a language model of the reviews (recipes/reviews.py) and learns from two teachers, on a
GPU (docs/methods.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from recipes.classifying.imdb import IMDB
from recipes.classifying.settings import TextConfig
from zoo.assets import Assets, Json
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Demo, Novelty, Objective, Packed, Start, Teacher
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from zoo.data import Batches, Splits
    from zoo.serving import Served
    from zoo.text import WordEncoder
    from zoo.training.train_step import TrainingLoss

TOPOLOGY = "many-to-one"
TASK = "sentiment"
METRIC = Metric("accuracy", better="higher")
MONITOR = Monitor("val_accuracy", better="higher")
DEMO = Demo(
    title="Film reviews",
    label="A film review",
    input="text",
    example={"text": "The plot is thin, but the actors are wonderful. I enjoyed every minute."},
)
NOVELTY = (Novelty("novelty", "high", "{unknown_words:.0%} of its words are unknown", 0.2),)
KERAS_OBJECTS = {
    "zoo>ClassAccuracy": "recipes.classifying.targets",
    "zoo>ClassCrossEntropy": "recipes.classifying.targets",
    "zoo>WideLogits": "recipes.classifying.wide",
}


@dataclasses.dataclass(frozen=True)
class Config(TextConfig):
    MAY_BE_0 = ("vector_words",)

    epochs: int = 3  # passes over the training split, at most
    learning_rate: float = 2e-3  # Adam's step size at its highest
    cell: Literal["simplernn", "lstm", "gru"] = "lstm"  # the recurrent cell
    bidirectional: bool = False  # read the text in both directions
    layers: int = 1  # recurrent layers on top of each other
    units: int = 128  # size of the state h_t, in each direction
    embedding: int = 64  # size of a word vector x_t
    vocabulary: int = 10_000  # most frequent words; rarer ones are often names of single films
    max_words: int = 600  # a longer text keeps its first N/4 and last 3N/4 words
    max_bytes: int = 100_000  # a longer text keeps its first N/4 and last 3N/4 bytes
    pooling: Literal["last", "mean", "max", "mean+max"] = "mean+max"  # how states become one vector
    word_dropout: float = 0.3  # fraction of words hidden in training
    dropout: float = 0.5  # dropout rate of the pooled vector
    vectors: Literal["none", "glove-50"] = "none"  # pretrained word vectors at the start
    vector_words: int = 20_000  # most frequent words of the pretrained vectors to add
    wide: bool = False  # add a linear model of words and pairs, which the network corrects


RECIPES = {
    "imdb-simplernn": Config(cell="simplernn", learning_rate=1e-3, epochs=4),
    "imdb-lstm": Config(cell="lstm"),
    "imdb-gru": Config(cell="gru"),
    "imdb-bilstm": Config(
        cell="lstm", bidirectional=True, units=64, max_words=800, word_dropout=0.4, epochs=4
    ),
    "imdb-deep-gru": Config(cell="gru", layers=2),
    "imdb-bilstm-large": Config(
        bidirectional=True,
        units=1_024,
        embedding=256,
        vocabulary=30_000,
        max_words=400,
        word_dropout=0.25,
    ),
}


def data(config: Config) -> Dataset:
    return IMDB


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    from recipes.corpora import glove
    from zoo import text

    labels = sorted(set(train["label"]))
    if base:
        rule, words = text.rule_of(base), base["vocabulary"]
    else:
        rule = text.RULE
        words = text.learn_vocabulary(train["text"], config.vocabulary, rule)
        if config.vectors == "glove-50":
            words = glove.with_glove_words(words, config.vector_words)
    learnt: dict[str, Json] = {"vocabulary": words, "labels": labels, "normalisation": rule}
    if config.wide or config.normalised_vectors:
        from recipes.classifying import perturbation, wide

        rows, size = encoder(config, Assets(learnt)).rows(train["text"]), len(words) + text.RESERVED
        if config.wide:
            learnt["wide"] = wide.fit(rows, train["label"], size)
        if config.normalised_vectors:
            learnt["frequencies"] = perturbation.frequencies(rows, size)
    return learnt


def adapt(config: Config, train: Examples, based: bool) -> Mapping[str, object]:
    from recipes.classifying import small

    rows = len(train["text"])
    return small.settings(rows, config.epochs, config.batch_size, config.patience, based)


def start(config: Config, train: Examples, packed: Packed) -> Start:
    from recipes.classifying import starts

    return starts.choose(config, train, packed)


def augment(config: Config, train: Examples) -> Examples:
    # Marks the rows that the wide part is fitted on.
    return {**train, "fitted": [True] * len(train["text"])} if config.wide else train


def encoder(config: Config, assets: Assets) -> WordEncoder:
    from zoo import text

    words, rule = assets["vocabulary"], text.rule_of(assets)
    return text.WordEncoder(words, config.max_words, config.max_bytes, rule, name="encoder")


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    from recipes.classifying import targets, wide
    from zoo.data import Batches

    x = assets.encoder.rows(examples["text"])  # word ids, (rows, time)
    y = targets.class_targets(examples, assets["labels"])  # (rows,), of teachers (rows, classes)
    if "fitted" in examples:
        logits = wide.held_out_logits(x, examples["label"], assets["labels"], assets["wide"])
        y = targets.with_logits(y, logits)  # (rows, 2, classes)
        return Batches(x, y, config.batch_size, weighting=targets.LogitWeighting())
    return Batches(x, y, config.batch_size)


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers

    from zoo.layers import CELLS, MaskedPooling
    from zoo.text import RESERVED

    ids = keras.Input((None,), dtype="int32", name="ids")  # (batch, time)
    real = keras.ops.not_equal(ids, 0)  # the rest is padding, on the right
    size = config.embedding if config.vectors == "none" else 50
    x = layers.Embedding(len(assets["vocabulary"]) + RESERVED, size, name="embedding")(ids)
    x = layers.Dropout(config.word_dropout, noise_shape=(None, None, 1), name="word_dropout")(x)
    for _ in range(config.layers):
        rnn = CELLS[config.cell](config.units, return_sequences=True)  # (batch, time, units)
        # Who reads forwards has read all words before padding comes, and is faster without a mask.
        x = layers.Bidirectional(rnn)(x, mask=real) if config.bidirectional else rnn(x)
    x = MaskedPooling(config.pooling)(x, mask=real)  # (batch, units)
    x = layers.Dropout(config.dropout)(x)
    size = len(assets["labels"])
    if "wide" not in assets:
        classes = layers.Dense(size, activation="softmax", dtype="float32")
        return keras.Model(ids, classes(x))
    from recipes.classifying.wide import wide_logits

    correction = layers.Dense(size, kernel_initializer="zeros", dtype="float32", name="correction")
    total = layers.Add(dtype="float32")([wide_logits(assets["wide"])(ids), correction(x)])
    return keras.Model(ids, layers.Softmax(dtype="float32")(total))


def initialise(config: Config, assets: Assets, model: keras.Model) -> None:
    from recipes.classifying import perturbation
    from recipes.corpora import glove
    from zoo.text import RESERVED

    if config.vectors == "glove-50":
        words = dict(enumerate(assets["vocabulary"], RESERVED))
        glove.give_glove(model.get_layer("embedding"), words)
    if config.normalised_vectors:
        perturbation.keep_normalised(model.get_layer("embedding"), assets["frequencies"])


def finalise(
    config: Config,
    assets: Assets,
    model: keras.Model,
    splits: Splits,
    class_weight: Mapping[str, float],
) -> Mapping[str, object]:
    from recipes.classifying import calibration, wide

    labels = splits.validation["label"]
    rows = assets.encoder.rows(splits.validation["text"])
    if "wide" not in assets:
        return calibration.calibrate(model, rows, labels, assets["labels"])
    train = assets.encoder.rows(splits.train["text"]), splits.train["label"]
    fitted = assets["wide"], assets["labels"]
    return wide.finalise(model, *fitted, train, (rows, labels), class_weight)


def objective(config: Config, assets: Assets) -> Objective:
    from recipes.classifying.targets import ClassAccuracy, ClassCrossEntropy

    return {"loss": ClassCrossEntropy(), "metrics": [ClassAccuracy()]}


def training_loss(config: Config, assets: Assets, model: keras.Model) -> TrainingLoss | None:
    from recipes.classifying import perturbation

    return perturbation.training_loss(model, config.adversarial, config.virtual_adversarial)


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    from recipes.classifying.signatures import class_signatures
    from zoo.serving import Served

    functions = class_signatures(model, assets.encoder, assets["labels"])
    return Served(**functions, parts=[model, assets.encoder])


def measure_novelty(config: Config, assets: Assets, inputs: dict) -> dict[str, tf.Tensor]:
    from zoo.text.novelty import id_novelty

    return id_novelty(assets.encoder(inputs["text"]))


def combine(config: Config, assets: Assets, answers: Sequence[dict]) -> dict[str, tf.Tensor]:
    from recipes.classifying.signatures import mean_answer

    return mean_answer(assets["labels"], answers)


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    from recipes.classifying import probes
    from zoo import metrics

    answers = predictor.predict(examples["text"])
    predicted = [answer["label"] for answer in answers]
    scores = metrics.classification(
        examples["label"], predicted, assets["labels"], [answer["score"] for answer in answers]
    )
    return probes.with_probes(scores, predictor, assets)


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    from recipes.classifying import baselines as text

    return text.linear_baselines(splits.train, splits.validation, splits.test)


def teachers(config: Config) -> dict[str, Teacher]:
    from recipes.classifying import teachers

    return {"linear": teachers.fit_linear}


def show(example: dict, answer: dict) -> str:
    return f"{answer['label']:>10}  {answer['score']:.3f}  {example['text']}"


def token_labels(config: Config, assets: Assets, x: np.ndarray) -> dict[str, list[str]]:
    words = ["", "[UNK]", *assets["vocabulary"]]  # padding, an unknown word, those that are known
    return {"": [words[number] for number in x]}
