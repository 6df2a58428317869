"""Encoder–decoder: a sentence goes in, a sentence of another length in another language comes out.

An encoder reads the source pieces x_1 … x_S from both ends. A decoder generates the target pieces
y_1 … y_T, each from the pieces before it and from the states of the encoder:

    h_s = [GRU(E x_s, forwards), GRU(E x_s, backwards), E x_s]
    s_t = GRU(F y_{t-1}, s_{t-1}),            s_0 = tanh(W h),  h the encoder's last states
    c_t = what step t knows of the source     (below)
    z_t = GRU([s_t, c_t], z_{t-1}),           z_0 = tanh(V h)
    p(y_t | y_<t, x) = softmax(F tanh(U [z_t, c_t, F y_{t-1}]) + b)

`translate-seq2seq`: c_t = h. The last states of the encoder must hold the whole sentence
(Sutskever, Vinyals & Le 2014; as in Cho et al. 2014, every step reads them).

`translate-attention`: c_t = sum_s a_ts h_s. Each step reads all states h_s, with weights a_ts from
a softmax over e_ts = v . tanh(A s_t + B h_s) (additive; Bahdanau, Cho & Bengio 2015) or
e_ts = s_t . B h_s (multiplicative; Luong, Pham & Manning 2015).

h_s includes E x_s, so that a step also reads the piece itself; this helps with rare words (Nguyen &
Chiang 2018). Pieces are subwords (Sennrich, Haddow & Birch 2016): rare words are split into parts,
so that no word is unknown. A small corpus needs a small vocabulary (Sennrich & Zhang 2019). The
softmax of the decoder shares its embedding F (Press & Wolf 2017). Beam search maximises the
log-probability divided by the length to the power `length_penalty`.

BLEU on the Multi30k test set of 2016 (results/), lower-cased and tokenised:

    translate-attention 54.8   (en→fr; 194 minutes on one of two busy cores)
    translate-seq2seq   40.1   (en→fr; 26 minutes on one of two busy cores)

One seed each. `translate-attention` also reads everyday sentences of Tatoeba. On test sentences of
Tatoeba, each with all of its references, it has 48.4. A smaller one, trained on captions alone in
25 minutes, has 53.1. `translate-seq2seq` also learned from translations by a `translate-attention`
(`zoo distil`); from the references alone it has 37.7.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from recipes.corpora.glove import VectorConfig
from zoo.assets import Assets, Json
from zoo.config import check_between
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Demo, Novelty, Objective, Picture
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from recipes.translating.subwords import Encoder
    from zoo.data import Batches, Splits
    from zoo.serving import Served

TOPOLOGY = "encoder-decoder"
TASK = "translation"
METRIC = Metric("bleu", better="higher", format=".2f")
MONITOR = Monitor("val_accuracy", better="higher")
PICTURES = (
    Picture(
        "attention",
        "Draw where each best answer looked; NAME-2.png for the second text, and so on.",
        capability="search",
        outputs=("attention", "pieces", "source_pieces"),
    ),
)
DEMO = Demo(
    title="Translation",
    label="A sentence",
    input="text",
    example={"text": "Two young men are playing football in the park."},
    outputs=("translation",),
)
NOVELTY = (
    Novelty("novelty", "high", "{unknown_words:.0%} of its words have no piece of their own", 0.4),
    Novelty("score", "low", "its score of {score:.2f} is unusually low"),
)
LAYER_ASSETS = {"embedding": "source_pieces", "decoder": "target_pieces"}
READER = "recipes.translating.subword_reader"  # answers texts from exports without TensorFlow
KERAS_OBJECTS = {
    "zoo>Attention": "recipes.translating.attention",
    "zoo>Decoder": "recipes.translating.decoder",
    "zoo>PieceAccuracy": "recipes.translating.running",
    "zoo>Subwords": "recipes.translating.subwords",
}


@dataclasses.dataclass(frozen=True)
class Config(VectorConfig):
    epochs: int = 14  # passes over the training split, at most
    learning_rate: float = 2e-3  # Adam's step size at its highest
    patience: int = 4  # epochs without a better validation score before training stops (0: never)
    source: str = "en"  # source language
    target: str = "fr"  # target language
    everyday: bool = False  # read everyday sentences too, unless --data names a source
    cell: Literal["gru", "lstm"] = "gru"  # the recurrent cell
    attention: Literal["none", "additive", "multiplicative"] = "none"  # kind of attention
    encoder_units: int = 192  # size of h_s in each direction
    units: int = 288  # size of s_t and of z_t
    embedding: int = 160  # size of the vector of a piece, in both languages
    vectors: Literal["none", "glove-50"] = "none"  # pretrained vectors of English source words
    pieces: int = 2_000  # subwords (pieces) to learn in each language
    max_pieces: int = 100  # a longer text is cut off after this number of pieces
    max_bytes: int = 100_000  # a longer text is cut off at this length before it is split
    dropout: float = 0.15  # dropout rate of vectors, states and readout
    label_smoothing: float = 0.1  # fraction of the target that is spread evenly over all pieces
    beam: int = 5  # hypotheses that the beam search keeps
    length_penalty: float = 1.0  # 0: log-probability; 1: its mean over the pieces

    def __post_init__(self) -> None:
        super().__post_init__()
        check_between(self, beam=(1, 100), max_pieces=(1, 10_000), length_penalty=(0, 2))
        if self.vectors != "none" and (self.source != "en" or self.embedding < 50):
            raise ValueError("Setting 'vectors' needs source=en and an embedding of 50 or more.")


RECIPES = {
    "translate-seq2seq": Config(
        encoder_units=256, units=320, embedding=128, dropout=0.25, epochs=18, beam=10),
    "translate-attention": Config(
        attention="multiplicative", everyday=True, epochs=11, batch_size=128, average=0.999,
        dropout=0.1, encoder_units=256, units=384, embedding=192, pieces=5_000),
}  # fmt: skip


def data(config: Config) -> Dataset:
    from recipes.translating.pairs import pairs

    return pairs(config.source, config.target, config.everyday)


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    from recipes.translating.subwords import learn_subwords, pieces_from
    from zoo import text

    if base:
        return pieces_from(base, config.source, config.target, config.pieces, train)
    return {
        "source_pieces": learn_subwords(train["text"], config.pieces, True, text.RULE),
        "target_pieces": learn_subwords(train["translation"], config.pieces, False, text.RULE),
        "normalisation": text.RULE,
    }


def encoder(config: Config, assets: Assets) -> Encoder:
    from recipes.translating.subwords import encoder_of

    return encoder_of(assets, config.max_pieces, config.max_bytes)


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    from recipes.translating.subwords import shifted
    from zoo.data import Batches
    from zoo.data.batching import Ragged

    source, target = assets.encoder
    written = target.rows(examples["translation"])
    return Batches(
        x={
            "source": Ragged(source.rows(examples["text"])),  # ids, (rows, source)
            "target": Ragged(shifted(written)),  # the ids before each step, (rows, target)
        },
        y=Ragged(written),  # (rows, target)
        batch_size=config.batch_size,
    )


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers

    from recipes.translating.decoder import Decoder
    from zoo.layers import CELLS

    source, target = assets.encoder
    ids = keras.Input((None,), dtype="int32", name="source")  # (batch, source)
    before = keras.Input((None,), dtype="int32", name="target")  # (batch, target)
    scale = keras.initializers.RandomNormal(stddev=0.1)
    embed = layers.Embedding(source.size, config.embedding, scale, mask_zero=True, name="embedding")
    x = layers.Dropout(config.dropout)(embed(ids))
    rnn = CELLS[config.cell](config.encoder_units, return_sequences=True, return_state=True)
    states, *ends = layers.Bidirectional(rnn, name="encoder")(x)  # (batch, source, 2 * units)
    last = layers.Concatenate()([ends[0], ends[len(ends) // 2]])  # (batch, 2 * units)
    states = layers.Dropout(config.dropout)(layers.Concatenate()([states, x]))
    decoder = Decoder(
        target.size,
        config.embedding,
        config.units,
        cell=config.cell,
        attention=config.attention,
        dropout=config.dropout,
        name="decoder",
    )
    return keras.Model({"source": ids, "target": before}, decoder(before, states, last))


def initialise(config: Config, assets: Assets, model: keras.Model) -> None:
    from recipes.corpora import glove

    if config.vectors == "glove-50":
        glove.give_glove(model.get_layer("embedding"), assets.encoder.source.whole_words())


def objective(config: Config, assets: Assets) -> Objective:
    from recipes.translating.running import PieceAccuracy
    from zoo.losses import SmoothedCrossEntropy

    return {"loss": SmoothedCrossEntropy(config.label_smoothing), "metrics": [PieceAccuracy()]}


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    from recipes.translating.signatures import translation_signatures
    from zoo.serving import Served

    source, target = assets.encoder
    functions = translation_signatures(model, source, target, config.beam, config.length_penalty)
    return Served(**functions, parts=[model, source, target])


def portable(config: Config, assets: Assets) -> dict[str, Json]:
    from recipes.translating.portable import translation_rules

    (source, target), beam, penalty = assets.encoder, config.beam, config.length_penalty
    return translation_rules(source, target, beam, penalty, NOVELTY, assets.limits)


def networks(config: Config, assets: Assets, model: keras.Model) -> dict[str, tuple]:
    from recipes.translating.portable import networks

    return networks(model)


def measure_novelty(config: Config, assets: Assets, inputs: dict) -> dict[str, tf.Tensor]:
    return assets.encoder.source.measured(inputs["text"])[2]


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    from recipes.translating.metrics import translation

    answers = predictor.predict(examples["text"])
    return translation(
        examples["translation"],
        [answer["translation"] for answer in answers],
        language=config.target,
        complete=[answer["complete"] for answer in answers],
        texts=examples["text"],
    )


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    from recipes.translating.baselines import baselines

    return baselines(splits.train, splits.test, config.source, config.target)


def teach(config: Config, train: Examples, predictor: Answers, rows: Examples) -> dict:
    from recipes.translating.lessons import best_translations

    return best_translations(predictor, config.source, config.target, rows["text"])


def taught(
    config: Config, train: Examples, rows: Examples, lessons: Sequence[Mapping], share: float
) -> Examples:
    from recipes.translating.lessons import taught_pairs

    return taught_pairs(train, rows["text"], lessons, share)


def show(example: dict, answer: dict) -> str:
    found, scores = answer["translation"], answer["score"]
    if isinstance(found, str):
        return f"{scores:>8.3f}  {example['text']} → {found}"
    lines = [f"{score:>8.3f}  {text}" for score, text in zip(scores, found, strict=True)]
    return "\n".join([example["text"], *lines])  # several answers


def token_labels(
    config: Config, assets: Assets, x: Mapping[str, np.ndarray]
) -> dict[str, list[str]]:
    from recipes.translating.subwords import piece_labels

    return piece_labels(assets, x)


def draw(config: Config, assets: Assets, picture: str, answer: dict, path: Path) -> bool:
    from recipes.translating.figures import draw_attention

    return draw_attention(answer, path)
