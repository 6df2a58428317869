"""Writes the inputs of training on a GPU without TensorFlow: ids and networks.

python -m tools.gpu.arrays gpu
python -m tools.gpu.arrays gpu --only words     # only what the language model of words needs

`reviews.npz` holds the film reviews as ids (see `tools.gpu.batching.Reviews`), `sentences.npz`
those of SST-2, `words.npz` the Penn Treebank, `NAME.pairs.npz` the sentence pairs of a translator,
`tagger.npz` CoNLL-2003 and AG News, `adding.npz` the weights of many networks at the start (see
`tools.gpu.members`); `NAME.json` is the network of a recipe as Keras writes it, and
`NAME.assets.json` what the recipe has learnt from the training split, by which `finish.py` sees
that the data are the same. No test split is read.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tools.gpu import large, members
from tools.gpu.batching import Reviews, Rows, rows_of, save_reviews
from tools.gpu.pairs import Pairs, save_pairs
from tools.gpu.translators import TRANSLATORS, Translator
from zoo import files
from zoo.assets import Assets
from zoo.config import Config, override
from zoo.data import Splits
from zoo.data.origin import parse_origin
from zoo.recipe import Recipe
from zoo.registry import get_recipe
from zoo.text.words import RESERVED

STUDENTS = ("imdb-simplernn", "imdb-lstm", "imdb-gru", "imdb-bilstm", "imdb-deep-gru")
WORDS = "ptb-deep-lstm"
SENTENCES = 60_000  # of film reviews, without a label
HELD_OUT = 1_000  # reviews without a label on which the language model is evaluated


def load_splits(recipe: Recipe, config: Config, source: str) -> Splits:
    """Returns the splits of a source of a recipe's data.

    Raises:
      ZooError: the data are not available.
    """
    dataset = recipe.data(config)
    return dataset.load(parse_origin(source, dataset.keys))


def write_network(
    folder: Path, name: str, recipe: Recipe, settings: Mapping[str, Any], assets: Assets
) -> None:
    """Writes `NAME.json`, the network of a recipe with new weights."""
    model = recipe.build(override(recipe.config, settings), assets)
    files.write_text(folder / f"{name}.json", model.to_json())


def write_reviews(folder: Path, source: str, settings: Mapping[str, Any] = large.SIZES) -> None:
    """Writes film reviews and networks that learn from them.

    All share the words of the language model, but for the students, which know those of their
    recipes: `reviews.npz` has a table from the former to the latter.

    Args:
      folder: to write to.
      source: of `reviews-lm` and of `imdb-…`, such as `"tfds"`.
      settings: of the language model and the teacher.
    """
    speaker, student = get_recipe("reviews-lm"), get_recipe(STUDENTS[0])
    texts = load_splits(speaker, speaker.config, source)
    rated = load_splits(student, student.config, source)
    spoken = speaker.prepare(speaker.config, texts.train)
    small = student.prepare(student.config, rated.train)
    labelled = [*rated.train["text"], *rated.validation["text"]]
    known = set(labelled)
    rest = [text for text in texts.train["text"] if text not in known]
    held_out = texts.validation["text"]
    rows = spoken.encoder.rows([*labelled, *held_out, *rest])
    labels = [*rated.train["label"], *rated.validation["label"]]
    numbers = {word: number for number, word in enumerate(small["vocabulary"], 2)}
    table = [0, 1, *(numbers.get(word, 1) for word in spoken["vocabulary"])]  # 1: unknown
    print(
        f"{len(labelled):,} reviews with a label, {len(rows) - len(labelled):,} without; "
        f"the language model knows {np.count_nonzero(np.array(table) > 1):,} of the students' "
        f"{len(numbers):,} words"
    )
    reviews = Reviews(
        rows_of(rows.values, rows.lengths),
        numbers_of(labels, small["labels"]),
        trained=len(rated.train["text"]),
        held_out=min(HELD_OUT, len(held_out)),
        table=np.array(table, "int32"),
    )
    save_reviews(folder / "reviews.npz", reviews)
    write_network(folder, "language-model", speaker, settings, spoken)
    files.write_json(folder / "language-model.assets.json", spoken)
    classes = student.prepare(student.config, rated.train, spoken)
    write_network(folder, large.NAME, get_recipe(large.NAME), settings, classes)
    files.write_json(folder / f"{large.NAME}.assets.json", classes)
    for name in STUDENTS:
        write_network(folder, name, get_recipe(name), {}, small)
        files.write_json(folder / f"{name}.assets.json", small)


def write_sentences(folder: Path, source: str, reviews: str) -> None:
    """Writes `sentences.npz`, sentences as ids of the words that the language model knows.

    Those with a label are followed by sentences of film reviews, without one.

    Args:
      folder: with the files of `write_reviews`.
      source: of `imdb-…`, such as `"sst-2"`.
      reviews: likewise, such as `"tfds"`; its training rows are cut into sentences.
    """
    recipe = get_recipe(large.NAME)
    assets = recipe.assets(recipe.config, files.read_object(folder / f"{large.NAME}.assets.json"))
    splits = load_splits(recipe, recipe.config, source)
    rows = assets.encoder.rows([*splits.train["text"], *splits.validation["text"]])
    words = enumerate(assets["vocabulary"], RESERVED)
    ends = [number for number, word in words if word in (".", "!", "?")]
    texts = load_splits(recipe, recipe.config, reviews).train["text"]
    read = assets.encoder.rows(texts)
    more = sentences_of(rows_of(read.values, read.lengths), ends)
    labels = [*splits.train["label"], *splits.validation["label"]]
    files.write_json(folder / f"{large.SENTENCES}.assets.json", assets)
    lengths = np.array([len(each) for each in more], "int64")
    sentences = Reviews(
        rows_of(np.concatenate([rows.values, *more]), np.concatenate([rows.lengths, lengths])),
        numbers_of(labels, assets["labels"]),
        trained=len(splits.train["text"]),
        held_out=0,
        table=np.empty(0, "int32"),
    )
    save_reviews(folder / "sentences.npz", sentences)


def sentences_of(rows: Rows, ends: Sequence[int]) -> list[np.ndarray]:
    """Returns at most `SENTENCES` sentences of 5 to 40 words, drawn by a fixed seed.

    Args:
      rows: ids of texts.
      ends: ids that end a sentence.
    """
    found = []
    for start, length in zip(rows.starts, rows.lengths, strict=True):
        row = rows.values[start : start + length]
        parts = np.split(row, np.flatnonzero(np.isin(row, ends)) + 1)
        found += [part for part in parts if 5 <= len(part) <= 40]
    chosen = np.random.default_rng(0).permutation(len(found))[:SENTENCES]
    return [found[number] for number in np.sort(chosen)]


def numbers_of(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Returns the number of the class of each label, int64."""
    return np.array([classes.index(label) for label in labels], "int64")


