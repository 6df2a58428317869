"""An export answers odd input in any process, and answers what `predict` does."""

import json

import numpy as np
import pytest

import zoo
from zoo.serving import capabilities, graph


def leaves(answer):
    """Returns all numbers and all texts of an answer, lists and dicts opened."""
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list):
        found = [leaves(part) for part in answer]
        return [n for numbers, _ in found for n in numbers], [
            t for _, texts in found for t in texts
        ]
    return ([], [answer]) if isinstance(answer, str) else ([answer], [])


def assert_close(ours, theirs, tolerance):
    """Asserts that two lists of answers are equal, numbers up to a tolerance.

    Of numbers above 1, such as sums of log-probabilities, it is a share: they are rounded alike.
    """
    (numbers, texts), (their_numbers, their_texts) = leaves(ours), leaves(theirs)
    assert texts == their_texts
    size = np.maximum(1, np.abs(their_numbers))
    np.testing.assert_allclose(numbers / size, their_numbers / size, rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def name(chosen):
    return chosen


@pytest.mark.served
def test_signature(name, plain, predictor_of):
    found = plain[name]
    function = predictor_of(name).served().functions["serving_default"]
    assert "serving_default" in found["signatures"]
    assert found["inputs"] == {
        spec.name: [spec.dtype.name, spec.shape.as_list()] for spec in function.input_signature
    }
    assert all(shape[0] is None for _, shape in found["inputs"].values())
    assert not any(output.startswith("output_") for output in found["outputs"])


def test_a_run_can_do_what_the_recipe_says_that_it_serves(name, predictor_of):
    run = predictor_of(name)
    served = run.served()
    capabilities.check(served, name)
    assert run.capabilities == served.capabilities
    assert run.assets.encoder is run.assets.encoder
    for function in served.functions.values():
        definition = function.get_concrete_function().graph.as_graph_def()
        own = {each.signature.name for each in definition.library.function}
        inside = [each.node_def for each in definition.library.function]
        ops = {node.op for nodes in (definition.node, *inside) for node in nodes}
        assert ops - own <= graph.COMPUTING | graph._DECLARING


@pytest.mark.served
def test_an_export_can_do_what_its_run_can(name, predictor_of, export_of):
    assert zoo.load(export_of(name)).capabilities == predictor_of(name).capabilities


def test_a_run_answers_its_sample_in_one_line_each(name, predictor_of):
    recipe, predictor = zoo.get_recipe(name), predictor_of(name)
    sample = recipe.dataset.sample()
    inputs = {key: sample[key][:2] for key in predictor.input_names}
    for row, answer in enumerate(predictor.predict(inputs)):
        line = recipe.show({key: column[row] for key, column in inputs.items()}, answer)
        assert line.strip()
        assert "\n" not in line


@pytest.mark.served
def test_a_classifier_of_texts_returns_label_score_and_probabilities(name, plain, texts_only):
    predictor = texts_only(name)
    if not predictor.labels:
        pytest.skip(f"{name} tells no classes apart")
    found = plain[name]
    classes = len(predictor.labels)
    assert list(found["inputs"].values()) == [["string", [None]]]
    assert found["outputs"]["label"] == ["string", [None]]
    assert found["outputs"]["score"] == ["float32", [None]]
    assert found["outputs"]["probabilities"] == ["float32", [None, classes]]


@pytest.mark.served
def test_ops_are_those_of_tensorflow_itself(name, plain, export_of):
    from zoo.serving.export import ops_of

    found = plain[name]
    assert found["unknown"] == []
    assert not [op for op in found["ops"] if "cudnn" in op.lower()]
    assert set(found["ops"]) == ops_of(export_of(name)) & set(found["ops"])
    assert len(found["ops"]) > 10


@pytest.mark.served
def test_odd_input_is_answered(name, texts_only, odd):
    predictor = texts_only(name)
    given = [text for text, _ in odd]
    answers = predictor.predict(given)
    assert np.isfinite(leaves(answers)[0]).all()
    for answer in answers:
        json.dumps(answer, ensure_ascii=False).encode()  # no surrogates, no arrays
        if "probabilities" in answer:
            probabilities = answer["probabilities"]
            assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
            assert answer["score"] == max(probabilities.values())
            assert answer["label"] == max(probabilities, key=probabilities.__getitem__)
    # The same text as str and as bytes; in any batch.
    assert predictor.predict([text for _, text in odd]) == answers
    alone = [predictor.predict([text])[0] for text in given]
    assert_close(alone, answers, 1e-5)


@pytest.mark.served
def test_answers_stay_beside_their_texts(name, texts_only):
    predictor = texts_only(name)
    if predictor.input_names != ["text"]:
        pytest.skip(f"{name} takes no free text")
    texts = ["a film to love . " * (i % 5) + "dull mess " * (i % 3) for i in range(30)]
    assert len({str(answer) for answer in predictor.predict(texts)}) > 3
    alone = [predictor.predict([text])[0] for text in texts]
    for size in (7, 1000):
        together = predictor.predict(texts, batch_size=size)
        assert_close(together, alone, 1e-5)


@pytest.fixture(scope="module")
def predicted(name, texts_only, batches):
    """What the run answers to each batch."""
    predictor = texts_only(name)
    return [predictor.predict(batch, batch_size=1000) for batch in batches]


# Tags, classes, a text that goes on: to restore and to call are the same for all. That the other
# exports load there too, and have no operation but TensorFlow's, the tests above show.
@pytest.mark.few("characters", "entities", "sentiment")
@pytest.mark.parametrize("way", ["answers", "session"])
def test_a_plain_process_answers_what_predict_does(way, plain_answers, predicted, same):
    for ours, answers in zip(predicted, plain_answers[way], strict=True):
        same(ours, answers, 1e-6)


@pytest.mark.served
def test_a_loaded_export_answers_what_its_run_does(name, texts_only, export_of, batches, predicted):
    ours, theirs = texts_only(name), zoo.load(export_of(name))
    assert theirs.labels == ours.labels
    assert theirs.input_names == ours.input_names
    for batch, expected in zip(batches[-2:], predicted[-2:], strict=True):
        assert_close(theirs.predict(batch, batch_size=1000), expected, 1e-6)
