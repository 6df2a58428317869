"""Entity scores against a plain reading of conlleval, and the running metric against both."""

import numpy as np
import pytest
import tensorflow as tf

from recipes.tagging.metrics import entities, entity_scores
from recipes.tagging.running import EntityF1
from zoo.errors import ZooError

TAGS = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


def conlleval(truth, predicted):
    """Counts as the shared task's Perl script does: token by token, with its two functions."""

    def parse(tag):
        return ("O", "") if tag == "O" else tuple(tag.split("-", 1))

    def end_of_chunk(before, tag, kind_before, kind):
        end = (before, tag) in {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O")}
        return end or (before != "O" and kind_before != kind)

    def start_of_chunk(before, tag, kind_before, kind):
        start = (before, tag) in {("B", "B"), ("I", "B"), ("O", "B"), ("O", "I")}
        return start or (tag != "O" and kind_before != kind)

    correct = found_right = found_guess = 0
    in_correct = False
    last_true = last_guess = ("O", "")
    for row, guess in zip(truth, predicted, strict=True):
        for pair in [*zip(row, guess, strict=True), ("O", "O")]:  # a boundary after each sentence
            true, guessed = map(parse, pair)
            ends = end_of_chunk(last_true[0], true[0], last_true[1], true[1])
            guess_ends = end_of_chunk(last_guess[0], guessed[0], last_guess[1], guessed[1])
            if in_correct:
                if ends and guess_ends and last_true[1] == last_guess[1]:
                    in_correct, correct = False, correct + 1
                elif ends != guess_ends or true[1] != guessed[1]:
                    in_correct = False
            starts = start_of_chunk(last_true[0], true[0], last_true[1], true[1])
            guess_starts = start_of_chunk(last_guess[0], guessed[0], last_guess[1], guessed[1])
            if starts and guess_starts and true[1] == guessed[1]:
                in_correct = True
            found_right += starts
            found_guess += guess_starts
            last_true, last_guess = true, guessed
    return correct, found_guess, found_right


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O O", []),
        ("B-PER I-PER O", [(0, 2, "PER")]),
        ("B-PER B-PER", [(0, 1, "PER"), (1, 2, "PER")]),
        ("I-PER I-PER B-PER", [(0, 2, "PER"), (2, 3, "PER")]),
        ("O I-LOC I-PER", [(1, 2, "LOC"), (2, 3, "PER")]),
        ("B-LOC I-PER I-PER", [(0, 1, "LOC"), (1, 3, "PER")]),
        ("B-creative-work I-creative-work", [(0, 2, "creative-work")]),
        ("", []),
    ],
)
def test_entities(tags, spans):
    assert entities(tags.split()) == spans


def random_rows(seed, rows=60):
    rng = np.random.default_rng(seed)
    truth = [list(rng.choice(TAGS, rng.integers(1, 12), p=[0.4, 0.2, 0.2, 0.1, 0.1]))
             for _ in range(rows)]  # fmt: skip
    keep = [[tag if rng.random() < 0.8 else rng.choice(TAGS) for tag in row] for row in truth]
    return truth, keep


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_conllevals_also_of_tags_that_no_entity_has(seed):
    truth, predicted = random_rows(seed)
    right, guessed, true = conlleval(truth, predicted)
    scores = entity_scores(truth, predicted)
    assert 0 < right < true
    assert scores["precision"] == right / guessed
    assert scores["recall"] == right / true
    assert scores["f1"] == pytest.approx(2 * right / (guessed + true))
    assert scores["tokens"] == sum(map(len, truth))
    for kind, row in scores.tables["per_class"].items():

        def only(rows, kind=kind):
            return [[tag if tag.endswith(kind) else "O" for tag in tags] for tags in rows]

        right, guessed, true = conlleval(only(truth), only(predicted))
        assert row == {
            "precision": right / guessed,
            "recall": right / true,
            "f1": pytest.approx(2 * right / (guessed + true)),
            "support": true,
        }


def test_scores_by_hand():
    truth = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "O"]]
    predicted = [["B-PER", "I-PER", "O", "B-PER"], ["O", "B-LOC"]]
    scores = entity_scores(truth, predicted)
    assert (scores["precision"], scores["recall"], scores["f1"]) == (1 / 3, 1 / 2, 2 / 5)
    assert scores["token_accuracy"] == 4 / 6
    assert scores.tables["per_class"]["LOC"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}


def test_nothing_to_find_and_nothing_found_is_zero_and_no_warning():
    assert entity_scores([["O"]], [["O"]])["f1"] == 0.0


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([["O"]], [], "0 predictions for 1 sentences"),
        ([], [], "no sentences"),
        ([["O"], ["O", "O"]], [["O"], ["O"]], "Sentence 2 has 2 tokens but 1"),
    ],
)
def test_what_does_not_fit_is_refused(truth, predicted, message):
    with pytest.raises(ZooError, match=message):
        entity_scores(truth, predicted)


def legal(tags):
    """Makes a sequence legal: an I- that continues nothing becomes a B-."""
    before = "O"
    for position, tag in enumerate(tags):
        if tag[0] == "I" and before[2:] != tag[2:]:
            tags[position] = "B" + tag[1:]
        before = tags[position]
    return tags


def padded(rows, time=14):
    ids = np.zeros((len(rows), time), "int32")
    for row, tags in enumerate(rows):
        ids[row, : len(tags)] = [TAGS.index(tag) + 1 for tag in tags]
    return ids


@pytest.mark.parametrize("kind", ["probabilities", "crf"])
def test_the_running_metric_gives_the_same_number_in_a_graph(kind):
    truth, predicted = random_rows(7)
    predicted = [legal(tags) for tags in predicted]
    y, guess = padded(truth), padded(predicted)
    single = np.eye(5, dtype="float32")[np.maximum(guess - 1, 0)] * 0.9 + 0.02
    output = single if kind == "probabilities" else np.repeat(np.log(single)[:, :, None], 5, 2)
    metric = EntityF1(TAGS)
    update = tf.function(metric.update_state, reduce_retracing=True)
    for start in range(0, 60, 25):  # the last batch is smaller
        update(y[start : start + 25], output[start : start + 25])
    expected = entity_scores(truth, predicted)["f1"]
    assert 0.3 < expected < 1
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_the_running_metric_looks_at_legal_sequences_only():
    metric = EntityF1(TAGS)
    # B-LOC I-LOC is the truth; the best alone are B-LOC I-PER, two entities.
    probabilities = np.array([[[0.1, 0.9, 0, 0, 0], [0.1, 0, 0.4, 0, 0.5]]], "float32")
    assert [TAGS[tag] for tag in probabilities[0].argmax(-1)] == ["B-LOC", "I-PER"]
    metric.update_state(np.array([[2, 3]]), probabilities)
    assert float(metric.result()) == 1


def test_f1_is_a_function_of_sums_over_sentences():
    truth = [["B-PER", "I-PER", "O"], ["B-LOC", "O"], ["O"]]
    guess = [["B-PER", "I-PER", "B-LOC"], ["O", "O"], ["O"]]
    scores = entity_scores(truth, guess)
    assert scores.units["f1"].terms.tolist() == [[1, 2, 1], [0, 0, 1], [0, 0, 0]]
    assert scores.units["f1"].value == pytest.approx(scores["f1"]) == pytest.approx(0.5)
