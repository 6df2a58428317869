"""Computes the numbers of the figure of word vectors: docs/figures/lesson/numbers.json.

python tools/measure_lesson.py

The vectors are those of the packed `conll-bilstm-crf`, which were initialised with GloVe. They are
read from the file of weights, without TensorFlow.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from zoo import files

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "figures" / "lesson" / "numbers.json"
MODEL = "conll-bilstm-crf"

GROUPS = {
    "countries": "france germany italy spain japan",
    "capitals": "paris berlin rome madrid tokyo",
    "days": "monday tuesday friday sunday",
    "sports": "football tennis cricket golf rugby",
    "verbs": "said told added explained",
    "numbers": "one two three four five",
}
PAIRS = (("france", "germany"), ("france", "paris"), ("france", "tuesday"), ("monday", "tuesday"))
ANALOGY = ("paris", "france", "italy")  # paris - france + italy


def vectors_of(model: str) -> tuple[list[str], np.ndarray]:
    """Returns the words of a packed tagger and their vectors, float `(words, units)`."""
    with tarfile.open(ROOT / "recipes" / "pretrained" / f"{model}.tar.xz") as pack:
        assets = json.load(pack.extractfile("assets.extra/assets.json"))  # type: ignore[arg-type]
        keras_file = pack.extractfile("model.keras").read()  # type: ignore[union-attr]
    with zipfile.ZipFile(io.BytesIO(keras_file)) as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    layer = weights["layers/word_embedding/vars"]
    table = np.concatenate([layer[name][:] for name in sorted(layer)]).astype("float64")
    words = [word for part in ("common", "rare", "fixed") for word in assets[part]]
    return words, table[len(table) - len(words) :]  # after padding and the unknown word


def embeddings() -> dict[str, Any]:
    """Returns two principal components of some words, cosines, and an analogy."""
    words, table = vectors_of(MODEL)
    row = {word: number for number, word in enumerate(words)}
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    shown = {group: names.split() for group, names in GROUPS.items()}
    chosen = [name for names in shown.values() for name in names]
    centred = unit[[row[name] for name in chosen]]
    centred = centred - centred.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    axes *= np.sign(axes[:, :1])  # fixes the sign of each axis
    points = centred @ axes[:2].T
    a, b, c = (unit[row[name]] for name in ANALOGY)
    near = unit @ (a - b + c)
    near[[row[name] for name in ANALOGY]] = -np.inf
    return {
        "model": MODEL,
        "words": len(words),
        "units": table.shape[1],
        "groups": shown,
        "points": {n: [round(float(v), 4) for v in p] for n, p in zip(chosen, points, strict=True)},
        "variance": round(float((spread[:2] ** 2).sum() / (spread**2).sum()), 4),
        "cosines": {f"{a} {b}": round(float(unit[row[a]] @ unit[row[b]]), 4) for a, b in PAIRS},
        "analogy": {"of": ANALOGY, "nearest": [words[i] for i in np.argsort(-near)[:3]]},
    }


if __name__ == "__main__":
    files.write_json(FILE, {"kind": "lesson", "embeddings": embeddings()})
