"""Where data come from: parsed once from what the user gave."""

from pathlib import Path

import pytest

from zoo.data.origin import (
    CustomFile,
    CustomFolder,
    Default,
    InMemory,
    InMemorySplits,
    Named,
    parse_origin,
    recorded,
)
from zoo.errors import UsageError

KEYS = ["tfds", "wheel", "sample"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with a file `sample`, a table and a folder; also the home folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("sample", "rows.csv"):
        (tmp_path / name).write_text("text,label\n")
    (tmp_path / "mine").mkdir()
    return tmp_path


def test_a_key_goes_before_a_file_of_the_same_name():
    assert parse_origin("sample", KEYS) == Named("sample")
    assert parse_origin("./sample", KEYS) == CustomFile(Path("sample"))
    assert parse_origin(Path("sample"), KEYS) == CustomFile(Path("sample"))
    assert parse_origin("sample") == CustomFile(Path("sample"))  # there is no such key


def test_files_and_folders(folder):
    assert parse_origin("rows.csv", KEYS) == CustomFile(Path("rows.csv"))
    assert parse_origin("~/rows.csv", KEYS) == CustomFile(folder / "rows.csv")
    assert parse_origin("mine", KEYS) == CustomFolder(Path("mine"))
    here = parse_origin(".", KEYS)
    assert isinstance(here, CustomFolder)
    assert (here.name, here.recorded) == (folder.name, str(folder))
    assert parse_origin("rows.csv", KEYS).recorded == str(folder / "rows.csv")


def test_a_name_that_begins_like_that_of_a_user(folder):
    """Excel locks x.xlsx by a file of that kind."""
    (folder / "~$x.xlsx").write_text("")
    assert parse_origin("~$x.xlsx", KEYS) == CustomFile(Path("~$x.xlsx"))
    with pytest.raises(UsageError, match=r"There is no file or folder ~\$y\.xlsx\."):
        parse_origin("~$y.xlsx", KEYS)


def test_nothing_and_what_is_parsed_already():
    assert parse_origin(None, KEYS) == Default()
    for origin in (Default(), Named("tfds"), CustomFile(Path("x")), InMemory({"x": [1]})):
        assert parse_origin(origin, KEYS) is origin


def test_columns_and_splits_of_columns():
    columns = {"text": ["a"], "label": ["b"]}
    assert parse_origin(columns, KEYS) == InMemory(columns)
    assert parse_origin({"train": ["a"]}, KEYS) == InMemory({"train": ["a"]})  # a column
    splits = {"train": columns, "test": columns}
    assert parse_origin(splits, KEYS) == InMemorySplits(splits)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("tfd", r"Unknown source 'tfd'; files and folders .* Did you mean 'tfds'\?"),
        ("", "Unknown source ''; files and folders are sources too. There is: sample, tfds"),
        ("nowhere.csv", r"There is no file or folder nowhere\.csv\."),
        ("./tfds", r"There is no file or folder \./tfds\."),
        (Path("tfds"), r"There is no file or folder tfds\."),
        ("in memory", "were in memory: pass the same data"),
        ({}, "have no columns"),
        ({"train": {"x": [1]}, "valid": {"x": [1]}}, "'valid'. Did you mean 'validation'"),
        ({"train": {"x": [1]}, "test": [1]}, "split 'test' must be a DataFrame, a dict of lists"),
        ({1, 2}, "Data are the key of a source, .* got set"),
        (7, "a DataFrame, .* got int"),
        ([], "have no columns and no rows"),
        (({"x": [1]},), "A tuple of data is a pair"),
    ],
)
def test_what_is_wrong_is_one_line(value, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_origin(value, KEYS)
    assert "\n" not in str(caught.value)


def test_what_a_run_records_of_it():
    given = [None, "tfds", "rows.csv", Path("rows.csv"), {"x": [1]}, Named("tfds"), Default()]
    expected = [None, "tfds", "rows.csv", "rows.csv", "in memory", "tfds", None]
    assert [recorded(value) for value in given] == expected
