"""`zoo.inspect`: what happens inside a model's recurrent layers, as numbers and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.config import INSPECTED, check_inspected
from zoo.data import Examples
from zoo.data.custom import load_rows
from zoo.data.origin import DataLike, Unsplit, parse_origin
from zoo.data.splits import take
from zoo.errors import UsageError, first_line
from zoo.inspection.capture import Capture, capture
from zoo.inspection.gates import gates
from zoo.inspection.layer import Layer, labels_of, real
from zoo.inspection.unroll import unroll
from zoo.serving.evaluation import splits_of
from zoo.serving.predictor import Predictor, load

VANISHED = 0.01  # share of its largest value below which a gradient counts as gone
EXPLODED = 10.0  # a gradient that has grown by this factor on its way back counts as exploding
CLOSED, OPEN = 0.05, 0.95  # beyond these a gate is saturated: it hardly learns any more
FLAT = 0.95  # beyond ± this a state is saturated: the slope of tanh is below 0.1


def inspect(
    model: str | Path | Predictor,
    texts: Sequence[str] | None = None,
    *,
    data: DataLike = None,
    columns: Mapping[str, str] | None = None,
    output: str | Path | None = None,
    what: Sequence[str] = INSPECTED,
    rows: int = 8,
) -> dict[str, Any]:
    """Looks inside a trained model while it reads a few examples.

    L is the loss of the recipe, in which the targets are those of the data, or, for `texts`, the
    model's own answers: then -L says how sure it is of them.

    Args:
      model: as for `zoo.load`, or a predictor.
      texts: what a person would give to `zoo predict`.
      data: a custom file, or columns, of examples with their targets, or other data, of whose test
        split the first rows are taken; without texts and data, that on which the model was trained.
      columns: our column name to the file's.
      output: folder for `inspection.json` and the pictures; nothing is written if None.
      what: which of `zoo.config.INSPECTED`.
      rows: examples at most; all of the texts, if there are.

    Returns:
      What `inspection.json` holds: `model, data, rows, loss, verdicts` (one line a layer) and
      `layers`, each with `name, kind, units, direction, steps` (real steps of each row) and

      - `gradients`: by steps before the last (0: the last), median and quartiles over the rows of
        ‖∂L/∂h_t‖ (`loss`) and ‖∂(v·h_T)/∂h_t‖ (`memory`, v a random unit vector: what is left of
        a gradient that begins at the last state); spectral norms ‖∂h_t/∂h_{t-1}‖₂ of the first
        row, an LSTM's cell held as it is;
      - `gates`: of each gate the mean, the share that is closed (< 0.05) and open (> 0.95), and the
        mean over units at each step of the first row;
      - `states`: share of saturated states (beyond ±0.95), norm at each step of the first row;

      and `saliency`: for each row the steps' labels and their influence on the answer, the sum
      over features of -x_t · ∂L/∂x_t, x_t being what the first recurrent layer reads (gradient
      times input; Denil et al. 2014): above 0 speaks for the target.

    Raises:
      UsageError: an unknown part, no recurrent layer, a model that texts alone cannot be asked,
        or as for `zoo.load`.
      ZooError: the file is not right, or the data are not available.
    """
    check_inspected(what)
    predictor = model if isinstance(model, Predictor) else load(model)
    network = predictor.model  # says what is wrong with its files
    recipe, config, assets = predictor.recipe, predictor.config, predictor.assets
    if rows < 1:
        raise UsageError(f"rows must be at least 1; got {rows}.")
    rows = rows if texts is None else len(texts)
    examples, title = _examples(predictor, texts, data, columns, rows)
    try:
        batches = recipe.batches(config, assets, examples)
        index = np.arange(min(rows, batches.rows))
        x, y = batches.take(index)
    except ValueError as error:  # of rows without a step, of which no batch can be made
        raise UsageError(f"There is nothing to read in {title} ({first_line(error)}).") from error
    network.compile(**recipe.objective(config, assets))
    loss, captures = capture(network, x, y)
    if not captures:
        raise UsageError(
            f"{predictor.name} has no recurrent layer to look into. `zoo list` shows others."
        )
    if any(not each.lengths.all() for each in captures):
        raise UsageError(f"There is a row without a real step in {title}.")
    labels = [recipe.steps(config, assets, _row(x, row)) for row in range(len(index))]
    unrolled = [unroll(each) for each in captures]
    layers = [
        Layer(each, states, gates(each, states.states))
        for each, states in zip(captures, unrolled, strict=True)
    ]
    found = {
        "model": predictor.name,
        "data": title,
        "rows": len(index),
        "loss": loss,
        "verdicts": [verdict(layer) for layer in layers],
        "layers": [_describe(layer, what) for layer in layers],
    }
    if "saliency" in what:
        found["saliency"] = [_saliency(captures, row, labels[row]) for row in range(len(index))]
    if output is not None:
        from zoo.inspection import draw

        folder = Path(output)
        for pattern in draw.NAMES:  # what another model left here is not of this one
            for picture in folder.glob(pattern):
                picture.unlink()
        files.write_json(folder / "inspection.json", found)
        draw.pictures(found, layers, labels, what, folder)
    return found


def _examples(
    predictor: Predictor,
    texts: Sequence[str] | None,
    data: DataLike,
    columns: Mapping[str, str] | None,
    rows: int,
) -> tuple[Examples, str]:
    """Returns examples with every column of the dataset, and where they are from."""
    recipe = predictor.recipe
    dataset = recipe.data(predictor.config)
    if texts is not None and data is not None:
        raise UsageError("Give texts or a file, not both.")
    if texts is not None:
        given = _asked(predictor, texts)
        missing = [column for column in dataset.columns if column not in given]
        if not missing:
            return given, "texts"
        answers = predictor.predict(given)
        for column in missing:
            if column not in answers[0]:
                raise _needs_a_file(predictor)
            given[column] = [answer[column] for answer in answers]
        return given, "texts, with the model's own answers as targets"
    origin = parse_origin(data, dataset.keys)
    dataset.check_columns(origin, columns)
    if isinstance(origin, Unsplit):
        examples = load_rows(dataset, origin, columns, labels=predictor.labels or None)
        title = origin.name
    else:
        splits = splits_of(predictor, origin, columns)
        examples, title = splits.test, f"{splits.title}, test split"
    count = min(rows, len(next(iter(examples.values()))))
    return take(examples, range(count)), title


def _asked(predictor: Predictor, texts: Sequence[str]) -> Examples:
    """Returns the column that the texts are."""
    if not texts:
        raise UsageError("There is no text to look at.")
    names = predictor.input_names
    if len(names) != 1 or predictor.recipe.asks:
        raise _needs_a_file(predictor)
    return {names[0]: list(texts)}


def _needs_a_file(predictor: Predictor) -> UsageError:
    columns = predictor.recipe.data(predictor.config).columns
    return UsageError(
        f"{predictor.name} is no model of texts alone: give a file with the columns "
        f"{', '.join(columns)} (-i), or nothing, which takes rows of its test split."
    )


def _row(x: Any, row: int) -> Any:
    """Returns one row of a batch, without the axis of rows."""
    if isinstance(x, dict):
        return {name: value[row] for name, value in x.items()}
    return x[row]


def _back(layer_call: Capture, values: np.ndarray) -> dict[str, list[float]]:
    """Median and quartiles over rows of `(batch, time)`, by steps before the last one read."""
    rows = [row[mask][::-1] for row, mask in zip(values, layer_call.mask, strict=True)]
    found: dict[str, list[float]] = {"median": [], "lower": [], "upper": []}
    for step in range(max(map(len, rows))):
        there = [row[step] for row in rows if len(row) > step]
        for name, share in (("lower", 25), ("median", 50), ("upper", 75)):
            found[name].append(float(np.percentile(there, share)))
    return found


def reach(values: Sequence[float]) -> int:
    """Returns how many steps back a gradient goes before it falls below 1 % of its largest value.

    Args:
      values: its norm by steps before the last: the first one belongs to the last step.
    """
    largest = max(values)
    if not largest > 0:
        return 0
    peak = values.index(largest)
    fallen = (back for back in range(peak, len(values)) if values[back] < VANISHED * largest)
    return next(fallen, len(values))


def felt(values: Sequence[float]) -> int:
    """Returns at how many steps a gradient is at least 1 % of its largest value."""
    largest = max(values)
    return sum(value >= VANISHED * largest for value in values) if largest > 0 else 0


def verdict(layer: Layer) -> str:
    """Says in words how far back gradients reach in a layer."""
    each = layer.capture
    steps = int(each.lengths.max())
    memory = _back(each, layer.unrolled.memory)["median"]
    of_loss = _back(each, np.linalg.norm(layer.unrolled.gradients, axis=-1))["median"]
    far = reach(memory)
    if max(memory) >= EXPLODED:
        text = f"a gradient grows {max(memory):.0f}-fold on its way back: it explodes"
    elif far < steps:
        text = f"a gradient reaches {far} of {steps} steps back before it falls below 1 %"
    else:
        text = f"a gradient reaches all {steps} steps back"
    return f"{each.name}: {text}; that of the loss is felt at {felt(of_loss)} of them"


def _describe(layer: Layer, what: Sequence[str]) -> dict[str, Any]:
    each, unrolled = layer.capture, layer.unrolled
    mask = each.mask
    found: dict[str, Any] = {
        "name": each.name,
        "kind": type(each.layer).__name__,
        "units": int(unrolled.states.shape[-1]),
        "direction": "backward" if each.backwards else "forward",
        "steps": each.lengths.tolist(),
    }
    if "gradients" in what:
        norms = np.linalg.norm(unrolled.gradients, axis=-1)
        found["gradients"] = {
            "loss": _back(each, norms),
            "memory": _back(each, unrolled.memory),
            "jacobian_steps": unrolled.jacobian_steps,
            "jacobian_norms": unrolled.jacobians,
        }
    if "gates" in what:
        found["gates"] = {
            gate: {
                "mean": float(values[mask].mean()),
                "closed": float((values[mask] < CLOSED).mean()),
                "open": float((values[mask] > OPEN).mean()),
                "first_row": real(each, values, 0).mean(axis=-1).tolist(),
            }
            for gate, values in layer.gates.items()
        }
    if "states" in what:
        found["states"] = {
            "saturated": float((np.abs(unrolled.states[mask]) > FLAT).mean()),
            "first_row": np.linalg.norm(real(each, unrolled.states, 0), axis=-1).tolist(),
        }
    return found


def _saliency(
    captures: Sequence[Capture], row: int, labels: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Returns the influence of what the first recurrent layer reads, step by step."""
    first = captures[0]
    influence = -(first.x * first.d_x).sum(axis=-1)  # (batch, time)
    return {
        "steps": labels_of(first, row, labels),
        "influence": real(first, influence, row).tolist(),
    }
