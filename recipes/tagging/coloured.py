"""A tagged text in the colours of a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")


def coloured(text: str, entities: Sequence[Mapping[str, Any]]) -> str:
    """Returns a text whose entities are in brackets, in a colour for each class.

    Args:
      text: that was tagged.
      entities: of `recipes.tagging.tag_reader.entities_of`.
    """
    import click

    line, done = "", 0
    for span in entities:
        label = span["label"]
        colour = COLOURS[(len(label) + sum(label.encode())) % len(COLOURS)]
        name = click.style(f"[{span['text']} {label}]", fg=colour)
        line, done = line + text[done : span["start"]] + name, span["end"]
    return line + text[done:]
