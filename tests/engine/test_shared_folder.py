"""What workers compare, and a folder that one of them sees late or not at all."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import zoo
from zoo.cluster import Cluster
from zoo.errors import UsageError, WorkersLost, ZooError
from zoo.handshake import meet
from zoo.training import fit, workers
from zoo.training.launcher import free_addresses
from zoo.training.lock import locked
from zoo.training.run import Options, Run
from zoo.training.workers import Workers, facts, wait_for

RECIPE = """
import dataclasses
import zoo
from recipes.sentiment import *

RECIPES = {"mine": Config()}
"""


@pytest.fixture
def crew(monkeypatch):
    """Two workers of this process, in an order of threads."""
    monkeypatch.setattr(workers, "FOLDER_PATIENCE", 1.0)
    addresses = tuple(free_addresses(2))
    with ThreadPoolExecutor(2) as pool:
        links = list(pool.map(lambda i: meet(Cluster(addresses, i), {}, 10.0), (0, 1)))
    yield [Workers(None, link) for link in links]
    for link in links:
        link.close()


def both(crew, action):
    """Returns what each of them gets or raises."""

    def outcome(worker):
        try:
            return action(worker)
        except ZooError as error:
            crew[worker.index]._link.tell(error)
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(outcome, crew))


def test_a_shared_folder_keeps_nothing_of_it(crew, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    assert both(crew, lambda worker: worker.share_folder(path)) == [None, None]
    assert list(path.iterdir()) == []


def test_a_folder_that_comes_late_is_waited_for(crew, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "FOLDER_PATIENCE", 20.0)
    real, late = tmp_path / "real", tmp_path / "late"
    real.mkdir()
    timer = threading.Timer(1.0, lambda: late.symlink_to(real))
    timer.start()
    begun = time.monotonic()
    folders = [real, late]
    assert both(crew, lambda worker: worker.share_folder(folders[worker.index])) == [None, None]
    assert time.monotonic() - begun > 0.9
    timer.join()


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_is_not_shared_is_told_from_one_that_is_late(crew, tmp_path, there):
    folders = [tmp_path / "real", tmp_path / "other"]
    folders[0].mkdir()
    if there:
        folders[1].mkdir()
    errors = both(crew, lambda worker: worker.share_folder(folders[worker.index]))
    addresses = crew[0]._link.cluster.addresses
    missing = "file" if there else "folder"
    assert str(errors[1]).startswith(
        f"{folders[1]} is not shared: {addresses[0]} wrote a file there, but "
        f"{addresses[1]} still does not see the {missing} after 1 s."
    )
    assert f"{addresses[1]} has ended: {folders[1]} is not shared" in str(errors[0])
    assert not isinstance(errors[0], WorkersLost)  # it would fail again
    assert list(folders[0].iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_to_all(crew, tmp_path):
    (tmp_path / "file").touch()
    errors = both(crew, lambda worker: worker.share_folder(tmp_path / "file" / "run"))
    assert str(errors[0]).startswith(f"Cannot write {tmp_path / 'file' / 'run'}: Not a directory")
    assert "has ended: Cannot write" in str(errors[1])


def test_what_differs_later_is_said_by_its_name(crew):
    assert both(crew, lambda worker: worker.of_chief(worker.index)) == [0, 0]
    errors = both(crew, lambda worker: worker.check_same({"data": f"d{worker.index}", "a": 1}))
    addresses = crew[0]._link.cluster.addresses
    assert str(errors[0]).startswith(f"{addresses[1]} has data d1, this worker d0. Give all")


def test_the_chief_ends_well_when_others_are_lost_after_training(crew):
    chief, other = crew
    chief.finish()
    other._link.tell(WorkersLost("cut off"))
    chief.part()
    other.finish()
    chief._link.tell(ZooError("full disk"))
    with pytest.raises(ZooError, match="full disk"):
        other.part()


def test_a_late_file_is_waited_for_with_a_line(tmp_path, capsys):
    assert not wait_for(tmp_path / "never", 0.1)
    assert capsys.readouterr().err == ""
    threading.Timer(2.5, (tmp_path / "late").touch).start()
    assert wait_for(tmp_path / "late", 20.0)
    assert capsys.readouterr().err == (
        f"Waiting for {tmp_path / 'late'}, which the chief has written (up to 20 s).\n"
    )


def test_facts_tell_commands_and_sources_apart(tmp_path):
    recipe = zoo.get_recipe("imdb-gru")
    one = facts(recipe, Options(), {"units": "4"})
    assert one == facts(recipe, Options(), {"units": 4})
    assert facts(recipe, Options(seed=1), {"units": 4})["seed"] == 1
    assert one["setting units"] == "4"
    assert {"sources of zoo", "sources of the recipe", "TensorFlow", "Keras", "NumPy"} <= one.keys()
    path = tmp_path / "page.py"
    found = []
    for text in (RECIPE, f"{RECIPE}\n# another"):
        path = path.with_stem(f"{path.stem}x")
        path.write_text(text)
        found.append(facts(zoo.get_recipe(f"{path}:mine"), Options(), {}))
    assert found[0]["sources of the recipe"] != found[1]["sources of the recipe"]


def test_nobody_waits_to_hear_that_a_run_is_complete(tmp_path, monkeypatch, capsys):
    settings = {"units": 4, "embedding": 4, "epochs": 1}
    path = tmp_path / "run"
    zoo.train("imdb-gru", path, data="sample", settings=settings, quiet=True, baselines=False)
    monkeypatch.setenv("ZOO_HOSTS", ",".join(free_addresses(2)))
    monkeypatch.setenv("ZOO_WORKER_TIMEOUT", "0.5")
    monkeypatch.setattr("zoo.handshake.LINGER", 0.1)
    for index in ("0", "1"):
        monkeypatch.setenv("ZOO_INDEX", index)
        assert zoo.train("imdb-gru", path, data="sample", settings=settings) == Run(path)
        said = capsys.readouterr().out
        assert said == (
            f"{path} is complete already; --overwrite starts it from scratch.\n" * (index == "0")
        )
    with locked(path):  # which the chief alone needs
        assert zoo.train("imdb-gru", path, data="sample", settings=settings) == Run(path)
        monkeypatch.setenv("ZOO_INDEX", "0")
        with pytest.raises(ZooError, match="Another training runs"):
            zoo.train("imdb-gru", path, data="sample", settings=settings)
    for other in ({"seed": 1}, {"settings": {**settings, "units": 5}}, {"overwrite": True}):
        arguments = {"settings": settings, **other}
        with pytest.raises(WorkersLost, match="Not all workers joined"):
            zoo.train("imdb-gru", path, data="sample", **arguments)
    assert fit._holds(Run(path), zoo.get_recipe("imdb-gru"), Options(data="sample"), settings)
    (path / "config.json").write_text("{}")
    assert not fit._holds(Run(path), zoo.get_recipe("imdb-gru"), Options(data="sample"), settings)
    shutil.rmtree(path)
    monkeypatch.setenv("ZOO_INDEX", "2")
    with pytest.raises(UsageError, match="no worker 2"):
        zoo.train("imdb-gru", path, data="sample", settings=settings)
