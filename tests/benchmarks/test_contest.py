"""Recipes beside what users may pick instead: what is measured, and that each tool learns."""

import dataclasses
import importlib.util
import json
import sys
import time
import types

import pytest

import zoo
from benchmarks import contest, families
from zoo.data import Splits
from zoo.errors import UsageError, ZooError

WORDS = {"bad": "negative", "good": "positive"}
ROWS = {
    "text": [f"a {word} film , number {n}" for n in range(30) for word in WORDS],
    "label": [*WORDS.values()] * 30,
}
SENTENCES = {
    "tokens": [["Peter", "flew", "to", place] for place in ("Rome", "Paris", "Oslo")] * 20,
    "tags": [["B-PER", "O", "O", "B-LOC"]] * 60,
}
VERSES = {"text": ["to be or not to be\n" * 5] * 60}


def splits(rows):
    few = {name: column[:6] for name, column in rows.items()}
    return Splits(rows, few, few, "toy", "sample", "Toy rows", "0")


@pytest.fixture
def toys(monkeypatch):
    """A family of two contestants, which work in this process instead of their own."""
    module = types.ModuleType("a_tool")

    def train(splits, folder, seed, until, *, answer):
        assert set(splits.test) == {"text", "label"}
        end = time.process_time() + 0.2 if until is None else until
        while time.process_time() < end:
            pass
        (folder / "run").mkdir()
        (folder / "run" / "log").write_text("x" * 500)
        (folder / "model").mkdir()
        (folder / "model" / "answer").write_text(answer + " " * (1_000 - len(answer)))
        return {"seed": seed, "equal": until is not None}

    def load(folder):
        answer = (folder / "model" / "answer").read_text().strip()
        return lambda examples: [answer] * len(examples["text"])

    module.train, module.load = train, load
    monkeypatch.setitem(sys.modules, "a_tool", module)
    tool = ("a_tool", "https://example.org", ("click",))
    first = families.Contestant("one", *tool, {"answer": "positive"})
    second = families.Contestant("other", *tool, {"answer": "negative"}, equal_time=True)
    toy = dataclasses.replace(families.FAMILIES["imdb"], data="sample", contestants=(first, second))
    monkeypatch.setitem(families.FAMILIES, "toys", toy)
    monkeypatch.setattr(
        contest,
        "_in_a_process",
        lambda work, given: json.loads(
            json.dumps(contest._WORKS[work](json.loads(json.dumps(given))))
        ),
    )
    return toy


def test_a_contest_measures_both_on_the_same_rows(toys, tmp_path):
    result = contest.contest("toys", tmp_path / "x.json", seed=3)
    assert json.loads((tmp_path / "x.json").read_text()) == result
    one, other = result["contestants"]
    assert one["score"] + other["score"] == pytest.approx(1)  # each is right where the other errs
    assert 0 < one["score"] < 1
    assert one["facts"] == {"seed": 3, "equal": False}
    assert other["facts"] == {"seed": 3, "equal": True}
    assert 0.2 <= one["cpu_seconds"] < 2
    assert one["cpu_seconds"] <= other["cpu_seconds"] < one["cpu_seconds"] + 1
    assert one["megabytes"] == pytest.approx(0.001)  # the model alone
    assert one["milliseconds"] > 0
    assert set(one["versions"]) == {"click"}
    text = contest.table(result)
    assert text.count("\n") == 3
    assert f"| one | {one['score']:.4f} |" in text


def test_both_held_out_splits_are_scored(toys, tmp_path, monkeypatch):
    def letters(rows, answers):
        return float(sum(map(len, rows["text"])))

    monkeypatch.setitem(families.FAMILIES, "toys", dataclasses.replace(toys, score=letters))
    parts = zoo.get_recipe("imdb-lstm").dataset.load("sample")
    one, _ = contest.contest("toys", tmp_path / "x.json")["contestants"]
    assert one["score"] == letters(parts.test, ())
    assert one["validation_score"] == letters(parts.validation, ())
    assert one["score"] != one["validation_score"]


