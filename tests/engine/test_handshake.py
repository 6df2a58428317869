"""Workers meet, compare, fail and part; in threads of one process, without TensorFlow."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from zoo import handshake
from zoo.cluster import Cluster
from zoo.errors import (
    WORKERS_LOST,
    Interrupted,
    UsageError,
    WorkersLost,
    ZooError,
    exit_code,
)
from zoo.handshake import Failure, differences, digest, farewell, meet
from zoo.training.launcher import free_addresses


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(handshake, "LINGER", 1.0)
    monkeypatch.setattr(handshake, "BEAT", 0.1)


def outcome(action):
    try:
        return action()
    except BaseException as error:
        return error


def all_meet(facts, addresses=None, limit=10.0, **kwargs):
    """Returns what each of several workers gets or raises."""
    addresses = tuple(addresses or free_addresses(len(facts)))
    with ThreadPoolExecutor(len(facts)) as pool:
        jobs = [
            pool.submit(outcome, lambda i=i: meet(Cluster(addresses, i), facts[i], limit, **kwargs))
            for i in range(len(facts))
        ]
        return addresses, [job.result() for job in jobs]


def close(links):
    for link in links:
        link.close()


def test_workers_that_agree_are_linked_and_leave_their_ports_free():
    addresses, links = all_meet([{"seed": 0}] * 3)
    with ThreadPoolExecutor(3) as pool:
        for turn in range(2):
            jobs = [pool.submit(link.exchange, [turn, i]) for i, link in enumerate(links)]
            assert all(job.result() == [[turn, i] for i in range(3)] for job in jobs)
    for address in addresses:
        port = int(address.rpartition(":")[2])
        socket.create_server(("127.0.0.1", port)).close()
    close(links)


def test_what_differs_is_said_by_both_with_address_and_key():
    (one, other), errors = all_meet([{"seed": 0, "NumPy": "2"}, {"seed": 1, "NumPy": "2"}])
    assert all(isinstance(error, UsageError) for error in errors)
    assert f"{other} has seed 1, this worker 0. All workers need the same" in str(errors[0])
    assert f"{one} has seed 0, this worker 1." in str(errors[1])


def test_differences_name_each_key():
    assert differences("b:1", {"a": 1, "b": "x"}, {"a": 1, "b": "x"}) == ""
    text = differences("b:1", {"a": None, "b": "x"}, {"a": 2, "c": True})
    assert text == (
        "b:1 has a null, this worker 2; c not set, this worker true; b x, this worker not set"
    )


def test_a_digest_changes_with_any_source(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "inner/b.py").write_text("2")
    (tmp_path / "note.txt").write_text("3")
    before = digest(tmp_path)
    (tmp_path / "note.txt").write_text("4")
    assert digest(tmp_path) == before
    (tmp_path / "inner/b.py").write_text("5")
    changed = digest(tmp_path)
    (tmp_path / "inner/b.py").rename(tmp_path / "inner/c.py")
    assert len({before, changed, digest(tmp_path)}) == 3
    assert digest(tmp_path / "a.py") != before


def test_other_clusters_and_indices_are_told_apart():
    first, second, third = free_addresses(3)
    with ThreadPoolExecutor(2) as pool:
        a = pool.submit(outcome, lambda: meet(Cluster((first, second), 0), {}, 10.0))
        b = pool.submit(outcome, lambda: meet(Cluster((first, second, third), 1), {}, 10.0))
    assert f"{second} has the cluster {first},{second},{third}, this worker" in str(a.result())
    assert f"{first} has the cluster {first},{second}, this worker" in str(b.result())
    # A worker at the second address that takes itself for the first.
    with handshake._Door(Cluster((second, first), 0), {}) as door:
        door._greeting["cluster"] = [first, second]
        error = outcome(lambda: meet(Cluster((first, second), 0), {}, 10.0))
    assert f"{second} says that it is worker 0, but it is number 1" in str(error)


def test_a_stranger_is_no_worker():
    mine, other = free_addresses(2)
    lines = []
    server = socket.create_server(("127.0.0.1", int(other.rpartition(":")[2])))

    def babble():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    threading.Thread(target=babble, daemon=True).start()
    error = outcome(lambda: meet(Cluster((mine, other), 0), {}, 3.0, log=lines.append))
    server.close()
    assert isinstance(error, WorkersLost)
    assert exit_code(error) == 203
    assert (
        f"within 3 s: the program that listens at {other} is not a worker of this training"
        in str(error)
    )
    assert lines[0].startswith(f"Waiting for {other} (another program listens there")
    assert " until " in lines[0]


def test_who_is_missing_is_named():
    first, second, third = free_addresses(3)
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(outcome, lambda i=i: meet(Cluster((first, second, third), i), {}, 1.0))
            for i in (0, 2)
        ]
    for job in jobs:
        assert isinstance(job.result(), WorkersLost)
        assert second in str(job.result())


def test_a_taken_port_is_said():
    mine, other = free_addresses(2)
    with (
        socket.create_server(("", int(mine.rpartition(":")[2]))),
        pytest.raises(ZooError, match=f"cannot listen at {mine}"),
    ):
        meet(Cluster((mine, other), 0), {}, 1.0)


@pytest.mark.parametrize("chief", [True, False])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("Unknown setting 'x'."), 2),
        (ZooError("no disk"), 1),
        (Interrupted(0, 0, 15), 203),
    ],
)
def test_a_worker_that_ends_early_tells_the_others(chief, error, code):
    addresses = tuple(free_addresses(2))
    begun = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(outcome, lambda: meet(Cluster(addresses, int(chief)), {}, 30.0))
        time.sleep(0.3)
        pool.submit(farewell, Cluster(addresses, int(not chief)), error).result()
        got = waiting.result()
    assert time.monotonic() - begun < 5
    assert addresses[int(not chief)] in str(got)
    assert exit_code(got) == code
    text = "It was stopped by SIGTERM." if code == 203 else str(error)
    assert text in str(got)


def test_three_hear_of_the_one_that_ends():
    addresses = tuple(free_addresses(3))
    with ThreadPoolExecutor(3) as pool:
        jobs = [
            pool.submit(outcome, lambda i=i: meet(Cluster(addresses, i), {}, 30.0)) for i in (0, 1)
        ]
        pool.submit(farewell, Cluster(addresses, 2), UsageError("a wrong option")).result()
        for job in jobs:  # not of each other, whoever has heard first
            assert f"{addresses[2]} has ended: a wrong option" in str(job.result())


def test_nobody_waits_for_what_is_done():
    addresses = tuple(free_addresses(2))
    assert meet(Cluster(addresses, 1), {}, 30.0, done=lambda: True) is None


def test_a_link_says_who_is_gone_and_why():
    addresses, links = all_meet([{}] * 3)
    links[2].tell(ZooError("the disk is full"))
    for link in links[:2]:
        with pytest.raises(ZooError, match=f"{addresses[2]} has ended: the disk is full"):
            link.exchange(0)
    close(links)


def test_a_link_notices_a_connection_that_ends():
    addresses, links = all_meet([{}] * 3)
    for connection in links[1]._connections.values():
        connection.shutdown(socket.SHUT_RDWR)  # as the system does for a killed process
    for link in (links[0], links[2]):
        with pytest.raises(WorkersLost, match=f"Another worker is gone: {addresses[1]}"):
            link.exchange(0)
    close(links)


def test_who_has_said_goodbye_is_not_lost_but_not_waited_for_either():
    addresses, links = all_meet([{}] * 2)
    links[1].close()
    time.sleep(0.3)
    assert links[0].failure is None
    with pytest.raises(WorkersLost, match=addresses[1]):
        links[0].exchange(0)
    close(links)


def test_the_chief_gives_signs_of_life():
    _, links = all_meet([{}] * 2)
    before, heard = links[1].heard, []
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(links[1].exchange, 1, heard.append)
        time.sleep(0.8)
        links[0].exchange(0)
        job.result()
    assert heard[-1] > before
    close(links)


def test_a_failure_is_repeated_as_that_of_its_worker():
    first = Failure("b:1", "why", 2)
    assert Failure.of(first.error(), "a:1") == first
    assert json.loads(json.dumps(first.__dict__)) == first.__dict__


def test_what_to_do_is_said_once():
    for message in ("Its connection was closed.", "It is lost. Run the same command again."):
        assert str(Failure("b:1", message, WORKERS_LOST).error()).count("same command") == 1
