"""What answers at once: nothing that computes is imported to list or to help."""

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
    "arguments",
    [["--help"], ["--version"], ["list"], ["list", "--json"], ["train", "--help"],
     ["predict", "--help"], ["export", "--help"], ["evaluate", "--help"]],
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


def seconds(*arguments):
    """Returns the processor time of a Python process: others who use the machine count less."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_listing_takes_at_most_three_times_as_long_as_importing_click():
    click, listing, helping = [], [], []
    for _ in range(20):  # the best of interleaved runs
        click.append(seconds("-c", "import click"))
        listing.append(seconds("-m", "zoo", "list"))
        helping.append(seconds("-m", "zoo", "--help"))
        if len(click) >= 5 and max(min(listing), min(helping)) <= 3 * min(click):
            break
    assert min(listing) <= 3 * min(click)
    assert min(helping) <= 3 * min(click)
