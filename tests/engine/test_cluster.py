"""Where a process stands among its workers, by what its environment says."""

import json
import subprocess
import sys

import pytest

from zoo.cluster import HOSTS, INDEX, PORT, Cluster, expand_nodes, find_cluster, patience
from zoo.errors import UsageError

WORKERS = {"worker": ["a:1", "b:1"]}


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    for name in (HOSTS, INDEX, PORT, "TF_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def say(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value if isinstance(value, str) else json.dumps(value))


def config(cluster, kind="worker", index=0):
    return {"cluster": cluster, "task": {"type": kind, "index": index}}


def test_a_process_without_others_is_alone():
    assert find_cluster() is None
    with pytest.raises(
        UsageError, match=r"'multiworker' needs a list of workers: give --hosts .* set TF_CONFIG"
    ):
        find_cluster("multiworker")


def test_hosts_are_named_in_their_order(monkeypatch):
    say(monkeypatch, ZOO_HOSTS="a.example:2222, b.example:2222", ZOO_INDEX="1")
    found = find_cluster()
    assert found == Cluster(("a.example:2222", "b.example:2222"), 1)
    assert (found.address, found.chief) == ("b.example:2222", "a.example:2222")
    assert found.others == {0: "a.example:2222"}
    assert find_cluster("none") is find_cluster("mirrored") is None
    say(monkeypatch, ZOO_HOSTS="a,[::1],c:7", ZOO_PORT="2222")
    assert find_cluster().addresses == ("a:2222", "[::1]:2222", "c:7")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ZOO_HOSTS": "a:1,b:1"}, "Which of the hosts a:1,b:1 is this one"),
        ({"ZOO_INDEX": "0"}, "there are no hosts"),
        (
            {"ZOO_HOSTS": "a:1,b:1", "ZOO_INDEX": "2"},
            "There is no worker 2: the list has 2, numbered from 0",
        ),
        ({"ZOO_HOSTS": "a:1,b:1", "ZOO_INDEX": "-1"}, "ZOO_INDEX .* is '-1'"),
        ({"ZOO_HOSTS": "a:1,b:1", "ZOO_INDEX": "one"}, "ZOO_INDEX .* is 'one'"),
        ({"ZOO_HOSTS": "a:1,a:1", "ZOO_INDEX": "0"}, "has a:1 twice"),
        ({"ZOO_HOSTS": "a,b", "ZOO_INDEX": "0"}, "Host a has no port"),
        ({"ZOO_HOSTS": "a,b", "ZOO_INDEX": "0", "ZOO_PORT": "0"}, "ZOO_PORT .* is '0'"),
        ({"ZOO_HOSTS": "a:70000,b:1", "ZOO_INDEX": "0"}, "'a:70000' is not the address"),
        ({"ZOO_HOSTS": "a:1,,b:1", "ZOO_INDEX": "0"}, "'' is not the address"),
        ({"ZOO_HOSTS": "http://a:1,b:1", "ZOO_INDEX": "0"}, "is not the address"),
    ],
)
def test_hosts_that_cannot_be_used_are_said(monkeypatch, variables, message):
    say(monkeypatch, **variables)
    with pytest.raises(UsageError, match=message):
        find_cluster()


def test_tf_config_is_read(monkeypatch):
    say(monkeypatch, TF_CONFIG=config(WORKERS, index=1))
    assert find_cluster() == Cluster(("a:1", "b:1"), 1)
    say(monkeypatch, TF_CONFIG=config({"chief": ["c:1"], **WORKERS}, index="1"))
    assert find_cluster() == Cluster(("c:1", "a:1", "b:1"), 2)
    say(monkeypatch, TF_CONFIG=config({"chief": ["c:1"], **WORKERS}, "chief"))
    assert find_cluster().index == 0
    say(monkeypatch, TF_CONFIG=config({"worker": ["a:1"]}))
    assert find_cluster("auto") is None
    assert find_cluster("multiworker") == Cluster(("a:1",), 0)


WRONG = {
    "it is not JSON": ["{", "{'cluster': 1}", "nothing", "[" * 100_000],
    "it is not a JSON object": ["[]", "1", "null", '"text"'],
    "'cluster' is missing": [{}, {"cluster": []}, {"cluster": {}}, {"task": {}}],
    "'task' is missing": [{"cluster": WORKERS}, {"cluster": WORKERS, "task": [1]}],
    "its cluster has 'ps'": [config({**WORKERS, "ps": ["c:1"]}, "ps")],
    "its cluster has 'evaluator'": [config({**WORKERS, "evaluator": ["c:1"]})],
    "'worker' in its cluster is not a list": [
        config({"worker": "a:1"}), config({"worker": {"0": "a:1"}}), config({"worker": [1]})
    ],
    "it has 2 chiefs": [config({"chief": ["a:1", "b:1"]}, "chief")],
    "the type of its task is": [
        config(WORKERS, "evaluator"), config(WORKERS, None), config(WORKERS, ["worker"])
    ],
    "the index of its task is": [
        config(WORKERS, index=None), config(WORKERS, index=True), config(WORKERS, index=0.0),
        config(WORKERS, index="x"), config(WORKERS, index=[0])
    ],
    "its task is worker 2, but it lists 2 worker": [config(WORKERS, index=2)],
    "its task is worker -1, but it lists 2 worker": [config(WORKERS, index=-1)],
    "its task is chief 0, but it lists 2 worker": [config(WORKERS, "chief")],
}  # fmt: skip


