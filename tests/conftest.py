"""What every test gets: a cache folder of its own, and no network."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def sealed(tmp_path_factory):
    """No test reads or fills the user's cache, asks the network, or meets prepared data.

    For the whole session, so that fixtures of any scope and the processes that they start see it
    too; a test that needs another setting makes it with `monkeypatch`.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("zoo-home")))
        environment.setenv("ZOO_OFFLINE", "1")
        environment.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        for name in ("TFDS_DATA_DIR", "ZOO_MIRROR", "ZOO_DEBUG"):
            environment.delenv(name, raising=False)
        yield
