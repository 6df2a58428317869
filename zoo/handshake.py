"""Handshake of workers before TensorFlow connects them: checks who they are and that they match.

Each worker listens at its address of the cluster, contacts all others and compares the values that
must be the same. When all have met, the chief lets them continue, and the addresses are free for
TensorFlow. The chief keeps one connection to each worker, the link, until training ends. It reports
which worker is lost and why, and carries values that workers compare later.

Messages are lines of JSON. There is no authentication: run clusters in a private network.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import queue
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from zoo.cluster import Cluster, split_address
from zoo.errors import (
    STOPPING,
    WORKERS_LOST,
    Interrupted,
    UsageError,
    WorkersLost,
    ZooError,
    exit_code,
)

PROTOCOL = "rnn-zoo worker 1"
LINGER = 5.0  # seconds for a failing worker to notify the others
BEAT = 5.0  # seconds between two heartbeats of the chief
SILENCE = 60  # seconds without a response after which a connection is considered lost
_LONGEST = 1 << 20  # maximum bytes of a message
_AGAIN = 0.2  # seconds until a missing worker is contacted again


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a worker has ended.

    Attributes:
      address: of the worker.
      message: its error.
      code: its exit code.
    """

    address: str
    message: str
    code: int

    @staticmethod
    def of(error: BaseException, address: str) -> Failure:
        """Returns the failure to report to the others: of this worker, or one that it forwards."""
        if isinstance(error, _Told):
            return error.failure
        if isinstance(error, KeyboardInterrupt):
            number = int(getattr(error, "signum", signal.SIGINT))
            name = signal.Signals(number).name
            return Failure(address, f"It was stopped by {name}.", 128 + number)
        text = " ".join(str(error).split()) or type(error).__name__
        return Failure(address, text, exit_code(error))

    def error(self) -> ZooError:
        """Returns the error that ends the others: with the same code if it will recur."""
        kind = {1: _OtherFailed, 2: _OtherMisused}.get(self.code, _OtherLost)
        return kind(self)


class _Told(ZooError):
    """Another worker has reported why it ends."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.address} has ended: {failure.message}")
        self.failure = failure


class _OtherFailed(_Told):
    pass


class _OtherMisused(_Told, UsageError):
    pass


class _OtherLost(_Told, WorkersLost):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        line = f"Another worker is gone: {failure.address}. {failure.message}"
        if "same command" not in line:
            line += (
                " Run the same command on all workers again: it goes on from the last checkpoint."
            )
        self.args = (line,)


def digest(source: Path) -> str:
    """Returns a short digest of a Python file, or of all Python files below a folder."""
    import hashlib

    found = hashlib.sha256()
    for path in [source] if source.is_file() else sorted(source.rglob("*.py")):
        name = path.name if path == source else path.relative_to(source).as_posix()
        found.update(f"{name}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def differences(address: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Returns how another worker differs, "" if it does not.

    >>> differences("b:2222", {"seed": 1}, {"seed": 0})
    'b:2222 has seed 1, this worker 0'
    """

    def text(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value)

    parts = [
        f"{key} {text(theirs.get(key, 'not set'))}, this worker {text(ours.get(key, 'not set'))}"
        for key in {**ours, **theirs}
        if theirs.get(key, ...) != _plain(ours.get(key, ...))
    ]
    return f"{address} has {'; '.join(parts)}" if parts else ""


def meet(
    cluster: Cluster,
    facts: Mapping[str, Any],
    limit: float,
    *,
    log: Callable[[str], None] = lambda line: None,
    done: Callable[[], bool] = lambda: False,
) -> Link | None:
    """Waits until all workers have completed the handshake, and returns the link between them.

    Args:
      cluster: at least two workers.
      facts: values that must be the same on all workers, by their names in messages; JSON values.
      limit: seconds to wait.
      log: receives a line on which workers are missing.
      done: called while waiting; returns True if there is nothing left to train.

    Returns:
      The link, or None if `done` returned True.

    Raises:
      UsageError: another worker has other facts, or has ended with a UsageError.
      WorkersLost: a worker did not connect in time.
      ZooError: this worker's port is in use, or another worker has failed.
      Interrupted: SIGINT, SIGTERM or SIGHUP was received.
    """
    with _Door(cluster, facts) as door, _stoppable(door.waiting_for):
        try:
            return _meet(door, limit, log, done)
        except BaseException as error:
            door.fail(Failure.of(error, cluster.address))
            raise


