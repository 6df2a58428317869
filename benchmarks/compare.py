"""Compares two complete runs bit for bit."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from zoo import files


def differences(run: Path, reference: Path) -> list[str]:
    """Returns one line for each difference between two complete runs.

    Compares every array of `model-*.keras`, including the optimizer's; `history.csv` byte for
    byte; the scores in `metrics.json`; and the names of the files.
    """
    ours, theirs = (sorted(path.name for path in folder.iterdir()) for folder in (run, reference))
    lines = [f"{name} is missing" for name in theirs if name not in ours]
    lines += [f"{name} is left over" for name in ours if name not in theirs]
    for name in ("config.json", "data.json", "assets.json", "history.csv"):
        if name in ours and (run / name).read_bytes() != (reference / name).read_bytes():
            lines.append(f"{name} differs")
    if "metrics.json" in ours and _scores(run) != _scores(reference):
        lines.append("metrics.json differs")
    for name in ("model-best.keras", "model-last.keras"):
        if name in ours:
            our_arrays, their_arrays = arrays(run / name), arrays(reference / name)
            keys = sorted(our_arrays.keys() | their_arrays.keys())
            lines += [
                f"{name} {key} differs"
                for key in keys
                if our_arrays.get(key) != their_arrays.get(key)
            ]
    return lines


def arrays(path: Path) -> dict[str, tuple]:
    """Reads a `.keras` file: path to dtype, shape and bytes of every array in it."""
    import h5py

    arrays_by_name = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays_by_name[name] = (str(item.dtype), item.shape, item[()].tobytes())

    with zipfile.ZipFile(path) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights) as file:
        file.visititems(add)
    return arrays_by_name


def _scores(run: Path) -> dict[str, Any]:
    metrics = files.read_json(run / "metrics.json")
    # Times, fractions of times and the load of the machine vary.
    loaded = ("input_wait", "other_cores", "idle")
    timed = [key for key in metrics if key in loaded or "second" in key]
    return {key: value for key, value in metrics.items() if key not in timed}
