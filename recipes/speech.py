"""Many-to-many, of unequal length: a recording goes in, the words that are said come out.

Every 10 ms of sound become a frame x_t, the logarithm of the power in bands of the mel scale; three
neighbouring frames make one step. Recurrent layers read the steps from both ends (GRU: see
recipes/sentiment.py). At each step, a softmax gives the probabilities of all words and of a blank:

    h_t = [GRU(x_t, forwards), GRU(x_t, backwards)],   p(a_t | x) = softmax(W h_t + b)

There are many more steps than words, and the training data do not say which step belongs to which
word. An alignment a_1 … a_T becomes a text when repetitions and then blanks are removed. The
probability of a text is the sum over all of its alignments (connectionist temporal classification;
Graves et al. 2006):

    p(y | x) = sum over a of text y of prod_t p(a_t | x)

The forward algorithm computes the sum in one pass over the steps; the loss is -log p(y | x). The
answer is the text of the most probable alignment, or, with a beam, the most probable text
(`--beam 8`).

Each epoch joins 3 to 10 recordings of one speaker to a training sequence, with pauses, and with
random speed, loudness, microphone and noise; some bands and frames are hidden (SpecAugment; Park et
al. 2019). Test sequences are joined once from test recordings, with random pauses, loudness and
noise. Custom recordings of several words each are used as they are.

Word error rate on sequences of 3 to 10 test recordings of FSDD (results/), in %, of the network and
of a nearest neighbour, which splits a sequence at its pauses. The sequences use each of the 300
test recordings about six times; the training split has other recordings of the same speakers:

    digits-ctc  0.8  13.5  (24 minutes on a shared core)
               15.2  45.6  (each speaker held out in turn, by `--set speaker=theo`; 16 epochs)
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from recipes.audio.digits import digits, read_recordings
from zoo.assets import Assets, Json
from zoo.config import Config as BaseConfig
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Demo, Objective, Picture
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras

    from recipes.audio.features import Features
    from zoo.data import Batches, Splits
    from zoo.serving import Served

TOPOLOGY = "many-to-many"
TASK = "speech"
NAMED = {"audio": "recording.wav"}
METRIC = Metric("word_error_rate", better="lower")
MONITOR = Monitor("val_loss", better="lower")
PICTURES = (
    Picture(
        "alignment",
        "Draw where in the sound each word was heard; NAME-2.png for the second, and so on.",
        capability="alignment",
    ),
)
DEMO = Demo(title="Spoken digits", label="Say some digits", input="sound", outputs=("text",))

Cell = Literal["simplernn", "lstm", "gru"]
Voices = Literal["heard", "unheard"]
KERAS_OBJECTS = {
    "zoo>BlankPadding": "recipes.audio.layers",
    "zoo>CTCLoss": "recipes.audio.losses",
    "zoo>StackFrames": "recipes.audio.layers",
    "zoo>SpectralShape": "recipes.audio.layers",
}


@dataclasses.dataclass(frozen=True)
class Config(BaseConfig):
    epochs: int = 48  # passes over as many sequences as `sequences`, at most
    batch_size: int = 16  # sequences in one step, over all replicas together
    learning_rate: float = 2e-3  # Adam's step size at its highest
    average: float = 0.99  # decay of the exponential moving average of the weights (0: off)
    patience: int = 0  # epochs without a better validation score before training stops (0: never)
    speaker: str = ""  # the speaker held out for the test (empty: some recordings of each speaker)
    voices: Voices = "heard"  # voices to serve; "unheard": also those that training lacks
    bands: int = 40  # mel bands of a frame
    stack: int = 3  # frames of 10 ms in one step
    cell: Cell = "gru"  # the recurrent cell
    layers: int = 2  # recurrent layers on top of each other
    units: int = 96  # size of the state h_t, in each direction
    max_seconds: int = 300  # a longer recording has no answer
    dropout: float = 0.2  # dropout rate of states
    sequences: int = 1_200  # joined sequences in an epoch; at most the number of recordings
    shortest: int = 3  # minimum of recordings in a joined sequence
    longest: int = 10  # maximum of recordings in a joined sequence
    beam: int = 8  # prefixes that the beam search keeps, where it is asked for

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.longest < self.shortest:
            raise ValueError(
                f"Setting 'longest' must be at least 'shortest', {self.shortest}; "
                f"got {self.longest}."
            )


RECIPES = {"digits-ctc": Config()}


def data(config: Config) -> Dataset:
    return digits(config.speaker, label="")


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    from recipes.audio.features import learn_features

    words = {word for text in train["text"] for word in text.split()}
    return {"symbols": sorted(words), **learn_features(train, config.voices == "unheard")}


def encoder(config: Config, assets: Assets) -> Features:
    from recipes.audio.features import features_of

    return features_of(assets, config.bands)


def augment(config: Config, train: Examples) -> Examples:
    return {
        **train,
        "disturbed": [config.voices] * len(train["text"]),
    }  # in `batches`, again each epoch


def spoken(config: Config, examples: Examples, seed: tuple[int, ...] = (0,)) -> Examples:
    """Joins recordings of a word each to sequences; others are taken as they are."""
    from recipes.audio.mixing import spoken

    return spoken(examples, config.sequences, (config.shortest, config.longest), seed)


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    from recipes.audio.mixing import frames_of
    from recipes.audio.signatures import word_ids
    from zoo.data import Batches
    from zoo.data.batching import Ragged

    def drawn(seed: int, epoch: int) -> Batches:
        heard = spoken(config, examples, (seed, epoch))
        frames = frames_of(assets.encoder, heard, (seed, epoch))
        steps = [-(-len(row) // config.stack) for row in frames]
        words = word_ids(heard["text"], assets["symbols"], steps)
        return Batches(Ragged(frames), Ragged(words), config.batch_size)

    return dataclasses.replace(drawn(0, 0), renew=drawn if "disturbed" in examples else None)


def states(
    assets: Assets, stack: int, cell: Cell, depth: int, units: int, dropout: float
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns the input, frames `(batch, frames, width)`, and states `(batch, time, 2 * units)`.

    Both are float32; `depth` is the number of recurrent layers.
    """
    import keras
    from keras import layers

    from recipes.audio.layers import SpectralShape, StackFrames
    from zoo.layers import CELLS

    frames = keras.Input((None, assets.encoder.width), name="frames")
    # Earlier runs for voices that were never heard have this layer, and not a smaller range.
    x = SpectralShape()(frames) if assets.get("normalized") else frames
    x = StackFrames(stack)(x)
    for _ in range(depth):
        x = layers.Bidirectional(CELLS[cell](units, return_sequences=True))(x)
        x = layers.Dropout(dropout)(x)
    return frames, x


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers

    from recipes.audio.layers import BlankPadding

    frames, x = states(
        assets, config.stack, config.cell, config.layers, config.units, config.dropout
    )
    logits = layers.Dense(len(assets["symbols"]) + 1, dtype="float32")(x)
    return keras.Model(frames, BlankPadding(dtype="float32")(logits))


