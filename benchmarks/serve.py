"""`zoo serve` under load: latency, throughput, swaps, drains, bad clients, memory.

Servers are separate processes; the clients are threads of this one. Ratios compare values that are
measured in the same run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.environment import environment
from zoo.errors import ZooError

PARTS = ("first", "load", "throughput", "malformed", "reloads")
CLIENTS = 16
START_SECONDS = 180.0
_TEXT = "the film is a dull mess of great acting and lovely music that nobody will forget"
WORDS = _TEXT.split()


@dataclasses.dataclass
class Server:
    """A server process.

    Attributes:
      process: of `zoo serve`.
      port: where it answers over HTTP.
      grpc_port: where it answers over gRPC.
    """

    process: subprocess.Popen
    port: int
    grpc_port: int

    def memory(self) -> int:
        """Returns the bytes of its memory that are in use."""
        return memory_of(self.process.pid)

    def alive(self) -> bool:
        return self.process.poll() is None


def memory_of(pid: int) -> int:
    """Returns the resident bytes of a process, 0 if it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


@contextlib.contextmanager
def running(base: Path, log: Path, *arguments: str) -> Iterator[Server]:
    """Runs a server of the model `m` until the block ends."""
    command = [sys.executable, "-m", "zoo", "serve", f"m={base}", "--rest-port", "0"]
    with log.open("a") as errors:
        process = subprocess.Popen(
            [*command, "--grpc-port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Server(process, *_ports(process, log))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _ports(process: subprocess.Popen, log: Path) -> tuple[int, int]:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r":(\d+), gRPC at [^:]*:(\d+)$", line.strip())
    if not found:
        raise ZooError(f"The server did not start: {log.read_text()[-500:]}")
    return int(found[1]), int(found[2])


class Client:
    """Sends requests over persistent connections; moves to the next server when one is drained.

    Attributes:
      ports: of the servers that there are; others change the list.
    """

    def __init__(self, ports: Sequence[int], path: str = "/v1/models/m:predict") -> None:
        self.ports, self.path = ports, path
        self._connection: http.client.HTTPConnection | None = None
        self._port = 0

    def ask(self, body: bytes, **headers: str) -> tuple[int, bytes]:
        """Returns status and body of an answer."""
        kept = self._connection is not None and self._port in self.ports
        for attempt in range(3):
            if not kept or self._connection is None:
                self.close()
                self._port = self.ports[0]
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            try:
                self._connection.request("POST", self.path, body, headers)
                answer = self._connection.getresponse()
                content = answer.read()
                if answer.will_close:  # the server drains
                    self.close()
                return answer.status, content
            except (ConnectionError, http.client.BadStatusLine):
                # A connection that is kept may be closed while a request is on its way; what
                # clients and load balancers do then is to ask again on a new one.
                self.close()
                if not kept or attempt == 2:
                    raise
                kept = False
        raise AssertionError

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def body_of(texts: Sequence[str]) -> bytes:
    return json.dumps({"instances": list(texts)}).encode()


def texts(count: int, seed: int) -> list[str]:
    """Returns texts of mixed lengths: 10 to 600 words, half of them below 100."""
    numbers = np.random.default_rng(seed)
    sizes = np.clip(numbers.lognormal(4.6, 0.9, count), 10, 600).astype(int)
    return [" ".join(numbers.choice(WORDS, size).tolist()) for size in sizes]


@dataclasses.dataclass
class Load:
    """Measurements of the clients.

    Attributes:
      milliseconds: of each request that was answered.
      failures: what went wrong, one line each.
      rows: that were answered.
      seconds: that it took.
    """

    milliseconds: list[float]
    failures: list[str]
    rows: int
    seconds: float

    def summary(self) -> dict[str, Any]:
        p50, p99 = np.percentile(self.milliseconds, [50, 99]) if self.milliseconds else (0, 0)
        return {
            "requests": len(self.milliseconds),
            "failed": len(self.failures),
            "failures": self.failures[:20],
            "seconds": round(self.seconds, 2),
            "rows_per_second": round(self.rows / self.seconds, 2),
            "p50_ms": round(float(p50), 2),
            "p99_ms": round(float(p99), 2),
            "p99_to_p50": round(float(p99 / max(p50, 1e-9)), 2),
        }


def load(
    ports: Sequence[int], seconds: float, clients: int, *, rows: int = 1, seed: int = 0,
    meanwhile: Callable[[float], None] | None = None,
) -> Load:  # fmt: skip
    """Sends requests for some seconds, from several clients at once.

    Args:
      ports: of the servers; the first is asked.
      seconds: how long.
      clients: how many.
      rows: of a request.
      seed: of the texts.
      meanwhile: called in this thread while the clients ask, with the second at which they began.
    """
    bodies = [body_of(texts(rows, seed * 1000 + number)) for number in range(64)]
    found = Load([], [], 0, 0.0)
    start = time.monotonic()
    end = start + seconds

    def work(number: int) -> None:
        client = Client(ports)
        place = number
        while time.monotonic() < end:
            place = (place + 7) % len(bodies)
            begun = time.perf_counter()
            try:
                status, content = client.ask(bodies[place])
                wrong = "" if status == 200 else f"{status} {content[:200]!r}"
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}"
            if wrong:
                found.failures.append(f"after {time.monotonic() - start:.1f} s: {wrong}")
            else:
                found.milliseconds.append((time.perf_counter() - begun) * 1e3)
                found.seconds = max(found.seconds, time.monotonic() - start)
        client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    if meanwhile is not None:
        meanwhile(start)
    for thread in threads:
        thread.join()
    found.rows = len(found.milliseconds) * rows
    return found


def publish(version: Path, base: Path, number: int) -> None:
    """Copies a version to another number, atomically."""
    scratch = base / f".{number}"
    shutil.copytree(version, scratch)
    os.rename(scratch, base / str(number))


def serve_bench(
    model: str,
    output: str,
    *,
    seconds: float = 120.0,
    clients: int = CLIENTS,
    malformed: int = 10_000,
    reloads: int = 50,
    parts: Sequence[str] = PARTS,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measures a server of one model that takes texts.

    Args:
      model: as for `zoo.load`.
      output: JSON to write; parts that are not measured again keep their figures in it.
      seconds: of the load with a swap and a drain.
      clients: that ask at once.
      malformed: bodies that are wrong.
      reloads: new versions, one after the other.
      parts: of `PARTS`.
      log: gets a line for each part.

    Returns:
      What is written.
    """
    from zoo.serving.export import export

    target = Path(output)
    result: dict[str, Any] = {"kind": "serve", "parts": {}}
    if target.exists():
        result = files.read_object(target, parts=dict)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        version = export(model, base)
        errors = Path(folder) / "server.log"
        measures: dict[str, Callable[[], dict[str, Any]]] = {
            "first": lambda: first_request(base, errors),
            "load": lambda: under_load(base, version, errors, seconds, clients),
            "throughput": lambda: throughput(base, version, errors, clients, seconds / 6),
            "malformed": lambda: wrong_requests(base, errors, malformed),
            "reloads": lambda: many_reloads(version, Path(folder), errors, reloads),
        }
        for name in parts:
            result["parts"][name] = measures[name]()
            result |= {"model": model, "clients": clients, "cores": os.cpu_count()}
            result["environment"] = environment()
            files.write_json(target, result)
            log(f"{name}: {json.dumps(result['parts'][name])[:300]}")
    return result


def first_request(base: Path, errors: Path) -> dict[str, Any]:
    """Times the first request after the load, and the median of those after it.

    The connection is opened before, so that only the server is measured, not the client's start.
    """
    with running(base, errors) as server:
        client = Client([server.port])
        client.ask(b"")  # refused
        times = []
        for text in texts(1, 1) * 41:
            begun = time.perf_counter()
            client.ask(body_of([text]))
            times.append((time.perf_counter() - begun) * 1e3)
        client.close()
    median = float(np.median(times[1:]))
    return {
        "first_ms": round(times[0], 2),
        "median_ms": round(median, 2),
        "ratio": round(times[0] / median, 2),
    }


def under_load(
    base: Path, version: Path, errors: Path, seconds: float, clients: int
) -> dict[str, Any]:
    """Sends requests while a version is swapped, a server is drained, and bad clients connect."""
    memory: list[tuple[float, int]] = []
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(running(base, errors))
        # On a machine of its own, its start would take no time from the first one.
        second = stack.enter_context(running(base, errors))
        ports = [first.port]
        load(ports, min(5.0, seconds / 4), clients)  # its memory grows to what it needs
        bad = [
            threading.Thread(target=half_bodies, args=(ports, stop)),
            threading.Thread(target=never_readers, args=(ports, stop)),
        ]
        for thread in bad:
            thread.start()

        def meanwhile(start: float) -> None:
            def wait(share: float) -> None:
                while time.monotonic() < start + share * seconds:
                    memory.append((time.monotonic() - start, first.memory()))
                    time.sleep(min(1.0, seconds / 20))

            wait(0.25)
            publish(version, base, 2)
            wait(0.6)
            ports.insert(0, second.port)
            first.process.send_signal(signal.SIGTERM)
            first.process.wait(60)
            ports.remove(first.port)

        try:
            found = load(ports, seconds, clients, meanwhile=meanwhile)
        finally:
            stop.set()
            for thread in bad:
                thread.join()
        code = first.process.returncode
    shutil.rmtree(base / "2")
    before = [size for when, size in memory if when < 0.25 * seconds]
    after = [size for when, size in memory if when > 0.4 * seconds]
    return {
        **found.summary(),
        "exit_code_of_the_drained": code,
        "megabytes_before_the_swap": round(float(np.median(before)) / 1e6, 1),
        "megabytes_after_the_swap": round(float(np.median(after)) / 1e6, 1),
    }


def half_bodies(ports: Sequence[int], stop: threading.Event) -> None:
    """Sends half of a body and keeps the connection open."""
    head = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: m\r\nContent-Length: 1000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        while not stop.wait(1.0):
            with contextlib.suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", ports[0]), timeout=5)
                stack.callback(connection.close)
                connection.sendall(head + b'{"instances": ["half')


def never_readers(ports: Sequence[int], stop: threading.Event) -> None:
    """Sends many requests and never reads the responses."""
    page = b"GET /monitoring/prometheus/metrics HTTP/1.1\r\nHost: m\r\n\r\n"
    with contextlib.ExitStack() as stack:
        while not stop.wait(2.0):
            with contextlib.suppress(OSError):
                connection = socket.socket()
                stack.callback(connection.close)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.settimeout(5)
                connection.connect(("127.0.0.1", ports[0]))
                connection.sendall(page * 200)


IN_PROCESS = """
import sys, time, json
import zoo
predictor = zoo.load(sys.argv[1])
texts = json.load(sys.stdin)
predictor.predict(texts[:64])
rounds, start = 0, time.monotonic()
while time.monotonic() < start + float(sys.argv[2]):
    predictor.predict(texts, batch_size=64)
    rounds += 1
print(rounds * len(texts) / (time.monotonic() - start))
"""


def throughput(
    base: Path, version: Path, errors: Path, clients: int, seconds: float
) -> dict[str, Any]:
    """Compares rows a second: with batches, without, and of `Predictor.predict` in a process."""
    alone = base.parent / "alone.txt"
    alone.write_text("max_batch_size { value: 1 }")
    with running(base, errors) as server:
        load([server.port], 2, clients)
        batched = load([server.port], seconds, clients, rows=8)
    with running(base, errors, "--batching-parameters-file", str(alone)) as server:
        load([server.port], 2, clients)
        single = load([server.port], seconds, clients, rows=8)
    done = subprocess.run(
        [sys.executable, "-c", IN_PROCESS, str(version), str(seconds)],
        input=json.dumps(texts(512, 0)),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ZooError(f"The comparison failed: {done.stderr[-300:]}")
    rates = {
        "batched_rows_per_second": batched.rows / batched.seconds,
        "unbatched_rows_per_second": single.rows / single.seconds,
        "in_process_rows_per_second": float(done.stdout),
    }
    return {
        **{name: round(rate, 1) for name, rate in rates.items()},
        "failed": len(batched.failures) + len(single.failures),
        "batched_to_unbatched": round(
            rates["batched_rows_per_second"] / rates["unbatched_rows_per_second"], 2
        ),
        "batched_to_in_process": round(
            rates["batched_rows_per_second"] / rates["in_process_rows_per_second"], 2
        ),
    }


def wrong_bodies(count: int, seed: int = 0) -> Iterator[tuple[bytes, Mapping[str, str]]]:
    """Yields bodies that are not requests, or are damaged ones, and their headers."""
    dice = random.Random(seed)
    good = body_of(["a good film", "a dull film"])
    values: list[Any] = [None, True, 1, -1.5, 1e400, "x", [], {}, [[]], [["x"]], {"b64": "*"},
                         {"b64": 1}, {"text": 1}, 10**400, "\ud800", [1, "x"]]  # fmt: skip
    for number in range(count):
        way = number % 8
        if way == 0:  # cut off
            yield good[: dice.randrange(len(good) - 1)], {}
        elif way == 1:  # bytes changed
            body = bytearray(good)
            for _ in range(dice.randint(1, 5)):
                body[dice.randrange(len(body))] = dice.randrange(256)
            yield bytes(body), {}
        elif way == 2:  # noise
            yield dice.randbytes(dice.randrange(200)), {}
        elif way == 3:  # values of other types
            key = dice.choice(["instances", "inputs", "signature_name", "examples", "x"])
            yield json.dumps({key: dice.choice(values)}).encode(), {}
        elif way == 4:  # rows of other types
            yield json.dumps({"instances": [dice.choice(values) for _ in range(3)]}).encode(), {}
        elif way == 5:  # deep
            depth = dice.choice([5, 50, 5000, 100_000])
            yield b'{"instances": ' + b"[" * depth + b"]" * dice.choice([0, depth]) + b"}", {}
        elif way == 6:  # many rows
            yield json.dumps({"instances": ["x"] * dice.choice([1025, 5000])}).encode(), {}
        else:  # compressed, and not
            yield good, {"Content-Encoding": dice.choice(["gzip", "br", "x"])}


def wrong_requests(base: Path, errors: Path, count: int) -> dict[str, Any]:
    """Sends wrong requests; a good request must then be answered as before."""
    failures: list[str] = []
    answered = refused = 0
    good = body_of(["a good film", "a dull film"])
    with running(base, errors) as server:
        client = Client([server.port])
        right = client.ask(good)
        for number, (body, headers) in enumerate(wrong_bodies(count)):
            try:
                status, content = client.ask(body, **headers)
                said = json.loads(content)
            except Exception as error:
                failures.append(f"body {number}: {type(error).__name__}: {error}")
                continue
            if status == 200:  # a change that leaves a request
                answered += 1
            elif 400 <= status < 500 and said.get("error") and "\n" not in said["error"]:
                refused += 1
            else:
                failures.append(f"body {number}: {status} {content[:200]!r}")
            if number % 1000 == 999 and client.ask(good) != right:
                failures.append(f"after body {number}: another answer to a good request")
        tensors = _wrong_tensors(server.grpc_port, max(count // 10, 1), failures)
        if client.ask(good) != right:
            failures.append("another answer to a good request at the end")
        if not server.alive():
            failures.append("the server has ended")
        client.close()
    return {
        "bodies": count,
        "tensors": tensors,
        "refused_with_a_sentence": refused,
        "still_requests": answered,
        "failures": failures[:20],
        "failed": len(failures),
    }


def _wrong_tensors(port: int, count: int, failures: list[str]) -> int:
    """Sends tensors with wrong types, shapes and values by gRPC; returns how many."""
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    dice = random.Random(1)
    refused = ("INVALID_ARGUMENT", "OK")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for number in range(count):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = "m"
            tensor = request.inputs[dice.choice(["text", "text", "text", "x"])]
            tensor.dtype = dice.choice([0, 1, 3, 7, 7, 7, 10, 14])
            for _ in range(dice.randrange(4)):
                size = dice.choice([-1, 0, 1, 2, 3, 10**12])
                tensor.tensor_shape.dim.add(size=size)
            tensor.string_val.extend([b"\xff\x00"] * dice.randrange(4))
            if dice.random() < 0.3:
                tensor.tensor_content = dice.randbytes(dice.randrange(20))
            if dice.random() < 0.2:
                tensor.float_val.extend([1.0] * dice.randrange(4))
            code = "OK"
            try:
                stub.Predict(request, timeout=30)
            except grpc.RpcError as error:
                code = error.code().name
            if code not in refused:
                failures.append(f"tensor {number}: {code}")
    return count


def many_reloads(version: Path, folder: Path, errors: Path, count: int) -> dict[str, Any]:
    """Publishes versions one after the other; measures the memory after each."""
    base = folder / "reloads"
    publish(version, base, 1)
    sizes = []
    with running(base, errors, "--file-system-poll-wait-seconds", "0.1") as server:
        ask = Client([server.port])
        for number in range(2, count + 2):
            publish(version, base, number)
            path = f"/v1/models/m/versions/{number}:predict"
            newest = Client([server.port], path)
            end = time.monotonic() + START_SECONDS
            while newest.ask(body_of(["a good film"]))[0] != 200:
                if time.monotonic() > end:
                    raise ZooError(f"Version {number} was not loaded.")
                time.sleep(0.1)
            newest.close()
            shutil.rmtree(base / str(number - 1))
            time.sleep(0.3)
            sizes.append(server.memory() / 1e6)
        ask.close()
    early = sizes[min(4, len(sizes) - 1)]
    return {
        "reloads": count,
        "megabytes": [round(size, 1) for size in sizes],
        "growth_per_reload_megabytes": round((sizes[-1] - early) / max(len(sizes) - 5, 1), 3),
        "last_to_fifth": round(sizes[-1] / early, 3),
    }
