"""Labels that look alike become one, with a note."""

import pytest

from zoo.data import labels


def joined(names, known=()):
    parts = {"train": {"label": list(names)}}
    notes = labels.join(parts, "label", known)
    return parts["train"]["label"], notes


@pytest.mark.parametrize(
    ("most", "other"),
    [
        ("caf\u00e9", "cafe\u0301"),  # composed and decomposed
        ("good", "good\u200b"),
        ("good", "\ufeffgood"),
        ("very good", "very\u00a0good"),
        ("very good", "very  good"),
        ("1", "1.0"),
        ("-1.0", "-1.00"),
    ],
)
def test_labels_that_look_alike(most, other):
    found, notes = joined([other, most, most, "x"])
    assert found == [most, most, most, "x"]
    assert len(notes) == 1
    assert "look alike are one" in notes[0]
    assert ascii(other) in notes[0]  # what cannot be seen is shown
    # The spelling that a model knows goes before.
    assert joined([most, most], [other, "x"])[0] == [other, other]


def test_labels_that_differ():
    names = ["a", "b", "1.5", "1", "-", "A"]
    found, notes = joined(names)
    assert found == names
    assert notes == ["the labels 'A' and 'a' differ in case only, and are 2 classes"]
    assert joined(["1.0", "2.0", "1.5"]) == (["1.0", "2.0", "1.5"], [])


def test_splits_are_joined_together():
    parts = {"train": {"label": ["good", "good"]}, "test": {"label": ["good\u00ad", "bad"]}}
    notes = labels.join(parts, "label")
    assert parts["test"]["label"] == ["good", "bad"]
    assert notes == ["labels that look alike are one: 'good' and 'good\\xad' (1)"]
