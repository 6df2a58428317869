"""The speed of translating, and the loop in Python that it is compared with."""

import json

import pytest
import tensorflow as tf
from support.translators import KINDS, small_translator

from benchmarks.decoding import PythonLoop, decoding_race, greedy_graph

SETTINGS = {
    "epochs": 2, "batch_size": 8, "units": 16, "encoder_units": 16, "embedding": 8, "pieces": 200,
}  # fmt: skip


SLOW = KINDS[1:-1]  # the attention differs by how it scores, which test_translation.py compares


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=pytest.mark.slow if kind in SLOW else ()) for kind in KINDS],
)
def network(request):
    return small_translator(request.param, SETTINGS)


def test_the_python_loop_translates_as_the_graph_does(network):
    source, target = network.assets.encoder
    loop = PythonLoop(network.model, source, target, length=40)
    texts = ["A dog runs .", "", "The old man's hat is blue!"]
    together = greedy_graph(network.model, source, target)(tf.constant(texts))
    assert [text.decode() for text in together.numpy()] == [loop.translate(text) for text in texts]


def test_the_speed_of_decoding_is_measured(pack_of, tmp_path):
    searching = pack_of("translate-attention")
    result = decoding_race(searching, tmp_path / "d.json", texts=["a", "A dog ."], loop_texts=1)
    assert json.loads((tmp_path / "d.json").read_text()) == result
    assert result["equal"] == result["loop"]["texts"] == 1
    speeds = {way: result[way]["per_second"] for way in ("loop", "greedy", "beam")}
    assert result["ratio"] == speeds["greedy"] / speeds["loop"] > 1
    assert result["beam_ratio"] == speeds["beam"] / speeds["loop"]


def test_what_does_not_translate_has_no_such_speed(cli, run_of):
    run = run_of("imdb-simplernn")
    result = cli("decoding", run, "-o", "d.json", code=2)
    assert "does not translate" in result.err
