"""The mean of weights over steps: validated and kept, while training goes on without it."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import Interrupted, UsageError, ZooError
from zoo.scores import Monitor
from zoo.training import checkpoint, fit
from zoo.training.averages import ValidateAveraged, averaged, keep_epoch, take_mean
from zoo.training.diagnostics import layer_names
from zoo.training.optimizer import compile_model, default_optimizer

X, Y = np.ones((8, 3), "float32"), np.full((8, 1), 9.0, "float32")


def model_of(config, callbacks=()):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile(default_optimizer(config, 5, layer_names(model)), "mse", jit_compile=False)
    return model


def kernel(model):
    return np.copy(np.asarray(model.layers[-1].kernel))


@pytest.mark.parametrize("average", [0.2, 0.999])
def test_the_mean_is_that_of_the_formula_and_the_weights_come_back_to_the_bit(average):
    model, plain = model_of(zoo.Config(warmup=0, average=average)), model_of(zoo.Config(warmup=0))
    mean = None
    for step in range(1, 7):
        model.train_on_batch(X, Y)
        plain.train_on_batch(X, Y)
        momentum = min(average, (step - 1) / (step + 8))
        mean = kernel(plain) if mean is None else momentum * mean + (1 - momentum) * kernel(plain)
    np.testing.assert_array_equal(kernel(model), kernel(plain))
    with averaged(model):
        np.testing.assert_allclose(kernel(model), mean, rtol=1e-5)
    np.testing.assert_array_equal(kernel(model), kernel(plain))
    assert model.optimizer.get_config()["ema_momentum"] == average


def test_a_short_training_keeps_what_it_has_learned(tmp_path):
    settings = {"average": 0.999, "epochs": 4}
    run = zoo.train(
        "digits-mlp", tmp_path / "run", settings=settings, baselines=False, quiet=True
    )  # fmt: skip
    assert run.metrics["validation"] > 0.8  # of ten classes; 0.17 with a constant momentum


def test_without_a_mean_nothing_changes():
    model = model_of(zoo.Config(warmup=0))
    model.train_on_batch(X, Y)
    before = kernel(model)
    with averaged(model):
        np.testing.assert_array_equal(kernel(model), before)


def test_validation_is_that_of_the_mean_and_training_is_not_disturbed():
    config = zoo.Config(warmup=0, average=0.9, learning_rate=0.1)
    model, alone = model_of(config), model_of(config)
    options = {"batch_size": 8, "epochs": 2, "verbose": 0, "shuffle": False}
    logs = model.fit(
        X, Y, validation_data=(X, Y), callbacks=[ValidateAveraged()], **options
    ).history  # fmt: skip
    alone.fit(X, Y, **options)
    np.testing.assert_array_equal(kernel(model), kernel(alone))
    with averaged(model):
        expected = model.evaluate(X, Y, verbose=0)
    assert logs["val_loss"][-1] == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-3)


def test_a_run_keeps_the_mean_and_resumes_to_the_bit(tmp_path, monkeypatch, weights):
    settings = {"units": 4, "embedding": 4, "epochs": 2, "average": 0.9, "batch_size": 2}
    options = {
        "data": "sample", "settings": settings, "deterministic": True, "baselines": False,
        "quiet": True, "checkpoint_seconds": 0.0,
    }  # fmt: skip
    whole = zoo.train("imdb-lstm", tmp_path / "whole", **options)
    save = checkpoint.save

    def stop(folder, model, state, *, write=True):
        save(folder, model, state, write=write)
        if (state.epoch, state.step) == (1, 2):
            raise Interrupted(2, 2, 15)

    monkeypatch.setattr(checkpoint, "save", stop)
    with pytest.raises(Interrupted):
        zoo.train("imdb-lstm", tmp_path / "stopped", **options)
    monkeypatch.setattr(checkpoint, "save", save)
    kept = []
    monkeypatch.setattr(fit, "finish", lambda *_: kept.append(1))
    run = zoo.train("imdb-lstm", tmp_path / "stopped", **options)
    assert kept
    for name in ("model-last.keras", "model-best.keras"):
        first, second = (weights(path / name) for path in (whole.path, run.path))
        for key, value in first.items():
            np.testing.assert_array_equal(second[key], value, err_msg=f"{name} {key}")
    # What is kept is the mean, not what the last step left.
    _, values, _ = checkpoint.newest(run.path / "checkpoint")
    last = zoo.load(whole.path).folder / "model-last.keras"
    model = zoo.load(whole.path).model
    model.load_weights(last)
    assert not np.array_equal(np.asarray(model.variables[0]), values[0])


def test_the_mean_of_epochs_is_that_of_the_last_ones(tmp_path):
    model = model_of(zoo.Config())
    kernels = []
    for epoch in range(1, 5):
        model.train_on_batch(X, Y)
        kernels.append(kernel(model))
        keep_epoch(tmp_path, model, epoch, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "weights-00003.npz",
        "weights-00004.npz",
    ]
    assert take_mean(tmp_path, model, 4, 2) == 2
    np.testing.assert_allclose(kernel(model), (kernels[2] + kernels[3]) / 2, rtol=1e-6)
    damaged = tmp_path / "weights-00003.npz"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    with pytest.raises(ZooError, match=r"weights-00003\.npz is damaged"):
        take_mean(tmp_path, model, 4, 2)
    damaged.unlink()
    assert take_mean(tmp_path, model, 4, 2) == 0  # of one epoch there is no mean


@pytest.mark.parametrize("better", [True, False])
def test_a_run_keeps_the_mean_of_epochs_where_it_is_better(better, tmp_path, monkeypatch, capsys):
    improved = Monitor.improved
    means = []

    def decide(self, score, best):
        return better if means else improved(self, score, best)

    def mean(*arguments):
        means.append(take_mean(*arguments))
        return means[-1]

    monkeypatch.setattr(Monitor, "improved", decide)
    monkeypatch.setattr(fit, "take_mean", mean)
    settings = {"units": 4, "embedding": 4, "epochs": 2, "average_epochs": 2}
    run = zoo.train("imdb-lstm", tmp_path / "run", data="sample", settings=settings,
                    baselines=False)  # fmt: skip
    assert means == [2]
    out = capsys.readouterr().out
    assert "the mean of the last 2 epochs: val_accuracy 0." in out
    assert ("testing the mean of the last 2 epochs" in out) == better
    assert ("testing the weights of epoch " in out) != better
    said = "Weights: the mean of the last 2 epochs." in (run.path / "card.md").read_text()
    assert said == better
    assert not (run.path / "checkpoint").exists()

    means.clear()
    before = run.metrics  # of lost metrics, the same ones are measured again
    (run.path / "metrics.json").unlink()
    zoo.train("imdb-lstm", run.path, data="sample", settings=settings, baselines=False)
    out = capsys.readouterr().out
    assert ("testing the mean of the last 2 epochs" in out) == better
    for key in ("validation", "weights", "best_epoch", "test"):
        assert run.metrics.get(key) == before.get(key), key


def test_a_momentum_is_below_one():
    with pytest.raises(ValueError, match="'average' must be at least 0, and below 1"):
        zoo.Config(average=1.0)


def test_a_recipe_with_its_own_optimizer_has_no_mean():
    class Own:
        name = "own"

        def optimizer(self, config, steps):
            return keras.optimizers.SGD()

    with pytest.raises(UsageError, match="has its own optimizer"):
        compile_model(Own(), zoo.Config(average=0.9), None, model_of(zoo.Config()), 1)
