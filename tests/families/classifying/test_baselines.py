import itertools
import random

import numpy as np
import pytest
from scipy import sparse

from recipes.classifying import baselines
from zoo import ZooError

NAMES = ["majority", "tfidf-linear", "nbsvm-bigram"]


def pairs_decide(rows, seed, between=()):
    """Rows of which no single word tells the class, but the word before `good` or `bad` does.

    With words `between` those two, no pair of neighbours tells the class either.
    """
    draw = random.Random(seed)
    examples = {"text": [], "label": []}
    kinds = itertools.cycle(itertools.product(["not", "very"], ["good", "bad"]))
    for _ in range(rows):
        before, word = next(kinds)
        filler = [draw.choice(["film", "plot", "actor", "scene"]) for _ in range(4)]
        place = draw.randrange(5)
        words = [*filler[:place], before, *between, word, *filler[place:]]
        examples["text"].append(" ".join(words))
        examples["label"].append("up" if (before == "very") == (word == "good") else "down")
    return examples


def test_ngrams_keep_punctuation_and_drop_tags():
    assert baselines.ngrams("Great!!<br />A <b>film</b>") == [
        *["great", "!", "!", "a", "film"],
        *["great !", "! !", "! a", "a film"],
    ]
    assert baselines.ngrams("3 < 4") == ["3", "<", "4", "3 <", "< 4"]
    assert baselines.ngrams(" ") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("很好。", ["很", "好", "。"]),  # no spaces between words: sign by sign
        ("นก", ["น", "ก"]),
        ("अच्छी फ़िल्म", ["अच्छी", "फ़िल्म"]),  # vowel signs do not split words
        ("فيلمٌ رائع", ["فيلمٌ", "رائع"]),
        ("Cafe\u0301 Über", ["cafe\u0301", "über"]),
        ("😀😀", ["😀", "😀"]),
    ],
)
def test_words_of_other_scripts(text, words):
    assert baselines.ngrams(text)[: len(words)] == words
    assert len(baselines.ngrams(text)) == 2 * len(words) - 1


def test_log_count_ratio_against_a_hand_computation():
    counts, other = baselines.count_ngrams(
        ["good film", "good good", "bad film"], ["good unseen good"]
    )
    # Columns: bad, bad film, film, good, good film, good good.
    assert other.toarray().tolist() == [[0, 0, 0, 2, 0, 0]]
    ratio = baselines.log_count_ratio(counts, np.array([True, True, False]))
    p = np.array([1, 1, 2, 3, 2, 2]) / 11  # rows, not occurrences: "good good" counts good once
    q = np.array([2, 2, 2, 1, 1, 1]) / 9
    np.testing.assert_allclose(ratio, np.log(p / q))


def test_log_count_ratio_smoothing():
    counts = sparse.csr_matrix([[1.0, 0.0], [0.0, 3.0]])
    ratio = baselines.log_count_ratio(counts, np.array([True, False]), smoothing=0.5)
    np.testing.assert_allclose(ratio, [np.log(3), -np.log(3)])


def test_interpolation_draws_the_weights_towards_naive_bayes():
    counts, _ = baselines.count_ngrams(["good film", "good", "bad film", "bad plot"], [])
    labels = np.array(["up", "up", "down", "down"])
    model = baselines._NBSVM(counts, labels, 1.0)
    ((ratio, weights, bias),) = model.parts
    assert np.all(weights[ratio > 0.5] > 0)  # the SVM agrees with the ratio's sign
    # At beta = 0 the weights are all mean|w|: only the sum of the ratios and the bias decide.
    presence = (counts.toarray() > 0).astype(float)
    naive = presence @ (ratio * np.abs(weights).mean()) + bias
    expected = np.where(naive > 0, "up", "down")
    assert model.predict(counts, 0.0).tolist() == expected.tolist()
    full = np.where(presence @ (ratio * weights) + bias > 0, "up", "down")
    assert model.predict(counts, 1.0).tolist() == full.tolist() == labels.tolist()


