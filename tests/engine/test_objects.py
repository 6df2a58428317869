"""Python objects as data: each form gives the columns that a dict of lists gives."""

import numpy as np
import pandas as pd
import pyarrow
import pytest
import tensorflow as tf

import zoo
from zoo.data import objects
from zoo.data.custom import load_rows
from zoo.data.dataset import Dataset
from zoo.data.origin import InMemorySplits, parse_origin
from zoo.errors import ZooError

TEXTS, LABELS = ["good film", "dull film", "fine"], ["yes", "no", "yes"]
EXPECTED = {"text": TEXTS, "label": LABELS}
TEXT_ROWS = list(zip(TEXTS, LABELS, strict=True))

DATASET = Dataset(
    name="mine",
    columns={"text": "a text", "label": "its class"},
    sources=(),
    licence="",
    sample=lambda: {"text": ["a", "b"], "label": ["x", "y"]},
)


def stream(**columns):
    return tf.data.Dataset.from_tensor_slices(columns or (TEXTS, LABELS))


FORMS = {
    "dict": EXPECTED,
    "frame": pd.DataFrame({"id": [1, 2, 3], **EXPECTED}, index=[7, 8, 9]),
    "categories": pd.DataFrame(EXPECTED).astype({"label": "category"}),
    "arrow": pyarrow.table(EXPECTED),
    "structured": np.array(TEXT_ROWS, [("text", "U20"), ("label", "U3")]),
    "dicts": [{"text": text, "label": label} for text, label in TEXT_ROWS],
    "tuples": TEXT_ROWS,
    "rows of an array": np.array(TEXT_ROWS, object),
    "pair": (TEXTS, LABELS),
    "pair of arrays": (np.array(TEXTS), np.array(LABELS)),
    "pair of series": (pd.Series(TEXTS, index=[3, 4, 5]), pd.Series(LABELS)),
    "pair of a frame": (pd.DataFrame({"text": TEXTS}), LABELS),
    "pair of a dict": ({"text": TEXTS}, np.array(LABELS)),
    "stream of tuples": stream(),
    "stream of dicts": stream(**EXPECTED),
    "batches": stream().batch(2),
    "batches of dicts": stream(**EXPECTED).batch(2),
    "stream of inputs and target": stream().map(lambda text, label: ({"text": text}, label)),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_rows(form):
    assert load_rows(DATASET, parse_origin(FORMS[form])) == EXPECTED


@pytest.mark.parametrize("form", ["frame", "dicts", "stream of dicts", "structured"])
def test_columns_by_other_names(form):
    names = {"text": "label", "label": "text"}
    found = load_rows(DATASET, parse_origin(FORMS[form]), names)
    assert found == {"text": LABELS, "label": TEXTS}


def test_labels_that_are_numbers_or_truth_values():
    for given, expected in (
        (np.array([0, 1, 1]), ["0", "1", "1"]),
        (pd.Series([0.0, 1.0, 1.0]), ["0", "1", "1"]),
        ([True, False, True], ["True", "False", "True"]),
    ):
        assert load_rows(DATASET, parse_origin((TEXTS, given)))["label"] == expected


def test_splits_of_any_form():
    frame = FORMS["frame"]
    for given in (
        {"train": frame, "test": TEXT_ROWS},
        {"train": (TEXTS, LABELS), "test": stream()},
        (frame, TEXT_ROWS),
        ((TEXTS, LABELS), (TEXTS, LABELS)),
    ):
        origin = parse_origin(given)
        assert isinstance(origin, InMemorySplits)
        assert list(origin.splits) == ["train", "test"]
    assert list(parse_origin((frame, frame, frame)).splits) == ["train", "validation", "test"]
    splits = DATASET.load({"train": pd.concat([frame] * 10), "test": TEXT_ROWS})
    assert splits.test == EXPECTED
    assert splits.source == "in memory"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (TEXTS, r"Values alone are one column; the data have text, label\. .* a pair \(x, y\)"),
        ([("a", 1, 2)], "Rows of 3 values do not say which columns they are"),
        ([("a", "b"), ("c",)], "Row 1 of the data must have 2 values"),
        ([{"text": "a", "label": "b"}, ("c", "d")], "Row 1 of the data is not a dict"),
        ([{"text": "a"}, {"label": "b"}], "Row 0 of the data: 'label' is missing"),
        (pd.DataFrame({"text": ["a", None], "label": ["x", "y"]}), "Row 1 .* 'text' is missing"),
        (pd.DataFrame({"text": ["a", "b"], "label": ["x", np.nan]}), "Row 1 .* 'label' is missing"),
        (pd.DataFrame({"text": ["a", 3], "label": ["x", "y"]}), "Row 1 .* 'text' is not text"),
        (pd.DataFrame([["a", "b"]], columns=["text", "text"]), "several columns 'text'"),
        (pd.DataFrame({"review": ["a"], "label": ["x"]}), "no column 'text'"),
        ((TEXTS, LABELS[:2]), "same length; they have 'text' 3, 'label' 2"),
        (stream().repeat(), "has no end"),
        ({"train": (TEXTS, LABELS), "valid": (TEXTS, LABELS)}, "Did you mean 'validation'"),
        ({"train": FORMS["frame"], "test": 7}, "The split 'test' must be a DataFrame"),
        ((FORMS["frame"],), "A tuple of data is a pair"),
        (set(TEXTS), "got set"),
    ],
)
def test_what_is_wrong_is_one_line(value, message):
    with pytest.raises(ZooError, match=message) as caught:
        DATASET.load(value)
    assert "\n" not in str(caught.value)


def test_a_column_that_holds_tuples_is_no_split():
    assert parse_origin({"text": [("a", "b")]}).rows == {"text": [("a", "b")]}


def test_values_alone_where_the_data_have_one_column():
    book = zoo.get_recipe("shakespeare-gru").dataset
    for given in (
        ["To be.", "Or not."],
        np.array(["To be.", "Or not."]),
        {"text": ["To be.", "Or not."]},
    ):
        assert load_rows(book, parse_origin(given)) == {"text": ["To be.", "Or not."]}


def test_what_stands_for_no_value():
    assert all(map(objects.is_missing, (None, float("nan"), pd.NA, pd.NaT, np.float64("nan"))))
    assert not any(map(objects.is_missing, ("", 0, False, "nan")))


def test_a_table_that_is_laid_out_as_a_file_is_read_as_one():
    prices = zoo.get_recipe("stocks-gru").dataset
    days = pd.bdate_range("2024-01-01", periods=60, name="Date")
    close = 100 + np.sin(np.arange(60))
    frame = pd.DataFrame({"Open": close, "High": close, "Low": close, "Close": close}, days)
    found = load_rows(prices, parse_origin(frame))
    assert found["date"][0][:2] == ["2024-01-01", "2024-01-02"]
    np.testing.assert_allclose(found["close"], [close])
    again = load_rows(prices, parse_origin(frame.reset_index()))
    assert again["close"] == found["close"]
    with pytest.raises(ZooError, match=r"^The table in memory has no column of closing prices"):
        load_rows(prices, parse_origin(frame[["Open"]]))
    # One that holds whole series is not.
    assert load_rows(prices, parse_origin(pd.DataFrame(found))) == found
