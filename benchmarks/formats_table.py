"""Renders the table of `benchmarks.formats`, without TensorFlow."""

from __future__ import annotations

from typing import Any

from zoo.config import FILE_PRECISIONS

VARIANTS = [(form, precision) for form, each in FILE_PRECISIONS.items() for precision in each]


def render(result: dict[str, Any]) -> str:
    """Returns the Markdown table of a result of `measure`."""
    heads = [f"{form} {precision}" for form, precision in VARIANTS]
    lines = [
        "| recipe | reads | metric | Keras | " + " | ".join(heads) + " |",
        "|---|---|---|---|" + "---|" * len(heads),
    ]
    problems: dict[str, int] = {}
    for name, model in result["models"].items():
        cells = [_cell(model[head], problems) for head in heads]
        keras = _metric(model["keras"]["metric"])
        if "milliseconds" in model["keras"]:  # timed beside the formats that can hold the network
            keras = f"{model['keras']['milliseconds']:.2g} ms, {keras}"
        reads = "text" if model["text"] else "arrays"
        lines.append(f"| `{name}` | {reads} | {model['metric']} | {keras} | {' | '.join(cells)} |")
    lines += ["", *(f"{number}. {problem}" for problem, number in problems.items())]
    return "\n".join(lines).rstrip() + "\n"


def _cell(variant: dict[str, Any], problems: dict[str, int]) -> str:
    if "problem" in variant:
        return f"no ({problems.setdefault(variant['problem'], len(problems) + 1)})"
    return (
        f"{variant['kilobytes']:,} kB, {variant['milliseconds']:.2g} ms, "
        f"{_metric(variant['metric'])}"
    )


def _metric(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
