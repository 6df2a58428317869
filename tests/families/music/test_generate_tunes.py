"""`zoo generate` of tunes: the files of each, and one line for an invalid seed."""

import json

import pytest

import zoo
from recipes.music import abc

NAME = "folk-gru"


@pytest.fixture(scope="module")
def run(run_of):
    return run_of(NAME)


def test_each_tune_becomes_files_that_can_be_heard_and_seen(cli, run, tmp_path):
    pytest.importorskip("music21")
    (tmp_path / "prime.abc").write_text("X:1\nM:6/8\nL:1/16\nK:D\n{g}G2A2B2 c4d2 |\n")
    options = ("--type", "jig", "--prime", tmp_path / "prime.abc", "--steps", "0", "--seed", "7")
    done = cli("generate", run, *options, "-o", tmp_path / "out")
    paths = sorted((tmp_path / "out").iterdir())
    assert done.out.split() != []
    assert sorted(done.out.split()) == [str(path) for path in paths]
    endings = ["abc", "mid", "musicxml", "png", "svg", "wav"]
    assert [path.name for path in paths] == [f"{NAME}-7.{ending}" for ending in endings]
    text = paths[0].read_text()
    assert abc.tokens_of(text) == abc.tokens("[M:6/8] GAB c2d |")
    assert "\nR:jig\nM:6/8\nL:1/8\nQ:1/4=170\nK:D\nGAB c2d |\n" in text


def test_the_same_seed_gives_the_same_tunes(cli, run):
    options = ("--type", "reel", "--key", "G", "--steps", "25", "--json")
    lines = cli("generate", run, *options, "-n", "2", "--seed", "3").out.splitlines()
    answers = zoo.load(run).generate(2, type="reel", key="G major", steps=25, seed=3)
    assert [json.loads(line) for line in lines] == answers
    assert answers[0]["tune"] != answers[1]["tune"]
    assert cli("generate", run, *options, "--seed", "4").out == lines[1] + "\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--type", "polska"], "Known types are jig, reel; got polska."),
        (["--key", "E dorian"], "got E dorian."),
        (["--key", "H"], "'H' is not a key; write it as"),
        (["--seed-chord", "G2 B2"], "--seed-chord is an option of chorales-gru"),
        (["--steps", "100001"], "steps must be from 0 to 100000; got 100001."),
    ],
)
def test_an_invalid_seed_gives_one_line(cli, run, options, message):
    done = cli("generate", run, *options, "--json", code=2)
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_a_prime_with_signs_that_were_never_seen_is_one_line(run):
    (answer,) = zoo.load(run).predict(
        {"type": ["jig"], "key": ["G major"], "prime": ["GAB\nhello"], "random_seed": [0]},
        signature="generate", steps=1, temperature=1.0, top_k=0, top_p=1.0,
    )  # fmt: skip
    assert (answer["valid"], answer["tune"]) == (False, "")
    assert answer["problem"].endswith("that no training tune has; got GAB hello.")


def test_a_type_that_is_none_is_one_line_without_options_too(run):
    (answer,) = zoo.load(run).predict({"type": ["polska"], "key": ["G major"]})
    assert answer["problem"] == "Known types are jig, reel; got polska."
    with pytest.raises(zoo.UsageError, match="Known types are jig, reel; got polska"):
        zoo.load(run).begin({"type": "polska"})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"steps": "5"}, "steps must be an integer; got '5'"),
        ({"steps": 2.5}, "steps must be an integer; got 2.5"),
        ({"temperature": "hot"}, "temperature must be a number; got 'hot'"),
        ({"top_k": True}, "top_k must be an integer; got True"),
        ({"top_p": None, "key": 5}, "key must be a text; got 5"),
        ({"type": ["jig"]}, "type must be a text; got ['jig']"),
        ({"prime": 3.5}, "prime must be a text; got 3.5"),
        ({"seed": "1"}, "seed must be an integer; got '1'"),
        ({"count": 1.0}, "count must be an integer; got 1.0"),
    ],
)
def test_wrong_python_types_are_usage_errors(run, given, says):
    with pytest.raises(zoo.UsageError) as caught:
        zoo.load(run).generate(**given)
    assert says in str(caught.value)


def test_without_a_folder_the_tunes_are_printed(cli, run):
    done = cli("generate", run, "--type", "jig", "--key", "G", "--steps", "9", "-n", "2")
    answers = zoo.load(run).generate(2, type="jig", key="G major", steps=9)
    assert done.out == "".join(f"{answer['tune']}\n" for answer in answers)
    assert done.err == "note: -o DIR writes files\n"
