"""`zoo.export`: whole integer versions or nothing, whatever happens meanwhile."""

import contextlib
import errno
import importlib
import os
import tempfile
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.runs import last_of_each_module
from tensorflow.core.protobuf import saved_model_pb2

import zoo

# `zoo.serving.export` is the function; this is its module.
module = importlib.import_module("zoo.serving.export")

NAME = last_of_each_module()[0]


@pytest.fixture(scope="module")
def predictor(predictor_of):
    return predictor_of(NAME)


@pytest.fixture(scope="module")
def examples(predictor):
    sample = predictor.recipe.dataset.sample()
    specs = predictor.signatures["serving_default"].input_signature
    return {spec.name: sample[spec.name] for spec in specs}


@pytest.fixture(scope="module")
def keras_export(predictor, tmp_path_factory):
    return zoo.export(predictor, tmp_path_factory.mktemp("keras"), format="keras")


def write_little(served, folder):
    """Instead of a model, which takes seconds."""
    (folder / "saved_model.pb").write_bytes(b"model")


def test_versions_are_integers_in_order_beside_whatever_else_there_is(
    predictor, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "write_saved_model", write_little)
    directory = tmp_path / "models" / "new"
    assert [zoo.export(predictor, directory) for _ in range(3)] == [
        directory / "1",
        directory / "2",
        directory / "3",
    ]
    (directory / "notes.txt").write_text("mine")
    (directory / "v7").mkdir()
    (directory / "007").mkdir()
    (directory / "9").write_text("a file in the way")
    assert zoo.export(predictor, str(directory)) == directory / "10"
    assert {path.name for path in directory.iterdir()} == {
        *("1", "2", "3", "10", "notes.txt", "v7", "007", "9"),
    }
    assert (directory / "notes.txt").read_text() == "mine"
    assert not list((directory / "007").iterdir())


def test_a_version_can_be_read_by_whom_the_umask_lets(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "write_saved_model", write_little)
    umask = os.umask(0o022)
    try:
        version = zoo.export(predictor, tmp_path / "new")
    finally:
        os.umask(umask)
    for path in (version, version / "assets.extra"):
        assert path.stat().st_mode & 0o777 == 0o755


def test_what_lies_in_a_version(export_of):
    version = export_of(NAME)
    assert {path.name for path in version.iterdir()} == {
        *("saved_model.pb", "variables", "assets", "assets.extra", "fingerprint.pb")
    }
    assert {path.name for path in (version / "assets.extra").iterdir()} == {
        *("config.json", "assets.json", "data.json", "environment.json", "metrics.json"),
        *("card.md", "kernels.json", "tf_serving_warmup_requests", "use.json"),
    }


FAILURES = [
    ("_write_warmup", OSError(errno.ENOSPC, "No space left on device"), zoo.ZooError),
    ("write_saved_model", OSError(errno.EIO, "Input/output error"), zoo.ZooError),
    (
        "write_saved_model",
        tf.errors.ResourceExhaustedError(None, None, "/x/variables; No space left on device"),
        zoo.ZooError,
    ),
    ("_publish", OSError(errno.EACCES, "Permission denied"), zoo.ZooError),
    ("_publish", KeyboardInterrupt(), KeyboardInterrupt),
    ("_write_warmup", ValueError("a recipe's mistake"), ValueError),
]


@pytest.mark.parametrize(("step", "failure", "seen"), FAILURES)
def test_nothing_stays_of_an_export_that_fails(
    step, failure, seen, predictor, tmp_path, monkeypatch, refused
):
    def fail(*arguments):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_saved_model", write_little)
        patch.setattr(module, step, fail)
        with pytest.raises(seen) as raised:
            zoo.export(predictor, tmp_path)
    if seen is zoo.ZooError:
        message = refused(raised)
        assert str(tmp_path) in message
        assert str(getattr(failure, "strerror", None) or failure) in message
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(module, "write_saved_model", write_little)
    assert zoo.export(predictor, tmp_path).name == "1"


