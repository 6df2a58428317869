"""Runs the README's commands on a fresh copy of the repository, and writes their cost.

python tools/walk.py results/walk.json
python tools/walk.py results/walk.json --environment .venv   # only what needs no new installation
python tools/walk.py results/walk.json --tests               # only the README's second command

The copy is that of the last commit. Of the README, the first command (install and train), the
commands of the section "Train on your data" on a CSV file that the walk writes, and those of the
section "Serve" are run, but for Docker's. Nothing of the user's settings or caches is used: neither
`ZOO_HOME` nor pip's cache. A whole walk needs a network.

With `--environment`, that virtual environment is used, in which this package has to be installed;
the costs of installing and of the first training stay as the file has them. With `--tests`, only
the second command is run, which installs the package and runs its tests; all other costs stay.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HIDDEN = ("TFDS_DATA_DIR", "ZOO_MIRROR", "ZOO_OFFLINE", "PYTHONPATH")
ROWS = {"reviews.csv": 400, "more.csv": 100}  # custom data, and data to evaluate on
STOPPED = 60  # seconds within which a server must end

PRAISE = ("wonderful", "charming", "moving", "clever", "warm", "funny")
BLAME = ("dull", "noisy", "empty", "clumsy", "cold", "slow")
SENTENCES = (
    "The acting is {}.",
    "It tells a {} story.",
    "The music is {}.",
    "I found the ending {}.",
    "It is a {} film from the first scene on.",
)


def first_command(readme: str) -> list[str]:
    """Returns the parts of the README's first command, which `&&` joins."""
    return _blocks(readme)[0].split(" && ")


def second_command(readme: str) -> list[str]:
    """Returns the parts of the README's second command, which runs the tests."""
    return _blocks(readme)[1].split(" && ")


def _blocks(readme: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)\n```", readme, re.DOTALL | re.MULTILINE)


def commands(readme: str, section: str) -> list[str]:
    """Returns the commands after `$` in a section of the README, without comments and Docker."""
    text = readme.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\$ (.*?)(?:\s+#.*)?$", text, re.MULTILINE)
    return [line for line in lines if not line.startswith("docker")]


def write_reviews(path: Path, rows: int) -> None:
    """Writes a table of film reviews with the columns `review` and `label`, drawn from a seed."""
    draw = random.Random(path.name)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["review", "label"])
        for _ in range(rows):
            label, words = draw.choice([("positive", PRAISE), ("negative", BLAME)])
            said = (each.format(draw.choice(words)) for each in draw.sample(SENTENCES, 3))
            table.writerow([" ".join(said), label])


def megabytes(folder: Path) -> int:
    """Returns the size of a folder's files in MB."""
    sizes = (path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
    return round(sum(sizes) / 1e6)


class Walk:
    """A clone, and the commands that are run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clone, self.home = folder, folder / "clone", folder / "home"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(self.clone)], check=True)
        self.readme = (self.clone / "README.md").read_text(encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if name not in HIDDEN}
        self.environment = {**kept, "ZOO_HOME": str(self.home), "PIP_NO_CACHE_DIR": "1"}

    def activate(self, environment: Path) -> None:
        """Activates an environment for later commands, as `source …/bin/activate` does."""
        self.environment["PATH"] = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def run(self, command: str) -> float:
        """Runs a command; returns its seconds."""
        print(f"+ {command}", flush=True)
        begin = time.monotonic()
        subprocess.run(command, shell=True, check=True, cwd=self.clone, env=self.environment)
        seconds = time.monotonic() - begin
        return round(seconds, 1 if seconds > 1 else 3)

    def install_and_train(self) -> dict[str, object]:
        """Walks the first command; returns seconds of each part, and MB downloaded and on disk."""
        result = self._install(first_command(self.readme), "train", ".")
        self.activate(self.clone / ".venv")
        result["seconds"]["install_serve"] = self.run("pip install '.[serve]'")
        data = megabytes(self.home / "data")
        return {**result, "downloaded_mb": {"packages": result["downloaded_mb"], "data": data}}

    def install_and_test(self) -> dict[str, object]:
        """Walks the second command; returns seconds of each part, and MB downloaded and on disk."""
        return self._install(second_command(self.readme), "test", "'.[test]'")

    def _install(self, parts: Sequence[str], last: str, requirement: str) -> dict[str, Any]:
        """Runs a command of three parts, which installs `requirement` and then does `last`."""
        names = ("environment", "install", last)
        seconds = {name: self.run(part) for name, part in zip(names, parts, strict=True)}
        packages, installed = self.folder / "packages", megabytes(self.clone / ".venv")
        self.run(f".venv/bin/python -m pip download -q -d {packages} {requirement}")
        return {
            "command": " && ".join(parts),
            "seconds": seconds,
            "downloaded_mb": megabytes(packages),
            "installed_mb": installed,
        }

    def custom_data(self) -> dict[str, float]:
        """Trains on a CSV file, asks the model, and evaluates it; returns the seconds of each."""
        for name, rows in ROWS.items():
            write_reviews(self.clone / name, rows)
        train, predict, evaluate = commands(self.readme, "Train on your data")
        return {
            "train_custom": self.run(train),
            "predict": self.run(predict),
            "evaluate": self.run(evaluate),
        }

    def serve(self) -> dict[str, float]:
        """Exports, serves, and sends the request; returns the seconds of each."""
        export, serve, curl = commands(self.readme, "Serve")
        seconds = {"export": self.run(export)}
        print(f"+ {serve} &", flush=True)
        begin = time.monotonic()
        server = subprocess.Popen(
            serve.split(), cwd=self.clone, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line.startswith("Serving"):
                raise SystemExit(f"The server did not start: {line}")
            seconds["serve"] = round(time.monotonic() - begin, 1)
            seconds["request"] = self.run(f"{curl} --fail --silent --show-error")
        finally:
            server.terminate()
            server.wait(STOPPED)
        return seconds


def main() -> None:
    """Walks, and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--environment", type=Path, help="a virtual environment to use")
    parser.add_argument("--tests", action="store_true", help="only the second command")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        walk = Walk(Path(name))
        if given.tests:
            result = json.loads(given.output.read_text(encoding="utf-8"))
            result["tests"] = walk.install_and_test()
        elif given.environment:
            result = json.loads(given.output.read_text(encoding="utf-8"))
            walk.activate(given.environment.resolve())
        else:
            result = {"kind": "walk", **walk.install_and_train()}
        if not given.tests:
            result["seconds"] = {**result["seconds"], **walk.custom_data(), **walk.serve()}
            result["rows"] = ROWS["reviews.csv"]
            result["threads"] = os.environ.get("TF_NUM_INTRAOP_THREADS", os.cpu_count())
    given.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
