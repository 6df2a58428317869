"""Where pieces end: the network's own decision, the bars that are asked for, and cadences."""

import dataclasses
import json
import math
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import zoo
from recipes.music.arrays import frames_left
from recipes.music.ending import cadence_fractions, parse_end
from recipes.music.frames import NEVER, FrameChain
from recipes.music.keys import KEYS, tonic
from recipes.music.losses import OVER, FrameLoss
from recipes.music.nade import NADE
from zoo.decoding.sampling import IMPOSSIBLE

PIANO = 4
CHAIN = FrameChain(voices=PIANO, conditions=3, keys=PIANO, lowest=21, ends=True)
NAME = "chorales-simplernn"  # whose run is there already
G, C, D7, E_MINOR = (43, 50, 59, 67), (48, 52, 60, 67), (50, 54, 60, 69), (52, 55, 59, 64)


@pytest.fixture(scope="module")
def model():
    """A small network of the form of the recipe's, with weights that matter."""
    keras.utils.set_random_seed(3)
    before, notes = (keras.Input((None, PIANO), name=name) for name in ("before", "notes"))
    key = keras.Input((), dtype="int32", name="key")
    left = keras.Input((None,), dtype="int32", name="left")
    condition = layers.Reshape((1, 7))(layers.Embedding(3, 7, "normal")(key))
    told = layers.Embedding(9, 7, "normal")(keras.ops.minimum(left, 8))
    x = layers.ReLU()(layers.Add()([layers.Dense(7)(before), condition, told]))
    x = layers.GRU(6, return_sequences=True, name="rnn0")(x)
    head, over = NADE(4, PIANO, 2, name="head"), layers.Dense(1, name="over")
    logits = layers.Concatenate()([head(x, notes), over(x)])
    model = keras.Model({"before": before, "notes": notes, "key": key, "left": left}, logits)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    return model


def walk(model, ids):
    """The log-probabilities before each of `ids`, float32 `(ids, size)`, of one row."""
    step, specs = CHAIN.step(model)
    state = {name: tf.zeros([1, *spec.shape[1:]], spec.dtype) for name, spec in specs.items()}
    rows = []
    for id in ids:
        logs, state = step(tf.constant([id]), state)
        rows.append(logs[0].numpy())
    return np.array(rows)


def ids_of(piece):
    return [id for frame in piece for id in [*(np.flatnonzero(frame) + 1), CHAIN.end]]


def piece_of(frames):
    return (np.random.default_rng(1).random((frames, PIANO)) < 0.5).astype("float32")


def test_what_a_piece_and_its_end_cost_is_the_loss(model):
    """Untold, the chain's log-probabilities add up to the loss that training lowers."""
    piece = piece_of(5)
    begin = [*CHAIN.countdown(tf.constant([0])).numpy()[0], CHAIN.first + 1]
    ids = [*begin, *ids_of(piece), CHAIN.over]
    logs = walk(model, ids)[len(begin) - 1 : -1]
    total = sum(row[id] for row, id in zip(logs, ids[len(begin) :], strict=True))
    notes = np.pad(piece, ((0, 1), (0, 0)))[None]
    y = np.pad(notes, ((0, 0), (0, 0), (0, 1)), constant_values=1)
    y[0, -1, -1] = OVER
    inputs = {
        "before": np.pad(notes[:, :-1], ((0, 0), (1, 0), (0, 0))),
        "notes": notes,
        "key": np.array([1]),
        "left": np.zeros((1, 6), "int32"),
    }
    nats = float(FrameLoss()(y, model(inputs))) * 6  # a mean over the steps
    assert -total == pytest.approx(nats, rel=1e-5)


def test_before_each_id_the_probabilities_add_up_to_one(model):
    for frames in (0, 3, -1):
        digits = CHAIN.countdown(tf.constant([frames])).numpy()[0]
        logs = walk(model, [*digits, CHAIN.first, *ids_of(piece_of(2))])[len(digits) :]
        np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, rtol=1e-5)


def test_the_network_reads_how_many_frames_are_left(model):
    """The logit of the chain is the model's own, told 4, 3, 2, 1."""
    piece = piece_of(3)
    digits = CHAIN.countdown(tf.constant([3])).numpy()[0]
    logs = walk(model, [*digits, CHAIN.first, *ids_of(piece)])[len(digits) :]
    left = frames_left(4, told=True)
    assert left.tolist() == [4, 3, 2, 1]
    notes = np.pad(piece, ((0, 1), (0, 0)))[None]
    before = np.pad(notes[:, :-1], ((0, 0), (1, 0), (0, 0)))
    logits = model({"before": before, "notes": notes, "key": np.array([0]), "left": left[None]})
    first = logs[0]  # before the first frame: no note in it yet
    silent = -np.logaddexp(0, logits[0, 0, :PIANO].numpy()).sum()
    if not piece[0].any():
        assert first[CHAIN.end] == pytest.approx(silent, abs=1e-5)
    assert first[CHAIN.over] == pytest.approx(IMPOSSIBLE, rel=1e-3)


