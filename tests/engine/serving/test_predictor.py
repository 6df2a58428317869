"""`zoo.load` and `Predictor.predict`: what is wrong is said in one line."""

import copy
import json
import multiprocessing
import os
import pickle
import shutil
import time
import warnings

import pytest
from support.runs import recipe_of_task

import zoo
from zoo import processes
from zoo.config import override
from zoo.serving import predictor as module
from zoo.serving.find import find, recipe_of

NAME = recipe_of_task("sentiment")


def test_the_recipe_of_a_folder_is_read_from_its_config(run, refused):
    assert recipe_of(run) is zoo.get_recipe(NAME)
    (run / "config.json").write_text('{"recipe": "no-such-recipe", "config": {}}')
    with pytest.raises(zoo.UsageError, match="no-such-recipe"):
        recipe_of(run)
    for text in ("[]", '{"recipe": 1}', "{"):
        (run / "config.json").write_text(text)
        with pytest.raises(zoo.ZooError) as raised:
            recipe_of(run)
        assert str(run / "config.json") in refused(raised)


@pytest.fixture
def run(run_of, tmp_path):
    """A copy of a run folder, to be damaged."""
    return shutil.copytree(run_of(NAME), tmp_path / "run", ignore=shutil.ignore_patterns("logs"))


@pytest.fixture
def version(export_of, tmp_path):
    """A copy of an export, to be damaged."""
    return shutil.copytree(export_of(NAME), tmp_path / "version")


@pytest.mark.parametrize(
    ("examples", "options", "says"),
    [
        ("a film", {}, "a list of examples, not one text: predict([text])"),
        (b"a film", {}, "a list of examples, not one text"),
        ([None], {}, "Example 0 of input {column!r} is of type NoneType"),
        (["a", 3], {}, "Example 1 of input {column!r} is of type int"),
        (["a", ["b"]], {}, "Example 1 of input {column!r} is of type list"),
        (["a", float("nan")], {}, "type float"),
        (None, {}, "must be a list of values"),
        (7, {}, "must be a list of values"),
        ({"{column}": "a film"}, {}, "must be a list of values"),
        ({"nothing": ["a"]}, {}, "takes the inputs {column}; got nothing"),
        ({}, {}, "takes the inputs {column}"),
        (["a"], {"signature": "serving_defualt"}, "Did you mean 'serving_default'?"),
        (["a"], {"batch_size": 0}, "batch_size must be at least 1"),
    ],
)
def test_wrong_requests(examples, options, says, texts_only, refused):
    predictor = texts_only(NAME)
    column = predictor.input_names[0]
    if isinstance(examples, dict):
        examples = {key.format(column=column): value for key, value in examples.items()}
    with pytest.raises(zoo.UsageError) as raised:
        predictor.predict(examples, **options)
    assert says.format(column=column) in refused(raised)


def test_no_examples_no_answers(texts_only):
    predictor = texts_only(NAME)
    assert predictor.predict([]) == []
    assert predictor.predict({predictor.input_names[0]: ()}) == []


def test_any_iterable_of_texts_will_do(texts_only):
    import numpy as np
    import pandas as pd

    predictor = texts_only(NAME)
    texts = ["a film", "dull"]
    expected = predictor.predict(texts)
    for given in (tuple(texts), np.array(texts), pd.Series(texts), iter(texts)):
        assert predictor.predict(given) == expected


def test_there_is_no_such_model(refused):
    for name in (NAME[:-1] + "x", "runs/none", "", "x" * 5000, "a\0b"):
        with pytest.raises(zoo.UsageError) as raised:
            zoo.load(name)
        assert refused(raised)
    with pytest.raises(zoo.UsageError) as raised:
        zoo.load("nothing.py:x")
    assert "no recipe file" in refused(raised)


def test_the_newest_version_is_the_highest_number(tmp_path):
    for version in ("1", "2", "10", "9", "v11"):
        extra = tmp_path / version / "assets.extra"
        extra.mkdir(parents=True)
        (extra / "config.json").write_text("{}")
    (tmp_path / "12").write_text("a file")
    (tmp_path / ".export-13").mkdir()
    assert find(tmp_path) == tmp_path / "10"
    assert find(str(tmp_path / "9")) == tmp_path / "9"
    (tmp_path / "011").mkdir()
    with pytest.raises(zoo.UsageError, match="011 is neither a run folder"):
        find(tmp_path)


def test_a_folder_with_a_recipes_name_is_written_with_a_dot(run, tmp_path, monkeypatch):
    os.rename(run, tmp_path / NAME)
    monkeypatch.chdir(tmp_path)
    assert find(f"./{NAME}").resolve() == tmp_path / NAME


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("config.json", None, "has no config.json"),
        ("config.json", b"{}", "names no recipe"),
        ("config.json", b"[1]", "names no recipe"),
        ("config.json", b'{"recipe": ', "cannot be read"),
        ("config.json", b"\xff\xfe", "cannot be read"),
        ("assets.json", None, "is missing"),
        ("assets.json", b"", "cannot be read"),
    ],
)
def test_damaged_descriptions(file, content, says, run, refused):
    (run / file).unlink() if content is None else (run / file).write_bytes(content)
    with pytest.raises(zoo.ZooError) as raised:
        zoo.load(run)
    message = refused(raised)
    assert says in message
    assert str(run) in message


