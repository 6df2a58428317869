"""Every recipe in ONNX and LiteRT: what the network answers is what Keras answers."""

import json

import numpy as np
import pytest
import tensorflow as tf

from zoo.errors import ZooError
from zoo.serving.portable import bundle
from zoo.training.keras_private import layers_of

TOLERANCE = 1e-5


def examples_of(predictor):
    """Returns the inputs of the network of some rows of the sample, without padding."""
    batches = predictor.recipe.batches(
        predictor.config, predictor.assets, predictor.recipe.dataset.sample()
    )
    first = bundle.network(predictor).inputs[0].name
    rows = []
    for number in range(min(batches.rows, 4)):
        x, _ = batches.take(np.array([number]))
        rows.append(
            {
                name: np.asarray(v)[0]
                for name, v in (x if isinstance(x, dict) else {first: x}).items()
            }
        )
    return rows


def together(rows):
    """Puts rows into one batch, padded with 0."""
    batch = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        longest = [max(sizes) for sizes in zip(*(v.shape for v in values), strict=True)]
        batch[name] = np.stack(
            [
                np.pad(v, [(0, n - m) for n, m in zip(longest, v.shape, strict=True)] or 0)
                for v in values
            ]
        )
    return batch


def keras_answer(function, batch):
    given = {name: tf.constant(value) for name, value in batch.items()}
    return {name: value.numpy() for name, value in function.call(**given).items()}


def batch_of(row):
    return {name: value[np.newaxis] for name, value in row.items()}


def assert_equal(found, due):
    for name, value in due.items():
        given = found[name][:, : value.shape[1]] if value.ndim > 2 else found[name]
        scale = max(1.0, float(np.abs(value).max()))
        np.testing.assert_allclose(given, value, atol=TOLERANCE * scale, err_msg=name)


def inputs_of(function):
    """Returns a row of input of a part of a model: ids, and a state that is not zeros."""
    chance = np.random.default_rng(0)
    given = {}
    for spec in function.inputs:
        shape = [size or 3 for size in (1, *spec.shape[1:])]
        values = chance.normal(size=shape) if spec.dtype.is_floating else np.ones(shape)
        given[spec.name] = values.astype(spec.dtype.as_numpy_dtype)
    return given


def assert_same_part(run, function):
    given = inputs_of(function)
    assert_equal(run(given), keras_answer(function, given))


# Networks that ONNX cannot hold, by their module: what is said of them.
LACKING = {"recipes.reviews": "ONNX can only concatenate the two directions"}
STATE = "carries a state from one call to the next"


def carries_a_state(predictor):
    """Whether a network begins a batch with the state in which the batch before has ended."""
    return any(type(layer).__name__ == "CarriedLSTM" for layer in layers_of(predictor.model))


def lacking(predictor):
    """Why ONNX cannot hold a network; None if it can."""
    if carries_a_state(predictor):
        return STATE
    return LACKING.get(predictor.recipe.module.__name__)


@pytest.mark.few("reviews", "words")
def test_what_a_format_cannot_hold_is_said(chosen, predictor_of):
    predictor = predictor_of(chosen)
    if reason := lacking(predictor):
        pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
        from zoo.serving.portable.onnx_graph import convert

        with pytest.raises(ZooError, match=reason):
            convert(*bundle.network(predictor), predictor.model)
    if carries_a_state(predictor):
        pytest.importorskip("ai_edge_litert", reason="needs the extra [litert]")
        from zoo.serving.portable import litert

        with pytest.raises(ZooError, match=STATE):
            litert.convert(*bundle.network(predictor))


@pytest.mark.served
def test_onnx(chosen, predictor_of):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
    from zoo.serving.portable.onnx_graph import convert

    predictor = predictor_of(chosen)
    if reason := lacking(predictor):
        pytest.skip(reason)
    for name, function in bundle.functions(predictor).items():
        proto = convert(*function, predictor.model, {"rnn-zoo": "{}"})
        assert "Loop" not in {node.op_type for node in proto.graph.node}
        session = onnxruntime.InferenceSession(
            proto.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]

        def run(inputs, session=session, names=names):
            called = [each.removeprefix("next_") for each in names]
            return dict(zip(called, session.run(names, inputs), strict=True))

        if name != "model":
            assert_same_part(run, function)
            continue
        rows = examples_of(predictor)
        batch = run(together(rows))
        for number, row in enumerate(rows):
            due = keras_answer(function, batch_of(row))
            assert_equal(run(batch_of(row)), due)
            assert_equal({key: value[number : number + 1] for key, value in batch.items()}, due)


@pytest.mark.served
def test_litert(chosen, predictor_of, tmp_path, capfd):
    pytest.importorskip("ai_edge_litert", reason="needs the extra [litert]")
    from zoo.serving.portable import litert, reader

    predictor = predictor_of(chosen)
    if carries_a_state(predictor):
        pytest.skip(STATE)
    parts = bundle.functions(predictor)
    stored = json.dumps(bundle.describe(predictor, parts))
    (tmp_path / "model.json").write_text(stored)
    for name, function in parts.items():
        file = litert.with_metadata(litert.convert(*function), "rnn-zoo", stored)
        assert "WARNING" not in capfd.readouterr().err
        assert b"Flex" not in file.replace(stored.encode(), b"")
        (tmp_path / f"{name}.tflite").write_bytes(file)
        model = reader.load(tmp_path / f"{name}.tflite")
        if name != "model":
            assert_same_part(lambda given, model=model: model.run(**given), function)
            continue
        for row in examples_of(predictor)[:2]:
            batch = batch_of(row)
            assert_equal(model.run(**batch), keras_answer(function, batch))
