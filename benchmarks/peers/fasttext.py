"""fastText's classifier: word n-grams, averaged vectors, a softmax.

A. Joulin, E. Grave, P. Bojanowski, T. Mikolov: Bag of Tricks for Efficient Text Classification,
EACL 2017. Texts are in lower case, with spaces around punctuation marks, as in the authors'
scripts. The rows are shuffled, because fastText reads them in the order of the file.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_PUNCTUATION = re.compile(r"([.!?,'/()\"])")
_BREAK = re.compile(r"<br\s*/?>|\s")
_LABEL = "__label__"


def train(
    splits: Any,
    folder: Path,
    seed: int,
    until: float | None,
    *,
    words: int = 2,
    dimensions: int = 10,
    epochs: int = 10,
    rate: float = 0.5,
) -> dict[str, Any]:
    """Trains on the training split; `words` is the length of the longest n-gram."""
    import fasttext

    rows = splits.train
    names = sorted(set(rows["label"]))
    order = np.random.default_rng(seed).permutation(len(rows["text"]))
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "train.txt"
        with path.open("w", encoding="utf-8") as file:
            for row in order:
                label = names.index(rows["label"][row])
                print(f"{_LABEL}{label} {line(rows['text'][row])}", file=file)
        model = fasttext.train_supervised(
            str(path),
            lr=rate,
            dim=dimensions,
            epoch=epochs,
            wordNgrams=words,
            thread=1,
            seed=seed,
            verbose=0,
        )
    model.save_model(str(folder / "model.bin"))
    (folder / "labels.txt").write_text("\n".join(names), encoding="utf-8")
    return {"epochs": epochs, "rate": rate, "dimensions": dimensions}


def line(text: str) -> str:
    """Returns a text on one line, in lower case, with spaces around punctuation marks."""
    return " ".join(_PUNCTUATION.sub(r" \1 ", _BREAK.sub(" ", text.lower())).split())


def load(folder: Path) -> Callable[[Mapping[str, Sequence[Any]]], list[Any]]:
    import fasttext

    model = fasttext.load_model(str(folder / "model.bin"))
    names = (folder / "labels.txt").read_text(encoding="utf-8").split("\n")

    def answer(examples: Mapping[str, Sequence[Any]]) -> list[Any]:
        # `predict` of fastText 0.9.3 fails with NumPy 2; this is what it calls.
        found = (model.f.predict(line(text) + "\n", 1, 0.0, "strict") for text in examples["text"])
        return [names[int(each[0][1].removeprefix(_LABEL))] if each else names[0] for each in found]

    return answer
