"""TF Serving's REST interface: requests with the answers that it gives."""

import base64
import contextlib
import gzip
import http.client
import json
import socket
import time

import pytest

from zoo.errors import UsageError
from zoo.server.rest import refusal
from zoo.server.status import Refused

ASK = "/v1/models/half:predict"


def b64(content):
    return {"b64": base64.b64encode(content).decode()}


# signature, request, answer
GOLDEN = {
    "rows": ("", {"instances": [1.0, 2.0, 5.0]}, {"predictions": [3.5, 4.0, 5.5]}),
    "integers for floats": ("", {"instances": [1, 2]}, {"predictions": [3.5, 4.0]}),
    "rows with names": ("", {"instances": [{"x": 1.0}]}, {"predictions": [3.5]}),
    "columns": ("", {"inputs": [1.0, 2.0]}, {"outputs": [3.5, 4.0]}),
    "columns with names": ("", {"inputs": {"x": [0.0]}}, {"outputs": [3.0]}),
    "default by name": ("serving_default", {"instances": [0]}, {"predictions": [3.0]}),
    "no rows": ("", {"inputs": []}, {"outputs": []}),
    "several inputs by rows": (
        "pair",
        {
            "instances": [
                {"number": [1, 2], "text": ["a", "b"]},
                {"number": [3, 4], "text": [b64(b"\xff"), "é"]},
            ]
        },
        {
            "predictions": [
                {"number": [2, 3], "joined": "a-b", "raw_bytes": b64(b"a-b")},
                {
                    "number": [4, 5],
                    "joined": "\ufffd-é",
                    "raw_bytes": b64(b"\xff-" + "é".encode()),
                },
            ]
        },
    ),
    "several inputs by columns": (
        "pair",
        {"inputs": {"number": [[1]], "text": [["a"]]}},
        {"outputs": {"number": [[2]], "joined": ["a"], "raw_bytes": [b64(b"a")]}},
    ),
    "an option by columns": (
        "repeat",
        {"inputs": {"text": ["abc", ""], "times": 2}},
        {"outputs": {"text": ["abc", ""], "count": [6, 0], "right": [True, True]}},
    ),
    "an option by rows": (
        "repeat",
        {"instances": [{"text": "abc", "times": 1}, {"text": "a", "times": 1}]},
        {
            "predictions": [
                {"text": "abc", "count": 3, "right": False},
                {"text": "a", "count": 1, "right": False},
            ]
        },
    ),
    "an empty axis": (
        "lengths",
        {"instances": [[], []]},
        {"predictions": [{"size": [], "length": 0}, {"size": [], "length": 0}]},
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_answers_are_those_of_tensorflow_serving(server, case):
    signature, request, answer = GOLDEN[case]
    request = {**request, "signature_name": signature} if signature else request
    found = server.post(ASK, request)
    assert (found.code, found.json) == (200, answer)
    assert found.headers["content-type"] == "application/json"


def test_floats_have_a_point_and_may_be_no_numbers(server):
    body = (
        b'{"signature_name": "echo", "instances": [[NaN, Infinity], [-Infinity, 3], [0.1, 1e-5]]}'
    )
    found = server.post(ASK, body)
    assert found.text == ('{"predictions": [[NaN, Infinity], [-Infinity, 3.0], [0.1, 1e-05]]}')


REFUSED = {
    "nothing": (b"", "empty"),
    "no JSON": (b"{", "JSON Parse error"),
    "no UTF-8": (b'{"instances": ["\xff"]}', "JSON Parse error"),
    "too deep": (b"[" * 100_000, "JSON Parse error"),
    "a huge integer": (b'{"instances": [' + b"9" * 5000 + b"]}", "JSON Parse error"),
    "too many lists": (b'{"instances": [' + b"[]," * 300_000 + b"[]]}", "lists"),
    "no object": (b"[1]", "must be a JSON object; it is of type Array"),
    "no rows": ({"instances": []}, "empty list"),
    "neither": ({"signature_name": ""}, "Missing 'inputs' or 'instances' key"),
    "both": ({"instances": [1], "inputs": [1]}, "Not formatted correctly"),
    "signature of another type": ({"signature_name": 5, "instances": [1]}, "a string value"),
    "signature unknown": (
        {"signature_name": "x", "instances": [1]},
        'Serving signature name: "x" not found in signature def',
    ),
    "text for a number": (
        {"instances": ["1"]},
        'JSON Value: "1" Type: String is not of expected type: float',
    ),
    "truth for a number": ({"instances": [True]}, "Type: Boolean is not of expected type: float"),
    "nothing for a number": ({"instances": [None]}, "Type: Null is not of expected type: float"),
    "beyond float32": ({"instances": [1e300]}, "loss of precision"),
    "not exact in float32": ({"instances": [16777217]}, "loss of precision"),
    "lists of two lengths": (
        {"signature_name": "echo", "instances": [[1, 2], [3]]},
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    "a list beside a value": ({"instances": [1, [1]]}, "Expecting shape"),
    "another shape": ({"signature_name": "echo", "instances": [[1, 2, 3]]}, "(1, 3)"),
    "too many axes": (b'{"instances": [' + b"[" * 20 + b"1" + b"]" * 20 + b"]}", "axes"),
    "an object beside a list": (
        {"signature_name": "pair", "instances": [{"number": [1], "text": ["a"]}, [1]]},
        "Expecting object but got list",
    ),
    "a list beside an object": ({"instances": [1, {"x": 1}]}, "value/list but got object"),
    "a key too few": ({"signature_name": "pair", "instances": [{"number": [1]}]}, "number, text"),
    "a plain list": ({"signature_name": "pair", "instances": [1]}, "number, text"),
    "a float for an integer": (
        {"signature_name": "pair", "inputs": {"number": [[1.5]], "text": [["a"]]}},
        "Type: Number is not of expected type: int32",
    ),
    "an integer out of range": (
        {"signature_name": "pair", "inputs": {"number": [[2**40]], "text": [["a"]]}},
        "out of the range of int32",
    ),
    "no base64": ({"signature_name": "classes", "instances": [{"b64": "*"}]}, "is not base64"),
    "half of a pair": (b'{"signature_name": "classes", "instances": ["\\ud800"]}', "surrogate"),
    "rows that differ": (
        {"signature_name": "pair", "inputs": {"number": [[1], [2]], "text": [["a"]]}},
        "differ in their number of rows",
    ),
    "options that differ": (
        {"signature_name": "repeat", "instances": [{"text": "", "times": 1},
                                                   {"text": "", "times": 2}]},
        "must be the same in all rows",
    ),
    "what the graph refuses": ({"signature_name": "positive", "instances": [-1]}, "x"),
    "too many rows": ({"instances": [1.0] * 2000}, "1024 is the maximum"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said_in_a_sentence(server, case):
    body, message = REFUSED[case]
    found = server.post(ASK, body)
    assert found.code == 400, found.text
    assert list(found.json) == ["error"]
    assert message in found.json["error"]
    assert "\n" not in found.json["error"]
    assert len(found.json["error"]) <= 600


def test_versions_and_labels_choose(server):
    def answer(path):
        return server.post(path, {"instances": [0.0]}).json

    assert answer("/v1/models/half:predict") == {"predictions": [3.0]}  # the newest
    assert answer("/v1/models/half/versions/1:predict") == {"predictions": [2.0]}
    assert answer("/v1/models/half/labels/stable:predict") == {"predictions": [2.0]}
    assert answer("/V1/Models/%68alf/LABELS/st%61ble:PREDICT") == {"predictions": [2.0]}
    assert answer("/v1/models/half/labels/x:predict") == {
        "error": "Unrecognized servable version label: x"
    }


@pytest.mark.parametrize(
    ("method", "path", "code", "error"),
    [
        ("POST", "/v1/models/no:predict", 404, "Servable not found for request: Latest(no)"),
        (
            "POST",
            "/v1/models/half/versions/3:predict",
            404,
            "Servable not found for request: Specific(half, 3)",
        ),
        (  # a label may name a version that is not loaded yet
            "POST",
            "/v1/models/half/labels/next:predict",
            404,
            "Servable not found for request: Specific(half, 9)",
        ),
        ("GET", "/v1/models/no", 404, "Could not find any versions of model no"),
        ("GET", "/v1/models/half/versions/3", 404, "Could not find version 3 of model half"),
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/v1/models/", 400, "Missing model name in request."),
        ("GET", "/v1/others", 400, "Malformed request: GET /v1/others"),
        ("POST", "/v1/models/half:ask", 400, "Malformed request: POST /v1/models/half:ask"),
        ("POST", "/v1/models/half", 400, "Malformed request: POST /v1/models/half"),
        ("GET", "/v1/models/half:predict", 400, "Malformed request: GET /v1/models/half:predict"),
    ],
)
def test_paths_that_lead_nowhere(server, method, path, code, error):
    found = server.get(path) if method == "GET" else server.post(path, {"instances": [1]})
    assert (found.code, found.json) == (code, {"error": error})


def test_beyond_v1_there_is_a_bare_404(server):
    found = server.get("/v3/models/half")
    assert (found.code, found.text) == (404, "")


def test_status_of_versions(server):
    fine = {"error_code": "OK", "error_message": ""}
    assert server.get("/v1/models/half").json == {
        "model_version_status": [
            {"version": "2", "state": "AVAILABLE", "status": fine},
            {"version": "1", "state": "AVAILABLE", "status": fine},
        ]
    }
    one = server.get("/v1/models/half/labels/stable").json["model_version_status"]
    assert [each["version"] for each in one] == ["1"]


def test_metadata_describes_signatures(server):
    found = server.get("/v1/models/half/versions/1/metadata").json
    assert found["model_spec"] == {"name": "half", "signature_name": "", "version": "1"}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert signatures["serving_default"]["inputs"]["x"]["dtype"] == "DT_FLOAT"
    shape = signatures["pair"]["inputs"]["text"]["tensor_shape"]
    assert [dim["size"] for dim in shape["dim"]] == ["-1", "-1"]
    assert shape["unknown_rank"] is False  # what has its default is written, too
    assert signatures["echo"]["method_name"] == "tensorflow/serving/predict"


def pairs(*numbers):
    """Returns examples of the signature `pair`, one of each list of numbers."""
    examples = [{"number": number, "text": ["a"]} for number in numbers]
    return {"signature_name": "pair", "examples": examples}


def test_classify_and_regress(server):
    path = "/v1/models/half/versions/1"
    asked = {"signature_name": "classes", "examples": [{"text": "bad"}, {"text": ["fine"]}]}
    found = server.post(f"{path}:classify", asked)
    assert found.json == {"results": [[["0", 1.0], ["1", 0.0]], [["0", 0.0], ["1", 1.0]]]}
    found = server.post(f"{path}:regress", {"context": {"x": 2}, "examples": [{}, {"x": [4.0]}]})
    assert found.json == {"results": [3.0, 4.0]}
    for method, asked, message in (
        ("classify", {"examples": [{"x": 1.0}]}, "does not classify"),
        ("regress", {"examples": [{}]}, "no feature 'x'"),
        ("regress", {"examples": []}, "'examples' must be a list"),
        ("regress", {"examples": [{"x": "a"}]}, "must hold values of type float32"),
        ("regress", {"examples": [{"x": [1.0, 2.0]}]}, "must have one value"),
        ("classify", pairs([1], [1, 2]), "must have the same number of values in each example"),
        ("regress", pairs([1], [1, 2]), "must have the same number of values in each example"),
        ("classify", pairs([1], [1.5]), "must hold values of type int32"),
    ):
        found = server.post(f"{path}:{method}", asked)
        assert found.code == 400
        assert message in found.json["error"]


def test_bodies_may_be_compressed_and_not_too_large(server):
    body = gzip.compress(b'{"instances": [0.0]}')
    assert server.post(ASK, body, Content_Encoding="gzip").json == {"predictions": [3.0]}
    bomb = gzip.compress(b" " * 2**25)
    assert server.post(ASK, bomb, Content_Encoding="gzip").code == 413
    assert server.post(ASK, body[:-9], Content_Encoding="gzip").code == 400
    assert server.post(ASK, body, Content_Encoding="br").code == 415
    connection = http.client.HTTPConnection("127.0.0.1", server.running.rest_port)
    connection.putrequest("POST", ASK)
    connection.putheader("Content-Length", str(2**40))
    connection.endheaders()
    assert connection.getresponse().status == 413  # before the body is sent
    connection.close()


def test_requests_have_ids(server):
    assert server.get("/healthz", X_Request_Id="mine-1").headers["x-request-id"] == "mine-1"
    assert len(server.get("/healthz", X_Request_Id="a b").headers["x-request-id"]) == 16


def test_health_and_metrics(server):
    assert (server.get("/healthz").code, server.get("/healthz").text) == (200, "ok\n")
    server.post(ASK, {"instances": [1.0]})
    page = server.get("/monitoring/prometheus/metrics").text
    counts = [
        line
        for line in page.splitlines()
        if line.startswith(':tensorflow:serving:request_count{model_name="half",status="OK"}')
    ]
    assert len(counts) == 1
    assert float(counts[0].split()[-1]) >= 1
    assert "# TYPE :tensorflow:serving:request_count counter" in page
    assert ':tensorflow:serving:request_latency_bucket{API="predict",entrypoint="REST"' in page
    assert ':tensorflow:serving:runtime_latency_count{API="predict",model_name="half"' in page
    assert ":tensorflow:serving:model_warmup_latency_count" in page
    assert "_created" not in page


def test_a_token_is_asked_for(base, serving):
    from zoo.server.config import ModelConfig

    config = ModelConfig("half", base)
    with serving([config], token="secret", cors=["https://a.example"], max_body=2000) as client:
        assert client.get("/healthz").code == 200
        for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic secret"}):
            for path in ("/v1/models/half", "/monitoring/prometheus/metrics"):
                found = client.get(path, **header)
                assert found.code == 401
                assert found.headers["www-authenticate"] == "Bearer"
        assert client.get("/v1/models/half", Authorization="Bearer secret").code == 200
        body = b'{"instances": [' + b"1, " * 1000 + b"1]}"
        assert client.post(ASK, body, Authorization="Bearer secret").code == 413
        found = client.get("/healthz", Origin="https://a.example")
        assert found.headers["access-control-allow-origin"] == "https://a.example"
        found = client.get("/healthz", Origin="https://b.example")
        assert "access-control-allow-origin" not in found.headers


def test_a_token_comes_from_a_file_or_the_environment(tmp_path, monkeypatch):
    from zoo.server.run import TOKEN, read_token

    path = tmp_path / "token"
    assert read_token(None) == ""
    for text, token in ((" secret\n", "secret"), ("two words", None), ("caf\u00e9", None)):
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv(TOKEN, text)
        for place in (path, None):
            if token is not None:
                assert read_token(place) == token
                continue
            with pytest.raises(UsageError, match=f"{place or TOKEN} holds no token"):
                read_token(place)
    with pytest.raises(UsageError, match="Cannot read"):
        read_token(tmp_path / "missing")


def test_clients_that_are_slow_are_left(base, serving, monkeypatch):
    from tests.support.waiting import wait_until
    from zoo.server.config import ModelConfig
    from zoo.server.protocol import BoundedProtocol

    monkeypatch.setattr(BoundedProtocol, "head_seconds", 0.2)
    monkeypatch.setattr(BoundedProtocol, "write_seconds", 0.2)
    with serving([ModelConfig("half", base)], rest_api_timeout=0.4) as client:
        port = client.running.rest_port

        def send(content):
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            connection.sendall(content)
            return connection

        head = b"POST " + ASK.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n"
        with send(b"") as silent, send(b"GET /heal") as half_a_head, send(head + b"{") as half:
            start = time.monotonic()
            assert half.recv(1000).startswith(b"HTTP/1.1 408")
            for lost in (silent, half_a_head):
                with contextlib.suppress(ConnectionResetError):
                    assert lost.recv(1000) == b""
            assert time.monotonic() - start < 5
        # One that asks for much and reads nothing.
        page = b"GET /monitoring/prometheus/metrics HTTP/1.1\r\nHost: a\r\n\r\n"
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", port))
            deaf.sendall(page * 1000)

            def is_cut_off():
                try:
                    return not deaf.send(b"G")
                except OSError:
                    return True

            assert wait_until(is_cut_off, 20)
        assert client.get("/healthz").code == 200


def test_bytes_of_json_are_read_back(server):
    found = server.post(
        "/v1/models/half:predict",
        {"signature_name": "pair", "inputs": {"number": [[1]], "text": [["x" * 100_000]]}},
    )
    assert len(json.loads(found.text)["outputs"]["joined"][0]) == 100_000


def test_a_connection_that_is_kept_has_no_delay(server):
    """Packets that wait for an acknowledgement cost 40 ms a request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.running.rest_port)
    times = []
    for _ in range(20):
        start = time.monotonic()
        connection.request("POST", ASK, b'{"instances": [0.0]}')
        assert connection.getresponse().read() == b'{"predictions": [3.0]}'
        times.append(time.monotonic() - start)
    connection.close()
    assert sorted(times)[5] < 0.03


def test_names_of_clients_do_not_become_metrics(server):
    server.post("/v1/models/made-up:predict", {"instances": [1]})
    page = server.get("/monitoring/prometheus/metrics").text
    assert 'request_count{model_name="unknown",status="NOT_FOUND"}' in page
    assert "made-up" not in page


def test_codes_of_answers_are_tensorflow_servings():
    expected = {
        "INVALID_ARGUMENT": 400,
        "NOT_FOUND": 404,
        "PERMISSION_DENIED": 403,
        "UNAUTHENTICATED": 401,
        "RESOURCE_EXHAUSTED": 429,
        "UNAVAILABLE": 503,
        "DEADLINE_EXCEEDED": 504,
        "UNIMPLEMENTED": 501,
        "INTERNAL": 500,
    }
    for code, status in expected.items():
        answer = refusal(Refused(code, "a\nb"))
        assert answer.status_code == status
        assert json.loads(answer.body) == {"error": "a b"}
