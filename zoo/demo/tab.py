"""A tab of the demo: fields for plain values, and a function from these to parts of an answer.

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
      name: argument name of the tab's function.
      kind: `"text"` (several lines) or `"line"`; `"number"` (an integer) or `"slider"` (0 to 1.5);
        for `"file"`, `"sound"` (microphone or file) and `"drawing"`, the value is a path.
      label: label shown to the user.
      value: initial value; None for none.
      help: a sentence shown with it.
      needed: whether a value is required.
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
      kind: kind of the value.
      value: `"text"` and `"note"`: a str; `"html"`: a str with escaped texts; `"bars"`: a dict,
        name to probability; `"influence"`: pairs of a word and its influence; `"picture"`: the
        bytes of a PNG or SVG; `"player"`: those of a WAV; `"files"`: a dict, name to bytes.
      label: label shown to the user.
    """

    kind: PartKind
    value: Any
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Tab:
    """A tab to try one model.

    Attributes:
      title: title of the tab.
      about: one line about the model.
      fields: the inputs.
      answer: takes the values of the fields by name; yields all parts of the answer so far, once,
        or several times while it is generated. The message of a `ZooError` is shown.
      button: label of the button that starts it.
      example: an example file for a field that takes one; None for no file.
      warning: what the answers must not be used for; `""` for no warning.
    """

    title: str
    about: str
    fields: tuple[Field, ...]
    answer: Callable[..., Iterator[list[Part]]]
    button: str = "Answer"
    example: str | None = None
    warning: str = ""
