"""Plots of the probability of each word over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from zoo.errors import ZooError
from zoo.report.plots import COLOURS, GREY, save

# Colours of words; further words repeat them with dashed lines.
WORDS = (*COLOURS[:-1], "#8C564B", GREY)


def alignment(
    features: Sequence[Sequence[float]],
    posteriors: Sequence[Sequence[float]],
    symbols: Sequence[str],
    seconds: float,
    path: Path,
) -> None:
    """Draws the features, and above them the probability of each word over time.

    Args:
      features: shape (frames, bands), the lowest band first.
      posteriors: shape (frames, 1 + words): probabilities; the blank is first.
      symbols: the words.
      seconds: length of a frame.
      path: path of the PNG file.

    Raises:
      ZooError: there is no frame, or the file cannot be written.
    """
    if not len(features):
        raise ZooError("There is no alignment to draw: there is no sound.")
    frames, probabilities = np.asarray(features, float), np.asarray(posteriors, float)
    end = len(frames) * seconds
    figure = Figure(figsize=(min(max(6.0, 1.6 * end), 48), 4.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    times = (np.arange(len(probabilities)) + 0.5) * seconds
    above.fill_between(times, probabilities[:, 0], step="mid", color="#DDDDDD", lw=0, label="blank")
    best = probabilities.argmax(axis=1)
    for number, word in enumerate(symbols, 1):
        if probabilities[:, number].max() < 0.1:
            continue
        style = "-" if number <= len(WORDS) else "--"
        colour = WORDS[(number - 1) % len(WORDS)]
        above.step(times, probabilities[:, number], where="mid", color=colour, ls=style, lw=1.6)
        for part in np.split(np.flatnonzero(best == number), _gaps(best == number)):
            if len(part):
                peak = part[probabilities[part, number].argmax()]
                above.text(
                    times[peak], 1.04, word, ha="center", va="bottom", color=colour,
                    fontsize=11, weight="bold", parse_math=False,
                )  # fmt: skip
    above.set_ylim(0, 1.25)
    above.set_yticks([0, 0.5, 1])
    above.set_ylabel("probability")
    above.legend(frameon=False, fontsize=9, loc="upper right", bbox_to_anchor=(1.0, 1.25))
    above.spines[["top", "right"]].set_visible(False)
    below.imshow(
        frames.T, origin="lower", aspect="auto", cmap="magma", extent=(0, end, 0, frames.shape[1])
    )
    below.set_ylabel("band (mel)")
    below.set_xlabel("seconds")
    below.set_xlim(0, end)
    save(figure, path)


def _gaps(inside: np.ndarray) -> np.ndarray:
    """Returns the positions of gaps between runs of True."""
    return np.flatnonzero(np.diff(np.flatnonzero(inside)) > 1) + 1
