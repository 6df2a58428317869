"""The sequence of ids against all frames of few keys, and against the network's own loss."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from recipes.music.arrays import roll
from recipes.music.encode import MusicEncoder
from recipes.music.frames import FrameChain
from recipes.music.losses import frame_nats
from recipes.music.nade import NADE, Bernoulli
from recipes.music.signatures import frame_signatures
from zoo.serving import Served

KEYS = 5
CHAIN = FrameChain(voices=KEYS, conditions=3, keys=KEYS, lowest=21)
CELLS = {"lstm": layers.LSTM, "gru": layers.GRU, "simplernn": layers.SimpleRNN}


def network(cell="lstm", depth=1, kind="nade", keys=KEYS, conditions=3):
    """A small network with weights that matter, of the form of the recipe's."""
    keras.utils.set_random_seed(3)
    before, notes = (keras.Input((None, keys), name=name) for name in ("before", "notes"))
    key = keras.Input((), dtype="int32", name="key")
    condition = layers.Reshape((1, 7))(layers.Embedding(conditions, 7, "normal")(key))
    x = layers.ReLU()(layers.Add()([layers.Dense(7)(before), condition]))
    for number in range(depth):
        x = layers.Dropout(0.5)(CELLS[cell](6, return_sequences=True, name=f"rnn{number}")(x))
    head = NADE(4, keys, 2, name="head") if kind == "nade" else Bernoulli(keys, name="head")
    model = keras.Model({"before": before, "notes": notes, "key": key}, head(x, notes))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "seed_generator" not in weight.path:
            weight.assign(rng.normal(0, 0.7, weight.shape))
    return model


def rolls(rng, rows=4, time=6, keys=KEYS):
    """Random pieces `(rows, time, keys)`; some frames are silent."""
    return (rng.random((rows, time, keys)) < 0.4).astype("float32")


def nats_by_the_loss(model, notes, key):
    """-log p of each frame by the model's loss, `(rows, time)`."""
    before = np.pad(notes[:, :-1], [(0, 0), (1, 0), (0, 0)])
    return frame_nats(notes, model({"before": before, "notes": notes, "key": key})).numpy()


def ids_of(frame):
    return [*(np.flatnonzero(frame) + 1), CHAIN.end]


def zeros(specs, rows):
    return {name: tf.zeros([rows, *spec.shape[1:]], spec.dtype) for name, spec in specs.items()}


@pytest.mark.parametrize("kind", ["nade", "bernoulli"])
@pytest.mark.parametrize("voices", [2, KEYS])
def test_a_frame_is_as_probable_as_its_ids_one_after_another(kind, voices):
    chain = FrameChain(voices, 3, KEYS)
    head = network(kind=kind).get_layer("head")
    state = np.full((1, 6), 0.3, "float32")
    total = 0
    for frame in itertools.product([0, 1], repeat=KEYS):
        if sum(frame) > voices:
            continue
        frame = np.array([frame], "float32")
        begun, chained = np.zeros_like(frame), 0.0
        for number in ids_of(frame[0]):
            logs = chain.next_ids(head.above(state, begun), begun)[0].numpy()
            assert np.exp(logs).sum() == pytest.approx(1, abs=1e-5)
            chained += logs[number]
            if number <= KEYS:
                begun[0, number - 1] = 1
        total += np.exp(chained)
        if sum(frame[0]) < voices:  # of the fullest frames, the end is certain
            expected = -frame_nats(frame, head(state, frame)).numpy()[0]
            assert chained == pytest.approx(expected, abs=1e-4)
    assert total == pytest.approx(1, abs=1e-5)


def test_only_higher_notes_and_the_end_can_follow():
    frame = np.array([[0, 0, 1, 0, 0], [0] * 5, [0, 0, 0, 0, 1], [1, 0, 1, 0, 0]], "float32")
    chain = FrameChain(2, 3, KEYS)
    probabilities = np.exp(chain.next_ids(tf.zeros([4, KEYS]), frame).numpy())
    assert probabilities.shape == (4, chain.size)
    expected = np.zeros((4, chain.size))
    expected[0, [4, 5, chain.end]] = [1 / 2, 1 / 4, 1 / 4]
    expected[1, [1, 2, 3, 4, 5, chain.end]] = [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 32]
    expected[2, chain.end] = 1  # nothing is higher
    expected[3, chain.end] = 1  # two voices sound
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


