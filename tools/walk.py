"""Walks the README's first command on a fresh copy of the repository, and writes what it cost.

python tools/walk.py results/walk.json

The copy is that of the last commit. Nothing of the user's settings or caches is used: neither
`ZOO_HOME` nor pip's cache. Needs a network.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
HIDDEN = ("TFDS_DATA_DIR", "ZOO_MIRROR", "ZOO_OFFLINE", "PYTHONPATH")


def first_command(readme: str) -> list[str]:
    """Returns the parts of the README's first command, which `&&` joins."""
    (block, *_) = re.findall(r"^```sh\n(.*?)\n```", readme, re.DOTALL | re.MULTILINE)
    return block.split(" && ")


def megabytes(folder: Path) -> int:
    """Returns the size of a folder's files in MB."""
    sizes = (path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
    return round(sum(sizes) / 1e6)


def walk(folder: Path) -> dict[str, object]:
    """Returns seconds of each part of the command, and MB downloaded and on disk."""
    clone, home = folder / "clone", folder / "home"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    environment |= {"ZOO_HOME": str(home), "PIP_NO_CACHE_DIR": "1"}

    def run(command: str) -> float:
        print(f"+ {command}", flush=True)
        begin = time.monotonic()
        subprocess.run(command, shell=True, check=True, cwd=clone, env=environment)
        return round(time.monotonic() - begin, 1)

    environ, install, train = first_command((clone / "README.md").read_text(encoding="utf-8"))
    seconds = {"environment": run(environ), "install": run(install), "train": run(train)}
    packages = folder / "packages"
    run(f".venv/bin/python -m pip download -q -d {packages} .")
    return {
        "kind": "walk",
        "command": " && ".join((environ, install, train)),
        "seconds": seconds,
        "downloaded_mb": {"packages": megabytes(packages), "data": megabytes(home / "data")},
        "installed_mb": megabytes(clone / ".venv"),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        found = walk(Path(name))
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
