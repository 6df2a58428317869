"""Adversarial and virtual adversarial training of classifiers of text."""

import contextlib
import json
import os
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from recipes.classifying import perturbation, targets
from zoo.errors import Interrupted, UsageError
from zoo.training.train_step import TrainStep, plain_loss, use_training_loss

TEXTS = ["a film to see again , and not only for the plot", "too long", "the plot is too thin"]
TINY = {"units": 4, "embedding": 4, "epochs": 2, "batch_size": 4}
MOVED = {"adversarial": 0.5, "virtual_adversarial": 0.5, "normalised_vectors": True}


def network(**settings):
    """A network of the sample, and a batch with padding."""
    keras.utils.set_random_seed(1)
    settings = {"units": 8, "embedding": 8, **settings}
    model, preprocessor = zoo.create("imdb-bilstm", data="sample", settings=settings)
    config, assets = preprocessor.config, preprocessor.assets
    preprocessor.recipe.initialise(config, assets, model)
    x, y = preprocessor({"text": TEXTS, "label": ["positive", "negative", "negative"]})
    assert (np.asarray(x) == 0).any()
    return model, tf.constant(x), tf.constant(y)


def step_of(x, y):
    loss = targets.ClassCrossEntropy()
    return TrainStep(x, y, contextlib.nullcontext, lambda p: loss(y, p), tf.reduce_mean)


@pytest.fixture
def moves(monkeypatch):
    """Every perturbation that a loss makes."""
    made, scale = [], perturbation.scale

    def scale_and_keep(*arguments):
        made.append(scale(*arguments))
        return made[-1]

    monkeypatch.setattr(perturbation, "scale", scale_and_keep)
    return made


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_a_perturbation_has_the_norm_of_the_setting_and_leaves_padding(size):
    vectors = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32") * np.float32(size)
    vectors[2] = 0
    real = np.ones((3, 5, 1), "float32")
    real[1, 2:] = 0
    found = np.asarray(perturbation.scale(vectors, real, 5.0))
    np.testing.assert_allclose(np.linalg.norm(found, axis=(1, 2)), [5, 5, 0], rtol=1e-5)
    assert not found[1, 2:].any()
    cosine = (found[0] * vectors[0]).sum() / np.linalg.norm(vectors[0].astype(float)) / 5
    assert cosine == pytest.approx(1, rel=1e-5)


def test_the_loss_rises_more_than_in_any_of_many_random_directions(moves):
    model, x, y = network(dropout=0.0, word_dropout=0.0)
    y_pred, total = perturbation.training_loss(model, 0.1, 0.0)(step_of(x, y))
    (move,) = moves
    real = np.asarray(x)[..., None] != 0
    assert not np.where(real, 0, move).any()
    layer = model.get_layer("word_dropout")
    vectors_of = keras.Model(model.input, layer.output)
    answer_to = keras.Model([model.input, layer.output], model.output)

    def losses(perturbation):
        found = answer_to([x, vectors_of(x) + perturbation], training=False)
        return keras.losses.sparse_categorical_crossentropy(y, found).numpy()

    clean, moved = losses(0), losses(np.asarray(move))
    assert (moved > clean).all()
    assert float(total) == pytest.approx(clean.mean() + moved.mean(), rel=1e-4)
    np.testing.assert_allclose(y_pred, model(x), rtol=1e-5)
    generator = np.random.default_rng(0)
    for _ in range(20):
        noise = perturbation.scale(generator.normal(size=move.shape), real.astype("float32"), 0.1)
        assert (moved > losses(np.asarray(noise))).all()


