import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import files
from zoo.errors import ZooError


def test_the_home_of_nobody_is_a_name(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert files.expanded("~/x.csv") == Path("/home/ann/x.csv")
    assert files.expanded(Path("~$x.xlsx")) == Path("~$x.xlsx")
    assert files.expanded("a/~$x.xlsx") == Path("a/~$x.xlsx")


def test_writing_replaces_the_old_file_at_once(tmp_path):
    path = tmp_path / "new" / "file.txt"
    files.write_text(path, "old")
    with files.atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent  # one file system, so that a rename is enough
        assert temporary.suffix == path.suffix  # Keras and pandas look at it
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["file.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write():
        with files.atomic_write(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_folders_are_written_whole_too(tmp_path):
    with files.atomic_write(tmp_path / "folder") as temporary:
        (temporary / "deep").mkdir(parents=True)
        (temporary / "deep" / "file").write_text("x")
        assert not (tmp_path / "folder").exists()
    assert (tmp_path / "folder" / "deep" / "file").read_text() == "x"
    with pytest.raises(ZooError), files.atomic_write(tmp_path / "folder") as temporary:
        temporary.mkdir()  # the folder is there already: it is kept
    assert (tmp_path / "folder" / "deep" / "file").read_text() == "x"
    assert os.listdir(tmp_path) == ["folder"]


def test_a_disk_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooError, match=r"Cannot write .*below: .+\. Free some space") as caught:
        files.write_text(tmp_path / "file" / "below", "x")
    assert "\n" not in str(caught.value)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ZooError, match="No space left on device"):
        files.write_text(tmp_path / "other", "x")
    assert os.listdir(tmp_path) == ["file"]


def test_json_that_cannot_be_read_says_which_file(tmp_path):
    with pytest.raises(ZooError, match=r"none\.json is missing"):
        files.read_json(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(ZooError, match=r"half\.json cannot be read"):
        files.read_json(tmp_path / "half.json")
    (tmp_path / "surrogate.json").write_text('{"a": "\\ud83d"}')  # which nothing can print
    with pytest.raises(ZooError, match=r"surrogate\.json cannot be read"):
        files.read_json(tmp_path / "surrogate.json")
    (tmp_path / "pair.json").write_text('{"a": "\\uD83D\\uDE00"}')
    assert files.read_json(tmp_path / "pair.json") == {"a": "😀"}
    files.write_json(tmp_path / "whole.json", {"é": [1, None]})
    assert files.read_json(tmp_path / "whole.json") == {"é": [1, None]}
    assert "é" in (tmp_path / "whole.json").read_text(encoding="utf-8")


def test_leftovers_are_not_visible(tmp_path):
    (tmp_path / ".file.1.part").write_text("half")
    assert files.visible(tmp_path) == []
    (tmp_path / "file").write_text("")
    assert files.visible(tmp_path) == [tmp_path / "file"]


def test_only_leftovers_are_cleaned_away(tmp_path):
    keep = ["file", ".hidden", ".git.part", "a.1.part"]
    for name in (*keep, ".model.keras.77.part.keras", ".history.csv.1.part.csv", ".x.9.part"):
        (tmp_path / name).write_text("")
    (tmp_path / ".folder.12.part" / "deep").mkdir(parents=True)
    files.clean(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(keep)
    with files.atomic_write(tmp_path / "new.npz") as temporary:
        temporary.write_text("")
        files.clean(tmp_path)
        assert not temporary.exists()  # the names that `writing` gives are known
        temporary.write_text("")
    files.clean(tmp_path / "none")


def test_sha256_is_that_of_the_standard_example(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256(tmp_path / "abc") == expected


def test_the_environment_moves_the_cache_and_forbids_the_network(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    assert files.home() == tmp_path
    monkeypatch.delenv("ZOO_HOME")
    assert files.home().name == "rnn-zoo"
    for value, forbidden in (("1", True), ("yes", True), ("0", False), ("", False)):
        monkeypatch.setenv("ZOO_OFFLINE", value)
        assert files.offline() is forbidden


def test_a_temporary_folder_is_gone_afterwards():
    with files.temporary_folder() as folder:
        (folder / "file").write_text("x")
        assert files.home() in folder.parents
    assert not folder.exists()


HOLDS = """
import sys, time
from zoo import files
with files.temporary_folder() as folder:
    (folder / "file").write_text("x")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_left_is_deleted_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    command = [sys.executable, "-c", HOLDS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        left = Path(process.stdout.readline().strip())
        (tmp_path / "tmp" / "of-others").mkdir()
        with files.temporary_folder() as folder:
            assert left.exists()  # its process lives
            process.kill()
            process.wait()
            assert folder.exists()
    with files.temporary_folder() as folder:
        assert not left.exists()
        assert sorted(os.listdir(tmp_path / "tmp")) == ["of-others", folder.name]


def test_the_home_of_no_user(monkeypatch):
    monkeypatch.setenv("ZOO_HOME", "~no-such-user-here/zoo")
    with pytest.raises(ZooError, match="ZOO_HOME is '~no-such-user-here/zoo'"):
        files.home()
