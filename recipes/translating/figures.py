"""Draws attention as a table of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from zoo.errors import UsageError, ZooError
from zoo.report.plots import save


def draw_attention(answer: Mapping[str, Any], path: Path) -> bool:
    """Draws the attention of the best of several answers; returns False for an empty text.

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
    """Draws how much each piece that was written looked at each piece that was read.

    Args:
      source_pieces: what was read, from left to right.
      pieces: what was written, from top to bottom.
      weights: shape (pieces, source_pieces); each row adds up to 1.
      path: the PNG to write.

    Raises:
      ZooError: there is no piece, or the file cannot be written.
    """
    if not pieces or not source_pieces:
        raise ZooError("There is no attention to draw: nothing was written.")
    size = 0.28
    width, height = size * len(source_pieces) + 2.4, size * len(pieces) + 1.6
    figure = Figure(figsize=(min(width, 40), min(height, 40)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(np.asarray(weights, float), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label("weight")
    bar.outline.set_visible(False)
    # The space before a word is seen best as a space; text is no formula.
    read, written = (
        [name.replace("▁", " ") for name in names] for names in (source_pieces, pieces)
    )
    axes.set_xticks(range(len(read)), read, rotation=90, fontsize=9, parse_math=False)
    axes.set_yticks(range(len(written)), written, fontsize=9, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    save(figure, path)
