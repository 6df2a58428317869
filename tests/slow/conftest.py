"""Slow tests use the data that are on the machine."""

import os

import pytest

# Read before the fixture `sealed` hides them.
THEIRS = {name: os.environ.get(name) for name in ("TFDS_DATA_DIR", "ZOO_HOME", "ZOO_MIRROR")}


@pytest.fixture
def user_environment(monkeypatch):
    for name, value in THEIRS.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
