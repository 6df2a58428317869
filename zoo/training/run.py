"""A run folder: what is in it, and whether a run may go on in it.

config.json        recipe, resolved config, options of the run, version; of custom data, what was
                   changed for them (adapted), and whether it starts from packed weights (start)
environment.json   versions, platform, hardware class
data.json          which data was used, rows, fingerprint
assets.json        what was learnt from the data besides weights
history.csv        one row an epoch; nothing in it depends on the clock. After losses and metrics:
                   gradient_norm (before clipping, mean of the steps), clipped (share of steps),
                   update/LAYER (norm of a step / norm of the weights, mean of the steps), where
                   the recipe has no optimizer of its own
model-best.keras   weights of the epoch with the best validation score
model-last.keras   weights of the last epoch
use.json           what the model is for, and beyond which limits a row is unusual
metrics.json       test metrics, baselines, times; the run is complete when it is there
card.md            the model card, made from the above
curves.png         loss and metric over the epochs; confusion.png where there are classes
figures/           pictures of the test split, where the recipe draws some
logs/              for TensorBoard
checkpoint/        what is needed to resume; gone when the run is complete
.lock              held while something trains there; .training.json says who
.overwritten/      the run that was here before, until this one has its first complete epoch
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import files
from zoo.config import limits_of, saved_settings
from zoo.errors import UsageError, ZooError
from zoo.registry import get_recipe
from zoo.report.epochs import read_history
from zoo.training.folder import MOVING, OVERWRITTEN, is_run, read_metrics

if TYPE_CHECKING:
    from zoo.report.drawing import Drawing
    from zoo.serving.answers import Answers
    from zoo.serving.predictor import Predictor

__all__ = ["MOVING", "OVERWRITTEN", "Options", "Run", "is_run", "read_metrics"]

FINALISED = "finalised.json"  # what was done to the best weights after training
# The files that a run writes; no others are ever deleted.
OWN = (
    *("config.json", "environment.json", "data.json", "assets.json", "history.csv"),
    *("model-best.keras", "model-last.keras", FINALISED, "use.json", "metrics.json", "card.md"),
    *("curves.png", "confusion.png", "figures/*.png"),
    *("logs/train/events.out.tfevents.*", "logs/validation/events.out.tfevents.*"),
    *("checkpoint/[0-9]*.npz", "checkpoint/assets.sha256", "checkpoint/lesson.npz"),
    "checkpoint/weights-[0-9]*.npz",
)


@dataclasses.dataclass(frozen=True)
class Options:
    """How a run is made, besides the recipe's config; part of what a resumed run must share.

    Attributes:
      data: source, path or `"in memory"`, or None for the first available source.
      columns: our column name to the file's.
      reading: what is said of how files are written: fields of `zoo.data.reading.ReadOptions`.
      seed: of weights, dropout and the order of batches.
      deterministic: ask TensorFlow for bit-equal results.
      strategy: `"auto"`, `"none"`, `"mirrored"`, `"multiworker"`.
      precision: a Keras dtype policy.
      tiny: a small real subset, two epochs.
      base: model whose weights training goes on from; `"none"`: from scratch; None: from scratch,
        unless the recipe chooses its packed weights by the rows of custom data.
      class_weight: `"balanced"`, `"none"`, class name to the weight of its rows, or None.
      teachers: names of simple methods, recipes or folders; see `zoo.distil`.
      unlabelled: source or path of rows without a label that they answer.
      label_share: of the target of a row with a label, the share of its label.
    """

    data: str | None = None
    columns: dict[str, str] = dataclasses.field(default_factory=dict)
    reading: dict[str, Any] = dataclasses.field(default_factory=dict)
    seed: int = 0
    deterministic: bool = False
    strategy: str = "auto"
    precision: str = "float32"
    tiny: bool = False
    base: str | None = None
    class_weight: dict[str, float] | str | None = None
    teachers: list[str] | None = None
    unlabelled: str | None = None
    label_share: float | None = None


@dataclasses.dataclass(frozen=True, repr=False)
class Run:
    """A run folder, by its path. Whatever takes the path of a model takes a run.

    `repr` and a notebook say what it is; a notebook shows curves and card too.
    """

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}; {self._title()})"

    def _repr_html_(self) -> str:
        from zoo.report.page import card_html

        curves, card = self.path / "curves.png", self.path / "card.md"
        return card_html(
            f"{self.path}: {self._title()}",
            card.read_text(encoding="utf-8") if card.exists() else "",
            curves.read_bytes() if curves.exists() else b"",
        )

    def _title(self) -> str:
        """Returns one line about the run, of what its files say."""
        from zoo.serving.about import describe_model
        from zoo.serving.find import recipe_of

        if not is_run(self.path):
            return "no run yet"
        try:
            recipe = recipe_of(self.path)
        except ZooError as error:
            return str(error)
        return describe_model(recipe.name, self.path, recipe)

    @functools.cached_property
    def predictor(self) -> Predictor:
        """The model of the best epoch: `zoo.load(run)`."""
        from zoo.serving.predictor import load

        return load(self.path)

    def predict(self, examples: Any, **options: Any) -> Answers:
        """Answers raw examples: `zoo.load(run).predict(examples, **options)`."""
        return self.predictor.predict(examples, **options)

    def evaluate(self, data: Any = None, **options: Any) -> dict[str, Any]:
        """Scores the model: `zoo.evaluate(run, data, **options)`."""
        return self.predictor.evaluate(data, **options)

    def plot(self) -> Drawing:
        """Draws loss and metrics over the epochs, as in `curves.png`.

        Raises:
          ZooError: there is no epoch yet.
        """
        from zoo.report.drawing import Drawing
        from zoo.report.plots import curves_figure

        if not (self.path / "history.csv").exists():
            raise ZooError(f"{self.path} has no complete epoch to draw yet.")
        predictor = self.predictor
        monitor = predictor.recipe.monitor_of(predictor.config)
        return Drawing.of(curves_figure(self.history, monitor))

    @property
    def metrics(self) -> dict[str, Any]:
        """Test metrics, baselines and times (`metrics.json`).

        Raises:
          ZooError: there are none yet, or they are damaged.
        """
        return read_metrics(self.path / "metrics.json")

    @property
    def history(self) -> list[dict[str, float]]:
        """One dict an epoch: `epoch, learning_rate, loss, …, val_loss, …, gradient_norm, …`.

        Raises:
          ZooError: the file is damaged.
        """
        return read_history(self.path / "history.csv")

    @property
    def complete(self) -> bool:
        """Whether the run has its test metrics, undamaged."""
        try:
            return bool(self.metrics)
        except ZooError:
            return False

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
        return files.read_object(path)

    def write_assets(self, assets: dict[str, Any]) -> None:
        """Writes `assets.json`, and beside the checkpoints what it is checked against."""
        path = self.path / "assets.json"
        with files.atomic_write(path) as temporary:
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


def own_files(folder: Path) -> list[Path]:
    """Returns the files in a folder that a run writes."""
    return [path for pattern in OWN for path in sorted(folder.glob(pattern)) if _is_file(path)]


def delete_own(folder: Path, patterns: tuple[str, ...] = OWN) -> None:
    """Deletes the files in a folder that a run writes, and folders that are empty then."""
    for path in own_files(folder):
        if any(path.relative_to(folder).match(pattern) for pattern in patterns):
            path.unlink(missing_ok=True)
    for inner in ("checkpoint", "figures", "logs/train", "logs/validation", "logs"):
        files.clean(folder / inner)
        with contextlib.suppress(OSError):  # it holds something else, or is a link
            (folder / inner).rmdir()


def _is_file(path: Path) -> bool:
    return path.is_file() or path.is_symlink()


def has_epoch(folder: Path) -> bool:
    """Whether the run in a folder has a complete epoch, from which it can go on."""
    checkpoints = (folder / "checkpoint").glob("[0-9]*.npz")
    return (folder / "metrics.json").exists() or any(
        not path.name.startswith("00000-") for path in checkpoints
    )


def check_target(path: Path) -> None:
    """Makes sure that a run may be written to a path: a run folder, an empty one, or none yet.

    Raises:
      UsageError: it is something else.
      ZooError: it is a folder whose `config.json` cannot be read.
    """
    if path.is_symlink() and not path.exists():
        raise UsageError(
            f"{path} is a symbolic link to {os.readlink(path)}, which does not exist. Choose "
            "another folder with -o."
        )
    if not path.exists() or is_run(path):
        return
    if not path.is_dir() or (files.visible(path) and not (path / "config.json").exists()):
        raise UsageError(f"{path} exists and is not a run folder. Choose another folder with -o.")
    if (path / "config.json").exists():
        try:
            files.read_json(path / "config.json")
        except ZooError as error:
            said = str(error).removesuffix(" Restore or delete it.")
            raise ZooError(f"{said} Restore it, or choose another folder with -o.") from error
        raise UsageError(
            f"{path} exists and is not a run folder: its config.json has no recipe, config and "
            "run. "
            "Restore that file, or choose another folder with -o."
        )


def check_same(path: Path, resolved: dict[str, Any]) -> None:
    """Makes sure that a run goes on as it began.

    Args:
      path: a run folder, or one that is empty or not there yet.
      resolved: what its `config.json` must hold.

    Raises:
      UsageError: the folder holds another run, or as for `check_target`.
      ZooError: as for `check_target`.
    """
    check_target(path)
    if not (path / "config.json").exists():
        return
    saved = files.read_json(path / "config.json")
    settings = saved.get("config")
    if isinstance(settings, dict):
        config = get_recipe(resolved["recipe"]).config
        # A limit that did not exist when the run began may have any value.
        limits = {key: resolved["config"][key] for key in limits_of(config)}
        saved = {**saved, "config": saved_settings(config, {**limits, **settings})}
    if isinstance(saved.get("run"), dict):  # files that were not described when the run began
        saved = {**saved, "run": {"reading": {}, **saved["run"]}}
    wrong = differences(
        {key: saved.get(key) for key in ("recipe", "config", "run")},
        {key: resolved[key] for key in ("recipe", "config", "run")},
    )
    if wrong:
        raise UsageError(
            f"{path} holds another run ({'; '.join(wrong)}). "
            "Choose another folder with -o, repeat its command, or give --overwrite."
        )
