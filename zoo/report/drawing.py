"""Pictures that are displayed in a notebook and can be written to a file."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from zoo.files import atomic_write
from zoo.report.plots import TRAIN, png


@dataclasses.dataclass(frozen=True, repr=False)
class Drawing:
    """A picture. A notebook displays it if it is the last value of a cell.

    Attributes:
      png: the content of a PNG file.
    """

    png: bytes

    @classmethod
    def of(cls, figure: Figure) -> Drawing:
        """Returns the picture of a matplotlib figure."""
        content = io.BytesIO()
        png(figure, content)
        return cls(content.getvalue())

    def save(self, path: str | Path) -> Path:
        """Writes the PNG atomically; returns its path.

        Raises:
          ZooError: it cannot be written.
        """
        path = Path(path)
        with atomic_write(path) as temporary:
            temporary.write_bytes(self.png)
        return path

    def __repr__(self) -> str:
        return f"Drawing({len(self.png):,} bytes; .save(path) writes a PNG)"

    def _repr_png_(self) -> bytes:
        return self.png


def bars(values: Mapping[str, float]) -> Figure:
    """Returns a bar chart of probabilities by name, highest first; at most 20 of them."""
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
