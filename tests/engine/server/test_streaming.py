"""Text that comes as it is generated, and a server that stops."""

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tests.support.waiting import wait_until
from zoo.errors import UsageError
from zoo.recipe import Option
from zoo.server.config import ModelConfig
from zoo.serving.following import Follower

GENERATE = "/v1/models/half:generate"
FOLLOW = "/v1/models/half:follow"


class Predictor:
    """Streams what it is told to; only `prompt` is known."""

    name = "half"
    labels = ()
    recipe = SimpleNamespace(seeds=(Option("prompt", "Text to continue."),))

    def stream(self, *, prompt="", steps=3, **others):
        if others or not isinstance(prompt, str):
            raise UsageError("stream takes prompt and steps.")
        return iter([f"{prompt}{number}" for number in range(steps)])


@pytest.fixture
def generating(server):
    """The server, whose newest version has a predictor that generates."""
    servable = server.running.service.models.find("half").servable
    servable.predictor = Predictor()
    yield server
    servable.predictor = None


def events(text):
    found = []
    for block in text.split("\n\n")[:-1]:
        kind = re.search("event: (.*)", block)
        found.append((kind and kind[1], json.loads(re.search("data: (.*)", block)[1])))
    return found


def test_text_comes_as_it_is_generated(generating):
    found = generating.post(GENERATE, {"prompt": "é", "steps": 2})
    assert found.headers["content-type"].startswith("text/event-stream")
    assert events(found.text) == [
        (None, {"text": "é0"}),
        (None, {"text": "é1"}),
        ("end", {"count": 2}),
    ]
    version = generating.running.service.models.find("half")
    assert wait_until(lambda: version.users == 0, 5)


def test_what_cannot_be_generated_is_refused(generating, server):
    for asked, message in (
        ({"temperature": "x"}, "stream takes prompt"),
        ({"prime": "/etc/passwd"}, "'prime' names a file"),
        ({"foo": "x", "seed": 1}, "half takes no 'foo' to begin with; it takes prompt."),
        ({"prompd": "x"}, "it takes prompt. Did you mean 'prompt'?"),
    ):
        found = generating.post(GENERATE, asked)
        assert found.code == 400
        assert message in found.json["error"]
        assert "There is" not in found.json["error"]
    found = server.post("/v1/models/half/versions/1:generate", {})
    assert "generates text" in found.json["error"]


class Listener:
    """Answers parts of an input: their sum so far is settled, their number may change."""

    name = "listener"
    labels = ()

    def follower(self):
        specs = [
            tf.TensorSpec(shape, dtype, name=name)
            for name, shape, dtype in (
                ("values", [None, None], tf.float32),
                ("length", [None], tf.int32),
                ("state", [None, None], tf.float32),
                ("state_length", [None], tf.int32),
                ("state_settled", [None], tf.int32),
                ("last", [None], tf.bool),
            )
        ]

        @tf.function(input_signature=specs)
        def chunk(values, length, state, state_length, state_settled, last):
            total = tf.reduce_sum(values, 1) + tf.reduce_sum(state, 1)
            end = tf.where(last, ".", "")
            return {
                "text": tf.strings.as_string(total, precision=3) + end,
                "partial": tf.strings.as_string(state_settled + length),
                "state": total[:, tf.newaxis],
                "state_length": tf.ones_like(length),
                "state_settled": state_settled + length,
                "valid": length < 50_000,
                "problem": tf.where(length < 50_000, "", "Too long."),
            }

        return Follower(chunk)


@pytest.mark.parametrize("part", ["abc", ["a"], {}, {5: 1}, None, [[0.0], [1.0, 2.0]]])
def test_a_part_is_a_list_of_numbers(part):
    follower = Listener().follower()
    follower.add([1.0, 2.0])
    with pytest.raises(UsageError, match="A part must be a list of numbers; got") as caught:
        follower.add(part)
    assert "\n" not in str(caught.value)
    assert follower.add([4.0], last=True)["text"] == "7.000."


@pytest.fixture
def listening(server):
    servable = server.running.service.models.find("half").servable
    before, servable.predictor = servable.predictor, Listener()
    yield server
    servable.predictor = before


def test_an_input_is_answered_while_it_arrives(listening):
    values = np.full(4_000, 2**13, "<i2").tobytes()  # a quarter each
    host, port = listening.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        head = f"POST {FOLLOW} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.sendall(head.encode() + b"%x\r\n%s\r\n" % (len(values), values))
        answers = client.makefile("rb")
        first = next(line for line in answers if line.startswith(b"data"))
        assert json.loads(first[5:]) == {"text": "1000.000", "partial": "4000"}
        client.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(values), values))
        second, third, end = (
            json.loads(line[5:])
            for line in itertools.islice((x for x in answers if x.startswith(b"data")), 3)
        )
    assert second["text"] == "2000.000"
    assert third == {"text": "2000.000.", "partial": "8000"}
    assert end == {"count": 8_000}
    version = listening.running.service.models.find("half")
    assert wait_until(lambda: version.users == 0, 5)


