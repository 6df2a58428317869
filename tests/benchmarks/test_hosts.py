"""Hosts made of network namespaces, and workers on them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import network
from benchmarks.hosts import CASES, try_hosts
from zoo.errors import ZooError

ROOT = Path(__file__).parents[2]
REASON = network.unavailable()
needs_hosts = pytest.mark.skipif(bool(REASON), reason=f"hosts cannot be made: {REASON}")

# Answers each byte; and prints how long one takes there and back.
SERVER = """
import socket
connection, _ = socket.create_server(("", 2222)).accept()
while data := connection.recv(1):
    connection.sendall(data)
"""
CLIENT = """
import socket, sys, time
until = time.monotonic() + float(sys.argv[2])
while True:
    try:
        connection = socket.create_connection((sys.argv[1], 2222), timeout=1)
        break
    except OSError:
        if time.monotonic() > until:
            raise
        time.sleep(0.1)
connection.settimeout(float(sys.argv[2]))
sys.stdin.readline()
begun = time.monotonic()
connection.sendall(b".")
connection.recv(1)
print(time.monotonic() - begun)
"""


@needs_hosts
@pytest.mark.parametrize(("delay", "cut"), [(0.2, False), (0.0, True)])
def test_packets_between_hosts_take_their_time_or_are_lost(delay, cut):
    with network.Network(2, delay) as hosts:
        server = hosts.start(1, [sys.executable, "-c", SERVER])
        client = hosts.start(
            0,
            [sys.executable, "-c", CLIENT, hosts.addresses[1], "1" if cut else "20"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            if cut:
                hosts.cut(1)
            said, _ = client.communicate("go\n", timeout=60)
        finally:
            server.kill()
            server.wait()
        if cut:
            assert client.returncode != 0
        else:
            assert float(said) >= 2 * delay


def test_a_system_without_namespaces_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.hosts.unavailable", lambda: "of a test")
    with pytest.raises(ZooError, match="Hosts cannot be made here: of a test"):
        try_hosts(tmp_path / "hosts.json")


@needs_hosts
def test_what_is_wrong_on_a_host_is_said_before_tensorflow_is_loaded(tmp_path):
    found = try_hosts(tmp_path / "hosts.json", only=["address twice", "TF_CONFIG 1"])
    assert json.loads((tmp_path / "hosts.json").read_text()) == found
    assert found["fine"] == found["all"] >= 2, found["cases"]


@needs_hosts
@pytest.mark.slow  # minutes: dozens of trainings, one after another
@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("TF_CONFIG")])
def test_workers_on_hosts_end_as_they_have_to(name, tmp_path):
    # Workers are forked, and a process in which TensorFlow has computed cannot be forked.
    output = tmp_path / "hosts.json"
    command = [sys.executable, "-m", "benchmarks", "hosts", "-o", output, "--only", name]
    subprocess.run(command, check=False, cwd=ROOT)
    found = json.loads(output.read_text())
    assert found["fine"] == found["all"] > 0, found["cases"]
