"""Draws the figures of the lesson: docs/figures/lesson/*.svg, in English and in French.

python tools/draw_lesson.py            # writes the files
python tools/draw_lesson.py --check    # exit code 1 if a file is out of date

A figure is 360 units wide, which a phone shows without scaling, and has text of 11 units or more.
Curves and words come from docs/figures/adding.json and docs/figures/lesson/numbers.json.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
FOLDER = FIGURES / "lesson"
WIDTH = 360
BLUE, ORANGE, GREEN, GREY, YELLOW = "#dbe9f6", "#fde7cf", "#ddf0dd", "#eeeeee", "#fff6c9"
INK, RED, DARK_BLUE, DARK_GREEN = "#333333", "#b03030", "#2b6cb0", "#2e7d32"
LINES = (DARK_BLUE, "#c05621", DARK_GREEN, "#7b3fa0", "#8a6d00", RED)

Say = Callable[[str, str], str]
"""Takes the English and the French text and returns the one of the edition."""


# Shapes. Each function returns SVG; coordinates are those of the centre unless stated otherwise.


def text(
    x: float,
    y: float,
    words: str,
    size: int = 13,
    anchor: str = "middle",
    fill: str = INK,
    **more: str,
) -> str:
    style = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in more.items())
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="{fill}"{style}>{words}</text>'
    )


def at(letter: str, step: str) -> str:
    """Returns a letter with its step as superscript, as in a<t>."""
    return f'{letter}<tspan dy="-5" font-size="10">&lt;{step}&gt;</tspan><tspan dy="5"> </tspan>'


def sub(letter: str, index: str) -> str:
    return f'{letter}<tspan dy="4" font-size="10">{index}</tspan><tspan dy="-4"> </tspan>'


def box(
    x: float, y: float, w: float, h: float, words: str, fill: str = BLUE, size: int = 13
) -> str:
    return (
        f'<rect x="{x - w / 2:g}" y="{y - h / 2:g}" width="{w:g}" height="{h:g}" rx="5" '
        f'fill="{fill}" stroke="#555"/>' + (text(x, y + 5, words, size) if words else "")
    )


def circle(x: float, y: float, words: str, r: float = 11, fill: str = "white") -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{r:g}" fill="{fill}" stroke="#555"/>' + text(
        x, y + 5, words, 14
    )


def line(points: Sequence[tuple[float, float]], colour: str = INK, arrow: bool = True) -> str:
    joined = " ".join(f"{x:g},{y:g}" for x, y in points)
    end = f' marker-end="url(#{"red" if colour == RED else "head"})"' if arrow else ""
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.5"{end}/>'


def bridge(points: Sequence[tuple[float, float]], colour: str = INK) -> str:
    """Returns a line that crosses over another one."""
    joined = " ".join(f"{x:g},{y:g}" for x, y in points)
    under = f'<polyline points="{joined}" fill="none" stroke="white" stroke-width="7"/>'
    return under + line(points, colour)


def svg(height: float, title: str, *parts: str) -> str:
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        'markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0 0L10 5L0 10z" fill="{colour}"/></marker>'
        for name, colour in (("head", INK), ("red", RED))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        f'width="{1.25 * WIDTH:g}" height="{1.25 * height:g}" '
        'font-family="DejaVu Sans, Helvetica, Arial, sans-serif">\n'
        f"<title>{title}</title>\n<defs>{heads}</defs>\n"
        '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


class Panel:
    """A rectangle with axes, which maps data to its place."""

    def __init__(
        self,
        place: tuple[float, float, float, float],
        xs: tuple[float, float],
        ys: tuple[float, float],
        log: bool = False,
    ) -> None:
        self.left, self.top, self.width, self.height = place
        self.xs, self.log = xs, log
        self.ys = (math.log10(ys[0]), math.log10(ys[1])) if log else ys

    def x(self, value: float) -> float:
        return self.left + self.width * (value - self.xs[0]) / (self.xs[1] - self.xs[0])

    def y(self, value: float) -> float:
        value = math.log10(max(value, 1e-300)) if self.log else value
        share = (min(max(value, self.ys[0]), self.ys[1]) - self.ys[0]) / (self.ys[1] - self.ys[0])
        return self.top + self.height * (1 - share)

    def axes(self, xticks: Sequence[float], yticks: Sequence[tuple[float, str]]) -> str:
        parts = []
        for value, label in yticks:
            y = self.y(value)
            parts.append(
                f'<line x1="{self.left:g}" x2="{self.left + self.width:g}" y1="{y:.1f}" '
                f'y2="{y:.1f}" stroke="#ddd"/>' + text(self.left - 5, y + 4, label, 11, "end")
            )
        below = self.top + self.height
        for value in xticks:
            parts.append(text(self.x(value), below + 14, f"{value:g}", 11))
        parts.append(line([(self.left, self.top), (self.left, below)], INK, False))
        parts.append(line([(self.left, below), (self.left + self.width, below)], INK, False))
        return "".join(parts)

    def curve(
        self, values: Sequence[tuple[float, float]], colour: str, dashed: bool = False
    ) -> str:
        joined = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in values)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


# The network of the lesson: one unit, three steps. Its numbers are those in the pages.


def small_network() -> dict[str, list[float]]:
    """Returns states, outputs, losses and gradients of the lesson's example."""
    w_ax, w_aa, w_ya = 1.0, 0.5, 2.0
    inputs, targets = [1.0, 0.0, -1.0], [1, 1, 0]
    states, outputs, losses = [], [], []
    state = 0.0
    for x, y in zip(inputs, targets, strict=True):
        state = math.tanh(w_ax * x + w_aa * state)
        output = 1 / (1 + math.exp(-w_ya * state))
        states.append(state)
        outputs.append(output)
        losses.append(-math.log(output if y else 1 - output))
    direct = [w_ya * (output - y) for output, y in zip(outputs, targets, strict=True)]
    gradients, later = [0.0] * 3, 0.0
    for t in (2, 1, 0):
        gradients[t] = direct[t] + later
        later = w_aa * gradients[t] * (1 - states[t] ** 2)
    return {
        "x": inputs,
        "a": states,
        "y": outputs,
        "loss": losses,
        "direct": direct,
        "gradient": gradients,
    }


