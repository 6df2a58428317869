"""Options that describe files: every verb has them, and what a message advises works there."""

import json
import re
from pathlib import Path

import pytest

GOOD = [
    ("a warm and lovely film", "good"),
    ("a dull cold mess", "bad"),
    ("plain, average", "so-so"),
]


def table(*bad, sign=";", encoding="utf-8"):
    """Returns nine good rows of each class, with others among them."""
    rows = [f'"{text} {n}"{sign}{label}' for n in range(9) for text, label in GOOD]
    lines = [f"text{sign}label", *rows[:5], *bad, *rows[5:]]
    return "\n".join([*lines, ""]).encode(encoding)


VERBS = {
    "predict": ["predict", "MODEL", "-i", "FILE", "-o", "out.jsonl"],
    "evaluate": ["evaluate", "MODEL", "--data", "FILE", "--no-baselines"],
    "check": ["data", "check", "FILE", "--recipe", "imdb-lstm"],
}


@pytest.fixture
def run(cli, own_run):
    def run(verb, *options, **expected):
        words = {"MODEL": own_run, "FILE": "own.csv"}
        return cli(*(words.get(word, word) for word in VERBS[verb]), *options, **expected)

    return run


@pytest.mark.parametrize("verb", [*VERBS, "train", "inspect"])
def test_every_verb_has_the_options(cli, verb):
    command = ["data", "check"] if verb == "check" else [verb]
    text = cli(*command, "--help").out
    for option in ("--sep", "--encoding", "--quoting", "--decimal", "--dayfirst", "--monthfirst",
                   "--sheet", "--records", "--drop-bad", "--min-count"):  # fmt: skip
        assert option in text


BAD = ["only a text", ";good"]


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_advised_works_on_the_same_verb(run, verb):
    Path("own.csv").write_bytes(table(*BAD))
    refused = run(verb, code=1)
    assert "line 7 has another number of fields than the header's 2" in refused.err
    assert "--drop-bad" in refused.err
    done = run(verb, "--drop-bad")
    assert "note: own.csv: separated by semicolons" in done.out + done.err
    assert "line 7 has another number of fields" in done.out + done.err
    # An encoding that cannot be detected.
    Path("own.csv").write_bytes(table("Questo è un film;good", encoding="cp1252"))
    refused = run(verb, code=2)
    (advice,) = re.findall(r"such as (--encoding \S+),", refused.err)
    run(verb, *advice.split())
    # Two ways to read quotation marks.
    Path("own.csv").write_bytes(table('"Superb;good', "I wish I could;bad", 'never again";good'))
    assert "--quoting none" in run(verb, code=2).err
    run(verb, "--quoting", "none")


def test_data_that_nothing_describes(cli, own_run):
    for command in (
        ["evaluate", own_run], ["evaluate", own_run, "--data", "sample"], ["inspect", own_run]
    ):  # fmt: skip
        error = cli(*command, "--sep", "tab", code=2).err
        # `inspect` has no --data.
        assert "--sep is for custom data only: give a file of your own, or omit it." in error
    assert "--sep must be one" in cli("evaluate", own_run, "--sep", "tabs", code=2).err


def test_a_run_reads_its_data_again_as_it_was_told(cli):
    rows = ["Questo è un film;good", "rare;once", "only a text"]
    Path("own.csv").write_bytes(table(*rows, encoding="cp1252"))
    small = ["--set", "units=4", "--set", "embedding=4", "--epochs", "1", "--no-baselines"]
    command = ["train", "imdb-lstm", "--data", "own.csv", "-o", "run", *small]
    advised = []
    for code in (2, 1, 1):
        error = cli(*command, *advised, code=code).err
        found = re.findall(r"--(?:encoding cp1252|drop-bad|min-count \d+)", error)
        assert found, error
        advised += found[-1].split()
    assert advised == ["--encoding", "cp1252", "--drop-bad", "--min-count", "3"]
    done = cli(*command, *advised)
    assert "own.csv: encoding cp1252, separated by semicolons" in done.out
    assert "classes of fewer than 3 rows omitted: 'once' (1)" in done.out
    options = json.loads(Path("run/config.json").read_text())["run"]["reading"]
    assert options == {"encoding": "cp1252", "drop_bad": True, "min_count": 3}
    result = json.loads(cli("evaluate", "run", "--json", "--no-baselines").out)
    assert not any("which differs" in note for note in result["notes"])
    again = cli(*command, *advised)
    assert again.out.startswith("run is complete already")
    assert (
        "holds another run (encoding: 'cp1252', now None" in cli(*command, "--drop-bad", code=2).err
    )
