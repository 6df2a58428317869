"""`zoo serve --ray`: real replicas of Ray Serve on this machine."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

pytest.importorskip("ray", reason="Ray is not installed")
pytest.importorskip("fastapi", reason="Ray Serve is not installed")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_usage():
    from click.testing import CliRunner

    from zoo.cli.serve import serve

    for arguments, text in [
        (["--replicas", "2"], "--replicas needs --ray"),
        (["--ray", "--grpc-port", "0"], "HTTP only"),
        (["--ray", "--replicas", "3-1"], "not a number of replicas"),
        (["--ray", "--replicas", "x"], "not a number of replicas"),
    ]:
        done = CliRunner().invoke(serve, ["half", *arguments])
        assert done.exit_code == 2
        assert text in done.output


def ask(port, path, body=None):
    content = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", content, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.slow
def test_two_replicas_answer_follow_a_new_version_and_end(saved_models, tmp_path):
    shutil.copytree(saved_models / "2", tmp_path / "half" / "2")
    port = free_port()
    command = ["serve", f"half={tmp_path / 'half'}", "--ray", "--replicas", "2"]
    with (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "zoo", *command, "--rest-port", str(port)],
            stdout=subprocess.PIPE, stderr=errors, text=True,
            env={k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"},
        )  # fmt: skip
    try:
        assert process.stdout.readline() == f"Serving half at http://127.0.0.1:{port} on Ray\n"

        def answer():
            return ask(port, "/v1/models/half:predict", {"instances": [1.0]})["predictions"][0]

        assert {answer() for _ in range(20)} == {2.5}
        shutil.copytree(saved_models / "3", tmp_path / "new")
        (tmp_path / "new").rename(tmp_path / "half" / "3")
        # Until both replicas have it; no request fails meanwhile.
        last, end = [], time.monotonic() + 120
        while last[-50:] != [3.5] * 50 and time.monotonic() < end:
            last.append(answer())
        assert last[-50:] == [3.5] * 50
        assert set(last) <= {2.5, 3.5}
        assert ask(port, "/v2/models/half")["versions"]
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=120)[0]
    assert (process.returncode, rest) == (0, "")
    assert "Traceback" not in (tmp_path / "errors").read_text()
    with pytest.raises(urllib.error.URLError):
        ask(port, "/healthz")


@pytest.mark.slow
def test_what_a_replica_raises_is_one_line(saved_models, tmp_path):
    shutil.copytree(saved_models / "bad", tmp_path / "bad" / "1")
    command = ["serve", f"bad={tmp_path / 'bad'}", "--ray", "--rest-port", str(free_port())]
    done = subprocess.run(
        [sys.executable, "-m", "zoo", *command], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / "bad") in done.stderr