@pytest.mark.parametrize(("frames", "ends_after"), [(2, 2), (1, 1), (-1, None)])
def test_a_count_decides_where_a_piece_ends(model, frames, ends_after):
    piece = np.eye(PIANO, dtype="float32")[[0, 1, 2]]  # one note a frame
    digits = CHAIN.countdown(tf.constant([frames])).numpy()[0]
    logs = walk(model, [*digits, CHAIN.first, *ids_of(piece)])[len(digits) :]
    for number, row in enumerate(logs[::2]):  # at the beginning of frame `number`
        if ends_after is not None and number >= ends_after:
            assert row[CHAIN.over] == 0
            assert (np.delete(row, CHAIN.over) <= IMPOSSIBLE / 2).all()
        else:
            assert row[CHAIN.over] <= IMPOSSIBLE / 2
    assert (logs[1::2, CHAIN.over] <= IMPOSSIBLE / 2).all()  # within a frame


def test_digits_say_a_count():
    digits = CHAIN.countdown(tf.constant([0, -1, 1, 1000])).numpy() - CHAIN.zero
    values = (digits * [32**2, 32, 1]).sum(axis=1)
    assert values.tolist() == [0, NEVER, 2, 1001]


@pytest.fixture(scope="module")
def predictor(run_of):
    return zoo.load(run_of(NAME))


def test_as_many_bars_as_asked_for(predictor, tmp_path):
    answers = predictor.generate(3, bars=2, key="G major")
    assert [(len(each["frames"]), each["complete"]) for each in answers] == [(16, True)] * 3
    (tmp_path / "waltz.abc").write_text("X:1\nM:3/4\nL:1/4\nK:G\nD | GBd | G2 B |\n")
    (answer,) = predictor.generate(bars=4, prime=str(tmp_path / "waltz.abc"))
    assert len(answer["frames"]) == 2 + 4 * 6  # an upbeat of a quarter, and four bars of three


def test_a_piece_ends_on_the_triad_of_its_key(predictor):
    """An untrained enough network: what decides is how notes are drawn."""
    for key, mode in (("G major", "major"), ("B- minor", "minor")):
        answers = predictor.generate(8, key=key, bars=3, seed=5)
        answers += predictor.generate(8, key=key, steps=60, seed=5)
        pieces = [[[n for n in frame if n] for frame in each["frames"]] for each in answers]
        assert all(len(piece) == 24 for piece in pieces[:8])
        for piece, answer in zip(pieces, answers, strict=True):
            classes = {(note - tonic(key)) % 12 for note in piece[-1]}
            thirds = classes & {3, 4}
            if answer["complete"]:
                assert classes <= {0, 7, 4} or (mode == "minor" and classes <= {0, 7, 3})
                assert (min(piece[-1]) - tonic(key)) % 12 == 0
                assert len(thirds) <= 1


def frames_of(*chords):
    return tf.constant([[[*chord, *[0] * (4 - len(chord))] for chord in chords]])


def test_a_piece_that_the_steps_cut_goes_back_to_the_last_tonic():
    chain = FrameChain(ends=True, cadences=True)
    g_major = KEYS.index("G major") + 1
    frames = frames_of(G, D7, G, D7, C, (47, 50, 59, 67))

    def cut(condition, first, length=6):
        ends = chain.cut(frames, *map(tf.constant, ([length], [condition], [first])))
        return ends.numpy().tolist()[0]

    assert cut(g_major, 0) == 3
    assert cut(g_major, 0, length=2) == 1
    short = frames_of(G, D7, D7, D7, D7)  # too little would be left
    ends = chain.cut(short, tf.constant([5]), tf.constant([g_major]), tf.constant([0]))
    assert ends.numpy().tolist() == [5]
    assert cut(g_major, 3) == 6  # what a person gave is kept
    assert cut(0, 0) == 6  # the key is unknown
    assert cut(KEYS.index("C major") + 1, 0) == 5
    assert cut(KEYS.index("E minor") + 1, 0) == 6


