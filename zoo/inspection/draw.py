"""Figures of an inspection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo.errors import quoted
from zoo.inspection.layer import Layer, labels_of, real
from zoo.report.plots import GREY, TRAIN, VALIDATION, legend_below, save

NAMES = ("gradients.png", "saliency.png", "gates-*.png", "states-*.png")
MAX_STEPS = 80  # number of steps of a row that are drawn, the last ones
MAX_ROWS = 4  # number of rows in the saliency figure

Labels = Sequence[Mapping[str, Sequence[str]]]


def draw_figures(
    result: dict[str, Any],
    layers: Sequence[Layer],
    labels: Labels,
    what: Sequence[str],
    folder: Path,
) -> None:
    """Writes `gradients.png`, `saliency.png`, and `gates-LAYER.png` and `states-LAYER.png`.

    Heat maps show the first row, at most its last 80 steps.
    """
    if "gradients" in what:
        gradients(result["layers"], folder / "gradients.png")
    if "saliency" in what:
        saliency(result["saliency"], folder / "saliency.png")
    for layer in layers:
        suffix = layer.capture.name.replace("/", "-")
        if "gates" in what and layer.gates:
            path = folder / f"gates-{suffix}.png"
            heat_maps(layer, layer.gates, labels[0], path, (0, 1), "viridis", "0 closed, 1 open")
        if "states" in what:
            path = folder / f"states-{suffix}.png"
            states = {"state": layer.unrolled.states}
            size = float(np.abs(layer.unrolled.states[0]).max())
            # From dark to light, so that signs also differ in greyscale; 0 is grey.
            heat_maps(layer, states, labels[0], path, (-size, size), "cividis", "state $h_t$")


def gradients(layers: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws, for each layer, the norms of its gradients by steps before the last."""
    figure = Figure(figsize=(9.6, 2.9 * len(layers)), layout="constrained")
    for panels, layer in zip(figure.subplots(len(layers), 2, squeeze=False), layers, strict=True):
        left, right = panels
        profiles = (
            ("loss", TRAIN, "$\\|\\partial L/\\partial h_t\\|$, of the loss"),
            (
                "memory",
                VALIDATION,
                "$\\|\\partial (v\\cdot h_T)/\\partial h_t\\|$, of the last state",
            ),
        )
        for name, colour, label in profiles:
            style = "-" if name == "loss" else "--"
            profile(left, layer["gradients"][name], colour, label, style)
        left.axhline(0.01, color=GREY, lw=1, ls="--")
        left.text(0.01, 0.012, "1 %", color=GREY, transform=left.get_yaxis_transform())
        left.set_ylim(1e-5, None)
        left.set_xlabel("steps before the last one read")
        left.set_ylabel("fraction of its largest value")
        left.set_title(f"{layer['name']} ({layer['kind']}, {layer['units']} units)", fontsize=10)
        steps = np.array(layer["gradients"]["jacobian_steps"]) + 1
        right.semilogy(steps, layer["gradients"]["jacobian_norms"], ".-", color=TRAIN)
        right.axhline(1, color=GREY, lw=1, ls="--")
        right.yaxis.set_major_formatter("{x:g}")
        right.yaxis.set_minor_formatter("{x:g}")
        right.set_xlabel("step read, first row")
        right.set_title(r"$\|\partial h_t/\partial h_{t-1}\|_2$", fontsize=10)
    legend_below(figure, left)
    save(figure, path)


def profile(
    axes: Axes,
    values: Mapping[str, Sequence[float]],
    colour: str,
    label: str,
    style: str = "-",
) -> None:
    """Draws one profile of gradients as fractions of its largest median; nothing if this is 0.

    Args:
      values: `median`, `lower` and `upper`, by steps before the last one, float `(steps,)` each.
    """
    median, lower, upper = (np.array(values[name]) for name in ("median", "lower", "upper"))
    largest = median.max()
    if largest > 0:
        back = np.arange(len(median))
        axes.semilogy(back, median / largest, color=colour, label=label, ls=style, lw=1.8)
        axes.fill_between(back, lower / largest, upper / largest, color=colour, alpha=0.2)


