"""Renders the table of `benchmarks.latency`, without TensorFlow."""

from __future__ import annotations

from typing import Any

COLUMNS = {
    "pytorch_compiled": "`torch.compile`",
    "keras": "Keras' loops",
    "saved_model": "SavedModel",
    "saved_model_text": "SavedModel, from text",
    "onnx": "ONNX",
    "litert": "LiteRT",
    "onnx_text": "ONNX, from text",
    "litert_text": "LiteRT, from text",
}


def render(result: dict[str, Any]) -> str:
    """Returns the Markdown table of a result of `measure`: milliseconds and ratios.

    Values are for the fastest answers; the ratio of the medians is in brackets.
    """
    lines = [
        "| model | rows | PyTorch | " + " | ".join(COLUMNS.values()) + " |",
        "|---|---:|---:|" + "---:|" * len(COLUMNS),
    ]
    for name, by_rows in result["networks"].items():
        for rows, engines in by_rows.items():
            cells = [_ratio(engines[e]) if e in engines else "–" for e in COLUMNS]
            base = f"{engines['pytorch']['fastest']:.3g} ms"
            lines.append(f"| `{name}` | {rows} | {base} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _ratio(engine: dict[str, float]) -> str:
    return f"{engine['ratio_of_fastest']:.2f} ({engine['ratio']:.2f})"
