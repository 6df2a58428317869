"""Importing prints nothing: TensorFlow's lines about itself are kept out."""

import os
import subprocess
import sys

import pytest


def run(code, **environment):
    known = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "ZOO_DEBUG")}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env={**known, **environment})


# Slow are those that end in the same import, as `zoo predict` does in cli/test_predict.py; each
# takes a process that imports TensorFlow.
@pytest.mark.parametrize(
    "code",
    [
        "import zoo, keras, tensorflow as tf; tf.config.list_physical_devices()",
        pytest.param(
            "import importlib.util as u, zoo; u.find_spec('tensorflow'); import tensorflow as tf; "
            "tf.config.list_physical_devices()",
            marks=pytest.mark.slow,
        ),
        pytest.param("import zoo; zoo.Predictor", marks=pytest.mark.slow),
        pytest.param("from zoo.layers import MaskedPooling", marks=pytest.mark.slow),
    ],
)
def test_whoever_imports_tensorflow_first(code):
    done = run(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_errors_and_what_others_write_are_seen():
    code = (
        "import os, sys, zoo, tensorflow; os.write(2, b'raw '); print('seen', file=sys.stderr);"
        "assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '1'; import tensorflow.nothing"
    )
    done = run(code, TF_CPP_MIN_LOG_LEVEL="1")  # what is set stays
    assert done.returncode == 1
    assert done.stderr.startswith("raw seen\nTraceback (most recent call last):\n")
    assert "No module named 'tensorflow.nothing'" in done.stderr.splitlines()[-1]


def test_debugging_shows_all():
    code = "import sys, zoo; print('tensorflow' in {getattr(f, 'name', 0) for f in sys.meta_path})"
    assert run(code, ZOO_DEBUG="1").stdout == "False\n"
    assert run(code).stdout == "True\n"
