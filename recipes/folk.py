"""One-to-many: the type of a tune and its key go in, a folk tune comes out.

A tune is a sequence of tokens of ABC notation: a pitch (`^f`), a length (`3/2`), a bar line, a
repeat. The network reads the type, the key, and then each token x_t. It predicts the distribution
of the next token:

    h_t = GRU(E x_t, h_{t-1})
    p(x_{t+1} | type, key, x_1 … x_t) = softmax(V h_t + b)

The loss is the mean of -log p(x_{t+1} | …), in nats per token. A new tune is drawn token by token
(Graves 2013), the metre first, until the end token is drawn. The idea is that of folk-rnn, with
types besides keys (Sturm, Santos, Ben-Tal & Korshunova: Music transcription modelling and
composition using deep learning, 2016, whose LSTM has three layers of 512 units, and was trained on
six times as many tunes).

The network is not told that the notes of a bar fill it, that a repeat has both endings, or that a
reel ends on its tonic. `evaluate` draws tunes for the types and keys of the test split and counts
how often these hold, beside the test tunes themselves and the tunes of an n-gram model.

On the test split (results/): nats per token, and shares among 200 tunes:

                   nats   bars full   in key   metre fits   type follows   bars said again
    folk-gru       1.25     0.97       1.00       0.99          0.69            0.01
    10-gram        1.77     0.28       0.99       0.96          0.29            0.01
    test tunes              0.99       0.99       0.97          0.73            0.29

The network keeps the metre, but it hardly repeats bars, as the test tunes do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from recipes.music.options import SOUNDFONT
from zoo.assets import Assets, Json
from zoo.config import Config as BaseConfig
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Demo, Objective, Option
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras

    from recipes.music.codec import TuneCodec
    from zoo.data import Batches, Splits
    from zoo.serving import Served

TOPOLOGY = "one-to-many"
TASK = "music"
METRIC = Metric("nats_per_token", better="lower", format=".3f")
MONITOR = Monitor("val_loss", better="lower")
SEEDS = (
    Option("type", "Type of the tune, such as reel.", "TYPE"),
    Option("key", 'Key of the tune, such as "G major".', "KEY"),
)
DEMO = Demo(title="Folk tune", input="seed", example={"type": "reel", "key": "G major"})
RENDER_OPTIONS = (SOUNDFONT,)

ORDER = 10  # of the n-grams that the network is compared with
KERAS_OBJECTS = {"zoo>TuneCodec": "recipes.music.codec"}


@dataclasses.dataclass(frozen=True)
class Config(BaseConfig):
    epochs: int = 16  # passes over the training split, at most
    batch_size: int = 16  # tunes in a step
    learning_rate: float = 2e-3  # Adam's step size at its highest
    patience: int = 4  # epochs without a better validation score before training stops (0: never)
    cell: Literal["gru", "lstm"] = "gru"  # the recurrent cell
    layers: int = 1  # recurrent layers on top of each other
    units: int = 512  # size of the state h_t
    embedding: int = 64  # size of the vector E x_t of a token
    dropout: float = 0.3  # dropout rate of embeddings and states
    max_bytes: int = 100_000  # a longer tune is neither continued nor scored
    max_steps: int = 1_000_000  # maximum of rows times steps in a request
    transposed: int = 0  # transposed copies of each training tune, in other keys of its mode
    steps: int = 600  # maximum number of tokens in a tune
    temperature: float = 0.8  # below 1: probable tokens become more probable
    top_k: int = 0  # draw from the k most probable tokens (0: from all)
    top_p: float = 1.0  # draw from the most probable tokens that together reach this probability
    drawn: int = 200  # tunes that `zoo evaluate` generates


RECIPES = {"folk-gru": Config()}


def data(config: Config) -> Dataset:
    from recipes.music.folk import FOLK

    return FOLK


def augment(config: Config, train: Examples) -> Examples:
    from recipes.music.copies import with_copies

    return with_copies(train, config.transposed)


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    from recipes.music.codec import learn_tunes

    return base or learn_tunes(train["type"], train["key"], train["tune"])


def encoder(config: Config, assets: Assets) -> TuneCodec:
    from recipes.music.codec import TuneCodec

    return TuneCodec(**assets, name="codec")


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    import numpy as np

    from recipes.music.folk import known
    from zoo.data import Batches
    from zoo.data.batching import Ragged

    examples = known(assets, examples)
    rows = assets.encoder.rows(examples["type"], examples["key"], examples["tune"])
    return Batches(
        Ragged([row[:-1] for row in rows]),  # type, key, signs, (rows, time)
        Ragged([np.concatenate([[0], row[2:]]) for row in rows]),  # the key is not predicted
        config.batch_size,
    )


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers

    from zoo.layers import CELLS

    cell = CELLS[config.cell]
    size = assets.encoder.size
    x = ids = keras.Input((None,), dtype="int32", name="ids")  # (batch, time)
    x = layers.Embedding(size, config.embedding)(x)
    x = layers.Dropout(config.dropout)(x)
    for _ in range(config.layers):
        x = cell(config.units, return_sequences=True)(x)  # (batch, time, units)
        x = layers.Dropout(config.dropout)(x)
    logits = layers.Dense(size, dtype="float32")(x)  # (batch, time, ids)
    return keras.Model(ids, logits)


def objective(config: Config, assets: Assets) -> Objective:
    from zoo.losses import SmoothedCrossEntropy

    return {"loss": SmoothedCrossEntropy(0.0), "metrics": []}


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    from recipes.music.tune_signatures import tune_signatures
    from zoo.decoding.sampling import settings
    from zoo.serving import Served

    limits = {"max_bytes": config.max_bytes, "max_steps": config.max_steps}
    functions = tune_signatures(model, assets.encoder, **limits, **settings(config))
    return Served(**functions, parts=[model, assets.encoder])


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    from recipes.music import abc
    from recipes.music.comparison import compare_tunes
    from recipes.music.folk import known
    from recipes.music.tune_checks import spread
    from zoo.decoding.sampling import settings
    from zoo.metrics import generation
    from zoo.serving.evaluation import training_splits

    examples = known(assets, examples)
    columns = {name: examples[name] for name in ("type", "key", "tune")}
    scores = predictor.predict(columns, signature="score")
    # Tunes of the types and keys of held-out ones, each with random numbers of its own.
    rows = spread(len(scores), config.drawn)
    asked = {name: [values[row] for row in rows] for name, values in columns.items()}
    given = {**asked, "prime": [""] * len(rows), "random_seed": rows}
    given.pop("tune")
    answers = predictor.predict(given, signature="generate", **settings(config))
    tunes = zip(asked["type"], asked["key"], map(abc.tokens, asked["tune"]), strict=True)
    texts = {
        "made": [answer["tune"] for answer in answers],
        "held out": [abc.tune_text(*tune) for tune in tunes],
    }
    if splits := training_splits(predictor):
        from recipes.music.tune_baselines import draw_tunes, fit_tunes

        model = fit_tunes(assets.encoder, splits.train, ORDER)
        texts[f"{ORDER}-gram"] = draw_tunes(model, assets.encoder, asked, rows, config.steps)
    tokens = sum(score["count"] for score in scores)
    return Scores(
        {
            "nats_per_token": generation.nats_per_step(scores),
            "tokens": tokens,
            "unknown": sum(len(abc.tokens(tune)) + 1 for tune in examples["tune"]) - tokens,
            "ended": sum(answer["complete"] for answer in answers) / len(answers),
        },
        {"checks": compare_tunes(texts, asked, assets, splits)},
        units={"nats_per_token": generation.nats_units(scores, "tunes")},
    )


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    from recipes.music.folk import known
    from recipes.music.tune_baselines import fit_tunes, nats_of_each
    from zoo.metrics.intervals import ratios

    assets = Assets(prepare(config, splits.train))
    encode, test = encoder(config, assets), known(assets, splits.test)
    each = nats_of_each(fit_tunes(encode, splits.train, ORDER), encode, test)
    nats, tokens = zip(*each, strict=True)
    units = {"nats_per_token": ratios("tunes", nats, tokens)}
    return {f"{ORDER}-gram": Scores({"nats_per_token": units["nats_per_token"].value}, units=units)}


def seed(config: Config, given: Mapping[str, str]) -> dict[str, str]:
    from recipes.music import modes
    from recipes.music.folk import read_prime

    rest = dict(given)
    if "prime" in rest:
        rest = {**read_prime(Path(rest.pop("prime"))), **rest}
    if "key" in rest:
        rest["key"] = modes.parse_key(rest["key"])
    return rest


def render(config: Config, answer: dict, stem: Path) -> list[Path]:
    from recipes.music import abc
    from recipes.music.folk import TEMPO
    from recipes.music.write import write_abc

    kind = abc.split_tunes(answer["tune"])[0].first("R")
    tempo = f"Q:1/4={TEMPO.get(kind, TEMPO['tune'])}\nK:"
    text = abc.with_beams(answer["tune"]).replace("K:", tempo, 1)
    return write_abc(text, stem, soundfont=answer.get("soundfont"))


def show(example: dict, answer: dict) -> str:
    return " ".join(answer["tune"].split())  # on one line
