"""Warm-up requests: what TF Serving replays before a version answers."""

import pytest
import tensorflow as tf
from support.runs import recipe_of_task
from tensorflow_serving.apis import prediction_log_pb2

import zoo

NAME = recipe_of_task("sentiment")
PLACE = "assets.extra/tf_serving_warmup_requests"


def logs(version):
    records = tf.data.TFRecordDataset(str(version / PLACE))
    return [prediction_log_pb2.PredictionLog.FromString(r.numpy()) for r in records]


@pytest.mark.served
def test_every_request_is_answered(chosen, export_of):
    model = zoo.load(export_of(chosen))
    sizes = []
    for log in logs(export_of(chosen)):
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        serve = model.signatures[request.model_spec.signature_name]
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        rows = {len(value) for value in inputs.values()}
        outputs = serve(**{key: tf.constant(value) for key, value in inputs.items()})
        assert {int(output.shape[0]) for output in outputs.values()} == rows
        sizes.append(*rows)
    assert len(sizes) == 8
    assert min(sizes) == 1 < max(sizes)  # single requests and batches


@pytest.mark.parametrize("records", [0, 1, 1000])
def test_as_many_as_asked_for(records, predictor_of, tmp_path):
    version = zoo.export(predictor_of(NAME), tmp_path, warmup=records)
    assert (version / PLACE).exists() == (records > 0)
    assert records == 0 or len(logs(version)) == records


@pytest.mark.parametrize("records", [-1, 1001])
def test_no_more_than_tf_serving_takes(records, predictor_of, tmp_path, refused):
    with pytest.raises(zoo.UsageError) as raised:
        zoo.export(predictor_of(NAME), tmp_path / "new", warmup=records)
    assert "between 0 and 1000" in refused(raised)
    assert not (tmp_path / "new").exists()
