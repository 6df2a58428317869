"""An export answers where neither TensorFlow nor this package is installed."""

import json
import os
import subprocess
import sys

import pytest

import zoo

REVIEW = "It wasn't a great film, but I liked the <b>actors</b> and the music. " * 16  # 240 words
TEXTS = ["What a film!", "", "Rock’n’roll e\u0301te\u0301 \u200b 😀 <br />", REVIEW]
# The newest releases are larger; these are the smallest that read our files.
PACKAGES = {"onnx": "onnxruntime==1.20.1", "litert": "ai-edge-litert==2.1.0"}
MEGABYTES, SECONDS, MILLISECONDS = 100, 0.5, 1.0

ASK = """
import json, runpy, sys, time
start = time.perf_counter()
reader = runpy.run_path(sys.argv[1] + "/reader.py", run_name="reader")
model = reader["load"](sys.argv[1])
loaded = time.perf_counter() - start
texts = json.loads(sys.stdin.read())
answers = model.predict(texts) if model.labels else []
times = []
for _ in range(60):
    start = time.perf_counter()
    model.predict(texts[-1:])
    times.append(time.perf_counter() - start)
assert not {"tensorflow", "keras", "zoo"} & set(sys.modules)
print(json.dumps([loaded, 1000 * sorted(times)[len(times) // 2], answers]))
"""


@pytest.fixture(scope="module", params=list(PACKAGES))
def environment(request, tmp_path_factory):
    """The format, and a Python with NumPy and its engine alone."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "-q", "--no-compile", "--no-deps"]
    subprocess.run([*pip, "numpy", PACKAGES[request.param]], check=True)
    return request.param, folder


def ask(environment, version, texts):
    # Compiled modules are kept, as on any machine: the first try is slower.
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [environment / "bin" / "python", "-c", ASK, version],
        env=settings,
        input=json.dumps(texts),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_it_is_small(environment):
    _, folder = environment
    (packages,) = folder.glob("lib/python*/site-packages")
    own = ("pip", "setuptools", "_distutils_hack", "pkg_resources", "distutils-precedence.pth")
    files = [
        path
        for top in packages.iterdir()
        if not top.name.startswith(own)
        for path in ([top] if top.is_file() else top.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert sum(path.stat().st_size for path in files) <= MEGABYTES * 1e6


@pytest.mark.slow
def test_it_answers_as_here(environment, sample_run, tmp_path):
    form, folder = environment
    version = zoo.export(sample_run, tmp_path, format=form)
    _, _, answers = ask(folder, version, TEXTS)
    for found, due in zip(answers, zoo.load(sample_run).predict(TEXTS), strict=True):
        assert found["label"] == due["label"]
        assert found["probabilities"] == pytest.approx(due["probabilities"], abs=1e-5)


@pytest.mark.slow
def test_it_is_quick(environment, tmp_path):
    """Of the packed GRU; the best of some tries, because other processes share the machine."""
    form, folder = environment
    if form == "litert":
        pytest.skip("LiteRT computes a step of the loop at a time: see the table of formats.")
    version = zoo.export("imdb-gru", tmp_path, format=form)
    tries = [ask(folder, version, TEXTS) for _ in range(5)]
    assert min(loaded for loaded, *_ in tries) <= SECONDS
    assert min(each for _, each, _ in tries) <= MILLISECONDS
