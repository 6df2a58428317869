"""Datasets: where raw examples come from, and how they become batches.

An `Examples` is a dict of equally long columns, `{"text": [...], "label": [...]}`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from zoo.data.custom import load_examples
from zoo.data.dataset import Dataset
from zoo.data.origin import DataLike, Origin, parse_origin
from zoo.data.sources import Examples, File, GeneratedSource, Source, Tfds, Urls, Wheel, csv_reader
from zoo.data.splits import Splits

if TYPE_CHECKING:
    from zoo.data.batching import Batches

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


def __getattr__(name: str) -> Any:
    if name == "Batches":  # needs NumPy and TensorFlow
        return importlib.import_module("zoo.data.batching").Batches
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
