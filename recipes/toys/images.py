"""Handwritten digits, 8×8 pixels, 1,797 of them: part of scikit-learn.

E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
1998. A pixel is the number of black dots, 0 to 16, in a square of 4×4. This is the test part of
the original; the writers are unknown, so one writer may be in several splits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data import Dataset, Examples, GeneratedSource
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.data import Splits
    from zoo.data.reading import Reading
    from zoo.data.sources import Parts

SIDE = 8  # pixels
INK = 16  # value of a black pixel
PICTURE = 128  # side in pixels of an image that is read from a file


def sample() -> Examples:
    """Returns four digits in four shades of ink, for the tests."""
    shapes = {
        "0": ["00000000", "000BB000", "00B00B00", "0B0000B0", "0B0000B0", "00B00B00", "000BB000"],
        "1": ["00000000", "0000B000", "000BB000", "0000B000", "0000B000", "0000B000", "000BBB00"],
        "4": ["00000000", "0000BB00", "000B0B00", "00B00B00", "00BBBBB0", "00000B00", "00000B00"],
        "7": ["00000000", "0BBBBB00", "0000B000", "0000B000", "000B0000", "000B0000", "00B00000"],
    }
    pixels, labels = [], []
    for ink in (9, 11, 13, 15):
        for label, rows in shapes.items():
            pixels.append([[ink * (sign == "B") for sign in row] for row in [*rows, "0" * SIDE]])
            labels.append(label)
    return {"pixels": pixels, "label": labels}


def make() -> tuple[dict[str, Examples], list[str]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return {
        "train": {
            "pixels": digits.images.astype(int).tolist(),
            "label": [str(digit) for digit in digits.target],
        }
    }, []


def read_custom(
    path: Path, columns: Mapping[str, str] | None = None, *, reading: Reading | None = None
) -> Examples:
    """Reads a table with a label and 64 columns of pixels, row by row of the image.

    Raises:
      ZooError: another number of columns, a pixel that is not a number from 0 to 16, or no label;
        the message names the row.
    """
    from zoo.data import tables
    from zoo.data.reading import Reading

    reading = reading or Reading()
    column = (columns or {}).get("label", "label")
    table = tables.read(path, [], "label", columns, reading=reading)
    examples: Examples = {"pixels": [], "label": []}
    for number, row, label in zip(table.lines, table.rows, table.columns["label"], strict=True):
        values = [value for name, value in row.items() if name != column]
        if len(values) == 1 and isinstance(values[0], list):  # JSONL: eight lists of eight, or 64
            lines = [line if isinstance(line, list) else [line] for line in values[0]]
            values = [pixel for line in lines for pixel in line]
        try:
            numbers = [float(value) for value in values]
        except (TypeError, ValueError):
            numbers = []
        if len(numbers) != SIDE * SIDE or not all(0 <= value <= INK for value in numbers):
            wrong = (
                f"{table.unit} {number}: besides {column!r} there must be {SIDE * SIDE} pixels, "
                f"numbers from 0 to {INK}; got {len(values)} values"
            )
            if not reading.options.drop_bad:
                raise ZooError(f"{path}, {wrong}. Correct such rows, or drop them with --drop-bad.")
            reading.note(f"{path.name}, {wrong}; omitted")
            continue
        examples["pixels"].append([numbers[i : i + SIDE] for i in range(0, SIDE * SIDE, SIDE)])
        examples["label"].append(label)
    if not examples["label"]:
        raise ZooError(f"{path} has no row that can be used.")
    return examples


def read_picture(path: Path) -> list[list[float]]:
    """Reads a PNG of one digit, dark on light or light on dark, as 128×128 shades of grey.

    An image that is not square is padded at two sides with the median shade of its edge.

    Returns:
      Rows of shades, 0 (black) to 16 (white).

    Raises:
      ZooError: it is not a PNG, or smaller than 8×8 pixels.
    """
    import numpy as np
    from matplotlib.image import imread

    try:
        picture = np.asarray(imread(path, format="png"), float)  # 0 to 1, (height, width, colours)
    except (OSError, SyntaxError, ValueError) as error:
        raise ZooError(f"{path} cannot be read as a PNG ({error}). Name another file.") from error
    if picture.ndim == 3:
        if picture.shape[2] in (2, 4):  # transparent pixels are paper
            picture = picture[..., :-1] * picture[..., -1:] + 1 - picture[..., -1:]
        picture = picture[..., :3].mean(axis=2)
    if min(picture.shape) < SIDE:
        raise ZooError(f"{path} has {picture.shape[1]}×{picture.shape[0]} pixels; 8×8 are needed.")
    paper = np.median(np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]))
    around = [((max(picture.shape) - size) // 2, (max(picture.shape) - size + 1) // 2)
              for size in picture.shape]  # fmt: skip
    picture = np.pad(picture, around, constant_values=paper)
    # Each new pixel is the mean of the area that it covers.
    ends = np.linspace(0, len(picture), PICTURE + 1)[:, np.newaxis]
    pixel = np.arange(len(picture))
    part = np.minimum(ends[1:], pixel + 1) - np.maximum(ends[:-1], pixel)
    part = np.maximum(part, 0) * PICTURE / len(picture)
    return (INK * (part @ picture @ part.T)).round(3).tolist()


def read_folder(path: Path, *, reading: Reading | None = None) -> tuple[Parts, list[str], str, str]:
    """Reads a folder that has a subfolder of PNGs for each class."""
    from zoo.data import folders
    from zoo.data.reading import Reading

    parts, notes = folders.parts_by_class(
        path,
        (".png",),
        lambda each: {"pixels": read_picture(each.path), "label": each.label},
        reading or Reading(),
    )
    return parts, notes, f"{path.resolve().name} (custom data)", ""


def facts(splits: Splits) -> list[str]:
    from recipes.toys.facts import of_images

    return of_images(splits)


IMAGES = Dataset(
    name="digits-8x8",
    title="Handwritten digits, 8×8 pixels (Alpaydin & Kaynak 1998)",
    homepage="https://archive.ics.uci.edu/dataset/80",
    licence="CC BY 4.0",
    columns={"pixels": "eight rows of eight pixels, ink from 0 to 16", "label": "the digit"},
    sources=(GeneratedSource(make, title="digits 8×8 (scikit-learn)", key="sklearn"),),
    sample=sample,
    deduplicate_by="",
    facts=facts,
    reader=read_custom,
    folder=read_folder,
)
