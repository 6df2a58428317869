"""What a card says a model is for: from its data, other sentences for each family."""

import dataclasses
import re
import tarfile

import pytest

import zoo
from zoo.config import describe
from zoo.manifest import USE, read_manifest, read_use
from zoo.report import use


def modules():
    """One recipe of each module."""
    recipes = [zoo.get_recipe(row["name"]) for row in zoo.list_models()]
    return list({recipe.module: recipe for recipe in recipes}.values())


def sentences(recipe, **changes):
    splits = recipe.dataset.load("sample")
    return list(recipe.dataset.facts(dataclasses.replace(splits, **changes)))


def test_no_two_families_say_the_same():
    known = {}
    for recipe in modules():
        found = sentences(recipe)
        assert 2 <= len(found) <= 6, recipe.name
        for sentence in found:
            assert sentence.endswith(".")
            assert "  " not in sentence
            if "a few invented rows" not in sentence and "It knows" not in sentence:
                assert known.setdefault(sentence, recipe.dataset.name) == recipe.dataset.name
        first = found[0].partition(". ")[0]
        assert known.setdefault(first, recipe.name) == recipe.name


@pytest.mark.parametrize("recipe", modules(), ids=lambda recipe: recipe.name)
def test_each_source_and_custom_data_are_named(recipe):
    for source in recipe.dataset.sources:
        text = " ".join(sentences(recipe, source=source.key))
        assert "invented rows" not in text
    custom = sentences(recipe, custom=True, title="mine.csv")
    assert "It was trained on custom data: mine.csv." in custom[0]


def test_a_folder_of_the_published_recordings_is_named_as_their_source():
    recipe = zoo.get_recipe("digits-gru")
    folder = sentences(recipe, custom=True, title="spoken digits (FSDD)", licence="CC BY-SA 4.0")
    assert folder == sentences(recipe, source="fsdd-1.0.9")


def test_the_numbers_are_those_of_the_run(sample_run):
    run = sample_run
    data = zoo.load(run).data
    part = (run / "card.md").read_text(encoding="utf-8").partition(use.HEADING)[2]
    assert f"It was trained on {data['rows']['train']} rows of {data['title']}" in part
    splits = zoo.get_recipe("imdb-lstm").dataset.load("sample")
    counts = {name: splits.train["label"].count(name) for name in ("negative", "positive")}
    for name, rows in counts.items():
        assert f"{name} {rows}" in part
    longest = max(len(text.split()) for text in splits.train["text"])
    assert re.search(rf"the longest has {longest}\.", part)
    assert "too few validation rows (2)" in part


def test_every_pack_says_what_it_is_for():
    folder = zoo.get_recipe("imdb-lstm").pretrained_folder
    beside = read_use(folder)
    for name, entry in read_manifest(folder).items():
        known = beside.get(name, {})
        if known.get("sha256") == entry["sha256"]:
            assert len(known["use"]) >= 2
            outputs = {each.output for each in zoo.get_recipe(name).novelty}
            assert set(known["novelty"].get("limits", {})) == outputs
        else:  # the pack was made since, and holds it
            with tarfile.open(folder / entry["file"]) as pack:
                assert f"assets.extra/{USE}" in pack.getnames(), name


def test_the_card_of_a_pack_is_made_from_its_numbers_in_the_words_of_today():
    predictor = zoo.load("imdb-lstm")
    stored = (predictor.about / "card.md").read_text(encoding="utf-8")
    assert "longer texts keep their first quarter" in stored  # of an earlier version
    card = predictor.card
    comments = {name: comment for name, _, comment in describe(predictor.config)}
    for name, value in (("max_words", "600"), ("max_bytes", "100,000")):
        assert f"- `{name}` {value}: {comments[name]}\n" in card
    scores = [line for line in stored.splitlines() if line.startswith("| ")]
    assert len(scores) > 10
    assert [line for line in card.splitlines() if line.startswith("| ")] == scores
    for sentence in predictor.use["use"]:
        assert f"- {sentence}\n" in card
