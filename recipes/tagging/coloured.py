"""Shows a tagged text in colours in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recipes.tagging.tag_reader import Entity

COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")


def coloured(text: str, entities: Sequence[Entity]) -> str:
    """Returns a text with its entities in brackets, with one colour per class.

    Args:
      text: the tagged text.
      entities: from `recipes.tagging.tag_reader.entities_of`.
    """
    import click

    line, done = "", 0
    for span in entities:
        label = span["label"]
        colour = COLOURS[(len(label) + sum(label.encode())) % len(COLOURS)]
        name = click.style(f"[{span['text']} {label}]", fg=colour)
        line, done = line + text[done : span["start"]] + name, span["end"]
    return line + text[done:]
