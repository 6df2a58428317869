"""Entities as spans of the text, marked in a notebook; tagged sentences in memory."""

import pandas as pd
import pytest

import zoo
from recipes.tagging.tag_reader import entities_of
from zoo.data.custom import load_rows
from zoo.data.origin import parse_origin
from zoo.serving.answers import marked_text

TEXT = "Anna Berg <x> flew to Oslo."
ANSWER = {
    "tags": ["B-PER", "I-PER", "O", "O", "O", "O", "O", "B-LOC", "O"],
    "start": [0, 5, 10, 11, 12, 14, 19, 22, 26],
    "end": [4, 9, 11, 12, 13, 18, 21, 26, 27],
    "scores": [0.9, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 0.7, 1.0],
}
SPANS = [
    {"start": 0, "end": 9, "label": "PER", "text": "Anna Berg", "score": 0.8},
    {"start": 22, "end": 26, "label": "LOC", "text": "Oslo", "score": 0.7},
]


def test_tags_become_spans():
    assert entities_of(TEXT, ANSWER) == SPANS
    assert entities_of("", {"tags": [], "start": [], "end": [], "scores": []}) == []


def test_spans_are_marked_and_all_else_is_escaped():
    page = marked_text(TEXT, SPANS)
    assert page.count("<mark") == 2
    assert " &lt;x&gt; flew to " in page
    assert ">PER</span>" in page
    assert marked_text("<b>", [{"start": 0, "end": 3, "label": "<i>"}]).count("<b>") == 0


def test_a_tagger_answers_spans():
    predictor = zoo.load("conll-bilstm-crf")
    sentences = ["  Anna   Berg flew\tto  Oslo .", "", "nothing", "👍🏽 Peter of \xe9 UNESCO"]
    answers = predictor.predict(pd.DataFrame({"text": sentences}))
    assert any(answer["entities"] for answer in answers)
    for sentence, answer in zip(sentences, answers, strict=True):
        for span in answer["entities"]:
            assert sentence[span["start"] : span["end"]] == span["text"]
            assert 0 < span["score"] <= 1
        assert answer["entities"] == entities_of(sentence, answer)
        assert answer._repr_html_().count("<mark") == len(answer["entities"])


TOKENS = [["Anna", "Berg", "flew"], ["Oslo"]]
DATA = zoo.get_recipe("conll-bilstm").dataset


@pytest.mark.parametrize(
    "given",
    [
        (TOKENS, [["I-PER", "I-PER", "O"], ["I-LOC"]]),
        [(TOKENS[0], ["B-PER", "E-PER", "O"]), (TOKENS[1], ["S-LOC"])],
        pd.DataFrame({"tokens": TOKENS, "tags": [["B-PER", "I-PER", "O"], ["B-LOC"]]}),
        [
            {"tokens": TOKENS[0], "tags": ["B-PER", "I-PER", "O"]},
            {"tokens": TOKENS[1], "tags": ["B-LOC"]},
        ],
    ],
)
def test_sentences_in_memory_are_read_as_those_of_a_file(given):
    assert load_rows(DATA, parse_origin(given)) == {
        "text": ["Anna Berg flew", "Oslo"],
        "tokens": TOKENS,
        "tags": [["B-PER", "I-PER", "O"], ["B-LOC"]],
    }


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ([["O", "O"], ["O"]], "row 0 has 3 tokens and 2 tags"),
        ([["O", "O", "PERSON"], ["O"]], "row 0 has 'PERSON', which is not a tag"),
        (["OOO", ["O"]], "row 0: 'tags' must be a list of texts"),
        ([["B-PER", "E-PER", "O"], ["B-LOC"]], "does not end"),
    ],
)
def test_sentences_in_memory_that_are_wrong(tags, says):
    with pytest.raises(zoo.ZooError, match=says):
        load_rows(DATA, parse_origin((TOKENS, tags)))
