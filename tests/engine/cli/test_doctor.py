"""`zoo doctor`: it reports problems and how to fix them."""

import json
import os
import subprocess
import sys
from importlib import metadata

import pytest

import zoo
from zoo import diagnosis


@pytest.fixture
def quick(monkeypatch):
    """No process that loads TensorFlow; what it would print can be set."""
    answer = {"stdout": '{"backend": "tensorflow", "gpus": []}\n', "stderr": "", "returncode": 0}
    monkeypatch.setattr(
        diagnosis.subprocess,
        "run",
        lambda command, **_: subprocess.CompletedProcess(command, **answer),
    )
    monkeypatch.setattr(diagnosis, "_nvidia", lambda: False)
    return answer


def problems(report, essential):
    return {
        row["what"]: row["remedy"] for row in report["problems"] if row["essential"] is essential
    }


def test_healthy_installation(tmp_path):
    """The real thing, in a process of its own, which runs nothing of the current folder."""
    for name in ("tensorflow", "keras", "pip", "numpy", "json"):
        (tmp_path / f"{name}.py").write_text("open('run', 'a').write(__name__)\n")
    # As the installed command: `python -m zoo` itself puts the current folder on the path.
    code = "import sys; del sys.path[0]; import zoo.cli; zoo.cli.main()"
    environment = dict(os.environ)
    del environment["TF_CPP_MIN_LOG_LEVEL"]  # which users have not set
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor", "--json"],
        cwd=tmp_path, env=environment, capture_output=True, timeout=300,
    )  # fmt: skip
    assert not (tmp_path / "run").exists()
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert list(report) == [
        "ok", "environment", "packages", "backend", "gpus", "gpu_install", "cache", "settings",
        "pip", "pretrained", "problems",
    ]  # fmt: skip
    assert report["ok"] is True
    assert report["backend"] == "tensorflow"
    assert report["environment"]["zoo"] == zoo.__version__
    assert report["packages"]["keras"] == metadata.version("keras")
    assert "pytest" not in report["packages"]  # an extra
    assert report["settings"]["ZOO_OFFLINE"] == "1"
    assert set(report["pretrained"]) == {row["name"] for row in zoo.list_models(pretrained=True)}
    assert set(report["pretrained"].values()) <= {"ok"}


def test_function_is_lazy_and_stays_a_function(quick):
    assert zoo.doctor()["ok"] is True
    assert callable(zoo.doctor)


def test_for_people(cli, quick, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "data").write_bytes(b"0" * 2_500_000)
    lines = cli("doctor").out.splitlines()
    facts = dict(line.split("  ", 1) for line in lines if "  " in line)
    assert facts["keras"].strip() == metadata.version("keras")
    assert "pip install '.[gpu]' in a checkout of rnn-zoo" in facts["GPU"]
    assert f"{tmp_path / 'home'}: 2.5 MB used, " in facts["cache"]
    assert facts["ZOO_OFFLINE"].strip() == "1"
    assert lines[-1] == "Nothing is missing."


def test_missing_and_old_packages(cli, quick, monkeypatch):
    real = metadata.version

    def version(name):
        if name == "pandas":
            raise metadata.PackageNotFoundError(name)
        return "1.0" if name == "keras" else real(name)

    monkeypatch.setattr(diagnosis.metadata, "version", version)
    report = zoo.doctor()
    assert report["ok"] is False
    assert report["packages"]["pandas"] is None
    found = problems(report, essential=True)
    assert found["pandas is not installed"].startswith("pip install 'pandas>=")
    assert found["keras is 1.0, but <3.16,>=3.12 is needed"] == "pip install 'keras<3.16,>=3.12'"
    text = cli("doctor", code=1).out
    assert "problem: pandas is not installed\n  fix: pip install 'pandas>=" in text
    assert "Nothing is missing." not in text


def test_other_distributions_of_tensorflow(quick, monkeypatch):
    real = metadata.version

    def version(name):
        if name == "tensorflow":
            raise metadata.PackageNotFoundError(name)
        return "2.20.0" if name == "tensorflow-cpu" else real(name)

    monkeypatch.setattr(diagnosis.metadata, "version", version)
    report = zoo.doctor()
    assert report["packages"]["tensorflow"] == "2.20.0"
    assert report["ok"] is True


