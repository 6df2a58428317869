"""Greedy and beam search against enumeration, NumPy, and each other."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from zoo.decoding import beam_search, greedy

BEGIN, END = 1, 2
ANY = {"begin": BEGIN, "end": END}


def markov(logits):
    """Returns the step of a model in which an id depends on the one before it alone.

    Its state is the row's own bias, which is added to the logits: rows differ.
    """
    table = tf.constant(logits, tf.float32)
    return lambda previous, state: (tf.gather(table, previous) + state["bias"], state, None)


def random_model(ids, rows, seed=0):
    generator = np.random.default_rng(seed)
    table = generator.normal(0, 2, (ids, ids)).astype("float32")
    state = {"bias": tf.constant(generator.normal(0, 1, (rows, ids)).astype("float32"))}
    return table, state


def log_softmax(x, never=(0,)):
    x = np.asarray(x, "float64").copy()
    x[..., list(never)] = -np.inf
    x -= x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def log_probability(table, bias, ids, complete, never=(0,)):
    """Recomputes one hypothesis in float64; returns also the number of ids with the end."""
    sequence = [i for i in ids if i] + [END] * int(complete)
    logs = log_softmax(table.astype("float64") + bias, never)
    total = sum(logs[a, b] for a, b in zip([BEGIN, *sequence], sequence))  # noqa: B905
    return total, max(len(sequence), 1)


def test_beam_search_finds_the_best_path_that_greedy_search_misses():
    # From the begin, 3 is likelier than 4 (0.6 to 0.4); but what follows 3 is spread over many.
    p = np.full((5, 5), 1e-9)
    p[BEGIN, 3], p[BEGIN, 4] = 0.6, 0.4
    p[3, 3], p[3, 4], p[3, END] = 0.35, 0.3, 0.35
    p[4, END] = 1.0
    step, state = markov(np.log(p)), {"bias": tf.zeros([1, 5])}
    first = greedy(step, state, tf.constant([6]), **ANY)
    best = beam_search(step, state, tf.constant([6]), beam=3, **ANY)
    assert first.ids.numpy().tolist()[0][0][0] == 3
    assert best.ids.numpy()[0, 0].tolist()[:1] == [4]
    assert not best.ids.numpy()[0, 0, 1:].any()
    np.testing.assert_allclose(best.scores, [[np.log(0.4)]], rtol=1e-5)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_what_enumeration_finds(seed, penalty):
    limit, words = 4, (3, 4)
    table, state = random_model(5, rows=2, seed=seed)
    never = (0, BEGIN)
    found = beam_search(
        markov(table), state, tf.constant([limit, limit]), beam=40, n_best=3, never=(BEGIN,),
        penalty=penalty, **ANY,
    )  # fmt: skip
    for row in range(2):
        bias = state["bias"].numpy()[row]
        everything = []
        for length in range(limit):
            for ids in itertools.product(words, repeat=length):
                total, count = log_probability(table, bias, ids, True, never)
                everything.append((total / count**penalty, list(ids)))
        everything.sort(reverse=True)
        assert [[i for i in ids if i] for ids in found.ids.numpy()[row].tolist()] == [
            ids for _, ids in everything[:3]
        ]
        np.testing.assert_allclose(
            found.scores[row], [score for score, _ in everything[:3]], rtol=1e-5
        )
    assert found.complete.numpy().all()


@pytest.mark.parametrize("penalty", [0.0, 0.7])
def test_a_beam_of_one_is_greedy(penalty):
    table, state = random_model(30, rows=8)
    limits = tf.constant([1, 2, 3, 5, 8, 13, 0, 20])
    one = beam_search(markov(table), state, limits, beam=1, penalty=penalty, **ANY)
    other = greedy(markov(table), state, limits, penalty=penalty, **ANY)
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.complete, other.complete)
    np.testing.assert_allclose(one.scores, other.scores, rtol=1e-6)


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_scores_are_those_of_numpy(beam):
    table, state = random_model(30, rows=6, seed=3)
    limits = tf.constant([4, 6, 9, 12, 15, 18])
    found = beam_search(
        markov(table), state, limits, beam=beam, n_best=beam, never=(5, 7), penalty=0.8, **ANY
    )
    for row in range(6):
        scores = []
        for ids, complete in zip(found.ids.numpy()[row], found.complete.numpy()[row], strict=True):
            assert not {5, 7} & set(ids.tolist())
            assert END not in ids
            bias = state["bias"].numpy()[row]
            total, length = log_probability(table, bias, ids, complete, never=(0, 5, 7))
            scores.append(total / length**0.8)
            assert complete or np.count_nonzero(ids) == limits[row]
        np.testing.assert_allclose(found.scores[row], scores, rtol=1e-4)
        ended = found.complete.numpy()[row]
        assert sorted(ended, reverse=True) == ended.tolist()  # the others stand behind
        for group in (scores[: ended.sum()], scores[ended.sum() :]):
            np.testing.assert_allclose(group, sorted(group, reverse=True), rtol=1e-4)


@pytest.mark.parametrize("beam", [1, 4])
def test_a_batch_gives_what_its_rows_give_alone(beam):
    table, state = random_model(30, rows=7, seed=1)
    limits = [3, 25, 0, 8, 25, 1, 12]
    together = beam_search(
        markov(table), state, tf.constant(limits), beam=beam, n_best=beam, penalty=1.0, **ANY
    )
    for row, limit in enumerate(limits):
        alone = beam_search(
            markov(table), {"bias": state["bias"][row : row + 1]}, tf.constant([limit]),
            beam=beam, n_best=beam, penalty=1.0, **ANY,
        )  # fmt: skip
        time = alone.ids.shape[-1]
        np.testing.assert_array_equal(alone.ids[0], together.ids[row, :, :time])
        assert not together.ids.numpy()[row, :, time:].any()
        np.testing.assert_allclose(alone.scores[0], together.scores[row], rtol=1e-5)
        np.testing.assert_array_equal(alone.complete[0], together.complete[row])


def test_a_wider_beam_scores_better_on_the_average():
    means = []
    for beam in (1, 2, 8):
        scores = []
        for seed in range(10):
            table, state = random_model(20, rows=4, seed=seed)
            found = beam_search(markov(table), state, tf.fill([4], 15), beam=beam, **ANY)
            scores += found.scores.numpy()[:, 0].tolist()
        means.append(np.mean(scores))
    assert means == sorted(means)
    assert means[0] < means[-1]


def test_the_loop_ends_with_the_last_row():
    # A row writes 3 for so many steps as are left to it, and then ends.
    calls = []

    def step(previous, state):
        tf.py_function(lambda: calls.append(1), [], [])
        late = (state["left"] > 0)[:, tf.newaxis]
        logits = tf.where(late, tf.constant([0.0, -50, -50, 50]), tf.constant([0.0, -50, 50, -50]))
        return logits, {"left": state["left"] - 1}, None

    def steps(search, **options):
        calls.clear()
        state = {"left": tf.constant([1, 5])}
        found = tf.function(lambda: search(step, state, tf.fill([2], 90), **options, **ANY).ids)()
        assert [np.count_nonzero(ids) for ids in found.numpy()[:, 0]] == [1, 5]
        return len(calls)

    assert steps(greedy) == 6
    assert steps(beam_search, beam=1) == 6
    assert 6 <= steps(beam_search, beam=2) <= 8  # the second hypothesis has to end too


def test_a_row_is_cut_at_its_limit():
    table = np.zeros((5, 5))
    table[:, END] = -50  # never ends by itself
    table[:, 3] = 5
    found = greedy(markov(table), {"bias": tf.zeros([3, 5])}, tf.constant([2, 0, 4]), **ANY)
    assert found.ids.numpy()[:, 0].tolist() == [[3, 3, 0, 0], [0, 0, 0, 0], [3, 3, 3, 3]]
    assert found.complete.numpy()[:, 0].tolist() == [False, True, False]
    assert found.scores.numpy()[1, 0] == 0


def test_weights_follow_their_hypotheses():
    # The weights of a step name the id before it; so those of a hypothesis must spell it.
    table, state = random_model(12, rows=3, seed=5)

    def step(previous, state):
        logits, state, _ = markov(table)(previous, state)
        return logits, state, tf.one_hot(previous, 12)

    limits = tf.constant([9, 3, 6])
    for beam in (1, 4):
        found = beam_search(
            step, state, limits, keep=tf.constant(12), beam=beam, n_best=beam, **ANY
        )
        ids, weights = found.ids.numpy(), found.weights.numpy()
        assert weights.shape == (*ids.shape, 12)
        for row, hypothesis in np.ndindex(*ids.shape[:2]):
            spelt = ids[row, hypothesis]
            length = np.count_nonzero(spelt)
            before = [BEGIN, *spelt[: length - 1]][:length]
            assert weights[row, hypothesis, :length].argmax(-1).tolist() == before
            assert not weights[row, hypothesis, length:].any()


def test_only_core_ops_are_used():
    table, _ = random_model(10, rows=1)
    graph = tf.function(
        lambda bias, beam: (
            beam_search(
                markov(table), {"bias": bias}, tf.fill([tf.shape(bias)[0]], 5), beam=beam, **ANY
            ).ids
        )
    ).get_concrete_function(tf.TensorSpec([None, 10]), tf.TensorSpec([], tf.int32))
    ops = {node.op for node in graph.graph.as_graph_def().node}
    for function in graph.graph.as_graph_def().library.function:
        ops |= {node.op for node in function.node_def}
    assert {"StatelessWhile", "TopKV2"} <= ops
    assert not {op for op in ops if "Py" in op or ">" in op}
