"""A server that all tests here share, with small SavedModels whose answers are known."""

import asyncio
import contextlib
import json
import os
import shutil
import threading
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest


def write_model(folder, plus=2.0, broken=False):
    """Writes a SavedModel that halves numbers and adds `plus`, and has further signatures."""
    import tensorflow as tf

    def function(*specs):
        return lambda body: tf.function(body, input_signature=list(specs))

    def spec(name, dtype, *shape):
        return tf.TensorSpec([None, *shape], dtype, name=name)

    module = tf.Module()
    module.plus = tf.Variable(plus)

    @function(spec("x", tf.float32))
    def half_plus(x):
        return {"y": x / 2 + module.plus}

    @function(spec("number", tf.int32, None), spec("text", tf.string, None))
    def pair(number, text):
        joined = tf.strings.reduce_join(text, axis=1, separator="-")
        return {"number": number + 1, "joined": joined, "raw_bytes": joined}

    @function(spec("values", tf.float32, 2))
    def echo(values):
        return {"values": values}

    @function(spec("text", tf.string), tf.TensorSpec([], tf.int32, name="times"))
    def repeat(text, times):
        size = tf.strings.length(text)
        return {
            "text": text,
            "count": size * times,
            "right": tf.fill(tf.shape(size), tf.equal(times, 2)),
        }

    @function(spec("text", tf.string))
    def classify(text):
        bad = tf.cast(tf.equal(text, "bad"), tf.float32)
        return {"probabilities": tf.stack([bad, 1 - bad], axis=1)}

    @function(spec("x", tf.float32))
    def positive(x):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x >= 0), ["x", x])]):
            return {"root": tf.sqrt(x)}

    @function(spec("words", tf.string, None))
    def lengths(words):
        size = tf.strings.length(words)
        return {"size": size, "length": tf.math.count_nonzero(size, 1, dtype=tf.int32)}

    signatures = {
        "serving_default": half_plus,
        "pair": pair,
        "echo": echo,
        "repeat": repeat,
        "classes": classify,
        "positive": positive,
        "lengths": lengths,
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)
    if broken:
        (folder / "saved_model.pb").write_bytes(b"\xff" * 100)


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory):
    """A folder with SavedModels `2` and `3`, which add 2 and 3, and the broken `bad`."""
    folder = tmp_path_factory.mktemp("saved")
    write_model(folder / "2", 2.0)
    write_model(folder / "3", 3.0)
    shutil.copytree(folder / "2", folder / "bad")
    (folder / "bad" / "saved_model.pb").write_bytes(b"\xff" * 100)
    return folder


class Client:
    """Asks a server over HTTP."""

    def __init__(self, running):
        self.running = running
        self.url = f"http://127.0.0.1:{running.rest_port}"

    def get(self, path, **headers):
        return self._send("GET", path, None, headers)

    def post(self, path, body, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._send("POST", path, content, headers)

    def _send(self, method, path, content, headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return self._read(answer)
        except urllib.error.HTTPError as error:
            with error:
                return self._read(error)

    def _read(self, answer):
        text = answer.read().decode()
        is_json = answer.headers.get_content_type() == "application/json"
        value = json.loads(text) if is_json else None
        return SimpleNamespace(
            code=answer.status, text=text, json=value, headers=dict(answer.headers.items())
        )

    def on_loop(self, make):
        """Runs a coroutine in the server's event loop."""
        return asyncio.run_coroutine_threadsafe(make(self.running.service), self.loop).result(60)


@contextlib.contextmanager
def running_server(configs, **settings):
    """Runs a server in a thread, at free ports; yields a client."""
    from zoo.server.run import ServeOptions, serve_async

    options = ServeOptions(
        **{"rest_port": 0, "grpc_port": 0, "drain_seconds": 0.05, "stop_seconds": 5, **settings}
    )
    started = threading.Event()
    made = {}

    async def main():
        made["loop"] = asyncio.get_running_loop()

        def on_start(running):
            made["running"] = running
            started.set()

        await serve_async(configs, options, on_start=on_start)

    def run():
        try:
            asyncio.run(main())
        except BaseException as error:
            made["error"] = error
            started.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(120)
    if "running" not in made:
        thread.join()
        raise made["error"]
    client = Client(made["running"])
    client.loop = made["loop"]
    try:
        yield client
    finally:
        made["loop"].call_soon_threadsafe(made["running"].stop)
        thread.join(60)
    assert "error" not in made, made
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def base(saved_models, tmp_path_factory):
    """A folder of versions 1 and 2, named `half`."""
    folder = tmp_path_factory.mktemp("models") / "half"
    shutil.copytree(saved_models / "2", folder / "1")
    shutil.copytree(saved_models / "3", folder / "2")
    return folder


@pytest.fixture(scope="session")
def server(base, tmp_path_factory):
    """A client of a server with two versions of one model, `half`, and their labels."""
    from zoo.server.config import read_model_config

    path = tmp_path_factory.mktemp("config") / "models.config"
    path.write_text(f"""
        model_config_list {{ config {{
            name: "half" base_path: "{base}" model_platform: "tensorflow"
            model_version_policy {{ all {{}} }}
            version_labels {{ key: "stable" value: 1 }}
            version_labels {{ key: "next" value: 9 }}
        }} }}""")
    with running_server(read_model_config(path), trust=False) as client:
        yield client


@pytest.fixture
def serving():
    """Runs a server of a test's own: takes `configs` and options, see `running_server`."""
    return running_server


@pytest.fixture(scope="session", autouse=True)
def quiet_environment():
    os.environ.pop("ZOO_SERVE_TOKEN", None)
