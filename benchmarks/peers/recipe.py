"""A recipe as its users train, export and load it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


def train(
    splits: Any,
    folder: Path,
    seed: int,
    until: float | None,
    *,
    name: str,
    data: str,
    changed: Mapping[str, Any],
) -> dict[str, Any]:
    """Trains the recipe `name` on `data`, which `splits` are read from, and exports it.

    It takes the time of its epochs, so `until` is ignored. Its own scoring of the test split is
    part of its time. `base` in `changed` is the model that it starts from.

    Returns:
      `epochs`, `best_epoch`, `validation` (the metric that chose it), `parameters`,
      `train_seconds` (wall time in training steps).
    """
    import zoo

    settings = dict(changed)
    base = settings.pop("base", None)
    run = zoo.train(
        name,
        folder / "run",
        data=data,
        settings=settings,
        base=base,
        seed=seed,
        baselines=False,
        quiet=True,
    )
    zoo.export(run.path, folder / "model")
    facts = ("epochs", "best_epoch", "validation", "parameters", "train_seconds")
    return {fact: run.metrics[fact] for fact in facts}


def load(folder: Path) -> Callable[[Mapping[str, Sequence[Any]]], list[Any]]:
    import zoo

    (found,) = [path.parent for path in (folder / "model").rglob("saved_model.pb")]
    predictor = zoo.load(found)
    task = predictor.recipe.task

    def answer(examples: Mapping[str, Sequence[Any]]) -> list[Any]:
        if task == "entities":
            tokens = {"tokens": list(examples["tokens"])}
            return [each["tags"] for each in predictor.predict(tokens, signature="tokens")]
        if task == "text generation":
            return [*predictor.predict(list(examples["text"]), signature="score")]
        return [each["label"] for each in predictor.predict(list(examples["text"]))]

    return answer
