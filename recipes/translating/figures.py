"""Draws attention weights as a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from zoo.errors import UsageError, ZooError
from zoo.report.plots import save

LEAST, MOST = 1e-30, 1e-3  # bounds of the lower end of the colour scale
NUMBERED = 0.005  # smallest weight that is printed in its cell


def draw_attention(answer: Mapping[str, Any], path: Path) -> bool:
    """Draws the attention of the best translation; returns False if it is empty.

    Args:
      answer: an answer of the signature `nbest`.
      path: the PNG to write.

    Raises:
      UsageError: the network has no attention.
    """
    if "attention" not in answer:
        raise UsageError("This network has no attention to draw. `translate-attention` has.")
    source = [piece for piece in answer["source_pieces"] if piece]
    pieces = [piece for piece in answer["pieces"][0] if piece]
    if pieces:
        weights = [row[: len(source)] for row in answer["attention"][0][: len(pieces)]]
        attention(source, pieces, weights, path)
    return bool(pieces)


def attention(
    source_pieces: Sequence[str],
    pieces: Sequence[str],
    weights: Sequence[Sequence[float]],
    path: Path,
) -> None:
    """Draws the attention weights of each target piece over the source pieces.

    The colour scale is logarithmic, down to about the third largest weight of a row, because
    attention can be so sharp that a linear scale shows only 0 and 1. Numbers are in %.

    Args:
      source_pieces: pieces of the source, from left to right.
      pieces: pieces of the translation, from top to bottom.
      weights: shape (pieces, source_pieces); each row sums to 1.
      path: the PNG to write.

    Raises:
      ZooError: there are no pieces, or the file cannot be written.
    """
    if not pieces or not source_pieces:
        raise ZooError("There is no attention to draw: the translation is empty.")
    size = 0.28
    width, height = size * len(source_pieces) + 3.2, size * len(pieces) + 2.2
    figure = Figure(figsize=(min(width, 40), min(height, 40)), layout="constrained")
    axes = figure.subplots()
    values = np.asarray(weights, float)
    least = _least(values)
    image = axes.imshow(
        np.maximum(values, least), cmap="Blues", norm=LogNorm(least, 1), aspect="auto"
    )
    for row, column in np.argwhere(values >= NUMBERED):
        colour = "white" if np.log(values[row, column]) > 0.45 * np.log(least) else "black"
        text = f"{100 * values[row, column]:.0f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)
    bar = figure.colorbar(image, ax=axes, pad=0.02, extend="min")
    bar.set_label("attention weight (numbers: %; a row sums to 1)")
    bar.minorticks_off()
    bar.outline.set_visible(False)
    # Show the space before a word as a space; do not parse text as a formula.
    read, written = (
        [name.replace("▁", " ") if name != "▁" else "␣" for name in names]
        for names in (source_pieces, pieces)
    )
    axes.set_xticks(range(len(read)), read, rotation=90, fontsize=9, parse_math=False)
    axes.set_yticks(range(len(written)), written, fontsize=9, parse_math=False)
    axes.xaxis.tick_top()
    axes.set_xlabel("pieces of the source, as read")
    axes.xaxis.set_label_position("top")
    axes.set_ylabel("pieces of the translation, as written")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    save(figure, path)


def _least(weights: np.ndarray) -> float:
    """Returns the power of 10 below the third largest weight of most rows, within bounds."""
    third = np.sort(weights, axis=1)[:, -min(3, weights.shape[1])]
    least = float(np.clip(np.median(third), LEAST, MOST))
    return 10.0 ** np.floor(np.log10(least))
