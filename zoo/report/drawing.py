"""Figures that show themselves in a notebook and can be written as a PNG."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from zoo.report.plots import TRAIN, png, save


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A figure of matplotlib; in a notebook, the last value of a cell is shown.

    Attributes:
      figure: to be changed before it is shown or saved.
    """

    figure: Figure

    def __repr__(self) -> str:
        width, height = self.figure.get_size_inches()
        return f"Drawing({width:g} × {height:g} inches; .save(path) writes a PNG)"

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        png(self.figure, content)
        return content.getvalue()

    def save(self, path: str | Path) -> Path:
        """Writes a PNG, whole or not at all; returns its path.

        Raises:
          ZooError: it cannot be written.
        """
        save(self.figure, Path(path))
        return Path(path)


def bars(values: Mapping[str, float]) -> Figure:
    """Returns a figure of probabilities by name, the highest first; at most 20 of them."""
    shown = sorted(values.items(), key=lambda item: -item[1])[:20]
    figure = Figure(figsize=(5, 0.6 + 0.3 * len(shown)), layout="constrained")
    axes = figure.subplots()
    names = [name if len(name) <= 30 else name[:29] + "…" for name, _ in shown]
    axes.barh(range(len(shown)), [value for _, value in shown], color=TRAIN)
    axes.set_yticks(range(len(shown)), names, parse_math=False)
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.set_xlabel("probability")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
