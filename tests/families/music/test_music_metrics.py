"""Checks on pieces against hand computations and brute force."""

import json
import math
import random
import time

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from recipes.music.frame_checks import (
    bars,
    frame_checks,
    in_key,
    longest_frame_overlaps,
    pitch_class_distance,
    repeated_fraction,
    voice_ranges,
)
from zoo import ZooError
from zoo.metrics.overlap import longest_overlaps


def overlap(piece, training, same=lambda one, other: one == other):
    """The longest run of `piece` in `training`, by trying all of them."""
    best = 0
    for other in training:
        for start in range(len(piece)):
            for position in range(len(other)):
                length = best + 1
                while (
                    start + length <= len(piece)
                    and position + length <= len(other)
                    and same(piece[start : start + length], other[position : position + length])
                ):
                    best, length = length, length + 1
    return best


def transposed(one, other):
    if not one[0] or not other[0]:
        return False
    shift = min(other[0]) - min(one[0])
    return [tuple(pitch + shift for pitch in frame) for frame in one] == list(other)


def test_overlaps_by_hand():
    training = ["to be or not to be", "that is the question"]
    pieces = ["not to bet", "xyz", "", "is the q", "e that", "to be or not to be"]
    assert longest_overlaps(pieces, training) == [9, 0, 0, 8, 4, 18]
    assert longest_overlaps([], training) == []
    assert longest_overlaps(["a", ""], []) == [0, 0]
    assert longest_overlaps(["a"], [""]) == [0]
    # A run does not go on from one training text to the next, nor from one piece to the next.
    assert longest_overlaps(["ab", "cd"], ["a", "bc", "d"]) == [1, 1]


def test_overlaps_of_any_hashable():
    assert longest_overlaps([[("a", 1), None, 2.5]], [[None, 2.5, ("a", 1), None]]) == [2]


def test_overlaps_against_brute_force():
    draw = random.Random(3)
    for _ in range(150):
        letters = "abcd"[: draw.randint(1, 4)]
        training, pieces = (
            ["".join(draw.choices(letters, k=draw.randint(0, 30))) for _ in range(count)]
            for count in (draw.randint(1, 4), 3)
        )
        assert longest_overlaps(pieces, training) == [overlap(p, training) for p in pieces]


def test_frame_overlaps_by_hand():
    training = [[(48, 64), (50, 65), (52, 67), (48, 64)]]
    third_up = [(52, 68), (54, 69), (56, 71), (52, 68)]
    assert longest_frame_overlaps([third_up], training) == [4]
    assert longest_frame_overlaps([[(30, 40), *third_up[1:3]]], training) == [2]
    # The same chords, but the step between them is another.
    assert longest_frame_overlaps([[(48, 64), (51, 66)]], training) == [1]
    assert longest_frame_overlaps([[(48, 65)], [], [()]], training) == [0, 0, 0]


def test_frame_overlaps_against_brute_force():
    draw = random.Random(5)
    chords = [(), (60,), (62,), (60, 64), (62, 66), (59, 63), (61, 64)]
    for _ in range(100):
        training, pieces = (
            [[draw.choice(chords) for _ in range(draw.randint(1, 14))] for _ in range(count)]
            for count in (3, 3)
        )
        pieces[0] = [tuple(pitch - 7 for pitch in frame) for frame in training[1][2:]]
        expected = [overlap(piece, training, transposed) for piece in pieces]
        assert longest_frame_overlaps(pieces, training) == expected


def test_overlap_with_a_million_characters_takes_seconds():
    draw = np.random.default_rng(0)
    text = "".join(map(chr, 97 + draw.integers(26, size=1_000_000)))
    begin = time.process_time()
    assert longest_overlaps(["#" + text[500_000:500_900] + "#"], [text]) == [900]
    assert time.process_time() - begin < 20


def test_voice_ranges_by_hand():
    # Soprano C4 to G5, alto G3 to D5, tenor C3 to G4, bass E2 to D4.
    assert voice_ranges([[(43, 55, 64, 72)]]) == 1.0
    assert voice_ranges([[(39, 47, 54, 59)]]) == 0.0
    assert voice_ranges([[(40, 48, 55, 60)], [(62, 67, 74, 79)]]) == 1.0
    assert voice_ranges([[(41, 48, 60, 80), ()]]) == 0.75
    # Three notes: tenor and bass stay near where they were, and one note is two voices'.
    assert voice_ranges([[(43, 55, 64, 72), (43, 64, 72)]]) == 1.0
    # A frame of five notes is for no four voices.
    assert voice_ranges([[(43, 55, 64, 72), (43, 55, 60, 64, 72)]]) == 4 / 9
    assert math.isnan(voice_ranges([[()]]))