def test_a_run_without_weights(run, refused):
    for file in run.glob("*.keras"):
        file.unlink()
    with pytest.raises(zoo.ZooError) as raised:
        zoo.load(run)
    assert "no weights yet" in refused(raised)


def cut(data):
    return data[: len(data) // 2]


def flip(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flip, lambda data: b"", lambda data: b"no zip\n" * 99])
def test_damaged_weights(damage, run, refused):
    file = run / "model-best.keras"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(zoo.ZooError) as raised:
        _ = zoo.load(run).model
    message = refused(raised)
    assert f"{file} is damaged" in message


def test_weights_of_another_network(run, refused):
    loaded = zoo.load(run)
    resolved = json.loads((run / "config.json").read_text())
    for key, value in resolved["config"].items():  # a setting that is a size, whatever its name
        if type(value) is int and key not in ("epochs", "batch_size", "patience"):
            other = override(loaded.config, {key: value + 1})
            size = loaded.recipe.build(other, loaded.assets).count_params()
            if size != loaded.model.count_params():
                break
    resolved["config"][key] += 1
    (run / "config.json").write_text(json.dumps(resolved))
    with pytest.raises(zoo.ZooError) as raised:
        _ = zoo.load(run).model
    assert "of another network" in refused(raised)


def renamed_op(data):
    assert b"RegexReplace" in data or b"MatMul" in data
    return data.replace(b"StaticRegexReplace", b"StaticRegexReplacf").replace(b"MatMul", b"MatMum")


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("saved_model.pb", cut),
        ("saved_model.pb", lambda data: b""),
        ("saved_model.pb", renamed_op),
        ("variables/variables.data-00000-of-00001", cut),
        ("variables/variables.data-00000-of-00001", flip),
        ("variables/variables.index", cut),
        ("variables/variables.index", None),
    ],
)
def test_damaged_saved_models(file, damage, version, refused):
    path = version / file
    path.unlink() if damage is None else path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(zoo.ZooError) as raised:
        _ = zoo.load(version).signatures
    assert f"{version} is damaged" in refused(raised)


@pytest.fixture
def served():
    """A predictor of signatures that only repeat what they were given."""
    import tensorflow as tf

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.string, name="tokens"),
            tf.TensorSpec([None, None], tf.float32, name="numbers"),
        ]
    )
    def sequences(tokens, numbers):
        length = tf.reduce_sum(tf.cast(tokens != "", tf.int32), axis=1)
        return {
            "length": length,
            "tokens": tf.strings.upper(tokens),
            "pairs": tf.stack([numbers, -numbers], axis=-1),
            "width": tf.fill(tf.shape(length), tf.shape(tokens)[1]),
        }

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="text"),
            tf.TensorSpec([], tf.int32, name="times"),
        ]
    )
    def repeated(text, times):
        return {"text": tf.strings.reduce_join(tf.repeat(text[:, None], times, axis=1), axis=1)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.float32, name="audio"),
            tf.TensorSpec([None], tf.int32, name="length"),
        ]
    )
    def heard(audio, length):
        inside = tf.sequence_mask(length, tf.shape(audio)[1])
        return {"sum": tf.reduce_sum(tf.where(inside, audio, 0), axis=1), "samples": length}

    predictor = module.Predictor.__new__(module.Predictor)
    predictor.resolved, predictor.assets = {"recipe": "echo"}, {}
    predictor.recipe = zoo.get_recipe("imdb-lstm")  # one that reads what it is given
    predictor.signatures = {
        "serving_default": sequences,
        "repeated": repeated,
        "heard": heard,
    }
    return predictor


def test_sequences_are_padded_for_the_graph_and_cut_for_the_caller(served):
    answers = served.predict(
        {"tokens": [["a", "b", "é"], ["c"], []], "numbers": [[1, 2, 3], [4.5], []]}
    )
    assert [answer.pop("width") for answer in answers] == [3, 3, 3]
    assert answers == [
        {"pairs": [[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]], "tokens": ["A", "B", "é"]},
        {"pairs": [[4.5, -4.5]], "tokens": ["C"]},
        {"pairs": [], "tokens": []},
    ]
    with pytest.raises(zoo.UsageError, match="Example 0 of input 'tokens' is of type str"):
        served.predict({"tokens": ["a b"], "numbers": [[1.0]]})
    with pytest.raises(zoo.UsageError, match="Example 1 of input 'tokens' is of type int; it must"):
        served.predict({"tokens": [["a"], ["b", 2]], "numbers": [[1.0], [1.0]]})