def test_without_an_end_the_steps_decide(predictor):
    (answer,) = predictor.generate(end="no", steps=150)
    assert (len(answer["frames"]), answer["complete"]) == (150, False)
    (answer,) = predictor.generate(end="yes", steps=3)
    assert len(answer["frames"]) <= 3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"bars": 0}, "bars must be from 1 to 1250; got 0"),
        ({"bars": "2"}, "bars must be an integer; got '2'"),
        ({"bars": True}, "bars must be an integer; got True"),
        ({"bars": 10**9}, "bars must be from 1 to 1250"),
        ({"end": "maybe"}, "end must be yes or no; got 'maybe'"),
        ({"bars": 2, "end": "no"}, "bars and end cannot be combined"),
    ],
)
def test_an_impossible_end_is_one_line(predictor, given, says):
    with pytest.raises(zoo.UsageError, match=says):
        predictor.generate(**given)


def test_a_piece_that_begins_with_more_than_is_asked_for_has_no_answer(predictor):
    seed = {"key": [""], "chord": ["C3 G4"], "prime": [[[60]] * 9], "random_seed": [0]}
    options = {"steps": 20, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    for wish in (10, 10_001, -2):
        (answer,) = predictor.predict(
            {**seed, "num_frames": [wish]}, signature="generate", **options
        )
        assert answer["problem"] == (
            "The number of frames must be -1, 0, or more than the piece begins with and at most "
            "10,000."
        )


def test_a_model_without_ends_says_so():
    with pytest.raises(zoo.UsageError, match="does not know where a piece ends, so bars"):
        parse_end(4, None, {}, 0.5, False)


def test_a_model_from_before_there_were_ends_still_answers(predictor, tmp_path):
    """Its `config.json` has no `ends`, which is on in the recipes of today."""
    before = dataclasses.replace(predictor.config, ends=False, steps=16)
    settings = dataclasses.asdict(before)
    del settings["ends"]
    shutil.copytree(predictor.folder, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "config": settings}))
    network = predictor.recipe.build(before, predictor.assets)
    network.save(tmp_path / "run" / "model-best.keras")

    old = zoo.load(tmp_path / "run")
    assert old.config == before
    (answer,) = old.generate(key="G major", seed=1)
    assert len(answer["frames"]) == 16
    with pytest.raises(zoo.UsageError, match="does not know where a piece ends, so bars"):
        old.generate(key="G major", bars=2)


def test_bars_on_the_command_line(cli, run_of, tmp_path):
    pytest.importorskip("verovio")
    run = run_of(NAME)
    for option in (["--bars", "2"], ["--with", "bars=2"]):
        line = cli("generate", run, *option, "--json").out
        assert len(json.loads(line)["frames"]) == 16
    assert "bars must be an integer; got 'x'" in cli("generate", run, "--with=bars=x", code=2).err
    assert "--soundfont applies to files" in cli("generate", run, "--soundfont=a.sf2", code=2).err
    options = ("--soundfont", tmp_path / "none.sf2", "--bars", "1", "-o", tmp_path / "out")
    assert "soundfont" in cli("generate", run, *options, code=1).err


@pytest.mark.parametrize(
    ("piece", "key", "expected"),
    [
        ([D7, D7, G, G], "G major", (1, 1, 1)),
        ([D7, D7, G, G, (), ()], "G major", (1, 1, 1)),  # rests at the end do not count
        ([D7, G], "G major", (1, 1, 0)),  # the last chord is short
        ([E_MINOR, E_MINOR, G, G], "G major", (1, 0, 1)),  # neither leading note nor fourth degree
        ([C, C, G, G], "G major", (1, 1, 1)),  # plagal
        ([D7, D7, (47, 50, 59, 67), (47, 50, 59, 67)], "G major", (0, 0, 1)),  # first inversion
        ([D7, D7, (43, 50, 58, 67)], "G major", (0, 0, 0)),  # a minor third in major
        ([D7, D7, (43, 50, 58, 67)] * 1, "G minor", (1, 1, 0)),
        ([D7, D7, (43, 50, 59, 67)], "G minor", (1, 1, 0)),  # a Picardy third
        ([D7, D7], "G major", (0, 0, 1)),
        ([(), ()], "G major", (0, 0, 0)),
    ],
)
def test_cadences(piece, key, expected):
    fractions = cadence_fractions([piece], [key])
    assert tuple(fractions.values()) == expected


def test_without_pieces_there_is_no_fraction():
    assert all(math.isnan(value) for value in cadence_fractions([], []).values())