def test_in_key_by_hand():
    piece = [(60, 64), (66,), ()]  # C E F#
    assert in_key([piece], ["C major"]) == pytest.approx(2 / 3)
    assert in_key([piece], ["G major"]) == 1.0
    assert in_key([piece, piece], ["C major", "A minor"]) == pytest.approx(5 / 6)  # F#: melodic
    assert math.isnan(in_key([], []))


def test_repeated_bars_by_hand():
    a, b = (60,), (62,)
    piece = [a, b, b, b, a, b, a, b, a]
    assert bars(piece, 2) == [(a, b), (b, b), (a, b), (a, b)]
    assert repeated_fraction([bars(piece, 2)]) == 0.5
    assert (
        repeated_fraction([bars(piece, 2), bars([a, b], 2)]) == 0.4
    )  # another piece starts from scratch
    assert bars([[60], [62]], 1) == [(a,), (b,)]
    assert math.isnan(repeated_fraction([bars([a], 2)]))


def test_pitch_class_distance_against_scipy():
    draw = np.random.default_rng(1)
    one, other = ([[tuple(draw.integers(40, 80, 4))] * 3 for _ in range(5)] for _ in range(2))
    counts = [
        np.bincount([pitch % 12 for piece in several for frame in piece for pitch in frame],
                    minlength=12)
        for several in (one, other)
    ]  # fmt: skip
    expected = jensenshannon(*counts, base=2) ** 2
    assert expected > 0.01
    assert pitch_class_distance(one, other) == pytest.approx(expected)
    assert pitch_class_distance(one, one) == 0.0
    assert pitch_class_distance([[(60,)]], [[(61,)]]) == 1.0


def test_pitch_classes_are_counted_from_the_tonic():
    one, up = [[(60, 64, 67)]], [[(62, 66, 69)]]
    assert pitch_class_distance(one, up) == 1.0
    assert pitch_class_distance(one, up, ["C major"], ["D major"]) == 0.0
    # Each mode against its own: half of the notes are in minor, and differ wholly there.
    pieces, keys = [[(60, 64, 67)], [(57, 64), (60,)]], ["C major", "A minor"]
    others, names = [[(62, 66, 69)], [(61,)]], ["D major", "C minor"]
    assert pitch_class_distance(pieces, others, keys, names) == pytest.approx(0.5)
    with pytest.raises(ZooError, match="no note on one side"):
        pitch_class_distance(pieces, one, keys, ["C major"])


def test_frame_checks_put_them_together():
    training = [[(43, 55, 64, 72), (45, 57, 64, 72), (41, 57, 65, 72), (43, 59, 62, 67)] * 2]
    copied = [[tuple(pitch + 2 for pitch in frame) for frame in training[0]]]
    checks = frame_checks(copied, ["D major"], training, ["C major"])
    assert checks == {
        "voice_ranges": 1.0,
        "in_key": 1.0,
        "repeated_bars": 0.5,
        "pitch_class_distance": 0.0,
        "longest_overlap": 8.0,
        "mean_overlap": 8.0,
        "copied": 1.0,
        "pieces": 1.0,
        "frames": 8.0,
    }
    assert json.loads(json.dumps(checks, allow_nan=False)) == checks
    new = [*copied, [(40, 50, 60, 71)] * 2]
    checks = frame_checks(new, None, training)
    assert checks["longest_overlap"] == 8.0
    assert checks["mean_overlap"] == 4.0
    assert checks["copied"] == 0.5
    assert "in_key" not in checks
    json.dumps(frame_checks([[(60,)]], ["C major"], training), allow_nan=False)


def test_nothing_to_check_is_an_error():
    with pytest.raises(ZooError, match="no note"):
        frame_checks([[()]], None, [[(60,)]])
    with pytest.raises(ZooError, match="1 keys for 2 pieces"):
        frame_checks([[(60,)], [(60,)]], ["C major"], [[(60,)]])
