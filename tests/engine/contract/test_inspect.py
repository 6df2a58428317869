"""`zoo inspect` looks into the recurrent layers of any recipe."""

import json

import numpy as np
import pytest

import zoo
from zoo.cli import main


# One without a recurrent layer, one of each direction, depth and kind of answer.
@pytest.mark.few("adding", "chorales", "entities", "images", "sentiment", "translation", "words")
def test_any_recipe_can_be_looked_into(chosen, references, tmp_path):
    recipe = zoo.get_recipe(chosen)
    if recipe.topology == "one-to-one":
        with pytest.raises(zoo.UsageError, match="no recurrent layer"):
            zoo.inspect(references / chosen)
        return
    result = zoo.inspect(references / chosen, rows=2, output=tmp_path)
    assert json.loads((tmp_path / "inspection.json").read_text()) == result
    assert len(result["verdicts"]) == len(result["layers"]) >= 1
    for layer in result["layers"]:
        assert any(layer["name"] in line for line in result["verdicts"])
        median = layer["gradients"]["loss"]["median"]
        assert len(median) == max(layer["steps"])
        assert np.isfinite(median).all()
        assert max(median) > 0
        assert layer["gradients"]["memory"]["median"][0] == pytest.approx(1, rel=1e-4)
        assert len(layer["states"]["first_row"]) == layer["steps"][0]
    for row in result["saliency"]:
        assert len(row["steps"]) == len(row["influence"])
        assert any(row["influence"])
        assert row["layer"] == result["layers"][0]["name"]
    assert [row["row"] for row in result["saliency"]] in ([1], [1, 2])  # as many as there are
    pictures = {path.name.split("-")[0].removesuffix(".png") for path in tmp_path.glob("*.png")}
    assert pictures >= {"gradients", "saliency", "states"}


@pytest.fixture
def run(references):
    names = [row["name"] for row in zoo.list_models() if row["task"] == "sentiment"]
    return references / names[-1]


def test_texts_are_read_with_the_models_own_answers(run, tmp_path, monkeypatch, capsys, figures):
    monkeypatch.setattr(
        "sys.argv",
        [
            "zoo",
            "inspect",
            str(run),
            "A film to love",
            "--what=saliency",
            "-o",
            str(tmp_path / "a"),
        ],
    )
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "1 rows (texts, with the model's own answers as targets)" in out
    assert [path.name for path in (tmp_path / "a").glob("*.png")] == ["saliency.png"]
    result = json.loads((tmp_path / "a" / "inspection.json").read_text())
    assert len(result["saliency"][0]["steps"]) == 4
    (answer,) = zoo.load(run).predict(["A film to love"])
    assert result["saliency"][0]["target"] == answer["label"]
    (axes,) = figures[0].axes
    assert f"row 1: for (above 0) and against the target {answer['label']!r}" in axes.get_title(
        "left"
    )
    assert "units of the loss" in axes.get_ylabel()
    assert "without other paths" in figures[0].get_supxlabel()
    assert "gradients" not in result["layers"][0]


def test_a_key_is_read_as_the_model_reads_it(references):
    """An answer repeats the key; the model takes 'g major', and no key for a word that is none."""
    found = [
        zoo.inspect(references / "chorales-simplernn", [key], what=["states"])
        for key in ("G major", "g major", "abc", "")
    ]
    assert found[0] == found[1] != found[2] == found[3]


def test_rows_of_a_file_that_are_left_out_are_said(run, tmp_path, capsys):
    label = zoo.load(run).labels[0]
    table = tmp_path / "own.csv"
    table.write_text(f"text;label\na film to love;{label}\nonly\n")
    result = zoo.inspect(run, data=table, reading={"drop_bad": True}, what=["states"])
    omitted = "own.csv: line 3 has another number of fields than the header's 2; omitted"
    assert result["notes"] == ["own.csv: separated by semicolons", omitted]
    assert f"note: {omitted}\n" in capsys.readouterr().err
    assert result["rows"] == 1


@pytest.mark.parametrize("given", [{"columns": {"text": "nope"}}, {"reading": {"sep": "tab"}}])
def test_texts_have_no_columns_and_no_separator(run, given):
    with pytest.raises(zoo.UsageError, match="is for files: give a file instead of the texts"):
        zoo.inspect(run, ["a good film"], **given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--what=gate"], "Did you mean 'gates'?"),
        (["some text", "-i", "file.csv"], "texts or a file, not both"),
        (["-i", "missing.csv"], "missing.csv"),
        (["some text", "-o", "a-file"], "a-file is a file. Name a folder."),
        (["--column", "text=review"], "--column applies to a file only"),
        (["a text", "--column", "text=a"], "file only: give -i FILE, and no texts."),
        (["a text", "--sep", "tab"], "--sep is for files: give a file instead of the texts, or"),
        (["a text", "--drop-bad"], "--drop-bad is for files: give a file instead of the texts, or"),
        (["a text", "--min-count", "5"], "--min-count counts the training rows of each class"),
        (["-i", "own.csv", "--min-count", "5"], "--min-count counts the training rows"),
        ([""], ""),
    ],
)
def test_wrong_usage_is_one_line(run, arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("")
    (tmp_path / "own.csv").write_text("text,label\na,b\n")
    monkeypatch.setattr("sys.argv", ["zoo", "inspect", str(run), *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    error = capsys.readouterr().err.strip()
    if arguments == [""]:  # an empty text is read as any other
        assert caught.value.code == 0
        return
    assert caught.value.code == 2
    assert message in error
    assert len(error.splitlines()) == 1
