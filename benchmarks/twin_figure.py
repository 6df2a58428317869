"""Draws the figure of `python -m benchmarks twins`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from zoo.report.plots import GREY, legend_above, save

# Okabe and Ito's, distinct for colour-blind readers.
OURS, THEIRS, BATCHED, RAW = "#0072B2", "#D55E00", "#009E73", "#56B4E9"


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draws the results of `benchmarks.twins.compare` as four panels of a PNG file."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    (steps, race), (answered, grown) = figure.subplots(2, 2)
    _draw_steps(steps, result["steps"])
    _draw_race(race, result["to_target"], result["metric"], result["recipe"])
    _draw_answers(answered, result["answers"])
    _draw_growth(grown, result["growth"])
    for axes in (steps, race, answered, grown):
        axes.grid(alpha=0.3, lw=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        legend_above(axes, 1)
    save(figure, path)


def _draw_steps(axes: Any, steps: Mapping[str, Any]) -> None:
    positions = np.arange(len(steps))
    for number, (key, label, colour) in enumerate(
        (
            ("same_batches", "the same batches (median)", OURS),
            ("batching", "batches by length against fixed length (sum)", BATCHED),
        )
    ):
        kind = "ratio" if key == "same_batches" else "total_ratio"
        values = [each[key][kind] for each in steps.values()]
        bars = axes.bar(positions + 0.4 * number - 0.2, values, 0.38, color=colour, label=label)
        axes.bar_label(bars, fmt="%.2f", fontsize=8)
    axes.axhline(1, color=GREY, lw=1, ls="--")
    axes.set_xticks(positions, list(steps), fontsize=8)
    axes.set_ylim(0, 1.25 * axes.get_ylim()[1])
    axes.set_ylabel("time of a training step, ours / theirs")


def _draw_race(axes: Any, race: Mapping[str, Any], metric: str, name: str) -> None:
    for key, label, colour in (("ours", name, OURS), ("theirs", "the peer's script", THEIRS)):
        trail = race[key]["trail"]
        rows = {row["seconds"]: row["score"] for row in trail}  # of the most rows, which come last
        label = f"{label}: {race[key]['seconds']:.0f} s"
        axes.plot(list(rows), list(rows.values()), "o-", ms=3, lw=1.6, color=colour, label=label)
    axes.axhline(race["target"], color=GREY, lw=1, ls="--")
    axes.set_xlabel("seconds of training")
    axes.set_ylabel(metric)


def _draw_answers(axes: Any, answers: Mapping[str, Any]) -> None:
    positions = np.arange(len(answers))
    for number, (key, label, colour) in enumerate(
        (
            ("raw", "SavedModel, raw text", RAW),
            ("ids", "our network, ids", OURS),
            ("theirs", "theirs, ids", THEIRS),
        )
    ):
        values = [
            1e3 * each["medians"][each["layout"] if key == "theirs" else key] / int(size)
            for size, each in answers.items()
        ]
        bars = axes.bar(positions + 0.27 * (number - 1), values, 0.25, color=colour, label=label)
        axes.bar_label(bars, fmt="%.3g", fontsize=8)
    axes.set_xticks(positions, list(answers))
    axes.set_xlabel("rows answered together")
    axes.set_ylabel("ms a row")


def _draw_growth(axes: Any, grown: Sequence[Mapping[str, Any]]) -> None:
    sizes = dict.fromkeys(each["batch_size"] for each in grown)
    for size, style in zip(sizes, (":", "--", "-", "-."), strict=False):
        rows = [each for each in grown if each["batch_size"] == size]
        for key, colour in (("ours", OURS), ("theirs", THEIRS)):
            axes.loglog(
                [each["length"] for each in rows],
                [1e3 * each["medians"][key] for each in rows],
                "o" + style, ms=3, color=colour, label=f"{key}, {size} rows",
            )  # fmt: skip
    axes.set_xlabel("length of the rows")
    axes.set_ylabel("ms a training step")
    ticks = [each["length"] for each in grown if each["batch_size"] == grown[0]["batch_size"]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