@pytest.mark.parametrize(("cell", "depth"), [("lstm", 1), ("gru", 2), ("simplernn", 1)])
@pytest.mark.parametrize("kind", ["nade", "bernoulli"])
def test_steps_add_up_to_the_loss_of_whole_pieces(cell, depth, kind):
    model = network(cell, depth, kind)
    step, specs = CHAIN.step(model)
    notes, key = rolls(np.random.default_rng(1)), np.array([0, 1, 2, 2])
    # Rows are of unequal length in ids: each is at another position of its piece.
    chains = [
        [CHAIN.first + key[row], *(i for frame in notes[row] for i in ids_of(frame))]
        for row in range(4)
    ]
    assert len({len(chain) for chain in chains}) > 1
    state, logs = zeros(specs, 4), None
    total, frame = np.zeros(notes.shape[:2]), [0] * 4
    for position in range(max(map(len, chains))):
        column = [chain[position] if position < len(chain) else 0 for chain in chains]
        if position:
            for row, number in enumerate(column):
                if number:
                    total[row, frame[row]] -= logs[row, number]
                    frame[row] += number == CHAIN.end
        logits, state = step(tf.constant(column, tf.int32), state)
        logs = logits.numpy()
    np.testing.assert_allclose(total, nats_by_the_loss(model, notes, key), rtol=1e-4, atol=1e-4)


def test_a_condition_resets_the_state_and_padding_changes_nothing():
    step, specs = CHAIN.step(network())
    begin = tf.constant([CHAIN.first + 1])
    fresh, fresh_state = step(begin, zeros(specs, 1))
    state = zeros(specs, 1)
    for number in (CHAIN.first + 2, 2, 4, CHAIN.end, 1):
        logits, state = step(tf.constant([number]), state)
    same, after = step(tf.constant([0]), state)
    np.testing.assert_array_equal(same, logits)
    for name in state:
        np.testing.assert_array_equal(after[name], state[name])
    again, again_state = step(begin, state)
    np.testing.assert_allclose(again, fresh, atol=1e-6)
    for name in state:
        np.testing.assert_allclose(again_state[name], fresh_state[name], atol=1e-6)
    assert np.abs(again.numpy() - logits.numpy()).max() > 1e-3


