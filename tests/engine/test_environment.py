import getpass
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import zoo
from zoo import environment as module
from zoo.environment import environment


def test_it_tells_versions_and_hardware():
    found = environment()
    assert json.loads(json.dumps(found)) == found
    assert found["python"] == platform.python_version()
    assert found["zoo"] == zoo.__version__
    assert found["keras"] == version("keras")
    assert found["numpy"] == version("numpy")
    assert found["tensorflow"]
    assert 1 <= found["cores"] <= (os.cpu_count() or 1)
    assert found["memory_gib"] is None or found["memory_gib"] >= 1
    assert found["cpu"]


def test_it_names_neither_the_machine_nor_its_user():
    told = json.dumps({k: v for k, v in environment().items() if k not in ("cpu", "machine")})
    assert str(Path.home()) not in told or str(Path.home()) == "/"
    assert platform.node() not in told
    assert getpass.getuser() not in told
    assert "/" not in told


def test_it_does_not_import_tensorflow():
    code = (
        "import sys; from zoo.environment import environment; found = environment();"
        "assert found['gpus'] == []; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_missing_distribution_has_no_version():
    assert module.installed_version("no-such-distribution-here") is None
    assert module.installed_version("no-such-distribution-here", "numpy") == version("numpy")


@pytest.mark.parametrize(
    ("model", "general"),
    [
        ("Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz", "Intel Xeon Platinum 8370C"),
        (" AMD EPYC 7B13 64-Core Processor", "AMD EPYC 7B13"),
        ("Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz\n", "Intel Core i7-8650U"),
        ("AMD Ryzen 7 5800U with Radeon Graphics", "AMD Ryzen 7 5800U"),
        ("Apple M2 Pro", "Apple M2 Pro"),
        ("", platform.machine()),
    ],
)
def test_processor_names_are_generalised(model, general):
    assert module._general(model) == general
