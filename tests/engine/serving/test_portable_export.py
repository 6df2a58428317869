"""`zoo export --format onnx|litert`: what is written, who reads it, and what is refused."""

import importlib.util
import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import WITHOUT_TENSORFLOW

import zoo
from zoo.errors import UsageError, ZooError
from zoo.serving import portable
from zoo.serving.portable import bundle, reader, twin, twin_maker

TEXTS = ["What a film!", "", "Rock’n’roll e\u0301te\u0301 \u200b 😀 <br />", "not good " * 50]

pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")


@pytest.fixture(scope="module")
def version(sample_run, tmp_path_factory):
    return zoo.export(sample_run, tmp_path_factory.mktemp("onnx"), format="onnx")


def test_the_folder_has_all_that_an_answer_needs(version):
    import onnx

    names = {path.name for path in version.iterdir()}
    assert {"model.onnx", "model.json", *bundle.READERS, "card.md", "config.json"} <= names
    stored = (version / "model.json").read_text("utf-8")
    about = json.loads(stored)
    assert (about["inputs"], about["outputs"]) == (["ids"], ["output"])
    metadata = {each.key: each.value for each in onnx.load(version / "model.onnx").metadata_props}
    assert metadata == {"rnn-zoo": stored}


def test_it_answers_as_the_run(version, sample_run, tmp_path):
    found = portable.load(version.parent).predict(TEXTS)
    for mine, due in zip(found, zoo.load(sample_run).predict(TEXTS), strict=True):
        assert mine["label"] == due["label"]
        assert mine["probabilities"] == pytest.approx(due["probabilities"], abs=1e-5)
        for name in ("unusual", "unknown_words", "novelty"):
            assert mine[name] == due[name]
    alone = tmp_path / "model.onnx"  # its metadata are enough
    alone.write_bytes((version / "model.onnx").read_bytes())
    assert portable.load(alone).predict(TEXTS) == found
    assert portable.load(alone).predict([]) == []
    with pytest.raises(TypeError, match="a list of texts, not one text"):
        portable.load(alone).predict("good")


def test_quantised(sample_run, version, tmp_path, caplog):
    small = zoo.export(sample_run, tmp_path, format="onnx", precision="int8")
    assert not caplog.records
    assert not logging.root.manager.disable
    import onnx

    # A network as small as this one takes no less space so.
    types = [each.data_type for each in onnx.load(small / "model.onnx").graph.initializer]
    assert onnx.TensorProto.INT8 in types
    for mine, due in zip(
        portable.load(small).predict(TEXTS), portable.load(version).predict(TEXTS), strict=True
    ):
        assert mine["score"] == pytest.approx(due["score"], abs=0.05)


def test_predict_asks_it_without_tensorflow(version, sample_run, tmp_path, cli):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, "predict", version, "--json", *TEXTS],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    due = [
        json.loads(line) for line in cli("predict", sample_run, "--json", *TEXTS).out.splitlines()
    ]
    assert [list(row) for row in found] == [list(row) for row in due]
    for mine, theirs in zip(found, due, strict=True):
        assert (mine["text"], mine["label"]) == (theirs["text"], theirs["label"])
        assert mine["score"] == pytest.approx(theirs["score"], abs=1e-5)
    assert cli("predict", version, TEXTS[0]).out == cli("predict", sample_run, TEXTS[0]).out


def test_nothing_but_answers_is_printed(sample_run, tmp_path, cli, capfd):
    pytest.importorskip("ai_edge_litert", reason="needs the extra [litert]")
    version = cli("export", sample_run, tmp_path / "small", "--format", "litert").out.strip()
    answer = cli("predict", version, TEXTS[0])
    assert answer.out == cli("predict", sample_run, TEXTS[0]).out
    assert not answer.err
    assert not capfd.readouterr().err  # which the libraries of C++ write to


