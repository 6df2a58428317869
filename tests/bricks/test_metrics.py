import json
import math

import pytest

from zoo import ZooError
from zoo.metrics import classification, wilson_interval
from zoo.scores import Scores


def test_classification_against_a_hand_computation():
    truth = ["a", "a", "a", "b", "b", "c"]
    predicted = ["a", "a", "b", "b", "c", "c"]
    result = classification(truth, predicted, ["c", "b", "a"])
    assert result["accuracy"] == pytest.approx(4 / 6)
    assert result["rows"] == 6
    # a: 2 of 2 found right, 2 of 3 found; b: 1 of 2, 1 of 2; c: 1 of 2, 1 of 1.
    assert result.tables["per_class"]["a"] == pytest.approx(
        {"precision": 1.0, "recall": 2 / 3, "f1": 0.8, "support": 3}
    )
    assert result.tables["per_class"]["b"] == pytest.approx(
        {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    )
    assert result.tables["per_class"]["c"] == pytest.approx(
        {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    )
    assert result["macro_f1"] == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    # Rows are true classes, in the order given: c, b, a.
    assert result.confusion.matrix == [[1, 0, 0], [1, 1, 0], [0, 1, 2]]
    assert result.confusion.labels == ["c", "b", "a"]
    assert Scores.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_a_class_that_is_never_predicted_scores_zero_and_counts():
    result = classification(["a", "b"], ["a", "a"], ["a", "b"])
    assert result.tables["per_class"]["b"] == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 1,
    }
    assert result["macro_f1"] == pytest.approx((2 / 3) / 2)


def test_a_class_that_does_not_occur_leaves_the_macro_mean_alone():
    result = classification(["a", "b"], ["a", "b"], ["a", "b", "absent"])
    assert result["macro_f1"] == 1.0
    assert result.tables["per_class"]["absent"]["support"] == 0
    assert result.confusion.matrix[2] == [0, 0, 0]


def test_one_class_only():
    result = classification(["a"], ["a"], ["a"])
    assert (result["accuracy"], result.confusion.matrix) == (1.0, [[1]])


def test_unknown_labels_are_named_with_their_rows():
    with pytest.raises(ZooError, match=r"label 'x' in rows 2, 4; 'y' in row 3\. Known are: a, b\."):
        classification(["a", "x", "y", "x"], ["a"] * 4, ["a", "b"])
    with pytest.raises(ZooError, match="prediction 'z' in row 1"):
        classification(["a"], ["z"], ["a", "b"])


def test_many_unknown_labels_stay_one_line():
    with pytest.raises(ZooError) as caught:
        classification([f"x{i % 50}" for i in range(5000)], ["a"] * 5000, ["a"])
    message = str(caught.value)
    assert len(message) < 600
    assert "\n" not in message
    assert "and 45 more" in message
    assert "and 90 more" in message


def test_nothing_to_score():
    with pytest.raises(ZooError, match="no rows"):
        classification([], [], ["a", "b"])
    with pytest.raises(ZooError, match="1 predictions for 2 rows"):
        classification(["a", "b"], ["a"], ["a", "b"])


@pytest.mark.parametrize(("accuracy", "rows"), [(0.8, 10), (0.9, 25_000), (1.0, 5), (0.0, 3)])
def test_wilson_interval_against_the_formula(accuracy, rows):
    z = 1.959963984540054
    centre = (accuracy + z**2 / (2 * rows)) / (1 + z**2 / rows)
    spread = accuracy * (1 - accuracy) / rows + z**2 / (4 * rows**2)
    half = z * math.sqrt(spread) / (1 + z**2 / rows)
    expected = (centre - half, centre + half)
    assert wilson_interval(accuracy, rows) == pytest.approx(expected, abs=1e-9)
