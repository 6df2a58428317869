"""What a run folder says of itself is believed only as long as it is whole."""

import os

import pytest

from zoo.errors import ZooError
from zoo.training.run import Run, check_same


def test_assets_come_back_and_their_damage_is_noticed(tmp_path):
    run = Run(tmp_path)
    run.write_assets({"vocabulary": ["films", "é"]})
    assert run.read_assets() == {"vocabulary": ["films", "é"]}
    assert sorted(os.listdir(tmp_path)) == ["assets.json", "checkpoint"]

    path = tmp_path / "assets.json"
    path.write_text(path.read_text().replace("films", "filmr"))  # JSON all the same
    with pytest.raises(ZooError, match=r"assets\.json is not what this run began with.* Delete it"):
        run.read_assets()
    path.unlink()
    run.write_assets({"vocabulary": ["other"]})
    assert run.read_assets() == {"vocabulary": ["other"]}

    # A complete run has no checkpoints, nor has one of an earlier version.
    (tmp_path / "checkpoint" / "assets.sha256").unlink()
    assert run.read_assets() == {"vocabulary": ["other"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"recipe": "a', "cannot be read .* Restore it, or choose another folder with -o"),
        ("7", "is not a run folder: its config.json has no recipe, config and run"),
    ],
)
def test_a_damaged_config_says_what_helps(tmp_path, content, said):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ZooError, match=said) as caught:
        check_same(tmp_path, {"recipe": "a", "config": {}, "run": {}})
    assert "\n" not in str(caught.value)
    # It would make the folder one of no run; and perhaps it never was one.
    assert "delete" not in str(caught.value)
    assert "--overwrite" not in str(caught.value)


def test_logs_that_cannot_be_written_are_one_line(tmp_path):
    from zoo.training.fit import _log_for_tensorboard

    (tmp_path / "file").write_text("")
    with pytest.raises(
        ZooError, match=r"^Cannot write .*logs: /.* is not a directory\. "
    ) as caught:
        _log_for_tensorboard(tmp_path / "file" / "logs", {"epoch": 1, "loss": 0.5})
    assert "\n" not in str(caught.value)
