"""What answers at once: nothing that computes is imported to list or to help."""

import functools
import os
import resource
import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "numpy", "pandas", "sklearn", "scipy", "matplotlib", "h5py")

RUN = """
import sys
sys.argv = ["zoo", *{arguments!r}]
from zoo.cli import main
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
print("imported:", *(name for name in {heavy!r} if name in sys.modules))
"""


@pytest.mark.parametrize(
    "code",
    [
        "import zoo.serving, zoo.training",
        "from zoo.serving.find import find, recipe_of",
        "from zoo.serving import Served",
        "from zoo.training.launcher import launch",
        "from zoo.serving.find import recipe_of; recipe_of(Path(sys.argv[1]))",
    ],
)
def test_packages_import_nothing_heavy(code, tmp_path):
    (tmp_path / "config.json").write_text('{"recipe": "imdb-lstm", "config": {}}')
    shown = f"print('imported:', *(name for name in {HEAVY!r} if name in sys.modules))"
    code = f"import sys\nfrom pathlib import Path\n{code}\n{shown}"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("imported:\n", "")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["list"], ["list", "--json"], ["train", "--help"],
     ["predict", "--help"], ["export", "--help"], ["evaluate", "--help"],
     ["backtest", "--help"]],
)  # fmt: skip
def test_the_command_line_imports_nothing_heavy_to_answer(arguments):
    code = RUN.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["imported:"]


def test_the_package_imports_nothing_heavy():
    code = f"import sys, zoo; zoo.list_models(); print(*({HEAVY!r} & sys.modules.keys()))"
    code = code.replace(repr(HEAVY), f"set({HEAVY!r})")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture
def seconds(tmp_path):
    """Takes arguments of Python; returns the processor time of the process.

    Of the processor, because others use the machine too; with compiled bytecode kept, as it is on
    a user's machine.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)
    return functools.partial(measured, environment)


def measured(environment, *arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, *arguments]
    subprocess.run(command, capture_output=True, check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_listing_takes_at_most_three_times_as_long_as_importing_click(seconds):
    click, listing, helping = [], [], []
    for _ in range(20):  # the best of interleaved runs
        click.append(seconds("-c", "import click"))
        listing.append(seconds("-m", "zoo", "list"))
        helping.append(seconds("-m", "zoo", "--help"))
        if len(click) >= 5 and max(min(listing), min(helping)) <= 3 * min(click):
            break
    assert min(listing) <= 3 * min(click)
    assert min(helping) <= 3 * min(click)
