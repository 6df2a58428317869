"""Draws the network of each packed model: docs/figures/models/NAME.svg.

python tools/draw_models.py [NAME…]       # writes the files (default: all; some minutes)
python tools/draw_models.py NAME --check  # exit code 1 if a file is out of date

A drawing has a box for each layer: what it is, its name where the recipe gives it one, and the
shape of its output without the batch. A row of cells stands for the steps of a recurrent layer; a
bidirectional layer has two. Masks, dropout and casts are omitted. Like the figures of the lesson,
it is 360 units wide, and its text has 11 units or more.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from tools.draw_lesson import BLUE, GREEN, GREY, ORANGE, WIDTH, line, svg, text  # noqa: E402

FOLDER = ROOT / "docs" / "figures" / "models"
HIDDEN = ("Dropout", "SpatialDropout1D", "GaussianNoise", "Cast")
RECURRENT = ("SimpleRNN", "LSTM", "GRU")
MARGIN, GAP, LANE, BETWEEN = 6, 8, 24, 24  # LANE: the width that a line past a row takes
TITLE, NOTE, CELLS = 18, 15, 22  # heights of a line of each kind
CHARACTER = 0.66  # of the size of the font: the mean width in bold


@dataclass
class Layer:
    """A box: its text, and the layers that it reads."""

    name: str
    kind: str
    title: str
    shape: tuple[int | None, ...]
    sources: list[str] = field(default_factory=list)
    directions: str = ""  # of a recurrent layer: "→" or "→←"
    named: bool = False  # by the recipe, not by Keras

    def notes(self) -> list[str]:
        """Returns the lines below the title."""
        shape = " × ".join("time" if size is None else f"{size:,}" for size in self.shape)
        if self.kind == "InputLayer":
            return [f"input: {shape}" if shape else "input"]
        return [self.name, shape] if self.named else [shape]


def layers_of(model: Any) -> list[Layer]:
    """Returns the layers of a functional Keras model, without masks and dropout."""
    config = model.get_config()
    reads: dict[str, list[str]] = {}
    shapes: dict[str, tuple[int | None, ...]] = {}
    masks = set()
    for layer in config["layers"]:
        tensors = [*_tensors(layer["inbound_nodes"][:1])]
        for tensor in tensors:
            source = tensor["keras_history"][0]
            shapes.setdefault(source, tuple(tensor["shape"][1:]))
            if tensor["dtype"] == "bool":
                masks.add(source)
        reads[layer["name"]] = [*dict.fromkeys(each["keras_history"][0] for each in tensors)]
    ends = config["output_layers"]
    ends = [ends] if isinstance(ends[0], str) else ends
    for (name, *_), tensor in zip(ends, model.outputs, strict=True):
        shapes.setdefault(name, tuple(tensor.shape[1:]))
    kinds = {layer["name"]: layer["class_name"] for layer in config["layers"]}

    def sources(name: str) -> list[str]:
        shown: list[str] = []
        for source in reads[name]:
            if source not in masks:
                shown += sources(source) if kinds[source] in HIDDEN else [source]
        return [*dict.fromkeys(shown)]

    needed: set[str] = set()  # without layers that only compute a mask

    def need(name: str) -> None:
        if name not in needed:
            needed.add(name)
            for source in sources(name):
                need(source)

    for name, *_ in ends:
        need(name)
    return [
        Layer(
            layer["name"],
            layer["class_name"],
            *_described(layer["name"], layer["class_name"], layer["config"], shapes),
            sources(layer["name"]),
            _directions(layer["class_name"]),
            not re.fullmatch(rf"{_snake(layer['class_name'])}(_\d+)?", layer["name"]),
        )
        for layer in config["layers"]
        if layer["name"] in needed
    ]


def _tensors(value: Any) -> Iterator[dict[str, Any]]:
    """Yields the inputs of a layer call, from the config that Keras stores."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            yield value["config"]
        else:
            for inner in value.values():
                yield from _tensors(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _tensors(inner)


def _snake(kind: str) -> str:
    """Returns the default name that Keras gives to layers of a class."""
    kind = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", kind).lower()


def _described(
    name: str, kind: str, config: Mapping[str, Any], shapes: Mapping[str, Any]
) -> tuple[str, tuple[int | None, ...]]:
    """Returns the title of a layer and the shape of its output."""
    title = kind
    if kind == "InputLayer":
        title = name
    elif kind == "Bidirectional":
        inner = config["layer"]
        title = f"Bidirectional {inner['class_name']}, 2 × {inner['config']['units']:,} units"
    elif kind in RECURRENT:
        title = f"{kind}, {config['units']} units"
    elif kind == "Embedding":
        title = f"Embedding, {config['input_dim']:,} ids"
    elif kind == "Dense" and config["activation"] != "linear":
        title = f"Dense, {config['activation']}"
    elif kind == "Conv2D":
        title = f"Conv2D, {config['filters']} filters"
    elif kind == "MaskedPooling":
        title = f"MaskedPooling, {config['mode']}"
    elif kind == "Decoder":
        attention = config["attention"]
        title = f"Decoder, two {config['cell'].upper()}s of {config['units']} units, " + (
            "no attention" if attention == "none" else f"{attention} attention"
        )
    elif kind == "NADE":
        title = f"NADE, {config['hidden']} hidden units"
    return title, shapes[name]


def _directions(kind: str) -> str:
    if kind == "Bidirectional":
        return "→←"
    return "→" if kind in (*RECURRENT, "Decoder") else ""


@dataclass
class Box:
    """The position of a layer; `layer` is None for a line that passes a row."""

    name: str
    layer: Layer | None
    left: float = 0
    width: float = LANE
    top: float = 0
    lines: list[str] = field(default_factory=list)
    size: int = 13

    @property
    def centre(self) -> float:
        return self.left + self.width / 2

    @property
    def height(self) -> float:
        if self.layer is None:
            return 0
        notes = NOTE * len(self.layer.notes())
        return 10 + TITLE * len(self.lines) + notes + CELLS * len(self.layer.directions)


def place(layers: Sequence[Layer]) -> tuple[list[list[Box]], list[tuple[Box, Box]]]:
    """Returns rows of boxes from top to bottom, and the pairs of connected boxes."""
    known = {layer.name: layer for layer in layers}
    below: dict[str, list[str]] = {name: [] for name in known}
    for layer in layers:
        for source in layer.sources:
            below[source].append(layer.name)
    # As far down as possible, so that an input is directly above its reader.
    height: dict[str, int] = {}

    def rise(name: str) -> int:
        if name not in height:
            height[name] = 1 + max((rise(other) for other in below[name]), default=-1)
        return height[name]

    top = max(rise(name) for name in known)
    rows: list[list[Box]] = [[] for _ in range(top + 1)]
    boxes = {}
    for layer in layers:
        boxes[layer.name] = Box(layer.name, layer)
        rows[top - height[layer.name]].append(boxes[layer.name])
    pairs = []
    for layer in layers:
        for source in layer.sources:
            above = boxes[source]
            for passed in range(top - height[source] + 1, top - height[layer.name]):
                lane = Box(f"{source} to {layer.name}", None)
                rows[passed].append(lane)
                pairs.append((above, lane))
                above = lane
            pairs.append((above, boxes[layer.name]))
    y = float(MARGIN)
    for number in reversed(range(len(rows))):  # order: as what is below
        row = rows[number]
        ends = {box.name: [low.centre for up, low in pairs if up is box] for box in row}
        row.sort(key=lambda box: sum(ends[box.name]) / max(1, len(ends[box.name])))
        full = [box for box in row if box.layer]
        room = WIDTH - 2 * MARGIN - GAP * (len(row) - 1) - LANE * (len(row) - len(full))
        x = float(MARGIN)
        for box in row:
            box.left = x
            if box.layer:
                box.width = room / len(full)
                box.size = 13 if len(full) == 1 else 12 if len(full) == 2 else 11
                box.lines = wrapped(box.layer.title, box.width, box.size)
            x += box.width + GAP
    for row in rows:
        for box in row:
            box.top = y
        y += max(box.height for box in row) + BETWEEN
    return rows, pairs


def wrapped(title: str, width: float, size: int) -> list[str]:
    """Returns a title in lines that fit into a box; it is split at commas."""
    lines = [""]
    for part in title.split(", "):
        longer = f"{lines[-1]}, {part}" if lines[-1] else part
        if lines[-1] and len(longer) * size * CHARACTER > width - 8:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] = longer
    return lines


