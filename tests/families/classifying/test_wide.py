"""The wide part: what the graph computes is what scikit-learn has fitted."""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from recipes.classifying import small, wide
from recipes.classifying.targets import (
    ClassAccuracy,
    ClassCrossEntropy,
    LogitWeighting,
    with_logits,
)
from zoo.data.batching import Ragged
from zoo.errors import ZooError

BASE = 12
ROWS = [[2, 3, 3, 4], [5, 3], [2, 3, 2, 3, 2], [6], [7, 8, 9, 5, 5], [5, 3, 7], [2, 4], [9, 9]]
LABELS = ["a", "b", "a", "b", "c", "b", "a", "c"]


def ragged(rows):
    return Ragged([np.array(row, "int32") for row in rows])


def tfidf():
    """TF-IDF of ids as scikit-learn has it."""
    return TfidfVectorizer(
        tokenizer=str.split, token_pattern=None, ngram_range=(1, 2), sublinear_tf=True
    )


def reference(features, labels, asked, model):
    """Logits `(classes, rows)` by scikit-learn; the ratios as Wang & Manning 2012, of presences."""
    regression = LogisticRegression(C=model["strength"], max_iter=1000)
    names = sorted(set(labels))
    if not model["ratios"]:
        logits = regression.fit(features, labels).decision_function(asked).T
        return logits if len(names) > 2 else np.stack([0 * logits, logits])
    logits = []
    for name in names if len(names) > 2 else names[1:]:
        of = np.array(labels) == name
        p, q = (1 + np.count_nonzero(features[part], axis=0) for part in (of, ~of))
        ratio = np.log((p / p.sum()) / (q / q.sum()))
        logits.append(regression.fit(features * ratio, of).decision_function(asked * ratio))
    return np.array(logits if len(names) > 2 else [0 * logits[0], *logits])


@pytest.mark.parametrize("shares", [(0.0,), (1.0,), (0.5,)])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_graph_answers_as_scikit_learn(classes, shares, monkeypatch):
    monkeypatch.setattr(wide, "SHARES", shares)
    kept = [place for place, label in enumerate(LABELS) if classes == 3 or label != "c"]
    rows, labels = [ROWS[place] for place in kept], [LABELS[place] for place in kept]
    learnt = wide.fit(ragged(rows), labels, BASE)
    assert [model["ratios"] for model in learnt["models"]] == [
        ratios for ratios in (False, True) if shares != (float(not ratios),)
    ]
    texts = [" ".join(map(str, row)) for row in rows]
    vectoriser = tfidf()
    features = vectoriser.fit_transform(texts).toarray()
    # Of the last, nothing is known but a word.
    unseen = [[3, 2, 3, 9, 3], [5, 11], [4], [7, 7, 7, 7]]
    asked = vectoriser.transform(" ".join(map(str, row)) for row in [*rows, *unseen]).toarray()
    expected = softmax(
        sum(
            wide.ROOM * model["factor"] * reference(features, labels, asked, model)
            for model in learnt["models"]
        ),
        axis=0,
    ).T
    ids = ragged([*rows, *unseen]).padded(np.arange(len(rows) + len(unseen)))
    answers = wide.wide_logits(learnt)(ids)
    assert answers.shape == (len(ids), classes)
    np.testing.assert_allclose(keras.ops.softmax(answers), expected, atol=1e-3)


def test_a_word_that_is_not_kept_does_not_count(monkeypatch):
    whole = wide.features_of(ragged(ROWS), BASE)[2]
    monkeypatch.setattr(wide, "MAX_NGRAMS", 4)
    keys, _, features = wide.features_of(ragged(ROWS), BASE)
    assert features.shape[1] == len(keys) == 4
    kept = [sum(key in wide.ngram_keys(np.array(row), BASE)[0] for key in keys) for row in ROWS]
    assert features.getnnz(axis=1).tolist() == kept
    assert features.nnz < whole.nnz


def test_the_scale_has_the_least_loss():
    logits = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    truth = np.array([1, 0, 1, 0])  # three of four are right: odds of 3 to 1
    loss, scale = wide._best_scale(logits, truth)
    assert scale == pytest.approx(np.log(3), rel=0.03)
    assert loss == pytest.approx(np.mean(wide.cross_entropies(scale * logits, truth)))


def test_it_survives_saving_and_is_silent_in_training(tmp_path):
    layer = wide.wide_logits(wide.fit(ragged(ROWS), LABELS, BASE))
    ids = keras.Input((None,), dtype="int32")
    keras.Model(ids, layer(ids)).save(tmp_path / "wide.keras")
    again = keras.saving.load_model(tmp_path / "wide.keras")
    batch = ragged(ROWS).padded(np.arange(len(ROWS)))
    np.testing.assert_array_equal(again(batch), layer(batch))
    assert not np.any(layer(batch, training=True))
    assert not layer.trainable_weights


