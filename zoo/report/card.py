"""Model cards: Markdown generated only from the recorded measurements of a run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import files
from zoo.config import Config, describe, limits_of, override, renamed, saved_settings
from zoo.errors import CONTROL, ZooError
from zoo.manifest import USE
from zoo.recipe import Recipe
from zoo.report.epochs import read_history, summary
from zoo.report.use import use_lines
from zoo.scores import Scores, Table, heading, one_class

SMOKE_TEST = "A smoke test (`--tiny`) of a few rows and two epochs. Do not quote its scores."


def write(folder: Path, recipe: Recipe) -> None:
    """Writes `card.md` from the JSON files of a run folder."""
    files.write_text(folder / "card.md", render(folder, recipe))


def render(folder: Path, recipe: Recipe, use: Mapping[str, Any] | None = None) -> str:
    """Returns the card of a complete run as Markdown.

    Args:
      folder: folder with the JSON files of the run.
      recipe: recipe of the run.
      use: the content of `use.json`; None reads it from the folder, where it may be missing.

    Raises:
      ZooError: a file is damaged.
    """
    read = {
        name: files.read_object(folder / f"{name}.json")
        for name in ("config", "metrics", "data", "environment")
    }
    if use is None:
        use = files.read_object(folder / USE) if (folder / USE).exists() else {}
    path = folder / "history.csv"
    history = read_history(path) if path.exists() else []
    try:
        return _render(recipe, read, use, history[-1] if history else {})
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        listed = ", ".join(f"{name}.json" for name in (*read, "use"))
        raise ZooError(
            f"One of {listed} in {folder} is damaged ({type(error).__name__}: {error}), so the "
            "model card cannot be made. Restore it."
        ) from error


def _render(
    recipe: Recipe,
    read: dict[str, dict[str, Any]],
    use: Mapping[str, Any],
    last_epoch: dict[str, float],
) -> str:
    config, metrics, data, machine = (
        read[name] for name in ("config", "metrics", "data", "environment")
    )
    idea = inspect.cleandoc(recipe.doc).split("\n\n")[0].replace("\n", " ")
    test = Scores.from_json(metrics["test"])
    baselines = {name: Scores.from_json(each) for name, each in metrics["baseline"].items()}
    numbers = [key for key, value in test.values.items() if isinstance(value, float)]
    options = _given(config["run"])
    settings = renamed(config["config"], recipe.config.ALIASES)  # possibly of an earlier version
    lines = [
        f"# {recipe.name}",
        "",
        idea,
        "",
        f"- Topology: {recipe.topology}. Task: {recipe.task}. "
        f"Parameters: {metrics['parameters']:,}.",
        f"- Data: {data['title']}; "
        + ", ".join(f"{rows:,} {split}" for split, rows in data["rows"].items())
        + f" rows. Licence: {data['licence'] or 'your own data'}.",
        *(f"- Note: {note}." for note in data["notes"]),
        "",
        "## Scores on the test split",
        "",
        *([SMOKE_TEST, ""] if config["run"].get("tiny") else []),
        _row(["", *numbers]),
        _row(["---", *["---:"] * len(numbers)]),
        *(
            _row([name, *(_number(scores.values.get(key)) for key in numbers)])
            for name, scores in {f"**{recipe.name}**": test, **baselines}.items()
        ),
        "",
        *([f"Warning: {warning}", ""] if (warning := one_class(test)) else []),
        *_start(config.get("start")),
        *_teaching(data.get("teaching")),
        *_class_weight(data.get("class_weight")),
        *_parts(metrics.get("parts")),
        *_signatures(test),
        *(line for name, rows in test.tables.items() for line in _table(heading(name), rows)),
        f"Best epoch by {metrics['monitor']} ({metrics['validation']:.4f}): "
        f"{metrics['best_epoch']} of {metrics['epochs']}. Main metric: "
        f"{metrics['metric']} ({recipe.metric.better} is better)."
        + (f" Weights: {metrics['weights']}." if "weights" in metrics else ""),
        "",
        "## How it was made",
        "",
        f"Options: {_pairs(options)}. Config: {_pairs(settings)}.",
        "",
        f"{_seconds(metrics['train_seconds'])}{_cores(machine['cores'])} "
        f"({machine['cpu']}, {machine['memory_gib']} GiB, "
        f"{', '.join(machine['gpus'] or []) or 'no GPU'}); Python {machine['python']}, TensorFlow "
        f"{machine['tensorflow']}, Keras {machine['keras']}, zoo {machine['zoo']}."
        + _load(metrics.get("other_cores")),
        "",
        *([f"Training, {line}.", ""] if (line := summary(last_epoch)) else []),
        f"Data fingerprint: `{data['fingerprint']}`.",
        "",
        *_limits(override(recipe.config, saved_settings(recipe.config, config["config"]))),
        *use_lines(use, data, getattr(recipe.module, "WARNING", "")),
    ]
    return "\n".join(lines) + "\n"


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options of a run without those that were not given. 0 is a value."""
    return {
        key: value
        for key, value in options.items()
        if value is not None
        and value is not False
        and value != {}
        and (key, value) != ("add_validation", 0)
    }


