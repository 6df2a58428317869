"""TF Serving's gRPC interface, asked by the stubs of tensorflow-serving-api."""

import asyncio
import socket

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from zoo.errors import UsageError, ZooError


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.running.grpc_port}") as channel:
        yield channel


@pytest.fixture(scope="module")
def predictions(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def request(
    kind=predict_pb2.PredictRequest, *, name="half", signature="", version=None, label=None
):
    made = kind()
    made.model_spec.name = name
    made.model_spec.signature_name = signature
    if version is not None:
        made.model_spec.version.value = version
    if label is not None:
        made.model_spec.version_label = label
    return made


def predict(predictions, inputs, *, outputs=(), **spec):
    made = request(**spec)
    for name, value in inputs.items():
        made.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    made.output_filter.extend(outputs)
    answer = predictions.Predict(made, timeout=30)
    return answer, {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}


def add_example(given, **features):
    example = given.example_list.examples.add()
    for name, value in features.items():
        place = example.features.feature[name]
        (place.bytes_list if isinstance(value, bytes) else place.float_list).value.append(value)


def test_predict(predictions):
    answer, outputs = predict(predictions, {"x": np.float32([1, 2])})
    np.testing.assert_array_equal(outputs["y"], np.float32([3.5, 4]))
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half", 2, "serving_default")
    for spec in ({"version": 1}, {"label": "stable"}):
        assert predict(predictions, {"x": np.float32([0])}, **spec)[1]["y"] == [2.0]


def test_predict_returns_the_outputs_that_are_asked_for(predictions):
    inputs = {"number": np.int32([[1]]), "text": np.array([[b"\xff"]], object)}
    _, outputs = predict(predictions, inputs, signature="pair", outputs=["joined", "number"])
    assert outputs.keys() == {"joined", "number"}
    assert outputs["joined"].tolist() == [b"\xff"]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"name": "no"}, "NOT_FOUND", "Servable not found for request: Latest(no)"),
        ({"version": 7}, "NOT_FOUND", "Servable not found for request: Specific(half, 7)"),
        ({"label": "x"}, "INVALID_ARGUMENT", "Unrecognized servable version label: x"),
        ({"signature": "x"}, "INVALID_ARGUMENT", 'Serving signature name: "x" not found'),
        ({"name": ""}, "INVALID_ARGUMENT", "Missing model name"),
        ({"inputs": {}}, "INVALID_ARGUMENT", "The inputs must be x"),
        (
            {"inputs": {"x": np.int32([1])}},
            "INVALID_ARGUMENT",
            "is of type int32; expected float32",
        ),
        ({"inputs": {"x": np.float32([[1]])}}, "INVALID_ARGUMENT", "has the shape (1, 1)"),
        ({"outputs": ["z"]}, "INVALID_ARGUMENT", "output tensor alias not found in signature"),
        (
            {"signature": "positive", "inputs": {"x": np.float32([-1])}},
            "INVALID_ARGUMENT",
            "x",
        ),
    ],
)
def test_what_is_wrong_has_a_code_and_a_sentence(predictions, change, code, message):
    change = {"inputs": {"x": np.float32([1])}, **change}
    with pytest.raises(grpc.RpcError) as raised:
        predict(predictions, change.pop("inputs"), **change)
    assert raised.value.code() == grpc.StatusCode[code]
    assert message in raised.value.details()


@pytest.mark.parametrize(
    "text",
    [
        "dtype: DT_FLOAT tensor_shape { dim { size: 1000000000000 } } float_val: 1",
        "dtype: DT_FLOAT tensor_shape { dim { size: -1 } } float_val: 1",
        "dtype: DT_FLOAT tensor_shape { unknown_rank: true }",
        "dtype: DT_FLOAT tensor_shape { dim { size: 3 } } tensor_content: '1234'",
        "dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 1 float_val: 2",
        "dtype: 99",
    ],
)
def test_tensors_that_lie_are_refused(predictions, text):
    made = request()
    text_format.Parse(text, made.inputs["x"])
    with pytest.raises(grpc.RpcError) as raised:
        predictions.Predict(made, timeout=30)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_classify_regress_and_both(predictions):
    asked = request(classification_pb2.ClassificationRequest, signature="classes")
    add_example(asked.input, text=b"bad")
    (row,) = predictions.Classify(asked).result.classifications
    assert [(each.label, each.score) for each in row.classes] == [("0", 1.0), ("1", 0.0)]
    asked = request(regression_pb2.RegressionRequest, version=1)
    add_example(asked.input, x=4.0)
    assert [each.value for each in predictions.Regress(asked).result.regressions] == [4.0]
    asked = inference_pb2.MultiInferenceRequest()
    add_example(asked.input, x=4.0, text=b"bad")
    for signature, method in (("", "regress"), ("classes", "classify")):
        task = asked.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "half", signature
    first, second = predictions.MultiInference(asked).results
    assert first.regression_result.regressions[0].value == 5.0
    assert second.classification_result.classifications[0].classes[0].score == 1.0
    with pytest.raises(grpc.RpcError, match="Input is empty"):
        predictions.Classify(request(classification_pb2.ClassificationRequest))


