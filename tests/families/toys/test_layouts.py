"""The packed network reads digits with margins, in MNIST's layout, and on grey paper."""

import functools

import numpy as np
import pytest
from matplotlib.image import imsave

import zoo


def enlarged(digit, side):
    """Returns a digit of `side` × `side` pixels, smoothed; ink from 0 to 1."""
    from scipy.ndimage import zoom

    return np.clip(zoom(digit / 16, side / 8, order=1, grid_mode=True, mode="nearest"), 0, 1)


def mnist(digit):
    """Returns 28×28 pixels: the digit in 20×20, its centre of gravity in the middle."""
    ink = enlarged(digit, 20)
    middle = [(ink.sum(axis=1 - axis) @ np.arange(20)) / ink.sum() for axis in (0, 1)]
    top, left = (int(np.clip(round(13.5 - place), 0, 8)) for place in middle)
    return np.pad(ink, ((top, 8 - top), (left, 8 - left)))


LAYOUTS = {
    "as it was trained on": lambda digit: digit / 16,
    "with a margin of a quarter": lambda digit: np.pad(enlarged(digit, 40), 10),
    "MNIST": mnist,
    # Ink of the shade 60 on paper of 160.
    "on grey paper": lambda digit: 1 - (160 - 100 * np.pad(enlarged(digit, 40), 5)) / 255,
    "a photograph of a blackboard, aside": lambda digit: (
        0.75
        - 0.5 * np.pad(enlarged(digit, 60), ((30, 14), (10, 40)))
        + np.random.default_rng(0).normal(0, 0.01, (104, 110))
    ),
}


@functools.cache
def packed():
    return zoo.load("digits-mlp")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_digits_are_read_in_every_layout(layout):
    predictor = packed()
    test = predictor.recipe.dataset.load().test
    pictures = [16 * LAYOUTS[layout](np.array(pixels, float)) for pixels in test["pixels"]]
    answers = predictor.predict(pictures)
    right = [answer["label"] == label for answer, label in zip(answers, test["label"], strict=True)]
    assert np.mean(right) >= 0.97


def test_a_page_without_ink_is_said(cli, tmp_path):
    imsave(tmp_path / "blank.png", np.ones((30, 30, 3)))
    white = np.dstack([np.ones((30, 30, 3)), np.eye(30)])  # white ink, transparent paper
    imsave(tmp_path / "white.png", white)
    seven = np.array(packed().recipe.dataset.sample()["pixels"][3]) / 16
    imsave(tmp_path / "seven.png", np.dstack([1 - enlarged(seven * 16, 40)] * 3))
    error = cli("predict", "digits-mlp", "blank.png", code=2).err
    assert "The picture shows no ink: all of it is as light as its edge" in error
    result = cli("predict", "digits-mlp", "white.png", "seven.png", "blank.png")
    assert [line.split()[0] for line in result.out.splitlines()] == ["(no", "7", "(no"]
    assert "row 1 has no answer: The picture shows no ink" in result.err


def test_pictures_of_one_call_have_one_size():
    pictures = [np.eye(8), np.eye(9)]
    with pytest.raises(zoo.UsageError, match=r"the shapes \(8, 8\) and \(9, 9\)"):
        packed().predict(pictures)
