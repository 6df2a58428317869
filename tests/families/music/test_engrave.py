"""The picture of a score, by what stands in it."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("verovio")
pytest.importorskip("music21")

from recipes.music import notation, tune
from recipes.music.engrave import engrave
from recipes.music.piece import from_frames
from zoo.errors import ZooError

TUNE = "X:1\nT:Jig\nM:6/8\nL:1/8\nK:D\nA|:dcd A2F|GFG z2A:|\n"


def count(svg, name):
    return len(re.findall(rf'class="{name}"'.encode(), svg))


def test_a_tune_has_its_notes_rests_bars_and_signs():
    document = notation.musicxml(notation.tune_score(tune.parse_tune(TUNE), 120))
    svg = engrave(document)
    assert svg == engrave(document)  # the same bytes
    assert (count(svg, "note"), count(svg, "rest"), count(svg, "measure")) == (10, 1, 3)
    assert count(svg, "keyAccid") == 2  # D major, on the only system
    assert count(svg, "staff") == 3  # one a bar


def test_a_chorale_has_four_staves():
    frames = [(48, 60, 64, 67), (43, 59, 62, 67)] * 4
    piece = from_frames(frames, quarter_length=0.5, key="C major", voices=4)
    svg = engrave(notation.musicxml(notation.score(piece)))
    assert count(svg, "staff") == 4 * count(svg, "measure")


def test_any_thread_engraves():
    document = notation.musicxml(notation.tune_score(tune.parse_tune(TUNE), 120))
    with ThreadPoolExecutor(1) as other:
        assert other.submit(engrave, document).result() == engrave(document)


def test_what_is_no_score_is_one_line():
    with pytest.raises(ZooError, match="Verovio cannot engrave"):
        engrave(b"no score")
