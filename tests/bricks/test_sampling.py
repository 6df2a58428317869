"""Drawing ids: against NumPy and the softmax, row by row, chunk by chunk."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy.stats import chisquare

from zoo.decoding import generation_signatures, sampling, scored, step_function
from zoo.decoding.sampling import filter_logits, sample_ids
from zoo.serving import Served, capabilities

SIZE = 12
random_numbers = tf.function(sampling.random_numbers)  # row by row would take minutes
LOGITS = np.random.default_rng(0).normal(0, 2, SIZE).astype("float32")


def reference(logits, temperature, top_k, top_p):
    """The definition, in float64, id by id; padding is none of the ids."""
    logits = np.asarray(logits, float)
    order = sorted(range(1, len(logits)), key=lambda i: (-logits[i], i))
    if temperature == 0:
        order = order[:1]
    if top_k:
        order = order[:top_k]
    weights = np.exp((logits[order] - logits[order[0]]) / (temperature or 1))
    shares = weights / weights.sum()
    kept = []
    for number in range(len(order)):
        if top_p < 1 and sum(shares[:number]) >= top_p and number:
            break
        kept.append(number)
    found = np.zeros(len(logits))
    found[[order[i] for i in kept]] = shares[kept] / shares[kept].sum()
    return found


def distribution(logits, temperature, top_k, top_p):
    shares, ids = filter_logits(
        tf.constant([logits]), tf.constant(temperature), tf.constant(top_k), tf.constant(top_p)
    )
    found = np.zeros(len(logits))
    found[ids.numpy()[0]] = shares.numpy()[0]
    return found


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("top_k", [0, 1, 4, 100])
@pytest.mark.parametrize("top_p", [1e-6, 0.3, 0.9, 1.0])
def test_the_distribution_is_cut_as_defined(temperature, top_k, top_p):
    for seed in range(5):
        logits = np.random.default_rng(seed).normal(0, 2, SIZE).astype("float32")
        found = distribution(logits, temperature, top_k, top_p)
        np.testing.assert_allclose(found, reference(logits, temperature, top_k, top_p), atol=1e-6)


@pytest.mark.parametrize("temperature", [1e-3, 1e-9, 1e-19, 1e-20, 1e-25, 1e-30, 1e-37, 1e-45])
@pytest.mark.parametrize("top_k", [0, 1, 4])
def test_any_temperature_above_0_has_a_distribution(temperature, top_k):
    found = distribution(LOGITS, temperature, top_k, 1.0)
    best = np.argsort(-LOGITS[1:], kind="stable")[0] + 1
    assert found[best] == 1
    assert found.sum() == 1


def test_equal_logits_are_cut_in_the_order_of_the_ids():
    found = distribution(np.zeros(SIZE, "float32"), 1.0, 3, 1.0)
    np.testing.assert_allclose(found[:5], [0, 1 / 3, 1 / 3, 1 / 3, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, 0, 1.0), (0.7, 0, 1.0), (1.0, 5, 1.0), (1.0, 0, 0.8)]
)
def test_frequencies_are_those_of_the_distribution(temperature, top_k, top_p):
    draws = 20_000
    shares, ids = filter_logits(
        tf.repeat(LOGITS[np.newaxis], draws, axis=0),
        tf.constant(temperature),
        tf.constant(top_k),
        tf.constant(top_p),
    )
    chosen = sample_ids(shares, ids, random_numbers(tf.range(draws), tf.constant(4))[:, 1]).numpy()
    expected = reference(LOGITS, temperature, top_k, top_p)
    counts = np.bincount(chosen, minlength=SIZE)
    assert counts[expected == 0].sum() == 0
    possible = expected > 0
    p = chisquare(counts[possible], draws * expected[possible] / expected[possible].sum()).pvalue
    assert p > 1e-3
    # The test can fail: a slightly wrong temperature is detected.
    other = reference(LOGITS, temperature * 1.1, top_k, top_p)[possible]
    assert chisquare(counts[possible], draws * other / other.sum()).pvalue < 1e-3


def test_random_numbers_are_uniform_independent_and_begin_alike():
    numbers = random_numbers(tf.range(2000), tf.constant(50)).numpy()
    assert numbers.shape[0] == 2000
    assert ((numbers >= 0) & (numbers < 1)).all()
    counts, _ = np.histogram(numbers, 20, (0, 1))
    assert chisquare(counts).pvalue > 1e-3
    assert abs(np.corrcoef(numbers[:, 0], numbers[:, 1])[0, 1]) < 0.08
    assert abs(np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]) < 0.08
    for count in (1, 3, 17):
        short = random_numbers(tf.range(2000), tf.constant(count)).numpy()[:, :count]
        np.testing.assert_array_equal(short, numbers[:, :count])


def test_a_number_at_the_edge_draws_what_can_be_drawn():
    shares, ids = tf.constant([[0.6, 0.4, 0.0]]), tf.constant([[5, 2, 7]])
    drawn = [
        int(sample_ids(shares, ids, tf.constant([number]))[0])
        for number in (0.0, 0.5999, 0.6001, 0.99999994)
    ]
    assert drawn == [5, 5, 2, 2]
    short = tf.constant([[0.6, 0.3999999, 0.0]])
    assert int(sample_ids(short, ids, tf.constant([0.99999994]))[0]) == 2


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    scale = keras.initializers.RandomNormal(stddev=1.0)
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(SIZE, 8, scale),
            layers.Dropout(0.5),
            layers.LSTM(16, return_sequences=True),
            layers.LayerNormalization(),
            layers.GRU(12, return_sequences=True),
            layers.Dense(SIZE, kernel_initializer=scale),
        ]
    )


END = 3


def encode(prompt):
    """Letters a … k to the ids 1 … 11, behind a first 1."""
    codes = tf.strings.unicode_decode(tf.strings.join(["a", prompt]), "UTF-8")
    return codes - 96


@pytest.fixture(scope="module", params=[None, END])
def functions(model, request):
    generation = generation_signatures(
        *step_function(model),
        [tf.TensorSpec([None], tf.string, name="prompt")],
        encode,
        lambda ids, seed: {
            "sequence": ids,
            "length": tf.math.count_nonzero(ids, axis=1, dtype=tf.int32),
        },
        steps=9,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        end=request.param,
    )
    return Served(generation=generation, parts=[model]).functions


def generate(functions, prompts, seeds, steps=25, temperature=1.0, top_k=0, top_p=1.0):
    found = functions["generate"](
        prompt=tf.constant(prompts),
        random_seed=tf.constant(seeds),
        steps=tf.constant(steps),
        temperature=tf.constant(temperature),
        top_k=tf.constant(top_k),
        top_p=tf.constant(top_p),
    )
    return {name: value.numpy() for name, value in found.items()}


def test_the_chain_of_steps_is_the_network(model):
    step, specs = step_function(model)
    assert list(specs) == ["state_0", "state_1", "state_2"]
    ids = np.random.default_rng(0).integers(1, SIZE, (3, 10)).astype("int32")
    state = {name: tf.zeros([3, spec.shape[1]]) for name, spec in specs.items()}
    for time in range(10):
        logits, state = step(tf.constant(ids[:, time]), state)
        np.testing.assert_allclose(logits, model(ids)[:, time], atol=1e-5)


def test_what_is_no_chain_is_refused():
    a = keras.Input((None,), dtype="int32")
    x = layers.Embedding(5, 4)(a)
    bidirectional = keras.Model(a, layers.Bidirectional(layers.GRU(3, return_sequences=True))(x))
    last = keras.Model(a, layers.GRU(3)(x))
    split = keras.Model(a, layers.Concatenate()([x, layers.GRU(3, return_sequences=True)(x)]))
    for model in (last, split, bidirectional):
        with pytest.raises(ValueError, match="Layer"):
            step_function(model)


def test_a_batch_is_its_rows_and_the_same_seed_the_same_sequence(functions):
    prompts, seeds = ["", "bcd", "hhhhhhh", "b"], [5, 5, 7, 2**31 - 1]
    together = generate(functions, prompts, seeds)
    for row, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
        alone = generate(functions, [prompt], [seed])
        length = alone["length"][0]
        np.testing.assert_array_equal(
            alone["sequence"][0, :length], together["sequence"][row, :length]
        )
        assert together["length"][row] == length
        np.testing.assert_allclose(
            alone["log_probability"][0], together["log_probability"][row], rtol=1e-5
        )
    other = generate(functions, prompts, [6, 6, 8, 1])
    assert (other["sequence"][:, :3] != together["sequence"][:, :3]).any()


def test_fewer_steps_are_the_beginning_of_more(functions):
    long = generate(functions, ["b", "c"], [1, 2], steps=30)["sequence"]
    short = generate(functions, ["b", "c"], [1, 2], steps=7)["sequence"]
    np.testing.assert_array_equal(long[:, : short.shape[1]], short)


def test_the_log_probability_is_that_of_the_network_whatever_was_cut(functions, model):
    found = generate(functions, ["bcd", ""], [1, 2], temperature=0.6, top_p=0.9)
    for row, prefix in enumerate(([1, 2, 3, 4], [1])):
        drawn = found["sequence"][row, : found["length"][row]].tolist()
        drawn += [END] if found["complete"][row] else []
        ids = np.array([prefix + drawn])
        logits = np.asarray(model(ids[:, :-1]), float)[0]
        logits[:, 0] = -np.inf
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        total = sum(logs[len(prefix) - 1 + i, each] for i, each in enumerate(drawn))
        assert found["log_probability"][row] == pytest.approx(total, rel=1e-4)
        score = scored(model, tf.ragged.constant(ids.tolist(), dtype=tf.int32), len(prefix))
        assert float(score["log_probability"][0]) == pytest.approx(total, rel=1e-4)
        assert int(score["count"][0]) == len(drawn)


def test_temperature_0_takes_the_most_probable(functions, model):
    found = generate(functions, ["b"], [3], temperature=0.0, steps=8)
    ids = [1, 2]
    for each in found["sequence"][0, : found["length"][0]]:
        logits = np.asarray(model(np.array([ids])))[0, -1]
        assert each == 1 + np.argmax(logits[1:])
        ids.append(int(each))


@pytest.mark.parametrize("cuts", [(1, 24), (10, 15), (5, 5, 5, 10)])
def test_chunks_through_step_equal_one_generate(functions, cuts):
    whole = generate(functions, ["bc"], [11], temperature=0.9, top_k=8, top_p=0.95)
    numbers = random_numbers(tf.constant([11]), tf.constant(25))
    options = (tf.constant(0.9), tf.constant(8), tf.constant(0.95))
    state = functions["begin"](prompt=tf.constant(["bc"]))
    drawn = []
    for size in cuts:
        # A caller may put the state away between two chunks: it is all there is.
        state = {name: tf.constant(value.numpy()) for name, value in state.items()}
        for _ in range(size):
            chosen = sample_ids(
                *filter_logits(state.pop("logits"), *options), numbers[:, len(drawn)]
            )
            drawn.append(int(chosen[0]))
            state = dict(functions["step"](input=chosen, **state))
    length = whole["length"][0]
    assert drawn[:length] == whole["sequence"][0, :length].tolist()
    if whole["complete"][0]:
        assert drawn[length] == END


def test_nothing_is_shared_between_callers(functions):
    begun = functions["begin"](prompt=tf.constant(["bcd"]))
    state = {name: value for name, value in begun.items() if name != "logits"}
    first = functions["step"](input=tf.constant([4]), **state)
    functions["step"](input=tf.constant([9]), **state)
    again = functions["step"](input=tf.constant([4]), **state)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])


def test_no_steps_give_an_empty_sequence(functions):
    found = generate(functions, ["b", "cc"], [1, 2], steps=0)
    assert found["sequence"].shape == (2, 0)
    np.testing.assert_array_equal(found["log_probability"], 0.0)
    assert not found["complete"].any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": -1},
        {"steps": 100_001},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.5},
    ],
)
def test_options_out_of_range_are_refused(functions, wrong):
    with pytest.raises(tf.errors.InvalidArgumentError, match=next(iter(wrong))):
        generate(functions, ["b"], [1], **wrong)


def test_the_default_is_the_seed_0_with_the_options_of_the_recipe(functions):
    found = functions["serving_default"](prompt=tf.constant(["b", "cc"]))
    expected = generate(functions, ["b", "cc"], [0, 0], steps=9)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


def test_a_step_of_several_ids_ends_with_its_last():
    """Ids 1 … 4 are notes, 5 ends a step; no step has more than three notes."""
    unit = 5

    def step(ids, state):
        notes = tf.where(ids == unit, 0, state["notes"] + tf.cast(ids > 0, tf.int32))
        full = notes[:, tf.newaxis] >= 3
        only = tf.where(tf.range(6) == unit, 0.0, -1e9)
        logits = tf.where(full, only, tf.zeros([6]))
        return logits, {"notes": notes}

    generation = generation_signatures(
        step,
        {"notes": tf.TensorSpec([None], tf.int32)},
        [tf.TensorSpec([None], tf.string, name="key")],
        lambda key: tf.RaggedTensor.from_tensor(tf.fill([tf.shape(key)[0], 1], unit)),
        lambda ids, seed: {"sequence": ids},
        steps=6,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        unit=unit,
        per_step=4,
    )
    found = generation.generate(
        key=tf.constant(["", "", ""]),
        random_seed=tf.constant([1, 2, 3]),
        steps=tf.constant(40),
        temperature=tf.constant(1.0),
        top_k=tf.constant(0),
        top_p=tf.constant(1.0),
    )["sequence"].numpy()
    for row in found:
        ids = row[row > 0].tolist()
        assert ids.count(unit) == 40
        assert ids[-1] == unit
        sizes = np.diff([-1, *np.flatnonzero(np.array(ids) == unit)]) - 1
        assert sizes.max() == 3
        assert sizes.min() == 0


def test_no_rows_are_answered_by_no_rows(functions):
    none = tf.zeros([0], tf.string)
    found = functions["generate"](
        prompt=none, random_seed=tf.zeros([0], tf.int32), steps=tf.constant(3),
        temperature=tf.constant(1.0), top_k=tf.constant(0), top_p=tf.constant(1.0),
    )  # fmt: skip
    answers = [functions[name](prompt=none) for name in ("serving_default", "begin")]
    for answer in (found, *answers):
        assert all(value.shape[0] == 0 for value in answer.values())


def toy(**options):
    """A generator of the ids that were given, some of which it refuses."""

    def step(ids, state):
        return tf.one_hot(ids, 5) * 50, state

    return generation_signatures(
        step,
        {},
        [tf.TensorSpec([None], tf.int32, name="first")],
        lambda first: tf.RaggedTensor.from_tensor(tf.maximum(first, 1)[:, tf.newaxis]),
        lambda ids, seed: {"sequence": ids},
        steps=3,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        **options,
    )


def ask(generation, first, steps):
    return generation.generate(
        first=tf.constant(first), random_seed=tf.range(len(first)), steps=tf.constant(steps),
        temperature=tf.constant(1.0), top_k=tf.constant(0), top_p=tf.constant(1.0),
    )  # fmt: skip


def test_rows_times_steps_are_bounded_before_anything_is_drawn():
    generation = toy(max_steps=1000)
    assert ask(generation, [1] * 10, 100)["sequence"].shape == (10, 100)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"at most 1000; got\] \[1100\]"):
        ask(generation, [1] * 11, 100)
    assert generation.default(first=tf.fill([333], 1))["sequence"].shape == (333, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="rows times steps"):
        generation.default(first=tf.fill([334], 1))


def test_a_row_that_cannot_be_begun_with_does_not_fail_the_others():
    def problem(first):
        return tf.where(first < 1, "There is no such id.", "")

    generation = toy(problem=problem)
    found = ask(generation, [2, -1, 3], 4)
    assert found["sequence"].numpy().tolist() == [[2] * 4, [0] * 4, [3] * 4]
    assert found["valid"].numpy().tolist() == [True, False, True]
    assert found["problem"].numpy().tolist() == [b"", b"There is no such id.", b""]
    assert np.isnan(found["log_probability"]).tolist() == [False, True, False]
    begun = generation.begin(first=tf.constant([2, -1]))
    assert np.isnan(begun["logits"]).all(axis=1).tolist() == [False, True]
    capabilities.check(Served(generation=generation, parts=[]), "toy")


def test_long_sequences_are_scored_in_parts(model, monkeypatch):
    from zoo.decoding import generator

    ids = tf.ragged.constant([[1, 2, 3, 4], [1, 5], [1, 2, 3, 4, 5, 6]], dtype=tf.int32)
    whole = scored(model, ids)
    monkeypatch.setattr(generator, "SCORED", 1)
    for name, value in scored(model, ids).items():
        np.testing.assert_allclose(value, whole[name], rtol=1e-5)
    sizes = []

    def spy(inputs, training):
        sizes.append(tf.shape(inputs)[0])
        return model(inputs)

    tf.config.run_functions_eagerly(True)
    try:
        scored(spy, ids)
    finally:
        tf.config.run_functions_eagerly(False)
    assert [int(size) for size in sizes] == [1, 1, 1]
