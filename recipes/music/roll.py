"""Plots pieces as piano rolls: pitch against time, with a colour for each voice."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from recipes.music.keys import note_name, scale
from recipes.music.piece import TOLERANCE, Note, Piece
from zoo.report.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

VOICES = (VERMILION, BLUE, GREEN, ORANGE, PURPLE, SKY, GREY)  # the highest one first
# Quarter notes in a row of the picture, and its maximum number of rows.
ROW, MAX_ROWS = 64, 12

_BLACK = frozenset({1, 3, 6, 8, 10})  # the black keys of a piano
_HEIGHT = 0.84  # of a note, in semitones


def piano_roll(piece: Piece) -> bytes:
    """Draws a piece as a PNG: notes from the lowest to the highest, bars from left to right.

    Each row has as many whole bars as fit into 64 quarter notes, at least one. A piece of more than
    12 rows is cut there, and the title says so. Where voices sing in unison, the lower one is drawn
    as a narrower stripe on the higher one.
    """
    rows = _rows(piece)
    visible = rows[:MAX_ROWS]
    low, high = _range(piece)
    width = max(end - start for start, end in visible)
    figure = Figure(
        figsize=(2.2 + max(4.0, 0.18 * width), len(visible) * (0.6 + 0.085 * (high - low)) + 0.8),
        layout="constrained",
    )
    panels = figure.subplots(len(visible), 1, squeeze=False)[:, 0]
    boxes = _boxes(piece)
    for axes, (start, end) in zip(panels, visible, strict=True):
        _draw(axes, piece, boxes, start, end)
        axes.set_xlim(start, start + width)
        axes.set_ylim(low - 0.5, high + 0.5)
        pitches = [pitch for pitch in range(low, high + 1) if _named(piece, pitch)]
        names = [_signs(note_name(pitch, piece.key)) for pitch in pitches]
        axes.set_yticks(pitches, names, fontsize=6)
    panels[-1].set_xlabel("bar (thin lines: beats)", fontsize=8)
    parts = [piece.title, f"{piece.bpm:g} quarter notes a minute"]
    if len(rows) > len(visible):
        numbers = _numbers(piece)
        last = max(numbers[bar] for bar in numbers if bar < visible[-1][1] - TOLERANCE)
        parts.append(f"bars 1 to {last} of {len(numbers)}")
    title = ", ".join(part for part in parts if part)
    figure.suptitle(title, fontsize=10, parse_math=False)
    if 1 < len(piece.voices) <= len(VOICES):
        handles = [
            Patch(color=colour, label=name)
            for name, colour in zip(piece.voices, VOICES, strict=False)
        ]
        figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130)
    return file.getvalue()


def _range(piece: Piece) -> tuple[int, int]:
    """Returns the lowest and the highest pitch that are drawn."""
    pitches = [note.pitch for note in piece.notes]
    return min(pitches) - 1, max(pitches) + 1


def _rows(piece: Piece) -> list[tuple[float, float]]:
    """Returns where each row begins and ends, in quarter notes: at bars."""
    rows = []
    start = 0.0
    ends = [*(bar for bar in piece.bars if bar > TOLERANCE), piece.length]
    for end, after in zip(ends, [*ends[1:], math.inf], strict=True):
        if after - start > ROW + TOLERANCE:
            rows.append((start, end))
            start = end
    return rows


def _numbers(piece: Piece) -> dict[float, int]:
    """Returns the number of each bar, by its beginning; an upbeat has none."""
    ends = [*piece.bars[1:], piece.length]
    last = piece.bars[-1]
    whole = [
        bar
        for bar, end in zip(piece.bars, ends, strict=True)
        if (end - bar > piece.bar / 2 - TOLERANCE or bar == last)
        and (bar > TOLERANCE or not piece.upbeat)
    ]
    return {bar: number for number, bar in enumerate(whole, 1)}


@dataclass(frozen=True)
class _Box:
    """The rectangle of a note: quarter notes by semitones."""

    left: float
    right: float
    pitch: int
    height: float
    colour: str


def _boxes(piece: Piece) -> list[_Box]:
    """Returns the rectangles of all notes, in the order of drawing."""
    boxes = []
    sounding: dict[int, list[Note]] = {}
    for note in piece.notes:  # by start, then from the highest voice down
        others = [
            other
            for other in sounding.get(note.pitch, [])
            if other.end > note.start + TOLERANCE and other.voice != note.voice
        ]
        sounding[note.pitch] = [*others, note]
        # A gap before the next note shows where a note is repeated.
        right = max(0.5 * (note.start + note.end), note.end - 0.06)
        height = _HEIGHT * 0.5 ** len(others)
        colour = VOICES[note.voice % len(VOICES)]
        boxes.append(_Box(note.start, right, note.pitch, height, colour))
    return boxes


def _draw(axes: Axes, piece: Piece, boxes: list[_Box], start: float, end: float) -> None:
    """Draws the notes and the grid of one row."""
    row_boxes = [
        box for box in boxes if box.left < end - TOLERANCE and box.right > start + TOLERANCE
    ]
    shapes = [
        Rectangle((box.left, box.pitch - box.height / 2), box.right - box.left, box.height)
        for box in row_boxes
    ]
    colours = [box.colour for box in row_boxes]
    axes.add_collection(PatchCollection(shapes, facecolors=colours, linewidths=0, zorder=3))
    low, high = _range(piece)
    for pitch in range(low, high + 1):
        if pitch % 12 in _BLACK:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#F1F1F1", lw=0, zorder=0)
        if pitch % 12 == 0:
            axes.axhline(pitch - 0.5, color="#BBBBBB", lw=0.6, zorder=1)
    bars = [bar for bar in piece.bars if start - TOLERANCE <= bar < end - TOLERANCE]
    numbers = _numbers(piece)
    axes.set_xticks(bars, [str(numbers.get(bar, "")) for bar in bars], fontsize=7)
    beats = [
        bar + index * piece.beat - late
        for bar, following in zip(bars, [*bars[1:], end], strict=True)
        # The beats of an upbeat are counted from its end.
        for late in [-(following - bar) % piece.beat if bar < TOLERANCE and piece.upbeat else 0.0]
        for index in range(1, math.ceil((following - bar + late) / piece.beat - TOLERANCE))
    ]
    axes.set_xticks(beats, minor=True)
    axes.grid(axis="x", which="major", color="#888888", lw=0.8, zorder=1)
    axes.grid(axis="x", which="minor", color="#D8D8D8", lw=0.5, zorder=1)
    axes.tick_params(which="both", length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _named(piece: Piece, pitch: int) -> bool:
    """Whether a pitch gets a name on the axis: pitches of the key, or of the white keys."""
    return pitch % 12 in scale(piece.key or "C major")


def _signs(text: str) -> str:
    return text.replace("-", "♭").replace("#", "♯")
