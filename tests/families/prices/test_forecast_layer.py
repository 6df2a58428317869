"""The head and the loss of forecasts: a base to begin with, and SciPy's densities."""

import keras
import numpy as np
import pytest
from scipy import stats

from recipes.prices.layers import ForecastHead
from recipes.prices.losses import ForecastLoss, student_nats

RANDOM = np.random.default_rng(0)


def test_a_head_begins_at_its_base():
    output = np.asarray(ForecastHead(3)(RANDOM.standard_normal((2, 5, 7)).astype("float32")))
    assert output.shape == (2, 5, 3, 4)
    assert output.dtype == np.float32
    assert not output[..., 0].any()
    np.testing.assert_allclose(output[0, 0, :, 3], [1, 2, 3])  # of the variance of one step
    np.testing.assert_allclose(output[0, 0, :, 1] / output[0, 0, 0, 1], np.sqrt([1, 2, 3]), 1e-5)
    assert (output[..., 2] > 2).all()
    # Nearly the base's deviation, which a Student's t has for a smaller scale.
    spread = stats.t(float(output[0, 0, 0, 2]), scale=float(output[0, 0, 0, 1])).std()
    assert spread == pytest.approx(1, abs=0.1)


def test_a_head_is_saved(tmp_path):
    inputs = keras.Input((None, 7))
    model = keras.Model(inputs, ForecastHead(2)(inputs))
    model.layers[-1].dense.kernel.assign(RANDOM.standard_normal((7, 8)))
    model.save(tmp_path / "head.keras")
    loaded = keras.models.load_model(tmp_path / "head.keras")
    x = RANDOM.standard_normal((1, 4, 7)).astype("float32")
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(loaded(x)))


@pytest.mark.parametrize("df", [2.1, 4.0, 30.0, 300.0])
def test_nats_are_scipys(df):
    values = np.float32([-6, -0.5, 0, 2])
    parameters = (keras.ops.convert_to_tensor(x, "float32") for x in (0.2, 0.7, df))
    ours = student_nats(values, *parameters)
    expected = -stats.t.logpdf(values, df, 0.2, 0.7)
    np.testing.assert_allclose(np.asarray(ours), expected, atol=1e-4)


def test_the_loss_is_the_mean_over_days_with_a_target():
    pred = np.abs(RANDOM.standard_normal((2, 3, 2, 4))).astype("float32") + 2.1
    true = RANDOM.standard_normal((2, 3, 2, 3)).astype("float32")
    true[..., 1] = np.abs(true[..., 1])
    true[..., 2] = [[[1, 1], [1, 0], [0, 0]], [[1, 1], [0, 0], [0, 0]]]
    true[..., :2] *= true[..., 2:]
    location, scale, df, variance = np.moveaxis(pred.astype(float), -1, 0)
    nats = -stats.t.logpdf(true[..., 0], df, location, scale)
    terms = (nats + 0.5 * (np.log(variance) + true[..., 1] / variance)) * true[..., 2]
    expected = terms.mean(axis=-1).sum() / 3  # three days have a target
    assert float(ForecastLoss(0.5)(true, pred)) == pytest.approx(expected, rel=1e-5)
    padded = [np.pad(part, [(0, 0), (0, 4), (0, 0), (0, 0)], mode="edge") for part in (true, pred)]
    padded[0][:, 3:] = 0
    assert float(ForecastLoss(0.5)(*padded)) == pytest.approx(expected, rel=1e-5)
    assert (
        keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(ForecastLoss(0.5))
        ).qlike
        == 0.5
    )