def test_logits_of_a_training_row_are_of_models_that_have_not_seen_it():
    learnt = wide.fit(ragged(ROWS), LABELS, BASE)
    before = wide.held_out_logits(ragged(ROWS), LABELS, ["a", "b", "c"], learnt)
    changed = ["b", *LABELS[1:]]  # of the first row
    after = wide.held_out_logits(ragged(ROWS), changed, ["a", "b", "c"], learnt)
    assert before.shape == (len(ROWS), 3)
    assert np.isfinite(before).all()
    assert np.abs(after[1:] - before[1:]).max() > 0.01
    # A class whose only row is held out has the lowest logit there.
    alone = wide.held_out_logits(ragged([*ROWS, [10]]), [*LABELS, "d"], [*"abcd"], learnt)
    assert alone[-1, 3] == alone[-1].min()


def test_rows_that_are_all_right_do_not_make_it_certain():
    truth = np.arange(30) % 3
    logits = 5.0 * np.eye(3)[truth]
    loss, scale = wide._best_scale(logits, truth)
    assert loss == pytest.approx(1 / 32)
    assert np.mean(wide.cross_entropies(scale * logits, truth)) == pytest.approx(1 / 32, rel=0.3)


def test_a_run_of_an_earlier_version_says_how_to_train_it():
    learnt = wide.fit(ragged(ROWS), LABELS, BASE)
    del learnt["models"]
    with pytest.raises(ZooError, match="--overwrite"):
        wide.held_out_logits(ragged(ROWS), LABELS, ["a", "b", "c"], learnt)


def test_the_loss_adds_logits_that_come_with_the_target():
    y = np.array([0, 2])
    logits = np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]], "float32")
    network = np.array([[0.5, 0.0, 0.2], [0.1, 0.3, 3.0]], "float32")
    both = with_logits(y, logits)
    alone = keras.ops.softmax(network)
    loss = ClassCrossEntropy()(both, alone)
    assert float(loss) == pytest.approx(
        float(ClassCrossEntropy()(y, keras.ops.softmax(network + logits))), rel=1e-5
    )
    accuracy = ClassAccuracy()
    accuracy.update_state(both, alone)
    assert float(accuracy.result()) == 1.0


def test_weights_of_classes_are_in_targets_with_logits():
    y = np.zeros((3, 2, 2), "float32")
    y[:, 0] = [[1, 0], [0, 1], [1, 0]]
    y[:, 1] = 7
    both, weighting = np.array([2.0, 3.0]), LogitWeighting()
    assert weighting.classes(y).tolist() == [0, 1, 0]
    found = weighting.weighted(y, both)
    np.testing.assert_array_equal(found[:, 0], [[2, 0], [0, 3], [2, 0]])
    # w p, up to a factor, has the least loss weighted by w, if p has the least one without.
    np.testing.assert_allclose(found[:, 1] - 7, np.log([[2, 3]] * 3), rtol=1e-6)
    assert y[0, 0, 0] == 1  # it was not changed
    found = weighting.weighted(np.array([1, 0]), both)  # classes of validation rows
    np.testing.assert_array_equal(found[:, 0], [[0, 3], [2, 0]])
    np.testing.assert_allclose(found[:, 1], np.log([[2, 3]] * 2), rtol=1e-6)


@pytest.mark.parametrize(
    ("rows", "expected"), [(180, (8, 18, 5)), (900, (16, 8, 2)), (18_000, (64, 3, 2))]
)
def test_settings_follow_the_rows(rows, expected):
    settings = small.settings(rows, epochs=3, batch_size=64, patience=2)
    assert (settings["batch_size"], settings["epochs"], settings["patience"]) == expected
    assert settings["wide"]
    based = small.settings(rows, epochs=3, batch_size=64, patience=2, based=True)
    assert based == {name: value for name, value in settings.items() if name != "wide"}


def test_many_rows_keep_the_settings_of_the_recipe():
    assert small.settings(30_000, epochs=3, batch_size=64, patience=2) == {}


def network(knows):
    """A model of three classes: the wide part, and a network that knows words or nothing."""
    learnt = wide.fit(ragged(ROWS), LABELS, BASE)
    ids = keras.Input((None,), dtype="int32")
    words = keras.layers.Embedding(BASE, 3, name="words")
    correction = keras.layers.Dense(3, name="correction")
    pooled = keras.layers.GlobalAveragePooling1D()(words(ids))
    total = keras.layers.Add()([wide.wide_logits(learnt)(ids), correction(pooled)])
    model = keras.Model(ids, keras.layers.Softmax()(total))
    table = np.zeros((BASE, 3), "float32")
    if knows:
        table[[10, 11, 1], [0, 1, 2]] = 5.0
    words.set_weights([table])
    correction.set_weights([np.eye(3, dtype="float32"), np.array([0.3, 0.0, -0.3], "float32")])
    return model, learnt