def number(value: float, digits: int, say: Say) -> str:
    """Returns a rounded number with the decimal sign of the language."""
    rounded = f"{value:.{digits}f}".replace("-", "−")
    return rounded.replace(".", say(".", ","))


# Figures


def order(say: Say) -> str:
    words = say("dog bites man", "Paul aime Marie").split()
    parts = []
    for row, (sentence, y) in enumerate(((words, 30), (words[::-1], 120))):
        for i, word in enumerate(sentence):
            parts.append(box(45 + 62 * i, y, 56, 26, word, ORANGE, 12))
            if i:
                parts.append(line([(11 + 62 * i, y), (16 + 62 * i, y)], INK, False))
        parts.append(line([(200, y), (238, 75 + (-8, 8)[row])]))
    rows = "".join(
        text(295, 60 + 18 * i, f"{word}: 1", 13)
        for i, word in enumerate(sorted(words, key=str.lower))
    )
    parts.append(
        f'<rect x="240" y="40" width="110" height="72" rx="5" fill="{GREY}" stroke="#555"/>{rows}'
    )
    parts.append(text(295, 30, say("bag of words", "sac de mots"), 12))
    parts.append(text(107, 80, say("two sequences", "deux séquences"), 12))
    parts.append(text(295, 132, say("one and the same", "un seul et même"), 12))
    return svg(150, say("Two sentences, one bag of words", "Deux phrases, un sac de mots"), *parts)


def unrolled(say: Say) -> str:
    parts = [
        text(60, 20, say("folded", "replié"), 12),
        text(235, 20, say("unrolled", "déplié"), 12),
    ]

    def column(x: float, step: str) -> list[str]:
        return [
            box(x, 55, 44, 28, at("y", step), GREEN),
            box(x, 115, 44, 32, at("a", step), BLUE),
            box(x, 175, 44, 28, at("x", step), ORANGE),
            line([(x, 161), (x, 131)]),
            line([(x, 99), (x, 69)]),
        ]

    parts += column(55, "t")
    parts.append(line([(77, 108), (100, 108), (100, 145), (63, 145), (63, 131)], DARK_BLUE))
    for i in range(3):
        x = 160 + 76 * i
        parts += column(x, str(i + 1))
        parts.append(line([(x - 54, 115), (x - 22, 115)], DARK_BLUE))
        parts.append(text(x - 38, 108, sub("W", "aa"), 11, fill=DARK_BLUE))
        parts.append(text(x + 5, 150, sub("W", "ax"), 11, "start"))
        parts.append(text(x + 5, 90, sub("W", "ya"), 11, "start"))
    parts.append(
        text(235, 212, say("the same weights at each step", "les mêmes poids à chaque pas"), 12)
    )
    title = say("A recurrent network, folded and unrolled", "Un réseau récurrent, replié et déplié")
    return svg(225, title, *parts)


