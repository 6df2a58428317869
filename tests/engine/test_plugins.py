"""What installed packages register, found without the slow module of the standard library."""

import importlib.metadata
import os
import sys

import pytest

from zoo import plugins

GROUPS = (plugins.RECIPES, plugins.FUNCTIONS, plugins.COMMANDS)


def of_the_library():
    points = importlib.metadata.entry_points()
    return {
        (point.name, point.value, group) for group in GROUPS for point in points.select(group=group)
    }


def test_ours_are_found_as_the_library_finds_them():
    found = {tuple(point) for point in plugins.entry_points()}
    assert found == of_the_library()
    assert ("recipes", "recipes", plugins.RECIPES) in found


def distribution(folder, name, text):
    folder.mkdir(exist_ok=True)
    about = folder / name
    about.mkdir()
    package = name.partition("-")[0]
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "[zoo.recipes]\nmine = mine.recipes\n\n[console_scripts]\nmine = mine:main\n",
        "# a remark\n[zoo.functions]\n  trade=mine.trade:trade\n",
        "[zoo.commands]\r\nsay = mine.cli:say [extra]\r\n",
        "[zoo.other]\nx = y\n",
        "",
        "no section\n",
    ],
)
def test_files_are_read_as_the_library_reads_them(tmp_path, monkeypatch, text):
    distribution(tmp_path, "mine-1.0.dist-info", text)
    monkeypatch.syspath_prepend(str(tmp_path))
    library = {(n, v.partition(" ")[0], g) for n, v, g in of_the_library()}
    assert {tuple(point) for point in plugins.entry_points()} == library


def test_the_first_distribution_of_a_name_on_the_path_counts(tmp_path, monkeypatch):
    distribution(tmp_path / "old", "mine-1.0.dist-info", "[zoo.recipes]\nold = old\n")
    distribution(tmp_path / "new", "mine-2.0.dist-info", "[zoo.recipes]\nnew = new\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "new"), str(tmp_path / "old"), *sys.path])
    found = {tuple(point) for point in plugins.entry_points()}
    assert ("new", "new", plugins.RECIPES) in found
    assert ("old", "old", plugins.RECIPES) not in found
    assert found == of_the_library()


def test_an_archive_on_the_path_and_unreadable_metadata_are_passed_over(tmp_path, monkeypatch):
    (tmp_path / "packed.zip").write_bytes(b"PK")
    distribution(tmp_path / "odd", "odd-1.0.dist-info", "")
    (tmp_path / "odd/odd-1.0.dist-info/entry_points.txt").write_bytes(b"[zoo.recipes]\n\xff = x\n")
    before = list(plugins.entry_points())
    monkeypatch.setattr(
        sys, "path", [str(tmp_path / "packed.zip"), str(tmp_path / "odd"), *sys.path]
    )
    assert list(plugins.entry_points()) == before


def test_the_object_of_an_entry_point_is_imported():
    point = plugins.EntryPoint("join", "os.path:join", plugins.FUNCTIONS)
    assert plugins.load(point) is os.path.join
