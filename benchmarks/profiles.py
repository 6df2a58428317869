"""Compares runs of one task: validation curves, and gradients over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from zoo import files
from zoo.environment import environment
from zoo.errors import UsageError
from zoo.inspection import inspect
from zoo.inspection.draw import profile
from zoo.report.plots import COLOURS, GREY, legend_below, save
from zoo.serving.predictor import load
from zoo.training.run import Run


def profiles(models: Sequence[str | Path], picture: str | Path, *, rows: int = 16) -> Path:
    """Draws validation curves and gradient profiles of runs, and writes the numbers to a JSON file.

    Args:
      models: run folders of one task and metric.
      picture: the PNG to write; its numbers go to a `.json` of the same name.
      rows: of the test split, from which the profiles are made (`zoo.inspect`).

    Returns:
      The picture's path.

    Raises:
      UsageError: no run folders, or runs with other metrics.
      ZooError: as for `zoo.inspect`.
    """
    runs = []
    for folder in models:
        run = Run(Path(folder))
        if not (run.path / "history.csv").exists() or not run.complete:
            raise UsageError(f"{folder} is no complete run folder, which has a history to draw.")
        predictor = load(run.path)
        monitor = predictor.recipe.monitor_of(predictor.config)
        inside = inspect(predictor, what=["gradients"], rows=rows)
        runs.append(
            {
                "recipe": predictor.name,
                "monitor": monitor.name,
                "better": monitor.better,
                "metric": predictor.recipe.metric.name,
                "score": run.metrics["test"][predictor.recipe.metric.name],
                "baseline": {
                    name: row[predictor.recipe.metric.name]
                    for name, row in run.metrics["baseline"].items()
                },
                "curve": [row[monitor.name] for row in run.history],
                "layer": inside["layers"][0]["name"],
                "gradients": inside["layers"][0]["gradients"]["loss"],
                "memory": inside["layers"][0]["gradients"]["memory"],
                "verdict": inside["verdicts"][0],
                "data": predictor.data,
                "seed": predictor.run["seed"],
                "config": predictor.resolved["config"],
            }
        )
    if len({(each["monitor"], each["metric"]) for each in runs}) > 1:
        raise UsageError("The runs have different metrics; give runs of one task.")
    path = Path(picture)
    numbers = {"kind": "profiles", "runs": runs, "environment": environment()}
    files.write_json(path.with_suffix(".json"), numbers)
    _draw(runs, path)
    return path


def _draw(runs: Sequence[dict[str, Any]], path: Path) -> None:
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    labels = _labels(runs)
    for colour, label, each in zip(COLOURS * len(runs), labels, runs, strict=False):
        epochs = range(1, len(each["curve"]) + 1)
        left.plot(epochs, each["curve"], "o-", ms=3, lw=1.8, color=colour, label=label)
        profile(right, each["gradients"], colour, label)
    if runs[0]["better"] == "lower":
        left.set_yscale("log")
        if runs[0]["metric"] == "mse":  # the loss is the metric, so baselines can stand beside
            for name, value in runs[0]["baseline"].items():
                left.axhline(value, color=GREY, lw=1, ls="--", label=f"{name}: {value:.3f}")
    left.set_xlabel("epoch")
    left.set_ylabel(runs[0]["monitor"])
    legend_below(figure, left, 3)
    right.axhline(0.01, color=GREY, lw=1, ls="--")
    right.set_ylim(1e-6, 3)
    right.set_xlabel("steps before the last")
    right.set_ylabel(r"$\|\partial L/\partial h_t\|$, share of its largest value")
    save(figure, path)


def _labels(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Returns the names of the recipes, with the settings in which runs of one recipe differ."""
    labels = []
    for each in runs:
        alike = [other for other in runs if other["recipe"] == each["recipe"]]
        settings = [
            f"{key}={value}"
            for key, value in each["config"].items()
            if len({repr(other["config"].get(key)) for other in alike}) > 1
        ]
        labels.append(", ".join([each["recipe"], *settings]))
    return labels
