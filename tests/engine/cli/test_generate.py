"""`zoo generate`: streams text, writes files, says what is wrong in a line."""

import json

import pytest

import zoo

NAME = "shakespeare-lstm"


@pytest.fixture(scope="module")
def run(run_of):
    return run_of(NAME)


def test_what_is_streamed_is_what_is_generated(cli, run):
    answers = zoo.load(run).generate(2, prompt="JON:", steps=30, seed=4, temperature=1.0)
    options = ("--prompt", "JON:", "--steps", "30", "--temperature", "1")
    done = cli("generate", run, *options, "--seed", "4")
    assert done.out == "JON:" + answers[0]["continuation"] + "\n"
    assert len(answers[0]["continuation"]) == 30
    lines = cli("generate", run, *options, "--seed", "4", "-n", "2", "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == answers
    assert (
        cli("generate", run, *options, "--seed", "5").out == f"JON:{answers[1]['continuation']}\n"
    )


def test_streaming_cuts_the_distribution_as_generating_does(run):
    model = zoo.load(run)
    for options in ({"top_k": 3}, {"top_p": 0.4}, {"temperature": 0.0}, {"steps": 0}):
        given = {"steps": 20, "seed": 9, "prompt": "The", **options}
        assert "".join(model.stream(**given)) == model.generate(**given)[0]["continuation"]


def test_files_are_written_into_the_folder(cli, run, tmp_path):
    done = cli("generate", run, "-n", "3", "--steps", "20", "-o", tmp_path / "new" / "out")
    paths = sorted((tmp_path / "new" / "out").iterdir())
    assert [path.name for path in paths] == [f"{NAME}-{seed}.txt" for seed in range(3)]
    assert done.out.split() == [str(path) for path in paths]
    texts = [answer["continuation"] for answer in zoo.load(run).generate(3, steps=20)]
    assert [path.read_text() for path in paths] == texts


def test_a_file_begins_with_the_prompt(cli, run, tmp_path):
    cli("generate", run, "--prompt", "JON:", "--steps", "20", "-o", tmp_path)
    (answer,) = zoo.load(run).generate(prompt="JON:", steps=20)
    assert (tmp_path / f"{NAME}-0.txt").read_text() == "JON:" + answer["continuation"]


def test_a_name_inside_the_model_is_no_beginning(cli, run):
    said = cli("generate", run, "--prompt", "A", "--with", "text=B", code=2)
    assert said.err.endswith("takes no 'text' to begin with; it takes prompt, prime.\n")
    with pytest.raises(zoo.UsageError, match=r"it takes prompt, prime\. Did you mean 'prompt'\?$"):
        zoo.load(run).stream(prompd="A")
    for name in ("self", "text", "given"):  # any name may come from a request
        with pytest.raises(zoo.UsageError, match=f"takes no '{name}' to begin with"):
            zoo.load(run).stream(**{name: "B"})
    with pytest.raises(zoo.UsageError, match="it takes key, chord, bars, end, prime"):
        zoo.load("chorales-gru").generate(chords="G2 B3")


def test_a_file_is_gone_on_from(cli, run, tmp_path):
    (tmp_path / "prime.txt").write_text("ANNA:\nNo bell")
    done = cli("generate", run, "--prime", tmp_path / "prime.txt", "--steps", "9", "--json")
    (answer,) = zoo.load(run).generate(prompt="ANNA:\nNo bell", steps=9)
    assert json.loads(done.out) == answer


@pytest.mark.parametrize("prompt", ["", "日本語", "\0\x07", "é" * 500])
def test_any_prompt_is_answered(cli, run, prompt):
    done = cli("generate", run, f"--prompt={prompt}", "--steps", "12", "--json")
    assert len(json.loads(done.out)["continuation"]) == 12


def test_none_and_very_many_steps(cli, run):
    assert json.loads(cli("generate", run, "--steps", "0", "--json").out)["continuation"] == ""
    answer = json.loads(cli("generate", run, "--steps", "100000", "--json").out)
    assert len(answer["continuation"]) == 100_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--steps", "100001"), "steps must be from 0 to 100000; got 100001"),
        (("--steps", "-1"), "steps must be from 0"),
        (("--temperature", "-2"), "temperature must be from 0"),
        (("--top-p", "0"), "top_p must be"),
        (("--top-k", "-3"), "top_k must be"),
        (("--key", "G major"), "--key is an option of"),
        (("--prime", "none.txt"), "There is no file none.txt"),
        (("--seed", "2147483647"), "--seed"),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_what_is_wrong_is_one_line(cli, run, options, said, streamed):
    done = cli("generate", run, *options, *([] if streamed else ["--json"]), code=2)
    assert said in done.err
    assert done.out == ""


def test_nothing_is_written_before_an_error(cli, run):
    assert cli("generate", run, "--prompt", "JON:", "--steps", "-1", code=2).out == ""


def test_a_model_that_makes_nothing_says_so(cli, sample_run):
    assert "generates nothing" in cli("generate", sample_run, code=2).err
    said = cli("generate", sample_run, "--prompt", "A film", code=2).err
    assert "--prompt is an option of ptb-deep-lstm, ptb-lstm, " in said
    assert "shakespeare-lstm, not of this model" in said


def test_a_recipe_adds_options_of_its_own(cli):
    shown = cli("generate", "folk-gru", "--help").out
    assert "--type TYPE" in shown
    assert "--key KEY" in shown
    assert "--seed-chord" not in shown
    assert "--chord, --seed-chord NOTES" in cli("generate", "chorales-gru", "--help").out
    assert "--key" not in cli("generate", "--help").out
    said = cli("generate", "folk-gru", "--key", "H", "--with", "key=H", code=2).err
    assert "key is given twice" in said
    for options in (["--key", "H"], ["--with", "key=H"]):  # also before the model
        assert "'H' is not a key" in cli("generate", *options, "folk-gru", code=2).err


def test_a_file_in_the_way_of_the_folder(cli, run, tmp_path):
    (tmp_path / "file").write_text("")
    for place, code in ((tmp_path / "file", 2), (tmp_path / "file" / "below", 1)):
        assert str(place) in cli("generate", run, "--steps", "3", "-o", place, code=code).err


def test_an_export_generates_the_same(run, tmp_path):
    version = zoo.export(run, tmp_path, warmup=2)
    ours, theirs = (zoo.load(each).generate(2, prompt="A", steps=15) for each in (run, version))
    assert [each["continuation"] for each in ours] == [each["continuation"] for each in theirs]
    assert "".join(zoo.load(version).stream(prompt="A", steps=15)) == ours[0]["continuation"]


@pytest.mark.parametrize("name", ["steps", "seed", "temperature", "top_k", "count"])
def test_an_option_is_not_given_by_with(cli, name):
    found = cli("generate", "shakespeare-gru", "--with", f"{name}=5", code=2).err
    assert f"{name} is an option: --{name.replace('_', '-')} 5" in found


def test_blanks_belong_to_what_is_given_by_with(cli):
    arguments = ("generate", "shakespeare-gru", "--steps", "20")
    due = cli(*arguments, "--prompt", "ROMEO: ").out
    assert cli(*arguments, "--with", "prompt=ROMEO: ").out == due
