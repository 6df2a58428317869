"""A run folder: what is in it, and whether a run may go on in it.

config.json        recipe, resolved config, options of the run, version
environment.json   versions, platform, hardware class
data.json          which data was used, rows, fingerprint
assets.json        what was learnt from the data besides weights
history.csv        one row an epoch; nothing in it depends on the clock. After losses and metrics:
                   gradient_norm (before clipping, mean of the steps), clipped (share of steps),
                   update/LAYER (norm of a step / norm of the weights, mean of the steps), where
                   the recipe has no optimizer of its own
model-best.keras   weights of the epoch with the best validation score
model-last.keras   weights of the last epoch
metrics.json       test metrics, baselines, times; the run is complete when it is there
card.md            the model card, made from the above
curves.png         loss and metric over the epochs; confusion.png where there are classes
logs/              for TensorBoard
checkpoint/        what is needed to resume; gone when the run is complete
"""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path
from typing import Any

from zoo import files
from zoo.errors import UsageError, ZooError


@dataclasses.dataclass(frozen=True)
class Options:
    """How a run is made, besides the recipe's config; part of what a resumed run must share.

    Attributes:
      data: source, path or `"in memory"`, or None for the first available source.
      columns: our column name to the file's.
      seed: of weights, dropout and the order of batches.
      deterministic: ask TensorFlow for bit-equal results.
      strategy: `"auto"`, `"none"`, `"mirrored"`, `"multiworker"`.
      precision: a Keras dtype policy.
      tiny: a small real subset, two epochs.
      base: model whose weights training goes on from.
    """

    data: str | None = None
    columns: dict[str, str] = dataclasses.field(default_factory=dict)
    seed: int = 0
    deterministic: bool = False
    strategy: str = "auto"
    precision: str = "float32"
    tiny: bool = False
    base: str | None = None


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder, by its path."""

    path: Path

    @property
    def metrics(self) -> dict[str, Any]:
        """Test metrics, baselines and times (`metrics.json`)."""
        return files.read_json(self.path / "metrics.json")

    @property
    def history(self) -> list[dict[str, float]]:
        """One dict an epoch: `epoch, learning_rate, loss, …, val_loss, …, gradient_norm, …`."""
        with open(self.path / "history.csv", encoding="utf-8", newline="") as file:
            return [
                {key: int(value) if key == "epoch" else float(value) for key, value in row.items()}
                for row in csv.DictReader(file)
            ]

    @property
    def complete(self) -> bool:
        return (self.path / "metrics.json").exists()

    @property
    def _digest(self) -> Path:
        return self.path / "checkpoint" / "assets.sha256"

    def read_assets(self) -> dict[str, Any]:
        """Reads `assets.json`; a run that goes on must find it as it was.

        Raises:
          ZooError: it is damaged.
        """
        path = self.path / "assets.json"
        if self._digest.exists() and self._digest.read_text(encoding="utf-8") != files.sha256(path):
            raise ZooError(
                f"{path} is not what this run began with: it is damaged, or was changed. "
                "Delete it: the same command then learns it again from the data."
            )
        return files.read_json(path)

    def write_assets(self, assets: dict[str, Any]) -> None:
        """Writes `assets.json`, and beside the checkpoints what it is checked against."""
        path = self.path / "assets.json"
        with files.writing(path) as temporary:
            files.write_json(temporary, assets)
            files.write_text(self._digest, files.sha256(temporary))

    def clean(self) -> None:
        """Deletes what a killed process has left half written."""
        for folder in (self.path, self.path / "checkpoint"):
            files.clean(folder)

    def write_history(self, history: list[dict[str, float]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        files.write_text(self.path / "history.csv", text.getvalue())


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Returns "key: old, now new" for each value in which two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted(old.keys() | new.keys())
            for line in differences(
                old.get(key), new.get(key), f"{path}.{key}" if path else str(key)
            )
        ]
    return [] if old == new else [f"{path.split('.')[-1]}: {old!r}, now {new!r}"]


def check_same(path: Path, resolved: dict[str, Any]) -> None:
    """Raises UsageError, with the differences, if the folder holds a run of something else."""
    if not (path / "config.json").exists():
        if path.exists() and (not path.is_dir() or files.visible(path)):
            raise UsageError(f"{path} exists and is no run folder. Choose another folder with -o.")
        return
    try:
        found = files.read_json(path / "config.json")
        if not isinstance(found, dict):
            raise ZooError(f"{path / 'config.json'} holds no settings.")
    except ZooError as error:
        said = str(error).removesuffix(" Restore or delete it.")
        raise ZooError(f"{said} Restore it, or start anew with --overwrite.") from error
    settings = found.get("config")
    if isinstance(settings, dict):  # limits that there were not when the run began
        new = {key: value for key, value in resolved["config"].items() if key.startswith("max_")}
        found = {**found, "config": {**new, **settings}}
    wrong = differences(
        {key: found.get(key) for key in ("recipe", "config", "run")},
        {key: resolved[key] for key in ("recipe", "config", "run")},
    )
    if wrong:
        raise UsageError(
            f"{path} holds another run ({'; '.join(wrong)}). "
            "Choose another folder with -o, repeat its command, or give --overwrite."
        )
