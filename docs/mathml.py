"""A Sphinx extension: equations as MathML, which browsers show without a script or a network."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert


def setup(app: Any) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True}


def inline(translator: Any, node: Any) -> None:
    """Writes an equation in a line of text."""
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block(translator: Any, node: Any) -> None:
    """Writes an equation that stands by itself."""
    equation = convert(node.astext(), display="block")
    translator.body.append(f'<div class="math">{equation}</div>\n')
    raise nodes.SkipNode
