"""Transposition and baselines of pieces, against hand computation."""

import itertools

import numpy as np
import pytest

from recipes.music.arrays import roll
from recipes.music.frame_baselines import baselines, nats, transitions
from recipes.music.transpose import transposed
from zoo.errors import ZooError


def test_pieces_are_transposed_within_the_range_of_all_pieces():
    pieces = [[[40, 50], []], [[45], [47, 52]], [[], []]]
    columns = transposed(["C major", "", "A minor"], pieces, range(-5, 7))
    # 40 to 52 altogether: the first goes up by 2 at most, the second down by 5.
    by_piece = list(zip(columns["key"], columns["frames"], strict=True))
    assert by_piece[:3] == [
        ("C major", [[40, 50], []]),
        ("D- major", [[41, 51], []]),
        ("D major", [[42, 52], []]),
    ]
    assert by_piece[3:9] == [("", [[45 - n], [47 - n, 52 - n]]) for n in range(6)]
    assert by_piece[9:] == [("A minor", [[], []])]


def test_no_shift_leaves_pieces_as_they_are():
    columns = transposed(["G minor"], [[[60]]], range(1))
    assert columns == {"key": ["G minor"], "frames": [[[60]]]}


def test_pieces_without_a_note_cannot_be_transposed():
    with pytest.raises(ZooError, match="No piece has a note"):
        transposed([""], [[[]]], range(2))


def test_a_roll_has_a_column_for_each_key():
    values = roll([[21, 108], [], [60]])
    assert values.shape == (3, 88)
    assert np.argwhere(values).tolist() == [[0, 0], [0, 87], [2, 39]]


def test_transitions_never_go_from_one_piece_to_the_next():
    pieces = [[[60], [61], [62]], [[70]], [[80], [81]]]
    before, after, keys = transitions({"frames": pieces, "key": ["C major", "", "G minor"]})
    names = [[int(key) + 21 for key in np.argmax(part, axis=1)] for part in (before, after)]
    assert names == [[60, 61, 80], [61, 62, 81]]
    assert keys.tolist() == ["C major", "C major", "G minor"]


def test_nats_sum_over_keys():
    frames = np.array([[1, 0], [0, 0]])
    expected = [-np.log(0.5) - np.log(0.9)] * 2
    np.testing.assert_allclose(nats(frames, np.array([[0.5, 0.1]] * 2)), expected)


def test_baselines_know_the_key_of_a_piece():
    # Pieces in one key hold one note, those in the other another; the frame before is silent.
    names = {"C major": 60, "A minor": 69}
    pieces = [[[], [note]] * 300 for note in names.values()]
    examples = {"frames": pieces, "key": [*names]}
    known = baselines(examples, examples)
    unknown = baselines({"frames": pieces}, {"frames": pieces})
    for name in ("frequencies", "previous-frame"):
        assert known[name]["nats_per_frame"] < unknown[name]["nats_per_frame"] - 0.1
    # A key that the training pieces lack is as an unknown one.
    other = {"frames": pieces, "key": ["D major"] * 2}
    np.testing.assert_allclose(
        baselines(examples, other)["frequencies"]["nats_per_frame"],
        unknown["frequencies"]["nats_per_frame"],
    )
    units = known["previous-frame"].units["nats_per_frame"]
    assert len(units.terms) == 2
    assert units.value == pytest.approx(known["previous-frame"]["nats_per_frame"])


def test_baselines_by_hand():
    # Key 60 alternates; 64 sounds where 60 does; 67 sounds always.
    piece = [[60, 64, 67], [67]] * 20
    results = baselines({"frames": [piece]}, {"frames": [piece]})
    count = 39
    often, always = (19 + 0.5) / (count + 1), (count + 0.5) / (count + 1)
    entropy = -(19 * np.log(often) + 20 * np.log(1 - often)) / count
    never = -np.log1p(-0.5 / (count + 1))
    expected = 2 * entropy - np.log(always) + 85 * never
    assert results["frequencies"]["nats_per_frame"] == pytest.approx(expected)
    after_on, after_off = (20 + 0.5) / (20 + 1), (19 + 0.5) / (19 + 1)
    same = -(20 * np.log(after_on) + 19 * np.log(after_off)) / count
    # No frame comes after one without 67; after none of the others anything ever sounds.
    rest = -np.log((39 + 0.5) / 40) - 85 * np.log1p(-0.5 / 40)
    assert results["same-key"]["nats_per_frame"] == pytest.approx(2 * same + rest)


def test_regressions_use_the_frame_before_and_the_keys_below():
    # Key 60 is random; 62 repeats it a frame later, 64 at once.
    rng = np.random.default_rng(0)
    random = (rng.random(2001) < 0.5).tolist()
    piece = [
        [note for note, sounds in ((60, now), (62, last), (64, now)) if sounds]
        for last, now in itertools.pairwise(random)
    ]
    results = baselines({"frames": [piece[:1000]]}, {"frames": [piece[1000:]]})
    scores = {name: value["nats_per_frame"] for name, value in results.items()}
    bit = np.log(2)
    assert scores["frequencies"] == pytest.approx(3 * bit, abs=0.1)
    assert scores["same-key"] == pytest.approx(3 * bit, abs=0.1)
    assert scores["previous-frame"] == pytest.approx(2 * bit, abs=0.1)
    assert scores["previous-frame-and-keys-below"] == pytest.approx(bit, abs=0.1)
