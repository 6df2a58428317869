"""Sentences of negation and contrast, and their scores."""

import json

import pytest

from benchmarks import probes as benchmark
from recipes.classifying import probes


def test_there_are_two_hundred_sentences_in_pairs():
    kinds, texts, labels = probes.texts()
    assert len(set(texts)) == len(kinds) == len(labels) == 200
    assert labels[::2] == ["positive"] * 100
    assert labels[1::2] == ["negative"] * 100


def test_counting_words_is_about_chance():
    """A sum of word weights, fitted to the probes by words alone, cannot tell most pairs apart."""
    good = {"good", "great", "liked", "loved", "love", "funny", "wonderful", "excellent", "superb"}
    bad = {"bad", "boring", "bored", "hated", "awful", "terrible", "dull", "disappointed", "silly"}
    predicted = []
    for text in probes.texts()[1]:
        words = {word.strip(".,;?").lower() for word in text.split()}
        predicted.append("positive" if len(words & good) > len(words & bad) else "negative")
    assert 0.4 <= probes.scores(predicted)["all"]["accuracy"] <= 0.65


def test_scores_by_hand():
    labels = probes.texts()[2]
    perfect = probes.scores(labels)
    assert perfect["all"] == {"accuracy": 1.0, "both": 1.0, "rows": 200}
    assert perfect["contrast"]["rows"] == 40
    one_class = probes.scores(["positive"] * 200)
    assert one_class["all"] == {"accuracy": 0.5, "both": 0.0, "rows": 200}
    one_wrong = probes.scores(["negative", *labels[1:]])
    assert one_wrong["negated praise"] == {"accuracy": 39 / 40, "both": 19 / 20, "rows": 40}
    assert one_wrong["contrast"]["accuracy"] == 1


def test_only_english_sentiment_is_probed():
    words = {word.strip(".,;?").lower() for text in probes.texts()[1] for word in text.split()}
    assert probes.fits(["negative", "positive"], [*words])
    assert not probes.fits(["sports", "world"], [*words])
    assert not probes.fits(["negative", "positive"], ["le", "film", "est", "bon"])


def test_a_packed_model_is_probed_when_it_is_evaluated():
    import zoo

    predictor = zoo.load("imdb-lstm")
    rows = {"text": ["A film to love.", "Dull and stupid."], "label": ["positive", "negative"]}
    recipe = predictor.recipe
    scores = recipe.evaluate(predictor.config, predictor.assets, predictor, rows)
    table = scores.tables["negation"]
    assert [*table] == [*probes.PAIRS, "all"]
    answers = [answer["label"] for answer in predictor.predict(probes.texts()[1])]
    assert table == probes.scores(answers)


def test_the_table_has_a_row_for_each_model():
    scores = probes.scores(probes.texts()[2])
    text = benchmark.table({"kind": "probes", "models": [{"name": "imdb-lstm", "scores": scores}]})
    assert "| imdb-lstm | 1.000 |" in text
    assert "contrast (40)" in text


@pytest.mark.slow
def test_the_command_writes_what_it_says(tmp_path, monkeypatch):
    from recipes.classifying.imdb import IMDB
    from zoo.data import Dataset

    load = Dataset.load
    monkeypatch.setattr(Dataset, "load", lambda self: load(IMDB, "sample"))
    result = benchmark.probes(["imdb-lstm"], tmp_path / "probes.json")
    assert json.loads((tmp_path / "probes.json").read_text()) == result
    own, linear = result["models"]
    assert own["name"] == "imdb-lstm"
    assert linear["name"].startswith("baseline: log-count ratios")