TOPOLOGIES = {
    # steps with input, steps with a state, steps with output
    "one-to-one": ([0], [0], [0]),
    "one-to-many": ([0], [0, 1, 2, 3], [0, 1, 2, 3]),
    "many-to-one": ([0, 1, 2, 3], [0, 1, 2, 3], [3]),
    "many-to-many": ([0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]),
    "ctc": ([0, 1, 2, 3], [0, 1, 2, 3], [1, 3]),
    "encoder-decoder": ([0, 1, 2], [0, 1, 2, 3, 4], [3, 4]),
}


def topology(name: str) -> str:
    reads, states, writes = TOPOLOGIES[name]
    parts = []
    middle = (len(states) - 1) / 2
    for step in states:
        x = 180 + 68 * (step - middle)
        decodes = name == "encoder-decoder" and step > 2
        parts.append(box(x, 80, 40, 34, "", YELLOW if decodes else BLUE))
        if step:
            parts.append(line([(x - 48, 80), (x - 20, 80)], DARK_BLUE))
        if step in reads:
            parts += [box(x, 138, 40, 28, "x", ORANGE, 16), line([(x, 124), (x, 97)])]
        if step in writes:
            parts += [box(x, 22, 40, 28, "y", GREEN, 16), line([(x, 63), (x, 36)])]
        if name in ("one-to-many", "encoder-decoder") and step in writes[:-1]:
            over = [(x + 20, 22), (x + 34, 22), (x + 34, 112), (x + 62, 112), (x + 62, 97)]
            parts.append(bridge(over, "#888888"))
    return svg(160, name, *parts)


def forward(say: Say) -> str:
    values = small_network()
    parts = []
    for i in range(3):
        x = 85 + 105 * i
        parts += [
            box(x, 35, 66, 30, number(values["y"][i], 4, say), GREEN),
            box(x, 105, 70, 32, number(values["a"][i], 4, say), BLUE),
            box(x, 175, 50, 28, number(values["x"][i], 0, say), ORANGE),
            line([(x, 161), (x, 121)]),
            line([(x, 89), (x, 50)]),
            text(x + 5, 146, "×1", 12, "start"),
            text(x + 5, 75, "×2, σ", 11, "start"),
            line([(x - 70 if i else 28, 105), (x - 35, 105)], DARK_BLUE),
            text(x - 52 if i else 39, 98, "×½", 11, fill=DARK_BLUE),
        ]
    parts.append(text(14, 110, "0", 14))
    parts.append(text(180, 212, say("states: tanh of the sum", "états : tanh de la somme"), 12))
    title = say("A forward pass with numbers", "Une propagation avant, en nombres")
    return svg(225, title, *parts)


def loss(say: Say) -> str:
    values = small_network()
    parts = []
    for i in range(3):
        x, target = 65 + 105 * i, (1, 1, 0)[i]
        correct = values["y"][i] if target else 1 - values["y"][i]
        parts += [
            text(x, 18, say(f"target {target}", f"cible {target}"), 12),
            f'<rect x="{x - 20}" y="28" width="40" height="80" fill="{GREY}" stroke="#555"/>',
            f'<rect x="{x - 20}" y="{108 - 80 * correct:.1f}" width="40" '
            f'height="{80 * correct:.1f}" fill="{GREEN}" stroke="#555"/>',
            text(x, 103, number(correct, 2, say), 12),
            text(x, 130, "−ln ↓", 12),
            box(x, 153, 64, 26, number(values["loss"][i], 4, say), YELLOW),
        ]
        if i:
            parts.append(text(x - 52, 158, "+", 16))
    total = number(sum(values["loss"]), 4, say)
    parts.append(text(180, 195, f"L = {total}", 15))
    title = say(
        "The probability of each target, its loss, and their sum",
        "La probabilité de chaque cible, sa perte, et leur somme",
    )
    return svg(208, title, *parts)


