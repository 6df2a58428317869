"""What a tab is: fields for plain values, and a function from these to parts of an answer.

Light: importing this module imports neither TensorFlow nor Gradio.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Literal

FieldKind = Literal["text", "line", "number", "slider", "file", "sound", "drawing"]
PartKind = Literal["text", "html", "bars", "influence", "picture", "player", "files", "note"]


@dataclasses.dataclass(frozen=True)
class Field:
    """An input of a tab.

    Attributes:
      name: of the argument of the tab's function.
      kind: `"text"` of several lines or a `"line"`; a whole `"number"`, or a `"slider"` from 0 to
        1.5; of `"file"`, `"sound"` (microphone or file) and `"drawing"`, the value is a path.
      label: for people.
      value: what it holds at first; None for nothing.
      help: a sentence beside it.
      needed: whether it must not be empty.
    """

    name: str
    kind: FieldKind
    label: str
    value: Any = None
    help: str = ""
    needed: bool = True


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of an answer.

    Attributes:
      kind: says what the value is.
      value: `"text"` and `"note"`: a str; `"html"`: a str, of which texts are escaped; `"bars"`: a
        dict, name to probability; `"influence"`: pairs of a word and its influence; `"picture"`:
        the bytes of a PNG or SVG; `"player"`: those of a WAV; `"files"`: a dict, name to bytes.
      label: what it is, for people.
    """

    kind: PartKind
    value: Any
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Tab:
    """How people try one model.

    Attributes:
      title: on the tab.
      about: a line about the model.
      fields: the inputs.
      answer: takes the values of the fields by name; yields all parts of the answer so far, once
        or, while it is written, several times. Raises `ZooError`, which is shown.
      button: what starts it.
      example: a file for a field that takes one; None for no file.
      warning: what the answers are not for; `""` for nothing.
    """

    title: str
    about: str
    fields: tuple[Field, ...]
    answer: Callable[..., Iterator[list[Part]]]
    button: str = "Answer"
    example: str | None = None
    warning: str = ""
