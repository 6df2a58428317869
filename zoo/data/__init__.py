"""Datasets: where raw examples come from, and how they become batches.

An `Examples` is a dict of equally long columns, `{"text": [...], "label": [...]}`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import Dataset
from zoo.data.sources import Examples, File, GeneratedSource, Source, Tfds, Urls, Wheel, csv_reader

if TYPE_CHECKING:
    from zoo.data.batching import Batches
    from zoo.data.custom import load_examples
    from zoo.data.origin import DataLike, Origin, parse_origin
    from zoo.data.splits import Splits

__all__ = [
    "Batches",
    "DataLike",
    "Dataset",
    "Examples",
    "File",
    "GeneratedSource",
    "Origin",
    "Source",
    "Splits",
    "Tfds",
    "Urls",
    "Wheel",
    "csv_reader",
    "load_examples",
    "parse_origin",
]


_LAZY = {  # `Batches` needs NumPy and TensorFlow; the others are not needed to list recipes
    "Batches": "batching",
    "DataLike": "origin",
    "Origin": "origin",
    "Splits": "splits",
    "load_examples": "custom",
    "parse_origin": "origin",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"zoo.data.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