def bptt(say: Say) -> str:
    values = small_network()
    parts = [text(180, 16, say("the loss at each step", "la perte à chaque pas"), 12)]
    for i in range(3):
        x = 62 + 115 * i
        parts += [
            box(x, 40, 60, 26, at("L", str(i + 1)), YELLOW),
            box(x, 125, 76, 34, number(values["gradient"][i], 4, say), BLUE),
            line([(x, 53), (x, 108)], RED),
            text(x + 6, 86, number(values["direct"][i], 4, say), 12, "start", RED),
        ]
        if i:
            slope = 0.5 * (1 - values["a"][i] ** 2)
            parts.append(line([(x - 38, 125), (x - 77, 125)], RED))
            parts.append(text(x - 57, 160, f"×{number(slope, 3, say)}", 12, fill=RED))
    parts.append(
        text(
            180,
            188,
            say(
                "in the boxes: ∂L/∂a, from all paths",
                "dans les cases : ∂L/∂a, par tous les chemins",
            ),
            12,
        )
    )
    title = say("Gradients on their way back", "Les gradients sur le chemin du retour")
    return svg(200, title, *parts)


def cost(say: Say) -> str:
    units, inputs = 128, 128
    counts = {
        "SimpleRNN": units * (inputs + units + 1),
        "GRU": 3 * units * (inputs + units + 1) + 3 * units,
        "LSTM": 4 * units * (inputs + units + 1),
    }
    parts = [
        text(
            8,
            18,
            say("parameters, 128 inputs and 128 units", "paramètres, 128 entrées et 128 unités"),
            12,
            "start",
        )
    ]
    for i, (name, count) in enumerate(counts.items()):
        y, wide = 42 + 32 * i, 190 * count / counts["LSTM"]
        parts.append(text(8, y + 5, name, 13, "start"))
        parts.append(
            f'<rect x="92" y="{y - 11}" width="{wide:.0f}" height="22" fill="{BLUE}" '
            'stroke="#555"/>'
        )
        parts.append(text(98 + wide, y + 5, f"{count:,}".replace(",", say(",", " ")), 12, "start"))
    y = 165
    parts.append(
        text(
            8,
            140,
            say("one step waits for the one before", "un pas attend le précédent"),
            12,
            "start",
        )
    )
    for i in range(6):
        parts.append(box(32 + 58 * i, y, 36, 26, str(i + 1), BLUE))
        if i:
            parts.append(line([(-8 + 58 * i, y), (14 + 58 * i, y)], DARK_BLUE))
    title = say(
        "Parameters of three cells; steps in a row",
        "Paramètres de trois cellules ; des pas en série",
    )
    return svg(190, title, *parts)


def activations(say: Say) -> str:
    grid = [i / 20 for i in range(-80, 81)]
    functions = {
        "tanh": (math.tanh, lambda z: 1 - math.tanh(z) ** 2),
        "σ": (
            lambda z: 1 / (1 + math.exp(-z)),
            lambda z: 1 / (1 + math.exp(-z)) / (1 + math.exp(z)),
        ),
        "ReLU": (lambda z: max(z, 0.0), lambda z: float(z > 0)),
    }
    left = Panel((32, 28, 322, 130), (-4, 4), (-1.1, 1.6))
    right = Panel((32, 208, 322, 100), (-4, 4), (-0.05, 1.1))
    parts = [
        text(32, 18, say("value", "valeur"), 12, "start"),
        left.axes((-4, -2, 0, 2, 4), ((-1, "−1"), (0, "0"), (1, "1"))),
        text(32, 198, say("slope", "dérivée"), 12, "start"),
        right.axes((-4, -2, 0, 2, 4), ((0, "0"), (0.25, "¼"), (1, "1"))),
    ]
    for colour, (function, slope) in zip(LINES, functions.values(), strict=False):
        parts.append(left.curve([(z, function(z)) for z in grid if function(z) <= 1.6], colour))
        parts.append(right.curve([(z, slope(z)) for z in grid], colour))
    for i, (name, colour) in enumerate(zip(functions, LINES, strict=False)):
        parts.append(text(120 + 80 * i, 18, name, 13, fill=colour, font_weight="bold"))
    return svg(
        330, say("Activations and their slopes", "Les activations et leurs dérivées"), *parts
    )


