"""Recipes beside a peer: the same network, the right ratios, and words when PyTorch is missing."""

import importlib
import json
import sys
import types

import keras
import numpy as np
import pytest

from benchmarks import twins
from zoo.errors import UsageError, ZooError
from zoo.registry import get_recipe

PEER = "benchmarks.peers.pytorch_imdb"
CELLS = {
    "simplernn": {"cell": "simplernn"},
    "lstm": {"cell": "lstm"},
    "gru": {"cell": "gru", "layers": 2},
    "bilstm": {"cell": "lstm", "bidirectional": True, "layers": 2},
}


@pytest.fixture
def torch_peer():
    pytest.importorskip("torch", reason="the extra [bench] is not installed")
    return importlib.import_module(PEER)


def a_recipe(**changes):
    """Returns a small model with weights all over, its config, and a batch of padded rows."""
    from zoo.config import override

    recipe = get_recipe("imdb-lstm")
    config = override(recipe.config, {"units": 5, "embedding": 4, **changes})
    keras.utils.set_random_seed(1)
    assets = {"vocabulary": [f"word{i}" for i in range(18)], "labels": ["bad", "good", "so-so"]}
    model = recipe.build(config, assets)
    generator = np.random.default_rng(2)
    for weight in model.weights:  # biases are 0 at first
        if weight.dtype == "float32":
            weight.assign(generator.normal(0, 0.6, weight.shape))
    ids = generator.integers(1, 20, (4, 9)).astype("int32")
    for row, length in enumerate((9, 4, 1, 7)):
        ids[row, length:] = 0
    return model, config, ids


@pytest.mark.parametrize("changes", CELLS.values(), ids=CELLS)
def test_the_networks_are_the_same(torch_peer, changes):
    model, config, ids = a_recipe(**changes)
    result = twins.same(
        model.predict_on_batch, torch_peer.Twin(config, model), torch_peer.LAYOUTS, ids
    )
    assert result["packed"] < 1e-5
    # A backward layer with padded input reads the padding first, and so differs.
    assert (result["padded"] > 1e-4) == bool(changes.get("bidirectional"))


def test_another_network_is_no_peer(torch_peer):
    model, config, ids = a_recipe()
    twin = torch_peer.Twin(config, model)
    with torch_peer.torch.no_grad():
        twin.network.linear.bias += 0.5 * torch_peer.torch.arange(3)
    with pytest.raises(ZooError, match="not the same network"):
        twins.same(model.predict_on_batch, twin, torch_peer.LAYOUTS, ids)


def test_the_steps_are_the_same_without_dropout(torch_peer):
    """Loss, clipping and Adam: a step leads both networks to the same answers."""
    # A GRU: of the others' two biases in PyTorch each takes a step of its own.
    model, config, ids = a_recipe(cell="gru", dropout=0.0, word_dropout=0.0, clip_norm=0.05)
    twin = torch_peer.Twin(config, model)
    model.compile(
        # Keras adds epsilon before it corrects the bias of the second moment.
        keras.optimizers.Adam(config.learning_rate, global_clipnorm=0.05, epsilon=1e-8 * 1e-3**0.5),
        "sparse_categorical_crossentropy",
        jit_compile=False,
    )
    before = model.predict_on_batch(ids)
    labels = np.array([0, 1, 2, 1], "int32")
    loss = float(model.train_on_batch(ids, labels))
    assert twin.step(ids, labels, "padded") == pytest.approx(loss, abs=1e-5)
    gradients = [weight.grad.norm() for weight in twin.network.parameters()]
    assert np.linalg.norm(gradients) == pytest.approx(0.05, rel=1e-3)
    after = model.predict_on_batch(ids)
    assert np.abs(after - before).max() > 3e-3
    np.testing.assert_allclose(twin.predict(ids, "packed"), after, atol=1e-4)


def test_the_plain_script_stops_at_the_target(torch_peer, monkeypatch):
    from zoo.data.batching import Batches, Ragged

    monkeypatch.setattr(torch_peer, "FIXED", 12)
    monkeypatch.setattr(torch_peer, "EPOCHS", 60)
    _, config, _ = a_recipe(units=32, embedding=16, dropout=0.0, batch_size=8)
    assets = {"vocabulary": list("abcdefgh"), "labels": ["bad", "good"]}
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, 40).astype("int32")
    rows = [np.r_[generator.integers(4, 10, n), 2 + y[n - 1]].astype("int32") for n in range(1, 41)]
    data = Batches(x=Ragged(rows[:11]), y=y[:11], batch_size=8)
    result = torch_peer.run(config, assets, data, data, 1.0, 0, every=2)
    assert result["reached"]
    assert result["score"] == 1.0
    assert result["steps"] < 60 * 2
    assert [row["step"] for row in result["trail"]][-1] == result["steps"]
    monkeypatch.setattr(torch_peer, "EPOCHS", 1)
    result = torch_peer.run(config, assets, data, data, 1.1, 0, every=2)
    assert not result["reached"]
    assert result["steps"] == 2
    assert torch_peer.fixed(Ragged(rows), np.array([0, 39])).shape == (2, 12)


