"""Plots as PNG files: curves of a training run, and confusion matrices.

Figures are made without pyplot, so that no backend is chosen for the whole process.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zoo.errors import ZooError
from zoo.files import atomic_write
from zoo.scores import ConfusionMatrix, Monitor

# Okabe and Ito's colours, distinct for colour-blind readers; the first two also in greyscale.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = COLOURS
GREY = "#555555"
TRAIN, VALIDATION = BLUE, VERMILION
VAL_LOSS = Monitor("val_loss", better="lower")
MAX_NUMBERED = 25  # classes; with more, the cells are too small for numbers


def curves(history: Sequence[dict[str, Any]], path: Path, monitor: Monitor = VAL_LOSS) -> None:
    """Writes `curves_figure` of a run as a PNG.

    Raises:
      ZooError: `history` is empty, or the file cannot be written.
    """
    save(curves_figure(history, monitor), path)


def curves_figure(history: Sequence[dict[str, Any]], monitor: Monitor = VAL_LOSS) -> Figure:
    """Draws the loss and the metrics of a run against the epoch, and marks the best epoch.

    Args:
      history: one dict per epoch, as in `history.csv` (numbers or strings): `epoch`, `loss`, and
        each further value that has a validation value `val_…`.
      monitor: the value that selects the best epoch, the first of ties. Nothing is marked if no
        epoch has it.

    Raises:
      ZooError: `history` is empty.
    """
    if not history:
        raise ZooError("There is no epoch to draw yet; train at least one.")
    keys = [key for key in history[0] if key == "loss" or f"val_{key}" in history[0]]
    keys.sort(key=lambda key: key != "loss")  # the loss first, then the metrics in their order
    epochs = _column(history, "epoch")
    best = _best(history, monitor)
    figure = Figure(figsize=(4.8 * len(keys), 3.6), layout="constrained")
    panels = figure.subplots(1, len(keys), squeeze=False)[0]
    for axes, key in zip(panels, keys, strict=True):
        for name, label, colour, style in (
            (key, "train", TRAIN, "o-"),
            (f"val_{key}", "validation", VALIDATION, "s--"),
        ):
            if name in history[0]:
                axes.plot(
                    epochs, _column(history, name), style, color=colour, label=label, ms=4, lw=1.8
                )
        if best is not None:
            axes.axvline(epochs[best], color=GREY, lw=1, ls="--", zorder=0)
        if best is not None and f"val_{key}" in history[0]:
            value = _column(history, f"val_{key}")[best]
            # Another epoch may be better by what this panel shows than by `monitor`.
            other = f"val_{key}" != monitor.name and monitor.name.removeprefix("val_") in keys
            name = "epoch {:g}" if other else "best epoch ({:g})"
            axes.plot(
                epochs[best],
                value,
                "o",
                ms=11,
                mfc="none",
                mec=GREY,
                mew=1.5,
                ls="none",
                label=f"{name.format(epochs[best])}: {value:.4f}",
            )
        _decorate(axes, key)
        margin = max(0.4, 0.04 * (epochs[-1] - epochs[0]))
        axes.set_xlim(epochs[0] - margin, epochs[-1] + margin)
    return figure


def confusion(confusion: ConfusionMatrix, path: Path) -> None:
    """Draws a confusion matrix: counts, coloured by their fraction of the true class.

    Args:
      confusion: the counts and class names.
      path: the PNG to write.

    Raises:
      ZooError: the file cannot be written.
    """
    counts, labels = np.asarray(confusion.matrix), confusion.labels
    totals = counts.sum(axis=1, keepdims=True)
    fractions = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    classes = len(labels)
    numbered = classes <= MAX_NUMBERED
    side = 1.1 + max(2.4, min(1.0 * classes, 2.5 + 0.4 * classes, 10))
    figure = Figure(figsize=(side + 1.2, side), layout="compressed")
    axes = figure.subplots()
    image = axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.set_label("fraction of the true class")
    bar.outline.set_visible(False)
    size = 10.0 if classes <= 8 else 8.0 if numbered else 6.0
    positions = range(0, classes, math.ceil(classes / 80))  # not more names than are legible
    names = [labels[i] if len(labels[i]) <= 24 else labels[i][:23] + "…" for i in positions]
    upright = classes > 4 or max(map(len, names)) > 12
    # Class names are plain text: a "$" does not start a formula.
    axes.set_xticks(
        positions,
        names,
        fontsize=size,
        parse_math=False,
        rotation=45 if upright else 0,
        ha="right" if upright else "center",
        rotation_mode="anchor" if upright else "default",
    )
    axes.set_yticks(positions, names, fontsize=size, parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if numbered:
        for row, column in np.ndindex(*counts.shape):
            fraction, count = fractions[row, column], counts[row, column]
            axes.text(
                column,
                row,
                f"{count:,}\n{fraction:.1%}" if classes <= 8 else f"{count}",
                ha="center",
                va="center",
                fontsize=size if count < 1000 else 0.9 * size,
                color="white" if fraction > 0.55 else "black" if count else "#999999",
            )
    save(figure, path)


def legend_above(axes: Axes, columns: int = 3) -> None:
    """Draws the legend of one panel above it, where it covers no curve."""
    axes.legend(
        frameon=False,
        fontsize=9,
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        borderaxespad=0.2,
        ncols=columns,
        columnspacing=1.2,
        handlelength=2.2,
    )


def legend_below(figure: Figure, axes: Axes, columns: int = 4) -> None:
    """Draws the legend of one panel below a figure with the layout "constrained"."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(columns, max(len(labels), 1)),
        frameon=False,
        fontsize=9,
    )


def _decorate(axes: Axes, key: str) -> None:
    """Sets labels, grid and legend of one panel of `curves`."""
    axes.set_xlabel("epoch")
    axes.set_ylabel(key.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    legend_above(axes)


def _column(history: Sequence[dict[str, Any]], key: str) -> np.ndarray:
    """Returns one column as floats of shape (epochs,); NaN where an epoch lacks the value."""
    values = [row.get(key) for row in history]
    return np.array([math.nan if value in (None, "") else float(value) for value in values])


def _best(history: Sequence[dict[str, Any]], monitor: Monitor) -> int | None:
    values = _column(history, monitor.name)
    return monitor.best(values.tolist()) if np.isfinite(values).any() else None


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as a PNG, atomically.

    Raises:
      ZooError: it cannot be written.
    """
    with atomic_write(Path(path)) as temporary:
        png(figure, temporary)


def png(figure: Figure, target: Path | BinaryIO) -> None:
    """Writes a figure as a PNG to a path or a stream."""
    with warnings.catch_warnings():
        # The bundled font lacks some scripts. Names in these scripts are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(target, format="png", dpi=150)
