"""Images: moved, read from pictures and tables, and classified by simple methods."""

import json

import numpy as np
import pytest
from matplotlib.image import imsave

import zoo
from recipes import images
from recipes.toys.baselines import vector_baselines
from recipes.toys.images import IMAGES, read_picture
from zoo import ZooError
from zoo.data import load_examples


def test_images_are_moved_by_one_pixel_and_ink_that_leaves_is_gone():
    image = np.zeros((8, 8), int)
    image[0, 7], image[3, 3] = 5, 9
    rows = images.augment(images.Config(move=1), {"pixels": [image.tolist()], "label": ["7"]})
    assert rows["label"] == ["7"] * 5
    positions = {tuple(sorted(zip(*np.nonzero(each), strict=True))) for each in rows["pixels"]}
    assert positions == {
        ((0, 7), (3, 3)),
        ((3, 4),),  # to the right: what was on the edge has left
        ((0, 6), (3, 2)),
        ((1, 7), (4, 3)),
        ((2, 3),),
    }


def test_images_stay_as_they_are_without_moving():
    sample = IMAGES.sample()
    kept = images.augment(images.Config(move=0), sample)
    assert np.array_equal(kept["pixels"], sample["pixels"])
    assert kept["label"] == sample["label"]


@pytest.fixture
def digit():
    return np.array(IMAGES.sample()["pixels"][7]) / 16


@pytest.mark.parametrize("kind", ["light on dark", "dark on light", "on nothing"])
def test_a_picture_is_read_whatever_the_paper(tmp_path, digit, kind):
    large = digit.repeat(5, axis=0).repeat(7, axis=1)
    if kind == "on nothing":  # black ink, transparent paper
        picture = np.dstack([np.zeros((*large.shape, 3)), large])
    else:
        picture = np.dstack([large if kind == "light on dark" else 1 - large] * 3)
    imsave(tmp_path / "digit.png", picture)
    # A pixel of a PNG is one byte.
    np.testing.assert_allclose(read_picture(tmp_path / "digit.png"), 16 * digit, atol=0.07)


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ZooError, match=r"text\.png cannot be read as a PNG"):
        read_picture(tmp_path / "text.png")
    imsave(tmp_path / "dot.png", np.zeros((3, 9)))
    with pytest.raises(ZooError, match="9×3 pixels; 8×8 are needed"):
        read_picture(tmp_path / "dot.png")


def test_a_table_has_a_label_and_64_pixels(tmp_path):
    sample = IMAGES.sample()
    names = ["label", *(f"p{number}" for number in range(64))]
    rows = [
        [label, *(pixel for line in pixels for pixel in line)]
        for pixels, label in zip(sample["pixels"], sample["label"], strict=True)
    ]
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]))
    read = IMAGES.reader(table, None)
    assert read == sample
    lists = tmp_path / "mine.jsonl"
    for pixels in (sample["pixels"], [[p for line in lines for p in line]
                                      for lines in sample["pixels"]]):  # fmt: skip
        lists.write_text(
            "".join(
                json.dumps({"pixels": image, "label": label}) + "\n"
                for image, label in zip(pixels, sample["label"], strict=True)
            )
        )
        assert load_examples(IMAGES, lists, labels=["0", "1", "4", "7"]) == sample
    with pytest.raises(
        ZooError, match=r"mine\.jsonl: rows 3, 7, 11, 15 have a label that is not one of '0'"
    ):
        load_examples(IMAGES, lists, labels=["0", "1", "7"])
    lists.write_text('{"pixels": [[1, [2]]], "label": "0"}\n')
    with pytest.raises(ZooError, match=r"row 1: besides 'label' there must be 64 pixels"):
        IMAGES.reader(lists, None)
    rows[4][9] = 17
    table.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]))
    with pytest.raises(ZooError, match=r"row 5: besides 'label' there must be 64 pixels.*0 to 16"):
        IMAGES.reader(table, None)


def test_a_folder_of_pictures_a_class(tmp_path):
    for label in ("0", "7"):
        (tmp_path / label).mkdir()
        for number in range(4):
            picture = np.ones((8, 8))
            picture[number + 1, :] = 0 if label == "0" else 0.5
            imsave(tmp_path / label / f"{number}.png", picture, cmap="gray", vmin=0, vmax=1)
    (tmp_path / "7" / "notes.txt").write_text("not a picture")
    splits = IMAGES.load(tmp_path)
    labels = splits.train["label"] + splits.validation["label"] + splits.test["label"]
    assert sorted(labels) == ["0"] * 4 + ["7"] * 4
    assert "not read: 7/notes.txt" in splits.notes
    (tmp_path / "7" / "9.png").write_bytes(b"PNG")
    with pytest.raises(ZooError, match=r"9\.png cannot be read"):
        IMAGES.load(tmp_path)
    splits = IMAGES.load(tmp_path, reading={"drop_bad": True})
    assert any("9.png cannot be read" in note for note in splits.notes)


def test_baselines_of_vectors():
    near = {"v": [[[0, 0]], [[0, 1]], [[9, 9]], [[9, 8]], [[8, 9]]], "label": list("aabbb")}
    one = {"v": [[[1, 1]], [[0, 0]]], "label": ["a", "a"]}
    test = {"v": [[[0, 2]], [[7, 7]], [[5, 5]]], "label": ["a", "b", "a"]}
    scores = vector_baselines(near, one, test, "v")
    # (5, 5) is nearer to (8, 9), by 25, than to (1, 1), by 32.
    assert scores["nearest-neighbour"].confusion.matrix == [[1, 1], [0, 1]]
    # The most frequent class of train alone is b.
    assert scores["majority"]["accuracy"] == pytest.approx(2 / 3)
    assert scores["linear"]["accuracy"] >= 2 / 3


def test_one_image_that_is_none_does_not_fail_the_others():
    import tensorflow as tf

    recipe = zoo.get_recipe("digits-mlp")
    sample = recipe.dataset.sample()
    assets = recipe.prepare(recipe.config, sample)
    served = recipe.serve(recipe.config, assets, recipe.build(recipe.config, assets))
    pixels = np.array(sample["pixels"][:4], "float32")
    pixels[1, 3, 3], pixels[2, 0, 0] = np.nan, 1e30
    found = served.functions["serving_default"](pixels=tf.constant(pixels))
    assert found["valid"].numpy().tolist() == [True, False, False, True]
    assert found["label"].numpy().tolist()[1:3] == [b"", b""]
    blank = np.isnan(found["probabilities"].numpy()).all(axis=1)
    assert blank.tolist() == [False, True, True, False]
    alone = served.functions["serving_default"](pixels=tf.constant(pixels[:1]))
    np.testing.assert_allclose(found["probabilities"][0], alone["probabilities"][0], atol=1e-6)