def vanishing(say: Say) -> str:
    runs = json.loads((FIGURES / "adding.json").read_text("utf-8"))["runs"]
    names = {"adding-simplernn": "SimpleRNN", "adding-lstm": "LSTM", "adding-gru": "GRU"}
    upper = Panel((44, 44, 306, 130), (1, 10), (3e-5, 1), log=True)
    lower = Panel((44, 234, 306, 140), (0, 99), (1e-6, 3), log=True)
    powers = {1: "1", 0.1: "10⁻¹", 1e-2: "1 %", 1e-3: "10⁻³", 1e-4: "10⁻⁴", 1e-6: "10⁻⁶"}

    def ticks(values: Sequence[float]) -> list[tuple[float, str]]:
        return [(value, powers[value]) for value in values]

    parts = [
        text(
            6,
            36,
            say("error on validation, by epoch", "erreur de validation, par époque"),
            12,
            "start",
        ),
        upper.axes(range(1, 11), [(0.1, say("0.1", "0,1")), *ticks((1e-3, 1e-4))]),
        text(
            6,
            212,
            say(
                "gradient after training, by steps back;", "gradient après l'entraînement, par pas"
            ),
            12,
            "start",
        ),
        text(
            6,
            227,
            say("share of its largest value", "en arrière ; part de sa plus grande valeur"),
            12,
            "start",
        ),
        lower.axes((0, 20, 40, 60, 80), ticks((1, 1e-2, 1e-4, 1e-6))),
    ]
    for i, (colour, run) in enumerate(zip(LINES, runs, strict=False)):
        parts.append(upper.curve(list(enumerate(run["curve"], start=1)), colour))
        median = run["gradients"]["median"]
        shown = [(t, value / max(median)) for t, value in enumerate(median)]
        kept = [point for point in shown if point[1] > 1e-6]
        parts.append(lower.curve(kept, colour))
        parts.append(
            text(80 + 105 * i, 16, names[run["recipe"]], 13, fill=colour, font_weight="bold")
        )
    guess = next(iter(runs[0]["baseline"].values()))
    parts.append(upper.curve([(1, guess), (10, guess)], "#999999", dashed=True))
    parts.append(text(346, upper.y(guess) - 6, say("always 1", "toujours 1"), 11, "end", "#666666"))
    title = say(
        "Three cells learn to add, or do not", "Trois cellules apprennent à additionner, ou non"
    )
    return svg(396, title, *parts)


def lstm(say: Say) -> str:
    top, rail, gate = 50, 262, 205
    parts = [
        line([(8, top), (79, top)], DARK_BLUE),
        line([(101, top), (199, top)], DARK_BLUE),
        line([(221, top), (352, top)], DARK_BLUE),
        text(30, 38, at("c", "t−1")),
        text(330, 38, at("c", "t")),
        line([(8, rail), (258, rail)], INK, False),
        text(30, 284, at("a", "t−1")),
        line([(62, 300), (62, rail)], INK, False),
        text(70, 298, at("x", "t"), anchor="start"),
    ]
    for x, name in ((90, "f"), (150, "i"), (210, "c"), (258, "o")):
        parts.append(line([(x, rail), (x, gate + 15)]))
        words = "c̃" if name == "c" else sub("Γ", name)
        parts.append(box(x, gate, 40, 30, words, BLUE if name == "c" else YELLOW))
        under = "tanh" if name == "c" else "σ"
        parts.append(text(x + 7, gate + 36, under, 11, "start", "#666666"))
    parts += [
        line([(90, gate - 15), (90, top + 11)]),
        line([(210, gate - 15), (210, 136)]),
        line([(150, gate - 15), (150, 125), (199, 125)]),
        line([(210, 114), (210, top + 11)]),
        line([(310, top), (310, 88)], DARK_BLUE),
        box(310, 102, 46, 28, "tanh", GREY, 12),
        line([(310, 116), (310, 144)]),
        line([(258, gate - 15), (258, 155), (299, 155)]),
        line([(310, 166), (310, rail), (352, rail)]),
        text(335, 284, at("a", "t")),
        circle(90, top, "×"),
        circle(210, top, "+"),
        circle(210, 125, "×"),
        circle(310, 155, "×"),
        text(96, 135, say("forget", "oubli"), 11, "start", "#666666"),
        text(145, 172, say("input", "entrée"), 11, "end", "#666666"),
        text(262, 142, say("output", "sortie"), 11, "start", "#666666"),
    ]
    return svg(308, say("The LSTM cell", "La cellule LSTM"), *parts)