def farewell(cluster: Cluster | None, error: BaseException) -> None:
    """Tells the others that this worker ends before the handshake. Never fails."""
    if cluster is None or len(cluster.addresses) < 2:
        return
    with contextlib.suppress(ZooError), _Door(cluster, {}) as door:
        door.fail(Failure.of(error, cluster.address))


@contextlib.contextmanager
def telling(find: Callable[[], Cluster | None]) -> Iterator[None]:
    """Context that tells the other workers, if any, of an error that ends this one early.

    Args:
      find: returns the cluster.
    """
    try:
        yield
    except Exception as error:
        cluster = None
        with contextlib.suppress(ZooError):
            cluster = find()
        farewell(cluster, error)
        raise


def _plain(value: Any) -> Any:
    """Returns a value after a round trip through JSON."""
    return value if value is ... else json.loads(json.dumps(value))


class _Door:
    """Listens at a worker's address and answers greetings of the others."""

    def __init__(self, cluster: Cluster, facts: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.missing: set[int] = set(cluster.others)  # not met yet
        self.strangers: set[int] = set()  # something else listens at their addresses
        self.joined: dict[int, socket.socket] = {}
        self._errors: dict[int, ZooError] = {}
        self._told: set[int] = set()
        self._greeting: dict[str, Any] = {
            "zoo": PROTOCOL,
            "index": cluster.index,
            "cluster": list(cluster.addresses),
            "facts": dict(facts),
            "failed": None,
        }
        self._over = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> _Door:
        host, port = split_address(self.cluster.address)
        here = host if _is_loopback(host) else "::" if ":" in host else ""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listener = socket.create_server((here, port), family=family, backlog=128)
        except OSError as error:
            raise ZooError(
                f"This worker cannot listen at {self.cluster.address} ({error.strerror}). Give it "
                "a free port."
            ) from error
        self._listener.settimeout(_AGAIN)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()
        self._listener.close()

    def _listen(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        kept = False
        try:
            connection.settimeout(5)
            asked = _read(connection)
            if asked is None:
                return
            _write(connection, self._greeting)
            kept = self._note(asked) and asked.get("join") is True
            if kept:
                with self._lock:
                    before = self.joined.pop(asked["index"], None)
                    self.joined[asked["index"]] = connection
                if before:
                    before.close()
        except OSError:
            pass
        finally:
            if not kept:
                connection.close()

    def _note(self, said: dict[str, Any]) -> bool:
        """Records the greeting of another worker; returns whether it belongs to this cluster."""
        index = said["index"]
        if said["cluster"] != list(self.cluster.addresses) or index not in self.cluster.others:
            return False
        if not self._greeting["failed"]:
            # The difference is more informative than that the other worker noticed it first.
            if error := self._difference(index, said):
                self._errors.setdefault(index, error)
            elif said["failed"]:
                self._errors.setdefault(index, Failure(**said["failed"]).error())
        if self._greeting["failed"]:
            self._told.add(index)
        return True

    def _difference(self, index: int, said: dict[str, Any]) -> UsageError | None:
        if said["failed"] and not said["facts"]:  # it has ended before it knew them
            return None
        wrong = differences(self.cluster.addresses[index], said["facts"], self._greeting["facts"])
        if not wrong:
            return None
        return UsageError(
            f"{wrong}. All workers need the same command and the same software; "
            "--strategy none trains alone."
        )

    def waiting_for(self) -> str:
        return ", ".join(
            self.cluster.addresses[i] + (" (another program listens there)" * (i in self.strangers))
            for i in sorted(self.missing)
        )

    def check(self) -> None:
        """Raises the error caused by another worker's greeting, if any."""
        for error in list(self._errors.values()):
            raise error

    def ask(self, index: int, join: bool = False) -> tuple[dict[str, Any], socket.socket] | None:
        """Asks another worker for its greeting; None if there is no answer.

        Returns:
          The greeting, and the connection.
        """
        address = self.cluster.addresses[index]
        try:
            connection = socket.create_connection(split_address(address), timeout=2)
        except OSError:
            self.strangers.discard(index)
            return None
        try:
            # A socket that connects to an unused local port may get that port and reach itself.
            if connection.getsockname() != connection.getpeername():
                connection.settimeout(5)
                _write(connection, {**self._greeting, "join": join})
                said = _read(connection)
                if said is not None:
                    self.strangers.discard(index)
                    return said, connection
        except OSError:
            pass
        self.strangers.add(index)
        connection.close()
        return None

    def meet(self, index: int) -> None:
        """Contacts another worker, and checks that it matches this one.

        Raises:
          UsageError: it differs from this one.
          ZooError: it has ended.
        """
        found = self.ask(index)
        if found is None:
            return
        said, connection = found
        connection.close()
        address = self.cluster.addresses[index]
        ours, theirs = list(self.cluster.addresses), said["cluster"]
        if theirs != ours:
            raise UsageError(
                f"{address} has the cluster {','.join(map(str, theirs))}, this worker "
                f"{','.join(ours)}. Give all workers the same addresses in the same order."
            )
        if said["index"] != index:
            raise UsageError(
                f"{address} says that it is worker {said['index']}, but it is number {index} in "
                f"the list of workers, from 0. Give each worker its own index."
            )
        self._note(said)
        self.check()
        self.missing.discard(index)

    def alive(self) -> set[int]:
        """Returns which workers have joined and are still connected."""
        with self._lock:
            for index, connection in list(self.joined.items()):
                try:
                    connection.settimeout(0)
                    gone = connection.recv(1, socket.MSG_PEEK) == b""
                except BlockingIOError:
                    gone = False
                except OSError:
                    gone = True
                if gone:
                    self.joined.pop(index).close()
            return set(self.joined)

    def fail(self, failure: Failure) -> None:
        """Tells all others that this worker ends, also those that connect in the next seconds."""
        self._greeting["failed"] = dataclasses.asdict(failure)
        for index, connection in self.joined.items():
            with contextlib.suppress(OSError):
                connection.settimeout(5)
                _write(connection, self._greeting)
                self._told.add(index)
        until = time.monotonic() + LINGER
        while time.monotonic() < until:
            for index in set(self.cluster.others) - self._told:
                found = self.ask(index)
                if found:
                    found[1].close()
                    self._told.add(index)
            if self._told >= set(self.cluster.others):
                return
            time.sleep(_AGAIN)


def _meet(
    door: _Door, limit: float, log: Callable[[str], None], done: Callable[[], bool]
) -> Link | None:
    cluster, others = door.cluster, set(door.cluster.others)
    begun = time.monotonic()
    until = time.strftime("%H:%M:%S", time.localtime(time.time() + limit))
    met: set[int] = set()
    to_chief: socket.socket | None = None
    said, told, asked = "", begun - 8, begun
    with ThreadPoolExecutor(min(32, len(others))) as pool:
        while True:
            door.check()
            if time.monotonic() >= asked:
                if done():
                    return None
                asked = time.monotonic() + 2
            list(pool.map(door.meet, others - met))
            met |= others - door.missing
            if met == others and cluster.index == 0:
                joined = door.alive()
                door.missing = others - joined
                if not door.missing:
                    for connection in door.joined.values():
                        connection.settimeout(5)
                        with contextlib.suppress(OSError):  # the link notices lost workers
                            _write(connection, {**door._greeting, "go": True})
                    return Link(cluster, dict(door.joined))
            elif met == others:
                door.missing = {0}
                if to_chief is None:
                    found = door.ask(0, join=True)
                    to_chief = found[1] if found else None
                if to_chief:
                    state = _sent_on(to_chief, door)
                    if state:
                        door.missing = set()
                        return Link(cluster, {0: to_chief})
                    if state is None:
                        to_chief.close()
                        to_chief, met = None, others - {0}
            now = time.monotonic()
            waiting = door.waiting_for()
            if now - begun > limit:
                raise WorkersLost(_not_come(door, limit))
            if now - told > 60 or (waiting != said and now - told > 10):
                said, told = waiting, now
                log(f"Waiting for {waiting} until {until} (ZOO_WORKER_TIMEOUT).")
            if not (to_chief and met == others):
                time.sleep(_AGAIN)


def _sent_on(connection: socket.socket, door: _Door) -> bool | None:
    """Returns whether the chief lets this worker continue; None if the chief is lost."""
    if not select.select([connection], [], [], _AGAIN)[0]:
        return False
    connection.settimeout(5)
    try:
        message = _read(connection)
    except OSError:
        return None
    if message is None:
        return None
    if message["failed"]:
        raise Failure(**message["failed"]).error()
    return message.get("go") is True


def _not_come(door: _Door, limit: float) -> str:
    address = door.cluster.addresses
    strange = [address[index] for index in sorted(door.missing & door.strangers)]
    silent = [address[index] for index in sorted(door.missing - door.strangers)]
    parts = [f"no answer from {', '.join(silent)}"] if silent else []
    if strange:
        parts.append(
            f"the program that listens at {', '.join(strange)} is not a worker of this training"
        )
    return (
        f"Not all workers joined within {limit:g} s: {', and '.join(parts)}. Start all of them "
        "with the same command, and check addresses and firewalls."
    )


class Link:
    """The connections between the workers and the chief after the handshake.

    Attributes:
      cluster: the workers.
      failure: the failure of another worker, None while all are connected.
      heard: time of the last heartbeat of the chief, by `time.monotonic`.
    """

    def __init__(self, cluster: Cluster, connections: dict[int, socket.socket]) -> None:
        self.cluster = cluster
        self.failure: Failure | None = None
        self.heard = time.monotonic()
        self._connections = connections
        self._inboxes: dict[int, queue.Queue] = {index: queue.Queue() for index in connections}
        self._left: set[int] = set()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        for index, connection in connections.items():
            connection.settimeout(None)
            _watch_over(connection)
            threading.Thread(target=self._listen, args=(index, connection), daemon=True).start()
        if cluster.index == 0:
            threading.Thread(target=self._beat, daemon=True).start()
        atexit.register(self.close)

    def exchange(self, value: Any, waiting: Callable[[float], None] = lambda heard: None) -> list:
        """Returns the value of each worker, the chief's first. All workers must call this.

        Args:
          value: JSON-serialisable.
          waiting: called with `heard` several times a second while this worker waits.

        Raises:
          ZooError: another worker has ended.
          Interrupted: SIGINT, SIGTERM or SIGHUP was received, and nothing else handles it.
        """
        place = {"for": ""}
        with _stoppable(lambda: place["for"]):
            if self.cluster.index:
                place["for"] = self.cluster.chief
                self._send(0, {"value": value})
                return self._next(0, waiting)
            values = [value]
            for index in range(1, len(self.cluster.addresses)):
                place["for"] = self.cluster.addresses[index]
                values.append(self._next(index, waiting))
            for index in self._connections:
                self._send(index, {"value": values})
            return values

    def tell(self, error: BaseException) -> None:
        """Tells the others that this worker ends, and why."""
        self._pass_on(Failure.of(error, self.cluster.address))

    def close(self) -> None:
        """Closes the link: the others do not treat the end of this worker as a failure."""
        if not self._closed.is_set():
            self._closed.set()
            for index, connection in self._connections.items():
                self._send(index, {"bye": True})
                connection.close()

    def _next(self, index: int, waiting: Callable[[float], None]) -> Any:
        while True:
            # Messages received before the worker ended still count.
            ended, left = self.failure, index in self._left
            try:
                return self._inboxes[index].get(timeout=0 if ended or left else _AGAIN)
            except queue.Empty:
                if ended:
                    raise ended.error() from None
                if left:
                    address = self.cluster.addresses[index]
                    raise Failure(address, "It has ended.", WORKERS_LOST).error() from None
                waiting(self.heard)

    def _send(self, index: int, message: dict[str, Any]) -> None:
        with self._lock, contextlib.suppress(OSError):  # the reader notices a lost connection
            _write(self._connections[index], message)

    def _listen(self, index: int, connection: socket.socket) -> None:
        try:
            with connection.makefile("rb") as file:
                while message := _message(file):
                    self._take(index, message)
        except (OSError, ValueError):
            pass
        address = self.cluster.addresses[index]
        if index not in self._left and not self._closed.is_set():
            self._fail(Failure(address, "Its connection was closed.", WORKERS_LOST), index)

    def _take(self, index: int, message: dict[str, Any]) -> None:
        self.heard = time.monotonic()
        if "value" in message:
            self._inboxes[index].put(message["value"])
        elif "failed" in message:
            self._left.add(index)
            self._fail(Failure(**message["failed"]), index)
        elif "bye" in message:
            self._left.add(index)

    def _fail(self, failure: Failure, index: int) -> None:
        self._left.add(index)
        if self.failure is None:
            self.failure = failure
            self._pass_on(failure, but=index)

    def _pass_on(self, failure: Failure, but: int | None = None) -> None:
        for index in self._connections:
            if index != but:
                self._send(index, {"failed": dataclasses.asdict(failure)})

    def _beat(self) -> None:
        while not self._closed.wait(BEAT):
            for index in self._connections:
                self._send(index, {"beat": True})


@contextlib.contextmanager
def _stoppable(waiting_for: Callable[[], str]) -> Iterator[None]:
    """Context that raises Interrupted on SIGINT, SIGTERM, SIGHUP, unless handled elsewhere."""

    def handle(number: int, _: Any) -> None:
        raise Interrupted(0, 0, number, f"while waiting for {waiting_for() or 'other workers'}")

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in STOPPING:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for stopped, handler in before.items():
            signal.signal(stopped, handler)


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _watch_over(connection: socket.socket) -> None:
    """Makes the system detect when the other machine no longer responds."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in (
        ("TCP_KEEPIDLE", SILENCE // 3),
        ("TCP_KEEPINTVL", SILENCE // 6),
        ("TCP_KEEPCNT", 4),
        ("TCP_USER_TIMEOUT", SILENCE * 1000),  # Linux: also while data are in transit
    ):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _write(connection: socket.socket, message: Mapping[str, Any]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _read(connection: socket.socket) -> dict[str, Any] | None:
    """Reads one greeting, byte by byte, and nothing after it; None if it is invalid."""
    line = b""
    until = time.monotonic() + (connection.gettimeout() or 5)
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        line += byte
        if not byte or len(line) > _LONGEST or (len(line) > 64 and not _ours(line)):
            return None
        if time.monotonic() > until + 5:
            return None
    return _greeting(line)


def _ours(line: bytes) -> bool:
    return line.startswith(json.dumps({"zoo": PROTOCOL}).encode()[:-1])


def _greeting(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("zoo") != PROTOCOL:
        return None
    failed = said.get("failed")
    fits = (
        isinstance(said.get("index"), int)
        and isinstance(said.get("cluster"), list)
        and isinstance(said.get("facts"), dict)
        and (failed is None or (isinstance(failed, dict) and failed.keys() == _FAILURE))
    )
    return said if fits else None


_FAILURE = {field.name for field in dataclasses.fields(Failure)}


def _message(file: IO[bytes]) -> dict[str, Any] | None:
    line = file.readline(_LONGEST * 64)
    message = json.loads(line) if line.endswith(b"\n") else None
    return message if isinstance(message, dict) else None