def test_word_pairs_decide():
    train, validation, test = (
        pairs_decide(rows, seed) for rows, seed in [(240, 1), (40, 2), (80, 3)]
    )
    scores = baselines.linear_baselines(train, validation, test)
    assert list(scores) == NAMES
    assert scores["majority"]["accuracy"] == 0.5
    assert scores["tfidf-linear"]["accuracy"] == 1.0
    assert scores["nbsvm-bigram"]["accuracy"] == 1.0
    assert scores["nbsvm-bigram"]["rows"] == 80
    apart = [pairs_decide(rows, seed, ["so", "to", "say"]) for rows, seed in [(240, 1), (80, 3)]]
    scores = baselines.linear_baselines(apart[0], apart[1], apart[1])
    assert scores["nbsvm-bigram"]["accuracy"] < 0.75
    assert scores["tfidf-linear"]["accuracy"] < 0.75


def test_each_run_gives_the_same():
    draw = random.Random(0)
    words = [f"w{i}" for i in range(300)]
    rows = {
        "text": [" ".join(draw.choices(words, k=12)) for _ in range(120)],
        "label": [draw.choice("abc") for _ in range(120)],
    }
    splits = [{key: column[i::3] for key, column in rows.items()} for i in range(3)]
    assert baselines.linear_baselines(*splits) == baselines.linear_baselines(*splits)


def test_the_setting_is_chosen_on_the_validation_split():
    """A setting that does harm is passed over, though it comes first."""
    train, validation, test = (
        pairs_decide(rows, seed) for rows, seed in [(242, 1), (40, 2), (80, 3)]
    )
    counts, tested = baselines.count_ngrams(train["text"] + validation["text"], test["text"])
    learn, choose = counts[: len(train["text"])], counts[len(train["text"]) :]
    data = (learn, train["label"], choose, validation["label"], tested)

    def accuracy(predicted):
        return np.mean(np.array(predicted) == test["label"])

    # So much regularisation leaves little but noise; a negative beta turns the weights over.
    assert accuracy(baselines.nbsvm(*data, interpolations=[-1.0])) < 0.5
    assert accuracy(baselines.nbsvm(*data, interpolations=[-1.0, 1.0])) == 1.0
    train["label"][:] = ["up"] * 60 + train["label"][60:]
    assert accuracy(baselines.tfidf_linear(*data, strengths=[1e-9])) == 0.5
    assert accuracy(baselines.tfidf_linear(*data, strengths=[1e-9, 1.0])) > 0.9


def test_tiny_data_and_other_columns():
    rows = {"review": ["good", "great", "fine", "good fun", "bad", "poor", "dull", "bad mess"]}
    rows["mood"] = ["up"] * 4 + ["down"] * 4
    part = {key: [column[0], column[4]] for key, column in rows.items()}
    scores = baselines.linear_baselines(rows, part, part, text="review", label="mood")
    assert [scores[name]["accuracy"] for name in NAMES] == [0.5, 1.0, 1.0]
    empty = {"review": [], "mood": []}
    scores = baselines.linear_baselines(rows, empty, part, text="review", label="mood")
    assert scores["nbsvm-bigram"]["accuracy"] == 1.0


def test_many_classes_and_one_that_only_the_test_split_has():
    rows = {
        "text": [f"topic{i} about word{i} 很好" for i in range(30) for _ in range(4)],
        "label": [f"class {i}" for i in range(30) for _ in range(4)],
    }
    test = {"text": [*rows["text"], "never seen"], "label": [*rows["label"], "new"]}
    scores = baselines.linear_baselines(rows, rows, test)
    for name in NAMES[1:]:
        assert scores[name]["accuracy"] == pytest.approx(120 / 121)
        assert scores[name].tables["per_class"]["new"]["recall"] == 0.0
    assert scores["majority"]["accuracy"] == pytest.approx(4 / 121)


def test_nothing_to_learn_is_one_clear_error():
    one = {"text": ["good", "fine"], "label": ["up", "up"]}
    with pytest.raises(ZooError, match="at least two classes"):
        baselines.linear_baselines(one, one, one)
    blank = {"text": ["", " <br /> "], "label": ["up", "down"]}
    with pytest.raises(ZooError, match="No training text has a word"):
        baselines.linear_baselines(blank, blank, blank)
