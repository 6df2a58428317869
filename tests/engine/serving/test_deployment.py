"""Files to serve an export with: configs that the server reads, manifests, clients."""

import ast
import json
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from zoo.errors import UsageError
from zoo.serving import deployment

RELEASES = ("1.31", "1.34")  # of Kubernetes
ROWS = {"instances": ["a good film", "a dull film"]}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The folder of files for a version of `imdb`, and that of its versions."""
    monkeypatch.setattr(deployment, "_example", lambda warmup: (ROWS, {"text": "string"}))
    version = tmp_path / "serving" / "Imdb_1" / "3"
    version.mkdir(parents=True)
    folder = tmp_path / "deploy"
    paths = deployment.write_deployment(version, folder)
    assert sorted(path.name for path in paths) == sorted(path.name for path in folder.iterdir())
    return SimpleNamespace(folder=folder, base=version.parent, version=version)


def documents(path):
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all(path.read_text()))


def test_nothing_is_left_to_be_filled_in(written):
    for path in written.folder.iterdir():
        assert not re.search(r"\$\{?[a-z]", path.read_text()), path.name
    assert json.loads((written.folder / "request.json").read_text()) == ROWS
    for name in ("client_rest.py", "client_grpc.py"):
        ast.parse((written.folder / name).read_text())


def test_the_server_reads_its_configs(written):
    config = pytest.importorskip("zoo.server.config", reason="the extra 'serve' is missing")
    (model,) = config.read_model_config(written.folder / "models.config")
    assert (model.name, str(model.folder)) == ("Imdb_1", "/models/Imdb_1")
    batching = config.read_batching(written.folder / "batching_parameters.txt")
    assert (batching.max_batch_size, batching.max_enqueued_rows) == (64, 4096)
    assert config.read_metrics_path(written.folder / "monitoring.config") == config.METRICS


@pytest.mark.parametrize("release", RELEASES)
def test_manifests_have_their_schemas(written, release):
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    deployed, service = documents(written.folder / "kubernetes.yaml")
    for each in (deployed, service):
        kubernetes_validate.validate(each, release, strict=True)
        assert each["metadata"]["name"] == "imdb-1"
    (container,) = deployed["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["Imdb_1=/models/Imdb_1"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"grpc": 8500, "http": 8501}
    assert {each["targetPort"] for each in service["spec"]["ports"]} == ports.keys()
    labels = deployed["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == deployed["spec"]["selector"]["matchLabels"] == labels


@pytest.mark.parametrize("release", RELEASES)
def test_the_predictor_of_kserve_is_a_pod(written, release):
    """KServe's schema of a predictor is that of a Pod, and some fields of its own."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    (service,) = documents(written.folder / "kserve.yaml")
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    assert service["kind"] == "InferenceService"
    assert service.keys() == {"apiVersion", "kind", "metadata", "spec"}
    predictor = dict(service["spec"]["predictor"])
    assert predictor.pop("minReplicas") == 1
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": predictor}
    kubernetes_validate.validate(pod, release, strict=True)
    (container,) = predictor["containers"]
    assert container["name"] == "kserve-container"
    assert container["args"][0] == "Imdb_1=/mnt/models"


def test_compose_mounts_the_versions(written):
    (compose,) = documents(written.folder / "compose.yaml")
    assert compose["services"].keys() == {"zoo", "tensorflow-serving"}
    for service in compose["services"].values():
        source, target, mode = service["volumes"][0].split(":")
        assert (written.folder / source).resolve() == written.base.resolve()
        assert (target, mode) == ("/models/Imdb_1", "ro")
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_compose_reads_a_path_that_yaml_would_end(tmp_path, monkeypatch):
    monkeypatch.setattr(deployment, "_example", lambda warmup: (ROWS, {"text": "string"}))
    version = tmp_path / 'my #1 "best" $HOME' / "half" / "3"
    version.mkdir(parents=True)
    deployment.write_deployment(version, tmp_path / "deploy")
    (compose,) = documents(tmp_path / "deploy" / "compose.yaml")
    for service in compose["services"].values():
        assert service["volumes"][0] == '../my #1 "best" $$HOME/half:/models/half:ro'


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("2024", "model-2024"),
        ("null", "null"),
        ("1e5", "model-1e5"),
        ("9" * 63, "model-" + "9" * 57),
    ],
)
def test_names_that_yaml_or_kubernetes_would_read_otherwise(tmp_path, monkeypatch, name, label):
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    monkeypatch.setattr(deployment, "_example", lambda warmup: (ROWS, {"text": "string"}))
    version = tmp_path / name / "1"
    version.mkdir(parents=True)
    deployment.write_deployment(version, tmp_path / "deploy")
    for each in documents(tmp_path / "deploy" / "kubernetes.yaml"):
        kubernetes_validate.validate(each, RELEASES[0], strict=True)
        assert each["metadata"]["name"] == label
    (service,) = documents(tmp_path / "deploy" / "kserve.yaml")
    assert service["metadata"]["name"] == label


def test_folders_that_cannot_be(written, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        deployment.write_deployment(written.version, tmp_path / "file")
    odd = tmp_path / "a b" / "1"
    odd.mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be a model's name"):
        deployment.write_deployment(odd, tmp_path / "deploy")


def test_a_folder_that_cannot_be_is_said_before_anything_is_exported(cli, tmp_path):
    (tmp_path / "file").write_text("")
    for directory, folder, said in (
        (tmp_path / "imdb", tmp_path / "file", "file is a file. Name a folder."),
        (tmp_path / "a b", tmp_path / "deploy", "cannot be a model's name"),
    ):
        done = cli("export", "imdb-simplernn", directory, "--serving", folder, code=2)
        assert said in done.err
        assert not directory.exists()


def test_an_example_is_needed(tmp_path):
    (tmp_path / "imdb" / "1").mkdir(parents=True)
    with pytest.raises(UsageError, match="--warmup 1"):
        deployment.write_deployment(tmp_path / "imdb" / "1", tmp_path / "deploy")


@pytest.mark.slow
def test_clients_ask_what_the_files_serve(cli, run_of, tmp_path):
    """From export to an answer, over HTTP and gRPC, with the files as they are written."""
    pytest.importorskip("uvicorn", reason="the extra 'serve' is not installed")
    run = run_of("imdb-lstm")
    out = cli("export", run, tmp_path / "imdb", "--serving", tmp_path / "deploy").out
    assert out.splitlines()[0] == str(tmp_path / "imdb" / "1")
    folder = tmp_path / "deploy"
    text = (folder / "models.config").read_text()
    (folder / "models.config").write_text(text.replace("/models/imdb", str(tmp_path / "imdb")))
    command = [sys.executable, "-m", "zoo", "serve", "--model-config-file",
               folder / "models.config", "--rest-port", "0", "--grpc-port", "0"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        rest, grpc = re.search(r"(http://\S+), gRPC at (\S+)", line).groups()
        for client, address in (("client_rest.py", rest), ("client_grpc.py", grpc)):
            done = subprocess.run(
                [sys.executable, folder / client, address], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            assert "positive" in done.stdout or "negative" in done.stdout
        curl = shutil.which("curl")
        if curl:
            done = subprocess.run(
                [curl, "-s", f"{rest}/v1/models/imdb:predict", "-d", "@request.json"],
                cwd=folder,
                capture_output=True,
                text=True,
            )
            assert json.loads(done.stdout)["predictions"]
        process.terminate()
        assert process.wait(60) == 0