def test_metadata(predictions):
    asked = request(get_model_metadata_pb2.GetModelMetadataRequest)
    asked.metadata_field.append("signature_def")
    answer = predictions.GetModelMetadata(asked)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(found)
    assert found.signature_def["serving_default"].inputs["x"].dtype == tf.float32.as_datatype_enum
    assert answer.model_spec.version.value == 2


def test_status_of_versions(models):
    answer = models.GetModelStatus(request(get_model_status_pb2.GetModelStatusRequest))
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert [(s.version, s.state) for s in answer.model_version_status] == [
        (2, available),
        (1, available),
    ]
    with pytest.raises(grpc.RpcError, match="Could not find any versions of model no"):
        models.GetModelStatus(request(get_model_status_pb2.GetModelStatusRequest, name="no"))


def test_clients_choose_models_only_where_they_may(models, base, serving, saved_models):
    from zoo.server.config import ModelConfig

    asked = model_management_pb2.ReloadConfigRequest()
    asked.config.model_config_list.config.add(name="other", base_path=str(saved_models))
    with pytest.raises(grpc.RpcError) as raised:
        models.HandleReloadConfigRequest(asked)
    assert raised.value.code() == grpc.StatusCode.PERMISSION_DENIED
    with (
        serving([ModelConfig("half", base)], allow_reload=True) as client,
        grpc.insecure_channel(f"127.0.0.1:{client.running.grpc_port}") as channel,
    ):
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        assert stub.HandleReloadConfigRequest(asked).status.error_code == 0
        assert client.post("/v1/models/other:predict", {"instances": [0]}).code == 200
        assert client.post("/v1/models/half:predict", {"instances": [0]}).code == 404


def test_a_port_in_use_is_said_before_models_are_loaded(base, monkeypatch):
    from zoo.server import run
    from zoo.server.config import ModelConfig

    monkeypatch.setattr(run, "answering", None)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        options = run.ServeOptions(rest_port=None, grpc_port=port)
        with pytest.raises(UsageError, match=f"port {port}: .* --grpc-port, or give --no-grpc"):
            asyncio.run(run.serve_async([ModelConfig("half", base)], options))


@pytest.mark.parametrize("taken", ["by the same server", "by a server that loads its models"])
def test_a_port_of_http_is_said_before_models_are_loaded(base, monkeypatch, taken):
    from zoo import listening
    from zoo.server import run
    from zoo.server.config import ModelConfig

    monkeypatch.setattr(run, "answering", None)
    with listening.bind("127.0.0.1", 0, "--rest-port") as bound:
        port = bound.getsockname()[1]
        rest_port = None
        if taken == "by the same server":
            bound.close()
            rest_port = port
        options = run.ServeOptions(rest_port=rest_port, grpc_port=port)
        with pytest.raises(UsageError, match=f"port {port}: .* --grpc-port, or give --no-grpc"):
            asyncio.run(run.serve_async([ModelConfig("half", base)], options))


def test_both_ports_are_held_while_models_are_loaded(base, monkeypatch):
    from zoo import listening
    from zoo.server import run
    from zoo.server.config import ModelConfig

    with listening.bind("127.0.0.1", 0, "") as one, listening.bind("127.0.0.1", 0, "") as other:
        ports = [each.getsockname()[1] for each in (one, other)]
    told = []

    def answering(configs, options):
        for port in ports:
            with pytest.raises(UsageError) as raised:
                listening.bind("127.0.0.1", port, "--grpc-port")
            told.append(str(raised.value))
        raise ZooError("It cannot be loaded.")

    monkeypatch.setattr(run, "answering", answering)
    options = run.ServeOptions(rest_port=ports[0], grpc_port=ports[1])
    with pytest.raises(ZooError, match="cannot be loaded"):
        asyncio.run(run.serve_async([ModelConfig("half", base)], options))
    assert len(told) == 2
    for port in ports:  # free again
        listening.bind("127.0.0.1", port, "--grpc-port").close()


def test_a_server_that_cannot_start_says_why(base, monkeypatch):
    from zoo.server import run
    from zoo.server.config import ModelConfig

    async def startup(self, sockets=None):
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(run._Server, "startup", startup)
    options = run.ServeOptions(rest_port=0, grpc_port=None, drain_seconds=0)
    with pytest.raises(OSError, match="Address already in use"):
        asyncio.run(
            asyncio.wait_for(run.serve_async([ModelConfig("half", base)], options), timeout=60)
        )


def test_health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "tensorflow.serving.PredictionService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_token_is_asked_for(base, serving):
    from zoo.server.config import ModelConfig

    with (
        serving([ModelConfig("half", base)], token="secret") as client,
        grpc.insecure_channel(f"127.0.0.1:{client.running.grpc_port}") as channel,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        made = request()
        made.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([0])))
        for metadata in ((), [("authorization", "Bearer x")]):
            with pytest.raises(grpc.RpcError) as raised:
                stub.Predict(made, metadata=metadata)
            assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
        stub.Predict(made, metadata=[("authorization", "Bearer secret")])
