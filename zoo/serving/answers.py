"""Results of `Predictor.predict`: lists and dicts with a rich display in notebooks."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, quoted, suggest
from zoo.serving.capabilities import ANSWER, CAPABILITIES, UNUSUAL

if TYPE_CHECKING:
    from zoo.recipe import Picture, Recipe
    from zoo.report.drawing import Drawing

SHOWN = 20  # maximum number of answers shown in a notebook


class Answer(dict):
    """One answer: a dict, output name to value.

    Created by a `zoo.serving.Predictor`.

    Attributes:
      example: the inputs by name, and other values from an input file, such as dates.
    """

    __slots__ = ("_predictor", "_recipe", "example")

    def __init__(
        self,
        values: Mapping[str, Any],
        example: Mapping[str, Any],
        predictor: Any,
        recipe: Recipe | None,
    ) -> None:
        super().__init__(values)
        self.example = dict(example)
        self._predictor, self._recipe = predictor, recipe

    def __reduce__(self) -> tuple:
        return dict, (dict(self),)  # a pickled or copied answer is a plain dict

    @property
    def unusual(self) -> bool | None:
        """Whether the row is far from the training data; None if the model does not tell.

        If there are several answers to a row, the best one counts.
        """
        return best_of(self.get(UNUSUAL))

    def plot(self, picture: str | None = None) -> Drawing:
        """Plots the answer: a picture that the recipe declares, or a bar chart of probabilities.

        Args:
          picture: name of one of the recipe's `PICTURES`; the first one by default.

        Raises:
          UsageError: there is no such picture, or nothing to plot.
        """
        from zoo.report.drawing import Drawing, bars

        pictures = {each.name: each for each in self._recipe.pictures} if self._recipe else {}
        if picture is not None and picture not in pictures:
            raise UsageError(f"There is no picture {quoted(picture)}.{suggest(picture, pictures)}")
        chosen = pictures.get(picture) if picture else next(iter(pictures.values()), None)
        drawing = None
        if self.get("valid", True):
            if chosen is not None:
                drawing = self._drawn(chosen)
            elif isinstance(self.get("probabilities"), Mapping):
                drawing = Drawing.of(bars(self["probabilities"]))
        if drawing is None:
            raise UsageError(f"There is nothing to draw of this answer: it has {', '.join(self)}.")
        return drawing

    def _drawn(self, picture: Picture) -> Drawing | None:
        from zoo.report.drawing import Drawing

        predictor = self._predictor
        answer: Mapping[str, Any] = self
        wire_name = CAPABILITIES[picture.capability][0].wire_name
        if wire_name != ANSWER:
            request = {name: [self.example[name]] for name in predictor.input_names}
            options = {}
            if CAPABILITIES[picture.capability][0].options:
                options = predictor.search_options()
            answer = predictor.predict(request, signature=wire_name, **options)[0]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture.png"
            values = {**self.example, **answer}
            if not predictor.recipe.draw(
                predictor.config, predictor.assets, picture.name, values, path
            ):
                return None
            return Drawing(path.read_bytes())

    def _repr_html_(self) -> str:
        return _block(self)


def best_of(value: Any) -> Any:
    """Returns the best of several answers; for an invalid row, its one value."""
    return value[0] if isinstance(value, list) and value else value


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
    """Returns the HTML of one answer: that of the recipe, or its one-line text."""
    recipe = getattr(answer, "_recipe", None)
    if recipe is None:
        return f"<pre>{html.escape(repr(dict(answer)))}</pre>"
    if not answer.get("valid", True):
        return f"<pre>(no answer) {html.escape(str(answer.get('problem', '')))}</pre>"
    try:
        if hasattr(recipe.module, "html"):
            return recipe.module.html(answer.example, dict(answer))
        return f"<pre>{html.escape(recipe.show(answer.example, dict(answer)))}</pre>"
    except (LookupError, TypeError):  # the recipe does not know the outputs of this signature
        return f"<pre>{html.escape(repr(dict(answer)))}</pre>"


def marked_text(text: str, spans: Iterable[Mapping[str, Any]]) -> str:
    """Returns the HTML of a text with marked and labelled spans.

    Args:
      text: the text that the spans refer to.
      spans: `start` and `end` (exclusive) in characters, and `label`; sorted, not overlapping.
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
    """Returns a light colour for a label, always the same one."""
    hue = sum(ord(character) * 47 * (place + 1) for place, character in enumerate(label)) % 360
    return f"hsl({hue},70%,82%)"