def write_words(folder: Path, source: str, settings: Mapping[str, Any] | None = None) -> None:
    """Writes the text and the network of a word-level language model.

    Args:
      folder: to write to.
      source: of `ptb-deep-lstm`, such as `"ptb"`.
      settings: of the network; None: as it is trained.
    """
    recipe = get_recipe(WORDS)
    config = override(recipe.config, settings or {})
    splits = load_splits(recipe, config, source)
    assets = recipe.prepare(config, splits.train)
    end = np.array([assets.encoder.end], "int32")  # a text begins as if behind a line break
    texts = {"train": splits.train["text"], "validation": splits.validation["text"]}
    ids = {
        split: np.concatenate([end, *assets.encoder.rows(rows)]) for split, rows in texts.items()
    }
    np.savez_compressed(folder / "words.npz", train=ids["train"], validation=ids["validation"])
    files.write_text(folder / f"{WORDS}.json", recipe.build(config, assets).to_json())
    files.write_json(folder / f"{WORDS}.assets.json", assets)


def write_pairs(folder: Path, name: str, how: Translator, source: str | None = None) -> None:
    """Writes sentence pairs and the network of a translator.

    Args:
      folder: to write to.
      name: of the files.
      how: the translator.
      source: of the pairs; None: its own.
    """
    recipe = get_recipe(how.recipe)
    config = override(recipe.config, how.settings)
    splits = load_splits(recipe, config, source or how.source)
    assets = recipe.prepare(config, splits.train)
    sides = []
    for column, encoder in zip(("text", "translation"), assets.encoder, strict=True):
        rows = encoder.rows([*splits.train[column], *splits.validation[column]])
        sides.append(rows_of(np.concatenate(rows), np.array([len(row) for row in rows])))
    pairs = Pairs(sides[0], sides[1], trained=len(splits.train["text"]))
    save_pairs(folder / f"{name}.pairs.npz", pairs)
    write_network(folder, name, recipe, how.settings, assets)
    files.write_json(folder / f"{name}.assets.json", assets)


