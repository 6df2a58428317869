"""The manifests and scripts in `deploy/`: valid, and what they say of workers is right."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from zoo.cluster import find_cluster
from zoo.errors import WORKERS_LOST

DEPLOY = Path(__file__).parents[2] / "deploy"
RELEASES = ("1.31", "1.34")  # of Kubernetes


def documents(name):
    yaml = pytest.importorskip("yaml")
    return {
        each["kind"]: each
        for each in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text())
    }


def job_of_runtime(runtime):
    (replicated,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    job = replicated["template"]
    job["spec"] |= {"completions": 2, "parallelism": 2}  # Trainer sets them from numNodes
    return {"apiVersion": "batch/v1", "kind": "Job", **job}


@pytest.fixture(params=["job.yaml", "trainjob.yaml"])
def job(request):
    found = documents(request.param)
    return found["Job"] if "Job" in found else job_of_runtime(found["TrainingRuntime"])


@pytest.mark.parametrize("release", RELEASES)
def test_manifests_have_their_schemas(job, release):
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for each in [job, documents("job.yaml")["Service"], documents("job.yaml")["NetworkPolicy"]]:
        kubernetes_validate.validate(each, release, strict=True)


def only_in(document, known, place=""):
    """Yields the places of a document whose value a model of it did not keep."""
    if isinstance(document, dict) and isinstance(known, dict):
        for key, value in document.items():
            yield from only_in(value, known.get(key), f"{place}/{key}")
    elif isinstance(document, list) and isinstance(known, list) and len(document) == len(known):
        for index, (value, kept) in enumerate(zip(document, known, strict=True)):
            yield from only_in(value, kept, f"{place}/{index}")
    elif document != known:
        yield place


@pytest.mark.parametrize("kind", ["TrainJob", "TrainingRuntime"])
def test_what_trainer_reads_has_its_schema(kind):
    """The models are generated from Kubeflow Trainer's API; they drop a field that it lacks."""
    models = pytest.importorskip("kubeflow_trainer_api.models")
    model, document = getattr(models, f"TrainerV1alpha1{kind}"), documents("trainjob.yaml")[kind]
    assert not [*only_in(document, model.from_dict(document).to_dict())]
    document["spec"]["numNode"] = 2
    assert [*only_in(document, model.from_dict(document).to_dict())] == ["/spec/numNode"]
    document["metadata"] = "zoo"
    with pytest.raises(ValueError, match="ObjectMeta"):
        model.from_dict(document)


@pytest.mark.parametrize("index", [0, 1])
def test_pods_are_told_the_workers(job, index, monkeypatch):
    (container,) = job["spec"]["template"]["spec"]["containers"]
    variables = {each["name"]: each for each in container["env"]}
    place = variables["ZOO_INDEX"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert place == "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    for name in ("ZOO_HOSTS", "ZOO_PORT"):
        monkeypatch.setenv(name, variables[name]["value"])
    monkeypatch.setenv("ZOO_INDEX", str(index))
    cluster = find_cluster("multiworker")
    assert len(cluster.addresses) == job["spec"]["completions"] == job["spec"]["parallelism"]
    (port,) = container["ports"]
    assert cluster.address.endswith(f":{port['containerPort']}")
    assert container["readinessProbe"]["tcpSocket"]["port"] == port["name"]


def test_names_of_pods_are_those_of_the_service():
    found = documents("job.yaml")
    service, job = found["Service"], found["Job"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    name, domain = job["metadata"]["name"], service["metadata"]["name"]
    hosts = next(each["value"] for each in container["env"] if each["name"] == "ZOO_HOSTS")
    assert hosts.split(",") == [f"{name}-{index}.{domain}" for index in range(2)]
    assert job["spec"]["template"]["spec"]["subdomain"] == domain
    assert service["spec"]["selector"] == {"job-name": name}
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True


def test_a_trainjob_is_of_the_runtime_beside_it():
    found = documents("trainjob.yaml")
    job, runtime = found["TrainJob"], found["TrainingRuntime"]
    assert job["spec"]["runtimeRef"]["name"] == runtime["metadata"]["name"]
    assert job["spec"]["trainer"]["numNodes"] == runtime["spec"]["mlPolicy"]["numNodes"] == 2
    (replicated,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    (container,) = replicated["template"]["spec"]["template"]["spec"]["containers"]
    hosts = next(each["value"] for each in container["env"] if each["name"] == "ZOO_HOSTS")
    name = job["metadata"]["name"]
    assert hosts.split(",") == [f"{name}-{replicated['name']}-0-{i}.{name}" for i in range(2)]


@pytest.mark.parametrize(
    ("code", "action"),
    [(1, "FailJob"), (2, "FailJob"), (WORKERS_LOST, "Count"), (137, "Count"), (143, "Count")],
)
def test_pods_are_started_again_by_their_exit_codes(job, code, action):
    def fits(rule):
        codes = rule.get("onExitCodes")
        return codes and (code in codes["values"]) == (codes["operator"] == "In")

    rules = job["spec"]["podFailurePolicy"]["rules"]
    assert next(rule["action"] for rule in rules if fits(rule)) == action
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"  # else there are no rules


def test_only_workers_reach_workers():
    found = documents("job.yaml")
    (rule,) = found["NetworkPolicy"]["spec"]["ingress"]
    labels = found["Job"]["spec"]["template"]["metadata"]["labels"]
    assert found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    assert [each["podSelector"]["matchLabels"] for each in rule["from"]] == [labels]
    assert [each["port"] for each in rule["ports"]] == [2222]


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize(
    ("code", "restarts", "again"),
    [(0, "", False), (1, "", False), (2, "", False), (143, "", True), (203, "9", True),
     (203, "10", False)],
)  # fmt: skip
def test_slurm_starts_again_what_can_go_on(tmp_path, code, restarts, again):
    for name, text in (
        ("srun", f'echo srun "$@" >> {tmp_path}/log; exit {code}'),
        ("scontrol", f'echo scontrol "$@" >> {tmp_path}/log'),
    ):
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "HOME": "/home"}
    if restarts:
        variables["SLURM_RESTART_COUNT"] = restarts
    script = DEPLOY / "slurm" / "train.sbatch"
    done = subprocess.run(["bash", str(script)], env=variables, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, "")
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[0].startswith("srun --kill-on-bad-exit=1 zoo train imdb-lstm")
    assert ("scontrol requeue 7" in lines) == again