@pytest.mark.parametrize("helps", [True, False])
def test_the_network_stays_where_validation_shows_that_it_helps(helps):
    # Words that the linear model has not seen.
    validation = ragged([[10], [11, 11], [1], [11], [10, 10], [1, 1]]), [*"abcbac"]
    model, learnt = network(knows=helps)
    batch = ragged([[10], [3, 11], [6]]).padded(np.arange(3))
    facts = wide.finalise(model, learnt, [*"abc"], (ragged(ROWS), LABELS), validation, {})
    answers = model(batch)
    assert np.any(model.get_layer("correction").get_weights()[0]) == helps
    assert (facts["share"] < 1) == helps
    assert (facts["together"] > facts["wide"]) == helps
    assert ("corrected by the network" in facts["text"]) == helps
    assert ("answers alone" in facts["text"]) != helps
    if not helps:
        alone = keras.ops.softmax(model.get_layer("wide")(batch))
        np.testing.assert_allclose(answers, alone, atol=1e-6)


@pytest.mark.parametrize("helps", [True, False])
def test_the_linear_part_is_smaller_beside_the_network(helps):
    validation = ragged([[10], [11, 11], [1], [11], [10, 10], [1, 1]]), [*"abcbac"]
    model, learnt = network(knows=helps)
    wide.finalise(model, learnt, [*"abc"], (ragged(ROWS), LABELS), validation, {})
    layer = model.get_layer("wide")
    asked = ragged(ROWS).padded(np.arange(len(ROWS)))
    found = layer(asked)
    rows = ragged([*ROWS, [10], [11, 11], [1], [11], [10, 10], [1, 1]])
    keys, idf = np.array(learnt["keys"]), np.array(learnt["idf"])
    features = wide._tfidf(*wide._counts(rows, BASE), keys, idf)
    truth = np.array(["abc".index(label) for label in [*LABELS, *"abcbac"]])
    whole = wide._weights(features, truth, learnt["models"], 1.0)
    wide._give(layer, {**learnt, **whole})
    part = 6 / (6 + wide.SHRINKAGE)  # of the network, by the number of validation rows
    factor = 1 - (1 - wide.ROOM) * part if helps else 1
    np.testing.assert_allclose(found, factor * layer(asked), rtol=2e-3, atol=1e-3)


def test_one_validation_row_shows_nothing():
    model, learnt = network(knows=True)
    alone = ragged([[10]]), ["a"]
    facts = wide.finalise(model, learnt, [*"abc"], (ragged(ROWS), LABELS), alone, {})
    assert facts["share"] == 1


def test_a_network_that_has_learnt_class_weights_counts_whole():
    model, learnt = network(knows=True)
    validation = ragged([[10], [11, 11], [1], [11], [10, 10], [1, 1]]), [*"abcbac"]
    given = [*"abc"], (ragged(ROWS), LABELS), validation, {"c": 2.0}
    before = model.get_layer("correction").get_weights()[0]
    wide.finalise(model, learnt, *given)
    np.testing.assert_array_equal(model.get_layer("correction").get_weights()[0], before)


def test_a_linear_model_that_answers_alone_counts_rows_by_their_class():
    answers = {}
    for weight in (1.0, 9.0):
        model, learnt = network(knows=False)
        validation = ragged([[2, 3], [5, 3], [9]]), [*"abc"]
        given = [*"abc"], (ragged(ROWS), LABELS), validation, {"c": weight}
        facts = wide.finalise(model, learnt, *given)
        assert facts["text"].endswith("by class_weight")
        answers[weight] = np.asarray(model(ragged([[6, 7]]).padded(np.arange(1))))[0]
    # With the weight w, w p has the least loss.
    odds = {weight: answer[2] / answer[0] for weight, answer in answers.items()}
    assert odds[9.0] == pytest.approx(9 * odds[1.0], rel=1e-3)


@pytest.mark.parametrize(
    ("form", "needs", "operation"),
    [("onnx_graph", "onnxruntime", "TopKV2"), ("litert", "ai_edge_litert", "LowerBound")],
)
def test_a_format_that_cannot_hold_it_names_the_operation(form, needs, operation):
    pytest.importorskip(needs, reason="needs an extra")
    converter = importlib.import_module(f"zoo.serving.portable.{form}")
    learnt = wide.fit(ragged(ROWS), LABELS, BASE)
    ids = keras.Input((None,), dtype="int32", name="ids")
    model = keras.Model(ids, wide.wide_logits(learnt)(ids))
    spec = tf.TensorSpec([None, None], tf.int32, name="ids")
    given = [model] if form == "onnx_graph" else []
    says = f"has the operation {operation}.*, which .* does not know. Use another format"
    with pytest.raises(ZooError, match=says):
        converter.convert(lambda ids: {"logits": model(ids)}, [spec], *given)