def gru(say: Say) -> str:
    top, rail, below = 45, 258, 282
    french = bool(say("", "fr"))
    parts = [
        line([(8, top), (139, top)], DARK_BLUE),
        line([(161, top), (256, top)], DARK_BLUE),
        line([(278, top), (352, top)], DARK_BLUE),
        text(30, 32, at("a", "t−1")),
        text(330, 32, at("a", "t")),
        line([(22, top), (22, rail), (144, rail)], DARK_BLUE, False),
        line([(22, 150), (38, 150)], DARK_BLUE),
        box(56, 150, 36, 26, sub("W", "aa"), GREY, 12),
        line([(74, 150), (89, 150)], DARK_BLUE),
        line([(50, 304), (50, below), (267, below), (267, 166)], "#c05621"),
        text(58, 303, at("x", "t"), anchor="start"),
    ]
    for x, name in ((100, "r"), (150, "z")):
        parts.append(line([(x - 6, rail), (x - 6, 220)], DARK_BLUE))
        parts.append(line([(x + 6, below), (x + 6, 220)], "#c05621"))
        parts.append(box(x, 205, 40, 30, sub("Γ", name), YELLOW))
    parts += [
        line([(100, 190), (100, 161)]),
        line([(150, 190), (150, top + 11)]),
        bridge([(111, 150), (242, 150)]),
        box(267, 150, 50, 32, "ã", BLUE),
        text(298, 155, "tanh", 11, "start", "#666666"),
        line([(150, 95), (186, 95)]),
        box(203, 95, 34, 26, "1 −", GREY, 12),
        line([(220, 95), (256, 95)]),
        line([(267, 134), (267, 106)]),
        line([(267, 84), (267, top + 11)]),
        circle(150, top, "×"),
        circle(267, top, "+"),
        circle(267, 95, "×"),
        circle(100, 150, "×"),
        text(175, 210, say("update", "mise à jour"), 11, "start", "#666666"),
        text(76, 187, say("reset", "réinitia-"), 10 if french else 11, "end", "#666666"),
    ]
    if french:
        parts.append(text(76, 199, "lisation", 10, "end", "#666666"))
    return svg(
        312,
        say("The GRU cell, as Keras computes it", "La cellule GRU, telle que Keras la calcule"),
        *parts,
    )


def deep(say: Say) -> str:
    parts = [
        text(88, 16, say("bidirectional", "bidirectionnel"), 12),
        text(272, 16, say("deep", "profond"), 12),
    ]
    for side in range(2):
        for i in range(3):
            x = 32 + 56 * i + 184 * side
            parts += [
                box(x, 42, 36, 26, at("y", str(i + 1)), GREEN, 12),
                box(x, 190, 36, 26, at("x", str(i + 1)), ORANGE, 12),
            ]
            if side == 0:  # the two directions do not meet before the output
                parts += [
                    box(x - 6, 142, 32, 28, "→", BLUE),
                    box(x + 8, 92, 32, 28, "←", YELLOW),
                    line([(x - 8, 177), (x - 8, 156)]),
                    line([(x + 14, 177), (x + 14, 106)]),
                    line([(x + 8, 78), (x + 8, 55)]),
                    line([(x - 14, 128), (x - 14, 55)]),
                ]
                if i:
                    parts.append(line([(x - 46, 142), (x - 22, 142)], DARK_BLUE))
                    parts.append(bridge([(x - 8, 92), (x - 32, 92)], "#8a6d00"))
            else:
                parts += [
                    box(x, 142, 34, 28, "1", BLUE),
                    box(x, 92, 34, 28, "2", BLUE),
                    line([(x, 177), (x, 156)]),
                    line([(x, 128), (x, 106)]),
                    line([(x, 78), (x, 55)]),
                ]
                if i:
                    parts += [line([(x - 39, y), (x - 17, y)], DARK_BLUE) for y in (92, 142)]
    title = say("Two directions, and two layers", "Deux sens de lecture, et deux couches")
    return svg(212, title, *parts)


FRENCH_WORDS = {
    "countries": "pays",
    "capitals": "capitales",
    "days": "jours",
    "sports": "sports",
    "verbs": "verbes",
    "numbers": "nombres",
}


def _numbers() -> dict[str, Any]:
    return json.loads((FOLDER / "numbers.json").read_text("utf-8"))


Rectangle = tuple[float, float, float, float]  # left, top, right, bottom


def _free_place(x: float, y: float, wide: float, taken: Sequence[Rectangle]) -> Rectangle:
    """Returns the place beside a dot where a label covers the least of what is already drawn."""

    def covered(place: Rectangle) -> float:
        outside = max(0.0, 2 - place[0], place[2] - WIDTH + 2)
        return 1000 * outside + sum(
            max(0.0, min(place[2], other[2]) - max(place[0], other[0]))
            * max(0.0, min(place[3], other[3]) - max(place[1], other[1]))
            for other in taken
        )

    corners = [
        (x + dx, y + dy)
        for dy in (-6, -15, 3, -24, 12)
        for dx in (5, -5 - wide, -wide / 2, 12, -12 - wide)
        if dy in (-15, 3, -24, 12) or dx != -wide / 2  # not on the dot itself
    ]
    return min(((a, b, a + wide, b + 12) for a, b in corners), key=covered)


