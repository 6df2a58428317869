"""One-to-many: a key goes in, a chorale of four voices comes out, frame by frame.

A frame v_t says which of a piano's 88 keys sound during an eighth note. At each step, the recurrent
network reads the frame before, and the key and mode k of the piece:

    x_t = relu(E v_{t-1} + K k),   h_t = RNN(x_t, h_{t-1})   (cells: see recipes/sentiment.py)

One of two heads predicts the next frame. With `head=bernoulli`, the setting of most published
results, the keys of a frame are independent, given the past. With `head=nade`, each key also
depends on the keys below it, so that chords are consistent (Larochelle & Murray 2011; on an RNN:
Boulanger-Lewandowski, Bengio & Vincent 2012):

    p(v_ti = 1) = sigmoid(b_i + B_i h_t)
    p(v_ti = 1) = sigmoid(b_i + B_i h_t + U_i tanh(c + A h_t + sum_{j<i} v_tj W_j))

In training, each piece is transposed to every key that keeps it within the range of the training
pieces. To generate a piece, the notes of a frame are drawn one after another from the bass upwards,
with the same probabilities, then those of the next frame (`recipes/music/frames.py`). A piece can
begin with a chord or with custom frames.

With `ends=True`, another head predicts before each frame whether the piece is over, with
probability e_t = sigmoid(w h_t + d). For every second training piece, the network also reads the
number of frames that are left, c_t: L c_t is added to x_t. So a piece ends by itself, or after the
number of bars that is asked for. In a known key, it can only end on the tonic triad in root
position.

Nats per frame on the test split, summed over keys, without the first frame of a piece (results/;
means of three seeds, but one on Nottingham):

    Bach's chorales, eighths:
        chorales-lstm 3.75   chorales-gru 3.66   chorales-simplernn 4.58
    chorales-lstm on the piano rolls of the published tables:
        JSB          NADE 5.17   Bernoulli 8.21      (LSTM 8.45, TCN 8.10)
        Nottingham   NADE 2.04   Bernoulli 3.27      (LSTM 3.29, TCN 3.07)

In brackets: the results of Bai, Kolter & Koltun (2018) for independent keys, on the same split. All
rolls are in one key, so these networks were trained without transposition and ends (`--set ends=0
--set transpose=0`): JSB with `--data jsb --set batch_size=8 --set epochs=60 --set patience=8 --set
dropout=0.5 --set input_dropout=0.2`, Nottingham with `--data nottingham --set batch_size=4 --set
epochs=30 --set units=384 --set dropout=0.5 --set input_dropout=0.15 --set average=0.998 --set
patience=0`. Nottingham with independent keys needs a longer training, in two stages, by `python -m
benchmarks stages`; docs/methods.md has the command.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recipes.music.chorales import framed
from recipes.music.options import SOUNDFONT
from zoo.assets import Assets, Json
from zoo.config import Config as BaseConfig
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Demo, Objective, Option
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras

    from recipes.music.encode import MusicEncoder
    from zoo.data import Batches, Splits
    from zoo.serving import Served

TOPOLOGY = "one-to-many"
TASK = "music"
METRIC = Metric("nats_per_frame", better="lower", format=".3f")
MONITOR = Monitor("val_loss", better="lower")
SEEDS = (
    Option("key", 'Key of the piece, such as "G major".', "KEY"),
    Option("chord", 'First chord, such as "G2 D3 B3 G4".', "NOTES", flags=("--seed-chord",)),
    Option("bars", "End after this number of bars (4/4, or those of --prime).", "N", type=int),
    Option("end", "yes: stop where the model ends the piece; no: write all --steps.", "yes|no"),
)
DEMO = Demo(title="Chorale", input="seed", example={"key": "G major", "bars": 8})
RENDER_OPTIONS = (SOUNDFONT,)
FARTHEST = 64  # frames from the end; the network does not tell a larger number from this one
KERAS_OBJECTS = {
    "zoo>Bernoulli": "recipes.music.nade",
    "zoo>FrameLoss": "recipes.music.losses",
    "zoo>MusicEncoder": "recipes.music.encode",
    "zoo>NADE": "recipes.music.nade",
}


@dataclasses.dataclass(frozen=True)
class Config(BaseConfig):
    MAY_BE_0 = ("transpose",)

    epochs: int = 12  # passes over the training split, at most
    batch_size: int = 16  # pieces in one step, over all replicas together
    learning_rate: float = 3e-3  # Adam's step size at its highest
    patience: int = 3  # epochs without a better validation score before training stops (0: never)
    cell: Literal["simplernn", "lstm", "gru"] = "lstm"  # the recurrent cell
    layers: int = 1  # recurrent layers on top of each other
    units: int = 256  # size of the state h_t
    embedding: int = 128  # size of x_t
    head: Literal["bernoulli", "nade"] = "nade"  # notes of a frame: independent, or conditional
    hidden: int = 100  # size of the NADE's hidden layer
    dropout: float = 0.4  # dropout rate of h_t
    input_dropout: float = 0.1  # dropout rate of x_t
    key_dropout: float = 0.1  # fraction of pieces whose key is hidden in training
    ends: bool = False  # also predict where a piece ends
    transpose: int = 6  # maximum transposition of training pieces, in semitones
    quarter_length: float = 0.5  # length of a frame in quarter notes, for written files
    voices: int = 4  # maximum number of notes in a generated frame
    max_frames: int = 10_000  # longer pieces are neither continued nor scored
    max_steps: int = 1_000_000  # maximum of rows times steps in a request
    steps: int = 64  # frames to generate; a maximum, if the network predicts the end
    temperature: float = 0.9  # below 1, what is probable is drawn more often
    top_k: int = 0  # draw from the k most probable ids (0: from all)
    top_p: float = 1.0  # draw from the most probable ids that together reach this probability


RECIPES = {
    "chorales-simplernn": Config(cell="simplernn", learning_rate=1e-3, ends=True, steps=400),
    "chorales-gru": Config(cell="gru", ends=True, steps=400),
    "chorales-lstm": Config(cell="lstm", ends=True, steps=400),
}


def data(config: Config) -> Dataset:
    return framed(config.quarter_length)


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    return {}  # keys of a piano and of music are the same everywhere


def encoder(config: Config, assets: Assets) -> MusicEncoder:
    from recipes.music.encode import MusicEncoder

    return MusicEncoder(name="encoder")


def augment(config: Config, train: Examples) -> Examples:
    from recipes.music.transpose import transposed

    shifts = range(-min(config.transpose, 5), min(config.transpose, 6) + 1)
    return transposed(train["key"], train["frames"], shifts)


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    import numpy as np

    from recipes.music import KEYS
    from recipes.music.arrays import frames_left, roll
    from recipes.music.losses import OVER
    from zoo.data import Batches
    from zoo.data.batching import Ragged

    notes = [roll(frames) for frames in examples["frames"]]  # (time, 88) each
    if config.ends:  # one step more, at which the piece is over
        notes = [np.pad(piece, ((0, 1), (0, 0))) for piece in notes]
    # A last column of ones, so that silence is not padding.
    y = [np.pad(piece, ((0, 0), (0, 1)), constant_values=1) for piece in notes]
    numbers = {"": 0, **{key: number for number, key in enumerate(KEYS, 1)}}
    x = {
        # The frame before each one: silence before the first.
        "before": Ragged([np.pad(piece[:-1], ((1, 0), (0, 0))) for piece in notes]),
        "notes": Ragged(notes),
        "key": np.array([numbers[key] for key in examples["key"]], "int32"),  # (rows,)
    }
    if config.ends:
        for piece in y:
            piece[-1, -1] = OVER
        told = [frames_left(len(piece), told=row % 2 == 1) for row, piece in enumerate(notes)]
        x["left"] = Ragged(told)
    return Batches(x=x, y=Ragged(y), batch_size=config.batch_size)


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers, ops

    from recipes.music import KEYS
    from recipes.music.nade import NADE, Bernoulli
    from zoo.layers import CELLS

    before = keras.Input((None, 88), name="before")  # (batch, time, keys)
    notes = keras.Input((None, 88), name="notes")
    key = keras.Input((), dtype="int32", name="key")  # (batch,)
    # An unknown key adds nothing, like one that is hidden.
    given = layers.Embedding(len(KEYS) + 1, config.embedding, "zeros")(key)
    given = layers.Dropout(config.key_dropout, noise_shape=(None, 1))(given)
    x = layers.Dense(config.embedding)(before)
    x = layers.Add()([x, layers.Reshape((1, config.embedding))(given)])
    inputs = {"before": before, "notes": notes, "key": key}
    if config.ends:
        inputs["left"] = left = keras.Input((None,), name="left")
        near = ops.minimum(ops.cast(left, "int32"), FARTHEST)  # 0: unknown
        x = layers.Add()([x, layers.Embedding(FARTHEST + 1, config.embedding, "zeros")(near)])
    x = layers.Dropout(config.input_dropout)(layers.ReLU()(x))
    for number in range(config.layers):
        x = CELLS[config.cell](config.units, return_sequences=True, name=f"rnn{number}")(x)
        x = layers.Dropout(config.dropout)(x)
    if config.head == "nade":
        head = NADE(config.hidden, dtype="float32", name="head")
    else:
        head = Bernoulli(dtype="float32", name="head")
    logits = head(x, notes)
    if config.ends:
        over = layers.Dense(1, dtype="float32", name="over")(x)
        logits = layers.Concatenate(dtype="float32")([logits, over])
    return keras.Model(inputs, logits)


def objective(config: Config, assets: Assets) -> Objective:
    from recipes.music.losses import FrameLoss

    return {"loss": FrameLoss()}


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    from recipes.music.signatures import frame_signatures
    from zoo.decoding.sampling import settings
    from zoo.serving import Served

    limits = {"max_frames": config.max_frames, "max_steps": config.max_steps}
    options = {"voices": config.voices, "ends": config.ends, **limits, **settings(config)}
    functions = frame_signatures(model, assets.encoder, **options)
    return Served(**functions, parts=[model, assets.encoder])


def seed(config: Config, given: Mapping[str, Any]) -> dict[str, object]:
    from recipes.music import parse_chord, parse_key

    checks = {"key": parse_key, "chord": lambda text: " ".join(map(str, parse_chord(text)))}
    inputs: dict[str, Any] = {
        name: checks[name](value) if name in checks else value for name, value in given.items()
    }
    bars, end = inputs.pop("bars", None), inputs.pop("end", None)
    if "prime" in given:
        from recipes.music.read import read_score

        inputs["prime"] = read_score(given["prime"], config.quarter_length)
    if bars is not None or end is not None:
        from recipes.music.ending import parse_end

        inputs |= parse_end(bars, end, given, config.quarter_length, config.ends)
    return inputs


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    from recipes.music.comparison import compare_pieces
    from zoo.decoding.sampling import settings
    from zoo.metrics.generation import nats_per_step, nats_units

    pieces = {**examples, "length": [len(frames) for frames in examples["frames"]]}
    scores = predictor.predict(pieces, signature="score", batch_size=16)
    count = sum(score["count"] for score in scores)
    values = {"nats_per_frame": nats_per_step(scores), "frames": count}
    bar = max(1, round(4 / config.quarter_length))  # frames
    checks = compare_pieces(predictor, examples, settings(config), bar, ends=config.ends)
    units = {"nats_per_frame": nats_units(scores, "pieces")}
    return Scores(values, {"checks": checks}, units=units)


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    from recipes.music.frame_baselines import baselines

    return baselines(augment(config, splits.train), splits.test)


def show(example: dict, answer: dict) -> str:
    from recipes.music import chord_name

    key = answer["key"]
    chords = [chord_name(filter(None, frame), key or None) for frame in answer["frames"]]
    return f"{key or 'no key':>11}  {len(chords)} frames: {' | '.join(chords[:8])} …"


def render(config: Config, answer: dict, stem: Path) -> list[Path]:
    from recipes.music.keys import estimate_key
    from recipes.music.read import bars_of
    from recipes.music.write import write_frames

    frames = [[note for note in frame if note] for frame in answer["frames"]]
    return write_frames(
        frames,
        stem,
        quarter_length=config.quarter_length,
        key=answer["key"] or estimate_key(frames) or None,
        voices=config.voices,
        **bars_of(answer, config.quarter_length),
        soundfont=answer.get("soundfont"),
    )


def token_labels(config: Config, assets: Assets, x: Mapping) -> dict[str, list[str]]:
    from recipes.music import chord_name
    from recipes.music.keys import LOWEST

    return {"": [chord_name(LOWEST + int(key) for key in row.nonzero()[0]) for row in x["before"]]}