def heat_maps(
    layer: Layer,
    values: Mapping[str, np.ndarray],
    labels: Mapping[str, Sequence[str]],
    path: Path,
    limits: tuple[float, float],
    colours: str,
    meaning: str,
) -> None:
    """Draws units by steps of the first row, one panel for each of `values`.

    Args:
      layer: the layer of the values.
      values: title to float `(batch, time, units)`.
      labels: labels of the steps of the first row, by name of a layer.
      path: the PNG to write.
      limits: the values of the first and the last colour.
      colours: name of a colour map of Matplotlib.
      meaning: label of the colour bar.
    """
    names = labels_of(layer.capture, 0, labels)[-MAX_STEPS:]
    figure = Figure(figsize=(max(4.8, 1.5 + 0.19 * len(names)), 2.1 * len(values) + 0.9))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(len(values), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (name, each) in zip(panels, values.items(), strict=True):
        image_values = real(layer.capture, each, 0)[-MAX_STEPS:].T  # (units, steps)
        # Units are sorted by their mean, so that similar ones are adjacent.
        image_values = image_values[np.argsort(image_values.mean(axis=1))]
        image = axes.imshow(
            image_values,
            aspect="auto",
            cmap=colours,
            vmin=limits[0],
            vmax=limits[1],
            interpolation="nearest",
        )
        axes.set_ylabel(f"{name}\n({len(image_values)} units,\nsorted by mean)", fontsize=9)
        axes.set_yticks([])
        figure.colorbar(image, label=meaning)
    label_steps(panels[-1], names)
    panels[-1].set_xlabel("time step", fontsize=9)
    cut = int(layer.capture.lengths[0]) - len(names)
    omitted = f", without its first {cut:,} steps" if cut else ""
    panels[0].set_title(f"{layer.capture.name}: row 1{omitted}", fontsize=10)
    save(figure, path)


def saliency(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws the influence of each step on the answer, one panel per row, for 4 rows at most.

    It names each row and its target, the unit, and what is omitted.

    Args:
      rows: `saliency` of an inspection.
      path: the PNG to write.
    """
    shown = rows[:MAX_ROWS]
    widest = max(min(MAX_STEPS, len(row["steps"])) for row in shown)
    figure = Figure(figsize=(max(7.2, 1.2 + 0.19 * widest), 2.4 * len(shown) + 0.5))
    figure.set_layout_engine("constrained")
    for axes, row in zip(figure.subplots(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
        names, influence = row["steps"][-MAX_STEPS:], np.array(row["influence"][-MAX_STEPS:])
        for sign, colour, hatch in ((1, TRAIN, None), (-1, VALIDATION, "////")):
            values = np.where(np.sign(influence) == sign, influence, 0.0)
            axes.bar(range(len(names)), values, color=colour, hatch=hatch, ec="white", lw=0)
        axes.axhline(0, color=GREY, lw=0.8)
        axes.set_ylabel("influence,\nin units of the loss", fontsize=9)
        axes.ticklabel_format(axis="y", scilimits=(-2, 4))
        axes.set_xlim(-0.6, len(names) - 0.4)
        target = (
            "its target" if row["target"] is None else f"the target {quoted(row['target'], 60)}"
        )
        omitted = len(row["steps"]) - len(names)
        cut = f"; the first {omitted:,} steps are not drawn" if omitted else ""
        title = f"row {row['row']}: for (above 0) and against {target}{cut}"
        axes.set_title(title, loc="left", fontsize=9, parse_math=False)
        label_steps(axes, names)
    more = f"; {len(rows) - len(shown)} more rows are in inspection.json" * (len(rows) > len(shown))
    figure.supxlabel(
        f"-x·∂L/∂x of the input x of {rows[0]['layer']}; without what steps do together, and "
        f"without other paths{more}",
        fontsize=8,
        parse_math=False,
    )
    save(figure, path)


def label_steps(axes: Any, names: Sequence[str]) -> None:
    """Writes the label of each step below its column, as plain text without markup."""
    axes.set_xticks(
        range(len(names)),
        [name.replace("$", r"\$").replace("\n", "⏎").replace(" ", "␣") for name in names],
        rotation=90,
        fontsize=7,
    )