def embeddings(say: Say) -> str:
    numbers = _numbers()["embeddings"]
    points = numbers["points"]
    xs, ys = zip(*points.values(), strict=True)
    panel = Panel((14, 34, 332, 300), (min(xs) - 0.08, max(xs) + 0.08), (min(ys), max(ys)))
    parts = []
    dots = {word: (panel.x(x), panel.y(y)) for word, (x, y) in points.items()}
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in dots.values()]
    for colour, words in zip(LINES, numbers["groups"].values(), strict=False):
        for word in words:
            x, y = dots[word]
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
            place = _free_place(x, y, 6.6 * len(word), taken)
            taken.append(place)
            parts.append(
                text(round(place[0], 1), round(place[3] - 2, 1), word, 11, "start", colour)
            )
    for i, (group, colour) in enumerate(zip(numbers["groups"], LINES, strict=False)):
        name = say(group, FRENCH_WORDS[group])
        parts.append(text(32 + 59 * i, 16, name, 11, fill=colour, font_weight="bold"))
    title = say(
        "Word vectors on two principal axes", "Des vecteurs de mots sur deux axes principaux"
    )
    return svg(354, title, *parts)


def language_model(say: Say) -> str:
    words = say("the cat that sat here was", "le chat qui dormait là était").split()
    parts = []
    for row, name in enumerate(
        (
            say("trigram: the last two words", "trigramme : les deux derniers mots"),
            say("recurrent: all words, through the state", "récurrent : tous les mots, par l'état"),
        )
    ):
        y = 40 + 105 * row
        parts.append(text(8, y - 22, name, 12, "start"))
        for i, word in enumerate(words):
            seen = row == 1 or i >= 4
            parts.append(
                box(
                    33 + 51 * i,
                    y,
                    48,
                    26,
                    word,
                    ORANGE if seen else GREY,
                    10 if len(word) > 5 else 11,
                )
            )
            if row == 1:
                parts.append(line([(33 + 51 * i, y + 13), (33 + 51 * i, y + 29)]))
                parts.append(box(33 + 51 * i, y + 42, 30, 26, "a", BLUE))
                if i:
                    parts.append(line([(-3 + 51 * i, y + 42), (18 + 51 * i, y + 42)], DARK_BLUE))
        end = y + (42 if row else 0)
        parts.append(line([(303 + (0 if row else 9), end), (330, end)]))
        parts.append(text(344, end + 6, "?", 18))
    title = say("What two language models see", "Ce que voient deux modèles de langue")
    return svg(208, title, *parts)


def beam(say: Say) -> str:
    first = {"A": 0.5, "B": 0.4, "C": 0.1}
    second = {"A": {"A": 0.4, "B": 0.3, "C": 0.3}, "B": {"A": 0.9, "B": 0.05, "C": 0.05}}
    parts = [circle(26, 120, "•", 13, GREY)]
    heights = {"A": 60, "B": 180, "C": 222}
    for name, p in first.items():
        y = heights[name]
        kept = name != "C"
        parts.append(line([(39, 120), (109, y)], DARK_BLUE if kept else "#bbbbbb"))
        parts.append(circle(121, y, name, 13, BLUE if kept else GREY))
        parts.append(
            text(
                66, (120 + y) / 2 + (-10 if y < 120 else -8 if kept else 22), number(p, 1, say), 12
            )
        )
    for name, row in second.items():
        for i, (other, p) in enumerate(row.items()):
            y = heights[name] + 38 * (i - 1)
            best = name + other == "BA"
            greedy = name + other == "AA"
            colour = DARK_GREEN if best else RED if greedy else "#999999"
            parts.append(line([(134, heights[name]), (221, y)], colour))
            parts.append(
                circle(233, y, other, 11, GREEN if best else "#f8dddd" if greedy else "white")
            )
            parts.append(
                text(252, y + 5, number(first[name] * p, 2 if p != 0.05 else 3, say), 13, "start")
            )
            note = say("beam", "faisceau") if best else say("greedy", "glouton") if greedy else ""
            parts.append(text(290, y + 5, note, 12, "start", colour))
    title = say("Beam search of width 2", "Recherche en faisceau de largeur 2")
    return svg(245, title, *parts)