@pytest.mark.parametrize("name", ["auto", "multiworker"])
@pytest.mark.parametrize(("message", "values"), WRONG.items())
def test_every_wrong_form_of_tf_config_is_said(monkeypatch, message, values, name):
    for value in values:
        say(monkeypatch, TF_CONFIG=value)
        with pytest.raises(UsageError, match=f"TF_CONFIG cannot be used: {message}") as error:
            find_cluster(name)
        assert '"task": {"type": "worker", "index": 0}' in str(error.value)


@pytest.mark.parametrize(
    ("addresses", "message"),
    [(["a:1", "a:1"], "has a:1 twice"), (["a", "b:1"], "'a' is not the address"), ([""], "''")],
)
def test_wrong_addresses_of_tf_config_are_said(monkeypatch, addresses, message):
    say(monkeypatch, TF_CONFIG=config({"worker": addresses}))
    with pytest.raises(UsageError, match=f"TF_CONFIG: .*{message}"):
        find_cluster()


def test_a_wrong_cluster_is_one_line_before_tensorflow_is_loaded():
    code = (
        "import sys\nfrom zoo.cli import main\n"
        "sys.argv = ['zoo', 'train', 'imdb-gru', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n    print('tensorflow' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--hosts", "a:1,a:1", "--index", "0"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stdout == "False\n"
    assert done.stderr.startswith("Error: The list of workers has a:1 twice.")
    assert len(done.stderr.splitlines()) == 1


SLURM = {
    "SLURM_STEP_NODELIST": "node[1-2]",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_PROCID": "3",
    "SLURM_JOB_ID": "1002",
    "SLURM_STEP_ID": "0",
}


@pytest.mark.parametrize("name", ["auto", "multiworker"])
def test_slurm_says_who_a_worker_is(monkeypatch, name):
    say(monkeypatch, **SLURM)
    found = find_cluster(name)
    assert found.index == 3
    assert found.addresses == ("node1:15032", "node1:15033", "node2:15032", "node2:15033")


def test_ports_of_slurm_differ_by_job_and_step_or_are_given(monkeypatch):
    seen = set()
    for job, step in (("1002", "0"), ("1003", "0"), ("1002", "1")):
        say(monkeypatch, **{**SLURM, "SLURM_JOB_ID": job, "SLURM_STEP_ID": step})
        seen |= set(find_cluster().addresses)
    assert len(seen) == 3 * 4
    say(monkeypatch, ZOO_PORT="7000")
    assert find_cluster().addresses[:2] == ("node1:7000", "node1:7001")


def test_one_task_of_slurm_is_alone_and_hosts_go_first(monkeypatch):
    say(monkeypatch, **{**SLURM, "SLURM_STEP_NUM_TASKS": "1"})
    assert find_cluster() is None
    say(monkeypatch, **SLURM, ZOO_HOSTS="a:1,b:1", ZOO_INDEX="0")
    assert find_cluster().addresses == ("a:1", "b:1")


def test_slurm_that_does_not_agree_is_said(monkeypatch):
    say(monkeypatch, **{**SLURM, "SLURM_STEP_TASKS_PER_NODE": "3"})
    with pytest.raises(UsageError, match="contradict each other: 4 tasks on node"):
        find_cluster()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ["a"]),
        ("a,b-2", ["a", "b-2"]),
        ("n[08-10,12]", ["n08", "n09", "n10", "n12"]),
        ("r[1-2]n[1,3]-ib,x", ["r1n1-ib", "r1n3-ib", "r2n1-ib", "r2n3-ib", "x"]),
    ],
)
def test_lists_of_nodes_are_expanded(text, names):
    assert expand_nodes(text) == names


@pytest.mark.parametrize("text", ["a[", "a[1-]", "a]1[", "a,,b", "a b", "n[-]"])
def test_what_is_no_list_of_nodes_is_said(text):
    with pytest.raises(UsageError, match="which is not a list of nodes"):
        expand_nodes(text)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_a_time_limit_is_a_positive_number(monkeypatch, text):
    monkeypatch.setenv("ZOO_WORKER_TIMEOUT", text)
    with pytest.raises(UsageError, match=f"ZOO_WORKER_TIMEOUT is '{text}'"):
        patience()