def _parts(parts: dict[str, Any] | None) -> list[str]:
    """What was fitted after training: a linear model, a temperature."""
    if not parts:
        return []
    text = parts["text"]
    return [f"{text[:1].upper()}{text[1:]}.", ""]


def _start(start: dict[str, Any] | None) -> list[str]:
    """Returns whether training started from packed weights, if the training rows decided it."""
    if start is None:
        return []
    verb = "Training started" if start["packed"] else "Training did not start"
    reason = start["text"].partition(": ")[2]
    return [f"{verb} from the packed `{start['model']}`: {reason}.", ""]


def _teaching(about: dict[str, Any] | None) -> list[str]:
    """Returns the teachers of the network, and their data."""
    if about is None:
        return []
    teachers = [f"`{name}` ({accuracy:.4f})" for name, accuracy in about["teachers"].items()]
    if "mean" not in about:  # not a classifier
        return [
            f"Taught by {', '.join(teachers)}; in brackets, {about['metric']} on the validation "
            f"split. Training rows: {about['labelled']:,} labelled (label share "
            f"{about['label_share']:g}) and {about['unlabelled']:,} unlabelled.",
            "",
        ]
    mean = f" (their mean: {about['mean']:.4f})" if len(teachers) > 1 else ""
    return [
        f"Taught by {', '.join(teachers)}; in brackets, accuracy on the validation split{mean}. "
        f"{_targets(about)}",
        "",
    ]


def _targets(about: dict[str, Any]) -> str:
    """Returns the targets of a distilled classifier, for labelled and for unlabelled rows."""
    share = about["label_share"]
    parts = [
        f"{part:g} × {what}"
        for part, what in ((share, "label"), (round(1 - share, 6), "teachers' probabilities"))
        if part
    ]
    rows = f"For {about['labelled']:,} labelled rows, the target is {' + '.join(parts)}."
    if about["unlabelled"]:
        rows += f" For {about['unlabelled']:,} unlabelled rows, it is the teachers' probabilities."
    return rows


def _class_weight(weights: dict[str, float] | None) -> list[str]:
    """Returns the class weights of the training."""
    if not weights:
        return []
    shown = ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())
    return [f"Class weights in the loss: {shown}.", ""]


def _limits(config: Config) -> list[str]:
    """Returns the limits on what is read of a request."""
    limits = limits_of(config)
    lines = [
        f"- `{name}` {value:,}: {comment}"
        for name, value, comment in describe(config)
        if name in limits
    ]
    return ["## Limits of a request", "", *lines, ""] if lines else []


def _signatures(scores: Scores) -> list[str]:
    """Returns the signatures by which sacrebleu and others describe how a score was computed."""
    lines = [f"- `{key}`: `{text}`" for key, text in scores.signatures.items()]
    return [*lines, ""] if lines else []


def _table(title: str, rows: Table) -> list[str]:
    if not rows:
        return []
    keys = list(dict.fromkeys(key for row in rows.values() for key in row))
    return [
        _row([title, *keys]),
        _row(["---", *["---:"] * len(keys)]),
        *(_row([name, *(_number(row.get(key)) for key in keys)]) for name, row in rows.items()),
        "",
    ]


def _row(cells: list[str]) -> str:
    """Returns a row of a table; class names may hold a pipe or a line break."""
    cells = [CONTROL.sub(" ", cell).replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(cells)} |"


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else f"{value:,}"


def _seconds(seconds: float | None) -> str:
    return "Trained on " if seconds is None else f"{seconds:,} s in training steps, on "


def _cores(number: int) -> str:
    return f"{number} core{'s' * (number != 1)}"


def _load(others: float | None) -> str:
    """Returns how many cores other processes used during the training."""
    return "" if others is None else f" Other processes used {others:.2f} cores meanwhile."


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} `{value}`" for key, value in values.items())
