"""The tables of a model card."""

from zoo.report import card


def test_a_name_cannot_break_a_table():
    rows = {"a|b": {"precision": 1.0, "rows": 3}, "two\nlines": {"precision": 0.5}}
    assert card._table("class", rows) == [
        "| class | precision | rows |",
        "| --- | ---: | ---: |",
        r"| a\|b | 1.0000 | 3 |",
        "| two lines | 0.5000 |  |",
        "",
    ]