def attention(say: Say) -> str:
    states, decoder = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)), (2.0, 0.0)
    scores = [sum(a * d for a, d in zip(state, decoder, strict=True)) for state in states]
    weights = [math.exp(score) / sum(map(math.exp, scores)) for score in scores]
    context = [sum(w * state[i] for w, state in zip(weights, states, strict=True)) for i in (0, 1)]
    comma = say(", ", " ; ")
    parts = [
        text(8, 18, say("context", "contexte"), 12, "start"),
        box(120, 40, 124, 28, comma.join(number(value, 4, say) for value in context), YELLOW),
        line([(182, 40), (250, 40), (250, 68)]),
        box(283, 85, 126, 34, f"d = ({number(decoder[0], 0, say)}{comma}0)", GREEN),
        text(283, 120, say("decoder", "décodeur"), 12),
        text(8, 232, say("states of the encoder", "états de l'encodeur"), 12, "start"),
    ]
    for i, (state, weight) in enumerate(zip(states, weights, strict=True)):
        x = 45 + 75 * i
        parts.append(
            f'<line x1="{x}" y1="185" x2="120" y2="56" stroke="{DARK_BLUE}" '
            f'stroke-width="{1 + 9 * weight:.1f}" stroke-opacity="0.6"/>'
        )
        vector = comma.join(f"{value:g}" for value in state)
        parts.append(box(x, 200, 62, 30, f"({vector})", BLUE))
        halo = {"paint_order": "stroke", "stroke": "white", "stroke_width": "4"}
        parts.append(text(x + 9 * (1 - i), 160, number(weight, 4, say), 12, **halo))
        if i:
            parts.append(line([(x - 44, 200), (x - 31, 200)], DARK_BLUE))
    title = say(
        "A context is a weighted mean of states", "Un contexte est une moyenne pondérée d'états"
    )
    return svg(245, title, *parts)


def transformer(say: Say) -> str:
    parts = [
        text(
            8,
            18,
            say(
                "recurrent: one state, whatever came before",
                "récurrent : un état, quel que soit le passé",
            ),
            12,
            "start",
        )
    ]
    for i in range(6):
        x = 32 + 58 * i
        parts.append(box(x, 45, 32, 28, "a" if i == 5 else "", BLUE if i == 5 else GREY))
        if i:
            parts.append(line([(x - 42, 45), (x - 16, 45)], DARK_BLUE))
    parts.append(
        text(
            8,
            96,
            say(
                "self-attention: all steps so far are kept",
                "auto-attention : tous les pas restent en mémoire",
            ),
            12,
            "start",
        )
    )
    for i in range(6):
        x = 32 + 58 * i
        parts.append(box(x, 185, 32, 28, "k v", BLUE, 11))
        parts.append(
            f'<path d="M{x} 171Q{(x + 322) / 2:g} {171 - 10 * (6 - i):g} 322 145" fill="none" '
            f'stroke="{DARK_BLUE}" stroke-width="1.3"/>'
        )
    parts.append(box(322, 130, 32, 28, "q", GREEN))
    title = say("What a step reads", "Ce que lit un pas")
    return svg(212, title, *parts)


DRAWINGS: dict[str, Callable[[Say], str]] = {
    "order": order,
    "unrolled": unrolled,
    "forward": forward,
    "loss": loss,
    "bptt": bptt,
    "cost": cost,
    "activations": activations,
    "vanishing": vanishing,
    "lstm": lstm,
    "gru": gru,
    "deep": deep,
    "embeddings": embeddings,
    "language-model": language_model,
    "beam": beam,
    "attention": attention,
    "transformer": transformer,
}


def draw() -> dict[str, str]:
    """Returns each file's name and content."""
    pictures = {f"topology-{name}.svg": topology(name) for name in TOPOLOGIES}
    for name, function in DRAWINGS.items():
        pictures[f"{name}.svg"] = function(lambda english, french: english)
        pictures[f"{name}.fr.svg"] = function(lambda english, french: french)
    return pictures


def main() -> int:
    """Writes the files, or checks them; returns the exit code."""
    pictures = draw()
    if "--check" in sys.argv:
        stale = {
            name
            for name, content in pictures.items()
            if not (FOLDER / name).exists() or (FOLDER / name).read_text("utf-8") != content
        }
        stale |= {path.name for path in FOLDER.glob("*.svg")} - set(pictures)
        for name in sorted(stale):
            print(f"{name} is out of date")
        return int(bool(stale))
    FOLDER.mkdir(exist_ok=True)
    for name, content in pictures.items():
        (FOLDER / name).write_text(content, encoding="utf-8")
    print(f"{len(pictures)} files in {FOLDER.relative_to(FIGURES.parents[1])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
