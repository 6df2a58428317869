"""Bach's chorales and the piano rolls of the published tables, as they are."""

import functools
from collections import Counter

import numpy as np
import pytest

from recipes.music.chorales import CHORALES
from recipes.music.frame_baselines import baselines
from zoo.data.splits import SPLITS

pytestmark = pytest.mark.slow


@pytest.fixture
def load(ready):
    return functools.partial(ready, CHORALES)


def pieces_of(splits):
    return [piece for name in SPLITS for piece in getattr(splits, name)["frames"]]


def test_bach_has_four_voices_and_no_chorale_twice(load):
    pytest.importorskip("music21")
    splits = load("bach")
    pieces = pieces_of(splits)
    assert len(pieces) == 355
    sizes = Counter(len(frame) for piece in pieces for frame in piece)
    assert max(sizes) == 4
    assert sizes[4] / sum(sizes.values()) > 0.9
    assert {min(min(frame, default=60) for frame in piece) >= 36 for piece in pieces} == {True}
    keys = Counter(key for name in SPLITS for key in getattr(splits, name)["key"])
    assert keys["G major"] > 30
    assert "" not in keys

    def beginning(piece):
        lowest = min(note for frame in piece for note in frame)
        return tuple(tuple(note - lowest for note in frame) for frame in piece)

    assert len({beginning(piece) for piece in pieces}) == len(pieces)


@pytest.mark.parametrize(
    ("key", "rows", "frames"),
    [("jsb", (229, 76, 77), 23_134), ("nottingham", (694, 173, 170), 266_537)],
)
def test_piano_rolls_are_those_of_the_published_tables(load, key, rows, frames):
    splits = load(key)
    assert tuple(len(getattr(splits, name)["frames"]) for name in SPLITS) == rows
    assert sum(map(len, pieces_of(splits))) == frames


def test_the_quarters_in_json_are_the_same_chorales(load):
    assert load("jsb").fingerprint == load("jsb-json").fingerprint


def test_baselines_of_jsb(load):
    splits = load("jsb")
    results = baselines(splits.train, splits.test)
    scores = [results[name]["nats_per_frame"] for name in results]
    np.testing.assert_allclose(scores, [11.091, 10.491, 9.033, 6.153], atol=0.01)