def test_exports_at_the_same_time_become_two_versions(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "write_saved_model", write_little)
    both = threading.Barrier(2, timeout=60)
    rename = os.rename

    def at_once(source, target):  # both have chosen the same number when the first renames
        if Path(target).name == "1":
            both.wait()
        rename(source, target)

    monkeypatch.setattr(os, "rename", at_once)
    made = []
    threads = [
        threading.Thread(target=lambda: made.append(zoo.export(predictor, tmp_path)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in made) == ["1", "2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]
    for path in made:
        assert (path / "saved_model.pb").read_bytes() == b"model"
        assert (path / "assets.extra" / "config.json").exists()


def test_a_file_in_place_of_the_directory(predictor, tmp_path, refused):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(zoo.UsageError) as raised:
        zoo.export(predictor, tmp_path / "file")
    assert "is a file" in refused(raised)
    with pytest.raises(zoo.ZooError) as raised:
        zoo.export(predictor, tmp_path / "file" / "below")
    assert "Not a directory" in refused(raised)
    assert (tmp_path / "file").read_text() == "mine"


@contextlib.contextmanager
def as_a_common_user():
    """Root may write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_directory_that_is_read_only(predictor, refused):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # pytest's own are for root alone
        os.chmod(folder, 0o555)
        with as_a_common_user(), pytest.raises(zoo.ZooError) as raised:
            zoo.export(predictor, folder)
        message = refused(raised)
        assert folder in message
        assert "Permission denied" in message
        assert not list(Path(folder).iterdir())


def test_formats(predictor, tmp_path, refused):
    with pytest.raises(zoo.UsageError) as raised:
        zoo.export(predictor, tmp_path / "new", format="savedmodel")
    assert "Did you mean 'saved_model'?" in refused(raised)
    assert not (tmp_path / "new").exists()


def test_a_saved_model_cannot_be_exported_again(export_of, tmp_path, refused):
    for format in ("saved_model", "keras"):
        with pytest.raises(zoo.ZooError) as raised:
            zoo.export(export_of(NAME), tmp_path / "new", format=format)
        message = refused(raised)
        assert "SavedModel" in message
        assert "--format keras" in message
    assert not (tmp_path / "new").exists()


def test_the_keras_format_is_loaded_by_version_and_by_parent(
    keras_export, predictor, examples, tmp_path
):
    expected = predictor.predict(examples)
    assert zoo.load(keras_export).predict(examples) == expected
    parent = zoo.load(str(keras_export.parent))
    assert parent.predict(examples) == expected
    assert parent.folder == keras_export
    assert parent.card == predictor.card
    assert parent.metrics == predictor.metrics
    again = zoo.export(keras_export.parent, tmp_path, warmup=1)  # to serve, from the other format
    assert zoo.load(again).predict(examples)[0].keys() == expected[0].keys()


def test_training_goes_on_from_the_keras_format(keras_export, predictor, examples, tmp_path):
    run = zoo.train(
        NAME,
        tmp_path / "run",
        data="sample",
        base=keras_export,
        settings={"epochs": 1, "learning_rate": 1e-12},
        baselines=False,
        quiet=True,
    )
    first, second = predictor.model.get_weights(), zoo.load(run.path).model.get_weights()
    for before, after in zip(first, second, strict=True):
        np.testing.assert_allclose(before, after, atol=1e-6)


def test_training_does_not_go_on_from_a_saved_model(export_of, tmp_path, refused):
    with pytest.raises(zoo.ZooError) as raised:
        zoo.train(NAME, tmp_path / "run", data="sample", base=export_of(NAME), quiet=True)
    assert "--format keras" in refused(raised)


def graph_with(nodes, inside_function):
    model = saved_model_pb2.SavedModel()
    graph = model.meta_graphs.add().graph_def
    graph.node.add(name="a", op="Const")
    target = graph.library.function.add().node_def if inside_function else graph.node
    for op in nodes:
        target.add(name=op, op=op)
    return model.SerializeToString()


@pytest.mark.parametrize("inside_function", [False, True])
def test_ops_of_finds_those_in_functions(inside_function, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(graph_with(["CudnnRNNV3", "Add"], inside_function))
    assert module.ops_of(tmp_path) == {"Const", "CudnnRNNV3", "Add"}


def test_a_graph_of_cudnn_is_refused(predictor, tmp_path, monkeypatch, refused):
    def save(tracked, folder, signatures):
        Path(folder, "saved_model.pb").write_bytes(graph_with(["CudnnRNNV3"], True))

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(zoo.ZooError) as raised:
        zoo.export(predictor, tmp_path)
    assert "CudnnRNNV3" in refused(raised)
    assert not list(tmp_path.iterdir())


def test_without_cudnn_reaches_every_recurrent_layer():
    from keras import layers

    from zoo.serving.predictor import without_cudnn

    inner = keras.Sequential([keras.Input((None, 2)), layers.GRU(2, return_sequences=True)])
    x = inputs = keras.Input((None, 2))
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(x)
    model = keras.Model(inputs, layers.LSTM(2)(inner(layers.TimeDistributed(layers.Dense(2))(x))))
    before = [layer for layer in model._flatten_layers() if hasattr(layer, "use_cudnn")]
    assert all(layer.use_cudnn == "auto" for layer in before)
    without_cudnn(model)
    assert [layer.use_cudnn for layer in before] == [False] * 4  # forward, backward, GRU, LSTM


def test_a_recipe_of_another_party_is_served_without_its_file(theirs, refused, tmp_path):
    run, file = theirs
    predictor = zoo.load(run, trust=True)
    version = zoo.export(predictor, tmp_path / "out")
    sample = predictor.recipe.dataset.sample()
    examples = {name: sample[name] for name in predictor.input_names}
    expected = predictor.predict(examples)
    file.unlink()
    loaded = zoo.load(version)
    assert loaded.name == predictor.name
    assert loaded.card == predictor.card
    answers = loaded.predict(examples)
    assert [answer.keys() for answer in answers] == [answer.keys() for answer in expected]
    for answer, other in zip(answers, expected, strict=True):
        if "score" in answer:
            assert answer["score"] == pytest.approx(other["score"], abs=1e-6)
    with pytest.raises(zoo.UsageError) as raised:
        _ = loaded.recipe
    assert str(file) in refused(raised)


@pytest.mark.parametrize(
    "name", ["with space", "ünïcödé-日本-🎵", "star*q?", "%41", "a[b", "n" * 255]
)
def test_odd_names_of_directories(name, predictor, examples, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    version = zoo.export(predictor, name, warmup=0)
    assert version == Path(name) / "1"
    assert zoo.load(version).predict(examples) == predictor.predict(examples)


def test_square_brackets_which_tensorflow_takes_for_a_pattern(predictor, tmp_path):
    directory = tmp_path / "run[1]"
    with pytest.raises(zoo.UsageError, match="takes square brackets"):
        zoo.export(predictor, directory)
    assert not directory.exists()
    version = zoo.export(predictor, tmp_path / "out", warmup=0)
    version.parent.rename(directory)
    with pytest.raises(zoo.ZooError, match="Rename the folder"):
        _ = zoo.load(directory).signatures
    exported = zoo.export(predictor, directory, format="keras")  # Keras takes them as they are
    assert exported == directory / "2"
    _ = zoo.load(exported).model


def test_a_directory_that_is_a_link_to_nothing(predictor, tmp_path):
    for target in ("nowhere", "link"):  # the second to itself
        link = tmp_path / "link"
        link.symlink_to(target)
        with pytest.raises(
            zoo.UsageError, match=f"symbolic link to {target}, which does not exist"
        ):
            zoo.export(predictor, link)
        link.unlink()
