import keras
import numpy as np
import pytest

from zoo.layers import MaskedPooling

LENGTHS = np.array([1, 5, 3, 4])


def inputs(seed=0):
    values = np.random.default_rng(seed).normal(size=(4, 5, 3)).astype("float32") - 2
    return values, np.arange(5) < LENGTHS[:, None]  # (batch, time, units), (batch, time)


def reference(mode, values, lengths):
    pooled = {
        "last": lambda row: row[-1],
        "mean": lambda row: row.mean(0),
        "max": lambda row: row.max(0),
        "mean+max": lambda row: np.concatenate([row.mean(0), row.max(0)]),
    }[mode]
    return np.array([pooled(row[:n]) for row, n in zip(values, lengths, strict=True)])


@pytest.mark.parametrize("mode", MaskedPooling.MODES)
def test_pooling_equals_a_loop_over_real_steps(mode):
    values, mask = inputs()
    expected = reference(mode, values, LENGTHS)
    layer = MaskedPooling(mode)
    # Not a number in the padding would be seen if anything of it were used in `max` or `mean`.
    hidden = np.where(mask[..., None], values, 77.0).astype("float32")
    found = layer(hidden, mask=mask)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert found.shape == layer.compute_output_shape(values.shape)
    full = layer(values)
    np.testing.assert_allclose(full, reference(mode, values, [5] * 4), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mode", MaskedPooling.MODES)
def test_half_precision_neither_overflows_nor_loses_small_terms(mode):
    values = np.full((1, 4000, 2), -20.0, "float32")  # their sum, 80,000, is beyond float16
    values[0, -1] = 0.5
    mask = np.ones((1, 4000), bool)
    found = np.asarray(MaskedPooling(mode, dtype="float16")(values.astype("float16"), mask=mask))
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, reference(mode, values, [4000]), rtol=2e-3)


@pytest.mark.parametrize("mode", MaskedPooling.MODES)
def test_a_model_that_pools_is_saved_and_loaded(mode, tmp_path):
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(10, 4, mask_zero=True)(ids)
    model = keras.Model(ids, MaskedPooling(mode)(x))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    batch = np.array([[3, 1, 0], [2, 0, 0]], "int32")
    np.testing.assert_array_equal(model(batch), loaded(batch))
    np.testing.assert_allclose(model(batch[1:, :1]), model(batch)[1:], rtol=1e-6)  # mask arrived
    assert loaded.layers[-1].mode == mode


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode must be one of last, mean, max"):
        MaskedPooling("median")
