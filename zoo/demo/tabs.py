"""Creates the tab of a model from the inputs, outputs, pictures and files of its recipe."""

from __future__ import annotations

import functools
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.data.reading import Reading
from zoo.demo.tab import Field, FieldKind, Part, Tab
from zoo.errors import UsageError, ZooError, first_line
from zoo.registry import list_models, recipes
from zoo.serving import Predictor, load
from zoo.serving.about import describe_model
from zoo.serving.answers import Answer, Answers

SHOWN = 5  # answers shown for a file with several rows
ORDER = ("text", "sound", "drawing", "file", "seed", "")  # order of tabs, by kind of input
SECONDS = 0.1  # between two updates of a text that is being generated
FILES: dict[str, FieldKind] = {"file": "file", "sound": "sound", "drawing": "drawing"}


def default_models() -> list[str]:
    """Returns the names of pretrained models: for each task, the one with the best test score.

    Models that take text come first.
    """
    best: dict[str, dict[str, Any]] = {}
    for row in list_models(pretrained=True):
        metric = recipes()[row["name"]].metric
        first = best.setdefault(row["task"], row)
        if row["metric"] == first["metric"] and None not in (row["score"], first["score"]):
            sign = 1 if metric.better == "higher" else -1
            if sign * row["score"] > sign * first["score"]:
                best[row["task"]] = row
    kinds = {name: recipes()[name].demo.input for name in (row["name"] for row in best.values())}
    return sorted(kinds, key=lambda name: ORDER.index(kinds[name]))


def tabs_of(models: Sequence[str], folder: Path, *, trust: bool = False) -> list[Tab]:
    """Returns a tab for each model.

    Args:
      models: as for `zoo.load`; if empty, one per task.
      folder: where to write example files.
      trust: as for `zoo.load`.

    Raises:
      UsageError, ZooError: as `zoo.load`.
    """
    return [
        tab_of(load(model, trust=trust), folder / str(number))
        for number, model in enumerate(models or default_models())
    ]


def tab_of(predictor: Predictor, folder: Path | None = None) -> Tab:
    """Returns the tab of a model. Its network is loaded for the first answer.

    If the recipe has no `DEMO`, the network is loaded at once, to determine its inputs.

    Args:
      predictor: the model.
      folder: created for an example if the model takes a file; None: no example.
    """
    recipe = predictor.recipe
    demo = recipe.demo
    kind: str = demo.input
    if not kind:
        kind = "seed" if "generation" in predictor.capabilities else "values"
        kind = "file" if recipe.reads_input and kind != "seed" else kind
    make = functools.partial(
        Tab,
        title=demo.title or recipe.task.capitalize(),
        about=describe_model(predictor.name, predictor.about, recipe),
        warning=getattr(recipe.module, "WARNING", ""),
    )
    if kind == "seed":
        return make(
            fields=_seed_fields(predictor),
            answer=functools.partial(_generate, predictor),
            button="Generate",
        )
    if kind in FILES:
        field = Field("file", FILES[kind], demo.label or ", ".join(recipe.named_inputs))
        example = None
        if folder is not None and hasattr(recipe.module, "example"):
            folder.mkdir(parents=True, exist_ok=True)
            example = str(recipe.module.example(predictor.config, folder))
        answer: Callable[..., Iterator[list[Part]]] = functools.partial(_answer_file, predictor)
        return make(fields=(field,), answer=answer, example=example)
    fields = tuple(
        Field(name, "text", demo.label or name, value)
        for name, value in (demo.example or _sample(predictor)).items()
    )
    return make(fields=fields, answer=functools.partial(_answer_values, predictor))


def _sample(predictor: Predictor) -> dict[str, str]:
    """Returns an initial value for each input, from a row of the sample, as text or JSON."""
    row = predictor.recipe.data(predictor.config).sample()
    values = {name: row[name][0] if name in row else "" for name in predictor.input_names}
    return {
        n: value if isinstance(value, str) else json.dumps(value) for n, value in values.items()
    }


def _answer_values(predictor: Predictor, **values: str) -> Iterator[list[Part]]:
    """Answers one row, given as text, or as JSON for inputs that are not text."""
    from zoo.serving.inputs import input_specs

    specs = input_specs(predictor.signatures["serving_default"])
    row = {
        name: value if specs[name].dtype.name == "string" and specs[name].shape.rank == 1
        else _parsed(name, value)
        for name, value in values.items()
    }  # fmt: skip
    (answer,) = predictor.predict({name: [value] for name, value in row.items()})
    parts = _parts(predictor, answer)
    yield parts
    texts = [value for value in row.values() if isinstance(value, str)]
    if predictor.labels and len(texts) == len(row) == 1:
        yield [*parts, *_influence(predictor, texts[0], str(answer.get("label", "")))]


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"{name} takes JSON, such as [0.5, 1] ({first_line(error)}). Correct it."
        ) from None


