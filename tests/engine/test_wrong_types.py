"""Values of wrong Python types are refused in one line, by every public function."""

import functools

import pytest

import zoo
from zoo.errors import check_list

NAME = "digits-mlp"
WRONG = [5, 1.5, True, b"x", [], ["a"], ("a",), {}, {5: 1}, object(), "x" * 5000, "\0"]

FLAGS = ("overwrite", "resume", "tiny", "deterministic", "baselines", "quiet", "trust", "verbose")


def with_flag(flag, run, new, value):
    return zoo.train(NAME, new, data="?", **{flag: 1 if value is True else value})


# Parameter to a call with a value of it. What is right for some of the values is refused later.
CALLS = {
    "load": lambda run, new, value: zoo.load(value),
    "get_recipe": lambda run, new, value: zoo.get_recipe(value),
    "pretrained": lambda run, new, value: zoo.pretrained(value),
    "export model": lambda run, new, value: zoo.export(value, new),
    "export directory": lambda run, new, value: zoo.export(run, value),
    "export format": lambda run, new, value: zoo.export(run, new, format=value),
    "export warmup": lambda run, new, value: zoo.export(run, new, warmup=value, format="?"),
    "export limits": lambda run, new, value: zoo.export(run, new, limits=value or {5: 1}),
    "train name": lambda run, new, value: zoo.train(value, new),
    "train output": lambda run, new, value: zoo.train(NAME, value, data="?"),
    "train data": lambda run, new, value: zoo.train(NAME, new, data=value),
    "train settings": lambda run, new, value: zoo.train(NAME, new, data="?", settings=value),
    "train columns": lambda run, new, value: zoo.train(NAME, new, data="?", columns=value),
    "train seed": lambda run, new, value: zoo.train(NAME, new, data="?", seed=value),
    "train strategy": lambda run, new, value: zoo.train(NAME, new, data="?", strategy=value),
    "train precision": lambda run, new, value: zoo.train(NAME, new, data="?", precision=value),
    "train base": lambda run, new, value: zoo.train(NAME, new, data="?", base=value),
    "create name": lambda run, new, value: zoo.create(value),
    "create assets": lambda run, new, value: zoo.create(NAME, assets=value),
    "create data": lambda run, new, value: zoo.create(NAME, data=value),
    "create settings": lambda run, new, value: zoo.create(NAME, data="?", settings=value),
    "evaluate model": lambda run, new, value: zoo.evaluate(value),
    "evaluate data": lambda run, new, value: zoo.evaluate(run, value),
    "evaluate split": lambda run, new, value: zoo.evaluate(run, split=value),
    "inspect model": lambda run, new, value: zoo.inspect(value),
    "inspect texts": lambda run, new, value: zoo.inspect(run, value),  # a model of numbers
    "inspect what": lambda run, new, value: zoo.inspect(run, what=value or "x"),
    "inspect columns": lambda run, new, value: zoo.inspect(run, data="x.csv", columns=value),
    "inspect reading": lambda run, new, value: zoo.inspect(run, data="x.csv", reading=value),
    "inspect output": lambda run, new, value: zoo.inspect(run, ["x"], output=value),
    "distil student": lambda run, new, value: zoo.distil(value, new, teachers=["x"]),
    "distil teachers": lambda run, new, value: zoo.distil("imdb-gru", new, teachers=value),
    "distil unlabelled": lambda run, new, value: zoo.distil(
        "imdb-gru", new, teachers=["linear"], unlabelled=value
    ),
    "distil label_share": lambda run, new, value: zoo.distil(
        "imdb-gru", new, teachers=["linear"], label_share=value if value is not True else 2
    ),
    "export ensemble": lambda run, new, value: zoo.export(run, new, ensemble=value or 0),
    "export precision": lambda run, new, value: zoo.export(run, new, precision=value),
    "train reading": lambda run, new, value: zoo.train(NAME, new, data="?", reading=value),
    "train add_validation": lambda run, new, value: zoo.train(
        NAME, new, data="?", add_validation=value
    ),
    "train checkpoint_seconds": lambda run, new, value: zoo.train(
        NAME, new, data="?", checkpoint_seconds=-1 if value in (5, 1.5) else value
    ),
    **{f"train {flag}": functools.partial(with_flag, flag) for flag in FLAGS},
    "train callbacks": lambda run, new, value: zoo.train(NAME, new, data="?", callbacks=value),
    "train stop": lambda run, new, value: zoo.train(NAME, new, data="?", stop=value),
    "list task": lambda run, new, value: zoo.list_models(
        task=5 if isinstance(value, str) else value
    ),
    "list topology": lambda run, new, value: zoo.list_models(topology=value),
    "predict columns": lambda run, new, value: zoo.load(run).predict(["x"], columns=value or 5),
    "predict reading": lambda run, new, value: zoo.load(run).predict(["x"], reading=value or 5),
    "limits": lambda run, new, value: zoo.load(run).with_limits(value or 5),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_wrong_type_is_a_usage_error(what, run_of, tmp_path):
    run = run_of(NAME)
    for value in WRONG:
        # Columns that lack one are data that cannot be read, no wrong use.
        expected = zoo.ZooError if what.endswith("data") else zoo.UsageError
        with pytest.raises(expected) as caught:
            CALLS[what](run, tmp_path / "new", value)
        text = str(caught.value)
        assert "\n" not in text
        assert len(text) < 1000, text[:100]
    assert not (tmp_path / "new").exists()


def test_items_may_come_in_any_order_that_is_kept():
    assert check_list("x", iter("ab")) == check_list("x", ("a", "b")) == ["a", "b"]
    for value in ("ab", b"ab", {"a": 1}, {"a"}, 5, None):
        with pytest.raises(zoo.UsageError, match="x must be a list; got"):
            check_list("x", value)


@pytest.mark.parametrize("value", [5, None, b"x", 1.5, object()])
def test_a_pattern_is_a_str(value):
    with pytest.raises(zoo.UsageError, match="pattern must be a str"):
        zoo.list_models(value)