def test_a_packed_model_has_a_twin_once_it_is_kept(version, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    assert twin.find_twin("imdb-lstm") is None
    twin.keep("imdb-lstm", version, "onnx")
    twin.keep("imdb-lstm", version, "onnx")  # it is there
    folder, name, column, has_steps = twin.find_twin("imdb-lstm")
    assert folder.is_relative_to(tmp_path)
    assert (name, column, has_steps) == ("onnx", "text", False)
    assert not (folder / "reader.py").exists()
    assert twin.find_twin("imdb-lstm", ["litert"]) is None
    assert twin.answers(folder, TEXTS) == [
        dict(sorted(answer.items())) for answer in portable.load(version).predict(TEXTS)
    ]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert twin.find_twin("imdb-lstm") is None  # without the engine
    assert twin.find_twin(str(tmp_path / "none")) is None


def test_an_export_of_a_recipe_file_answers_if_it_is_trusted(version, tmp_path, cli):
    file, folder = tmp_path / "mine.py", tmp_path / "export"
    file.write_text(Path(zoo.get_recipe("imdb-lstm").module.__file__).read_text())
    shutil.copytree(version, folder)
    (config,) = folder.rglob("config.json")
    config.write_text(config.read_text().replace('"imdb-lstm"', f'"{file}:imdb-lstm"'))
    assert "give --trust" in cli("predict", folder, TEXTS[0], code=2).err
    assert cli("predict", folder, TEXTS[0], "--trust").out == cli("predict", version, TEXTS[0]).out


def test_the_first_answer_of_a_packed_model_makes_its_twin(tmp_path, monkeypatch, cli):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    ask = ["predict", "imdb-gru", "-v", "--json", *TEXTS]
    first = cli(*ask)
    unusual, answered = first.err.splitlines()
    assert unusual.startswith("note: 1 of 4 rows is unusual for this model (the first is row 3)")
    assert answered == "note: answered by TensorFlow"
    folder = twin.find_twin("imdb-gru").folder
    second = cli(*ask)
    assert second.err.splitlines() == [unusual, f"note: answered by ONNX Runtime, {folder}"]
    due, found = ([json.loads(line) for line in each.out.splitlines()] for each in (first, second))
    assert [list(row) for row in found] == [list(row) for row in due]
    for mine, theirs in zip(found, due, strict=True):
        assert (mine["text"], mine["label"]) == (theirs["text"], theirs["label"])
        assert mine["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-5)
    assert cli(*ask, "--engine", "tensorflow").out == first.out
    lines = [cli("predict", "imdb-gru", *TEXTS, "--engine", name).out for name in ("auto", "onnx")]
    assert lines[0] == lines[1] == cli("predict", "imdb-gru", *TEXTS, "--engine", "tensorflow").out


def test_a_twin_that_answers_otherwise_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    predictor = zoo.load("imdb-gru")
    due = predictor.predict(TEXTS[:1])
    wrong = [{**due[0], "probabilities": dict.fromkeys(due[0]["probabilities"], 0.5)}]
    with pytest.raises(ZooError, match="answers differently"):
        twin_maker.make(predictor, "onnx", TEXTS[:1], wrong)
    assert twin.find_twin("imdb-gru") is None


DUE = {"label": "a", "tags": ["O", "B-LOC"], "score": 0.5, "spans": [{"end": 4, "score": 0.5}]}


@pytest.mark.parametrize(
    ("mine", "agrees"),
    [
        ({}, True),
        ({"score": 0.500001, "spans": [{"end": 4, "score": 0.499999}]}, True),
        ({"score": 0.5001}, False),
        ({"score": float("nan")}, False),
        ({"label": "b"}, False),
        ({"tags": ["O"]}, False),
        ({"tags": ["O", "I-LOC"]}, False),
        ({"spans": [{"end": 5, "score": 0.5}]}, False),
        ({"spans": [{"end": 4}]}, False),
        ({"further": 1}, False),
    ],
)
def test_a_twin_agrees_in_all_that_is_answered(mine, agrees):
    assert twin.agrees([{**DUE, **mine}], [DUE]) == agrees
    assert not twin.agrees([dict(reversed(DUE.items()))], [DUE])  # columns of a table


def test_engines_that_cannot_answer(sample_run, tmp_path, cli):
    said = cli("predict", sample_run, "a film", "--engine", "onnx", code=2).err
    assert "is for packed models, and for exports in that format" in said
    assert "--engine tensorflow" in said
    said = cli("predict", "imdb-gru", "a film", "--beam", 2, "--engine", "onnx", code=2).err
    assert "allows only the options" in said


def test_what_is_refused(version, sample_run, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"export for machines without TensorFlow.*reader\.py"):
        zoo.load(version)
    with pytest.raises(UsageError, match="onnx has no precision 'float16'"):
        zoo.export(sample_run, tmp_path, format="onnx", precision="float16")
    with pytest.raises(UsageError, match="precision is for the formats litert and onnx"):
        zoo.export(sample_run, tmp_path, precision="int8")
    with pytest.raises(UsageError, match="An ensemble is exported to serve"):
        zoo.export(sample_run, tmp_path, format="onnx", ensemble=[sample_run])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install '\.\[onnx\]'"):
        zoo.export(sample_run, tmp_path, format="onnx")
    with pytest.raises(FileNotFoundError, match="no exported model"):
        portable.load(tmp_path)


def test_an_operation_that_onnx_lacks_is_named():
    import keras
    import tensorflow as tf

    from zoo.serving.portable.onnx_graph import convert

    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    spec = tf.TensorSpec([None, 3], tf.float32, name="x")
    with pytest.raises(ZooError, match=r"the operation Digamma .*does not know"):
        convert(lambda x: {"output": tf.math.digamma(model(x))}, [spec], model)


def test_integers_are_divided_as_by_tensorflow():
    import keras
    import numpy as np
    import onnxruntime
    import tensorflow as tf

    from zoo.serving.portable.onnx_graph import convert

    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    for dtype in ("int32", "float32"):
        spec = tf.TensorSpec([None], dtype, name="x")
        proto = convert(lambda x: {"output": x // 4}, [spec], model)
        session = onnxruntime.InferenceSession(proto.SerializeToString())
        x = np.array([-9, -8, -1, 0, 7, 8], dtype)
        (found,) = session.run(None, {"x": x})
        assert found.dtype == dtype
        assert found.tolist() == (x // 4).tolist()


def test_a_program_beside_a_model_is_not_run(version, tmp_path):
    import shutil

    folder = shutil.copytree(version, tmp_path / "copy")
    about = json.loads((folder / "model.json").read_text("utf-8"))
    about["tokenizer"]["kind"] = "strange"
    (folder / "model.json").write_text(json.dumps(about))
    (folder / "strange.py").write_text("raise SystemExit('It was run.')")
    for load in (portable.load, reader.load):
        model = load(folder)
        with pytest.raises(ValueError, match=r"strange\.py is not beside reader\.py"):
            model.predict(TEXTS)


def test_a_damaged_export_is_named(version, tmp_path):
    import shutil

    folder = shutil.copytree(version, tmp_path / "copy")
    about = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(ZooError, match="is damaged or of another version"):
        twin.answers(folder, TEXTS)
    for wrong in ({"tokenizer": 1}, {"tokenizer": {"kind": []}}, {"reads": ["text", "title"]}):
        (folder / "model.json").write_text(json.dumps({**about, "labels": None, **wrong}))
        assert twin.find_twin(str(folder)) is None
    (folder / "model.json").write_text("[]")
    with pytest.raises(ZooError, match=r"model\.json"):
        twin.find_twin(str(folder))
