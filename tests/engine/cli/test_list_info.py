"""`zoo list` and `zoo info`."""

import dataclasses
import json

import pytest

import zoo

KEYS = [
    *("name", "topology", "task", "dataset", "metric"),
    *("pretrained", "score", "parameters", "bytes"),
]


def names(result):
    return [line.split()[0] for line in result.out.splitlines()[1:]]


def test_list_is_a_table(cli):
    result = cli("list")
    assert result.out.split("\n")[0].split() == [
        *("name", "topology", "score", "parameters", "size")
    ]
    assert max(map(len, result.out.splitlines())) <= 80
    row = next(line for line in result.out.splitlines() if line.startswith("imdb-lstm"))
    assert row.split() == [
        *("imdb-lstm", "many-to-one", "0.9050", "accuracy", "739,458", "1.6", "MB")
    ]
    assert names(result) == [row["name"] for row in zoo.list_models()]
    assert "imdb-lstm" in names(result)


def test_list_models_prints_as_that_table(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    models = zoo.list_models()
    assert repr(models) == cli("list").out.rstrip("\n")
    assert models._repr_html_().count("<tr>") == len(models) + 1
    assert "<td>imdb-lstm</td>" in models._repr_html_()
    assert isinstance(models[0]["parameters"], int)
    assert repr(zoo.list_models("no such name")) == "no recipes"


def test_list_json(cli):
    rows = json.loads(cli("list", "--json").out)
    assert rows == zoo.list_models()
    assert all(list(row) == KEYS and isinstance(row["pretrained"], bool) for row in rows)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["imdb-*gru"], ["imdb-deep-gru", "imdb-gru"]),
        (["deep"], ["imdb-deep-gru", "ptb-deep-lstm"]),
        (["deep", "--task", "sentiment", "--topology", "many-to-one"], ["imdb-deep-gru"]),
    ],
)
def test_list_is_narrowed(cli, arguments, expected):
    assert names(cli("list", *arguments)) == expected


def test_list_of_nothing(cli):
    result = cli("list", "imdb", "--task", "none")
    assert (result.out, result.err) == ("", "No recipe matches. `zoo list` shows all.\n")
    assert json.loads(cli("list", "--topology", "one-to-one", "--json", "imdb").out) == []


def test_list_pretrained(cli):
    packed = [row["name"] for row in zoo.list_models() if row["pretrained"]]
    rows = json.loads(cli("list", "--pretrained", "--json").out)
    assert [row["name"] for row in rows] == packed


def test_info(cli):
    text = cli("info", "imdb-gru", "--no-layers").out
    recipe = zoo.get_recipe("imdb-gru")
    assert recipe.doc.strip().splitlines()[0] in text
    for field in dataclasses.fields(recipe.config):
        line = f"  {field.name} = {getattr(recipe.config, field.name)!r} "
        assert line in text
    config = text[text.index("Config (") : text.index("Score")].splitlines()
    assert max(map(len, config)) <= 80
    assert "  cell = 'gru'" in text
    assert "the recurrent cell" in text  # the comment beside the default
    assert recipe.dataset.licence in text
    assert "column text: " in text
    assert "Layers" not in text


def test_info_json(cli):
    found = json.loads(cli("info", "imdb-deep-gru", "--json").out)
    recipe = zoo.get_recipe("imdb-deep-gru")
    assert {key: found[key] for key in ("name", "topology", "task", "metric", "dataset")} == {
        "name": "imdb-deep-gru",
        "topology": recipe.topology,
        "task": recipe.task,
        "metric": recipe.metric.name,
        "dataset": recipe.dataset.name,
    }
    assert {key: value["default"] for key, value in found["config"].items()} == (
        dataclasses.asdict(recipe.config)
    )
    assert found["config"]["layers"] == {
        "default": 2,
        "comment": "recurrent layers on top of each other",
    }
    assert [row["type"] for row in found["layers"]].count("GRU") == 2
    assert sum(row["weights"] for row in found["layers"]) == found["parameters"]
    # 3 gates, each of a kernel, a recurrent kernel and (Keras' reset_after) two biases
    gru = [row for row in found["layers"] if row["type"] == "GRU"]
    units, embedding = recipe.config.units, recipe.config.embedding
    assert [row["weights"] for row in gru] == [
        3 * units * (size + units + 2) for size in (embedding, units)
    ]
    assert gru[0]["output"] == f"(batch, time, {units})"


def test_info_shows_layers(cli):
    lines = cli("info", "imdb-bilstm").out.splitlines()
    assert any(line.split()[1:2] == ["Bidirectional"] for line in lines)
    assert lines[-1].endswith(" parameters in total")
    assert max(map(len, lines[lines.index("Data: imdb") :])) <= 80


def test_info_of_a_recipe_file(cli, tmp_path):
    import recipes.sentiment

    with open(recipes.sentiment.__file__, encoding="utf-8") as file:
        (tmp_path / "mine.py").write_text(file.read().replace('"imdb-', '"my-'))
    assert cli("info", "mine.py:my-lstm", "--no-layers").out.startswith("\nmy-lstm: many-to-one")
    assert "Did you mean 'my-lstm'?" in cli("info", "mine.py:my-lst", code=2).err