def test_the_answer_changes_more_than_in_most_random_directions(moves):
    model, x, y = network(dropout=0.0, word_dropout=0.0)
    y_pred, total = perturbation.training_loss(model, 0.0, 1.0)(step_of(x, y))
    noise, move = moves
    np.testing.assert_allclose(np.linalg.norm(noise, axis=(1, 2)), perturbation.SMALL, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(move, axis=(1, 2)), 1.0, rtol=1e-5)
    layer = model.get_layer("word_dropout")
    vectors = keras.Model(model.input, layer.output)(x)
    answer_to = keras.Model([model.input, layer.output], model.output)

    def divergences(perturbation):
        return keras.losses.kl_divergence(y_pred, answer_to([x, vectors + perturbation])).numpy()

    clean = keras.losses.sparse_categorical_crossentropy(y, y_pred).numpy().mean()
    moved = divergences(np.asarray(move))
    assert float(total) == pytest.approx(clean + moved.mean(), rel=1e-4)
    real = (np.asarray(x)[..., None] != 0).astype("float32")
    generator = np.random.default_rng(0)
    randoms = [
        divergences(perturbation.scale(generator.normal(size=move.shape), real, 1.0).numpy())
        for _ in range(20)
    ]
    assert (moved > np.mean(randoms, axis=0)).all()
    assert moved.mean() > np.max(np.mean(randoms, axis=1))


def test_all_passes_of_a_step_hide_the_same():
    model, x, y = network()
    before = [np.asarray(v) for v in model.variables if "seed" in v.name]
    y_pred, total = perturbation.training_loss(model, 1e-6, 0.0)(step_of(x, y))
    clean = keras.losses.sparse_categorical_crossentropy(y, y_pred).numpy().mean()
    assert float(total) == pytest.approx(2 * clean, rel=1e-4)
    assert not np.allclose(y_pred, model(x))  # something is hidden
    after = [np.asarray(v) for v in model.variables if "seed" in v.name]
    assert len(after) == len(before) + 1  # checkpoints have the state of the noise
    y_pred, total = perturbation.training_loss(model, 0.0, 1e-6)(step_of(x, y))
    clean = keras.losses.sparse_categorical_crossentropy(y, y_pred).numpy().mean()
    assert float(total) == pytest.approx(clean, rel=1e-4)


def test_of_a_network_that_corrects_a_linear_model_their_common_answer_changes(moves):
    model, x, y = network(dropout=0.0, word_dropout=0.0)
    logits = np.tile(np.array([[3.0, 0.0]], "float32"), (len(y), 1))
    both = tf.stack([tf.one_hot(y, 2), logits], axis=1)
    y_pred, total = perturbation.training_loss(model, 0.0, 1.0)(step_of(x, both))
    layer = model.get_layer("word_dropout")
    vectors = keras.Model(model.input, layer.output)(x)
    moved = keras.Model([model.input, layer.output], model.output)([x, vectors + moves[-1]])
    expected = [
        keras.ops.softmax(np.log(np.asarray(answer)) + logits) for answer in (y_pred, moved)
    ]
    added = keras.losses.kl_divergence(*expected).numpy().mean()
    clean = targets.ClassCrossEntropy()(both, y_pred)
    assert float(total) == pytest.approx(float(clean) + added, rel=1e-4)


def test_word_vectors_stay_normalised_by_frequency():
    embedding = keras.layers.Embedding(5, 3)
    embedding.build()
    counts = [0, 10, 5, 0, 1]
    perturbation.keep_normalised(embedding, counts)
    shares = np.array(counts) / sum(counts)

    def check():
        vectors = np.asarray(embedding.embeddings)
        mean = shares @ vectors
        np.testing.assert_allclose(mean, 0, atol=1e-5)
        np.testing.assert_allclose(shares @ (vectors - mean) ** 2, 1, rtol=1e-4)

    check()
    model = keras.Sequential([keras.Input((None,)), embedding, keras.layers.Dense(1)])
    model.compile("adam", "mse", jit_compile=False)
    model.fit(np.array([[1, 2], [4, 1]]), np.ones((2, 2, 1)), verbose=0)
    check()
    # The file of a network needs nothing but Keras.
    assert "constraint': None" in str(embedding.get_config())