def test_score_is_the_loss_of_all_frames_but_the_first():
    model, rng = network(), np.random.default_rng(2)
    notes, key, length = rolls(rng), np.array([0, 1, 2, 1]), np.array([6, 1, 4, 5])
    # Frames after the end of a piece are ignored.
    frames = np.where(notes > 0, np.arange(21, 21 + KEYS), 0)
    answer = CHAIN.score(
        model, tf.constant(key), tf.constant(frames), tf.constant(length, tf.int32)
    )
    nats = nats_by_the_loss(model, notes, key)
    expected = [-nats[row, 1:n].sum() for row, n in enumerate(length)]
    np.testing.assert_allclose(answer["log_probability"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(answer["count"], [5, 0, 3, 4])


def test_frames_become_ids_and_then_frames_again():
    frames = tf.constant(
        [[[23, 21, 23], [0, 0, 0], [25, 0, 0]], [[22, 0, 0], [24, 21, 0], [23, 0, 0]]]
    )
    ids = CHAIN.to_ids(frames, tf.constant([3, 2]))
    assert ids.to_list() == [[1, 3, 6, 6, 5, 6], [2, 6, 1, 4, 6]]  # 6: the end of a frame
    ends = [[1, 2, 0]] * 2  # the last frame is not complete
    again, length = FrameChain(2, 3, KEYS).to_frames(
        tf.concat([[[CHAIN.first]] * 2, ids.to_tensor(0), ends], axis=1)
    )
    np.testing.assert_array_equal(length, [3, 2])
    assert again.numpy().tolist() == [
        [[21, 23], [0, 0], [25, 0]],
        [[22, 0], [21, 24], [0, 0]],
    ]


def test_a_frame_of_more_notes_than_voices_is_whole():
    chain = FrameChain(2, 3, KEYS)
    ids = chain.to_ids(tf.constant([[[21, 22, 23, 25]]]), tf.constant([1])).to_tensor()
    assert chain.to_frames(ids)[0].numpy().tolist() == [[[21, 22, 23, 25]]]


def test_no_ids_are_no_frames():
    frames, length = CHAIN.to_frames(tf.zeros([2, 0], tf.int32))
    assert frames.shape == (2, 0, CHAIN.voices)
    np.testing.assert_array_equal(length, [0, 0])


def test_numbers_outside_the_keys_are_ignored():
    frames = tf.constant([[[20, 21, 26], [-3, 0, 2_000_000_000]]])
    assert CHAIN.to_ids(frames, tf.constant([2])).to_list() == [[1, 6, 6]]
    assert CHAIN.multi_hot(frames).numpy().tolist() == [[[1, 0, 0, 0, 0], [0] * 5]]


def test_multi_hot_takes_any_order_and_repetition():
    answer = CHAIN.multi_hot(tf.constant([[[25, 21, 25], [0, 0, 0]]]))
    assert answer.numpy().tolist() == [[[1, 0, 0, 0, 1], [0] * 5]]


def functions_of(model, **options):
    signatures = frame_signatures(model, MusicEncoder(), **options)
    return Served(**signatures, parts=[model]).functions


@pytest.fixture(scope="module")
def served():
    model = network("gru", keys=88, conditions=25)
    options = {"steps": 5, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    return model, functions_of(model, voices=4, **options)


def generate(served, key, chord, prime, seed, **options):
    options = {"steps": 5, "temperature": 1.0, "top_k": 0, "top_p": 1.0, **options}
    specs = {"steps": tf.int32, "temperature": tf.float32, "top_k": tf.int32, "top_p": tf.float32}
    return served[1]["generate"](
        key=tf.constant(key),
        chord=tf.constant(chord),
        prime=tf.constant(prime, tf.int32),
        random_seed=tf.constant(seed),
        **{name: tf.constant(value, specs[name]) for name, value in options.items()},
    )


def test_a_piece_begins_with_its_seed(served):
    prime = [[[60, 48], [0, 0], [50, 62], [0, 0]], [[0, 0]] * 4, [[70, 0]] + [[0, 0]] * 3]
    answer = generate(served, ["C major", "", "g minor"], ["", "G2 B3", "Bb2"], prime, [1, 2, 3])
    np.testing.assert_array_equal(answer["length"], [3 + 5, 1 + 5, 2 + 5])
    frames = answer["frames"].numpy()
    assert frames[0, :3].tolist() == [[48, 60, 0, 0], [0, 0, 0, 0], [50, 62, 0, 0]]
    assert frames[1, 0].tolist() == [43, 59, 0, 0]
    assert frames[2, :2].tolist() == [[46, 0, 0, 0], [70, 0, 0, 0]]
    assert (np.count_nonzero(frames, axis=2) <= 4).all()
    for row, length in enumerate(answer["length"].numpy()):
        assert not frames[row, length:].any()
        for frame in frames[row, :length]:
            notes = frame[frame > 0]
            assert (np.diff(notes) > 0).all()


def test_the_log_probability_of_a_sample_equals_its_score():
    model = network("gru", keys=88, conditions=25)
    options = {"steps": 5, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    # Of few voices, the chain would be certain of the end of a full frame; the network is not.
    functions = functions_of(model, voices=88, **options)
    keys = ["", "F major", "b minor"]
    empty = np.zeros((3, 0, 0), "int32")
    answer = generate((model, functions), keys, [""] * 3, empty, [4, 5, 6], steps=4)
    frames = answer["frames"].numpy()
    notes = np.stack([roll([[n for n in f if n] for f in piece]) for piece in frames])
    assert notes.sum(-1).std() > 1
    nats = nats_by_the_loss(model, notes, MusicEncoder().key(tf.constant(keys)).numpy())
    np.testing.assert_allclose(answer["log_probability"], -nats.sum(1), rtol=1e-4)
    scored = functions["score"](
        key=tf.constant(keys), frames=tf.constant(frames), length=answer["length"]
    )
    np.testing.assert_allclose(scored["log_probability"], -nats[:, 1:].sum(1), rtol=1e-4)
    np.testing.assert_array_equal(scored["count"], [3, 3, 3])


def test_an_invalid_key_counts_as_no_key_in_the_answer(served):
    answer = served[1]["serving_default"](key=tf.constant(["H major", "", "bb  Minor"]))
    assert answer["key"].numpy().tolist() == [b"", b"", b"B- minor"]
    frames = answer["frames"].numpy()
    np.testing.assert_array_equal(frames[0], frames[1])  # the same random seed, and no key
    assert (frames[2] != frames[1]).any()
