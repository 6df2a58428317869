"""`python -m benchmarks attack`: it finds what gives way, and nothing gives way."""

import json
import random
import signal

import pytest

from benchmarks import attack
from benchmarks.attack import batches, downloads, kills, odd
from benchmarks.results import render_table
from benchmarks.servers import reply
from zoo.errors import UsageError, ZooError


class Fake:
    """A predictor that answers as it is told to."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, columns, *, signature, **options):
        rows = columns["text"]
        return [self.answer(text, len(rows)) for text in rows]


def refuse(text, rows):
    raise ZooError("no\nway" if text == "two lines" else "no")


def refuse_among_others(text, rows):
    if rows > 1:
        raise UsageError("one of them is wrong")
    return {"score": 1.0}


@pytest.mark.parametrize(
    ("answer", "rows", "finds"),
    [
        (lambda text, rows: {"score": 0.5, "valid": True}, ["a", "b"], None),
        (lambda text, rows: {"score": float("nan"), "valid": True}, ["a"], "not marked"),
        (lambda text, rows: {"bands": [[1.0, float("inf")]]}, ["a"], "not marked"),
        (
            lambda text, rows: {"score": float("nan"), "valid": False, "problem": "It is odd."},
            ["a"],
            None,
        ),
        (lambda text, rows: {"valid": False, "problem": ""}, ["a"], "no reason"),
        (lambda text, rows: {"score": 0.5 + 0.01 * rows}, ["a", "b"], "alone"),
        (lambda text, rows: {"label": f"{rows}"}, ["a", "b"], "alone"),
        (lambda text, rows: {"valid": rows == 1, "problem": "x"}, ["a", "b"], "alone"),
        (refuse, ["a", "b"], None),  # each of them
        (refuse, ["two lines"], "a message of"),
        (refuse_among_others, ["a", "b"], "refused as a whole"),
    ],
)
def test_what_gives_way_is_found(answer, rows, finds):
    batch = batches.Batch("serving_default", {"text": rows}, {}, (), sound=True)
    problem = batches.problem_of(Fake(answer), batch, alone=True)
    assert (problem is None) if finds is None else (finds in problem)


def test_answers_are_the_same_but_for_rounding():
    assert batches.same({"a": [1.0, "x"]}, {"a": [1.0001, "x"]})
    assert batches.same({"a": ["x", "y", ""]}, {"a": ["x", "y"]})  # padding
    assert batches.same([[0.5, 0.0], [0.0, 0.0]], [[0.5]])
    assert not batches.same({"a": ["x", "", "y"]}, {"a": ["x", "y"]})
    assert not batches.same({"a": [1.0]}, {"a": [1.0, 2.0]})
    assert not batches.same({"a": 1.0}, {"a": 1.1})
    assert not batches.same({"a": "x"}, {"b": "x"})


@pytest.mark.parametrize("values", [odd.TEXTS, odd.SERIES, odd.WRONG])
def test_odd_values_are_drawn_from_the_seed(values):
    for make in values.values():
        one, other = (make(random.Random(3), "good" * 9 if values is odd.TEXTS else [1.0, 2.0] * 9)
                      for _ in range(2))  # fmt: skip
        assert type(one) is type(other)
        assert len(repr(one)) == len(repr(other)) or values is odd.WRONG


def test_kills_are_drawn_from_the_seed():
    plan = kills.plan(100, 3)
    assert plan == kills.plan(100, 3)
    assert plan != kills.plan(100, 4)
    assert {kill.command for kill in plan} == {"train", "evaluate", "export", "pack"}
    assert {kill.recipe for kill in plan} == set(kills.RECIPES)
    signals = {kill.signum for kill in plan}
    assert signals == {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP}


def test_a_server_that_gets_through_is_found(tmp_path, monkeypatch):
    kinds = {"another file": lambda handler: reply(handler, b"x" * downloads.SIZE)}
    found = downloads.attack_downloads(0, tmp_path, lambda line: None, kinds)
    assert found["outcomes"] == {"right file": 0, "one clear line": 1}
    monkeypatch.setattr(downloads.fetch, "_good", lambda path, sha256: path.exists())
    monkeypatch.setattr(downloads.fetch.files, "sha256", lambda path: downloads.SHA)
    found = downloads.attack_downloads(0, tmp_path / "other", lambda line: None, kinds)
    assert "a wrong file is in the cache" in found["failures"][0]["problem"]


def test_nothing_gives_way(tmp_path):
    """A few batches and servers; the parts of a file that are not repeated are kept."""
    chosen = ("hangs up", "another file", "redirect to itself", "status 500", "another range")
    output = tmp_path / "attack.json"
    settings = {"models": {"digits-mlp": 1}, "batches": 60, "seed": 1}
    servers = {kind: downloads.KINDS[kind] for kind in chosen}
    first = attack.attack(output, parts=["downloads"], servers=servers, **settings)
    result = attack.attack(output, parts=["batches"], **settings)
    assert json.loads(output.read_text()) == result
    assert result["parts"]["downloads"] == first["parts"]["downloads"]
    assert [part["failures"] for part in result["parts"].values()] == [[], []]
    assert result["failures"] == 0
    found = result["parts"]["batches"]
    assert found["batches"] == 60
    assert sum(count for kind, count in found["kinds"].items() if "raw" in kind) > 10
    with pytest.raises(UsageError, match="Did you mean 'batches'"):
        attack.attack(output, parts=["batch"])


@pytest.mark.slow
def test_commands_survive_kills(tmp_path):
    result = attack.attack(tmp_path / "a.json", parts=["kills"], kills=20, jobs=2)
    assert result["parts"]["kills"]["failures"] == []
    assert result["parts"]["kills"]["kills"] == 20


def test_the_table_quotes_it(tmp_path):
    from pathlib import Path

    score = Path(__file__).parents[2] / "results" / "digits-mlp.json"
    (tmp_path / "digits-mlp.json").write_bytes(score.read_bytes())
    parts = {
        "batches": {"batches": 10_500, "models": {"a": {}, "b": {}}},
        "downloads": {"kinds": 80},
        "kills": {
            "kills": 100,
            "commands": {"train": {"SIGKILL": 30, "SIGHUP": 10}, "pack": {"SIGTERM": 60}},
            "contests": {"two at once": 3, "one later": 3},
        },
    }
    result = {"kind": "attack", "seed": 7, "failures": 0, "parts": parts}
    (tmp_path / "attack.json").write_text(json.dumps(result))
    text = render_table(tmp_path)
    assert "seed 7: **10,500** unusual batches over 2 packed models" in text
    assert "80 kinds of faulty server" in text
    assert "**100** kills by SIGKILL, SIGTERM and SIGHUP (train 40, pack 60)" in text
    assert "6 times a second command" in text
    assert text.rstrip().endswith("different results: **0**.")
