"""One-line descriptions of models and runs."""

from __future__ import annotations

from pathlib import Path

from zoo import files
from zoo.errors import ZooError, shortened
from zoo.recipe import Recipe
from zoo.training.folder import read_metrics


def describe_model(name: str, about: Path, recipe: Recipe | None) -> str:
    """Returns one line about a model or a run, from its recipe and its JSON files.

    Args:
      name: name of the recipe.
      about: the folder of its metrics and data.
      recipe: the recipe, or None if unknown.
    """
    parts = [name]
    if recipe is not None:
        parts.append(f"{recipe.topology}, {recipe.task}")
    if (about / "data.json").exists():
        parts.append(f"trained on {files.read_object(about / 'data.json', title=str)['title']}")
    try:
        metrics = read_metrics(about / "metrics.json")
        metric, score = metrics["metric"], metrics["test"].get(metrics["metric"])
        shown = recipe.metric.text(score) if recipe is not None else f"{score:.4f}"
        parts.append(f"{metric} {shown}")
    except (ZooError, TypeError, ValueError):
        parts.append("not complete")
    return shortened("; ".join(parts))  # titles of data may be untrusted
