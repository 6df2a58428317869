"""Reads and summarises the epochs of a run, `history.csv`.

Light: importing this module imports neither TensorFlow nor NumPy.
"""

from __future__ import annotations

import csv
from pathlib import Path

from zoo.errors import ZooError

UPDATE = "update/"  # columns of the history: a layer's ‖update‖ / ‖weights‖


def read_history(path: Path) -> list[dict[str, float]]:
    """Reads a `history.csv`: one dict per epoch, `epoch` is an integer.

    Raises:
      ZooError: it is damaged.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [
                {key: int(value) if key == "epoch" else float(value) for key, value in row.items()}
                for row in csv.DictReader(file)
            ]
    except (ValueError, TypeError, csv.Error) as error:
        raise ZooError(f"{path} is damaged ({error}). Restore it.") from error


def summary(row: dict[str, float]) -> str:
    """Returns a line on the last epoch of a run; empty if gradients are not monitored."""
    ratios = {key.removeprefix(UPDATE): row[key] for key in row if key.startswith(UPDATE)}
    if not ratios:
        return ""
    least, most = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
    moved = f"{ratios[most]:.1e} of their size ({most})"
    if least != most:
        moved = f"{ratios[least]:.1e} ({least}) to {moved}"
    return (
        f"last epoch: gradient norm {row['gradient_norm']:.3g}, {row['clipped']:.0%} of the steps "
        f"clipped; a step moves weights by {moved}"
    )
