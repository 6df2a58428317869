"""Versions that come, go, are broken, and are swapped while requests go on."""

import asyncio
import contextlib
import os
import shutil
import threading
import time

import pytest

from tests.support.waiting import wait_until
from zoo.errors import UsageError, ZooError
from zoo.server import config
from zoo.server import models as models_module
from zoo.server.batching import BatchingOptions
from zoo.server.config import ModelConfig


def add(source, folder, number):
    """Copies a version as `zoo export` writes one: whole, by a rename."""
    shutil.copytree(source, folder / f".{number}")
    os.rename(folder / f".{number}", folder / str(number))


@pytest.fixture
def folder(saved_models, tmp_path):
    made = tmp_path / "half"
    made.mkdir()
    add(saved_models / "2", made, 1)
    return made


def states(client):
    found = client.get("/v1/models/half").json["model_version_status"]
    return {int(each["version"]): each["state"] for each in found}


def answers(client, path="/v1/models/half:predict"):
    return client.post(path, {"instances": [0.0]}).json.get("predictions")


@pytest.mark.parametrize("unload_first", [False, True])
def test_a_new_version_is_swapped_in_without_a_failed_request(
    folder, saved_models, serving, unload_first
):
    settings = {"file_system_poll_wait_seconds": 0.05, "unload_first": unload_first}
    with serving([ModelConfig("half", folder)], **settings) as client:
        seen, stop = [], threading.Event()

        def ask():
            while not stop.is_set():
                seen.append(answers(client))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            assert wait_until(lambda: [2.0] in seen, 10)
            add(saved_models / "3", folder, 2)
            assert wait_until(lambda: [3.0] in seen, 20)
            assert wait_until(lambda: states(client) == {2: "AVAILABLE", 1: "END"}, 10)
            add(saved_models / "bad", folder, 3)  # refused, and the old one stays
            assert wait_until(lambda: states(client).get(3) == "END", 10)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert all(each in ([2.0], [3.0]) for each in seen)
        assert wait_until(lambda: states(client)[2] == "AVAILABLE", 10)
        assert answers(client) == [3.0]
        if not unload_first:
            status = client.get("/v1/models/half/versions/3").json["model_version_status"][0]
            assert status["status"]["error_code"] == "FAILED_PRECONDITION"
            assert "damaged" in status["status"]["error_message"]
            shutil.rmtree(folder / "3")
            add(saved_models / "2", folder, 3)  # repaired, it is loaded
            assert wait_until(lambda: answers(client) == [2.0], 10)