def test_a_step_with_the_usual_loss_is_that_of_keras():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")

    def trained(ours):
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Dropout(0.5), keras.layers.Dense(2, activation="softmax")]
        model = keras.Sequential([keras.Input((3,)), *layers])
        loss, metrics = targets.ClassCrossEntropy(), [targets.ClassAccuracy()]
        model.compile("adam", loss, metrics=metrics, jit_compile=False)
        if ours:
            use_training_loss(model, plain_loss(model))
        options = {"class_weight": {0: 1.0, 1: 3.0}, "shuffle": False, "verbose": 0}
        history = model.fit(x, np.arange(6) % 2, batch_size=4, epochs=2, **options).history
        return history, model.get_weights()

    first, second = trained(False), trained(True)
    assert first[0] == second[0]
    for mine, theirs in zip(first[1], second[1], strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_without_perturbations_training_is_the_usual_one():
    model, *_ = network()
    assert perturbation.training_loss(model, 0.0, 0.0) is None


def train(folder, name="imdb-lstm", **options):
    options = {"settings": {**TINY, **MOVED}, **options}
    return zoo.train(
        name, folder, data="sample", baselines=False, deterministic=True, quiet=True, **options
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(tmp_path_factory.mktemp("perturbed") / "run")


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(run, tmp_path, monkeypatch, weights):
    from zoo.training import checkpoint

    save = checkpoint.save

    def stop(folder, model, state, *, write=True):
        save(folder, model, state, write=write)
        raise Interrupted(1, 1, 15)

    monkeypatch.setattr(checkpoint, "save", stop)
    with pytest.raises(Interrupted):
        train(tmp_path / "run")
    monkeypatch.setattr(checkpoint, "save", save)
    train(tmp_path / "run")
    first = weights(run.path / "model-last.keras")
    second = weights(tmp_path / "run" / "model-last.keras")
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)


def test_what_is_trained_is_the_usual_network(run, run_of, weights):
    usual = weights(run_of("imdb-lstm") / "model-last.keras").keys()
    assert weights(run.path / "model-last.keras").keys() == usual
    loaded = keras.saving.load_model(run.path / "model-best.keras")
    assert type(loaded) is keras.Model or type(loaded).__name__ == "Functional"
    assert zoo.load(run.path).predict(["a lovely film"])[0]["probabilities"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"precision": "mixed_bfloat16"},
        {"settings": {**TINY, **MOVED, "wide": True}},
        {"base": "run"},
    ],
    ids=["bfloat16", "wide", "from"],
)
def test_it_goes_together_with(options, run, tmp_path):
    if "base" in options:
        options = {"base": run.path, "settings": {"epochs": 1}}
    made = train(tmp_path / "run", **options)
    assert np.isfinite([row["loss"] for row in made.history]).all()
    config = json.loads((made.path / "config.json").read_text())["config"]
    assert config["virtual_adversarial"] == 0.5


def test_a_norm_below_zero_is_refused(tmp_path):
    with pytest.raises(UsageError, match="'adversarial' must be at least 0"):
        train(tmp_path / "run", settings={"adversarial": -1})
    assert not os.listdir(tmp_path)


REPLICAS = """
import sys
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import zoo
from zoo.training import fit

fit.check_served = fit.finish = lambda *_: None
settings = {"clip_norm": 0, "units": 8, "epochs": 2, "batch_size": 7, **MOVED}
for kind in ("none", "mirrored"):
    zoo.train("imdb-lstm", f"{sys.argv[1]}/{kind}", data="sample", settings=settings,
              strategy=kind, quiet=True)
"""


@pytest.mark.slow
def test_two_replicas_train_what_one_trains(tmp_path, python, weights):
    python([sys.executable, "-c", REPLICAS.replace("MOVED", repr(MOVED)), tmp_path])
    one, two = (weights(tmp_path / kind / "model-last.keras") for kind in ("none", "mirrored"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        distance = np.linalg.norm(two[name].astype(float) - value)
        assert distance <= 0.02 * np.linalg.norm(value) + 1e-6, name