class Clock:
    """A clock that work advances."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


def test_ratios_of_steps_come_from_the_times_of_the_same_batches(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(twins, "time", clock)
    shapes = {"ours": [], "slow": [], "fast": []}

    def ours(x, y):
        shapes["ours"].append(x.shape[1])
        clock.now += 3.0 * x.shape[1]

    def theirs(x, y, layout):
        shapes[layout].append(x.shape[1])
        clock.now += {"slow": 50.0, "fast": 2.0}[layout] * x.shape[1]

    twin = types.SimpleNamespace(step=theirs, exact=lambda layout: layout == "slow")
    model = types.SimpleNamespace(train_on_batch=ours)
    batches = [(np.ones((2, n), "int32"), np.zeros(2)) for n in (5, 10, 20, 40)]
    result = twins.step_times(model, twin, ("slow", "fast"), 10, batches)
    assert result["layout"] == "fast"
    assert result["exact"] is False
    assert result["same_network"]["layout"] == "slow"  # the fast one is another network
    assert result["same_network"]["ratio"] == 3 / 50
    assert result["same_network"]["seconds"]["theirs"] == [250.0, 500.0, 1000.0]
    assert result["tried"]["slow"] == [250.0, 500.0, 1000.0]
    assert result["lengths"] == [5, 10, 20, 40]
    assert result["seconds"]["cut"] == [15.0, 30.0, 30.0, 30.0]
    assert result["seconds"]["fixed"] == [20.0] * 4
    assert result["same_batches"] == {"ratio": 1.5, "total_ratio": 1.5}
    assert result["batching"] == {"ratio": 1.5, "total_ratio": 105 / 80}
    assert result["whole"]["total_ratio"] == 225 / 80
    # Whole and cut rows, interleaved; each round begins with the next kind of work.
    assert shapes["ours"][-8:] == [5, 5, 10, 10, 10, 20, 40, 10]
    assert shapes["fast"][-8:] == [5, 10, 10, 10, 10, 20, 10, 40]


def test_growth_covers_every_size_and_length(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(twins, "time", clock)

    def work(x, y, layout=""):
        assert x.all(), "rows without padding"
        assert len(x) == len(y)
        clock.now += x.size * (2 if layout else 1)

    twin = types.SimpleNamespace(step=work)
    model = types.SimpleNamespace(train_on_batch=work)
    batch = (np.array([[3, 4, 0]], "int32"), np.array([1]))
    result = twins.growth(model, twin, "padded", batch, 0)
    assert len(result) == len(twins.LENGTHS) * len(twins.BATCHES)
    assert result[-1]["medians"] == {"ours": 128 * 800, "theirs": 2 * 128 * 800}
    assert {each["ratio"] for each in result} == {0.5}


def test_all_of_it_is_written_and_drawn(monkeypatch, tmp_path):
    """With a peer that is the recipe's own network, on the sample."""

    class Twin:
        def __init__(self, config, model):
            self.model = model

        def exact(self, layout):
            return True

        def step(self, x, y, layout):
            return 0.0

        def predict(self, x, layout):
            return self.model.predict_on_batch(x)

    def run(config, assets, train, test, target, seed, every):
        trail = [{"step": 1, "seconds": 1000.0, "score": 0.4, "rows": test.rows}]
        return {
            "seconds": 1000.0,
            "steps": 1,
            "score": 0.4,
            "reached": False,
            "epochs": 1,
            "trail": trail,
        }

    module = types.ModuleType("a_peer")
    module.__dict__.update(
        Twin=Twin,
        run=run,
        SOURCE="https://example.org",
        LAYOUTS=("packed",),
        FIXED=6,
        setup=lambda threads, seed: {"title": "A peer", "threads": threads},
    )
    monkeypatch.setitem(sys.modules, "a_peer", module)
    monkeypatch.setattr(twins, "ANSWERED", {1: 2, 3: 2})
    monkeypatch.setattr(twins, "LENGTHS", (3, 5))
    monkeypatch.setattr(twins, "BATCHES", (2, 4))
    output, picture = tmp_path / "twins.json", tmp_path / "twins.png"
    result = twins.compare(
        ["imdb-simplernn"], "a_peer", output, picture, target=0.0, data="sample", every=1
    )
    assert json.loads(output.read_text()) == result
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert result["to_target"]["ratio"] == result["to_target"]["ours"]["seconds"] / 1000
    assert result["answers"]["3"]["difference"]["packed"] < 1e-5
    assert set(result["answers"]["1"]["seconds"]) == {"raw", "ids", "packed"}


def test_without_the_framework_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, PEER, raising=False)
    with pytest.raises(ZooError, match=r"torch.*'\.\[bench\]'"):
        twins.load_peer(PEER)


def test_only_a_recipe_that_is_measured_races(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "a_peer", types.ModuleType("a_peer"))
    with pytest.raises(UsageError, match=r"imdb-gru.*imdb-lstm"):
        twins.compare(["imdb-lstm"], "a_peer", tmp_path / "a", tmp_path / "b", race="imdb-gru")


@pytest.mark.parametrize("name", ["nobody", "benchmarks.peers.nobody"])
def test_an_unknown_peer_is_said(name):
    with pytest.raises(UsageError, match="no peer"):
        twins.load_peer(name)