def test_an_unknown_family_and_a_missing_package_are_said_at_once(toys, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"no family 'toy'\. Did you mean 'toys'\?"):
        contest.contest("toy", tmp_path / "x.json")
    missing = dataclasses.replace(toys.contestants[0], needs=("no-such-package",))
    family = dataclasses.replace(toys, contestants=(missing,))
    monkeypatch.setitem(families.FAMILIES, "toys", family)
    with pytest.raises(ZooError, match=r"one needs no-such-package.*\[bench\]"):
        contest.contest("toys", tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()


def test_a_contestant_that_fails_is_one_line(tmp_path):
    (tmp_path / "splits.json").write_text('{"test": {"text": ["a"], "label": ["b"]}}')
    given = {"family": "imdb", "contestant": 2, "folder": str(tmp_path), "seed": 0}
    given["splits"] = str(tmp_path / "splits.json")
    with pytest.raises(ZooError, match=r"failed \(answer, exit code 1\): FileNotFoundError: .*"):
        contest._in_a_process("answer", given)


@pytest.mark.parametrize("name", families.FAMILIES)
def test_the_families_name_what_there_is(name):
    from zoo.config import override
    from zoo.registry import get_recipe

    family = families.FAMILIES[name]
    dataset = get_recipe(family.recipe).dataset
    assert family.data in [source.key for source in dataset.sources]
    assert set(family.columns) <= set(dataset.columns)
    assert family.contestants[0].module == "benchmarks.peers.recipe"
    for each in family.contestants:
        assert each.needs
        assert importlib.util.find_spec(each.module)
        if each.module == "benchmarks.peers.recipe":
            settings = {key: v for key, v in each.settings["changed"].items() if key != "base"}
            override(get_recipe(each.settings["name"]).config, settings)


@pytest.mark.parametrize(
    ("tool", "needs", "rows", "settings"),
    [
        ("linear", "sklearn", ROWS, {}),
        ("fasttext", "fasttext", ROWS, {"epochs": 25}),
        ("spacy", "spacy", SENTENCES, {"epochs": 3}),
        ("pytorch_characters", "torch", VERSES, {"steps": 60}),
    ],
)
def test_a_tool_learns_a_toy_and_is_loaded_again(tool, needs, rows, settings, tmp_path):
    pytest.importorskip(needs, reason="the extra [bench] is not installed")
    module = importlib.import_module(f"benchmarks.peers.{tool}")
    facts = module.train(splits(rows), tmp_path, 0, None, **settings)
    json.dumps(facts)
    saved = tmp_path / "model" if (tmp_path / "model").is_dir() else tmp_path
    assert any(saved.iterdir())
    answers = module.load(tmp_path)({name: column[:6] for name, column in rows.items()})
    if "label" in rows:
        assert answers == rows["label"][:6]
    elif "tags" in rows:
        assert [list(each) for each in answers] == rows["tags"][:6]
    else:
        nats = -sum(each["log_probability"] for each in answers)
        assert nats / sum(each["count"] for each in answers) < 1.5  # log(9) = 2.2 at first


def test_training_by_time_ends_at_its_time(tmp_path):
    pytest.importorskip("torch", reason="the extra [bench] is not installed")
    from benchmarks.peers import pytorch_characters as tool

    end = time.process_time() + 0.5
    facts = tool.train(splits(VERSES), tmp_path, 0, end)
    assert time.process_time() < end + 3
    assert facts["epochs"] < 500
    assert (tmp_path / "model.pt").exists()


def test_three_classes_have_a_weight_each(tmp_path):
    from benchmarks.peers import linear

    rows = {"text": ["goal", "market", "planet"] * 20, "label": ["sports", "trade", "science"] * 20}
    linear.train(splits(rows), tmp_path, 0, None)
    assert linear.load(tmp_path)({"text": ["planet", "goal", "market"]}) == [
        "science",
        "sports",
        "trade",
    ]
