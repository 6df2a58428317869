"""KServe's protocol V2, asked by plain HTTP and by `tritonclient`."""

import json

import numpy as np
import pytest

INFER = "/v2/models/half/infer"


def tensor(name="x", datatype="FP32", shape=(2,), data=(1.0, 2.0), **more):
    return {"name": name, "datatype": datatype, "shape": shape, "data": data, **more}


def test_server_and_models_are_described(server):
    assert server.get("/v2").json["extensions"] == ["binary_tensor_data"]
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/half/ready",
                 "/v2/models/half/versions/1/ready"):  # fmt: skip
        assert server.get(path).code == 200
    assert server.get("/v2/models/half/versions/7/ready").code == 404
    assert server.get("/v2/models/half").json == {
        "name": "half",
        "versions": ["1", "2"],
        "platform": "tensorflow_savedmodel",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}],
    }


def test_inference(server):
    found = server.post(INFER, {"id": "7", "inputs": [tensor()]})
    assert found.json == {
        "model_name": "half",
        "model_version": "2",
        "id": "7",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [2], "data": [3.5, 4.0]}],
    }
    body = {
        "parameters": {"signature_name": "pair"},
        "inputs": [
            tensor("number", "INT32", [1, 2], [[1, 2]]),  # nested, too
            tensor("text", "BYTES", [1, 2], ["a", "é"]),
        ],
        "outputs": [{"name": "joined"}],
    }
    (output,) = server.post("/v2/models/half/versions/1/infer", body).json["outputs"]
    assert output == {"name": "joined", "datatype": "BYTES", "shape": [1], "data": ["a-é"]}


@pytest.mark.parametrize(
    "inputs",
    [
        None,
        [],
        [tensor("z")],
        [tensor(), tensor()],
        [tensor(datatype="FP64")],
        [tensor(shape=[3])],
        [tensor(shape=[2.0])],
        [tensor(shape=[1, 2])],
        [tensor(data="1")],
        [tensor(data=[1, [2]])],
        [tensor(parameters={"binary_data_size": 8})],
        [tensor(parameters=[])],
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(server, inputs):
    found = server.post(INFER, {"inputs": inputs})
    assert found.code == 400
    assert found.json["error"].endswith((".", "]"))


def test_binary_tensors_that_lie_are_refused(server):
    about = tensor(parameters={"binary_data_size": 8})
    del about["data"]
    head = json.dumps({"inputs": [about]}).encode()
    content = np.float32([1, 2]).tobytes()

    def ask(body, size):
        return server.post(INFER, body, Inference_Header_Content_Length=str(size)).code

    assert ask(head + content, len(head)) == 200
    assert ask(head + content[:5], len(head)) == 400
    assert ask(head, 10**9) == 400
    assert ask(head, "x") == 400


def test_unknown_models(server):
    found = server.post("/v2/models/no/infer", {"inputs": []})
    assert found.code == 404
    assert "error" in found.json


@pytest.mark.slow
def test_the_client_of_triton(server):
    client_of = pytest.importorskip("tritonclient.http", reason="tritonclient is not installed")
    client = client_of.InferenceServerClient(f"127.0.0.1:{server.running.rest_port}")
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("half", "1")
    assert client.get_model_metadata("half")["versions"] == ["1", "2"]
    for binary in (True, False):
        number = client_of.InferInput("number", [1, 2], "INT32")
        number.set_data_from_numpy(np.int32([[1, 2]]), binary_data=binary)
        text = client_of.InferInput("text", [1, 2], "BYTES")
        text.set_data_from_numpy(np.array([[b"a", "é".encode()]], object), binary_data=binary)
        wanted = client_of.InferRequestedOutput("joined", binary_data=binary)
        answer = client.infer(
            "half", [number, text], outputs=[wanted], parameters={"signature_name": "pair"}
        )
        value = answer.as_numpy("joined").tolist()
        assert [each if isinstance(each, bytes) else each.encode() for each in value] == [
            "a-é".encode()
        ]
