"""Draws docs/figures/overview.svg: a training, two answers and a score sheet of one run.

zoo train imdb-lstm && python tools/draw_overview.py runs/imdb-lstm
"""

from __future__ import annotations

import csv
import json
import sys
from html import escape
from pathlib import Path

import zoo

FILE = Path(__file__).parents[1] / "docs" / "figures" / "overview.svg"
TEXTS = ("What a wonderful film!", "The plot is dull and far too long.")

WIDTH, HEIGHT, CARD, GAP = 980, 300, 310, 15
INK, GREY, LINE = "#1f2328", "#59636e", "#d1d9e0"
TRAIN_ONLY = "train split only"  # in the title of the second source, which has no test split
BLUE, ORANGE = "#0969da", "#bc4c00"


def text(x: float, y: float, words: str, *, size: int = 13, color: str = INK, **more: str) -> str:
    attributes = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in more.items())
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{color}"{attributes}>' + (
        f"{escape(words)}</text>"
    )


def bar(x: float, y: float, width: float, color: str) -> str:
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.1f}" height="12" rx="2" fill="{color}"/>'


def card(left: float, title: str, command: str) -> list[str]:
    return [
        f'<rect x="{left:.0f}" y="1" width="{CARD}" height="{HEIGHT - 2}" rx="8" fill="#ffffff" '
        f'stroke="{LINE}"/>',
        text(left + 16, 30, title, size=15, font_weight="600"),
        text(left + 16, 52, f"$ {command}", size=12, color=GREY, font_family="monospace"),
    ]


def training(left: float, name: str, history: list[dict[str, str]]) -> list[str]:
    """Returns a card with the accuracy of each epoch."""
    parts = card(left, "Train", f"zoo train {name}")
    top, bottom, x0, x1 = 82.0, 240.0, left + 62, left + CARD - 24
    curves = {"training": "accuracy", "validation": "val_accuracy"}
    values = [float(row[key]) for row in history for key in curves.values()]
    low, high = int(min(values) * 20) / 20, (int(max(values) * 20) + 1) / 20

    def place(epoch: int, value: float) -> tuple[float, float]:
        x = x0 + (x1 - x0) * (epoch - 1) / max(1, len(history) - 1)
        return x, bottom - (bottom - top) * (value - low) / (high - low)

    steps = round((high - low) * 20)
    for step in range(steps + 1):
        value = low + step / 20
        y = place(1, value)[1]
        parts.append(f'<path d="M{x0:.0f} {y:.1f}H{x1:.0f}" stroke="{LINE}"/>')
        parts.append(text(x0 - 8, y + 4, f"{value:.2f}", size=11, color=GREY, text_anchor="end"))
    for epoch in range(1, len(history) + 1):
        x = place(epoch, low)[0]
        parts.append(text(x, bottom + 18, str(epoch), size=11, color=GREY, text_anchor="middle"))
    parts.append(
        text((x0 + x1) / 2, bottom + 38, "epoch", size=12, color=GREY, text_anchor="middle")
    )
    for (label, key), color, dash in zip(curves.items(), (ORANGE, BLUE), ("5 4", ""), strict=True):
        points = [place(epoch, float(row[key])) for epoch, row in enumerate(history, start=1)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2.5" '
            f'stroke-dasharray="{dash}"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y in points]
        x, y = (x1, bottom - 34) if label == "training" else (x1, bottom - 14)
        parts.append(text(x, y, f"accuracy, {label}", size=12, color=color, text_anchor="end"))
    return parts


def answers(left: float, run: Path, name: str) -> list[str]:
    """Returns a card with the answers to two texts."""
    parts = card(left, "Ask", f"zoo predict runs/{name} …")
    for row, (words, answer) in enumerate(
        zip(TEXTS, zoo.load(run).predict(list(TEXTS)), strict=True)
    ):
        y = 92 + 100 * row
        parts.append(text(left + 16, y, f"“{words}”", size=14, font_style="italic"))
        for line, (label, share) in enumerate(sorted(answer["probabilities"].items())[::-1]):
            middle = y + 24 + 22 * line
            best = label == answer["label"]
            weight = "600" if best else "400"
            parts.append(text(left + 16, middle, label, size=12, font_weight=weight))
            parts.append(bar(left + 84, middle - 10, 150 * share, BLUE if best else LINE))
            parts.append(text(left + 244, middle, f"{share:.3f}", size=12, font_weight=weight))
    return parts


def scores(left: float, name: str, metrics: dict, title: str) -> list[str]:
    """Returns a card with the score of the network and of its baselines."""
    metric = metrics["metric"]
    parts = card(left, "Compare", f"zoo evaluate runs/{name}")
    found = {name: metrics["test"][metric]}
    found |= {other: scores[metric] for other, scores in metrics["baseline"].items()}
    for row, (label, score) in enumerate(sorted(found.items(), key=lambda each: -each[1])):
        y, network = 92 + 40 * row, label == name
        weight = "600" if network else "400"
        parts.append(text(left + 16, y, label, size=13, font_weight=weight))
        parts.append(text(left + CARD - 16, y, f"{score:.4f}", size=13, text_anchor="end",
                          font_weight=weight))  # fmt: skip
        parts.append(bar(left + 16, y + 7, (CARD - 32) * score, BLUE if network else "#8c959f"))
    rows = metrics["test"]["rows"]
    where = "of the training reviews (second source)" if TRAIN_ONLY in title else title
    notes = (f"{metric} on {rows:,} test reviews (grey: baseline)", where)
    for line, note in enumerate(notes):
        parts.append(text(left + 16, HEIGHT - 36 + 17 * line, note, size=12, color=GREY))
    return parts


def draw(run: Path) -> str:
    """Returns the drawing of a run of a classifier of reviews."""
    with open(run / "history.csv", encoding="utf-8", newline="") as file:
        history = list(csv.DictReader(file))
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    title = json.loads((run / "data.json").read_text(encoding="utf-8"))["title"]
    name = json.loads((run / "config.json").read_text(encoding="utf-8"))["recipe"]
    parts = [
        *training(0.5, name, history),
        *answers(CARD + GAP + 0.5, run, name),
        *scores(2 * (CARD + GAP) + 0.5, name, metrics, title),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH - 19} {HEIGHT}" '
        f'font-family="system-ui, Helvetica, Arial, sans-serif" role="img" '
        f'aria-label="A training, two answers and a score sheet of {name}">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    FILE.write_text(draw(Path(sys.argv[1])), encoding="utf-8")
    print(f"written: {FILE.name}")
