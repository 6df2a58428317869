"""`stream`, `embed` and `export` check what they are given before they begin."""

import pytest

import zoo
from zoo.errors import UsageError


@pytest.fixture(scope="module")
def writer():
    return zoo.load("shakespeare-gru")


@pytest.mark.parametrize("seed", [None, [], [1, 2], "x", 1.5, -1, 2**40, 10**23])
def test_a_stream_checks_its_seed_as_generate_does(writer, seed):
    for begin in (writer.stream, writer.generate):
        with pytest.raises(UsageError, match="seed must be"):
            begin(steps=3, seed=seed)


def test_a_stream_is_as_short_as_the_limit_says(writer):
    limited = writer.with_limits({"max_steps": 5})
    assert len("".join(limited.stream(steps=5))) == 5
    with pytest.raises(UsageError, match="steps must be at most 5; got 6"):
        limited.stream(steps=6)


@pytest.mark.parametrize("size", [0, -1, 1.5])
def test_a_batch_of_vectors_has_rows(size):
    with pytest.raises(UsageError, match="batch_size must be"):
        zoo.load("imdb-simplernn").embed(["a"], batch_size=size)


def test_a_model_is_not_exported_into_another_one(tmp_path, run_of):
    version = zoo.export("adding-simplernn", tmp_path / "served")
    for model in (version, run_of("imdb-simplernn")):
        before = sorted(model.iterdir())
        with pytest.raises(UsageError, match="is a model itself"):
            zoo.export("adding-simplernn", model)
        assert sorted(model.iterdir()) == before
    assert zoo.export("adding-simplernn", tmp_path / "served").name == "2"


@pytest.mark.parametrize(
    ("options", "says"),
    [({"precision": "x"}, "Unknown precision 'x'"), ({"seed": -1}, "seed must be from 0"),
     ({"seed": 2**40}, "seed must be from 0 to 4294967295"),
     ({"settings": {"epochs": 10**23}}, "'epochs' must be at most 2,147,483,647")],
)  # fmt: skip
def test_a_wrong_option_leaves_no_run_behind(options, says, tmp_path):
    with pytest.raises(UsageError, match=says):
        zoo.train("digits-mlp", tmp_path / "run", quiet=True, **options)
    assert not (tmp_path / "run").exists()