def test_an_input_that_cannot_be_followed_is_refused(listening, server):
    found = events(listening.post(FOLLOW, b"\0" * 5_001).text)
    assert "number of bytes is odd" in found[-1][1]["error"]
    assert found[-1][0] == "error"
    most = server.running.service.max_body
    server.running.service.max_body = 6_000
    try:
        found = events(listening.post(FOLLOW, b"\0" * 8_000).text)
    finally:
        server.running.service.max_body = most
    assert "larger than 6,000 bytes" in found[-1][1]["error"]
    found = server.post("/v1/models/half/versions/1:follow", b"")
    assert found.code == 400
    assert "answers a stream" in found.json["error"]


def test_a_client_that_stops_sending_is_told(listening, monkeypatch):
    monkeypatch.setattr(listening.running.service, "timeout", 0.3)
    host, port = listening.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        head = f"POST {FOLLOW} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
        client.sendall(head.encode())
        line = next(line for line in client.makefile("rb") if line.startswith(b"data"))
    assert "No part of the body arrived within 0.3 seconds" in json.loads(line[5:])["error"]


def test_a_server_that_stops_answers_what_it_has_begun(base, serving):
    with serving([ModelConfig("half", base)], drain_seconds=0.5) as client:
        codes = []

        def ask():
            for _ in range(20):
                found = client.post("/v1/models/half:predict", {"instances": [0.0]})
                codes.append((found.code, found.headers.get("connection")))

        ask()
        assert {code for code, _ in codes} == {200}
        client.loop.call_soon_threadsafe(client.running.stop)
        assert wait_until(lambda: client.get("/healthz").code == 503, 5)
        codes.clear()
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        assert set(codes) == {(200, "close")}


@pytest.mark.slow
def test_the_command_serves_and_stops_when_it_is_told_to(base, tmp_path):
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "zoo", "serve", base, "--rest-port", "0", "--grpc-port", "0"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ,
        )
    with process:
        line = process.stdout.readline()
        assert line.startswith("Serving half at http://127.0.0.1:"), line
        port = re.search(r":(\d+),", line)[1]
        body = b'{"instances": [0.0]}'
        url = f"http://127.0.0.1:{port}/v1/models/half:predict"
        with urllib.request.urlopen(url, body, timeout=60) as answer:
            assert json.loads(answer.read()) == {"predictions": [3.0]}
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["event"] for line in lines][-1] == "stopped"
    (request,) = [line for line in lines if line["event"] == "request"]
    assert (request["model"], request["code"], request["api"]) == ("half", "OK", "REST/predict")


@pytest.mark.slow
def test_a_recipe_streams_what_it_generates(run_of, serving):
    config = ModelConfig("writer", run_of("shakespeare-lstm"), single=True)
    with serving([config]) as client:
        asked = {"prompt": "ROMEO:", "steps": 12, "seed": 1}
        *texts, end = events(client.post("/v1/models/writer:generate", asked).text)
        assert end == ("end", {"count": 12})
        servable = client.running.service.models.find("writer").servable
        expected = list(servable.predictor.stream(**asked))
        assert [value["text"] for _, value in texts] == expected


@pytest.mark.slow
def test_a_recipe_writes_down_what_it_hears_while_it_is_said(run_of, serving):
    from recipes.audio.recordings import VOICES, read_recording

    config = ModelConfig("digits", run_of("digits-ctc"), single=True)
    samples = read_recording(VOICES["314_jackson.wav"])
    body = (np.asarray(samples) * 2**15).astype("<i2").tobytes()
    with serving([config]) as client:
        *found, end = events(client.post("/v1/models/digits:follow", body).text)
        assert end == ("end", {"count": len(samples)})
        servable = client.running.service.models.find("digits").servable
        parts = np.array_split(np.frombuffer(body, "<i2").astype("float32") / 2**15, 3)
        expected = [answer["text"] for answer in servable.predictor.follow(parts)]
        assert " ".join(each["text"] for _, each in found).split() == " ".join(expected).split()


def test_nothing_is_left_when_a_client_goes(generating):
    """The version that a stream uses is free again when its client hangs up."""
    version = generating.running.service.models.find("half")
    version.servable.predictor.stream = lambda **given: iter(lambda: "x", None)  # without end
    with urllib.request.urlopen(generating.url + GENERATE, b"{}", timeout=10) as answer:
        assert answer.readline().startswith(b"data: ")
        assert version.users == 1
    assert wait_until(lambda: version.users == 0, 10)