def _answer_file(predictor: Predictor, file: str) -> Iterator[list[Part]]:
    """Answers the content of a file."""
    reading = Reading()
    if predictor.recipe.reads_tables:
        predictor.recipe.read_input(predictor.config, file, reading=reading)
    answers: Answers = predictor.predict([file])
    if not answers:
        raise UsageError("There is nothing in this file to answer. Choose another one.")
    parts = [Part("note", note) for note in reading.notes]
    for answer in answers[:SHOWN]:
        parts += _parts(predictor, answer, several=len(answers) > 1)
        yield parts
    if len(answers) > SHOWN:
        yield [*parts, Part("note", f"and {len(answers) - SHOWN:,} more, which are not shown")]


def _parts(predictor: Predictor, answer: Answer, *, several: bool = False) -> list[Part]:
    """Returns the parts of an answer to show.

    Raises:
      UsageError: the row is invalid, and it is the only one.
    """
    recipe = predictor.recipe
    if not answer.get("valid", True):
        if several:
            return [Part("note", f"A row has no answer: {answer['problem']}")]
        raise UsageError(f"There is no answer: {answer['problem'].rstrip('.')}.")
    examples = {name: [value] for name, value in answer.example.items()}
    outside = recipe.outside(predictor.config, predictor.assets, examples)
    parts = [Part("note", note) for note in outside]
    probabilities = answer.get("probabilities")
    if recipe.demo.outputs:
        parts += [Part("text", str(answer[name]) or "(nothing)") for name in recipe.demo.outputs]
    elif hasattr(recipe.module, "html"):
        parts.append(Part("html", recipe.module.html(answer.example, dict(answer))))
    elif not isinstance(probabilities, Mapping):
        parts.append(Part("text", recipe.show(answer.example, dict(answer)).strip()))
    if isinstance(probabilities, Mapping):
        parts.append(Part("bars", dict(probabilities), "probability"))
    for picture in recipe.pictures:
        if picture.capability in predictor.capabilities:
            try:
                parts.append(Part("picture", answer.plot(picture.name).png, picture.name))
            except ZooError as error:  # the network does not support this picture
                parts.append(Part("note", str(error)))
    return parts


def _influence(predictor: Predictor, text: str, label: str) -> list[Part]:
    """Returns the influence of each step on the answer; empty if it cannot be computed."""
    from zoo.inspection import influence

    try:
        steps = influence(predictor, text)
    except UsageError:  # no recurrent layer, or no step
        return []
    return [Part("influence", steps, f"influence on the answer {label!r}")]


def _seed_fields(predictor: Predictor) -> tuple[Field, ...]:
    recipe, first = predictor.recipe, predictor.recipe.demo.example
    seeds = [
        Field(
            option.name,
            "number" if option.type is int else "line",
            option.name.replace("_", " "),
            first.get(option.name),
            _help(option.help),
            needed=False,
        )
        for option in recipe.seeds
    ]
    temperature = float(predictor.resolved["config"].get("temperature", 1.0))
    return (
        *seeds,
        Field("temperature", "slider", "temperature", temperature, "0: the most probable."),
        Field("seed", "number", "seed", 0, "Random seed. Another seed gives another result."),
    )


def _help(text: str) -> str:
    """Returns the help of an option, without its references to other command-line options."""
    text = re.sub(r" \([^)]*--[^)]*\)", "", text)
    return "; ".join(part for part in text.split("; ") if "--" not in part)


def _generate(
    predictor: Predictor, temperature: float, seed: int, **given: Any
) -> Iterator[list[Part]]:
    """Generates from a seed: streamed text, or files with pictures and a player."""
    recipe = predictor.recipe
    given = {name: value for name, value in given.items() if value not in (None, "")}
    options: dict[str, Any] = {"temperature": float(temperature), "seed": int(seed)}
    inputs, _ = predictor.seed_inputs(given)
    unread = recipe.unread(predictor.config, predictor.assets, inputs)
    notes = [Part("note", f"ignored: {unread}")] if unread else []
    if "symbols" in predictor.assets and not hasattr(recipe.module, "render"):
        text, shown = str(given.get("prompt", "")), 0.0
        for piece in predictor.stream(**options, **given):
            text += piece
            if time.monotonic() - shown > SECONDS:
                shown = time.monotonic()
                yield [*notes, Part("text", text)]
        yield [*notes, Part("text", text)]
        return
    (made,) = predictor.generate(**options, **given)
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / f"{predictor.name}-{options['seed']}"
        paths = recipe.render(predictor.config, {**given, **made}, stem)
        contents = {path.suffix: (path.name, path.read_bytes()) for path in paths}
    if not contents:
        yield [*notes, Part("text", recipe.show(given, made).strip())]
        return
    shown_kinds: dict[str, tuple[Any, str]] = {
        ".svg": ("picture", "score"), ".wav": ("player", "player"), ".png": ("picture", "roll")
    }  # fmt: skip
    parts = [
        Part(kind, contents.pop(suffix)[1], label)
        for suffix, (kind, label) in shown_kinds.items()
        if suffix in contents
    ]
    yield [*notes, *parts, Part("files", dict(contents.values()), "files")]
