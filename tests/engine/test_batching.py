import dataclasses

import numpy as np
import pytest

from zoo.data import Batches
from zoo.data.batching import WINDOW, Ragged


def rows(lengths, shape=(), seed=0):
    generator = np.random.default_rng(seed)
    return [generator.integers(1, 100, (length, *shape)) for length in lengths]


def lengths(number, seed=1):
    """Lengths as texts have them: many short ones, a long tail."""
    return np.random.default_rng(seed).lognormal(3, 0.8, number).astype(int) + 1


@pytest.fixture(scope="module")
def batches():
    sizes = lengths(700)
    return Batches(Ragged(rows(sizes)), np.arange(700), batch_size=8)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_padding_equals_a_loop(shape):
    data = rows([3, 1, 7, 2, 7], shape)
    ragged = Ragged(data)
    for index in ([0], [1, 2], [4, 0, 3], [2, 2]):
        longest = max(len(data[i]) for i in index)
        expected = np.zeros((len(index), longest, *shape), data[0].dtype)
        for row, i in enumerate(index):
            for time, value in enumerate(data[i]):
                expected[row, time] = value
        np.testing.assert_array_equal(ragged.padded(np.array(index)), expected)
    assert len(ragged) == 5


def test_rows_are_never_empty():
    with pytest.raises(ValueError, match="no row may be empty"):
        Ragged([np.array([1]), np.array([], int)])
    with pytest.raises(ValueError, match="at least one row"):
        Ragged([])


def test_each_row_is_in_exactly_one_batch(batches):
    for order in (batches.order(3, 5), batches.sorted_order()):
        assert sorted(np.concatenate(order)) == list(range(700))
        assert len(order) == batches.steps_per_epoch == 88
        assert sorted(map(len, order)) == [4] + [8] * 87


def test_the_order_depends_on_seed_and_epoch_alone(batches):
    def same(one, other):
        return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

    def shuffled(seed, epoch):
        return batches.order(seed, epoch)

    np.random.seed(0)
    first = shuffled(0, 1)
    np.random.seed(1)
    assert same(first, shuffled(0, 1))
    again = Batches(batches.x, batches.y, batches.batch_size)
    assert same(first, again.order(0, 1))
    seen = [np.concatenate(shuffled(seed, epoch)) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert not any(np.array_equal(seen[i], seen[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_batches_do_not_come_in_order_of_length(batches):
    # Short texts first and long ones last in every window would make the loss saw-toothed.
    means = [batches.lengths[index].mean() for index in batches.order(0, 0)]
    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.4


def test_padding_is_far_less_than_without_buckets(batches):
    def padding(order):
        cells = sum(batches.lengths[index].max() * len(index) for index in order)
        return 1 - batches.lengths.sum() / cells

    plain = np.random.default_rng(0).permutation(700)
    unbucketed = [plain[start : start + 8] for start in range(0, 700, 8)]
    assert padding(unbucketed) > 0.4
    assert padding(batches.order(0, 0)) < 0.1
    assert padding(batches.sorted_order()) < 0.05
    assert WINDOW * 8 < 700  # more than one window was bucketed


def test_a_dataset_yields_the_batches_of_its_order(batches):
    order = batches.order(0, 2)
    dataset = batches.dataset(order)
    assert dataset.cardinality().numpy() == len(order)
    for index, (x, y) in zip(order, dataset.as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(x, batches.x.padded(index))
        np.testing.assert_array_equal(y, index)


def test_what_is_left_of_an_epoch_is_its_end(batches):
    order = batches.order(0, 2)
    whole = list(batches.dataset(order).as_numpy_iterator())
    rest = list(batches.dataset(order[60:]).as_numpy_iterator())
    assert len(rest) == len(whole) - 60
    for (x, y), (left_x, left_y) in zip(whole[60:], rest, strict=True):
        np.testing.assert_array_equal(x, left_x)
        np.testing.assert_array_equal(y, left_y)


def test_inputs_and_targets_may_have_parts_and_both_be_ragged():
    words, tags = rows([2, 4, 3]), rows([2, 4, 3], seed=1)
    batches = Batches(
        x={"words": Ragged(words), "more": (np.eye(3, dtype="float32"),)},
        y=Ragged(tags),
        batch_size=2,
    )
    assert batches.rows == 3
    np.testing.assert_array_equal(batches.lengths, [2, 4, 3])
    x, y = next(iter(batches.dataset([np.array([2, 0])])))
    np.testing.assert_array_equal(x["words"], [words[2], [*words[0], 0]])
    np.testing.assert_array_equal(x["more"][0], [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(y, [tags[2], [*tags[0], 0]])


@pytest.mark.parametrize("replicas", [2, 3])
def test_replicas_share_every_row_once(batches, replicas):
    order = [np.arange(7), np.arange(7, 13), np.array([13])]
    elements = [
        list(batches.shards(order, replicas, [mine]).take(len(order)).as_numpy_iterator())
        for mine in range(replicas)
    ]
    for step, index in enumerate(order):
        parts = [one[step] for one in elements]
        longest = batches.lengths[index].max()
        for x, y, _ in parts:
            assert len(x) == len(y) >= 1
            assert x.shape[1] == longest
        counted = [(x[: counts[0]], y[: counts[0]]) for x, y, counts in parts]
        np.testing.assert_array_equal(np.concatenate([y for _, y in counted]), index)
        x = np.concatenate([x for x, _ in counted])
        np.testing.assert_array_equal(x, batches.x.padded(index))
        assert {counts[1] for _, _, counts in parts} == {len(index)}
        sizes = [counts[0] for _, _, counts in parts]
        assert max(sizes) - min(sizes) <= 1


def test_a_worker_with_two_replicas_gets_their_shares_in_turn(batches):
    order = [np.arange(8), np.arange(8, 12)]
    together = batches.shards(order, 4, [2, 3]).take(4)
    rows = [y.tolist() for _, y, _ in together.as_numpy_iterator()]
    assert rows == [[4, 5], [6, 7], [10], [11]]


def test_shares_have_equal_rows_and_say_where_they_begin(batches):
    shares = [batches.shards([np.arange(4)], 3, [mine]) for mine in range(3)]
    found = [next(iter(share.as_numpy_iterator())) for share in shares]
    assert [y.tolist() for _, y, _ in found] == [[0, 1], [2, 0], [3, 0]]
    assert [counts.tolist() for *_, counts in found] == [[2, 4, 0], [1, 4, 2], [1, 4, 3]]


def test_rows_that_are_drawn_again_depend_on_seed_and_epoch_alone():
    def drawn(seed, epoch):
        values = np.random.default_rng([seed, epoch]).random((4, 2))
        return Batches(values, np.arange(4), batch_size=3)

    first = dataclasses.replace(drawn(0, 0), renew=drawn)
    np.testing.assert_array_equal(first.renewed(3, 2).x, drawn(3, 2).x)
    assert not np.array_equal(first.renewed(3, 2).x, first.renewed(3, 3).x)
    assert first.renewed(3, 2).steps_per_epoch == first.steps_per_epoch == 2
    assert drawn(0, 0).renewed(3, 2).renew is None
    same = drawn(0, 0)
    assert same.renewed(3, 2) is same
