"""Draws attention weights as a heat map."""

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
    """Draws the attention weights of each target piece over the source pieces.

    Args:
      source_pieces: pieces of the source, from left to right.
      pieces: pieces of the translation, from top to bottom.
      weights: shape (pieces, source_pieces); each row sums to 1.
      path: the PNG to write.

    Raises:
      ZooError: there is no piece, or the file cannot be written.
    """
    if not pieces or not source_pieces:
        raise ZooError("There is no attention to draw: the translation is empty.")
    size = 0.28
    width, height = size * len(source_pieces) + 2.4, size * len(pieces) + 1.6
    figure = Figure(figsize=(min(width, 40), min(height, 40)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(np.asarray(weights, float), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label("weight")
    bar.outline.set_visible(False)
    # Show the space before a word as a space; do not parse text as a formula.
    read, written = (
        [name.replace("▁", " ") for name in names] for names in (source_pieces, pieces)
    )
    axes.set_xticks(range(len(read)), read, rotation=90, fontsize=9, parse_math=False)
    axes.set_yticks(range(len(written)), written, fontsize=9, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    save(figure, path)