def test_not_installed(quick, monkeypatch):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(diagnosis.metadata, "requires", requires)
    assert "rnn-zoo itself is not installed" in next(iter(problems(zoo.doctor(), essential=True)))


def test_tensorflow_that_does_not_load(quick):
    quick.update(stdout="", stderr="noise\nImportError: libcudart is missing\n", returncode=1)
    what = next(iter(problems(zoo.doctor(), essential=True)))
    assert what == "TensorFlow cannot be loaded: ImportError: libcudart is missing"
    quick.update(stderr="", returncode=-4)  # killed: an instruction this processor lacks
    what = next(iter(problems(zoo.doctor(), essential=True)))
    assert what == "TensorFlow cannot be loaded: exit status -4"


def test_gpus(quick, monkeypatch):
    monkeypatch.setattr(diagnosis, "_nvidia", lambda: True)
    assert problems(zoo.doctor(), essential=False) == {
        "there is an NVIDIA GPU that TensorFlow does not see": diagnosis.GPU_INSTALL
    }
    quick.update(stdout='{"backend": "tensorflow", "gpus": ["H100"]}')
    report = zoo.doctor()
    assert (report["gpus"], report["environment"]["gpus"]) == (["H100"], ["H100"])
    assert report["problems"] == []


def test_backend(quick, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    report = zoo.doctor()
    assert report["backend"] == "torch"
    assert list(problems(report, essential=True).values()) == ["unset KERAS_BACKEND"]


def test_folders(quick, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "none"))
    monkeypatch.setenv("TFDS_DATA_DIR", "gs://bucket/data")
    monkeypatch.setattr(diagnosis.importlib.util, "find_spec", lambda name: None)
    report = zoo.doctor()
    assert list(problems(report, essential=True).values()) == [
        "set ZOO_HOME to a folder that you may write to"
    ]
    assert problems(report, essential=False) == {
        f"ZOO_MIRROR names {tmp_path / 'none'}, which is not a folder": "correct or unset "
        "ZOO_MIRROR",
        "pip is missing, so data inside wheels cannot be fetched": f"{sys.executable} -m ensurepip",
    }
    assert report["pip"] is None


def test_little_room(quick, monkeypatch):
    usage = type("Usage", (), {"free": 250_000_000})
    monkeypatch.setattr(diagnosis.shutil, "disk_usage", lambda path: usage)
    assert "only 0.2 GB are free" in next(iter(problems(zoo.doctor(), essential=False)))


def test_damaged_pack(quick, monkeypatch, tmp_path):
    class Recipe:
        pretrained_folder = tmp_path

    (tmp_path / "a.tar.xz").write_bytes(b"damaged")
    monkeypatch.setattr("zoo.serving.pretrained.pretrained_names", lambda: ["a"])
    monkeypatch.setattr("zoo.registry.get_recipe", lambda name: Recipe)
    entry = {"file": "a.tar.xz", "sha256": "0" * 64}
    monkeypatch.setattr("zoo.manifest.manifest_entry", lambda recipe: entry)
    report = zoo.doctor()
    assert report["pretrained"] == {"a": f"{tmp_path / 'a.tar.xz'} is missing or damaged"}
    assert "reinstall" in next(iter(problems(report, essential=True).values()))


def test_nothing_is_unpacked(quick, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    other = tmp_path / "pretrained/adding-gru-0000000000000000"  # of another version
    other.mkdir(parents=True)
    assert zoo.doctor()["pretrained"]["adding-gru"] == "ok"
    assert list(other.parent.iterdir()) == [other]


def test_a_mirror_that_is_no_url(quick, monkeypatch):
    monkeypatch.setenv("ZOO_MIRROR", "ftp://host/x")
    assert problems(zoo.doctor(), essential=False) == {
        "ZOO_MIRROR: 'ftp://host/x' is neither a folder nor an http(s) URL": (
            "correct or unset ZOO_MIRROR"
        )
    }
