"""The environment of a run or a measurement: versions and type of hardware."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo._version import __version__

DISTRIBUTION = "rnn-zoo"

# More than one distribution provides the module tensorflow.
TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-macos")


def environment() -> dict[str, Any]:
    """Describes this machine and its software, without names of the machine or its user.

    TensorFlow is not imported; the GPUs are listed only if it was imported before.

    Returns:
      A dict that JSON can hold: `python`, `zoo`, `tensorflow`, `keras`, `numpy` (versions;
      None: not installed), `system`, `machine`, `cpu` (model without clock rate), `cores`
      (logical, that this process may use), `memory_gib` (None: unknown), `gpus` (names).
    """
    from joblib import cpu_count  # knows affinity masks and the quotas of containers

    return {
        "python": platform.python_version(),
        "zoo": __version__,
        "tensorflow": installed_version(*TENSORFLOW),
        "keras": installed_version("keras"),
        "numpy": installed_version("numpy"),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": _general(_cpu_model()),
        "cores": cpu_count(),
        "memory_gib": _memory_gib(),
        "gpus": _gpus(),
    }


def installed_version(*distributions: str) -> str | None:
    """Returns the version of the first installed distribution, None if none is installed."""
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def install_extra(extra: str) -> str:
    """Returns the command that installs an extra of this package, which is in no index."""
    return f"pip install '.[{extra}]' in a checkout of {DISTRIBUTION}"


def _cpu_model() -> str:
    """Returns the name of the processor as the system reports it."""
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    info = Path("/proc/cpuinfo")
    match = re.search(r"^model name\s*:(.*)$", info.read_text(), re.M) if info.exists() else None
    return match[1] if match else platform.processor()


def _general(model: str) -> str:
    """Returns the name of a processor without trademarks, clock rate and filler words.

    >>> _general("Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz")
    'Intel Xeon Platinum 8370C'
    """
    model = re.sub(r"\((R|TM|r|tm)\)|®|™|@.*", " ", model)
    model = re.sub(r"\b(CPU|Processor|with Radeon.*|\d+-Core)\b", " ", model)
    return " ".join(model.split()) or platform.machine()


def _memory_gib() -> int | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        return None


def _gpus() -> list[str]:
    """Returns the names of the GPUs that TensorFlow sees, if it is imported already."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return []
    details = tensorflow.config.experimental.get_device_details
    return [
        details(device).get("device_name", "GPU")
        for device in tensorflow.config.list_physical_devices("GPU")
    ]