def objective(config: Config, assets: Assets) -> Objective:
    from recipes.audio.losses import CTCLoss

    return {"loss": CTCLoss()}


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    from recipes.audio.signatures import transcription_signatures
    from zoo.serving import Served

    words, encode = assets["symbols"], assets.encoder
    functions = transcription_signatures(model, encode, words, config.stack, config.max_seconds)
    return Served(**functions, parts=[model, encode])


def read_input(config: Config, text: str) -> Examples:
    return read_recordings(text)


def example(config: Config, folder: Path) -> Path:
    from recipes.audio.recordings import VOICES

    return VOICES["314_jackson.wav"]


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    from recipes.audio.metrics import transcription

    said = spoken(config, examples)
    answers = predictor.predict({name: said[name] for name in predictor.input_names})
    heard = [answer["text"] for answer in answers]
    return transcription(said["text"], heard, said["speaker"])


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    from recipes.audio.baselines import segmented
    from recipes.audio.metrics import transcription

    train, held_out, test = splits.train, splits.validation, splits.test
    if "audio" not in train or any(" " in text for text in train["text"]):
        return {}  # it learns words from recordings of words
    said = spoken(config, test)
    heard = segmented(train, spoken(config, held_out), said)
    return {"segments-nearest": transcription(said["text"], heard, said["speaker"])}


def show(example: dict, answer: dict) -> str:
    from recipes.audio.ctc import is_possible

    found, scores, file = answer["text"], answer["score"], example.get("file", "")
    if isinstance(found, str):
        return f"{scores:>8.3f}  {found or '(nothing)'}  {file}".rstrip()
    several = [each for each in zip(scores, found, strict=True) if is_possible(each[0])]
    return "\n".join([file, *(f"{score:>8.3f}  {text or '(nothing)'}" for score, text in several)])


def draw(config: Config, assets: Assets, picture: str, answer: dict, path: Path) -> bool:
    from recipes.audio.figures import alignment

    parts = (answer["features"], answer["posteriors"], assets["symbols"], answer["seconds"])
    alignment(*parts, path)
    return True