def write_adding(folder: Path, length: int = members.LENGTH) -> None:
    """Writes the weights that networks for the adding problem start with, as `zoo train` does.

    Args:
      folder: to write to.
      length: steps of a sequence.
    """
    weights, names = {}, {}
    for member in members.MEMBERS.values():
        if member.start not in weights:
            recipe = get_recipe(member.recipe)
            keras.utils.set_random_seed(member.seed)
            config = override(recipe.config, member.settings(length))
            model = recipe.build(config, recipe.assets(config, {}))
            variables = model.trainable_variables
            weights[member.start] = [np.asarray(variable) for variable in variables]
            names[member.recipe] = [variable.path for variable in variables]
    fingerprint = members.load_problem(length).fingerprint
    members.Start(weights, names, length, fingerprint).save(folder)


def write_taggers(folder: Path, source: str, texts: str) -> None:
    """Writes what taggers learn from; see `tools.gpu.tagger_arrays`.

    Args:
      folder: to write to.
      source: of `conll-bilstm-crf`, such as `"tfds"`.
      texts: source of `news-bilstm`, whose training texts are read without their labels.
    """
    from tools.gpu.tagger_arrays import write_tagger
    from tools.gpu.tagger_rows import NAME

    tagger, news = get_recipe(NAME), get_recipe("news-bilstm")
    splits = load_splits(tagger, tagger.config, source)
    write_tagger(folder, splits, load_splits(news, news.config, texts).train["text"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="to write to")
    parser.add_argument(
        "--only",
        choices=["reviews", "sentences", "words", "pairs", "adding", "taggers"],
        help="write only these",
    )
    parser.add_argument("--reviews", default="tfds", metavar="SOURCE", help="of film reviews")
    parser.add_argument("--sentences", default="sst-2", metavar="SOURCE", help="of sentences")
    parser.add_argument("--words", default="ptb", metavar="SOURCE", help="of running text")
    parser.add_argument("--names", default="tfds", metavar="SOURCE", help="of tagged sentences")
    parser.add_argument("--news", default="ag-part", metavar="SOURCE", help="of untagged ones")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.only in (None, "reviews"):
        write_reviews(given.folder, given.reviews)
    if given.only in (None, "sentences"):
        write_sentences(given.folder, given.sentences, given.reviews)
    if given.only in (None, "words"):
        write_words(given.folder, given.words)
    if given.only in (None, "pairs"):
        for name, how in TRANSLATORS.items():
            write_pairs(given.folder, name, how)
    if given.only in (None, "adding"):
        write_adding(given.folder)
    if given.only in (None, "taggers"):
        write_taggers(given.folder, given.names, given.news)


if __name__ == "__main__":
    main()
