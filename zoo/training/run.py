"""Run folders: their content, and checks whether a run can be resumed.

config.json        recipe, resolved config, options of the run, version; for custom data, changed
                   settings (adapted), and whether it starts from packed weights (start)
environment.json   versions, platform, hardware class
data.json          which data was used, rows, fingerprint
assets.json        what was learnt from the data besides weights
history.csv        one row per epoch; independent of the clock. After losses and metrics:
                   gradient_norm (before clipping, mean over steps), clipped (share of steps),
                   update/LAYER (norm of a step / norm of the weights, mean over steps), unless
                   the recipe has its own optimizer
model-best.keras   weights of the epoch with the best validation score
model-last.keras   weights of the last epoch
averaged.json      epochs whose mean the best weights are, if they are; its validation score
finalised.json     what was done to the best weights after training
use.json           intended use of the model, and limits beyond which a row is unusual
metrics.json       test metrics, baselines, times; the run is complete once it exists
card.md            the model card, generated from the above
curves.png         loss and metric over the epochs; confusion.png for classifiers
figures/           figures of the test split, if the recipe draws some
logs/              for TensorBoard
checkpoint/        what is needed to resume; deleted when the run is complete
.lock              held during training; .training.json describes the holder
.overwritten/      the previous run, until this one has its first complete epoch
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import io
import os
from collections.abc import Mapping
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
AVERAGED = "averaged.json"  # the best weights are those of a mean of epochs
# The files that a run writes; other files are never deleted.
OWN = (
    *("config.json", "environment.json", "data.json", "assets.json", "history.csv"),
    *("model-best.keras", "model-last.keras", AVERAGED, FINALISED),
    *("use.json", "metrics.json", "card.md"),
    *("curves.png", "confusion.png", "figures/*.png"),
    *("logs/train/events.out.tfevents.*", "logs/validation/events.out.tfevents.*"),
    *("checkpoint/[0-9]*.npz", "checkpoint/assets.sha256", "checkpoint/lesson.npz"),
    "checkpoint/weights-[0-9]*.npz",
)


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of a run besides the recipe's config; a resumed run must have the same ones.

    Attributes:
      data: source, path or `"in memory"`, or None for the first available source.
      columns: maps column names of the recipe to those of the file.
      reading: given file format options: fields of `zoo.data.reading.ReadOptions`.
      seed: seed of weights, dropout and the order of batches.
      deterministic: request bit-equal results from TensorFlow.
      strategy: `"auto"`, `"none"`, `"mirrored"`, `"multiworker"`.
      precision: a Keras dtype policy.
      tiny: two epochs on a small subset of the real data.
      base: model whose weights training starts from; `"none"`: from scratch; None: from scratch,
        unless the recipe chooses its packed weights based on the rows of custom data.
      class_weight: `"balanced"`, `"none"`, a mapping from class name to the weight of its rows, or
        None.
      teachers: names of simple methods, recipes or folders; see `zoo.distil`.
      unlabelled: source or path of unlabelled rows for the teachers.
      label_share: share of the label in the target of a labelled row.
      add_validation: share of the validation rows that are training rows instead.
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
    add_validation: float = 0.0


@dataclasses.dataclass(frozen=True, repr=False)
class Run:
    """A run folder, by its path. A run is accepted wherever the path of a model is.

    `repr` and notebooks show a description; notebooks also show the curves and the card.
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
        """Returns a one-line description of the run, from its files."""
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
        """Predicts raw examples: `zoo.load(run).predict(examples, **options)`."""
        return self.predictor.predict(examples, **options)

    def evaluate(self, data: Any = None, **options: Any) -> dict[str, Any]:
        """Scores the model: `zoo.evaluate(run, data, **options)`."""
        return self.predictor.evaluate(data, **options)

    def plot(self) -> Drawing:
        """Draws loss and metrics over the epochs, as in `curves.png`.

        Raises:
          ZooError: the run has no complete epoch yet.
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
          ZooError: the file is missing or damaged.
        """
        return read_metrics(self.path / "metrics.json")

    @property
    def history(self) -> list[dict[str, float]]:
        """One dict per epoch: `epoch, learning_rate, loss, …, val_loss, …, gradient_norm, …`.

        Raises:
          ZooError: the file is damaged.
        """
        return read_history(self.path / "history.csv")

    @property
    def complete(self) -> bool:
        """Whether the run has intact test metrics."""
        try:
            return bool(self.metrics)
        except ZooError:
            return False

    @property
    def _digest(self) -> Path:
        return self.path / "checkpoint" / "assets.sha256"

    def read_assets(self) -> dict[str, Any]:
        """Reads `assets.json`, which must be unchanged in a resumed run.

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
        """Writes `assets.json`, and its checksum beside the checkpoints."""
        path = self.path / "assets.json"
        with files.atomic_write(path) as temporary:
            files.write_json(temporary, assets)
            files.write_text(self._digest, files.sha256(temporary))

    def clean(self) -> None:
        """Deletes partly written files of a killed process."""
        for folder in (self.path, self.path / "checkpoint"):
            files.clean(folder)

    def write_history(self, history: list[dict[str, float]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        files.write_text(self.path / "history.csv", text.getvalue())


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Returns "key: old, now new" for each difference between two JSON values."""
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
    """Whether the run in a folder has a complete epoch from which it can be resumed."""
    checkpoints = (folder / "checkpoint").glob("[0-9]*.npz")
    return (folder / "metrics.json").exists() or any(
        not path.name.startswith("00000-") for path in checkpoints
    )


def check_target(path: Path) -> None:
    """Checks that a run may be written to a path: a run folder, an empty folder, or no path yet.

    Raises:
      UsageError: it is something else.
      ZooError: it is a folder with an unreadable `config.json`.
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


def all_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of a run with those that did not exist when it started."""
    return {**dataclasses.asdict(Options()), **options}


def check_same(path: Path, resolved: dict[str, Any]) -> None:
    """Checks that a run is resumed with the settings and options that it started with.

    Args:
      path: a run folder, or a folder that is empty or missing.
      resolved: the required content of its `config.json`.

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
        # A limit that did not exist when the run started may have any value.
        limits = {key: resolved["config"][key] for key in limits_of(config)}
        saved = {**saved, "config": saved_settings(config, {**limits, **settings})}
    if isinstance(saved.get("run"), dict):
        saved = {**saved, "run": all_options(saved["run"])}
    wrong = differences(
        {key: saved.get(key) for key in ("recipe", "config", "run")},
        {
            **{key: resolved[key] for key in ("recipe", "config")},
            "run": all_options(resolved["run"]),
        },
    )
    if wrong:
        raise UsageError(
            f"{path} holds another run ({'; '.join(wrong)}). "
            "Choose another folder with -o, repeat its command, or give --overwrite."
        )
