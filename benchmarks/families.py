"""What a user may pick instead of a recipe: the contestants of `python -m benchmarks peers`.

The module of a contestant, mostly of `benchmarks.peers`, has

- `train(splits, folder, seed, until, **settings)`: trains on `splits`, without their test rows, and
  saves the model in `folder`, or in `folder/model` if only that is the model; returns facts to
  record. With `until`, training ends when `time.process_time()` reaches it.
- `load(folder)`: returns a function from examples (a column name to its values) to one answer for
  each row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zoo.data import Examples


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A tool with its settings.

    Attributes:
      title: name of its row.
      module: see above.
      source: where the tool is described.
      needs: the distributions that it needs; their versions are recorded.
      settings: arguments of `train`.
      equal_time: it trains for as much CPU time as the first contestant took.
    """

    title: str
    module: str
    source: str
    needs: tuple[str, ...]
    settings: Mapping[str, Any]
    equal_time: bool = False


@dataclasses.dataclass(frozen=True)
class Family:
    """Contestants on one dataset.

    Attributes:
      recipe: whose dataset and metric are used.
      data: source of the dataset.
      columns: the columns that an answer needs.
      score: examples and answers to the value of the metric.
      contestants: the first is a recipe.
    """

    recipe: str
    data: str
    columns: tuple[str, ...]
    score: Callable[[Examples, Sequence[Any]], float]
    contestants: tuple[Contestant, ...]


def accuracy(examples: Examples, answers: Sequence[str]) -> float:
    """Returns the share of texts whose label is right."""
    from zoo import metrics

    labels = sorted({*examples["label"], *answers})
    return float(metrics.classification(examples["label"], answers, labels)["accuracy"])


def f1(examples: Examples, answers: Sequence[Sequence[str]]) -> float:
    """Returns the F1 of entities for BIO tags."""
    from recipes.tagging.metrics import entity_scores

    return float(entity_scores(examples["tags"], answers)["f1"])


def nats_per_character(examples: Examples, answers: Sequence[dict[str, Any]]) -> float:
    """Returns the mean of -log p of a character, in nats."""
    from zoo.metrics.generation import nats_per_step

    return nats_per_step(answers)


def recipe(name: str, data: str, **settings: Any) -> Contestant:
    """Returns a recipe as a contestant, with changed settings; `base`: what it starts from."""
    changed = [
        f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in settings.items()
        if key != "base"
    ]
    start = [f"from `{settings['base']}`"] if "base" in settings else []
    return Contestant(
        ", ".join([f"`{name}`", *start, *changed]),
        "benchmarks.peers.recipe",
        "README.md",
        ("tensorflow", "keras"),
        {"name": name, "data": data, "changed": settings},
    )


def fasttext(words: int, **settings: Any) -> Contestant:
    """Returns fastText; the validation splits chose its step sizes and its ten epochs."""
    return Contestant(
        f"fastText, {words}-grams",
        "benchmarks.peers.fasttext",
        "https://fasttext.cc/docs/en/supervised-tutorial.html",
        ("fasttext",),
        {"words": words, **settings},
    )


def linear(words: int) -> Contestant:
    """Returns the linear model of n-grams of at most `words` words."""
    return Contestant(
        f"log-count ratios, logistic regression, {words}-grams",
        "benchmarks.peers.linear",
        "https://scikit-learn.org/",
        ("scikit-learn",),
        {"words": words},
    )


TEXT = ("text",)
FAMILIES = {
    "imdb": Family(
        "imdb-gru",
        "tfds",
        TEXT,
        accuracy,
        (
            recipe("imdb-gru", "tfds", wide=True, epochs=6, patience=2, choose_by="loss"),
            fasttext(3),
            linear(3),
        ),
    ),
    "sst-2": Family(
        "imdb-gru",
        "sst-2",
        TEXT,
        accuracy,
        (
            recipe("imdb-bilstm", "sst-2", base="imdb-bilstm", epochs=4, learning_rate=1e-3),
            recipe(
                "imdb-bilstm-large",
                "sst-2",
                base="imdb-bilstm-large",
                epochs=1,
                learning_rate=5e-4,
            ),
            fasttext(2, rate=0.1),
            linear(2),
        ),
    ),
    "ag-part": Family(
        "news-gru",
        "ag-part",
        TEXT,
        accuracy,
        (
            recipe(
                "news-bilstm",
                "ag-part",
                wide=True,
                vectors="glove-50",
                choose_by="loss",
                patience=2,
            ),
            fasttext(2, rate=0.1),
            linear(3),
        ),
    ),
    "conll": Family(
        "conll-bilstm",
        "tfds",
        ("tokens",),
        f1,
        (
            recipe("conll-bilstm", "tfds"),
            Contestant(
                "spaCy, ner from scratch",
                "benchmarks.peers.spacy",
                "https://spacy.io/usage/training",
                ("spacy",),
                {"epochs": 8},
            ),
        ),
    ),
    "shakespeare": Family(
        "shakespeare-gru",
        "tfds",
        TEXT,
        nats_per_character,
        (
            recipe(
                "shakespeare-gru",
                "tfds",
                layers=2,
                units=240,
                epochs=5,
                batch_size=16,
                learning_rate=0.005,
                dropout=0.1,
                patience=0,
            ),
            Contestant(
                "PyTorch, LSTM 2×256, stateful windows, Adam at 2e-3",
                "benchmarks.peers.pytorch_characters",
                "https://pytorch.org/",
                ("torch",),
                {},
                equal_time=True,
            ),
        ),
    ),
}