def test_the_length_of_rows_is_filled_in_where_it_is_not_given(served):
    import numpy as np

    rows = [[1.0, 0.0], np.ones(3, "f4"), [], (2, 2)]
    expected = [
        {"samples": n, "sum": s} for n, s in zip([2, 3, 0, 2], [1.0, 3.0, 0.0, 4.0], strict=True)
    ]
    for given in (rows, iter(rows), {"audio": rows}, {"audio": iter(rows)}):
        assert served.predict(given, signature="heard") == expected
    given = {"audio": rows, "length": [1, 2, 0, 1]}
    assert [row["sum"] for row in served.predict(given, signature="heard")] == [1, 2, 0, 2]
    long = np.random.default_rng(0).random((2, 300_000)).astype("f4")
    begun = time.process_time()
    found = served.predict(list(long), signature="heard")
    assert time.process_time() - begun < 2  # as objects of Python it would be many times that
    np.testing.assert_allclose([row["sum"] for row in found], long.sum(axis=1), rtol=1e-5)
    for wrong in ("abc", {"audio": "abc"}, {"audio": ["abc"]}, [3.0], 7, {"length": [1]}):
        with pytest.raises(zoo.UsageError):
            served.predict(wrong, signature="heard")


def test_inputs_without_axes_are_options(served):
    ask = {"examples": ["ab", "c"], "signature": "repeated"}
    assert served.predict(**ask, times=2) == [{"text": "abab"}, {"text": "cc"}]
    assert served.predict(**ask, times=3, batch_size=1)[1] == {"text": "ccc"}
    with pytest.raises(zoo.UsageError, match="takes the options times; got none"):
        served.predict(**ask)
    with pytest.raises(zoo.UsageError, match="takes the options times; got times, beam"):
        served.predict(**ask, times=2, beam=3)
    with pytest.raises(zoo.UsageError, match="'times' takes values of type int32"):
        served.predict(**ask, times="two")


def pickled(predictor):
    return pickle.loads(pickle.dumps(predictor))


@pytest.mark.parametrize(
    ("form", "copied"),
    [
        ("run", copy.copy),
        ("run", pickled),
        ("version", copy.deepcopy),
        pytest.param("run", copy.deepcopy, marks=pytest.mark.slow),
        pytest.param("version", copy.copy, marks=pytest.mark.slow),
        pytest.param("version", pickled, marks=pytest.mark.slow),
    ],
)
def test_a_used_predictor_can_be_copied(form, copied, request, monkeypatch, tmp_path):
    folder = request.getfixturevalue(form)
    monkeypatch.chdir(folder.parent)
    used = zoo.load(f"./{folder.name}").with_limits({"max_bytes": 7})
    expected = used.predict(["a film of more bytes", "a"])
    again = copied(used)
    monkeypatch.chdir(tmp_path.parent)  # it finds its folder from elsewhere
    assert again.predict(["a film of more bytes", "a"]) == expected
    assert again.config == used.config
    assert again.assets == used.assets
    assert again.labels


def test_a_copy_whose_folder_is_gone_says_so(run, tmp_path):
    pickled = pickle.dumps(zoo.load(run))
    run.rename(tmp_path / "elsewhere")
    with pytest.raises(zoo.ZooError, match=r"assets\.json is missing"):
        pickle.loads(pickled)


def in_fork(action):
    """Calls a function in a forked process; returns the error's type and text, or None."""
    context = multiprocessing.get_context("fork")
    said = context.SimpleQueue()

    def child():
        try:
            action()
            said.put(None)
        except BaseException as error:
            said.put((type(error).__name__, str(error)))

    process = context.Process(target=child)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, for the same reason
        process.start()
    process.join(60)
    hung = process.is_alive()
    process.kill()
    assert not hung, "it waits for ever"
    return said.get()


def test_a_forked_process_says_that_it_cannot_compute(run):
    used = zoo.load(run)
    used.predict(["a"])
    for action in (
        lambda: used.predict(["a"]),
        lambda: used.model,
        lambda: zoo.load(run).predict(["a"]),
        lambda: zoo.evaluate(run),
        lambda: zoo.export(used, run / "exported"),
        lambda: zoo.create(NAME),
        lambda: zoo.train(NAME, run / "again", data="sample"),
    ):
        kind, text = in_fork(action)
        assert kind == "ZooError"
        assert "was forked from one in which TensorFlow had already computed" in text
        assert '"spawn"' in text
        assert "\n" not in text
    assert in_fork(lambda: used.config) is None  # what needs no TensorFlow


def test_a_process_forked_before_may_compute(monkeypatch):
    monkeypatch.setattr(processes, "_tensorflow_process", None)
    assert in_fork(processes.use_tensorflow) is None
    processes.use_tensorflow()
    assert in_fork(processes.use_tensorflow) is not None
