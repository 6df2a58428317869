"""`zoo data`: what it lists, fetches and checks."""

import hashlib
import json
import re
import types

import pytest
from click.testing import CliRunner

from zoo.cli.data import data
from zoo.data import Dataset, File, Urls
from zoo.errors import UsageError, ZooError

URL = "http://127.0.0.1/letters.csv"
CONTENT = b"".join(b"%s text %d\n" % (b"ab"[n % 2 : n % 2 + 1], n) for n in range(40))


def read(paths):
    (path,) = paths
    rows = [line.partition(" ")[::2] for line in path.read_text().splitlines()]
    examples = {"text": [text for _, text in rows], "label": [label for label, _ in rows]}
    return {"train": examples}, ["read by the recipe"]


@pytest.fixture(autouse=True)
def letters(tmp_path, monkeypatch):
    """One dataset that two recipes use; its file lies on the mirror. Returns that file."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    dataset = Dataset(
        name="letters",
        title="Letters of the alphabet",
        columns={"text": "a text", "label": "its letter"},
        sources=(
            Urls(
                (File("http://nowhere.invalid/x", "0" * 64, 12_345_678),),
                "letters (official)",
                read,
            ),
            Urls(
                (File(URL, hashlib.sha256(CONTENT).hexdigest(), 480),),
                "letters (part)",
                read,
                licence="CC0",
            ),
        ),
        licence="public domain",
        sample=dict,
    )
    known = {name: types.SimpleNamespace(name=name, dataset=dataset) for name in ("one", "two")}
    monkeypatch.setattr("zoo.registry.recipes", lambda: known)
    path = tmp_path / "mirror" / "127.0.0.1" / "letters.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return path


def run(*arguments):
    result = CliRunner().invoke(data, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list():
    lines = run("list").splitlines()
    assert lines[0].split() == ["dataset", "source", "data", "download", "state"]
    cells = "letters", "url", "letters (official)", "12.3 MB", "unavailable"
    assert tuple(re.split("  +", lines[1])) == cells
    assert lines[2].endswith("ready")
    assert "  licence: public domain" in lines
    assert "  licence of letters (part): CC0" in lines
    assert "  recipes: one, two" in lines
    assert "  url is unavailable: ZOO_OFFLINE is set" in lines


def test_list_as_json(monkeypatch):
    monkeypatch.delenv("ZOO_OFFLINE")
    (row,) = json.loads(run("list", "--json"))
    assert row["name"] == "letters"
    assert row["recipes"] == ["one", "two"]
    assert row["columns"] == {"text": "a text", "label": "its letter"}
    assert [(each["size"], each["state"]) for each in row["sources"]] == [
        (12_345_678, "not fetched"),
        (480, "ready"),
    ]
    (row,) = json.loads(run("list", "--json", "--probe"))
    assert row["sources"][0]["state"] == "unavailable"
    assert row["sources"][0]["reason"].startswith("nowhere.invalid cannot be reached")


@pytest.mark.parametrize("name", ["letters", "two"])
def test_fetch_by_dataset_or_recipe(name, tmp_path):
    path = tmp_path / "home" / "data" / "127.0.0.1" / "letters.csv"
    assert run("fetch", name) == f"letters (part) (url): {path}\n"
    assert path.read_bytes() == CONTENT


def test_unknown_names():
    with pytest.raises(UsageError, match=r"Unknown dataset 'leters'. Did you mean 'letters'"):
        run("fetch", "leters")
    with pytest.raises(UsageError, match="no source 'wheel'"):
        run("fetch", "letters", "--source", "wheel")
    with pytest.raises(UsageError, match="no dataset, file or folder 'leters'"):
        run("check", "leters")


def test_check_the_cache(tmp_path, letters):
    run("fetch", "letters")
    output = run("check", "letters")
    assert "train: 40 rows" in output
    assert "  label: 2 classes: a 20, b 20" in output
    assert "  text: 2 to 2 words, median 2" in output
    assert "note: read by the recipe" in output
    cached = tmp_path / "home" / "data" / "127.0.0.1" / "letters.csv"
    cached.write_bytes(CONTENT[:-1])
    with pytest.raises(ZooError, match="is damaged"):
        run("check", "letters")
    cached.unlink()
    letters.unlink()
    with pytest.raises(ZooError, match="Run `zoo data fetch letters`"):
        run("check", "letters")


def test_check_an_own_file(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "review,label\n" + "".join(f"word {'x ' * n},{'ab'[n % 2]}\n" for n in range(9))
    )
    output = run("check", str(path), "--column", "text=review")
    assert output.startswith("mine.csv (custom data)\ntrain: 5 rows\n")
    assert "  label: 2 classes: a 3, b 2" in output
    assert not (tmp_path / "home").exists()
    with pytest.raises(ZooError, match=r"no column 'text'.*--column text=NAME"):
        run("check", str(path))
    path.write_text("text,label\na,b\n,c\n")
    with pytest.raises(ZooError, match="line 3 has an empty 'text'"):
        run("check", str(path), "--recipe", "one")


def test_check_a_file_for_one_of_several_datasets(tmp_path, monkeypatch):
    from zoo import registry

    known = registry.recipes()
    other = types.SimpleNamespace(name="three", dataset=Dataset("more", {}, (), "", dict))
    monkeypatch.setattr("zoo.registry.recipes", lambda: {**known, "three": other})
    path = tmp_path / "mine.csv"
    path.write_text("text,label\n" + "".join(f"t{n},{'ab'[n % 2]}\n" for n in range(9)))
    with pytest.raises(UsageError, match="--recipe NAME"):
        run("check", str(path))
    assert "train: 5 rows" in run("check", str(path), "--recipe", "two")