def draw(name: str, layers: Sequence[Layer]) -> str:
    """Returns the drawing, SVG."""
    rows, pairs = place(layers)
    read = {source for layer in layers for source in layer.sources}
    parts = []
    for row in rows:
        bottom = row[0].top + max(box.height for box in row)
        for box in row:
            if box.layer:
                parts.append(_drawn(box, last=box.name not in read))
            else:
                parts.append(line([(box.centre, box.top), (box.centre, bottom)], arrow=False))
    for above, box in pairs:
        start = (above.centre, above.top + above.height)
        if above.layer is None:  # to the end of its row
            (row,) = (row for row in rows if above in row)
            start = (above.centre, above.top + max(each.height for each in row))
        inside = min(max(start[0], box.left + 12), box.left + box.width - 12)
        end = (inside if box.layer else box.centre, box.top)
        middle = end[1] - BETWEEN / 2
        bend = [] if start[0] == end[0] else [(start[0], middle), (end[0], middle)]
        parts.append(line([start, *bend, end], arrow=box.layer is not None))
    height = rows[-1][0].top + max(box.height for box in rows[-1]) + MARGIN
    return svg(height, f"The network of {name}: {summary(layers)}", *parts)


def _drawn(box: Box, last: bool) -> str:
    layer = box.layer
    assert layer is not None
    fill = "white"
    if layer.kind == "InputLayer":
        fill = ORANGE
    elif layer.directions:
        fill = BLUE
    elif last:
        fill = GREEN
    elif layer.kind not in ("Embedding", "WordEmbedding", "Dense", "Conv2D"):
        fill = GREY  # no trainable weights, or few
    parts = [
        f'<rect x="{box.left:g}" y="{box.top:g}" width="{box.width:g}" height="{box.height:g}" '
        f'rx="5" fill="{fill}" stroke="#555"/>'
    ]
    y = box.top + 5
    for words in box.lines:
        parts.append(text(box.centre, y + 13, words, box.size, font_weight="bold"))
        y += TITLE
    for direction in layer.directions:
        parts += _cells(box, y + CELLS / 2, direction)
        y += CELLS
    for words in layer.notes():
        parts.append(text(box.centre, y + 11, words, 11))
        y += NOTE
    return "\n".join(parts)


