"""The lookup of names seen in training."""

from recipes.tagging.baselines import entity_baselines, learn_entities, tag_entities


def test_the_most_frequent_class_then_the_first_of_the_alphabet():
    tokens = [["Rome"], ["Rome"], ["Rome"], ["Ely"], ["Ely"], ["New", "Ely"]]
    tags = [["B-ORG"], ["B-ORG"], ["B-LOC"], ["B-PER"], ["B-LOC"], ["B-ORG", "I-ORG"]]
    assert learn_entities(tokens, tags) == {
        ("Rome",): "ORG",
        ("Ely",): "LOC",
        ("New", "Ely"): "ORG",
    }


def test_the_longest_name_wins_from_the_left():
    names = {("a",): "X", ("a", "b"): "Y", ("b", "c", "d"): "Z", ("b",): "W"}
    assert tag_entities(["a", "b", "c", "d", "a", "b", "b"], names) == (
        ["B-Y", "I-Y", "O", "O", "B-Y", "I-Y", "B-W"]
    )
    assert tag_entities(["e", "b", "c", "d"], names) == ["O", "B-Z", "I-Z", "I-Z"]
    assert tag_entities(["a"], {}) == ["O"]
    assert tag_entities([], names) == []


def test_scores():
    train = {"tokens": [["Ann", "ran"], ["Bo"]], "tags": [["B-PER", "O"], ["B-PER"]]}
    test = {"tokens": [["Ann", "saw", "Cy"]], "tags": [["B-PER", "O", "B-PER"]]}
    scores = entity_baselines(train, test)["seen-entities"]
    assert (scores["precision"], scores["recall"]) == (1.0, 0.5)
