"""Whether two complete runs came to the same, bit for bit."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from zoo import files


def differences(run: Path, reference: Path) -> list[str]:
    """Returns one line for each thing in which a complete run differs from another.

    Every array of `model-*.keras`, the optimizer's too; `history.csv` byte for byte; the scores
    in `metrics.json`; which files there are.
    """
    ours, theirs = (sorted(path.name for path in folder.iterdir()) for folder in (run, reference))
    wrong = [f"{name} is missing" for name in theirs if name not in ours]
    wrong += [f"{name} is left over" for name in ours if name not in theirs]
    for name in ("config.json", "data.json", "assets.json", "history.csv"):
        if name in ours and (run / name).read_bytes() != (reference / name).read_bytes():
            wrong.append(f"{name} differs")
    if "metrics.json" in ours and _scores(run) != _scores(reference):
        wrong.append("metrics.json differs")
    for name in ("model-best.keras", "model-last.keras"):
        if name in ours:
            here, there = arrays(run / name), arrays(reference / name)
            keys = sorted(here.keys() | there.keys())
            wrong += [f"{name} {key} differs" for key in keys if here.get(key) != there.get(key)]
    return wrong


def arrays(path: Path) -> dict[str, tuple]:
    """Reads a `.keras` file: place to type, shape and bytes of every array in it."""
    import h5py  # type: ignore[import-untyped]

    found = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (str(item.dtype), item.shape, item[()].tobytes())

    with zipfile.ZipFile(path) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights) as file:
        file.visititems(add)
    return found


def _scores(run: Path) -> dict[str, Any]:
    metrics = files.read_json(run / "metrics.json")
    # Times, and shares of times, are of the clock.
    timed = [key for key in metrics if "second" in key or key == "input_wait"]
    return {key: value for key, value in metrics.items() if key not in timed}
