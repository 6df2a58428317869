"""Odd values of each kind of input, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

INT32 = 2**31 - 1
LONGEST_TEXT = 1500  # characters
LONGEST_SERIES = 4000  # numbers

Draw = random.Random
Make = Callable[[Draw, Any], Any]


def _characters(draw: Draw, low: int, high: int, longest: int = 60) -> str:
    return "".join(chr(draw.randint(low, high)) for _ in range(draw.randint(1, longest)))


def _shuffled(draw: Draw, good: str | bytes) -> str:
    text = good.decode("utf-8", "replace") if isinstance(good, bytes) else good
    return "".join(draw.sample(text, len(text)))[:LONGEST_TEXT]


TEXTS: dict[str, Make] = {
    "empty": lambda draw, good: "",
    "white space": lambda draw, good: draw.choice([" ", "\n", "\t \r\n", "\u3000", "\u200b"]) * 9,
    "one character": lambda draw, good: chr(draw.choice([0, 33, 65, 233, 0x4E2D, 0x1F600])),
    "huge": lambda draw, good: "the cup of tea " * draw.randint(20, LONGEST_TEXT // 15),
    "one long word": lambda draw, good: draw.choice("ax!é中") * draw.randint(100, LONGEST_TEXT),
    "control characters": lambda draw, good: _characters(draw, 0, 31),
    "terminal codes": lambda draw, good: "\x1b[31m\x1b]0;x\x07" + _characters(draw, 127, 160),
    "invalid UTF-8": lambda draw, good: draw.randbytes(draw.randint(1, 40)),
    "cut UTF-8": lambda draw, good: "naïve café €".encode()[: draw.randint(3, 15)],
    "half a surrogate": lambda draw, good: "a" + chr(draw.randint(0xD800, 0xDFFF)) + "b",
    "any characters": lambda draw, good: _characters(draw, 1, 0xD7FF),
    "astral characters": lambda draw, good: _characters(draw, 0x1F300, 0x1F9FF),
    "combining characters": lambda draw, good: "e" + "\u0301" * draw.randint(1, 300),
    "right to left": lambda draw, good: "\u202eשלום \u0627\u0644",
    "markup": lambda draw, good: "<br /><script>&amp;&#0;</script>" * draw.randint(1, 9),
    "special words": lambda draw, good: draw.choice(["<pad>", "[UNK]", "<s> </s>", "\u2581", "%s"]),
    "digits": lambda draw, good: str(draw.randint(0, 10**18)) + "e999",
    "a path": lambda draw, good: draw.choice(["/etc/passwd", "../../x", "file:///dev/zero"]),
    "shuffled": _shuffled,
    "NUL inside": lambda draw, good: b"good\x00bad",
}


def _words(make: Make) -> Make:
    """Returns a function that draws a list of words, some of which are odd."""

    def words(draw: Draw, good: Any) -> list[str | bytes]:
        some = list(good)[:20] if isinstance(good, Sequence) and not isinstance(good, str) else []
        odd_ones = [make(draw, "Anna") for _ in range(draw.randint(1, 3))]
        return draw.sample([*some, *odd_ones], len(some) + len(odd_ones))

    return words


WORDS: dict[str, Make] = {
    "no words": lambda draw, good: [],
    **{kind: _words(make) for kind, make in TEXTS.items()},
}


def _noise(draw: Draw, good: Any, scale: float = 1.0) -> np.ndarray:
    generator = np.random.default_rng(draw.getrandbits(32))
    with np.errstate(over="ignore", under="ignore"):
        return (generator.standard_normal(draw.randint(1, 400)) * scale).astype(np.float32)


def _with(draw: Draw, good: Any, *values: float) -> np.ndarray:
    series = np.array(good, np.float32).reshape(-1)[:LONGEST_SERIES].copy()
    if not len(series):
        series = np.ones(5, np.float32)
    for _ in range(draw.randint(1, 3)):
        series[draw.randrange(len(series))] = draw.choice(values)
    return series


SERIES: dict[str, Make] = {
    "empty": lambda draw, good: [],
    "one number": lambda draw, good: [draw.choice([0.0, 1.0, -1.0, 1e-30])],
    "zeros": lambda draw, good: np.zeros(draw.randint(1, 500), np.float32),
    "constant": lambda draw, good: np.full(draw.randint(1, 500), 7.5, np.float32),
    "a NaN": lambda draw, good: _with(draw, good, float("nan")),
    "all NaN": lambda draw, good: np.full(draw.randint(1, 50), np.nan, np.float32),
    "an infinity": lambda draw, good: _with(draw, good, float("inf"), float("-inf")),
    "noise": _noise,
    "1e18 × noise": lambda draw, good: _noise(draw, good, 1e18),
    "1e38 × noise": lambda draw, good: _noise(draw, good, 1e38),
    "1e-38 × noise": lambda draw, good: _noise(draw, good, 1e-38),
    "one huge number": lambda draw, good: _with(draw, good, 1e18, -1e18, 3e38),
    "negative": lambda draw, good: -np.abs(_noise(draw, good)),
    "long": lambda draw, good: np.tile(_noise(draw, good), 40)[:LONGEST_SERIES],
    "double": lambda draw, good: [1e300, -1e300, 1.0],
    "integers": lambda draw, good: [draw.randint(-9, 9) for _ in range(draw.randint(1, 30))],
    "cut": lambda draw, good: list(good)[: draw.randint(0, 30)],
    "reversed": lambda draw, good: list(good)[:LONGEST_SERIES][::-1],
}


def _changed(draw: Draw, good: Any, *values: float) -> np.ndarray:
    array = np.array(good, np.float32)
    if array.size:
        array.reshape(-1)[draw.randrange(array.size)] = draw.choice(values)
    return array


FIELDS: dict[str, Make] = {  # of more axes, float
    "zeros": lambda draw, good: np.zeros_like(np.asarray(good, np.float32)),
    "a NaN": lambda draw, good: _changed(draw, good, float("nan")),
    "an infinity": lambda draw, good: _changed(draw, good, float("inf")),
    "one huge number": lambda draw, good: _changed(draw, good, 1e18, -3e38),
    "1e18 ×": lambda draw, good: np.asarray(good, np.float32) * np.float32(1e18),
    "negative": lambda draw, good: -np.asarray(good, np.float32),
}

Frames = list[list[int]]  # time first, and at each step any number of notes


def _each(good: Any, steps: int, change: Callable[[int], int]) -> Frames:
    return [[change(int(note)) for note in frame] for frame in list(good)[:steps]]


FRAMES: dict[str, Make] = {  # of more axes, int32
    "empty": lambda draw, good: [],
    "no notes": lambda draw, good: [[]] * draw.randint(1, 9),
    "zeros": lambda draw, good: _each(good, 8, lambda note: 0),
    "negative": lambda draw, good: _each(good, 8, lambda note: note - 200),
    "out of range": lambda draw, good: _each(good, 8, lambda note: note + 128),
    "the largest": lambda draw, good: _each(good, 3, lambda note: INT32),
    "the smallest": lambda draw, good: _each(good, 3, lambda note: -INT32 - 1),
    "upside down": lambda draw, good: [list(frame)[::-1] for frame in list(good)[:16]],
    "many notes": lambda draw, good: [[*range(draw.randint(1, 200))]] * 2,
}

INTEGERS: dict[str, Make] = {
    "zero": lambda draw, good: 0,
    "negative": lambda draw, good: draw.choice([-1, -2, -INT32 - 1]),
    "large": lambda draw, good: draw.choice([1000, 10**6, INT32]),
}

# Options in their valid ranges, and other values that a client may send.
OPTIONS: dict[str, tuple[Sequence[Any], Sequence[Any]]] = {
    "beam": ([1, 2, 4], [0, -1, 10**6, INT32, -INT32 - 1]),
    "n_best": ([1], [0, -3, 50, INT32]),
    "steps": ([1, 2, 7, 12], [0, -1, 10**9, INT32]),
    "temperature": (
        [0.0, 0.3, 1.0, 2.0],
        [-1.0, float("nan"), float("inf"), 1e-37, 1e-20, 1e-45, 3e38],
    ),
    "top_k": ([0, 1, 5], [-1, INT32, 10**6]),
    "top_p": ([0.3, 0.9, 1.0], [0.0, -1.0, 2.0, float("nan"), 1e-38]),
}

# Values that are not examples: rejected by name for every model.
WRONG: dict[str, Make] = {
    "a plain text": lambda draw, good: "text",
    "bytes": lambda draw, good: b"text",
    "None": lambda draw, good: None,
    "a number": lambda draw, good: draw.choice([0, 1.5, float("nan"), True]),
    "None inside": lambda draw, good: [None],
    "a dict inside": lambda draw, good: [{"text": "a"}],
    "an object inside": lambda draw, good: [object()],
    "numbers among texts": lambda draw, good: ["a", 5, 2.5],
    "nested lists": lambda draw, good: [[["a"]], [[1.0]]],
    "an unknown input": lambda draw, good: {"nonsense" * draw.randint(1, 500): ["a"]},
    "no inputs": lambda draw, good: {},
    "unequal columns": lambda draw, good: {name: [1] * n for n, name in enumerate("abc")},
    "a large integer": lambda draw, good: [2**70, 10**400],
    "an array of objects": lambda draw, good: np.array([None, "a", 3], object),
    "complex numbers": lambda draw, good: np.array([1j, 2.0]),
    "dates": lambda draw, good: np.array(["2020-01-01"], "datetime64[D]"),
    "a set": lambda draw, good: {1, 2},
}


def kinds_of(dtype: str, rank: int) -> Mapping[str, Make]:
    """Returns the odd values of an input, by kind.

    Args:
      dtype: name of its type.
      rank: its axes, without the batch.
    """
    if dtype == "string":
        return WORDS if rank else TEXTS
    if dtype.startswith("float"):
        return SERIES if rank == 1 else FIELDS
    return FRAMES if rank else INTEGERS
