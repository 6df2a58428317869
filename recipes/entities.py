"""Many-to-many, input and output of one length: each word of a sentence gets a tag.

Tags mark the names of persons, organisations, places and others. `B-PER` begins the name of a
person, `I-PER` continues it, `O` is outside of all names:

    Peter   Blackburn  flew  to  Brussels
    B-PER   I-PER      O     O   B-LOC

Three vectors of each word are concatenated (Huang et al. 2015, Chiu & Nichols 2016): the embedding
of the word in lower case; the maximum of each filter of a convolution over its characters, which
also describes unknown words (Ma & Hovy 2016); and the embedding of its casing. Two LSTMs read the
sentence from both ends, so that the state at each word depends on all words before and after it. A
Dense layer gives a score u_t(j) to each tag j at word t.

`conll-bilstm` applies a softmax to the scores: one decision for each word. `conll-bilstm-crf` adds
a score a(i, j) for tag j after tag i, and decides on the whole sentence at once (Lafferty et al.
2001):

    p(y | text) = exp(sum_t u_t(y_t) + a(y_{t-1}, y_t)) / Z

Z sums over all sequences of tags. There are exponentially many, but the forward algorithm needs
one step for each word: alpha_t(j) = u_t(j) + log sum_i exp(alpha_{t-1}(i) + a(i, j)). With max
instead of log-sum-exp, it finds the best sequence (Viterbi). Both networks are decoded under the
constraint that an `I-` tag only follows a tag of the same kind.

Inside the network, the last word of a name and a name of one word have tags of their own, `E-PER`
and `S-LOC` (BIOES; Ratinov & Roth 2009).

In training, words that occur once are replaced by the unknown word half of the time, so that its
vector is learnt (Lample et al. 2016). `--set vectors=glove-50` starts from the vectors of GloVe
(Pennington et al. 2014). Those of rare words are not trained, so that they stay comparable with
the vectors of words that the training text lacks; the model contains those of the `vector_words`
most frequent words.

F1 of entities on the test split of CoNLL-2003 (results/; 7 to 10 minutes on two cores; a
linear-chain CRF on hand-made features has 83.0, a lookup of the training entities 59.6):

    packed              conll-bilstm 84.9 (vectors=none)    conll-bilstm-crf 89.7 (glove-50)
    the other vectors   conll-bilstm 89.7 (glove-50)        conll-bilstm-crf 85.2 (none)

The scores are means of three seeds. They show no gain from the CRF. With the vectors, F1 is 4.6 to
4.7 points higher.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from recipes.corpora.glove import VectorConfig
from recipes.tagging.conll import CONLL
from zoo.assets import Assets, Json
from zoo.config import check_at_least, check_between
from zoo.data import Dataset, Examples
from zoo.errors import UsageError
from zoo.recipe import Answers, Demo, Novelty, Objective
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from recipes.tagging.tokens import TokenEncoder
    from zoo.data import Batches, Splits
    from zoo.serving import Served

TOPOLOGY = "many-to-many"
TASK = "entities"
METRIC = Metric("f1", better="higher")
MONITOR = Monitor("val_f1", better="higher")
DEMO = Demo(
    title="Names",
    label="A text",
    input="text",
    example={"text": "Angela Merkel met the president of Siemens in Munich on Friday."},
)
NOVELTY = (Novelty("novelty", "high", "{unknown_words:.0%} of its words are rare or unknown", 0.3),)
LAYER_ASSETS = {"scores": "tags", "crf": "tags", "dense": "tags"}
READER = "recipes.tagging.tag_reader"  # answers texts from exports without TensorFlow
KERAS_OBJECTS = {
    "zoo>CRF": "recipes.tagging.crf",
    "zoo>CRFLoss": "recipes.tagging.losses",
    "zoo>EntityF1": "recipes.tagging.running",
    "zoo>JoinFeatures": "recipes.tagging.embedding",
    "zoo>TagLoss": "recipes.tagging.losses",
    "zoo>TokenEncoder": "recipes.tagging.tokens",
    "zoo>WordEmbedding": "recipes.tagging.embedding",
}


@dataclasses.dataclass(frozen=True)
class Config(VectorConfig):
    MAY_BE_0 = ("rare", "vector_words")

    epochs: int = 20  # passes over the training split, at most
    batch_size: int = 20  # sentences in one step, over all replicas together
    learning_rate: float = 2e-3  # Adam's step size at its highest
    decay_to: float = 0.02  # fraction of the step size left at the end of the cosine decay
    clip_norm: float = 5.0  # gradients are scaled down to this global norm (0: never)
    patience: int = 0  # epochs without a better validation score before training stops (0: never)
    crf: bool = True  # score neighbouring tags too; without it, each tag is chosen alone
    vectors: Literal["none", "glove-50"] = "none"  # pretrained word vectors at the start
    vector_words: int = 150_000  # most frequent words of the pretrained vectors to add
    embedding: int = 50  # size of a word vector that is not pretrained
    rare: int = 2  # words seen fewer times are hidden at random, or keep their pretrained vector
    word_dropout: float = 0.5  # fraction of rare words without pretrained vector that is hidden
    hidden_words: float = 0.0  # fraction of all words whose vector is hidden in training
    max_characters: int = 20  # characters of a word with its two edges; longer ones lose the middle
    max_bytes: int = 250_000  # a longer text is cut off at this length before it is split
    max_words: int = 50_000  # of a longer text, only the first words are tagged
    character: int = 25  # size of a character's vector
    filters: int = 50  # filters of the convolution over three characters
    casing: int = 10  # size of the vector of a casing (lower, upper, title, …)
    layers: int = 1  # bidirectional LSTMs on top of each other
    units: int = 200  # size of the LSTM's state in each direction
    dropout_in: float = 0.5  # dropout rate of a word's features
    dropout: float = 0.5  # dropout rate of the LSTMs' states
    locked_dropout: bool = False  # drop the same features and states at all words of a sentence

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 3, "max_characters")
        check_between(self, hidden_words=(0, 1))


RECIPES = {"conll-bilstm": Config(crf=False), "conll-bilstm-crf": Config()}


def data(config: Config) -> Dataset:
    return CONLL


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    from recipes.corpora import glove
    from recipes.tagging import tokens
    from recipes.tagging.tags import bio_tags
    from zoo.text import RULE

    tags = bio_tags(set().union(*train["tags"]))  # O, B-LOC, I-LOC, …
    if base:
        had = "glove-50" if base["fixed"] else "none"
        if config.vectors != had:
            raise UsageError(f"The base has its own word vectors: --set vectors={had} keeps them.")
        return {**base, "tags": tags}
    given = glove.glove_words() if config.vectors == "glove-50" else ()
    return {
        **tokens.learn_words(train["tokens"], config.rare, given, config.vector_words, RULE),
        "characters": tokens.count_characters(train["tokens"], RULE),
        "tags": tags,
        "normalisation": RULE,
    }


def encoder(config: Config, assets: Assets) -> TokenEncoder:
    from recipes.tagging import tokens
    from zoo.text import rule_of

    words = assets["common"] + assets["rare"] + assets["fixed"]
    size, rule = config.max_characters, rule_of(assets)
    return tokens.TokenEncoder(words, assets["characters"], size, rule, name="encoder")


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    from recipes.tagging.rows import target_rows
    from zoo.data import Batches

    y = target_rows(examples, assets["tags"])  # number of a BIOES tag + 1, (rows, time)
    return Batches(assets.encoder.rows(examples["tokens"]), y, config.batch_size)


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers

    from recipes.tagging.crf import CRF
    from recipes.tagging.embedding import JoinFeatures, WordEmbedding
    from recipes.tagging.tags import bioes_tags
    from recipes.tagging.tokens import CASINGS, RESERVED, RESERVED_CHARACTERS

    words = keras.Input((None,), dtype="int32", name="words")  # (batch, time)
    characters = keras.Input((None, config.max_characters), dtype="int32", name="characters")
    casing = keras.Input((None,), dtype="int32", name="casing")
    word = WordEmbedding(
        len(assets["common"]) + RESERVED,
        len(assets["rare"]),
        len(assets["fixed"]),
        config.embedding if config.vectors == "none" else 50,
        config.word_dropout,
        config.hidden_words,
        name="word",
    )(words)
    letters = len(assets["characters"]) + RESERVED_CHARACTERS
    spelling = layers.Embedding(letters, config.character)(characters)  # (…, characters, size)
    spelling = layers.Conv2D(config.filters, (1, 3), padding="same", activation="relu")(spelling)
    spelling = keras.ops.max(spelling, axis=2)  # (batch, time, filters)
    case = layers.Embedding(len(CASINGS) + 1, config.casing)(casing)
    x = JoinFeatures()([word, spelling, case])
    shape = (None, 1, None) if config.locked_dropout else None
    x = layers.Dropout(config.dropout_in, noise_shape=shape)(x)
    for _ in range(config.layers):
        x = layers.Bidirectional(layers.LSTM(config.units, return_sequences=True))(x)
        x = layers.Dropout(config.dropout, noise_shape=shape)(x)
    tags = len(bioes_tags(assets["tags"]))
    if config.crf:
        scores = layers.Dense(tags, dtype="float32", name="scores")(x)
        answer = CRF(name="crf")(scores)  # (batch, time, tags, tags)
    else:
        answer = layers.Dense(tags, activation="softmax", dtype="float32")(x)
    return keras.Model({"words": words, "characters": characters, "casing": casing}, answer)


def initialise(config: Config, assets: Assets, model: keras.Model) -> None:
    if config.vectors == "none":
        return
    from recipes.corpora import glove
    from recipes.tagging.tokens import RESERVED

    given = frozenset(glove.glove_words())
    words = assets["common"] + assets["rare"] + assets["fixed"]
    known = {number: word for number, word in enumerate(words, RESERVED) if word in given}
    vectors = glove.rounded(glove.glove_vectors(list(known.values())))
    model.get_layer("word").give(list(known), vectors)


def objective(config: Config, assets: Assets) -> Objective:
    from recipes.tagging.losses import CRFLoss, TagLoss
    from recipes.tagging.running import EntityF1
    from recipes.tagging.tags import bioes_tags

    f1 = EntityF1(bioes_tags(assets["tags"]))
    return {"loss": CRFLoss() if config.crf else TagLoss(), "metrics": [f1]}


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    from recipes.tagging.signatures import tagging_signatures
    from zoo.serving import Served

    limits = config.max_bytes, config.max_words
    common = len(assets["common"])  # others were seen once in training, or never
    functions = tagging_signatures(model, assets.encoder, assets["tags"], *limits, common)
    return Served(**functions, parts=[model, assets.encoder])


def portable(config: Config, assets: Assets) -> dict[str, Json]:
    from recipes.tagging.portable import tag_rules

    limits = config.max_bytes, config.max_words
    return tag_rules(assets.encoder, assets["tags"], *limits, len(assets["common"]))


def measure_novelty(config: Config, assets: Assets, inputs: dict) -> dict[str, tf.Tensor]:
    return assets.encoder.measured(inputs["text"], config.max_bytes, len(assets["common"]))


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    from recipes.tagging.metrics import entity_scores

    answers = predictor.predict({"tokens": examples["tokens"]}, signature="tokens")
    return entity_scores(examples["tags"], [answer["tags"] for answer in answers])


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    from recipes.tagging.baselines import entity_baselines

    return entity_baselines(splits.train, splits.test)


def teach(config: Config, train: Examples, predictor: Answers, rows: Examples) -> dict:
    from recipes.tagging.lessons import tag_marginals

    return tag_marginals(predictor, train, rows["tokens"])


def taught(
    config: Config, train: Examples, rows: Examples, lessons: Sequence[Mapping], share: float
) -> Examples:
    from recipes.tagging.lessons import mean_marginals

    return {**train, "marginals": mean_marginals(train["tokens"], lessons, share)}


def refine(example: dict, answer: dict) -> dict:
    from recipes.tagging.tag_reader import entities_of

    return {"entities": entities_of(example["text"], answer)}


def html(example: dict, answer: dict) -> str:
    from zoo.serving.answers import marked_text

    return marked_text(example["text"], answer["entities"])


def show(example: dict, answer: dict) -> str:
    from recipes.tagging.coloured import coloured

    return coloured(example["text"], refine(example, answer)["entities"])


def token_labels(
    config: Config, assets: Assets, x: Mapping[str, np.ndarray]
) -> dict[str, list[str]]:
    # By their characters, because rare words have no id: padding, none, unknown, edge, known ones.
    letters = ["", "", "�", "", *assets["characters"]]
    return {"": ["".join(letters[number] for number in word) for word in x["characters"]]}