def _cells(box: Box, y: float, direction: str) -> list[str]:
    """Returns a row of steps, each of which reads the state of the previous one."""
    step = min(40.0, (box.width - 40) / 4)
    places = [box.centre + step * (number - 2) for number in range(5)]
    parts = [
        f'<rect x="{x - 6:g}" y="{y - 6:g}" width="12" height="12" rx="2" fill="white" '
        'stroke="#555"/>'
        for x in places
    ]
    for left, right in itertools.pairwise(places):
        ends = [(left + 6, y), (right - 6, y)]
        parts.append(line(ends if direction == "→" else ends[::-1]))
    return parts


def summary(layers: Sequence[Layer]) -> str:
    """Returns a text description of a drawing, for accessibility."""
    titles = [
        f"input {layer.title}" if layer.kind == "InputLayer" else layer.title for layer in layers
    ]
    return "; ".join(titles)


def main() -> int:
    """Draws the networks, or checks the files."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="packed models (default: all)")
    parser.add_argument("--check", action="store_true", help="change nothing")
    given = parser.parse_args()

    import keras

    import zoo

    packed = [row["name"] for row in zoo.list_models(pretrained=True)]
    old = []
    for name in given.names or packed:
        keras.utils.clear_session()  # resets the names of layers
        drawn = draw(name, layers_of(zoo.load(name).model))
        path = FOLDER / f"{name}.svg"
        if not path.exists() or path.read_text(encoding="utf-8") != drawn:
            old.append(name)
            if not given.check:
                path.write_text(drawn, encoding="utf-8")
    print(f"{'out of date' if given.check else 'written'}: {', '.join(old) or 'nothing'}")
    return int(given.check and bool(old))


if __name__ == "__main__":
    sys.exit(main())