def test_weights_that_are_repaired_in_place_are_noticed(folder, saved_models, serving):
    with serving([ModelConfig("half", folder)], file_system_poll_wait_seconds=0.05) as client:
        shutil.copytree(saved_models / "3", folder / ".2")
        (weights,) = (folder / ".2" / "variables").glob("variables.data-*")
        whole = weights.read_bytes()
        weights.write_bytes(whole[: len(whole) // 2])
        os.rename(folder / ".2", folder / "2")
        assert wait_until(lambda: states(client).get(2) == "END", 10)
        (folder / "2" / "variables" / weights.name).write_bytes(whole)  # no folder changes
        assert wait_until(lambda: answers(client) == [3.0], 10)


def test_a_reload_that_is_cancelled_is_done_again(folder, saved_models, monkeypatch):
    """A version whose load was broken off is loaded at the next look."""
    loading = threading.Event()

    def load_slowly(*arguments):
        loading.set()
        time.sleep(0.2)
        return object(), 0

    async def main():
        monkeypatch.setattr(models_module, "load", load_slowly)
        models = models_module.Models([ModelConfig("half", folder)])
        task = asyncio.create_task(models.refresh())
        while not loading.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await models.refresh()
        models.close()
        return [version.state for version in models.versions["half"].values()]

    assert asyncio.run(main()) == ["AVAILABLE"]


def test_a_label_may_come_before_its_version(folder, saved_models, serving):
    made = ModelConfig("half", folder, latest=0, labels={"next": 2})
    with serving([made], file_system_poll_wait_seconds=0.05) as client:
        path = "/v1/models/half/labels/next:predict"
        assert client.post(path, {"instances": [0.0]}).code == 404
        add(saved_models / "3", folder, 2)
        assert wait_until(lambda: answers(client, path) == [3.0], 10)
        assert answers(client, "/v1/models/half/versions/1:predict") == [2.0]


def test_the_file_of_models_is_read_again(folder, saved_models, serving, tmp_path):
    path = tmp_path / "models.config"

    def write(name):
        text = f'model_config_list {{ config {{ name: "{name}" base_path: "half" }} }}'
        path.write_text(text)

    write("half")
    settings = {"model_config_file": path, "model_config_file_poll_wait_seconds": 0.05}
    with serving(config.read_model_config(path), **settings) as client:
        assert answers(client) == [2.0]
        write("other")
        assert wait_until(lambda: answers(client, "/v1/models/other:predict") == [2.0], 10)
        assert client.get("/healthz").code == 200
        path.write_text("model_config_list {")  # broken: nothing changes
        assert answers(client, "/v1/models/other:predict") == [2.0]


def test_links_and_graphs_that_may_do_more_are_refused(folder, saved_models, serving):
    os.symlink(saved_models / "3", folder / "2")
    with serving([ModelConfig("half", folder, latest=0)]) as client:
        (status,) = client.get("/v1/models/half/versions/2").json["model_version_status"]
        assert "symbolic link" in status["status"]["error_message"]


def test_a_server_does_not_start_without_its_models(folder, saved_models, tmp_path, serving):
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = tmp_path / "broken"
    broken.mkdir()
    add(saved_models / "bad", broken, 1)
    for place, message in ((empty, "has no version"), (broken, "damaged")):
        with pytest.raises(ZooError, match=message), serving([ModelConfig("half", place)]):
            pass
    with serving([ModelConfig("half", folder)]) as client:
        port = client.running.rest_port
        with (
            pytest.raises(UsageError, match="--rest-port"),
            serving([ModelConfig("half", folder)], rest_port=port),
        ):
            pass


def test_models_are_named_by_arguments(folder, saved_models, monkeypatch):
    assert config.model_of(str(folder), False).name == "half"
    named = config.model_of(f"mine={folder}", False)
    assert (named.name, named.folder, named.single) == ("mine", folder, False)
    one = config.model_of(str(folder / "1"), False)
    assert (one.name, one.single, one.versions()) == ("half", True, {1: folder / "1"})
    monkeypatch.chdir(folder / "1")  # a path without a name of its own
    here = config.model_of(".", False)
    assert (here.name, here.single) == ("half", True)
    shutil.copytree(saved_models / "2", folder.parent / "plain")
    monkeypatch.chdir(folder.parent / "plain")
    assert config.model_of(".", False).name == "plain"
    monkeypatch.chdir(folder)
    assert config.model_of(".", False).name == "half"
    with pytest.raises(UsageError, match="'a:b' cannot be a model's name"):
        config.model_of(f"a:b={folder}", False)
    with pytest.raises(UsageError, match="is not a pretrained model"):
        config.model_of("nothing-like-it", False)
    with pytest.raises(UsageError, match="Two models have the name"):
        config.check_names([named, named])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list {", "is not a model config"),
        ("custom_model_config {}", "has no model_config_list"),
        ('model_config_list { config { name: "a" } }', "needs a name and a base_path"),
        (
            'model_config_list { config { name: "a" base_path: "b" model_platform: "x" } }',
            "model_platform",
        ),
        ('model_config_list { config { name: "a/b" base_path: "b" } }', "cannot be a model's name"),
        ('model_config_list { config { name: "a:b" base_path: "b" } }', "'a:b' cannot be a model"),
    ],
)
def test_a_wrong_file_of_models_is_refused(tmp_path, text, message):
    path = tmp_path / "models.config"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        config.read_model_config(path)


def test_policies_choose_versions(tmp_path):
    for number in (1, 2, 10):
        (tmp_path / "half" / str(number)).mkdir(parents=True)
    path = tmp_path / "models.config"
    for policy, versions in (
        ("", [10]),
        ("model_version_policy { latest { num_versions: 2 } }", [2, 10]),
        ("model_version_policy { all {} }", [1, 2, 10]),
        ("model_version_policy { specific { versions: 2 versions: 5 } }", [2]),
    ):
        path.write_text(
            f'model_config_list {{ config {{ name: "half" base_path: "half" {policy} }} }}'
        )
        (made,) = config.read_model_config(path)
        assert sorted(made.versions()) == versions


def test_batching_parameters_are_tensorflow_servings(tmp_path):
    path = tmp_path / "batching.txt"
    path.write_text(
        "max_batch_size { value: 16 }\nbatch_timeout_micros { value: 0 }  # at once\n"
        "max_enqueued_batches { value: 10 }\nnum_batch_threads { value: 3 }\n"
        "pad_variable_length_inputs: false\nallowed_batch_sizes: 16"
    )
    assert config.read_batching(path) == BatchingOptions(
        max_batch_size=16,
        max_enqueued_rows=160,
        num_batch_threads=3,
        pad_variable_length_inputs=False,
    )
    for text, message in (
        ("max_batch_sise { value: 1 }", "Did you mean 'max_batch_size'"),
        ("max_batch_size { value: x }", "must be a number above 0"),
        ("max_batch_size {", "cannot read"),
    ):
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            config.read_batching(path)


def test_where_the_metrics_are(tmp_path):
    path = tmp_path / "monitoring.txt"
    for text, place in (
        ("prometheus_config { enable: true }", config.METRICS),
        ('prometheus_config { enable: true, path: "/metrics" }', "/metrics"),
        ("prometheus_config { enable: false }", ""),
    ):
        path.write_text(text)
        assert config.read_metrics_path(path) == place
