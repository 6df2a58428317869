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


@pytest.fixture
def ready(user_environment):
    """Takes a dataset and the key of a source; loads it, where it is on this machine."""

    def load(dataset, key):
        source = next(source for source in dataset.sources if source.key == key)
        if source.status().state != "ready":
            pytest.skip(f"{source.title} ({key}) is not on this machine")
        return dataset.load(key)

    return load
