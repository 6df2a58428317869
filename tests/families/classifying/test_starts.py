"""When a classifier of custom texts starts from packed weights, and what becomes of it."""

import dataclasses
import json
import types

import numpy as np
import pytest
from scipy import sparse

import zoo
from recipes import sentiment
from recipes.classifying import probes, starts
from zoo.errors import ZooError
from zoo.recipe import Packed
from zoo.training import fit

CONFIG = sentiment.RECIPES["imdb-gru"]
LABELS = ["a", "b"] * 40


def features(truth, noise, seed=0):
    """Columns of which one tells the class, the better the less noise."""
    values = np.random.default_rng(seed).normal(size=(len(truth), 8))
    values[:, 3] = np.where(np.array(truth) == "a", 1, -1) + noise * values[:, 3]
    return values


NOTHING = features(["a"] * 80, 1.0, seed=1)


@pytest.mark.parametrize(
    ("states", "tfidf", "packed"),
    [
        (features(LABELS, 0.3), NOTHING, True),
        (NOTHING, features(LABELS, 0.3), False),
        (features(LABELS, 0.3), features(LABELS, 0.3), False),
        (NOTHING, NOTHING, False),
    ],
)
def test_the_better_linear_model_of_unseen_rows_decides(states, tfidf, packed):
    tfidf = np.maximum(tfidf, 0)  # 0 where a row lacks a word
    start = starts.decide(states, sparse.csr_matrix(tfidf), LABELS, known=0.9)
    assert start.packed == packed
    assert start.packed == (start.facts["gain"] > start.facts["standard_error"])
    assert f"an accuracy of {start.facts['states']:.2f} ± " in start.text
    assert f"one of TF-IDF {start.facts['tfidf']:.2f} ± " in start.text
    again = starts.decide(states, sparse.csr_matrix(tfidf), LABELS, known=0.9)
    assert (again.text, again.facts) == (start.text, start.facts)


def test_a_rare_class_counts_as_much_as_the_others():
    labels = ["a"] * 5 + ["b"] * 75
    start = starts.decide(features(labels, 0.3), sparse.csr_matrix(NOTHING), labels, known=0.9)
    assert start.packed
    # Accuracy would be 0.94 for a model that knows nothing.
    assert "a mean recall of the classes of " in start.text
    assert start.facts["tfidf"] < 0.8


class Reading:
    """Packed weights that know a part of the words."""

    def __init__(self, known):
        ids = types.SimpleNamespace(values=np.array([5, 6, 1, 1] if known == 0.5 else [5]))
        encoder = types.SimpleNamespace(rows=lambda texts: ids)
        self.assets = types.SimpleNamespace(encoder=encoder)


def test_other_networks_words_and_sizes_are_not_weighed():
    def choose(rows=4, known=0.5, **changes):
        train = {"text": ["ein Film"] * rows, "label": ["a", "b"] * (rows // 2)}
        packed = Packed("imdb-gru", CONFIG, lambda: Reading(known))
        return starts.choose(dataclasses.replace(CONFIG, **changes), train, packed)

    other = choose(units=4, vectors="glove-50")
    assert (other.packed, other.facts) == (False, {})
    assert other.text == "it has units=128, not 4; vectors=none, not glove-50"
    words = choose()
    assert not words.packed
    assert words.text.startswith("it knows 50% of the words in the training rows, less than 60%")
    many = choose(rows=6_000)
    assert (many.packed, many.facts) == (False, {"rows": 6_000})


def rows():
    """Sentences of which single words tell little: TF-IDF has half of them right, or fewer."""
    pairs = [pair for kind in probes.PAIRS.values() for pair in kind]
    texts = [text for pair in pairs for text in pair]
    return {"text": texts, "label": ["positive", "negative"] * len(pairs)}


OPTIONS = {
    "settings": {"epochs": 1, "batch_size": 32}, "baselines": False, "deterministic": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run on sentences that the packed weights know better than TF-IDF; not to be changed."""
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda *words, **_: lines.append(" ".join(map(str, words))))
        folder = tmp_path_factory.mktemp("starts") / "whole"
        run = zoo.train("imdb-gru", folder, data=rows(), **OPTIONS)
    return types.SimpleNamespace(run=run, lines=lines, path=folder)


def test_a_run_says_and_keeps_what_it_starts_from(whole):
    start = json.loads((whole.path / "config.json").read_text())["start"]
    assert start["packed"]
    assert start["gain"] > start["standard_error"]
    (line,) = [line for line in whole.lines if "from the packed" in line]
    assert line.strip() == f"{start['text']} (--from none: from scratch)"
    reason = start["text"].removeprefix("starts from the packed imdb-gru: ")
    assert f"Training started from the packed `imdb-gru`: {reason}." in (
        whole.path / "card.md"
    ).read_text(encoding="utf-8")
    vocabularies = [zoo.load(model).assets["vocabulary"] for model in ("imdb-gru", whole.run)]
    assert vocabularies[0] == vocabularies[1]


def test_a_killed_run_goes_on_from_what_was_chosen(whole, tmp_path, monkeypatch, weights):
    """Before its first step, when only `config.json` tells what was chosen."""

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit, "_fit", stop)
        with pytest.raises(KeyboardInterrupt):
            zoo.train("imdb-gru", tmp_path / "run", data=rows(), quiet=True, **OPTIONS)
    # It is not chosen again, whatever would be chosen now.
    monkeypatch.setattr(fit, "choose_start", None)
    monkeypatch.setattr(fit, "finish", lambda *_: None)
    zoo.train("imdb-gru", tmp_path / "run", data=rows(), quiet=True, **OPTIONS)
    first, second = (weights(path / "model-last.keras") for path in (whole.path, tmp_path / "run"))
    for key, value in first.items():
        np.testing.assert_array_equal(second[key], value, err_msg=key)


@pytest.mark.parametrize("change", [{"base": "none"}, {"tiny": True}, {"data": "sample"}])
def test_nothing_is_chosen_where_the_user_has_or_nobody_need(tmp_path, monkeypatch, change):
    seen = []
    monkeypatch.setattr(fit, "_fit", lambda *arguments: seen.append(arguments) or 1 / 0)
    options = {"data": rows(), **OPTIONS, "deterministic": False, "quiet": True, **change}
    with pytest.raises(ZeroDivisionError):
        zoo.train("imdb-gru", tmp_path / "run", **options)
    recorded = json.loads((tmp_path / "run/config.json").read_text())
    assert "start" not in recorded
    assert recorded["run"]["base"] == change.get("base")
    (arguments,) = seen
    assert ("wide" in {layer.name for layer in arguments[3].layers}) == (
        change != {"data": "sample"}
    )


def test_a_pack_that_cannot_be_read_is_said_and_not_used(tmp_path, monkeypatch, capsys):
    def damaged(name, **_):
        raise ZooError("imdb-gru.tar.xz is missing or damaged. Install its package again.")

    monkeypatch.setattr("zoo.training.starts.load", damaged)
    monkeypatch.setattr(fit, "_fit", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        zoo.train("imdb-gru", tmp_path / "run", data=rows(), baselines=False)
    out = capsys.readouterr().out
    assert "does not start from the packed imdb-gru: imdb-gru.tar.xz is missing or damaged" in out


def test_earlier_runs_have_no_choice(tmp_path):
    from zoo.training.starts import read_start

    assert read_start(None) is read_start(tmp_path) is None
    (tmp_path / "config.json").write_text('{"recipe": "imdb-gru", "config": {}, "run": {}}')
    assert read_start(tmp_path) is None
