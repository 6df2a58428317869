"""The tables and options of a model card."""

import dataclasses

from zoo.report import card
from zoo.training.run import Options


def test_options_that_were_not_given_are_omitted_and_zero_is_a_value():
    assert card._given(dataclasses.asdict(Options())) == {
        "seed": 0,
        "strategy": "auto",
        "precision": "float32",
    }
    given = dataclasses.replace(Options(), tiny=True, label_share=0.0, add_validation=0.5)
    assert card._given(dataclasses.asdict(given)) == {
        "seed": 0,
        "strategy": "auto",
        "precision": "float32",
        "tiny": True,
        "label_share": 0.0,
        "add_validation": 0.5,
    }


def test_a_name_cannot_break_a_table():
    rows = {"a|b": {"precision": 1.0, "rows": 3}, "two\nlines": {"precision": 0.5}}
    assert card._table("class", rows) == [
        "| class | precision | rows |",
        "| --- | ---: | ---: |",
        r"| a\|b | 1.0000 | 3 |",
        "| two lines | 0.5000 |  |",
        "",
    ]
