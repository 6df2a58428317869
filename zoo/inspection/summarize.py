"""`zoo.inspect`: gradients, gates and states of recurrent layers, as numbers and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.config import INSPECTED, check_inspected
from zoo.data import Examples, fetch
from zoo.data.custom import load_rows
from zoo.data.origin import DataLike, Unsplit, parse_origin
from zoo.data.reading import Reading, ReadingLike, reading_of, refuse_min_count
from zoo.data.splits import take
from zoo.errors import (
    UsageError,
    check_integer,
    check_list,
    check_mapping,
    check_path,
    first_line,
)
from zoo.inspection.capture import Capture, capture
from zoo.inspection.gates import gates
from zoo.inspection.layer import Layer, labels_of, real
from zoo.inspection.unroll import unroll
from zoo.serving.evaluation import splits_of
from zoo.serving.predictor import Predictor, load

VANISHED = 0.01  # fraction of its largest value below which a gradient counts as vanished
EXPLODED = 10.0  # factor of growth backward in time from which a gradient counts as exploding
CLOSED, OPEN = 0.05, 0.95  # beyond these a gate is saturated: it hardly learns
FLAT = 0.95  # beyond ± this a state is saturated: the slope of tanh is below 0.1


def inspect(
    model: str | Path | Predictor,
    texts: Sequence[str] | None = None,
    *,
    data: DataLike = None,
    columns: Mapping[str, str] | None = None,
    reading: ReadingLike = None,
    output: str | Path | None = None,
    what: Sequence[str] = INSPECTED,
    rows: int = 8,
    trust: bool = False,
) -> dict[str, Any]:
    """Inspects the recurrent layers of a trained model on a few examples.

    L is the loss of the recipe. Its targets are those of the data or, for `texts`, the model's own
    answers; -L then tells how confident the model is.

    Args:
      model: as for `zoo.load`, or a predictor.
      texts: inputs, as for `zoo predict`.
      data: a custom file, or columns, of examples with their targets; or other data, of which the
        first rows of the test split are used. Without texts and data: the data on which the model
        was trained.
      columns: dataset column name to the name in the file.
      reading: how files are written, as for `zoo.train`.
      output: folder for `inspection.json` and the figures; None writes nothing.
      what: which of `zoo.config.INSPECTED`.
      rows: maximum number of examples; of `texts`, all are used.
      trust: as for `zoo.load`.

    Returns:
      The content of `inspection.json`: `model, data, rows, notes` (on how the file was read, also
      printed), `loss, verdicts` (one line per layer) and `layers`, each with `name, kind, units,
      direction, steps` (real steps of each row) and

      - `gradients`: by steps before the last (0: the last), median and quartiles over the rows of
        ‖∂L/∂h_t‖ (`loss`) and ‖∂(v·h_T)/∂h_t‖ (`memory`, v a random unit vector: what remains of
        a gradient that begins at the last state); spectral norms ‖∂h_t/∂h_{t-1}‖₂ of the first
        row, with an LSTM's cell held constant;
      - `gates`: for each gate, the mean, the fractions closed (< 0.05) and open (> 0.95), and the
        mean over units at each step of the first row;
      - `states`: fraction of saturated states (beyond ±0.95), norm at each step of the first row;

      and `saliency`: for each row its number from 1, its target (a class, else None), the steps'
      labels and their influence on the answer, the sum over features of -x_t · ∂L/∂x_t in units of
      L, where x_t is the input of the first recurrent layer, `layer` (gradient times input; Denil
      et al. 2014). A value above 0 supports the target. It is a first-order approximation, without
      interactions between steps and without paths that bypass this layer.

    Raises:
      UsageError: an unknown part, no recurrent layer, a model that needs more than texts, texts
        with `columns` or `reading`, or as for `zoo.load`.
      ZooError: the file is invalid, or the data are unavailable.
    """
    what = check_list("what", what)
    check_inspected(what)
    check_mapping("columns", columns)
    texts = None if texts is None else check_list("texts", texts)
    if output is not None:
        check_path("output", output)
        if Path(output).exists() and not Path(output).is_dir():
            raise UsageError(f"{output} is a file. Name a folder.")
    predictor = model if isinstance(model, Predictor) else load(model, trust=trust)
    network = predictor.model  # raises errors about its files first
    recipe, config = predictor.recipe, predictor.config
    check_integer("rows", rows, 1)
    rows = rows if texts is None else len(texts)
    reading = reading_of(reading)
    examples, title = _examples(predictor, texts, data, columns, reading, rows)
    for note in reading.notes:
        fetch.log(f"note: {note}")
    loss, captures, labels = _captured(predictor, network, examples, title, rows)
    unrolled = [unroll(each) for each in captures]
    layers = [
        Layer(each, states, gates(each, states.states))
        for each, states in zip(captures, unrolled, strict=True)
    ]
    result = {
        "model": predictor.name,
        "data": title,
        "rows": len(labels),
        "notes": reading.notes,
        "loss": loss,
        "verdicts": [summary(layer) for layer in layers],
        "layers": [_describe(layer, what) for layer in layers],
    }
    if "saliency" in what:
        targets = examples.get(recipe.data(config).label) or [None] * len(labels)
        result["saliency"] = [
            {"row": row + 1, "target": targets[row], **_saliency(captures, row, labels[row])}
            for row in range(len(labels))
        ]
    if output is not None:
        from zoo.inspection import draw

        folder = Path(output)
        for pattern in draw.NAMES:  # figures of an earlier inspection
            for figure in folder.glob(pattern):
                figure.unlink()
        files.write_json(folder / "inspection.json", result)
        draw.draw_figures(result, layers, labels, what, folder)
    return result


def influence(predictor: Predictor, text: str) -> list[tuple[str, float]]:
    """Returns each step that the model reads in a text, and its influence on the model's answer.

    This is only the `saliency` of `inspect`: as fast as a training step.

    Args:
      predictor: a model whose only input is text.
      text: the input text.

    Returns:
      The steps' labels, and -x_t · ∂L/∂x_t, above 0 where they support the answer.

    Raises:
      UsageError: the model has no recurrent layer, needs more than a text, or reads no step of it.
    """
    examples, title = _examples(predictor, [text], None, None, Reading(), 1)
    _, captures, labels = _captured(predictor, predictor.model, examples, title, 1)
    found = _saliency(captures, 0, labels[0])
    return list(zip(found["steps"], found["influence"], strict=True))


def _captured(
    predictor: Predictor, network: Any, examples: Examples, title: str, rows: int
) -> tuple[float, list[Capture], list[dict[str, list[str]]]]:
    """Returns the loss, the captures of the recurrent layers, and step labels of each row."""
    recipe, config, assets = predictor.recipe, predictor.config, predictor.assets
    try:
        batches = recipe.batches(config, assets, examples)
        index = np.arange(min(rows, batches.rows))
        x, y = batches.take(index)
    except ValueError as error:  # rows without a step cannot be batched
        raise UsageError(f"There is nothing to read in {title} ({first_line(error)}).") from error
    network.compile(**recipe.objective(config, assets))
    loss, captures = capture(network, x, y)
    if not captures:
        raise UsageError(
            f"{predictor.name} has no recurrent layer to inspect. `zoo list` shows others."
        )
    if any(not each.lengths.all() for each in captures):
        raise UsageError(f"A row of {title} consists only of padding. Remove it.")
    labels = [recipe.token_labels(config, assets, _row(x, row)) for row in range(len(index))]
    return loss, captures, labels


def _examples(
    predictor: Predictor,
    texts: Sequence[str] | None,
    data: DataLike,
    columns: Mapping[str, str] | None,
    reading: Reading,
    rows: int,
) -> tuple[Examples, str]:
    """Returns examples with every column of the dataset, and the name of their source."""
    recipe = predictor.recipe
    dataset = recipe.data(predictor.config)
    if texts is not None and data is not None:
        raise UsageError("Give texts or a file, not both.")
    if texts is not None:
        _check_no_file_options(columns, reading)
        examples = _input_column(predictor, texts)
        missing = [column for column in dataset.columns if column not in examples]
        if not missing:
            return examples, "texts"
        answers = predictor.predict(examples)
        if any(column not in answers[0] for column in missing):
            raise _needs_a_file(predictor)
        for column in dataset.columns:  # also inputs that an answer repeats as they were read
            if column in answers[0]:
                examples[column] = [answer[column] for answer in answers]
        return examples, "texts, with the model's own answers as targets"
    origin = parse_origin(data, dataset.keys)
    dataset.check_columns(origin, columns, reading)
    if isinstance(origin, Unsplit):
        examples = load_rows(
            dataset, origin, columns, labels=predictor.labels or None, reading=reading
        )
        title = origin.name
    else:
        splits = splits_of(predictor, origin, columns, reading)
        examples, title = splits.test, f"{splits.title}, test split"
    count = min(rows, len(next(iter(examples.values()))))
    return take(examples, range(count)), title


def _check_no_file_options(columns: Mapping[str, str] | None, reading: Reading) -> None:
    """Checks that nothing says how a file is read where texts are given.

    Raises:
      UsageError: something does.
    """
    refuse_min_count(reading.options)
    given = ["column"] * bool(columns) + list(reading.options.to_json())
    if given:
        option = given[0].replace("_", "-")
        raise UsageError(f"--{option} is for files: give a file instead of the texts, or omit it.")


def _input_column(predictor: Predictor, texts: Sequence[str]) -> Examples:
    """Returns the texts as the input column of a model of texts.

    Raises:
      UsageError: there is no text, or the model needs more than texts."""
    if not texts:
        raise UsageError("There is no text to inspect.")
    names = predictor.input_names
    if len(names) != 1 or predictor.recipe.reads_input:
        raise _needs_a_file(predictor)
    return {names[0]: list(texts)}


def _needs_a_file(predictor: Predictor) -> UsageError:
    columns = predictor.recipe.data(predictor.config).columns
    return UsageError(
        f"{predictor.name} needs more than texts: give a file with the columns "
        f"{', '.join(columns)} (-i), or no input, which uses rows of its test split."
    )


def _row(x: Any, row: int) -> Any:
    """Returns one row of a batch, without the axis of rows."""
    if isinstance(x, dict):
        return {name: value[row] for name, value in x.items()}
    return x[row]


def _profile(layer_call: Capture, values: np.ndarray) -> dict[str, list[float]]:
    """Returns median and quartiles over the rows, by steps before the last one read.

    Args:
      layer_call: which steps are real.
      values: float `(batch, time)`.
    """
    rows = [row[mask][::-1] for row, mask in zip(values, layer_call.mask, strict=True)]
    profile: dict[str, list[float]] = {"median": [], "lower": [], "upper": []}
    for step in range(max(map(len, rows))):
        values_at_step = [row[step] for row in rows if len(row) > step]
        for name, percentile in (("lower", 25), ("median", 50), ("upper", 75)):
            profile[name].append(float(np.percentile(values_at_step, percentile)))
    return profile


def gradient_reach(values: Sequence[float]) -> int:
    """Returns how many steps back a gradient goes before it falls below 1 % of its largest value.

    Args:
      values: norms of the gradient by steps before the last; the first value is of the last step.
    """
    largest = max(values)
    if not largest > 0:
        return 0
    peak = values.index(largest)
    vanished = (back for back in range(peak, len(values)) if values[back] < VANISHED * largest)
    return next(vanished, len(values))


def effective_span(values: Sequence[float]) -> int:
    """Returns the number of steps at which a gradient is at least 1 % of its largest value.

    Args:
      values: norms of the gradient by steps before the last.
    """
    largest = max(values)
    return sum(value >= VANISHED * largest for value in values) if largest > 0 else 0


def summary(layer: Layer) -> str:
    """Returns one sentence on how far back gradients reach in a layer."""
    each = layer.capture
    steps = int(each.lengths.max())
    memory = _profile(each, layer.unrolled.memory)["median"]
    of_loss = _profile(each, np.linalg.norm(layer.unrolled.gradients, axis=-1))["median"]
    reach = gradient_reach(memory)
    if max(memory) >= EXPLODED:
        text = f"a gradient grows {max(memory):.0f}-fold on its way back: it explodes"
    elif reach < steps:
        text = f"a gradient reaches {reach} of {steps} steps back before it falls below 1 %"
    else:
        text = f"a gradient reaches all {steps} steps back"
    return (
        f"{each.name}: {text}; the gradient of the loss is at least 1 % of its maximum at "
        f"{effective_span(of_loss)} of them"
    )


def _describe(layer: Layer, what: Sequence[str]) -> dict[str, Any]:
    each, unrolled = layer.capture, layer.unrolled
    mask = each.mask
    result: dict[str, Any] = {
        "name": each.name,
        "kind": type(each.layer).__name__,
        "units": int(unrolled.states.shape[-1]),
        "direction": "backward" if each.backwards else "forward",
        "steps": each.lengths.tolist(),
    }
    if "gradients" in what:
        norms = np.linalg.norm(unrolled.gradients, axis=-1)
        result["gradients"] = {
            "loss": _profile(each, norms),
            "memory": _profile(each, unrolled.memory),
            "jacobian_steps": unrolled.jacobian_steps,
            "jacobian_norms": unrolled.jacobians,
        }
    if "gates" in what:
        result["gates"] = {
            gate: {
                "mean": float(values[mask].mean()),
                "closed": float((values[mask] < CLOSED).mean()),
                "open": float((values[mask] > OPEN).mean()),
                "first_row": real(each, values, 0).mean(axis=-1).tolist(),
            }
            for gate, values in layer.gates.items()
        }
    if "states" in what:
        result["states"] = {
            "saturated": float((np.abs(unrolled.states[mask]) > FLAT).mean()),
            "first_row": np.linalg.norm(real(each, unrolled.states, 0), axis=-1).tolist(),
        }
    return result


def _saliency(
    captures: Sequence[Capture], row: int, labels: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Returns the influence of the first recurrent layer's input at each step."""
    first = captures[0]
    influence = -(first.x * first.d_x).sum(axis=-1)  # (batch, time)
    return {
        "layer": first.name,
        "steps": labels_of(first, row, labels),
        "influence": real(first, influence, row).tolist(),
    }
