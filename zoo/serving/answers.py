"""What `Predictor.predict` returns: lists and dicts that show themselves in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.recipe import Recipe
    from zoo.report.drawing import Drawing

SHOWN = 20  # answers in a notebook


class Answer(dict):
    """One answer: a dict, output name to value.

    Attributes:
      example: what was asked, by name; what a file that was named says about the row, too.
    """

    __slots__ = ("_recipe", "example")

    def __init__(
        self,
        values: Mapping[str, Any],
        example: Mapping[str, Any] | None = None,
        recipe: Recipe | None = None,
    ) -> None:
        super().__init__(values)
        self.example = dict(example or {})
        self._recipe = recipe

    def __reduce__(self) -> tuple:
        return dict, (dict(self),)  # pickled and copied, it is a plain dict

    def plot(self, path: str | Path | None = None) -> Drawing:
        """Draws the answer, by the recipe's `plot`; where it has none, its probabilities as bars.

        Args:
          path: of a PNG to write, too.

        Raises:
          UsageError: there is nothing to draw.
        """
        from zoo.report.drawing import Drawing, bars

        recipe = self._recipe
        figure = None
        if self.get("valid", True):
            if recipe is not None and hasattr(recipe.module, "plot"):
                figure = recipe.module.plot(self.example, dict(self))
            elif isinstance(self.get("probabilities"), Mapping):
                figure = bars(self["probabilities"])
        if figure is None:
            raise UsageError(f"There is nothing to draw of this answer: it has {', '.join(self)}.")
        drawing = Drawing(figure)
        if path is not None:
            drawing.save(path)
        return drawing

    def _repr_html_(self) -> str:
        return _block(self)


class Answers(list):
    """The answers of a request, in the order of its rows."""

    def __reduce__(self) -> tuple:
        return list, ([dict(answer) for answer in self],)

    def _repr_html_(self) -> str:
        lines = [_block(answer) for answer in self[:SHOWN]]
        if len(self) > SHOWN:
            lines.append(f"<p>… and {len(self) - SHOWN:,} more</p>")
        return "".join(lines) or "<p>no rows</p>"


def _block(answer: Any) -> str:
    """Returns HTML of one answer: the recipe's own, or its line for people."""
    recipe = getattr(answer, "_recipe", None)
    if recipe is None:
        return f"<pre>{html.escape(repr(dict(answer)))}</pre>"
    if not answer.get("valid", True):
        return f"<pre>(no answer) {html.escape(str(answer.get('problem', '')))}</pre>"
    try:
        if hasattr(recipe.module, "html"):
            return recipe.module.html(answer.example, dict(answer))
        return f"<pre>{html.escape(recipe.show(answer.example, dict(answer)))}</pre>"
    except (LookupError, TypeError):  # of another signature, whose outputs it does not know
        return f"<pre>{html.escape(repr(dict(answer)))}</pre>"


def marked_text(text: str, spans: Iterable[Mapping[str, Any]]) -> str:
    """Returns HTML of a text in which spans are marked and labelled.

    Args:
      text: what the places of the spans refer to.
      spans: `start` and `end` (exclusive) in characters, and `label`, in order, apart.
    """
    parts, last = [], 0
    for span in spans:
        parts.append(html.escape(text[last : span["start"]]))
        parts.append(
            '<mark style="padding:0.1em 0.3em;border-radius:0.3em;background:'
            f'{_colour(str(span["label"]))};color:#111">'
            f"{html.escape(text[span['start'] : span['end']])}"
            '<span style="font-size:0.7em;font-weight:bold;margin-left:0.4em">'
            f"{html.escape(str(span['label']))}</span></mark>"
        )
        last = span["end"]
    parts.append(html.escape(text[last:]))
    return f'<div style="line-height:2;white-space:pre-wrap">{"".join(parts)}</div>'


def _colour(label: str) -> str:
    """Returns a light colour that is always the same for a label."""
    hue = sum(ord(character) * 47 * (place + 1) for place, character in enumerate(label)) % 360
    return f"hsl({hue},70%,82%)"
