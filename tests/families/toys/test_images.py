"""Images: moved, read from pictures and tables, and classified by simple methods."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.image import imsave

import zoo
from recipes.toys.baselines import vector_baselines
from recipes.toys.images import IMAGES, read_picture
from recipes.toys.ink import Ink
from zoo import ZooError
from zoo.data import load_examples
from zoo.data.reading import Reading, ReadOptions


def ink_of(*pictures, **options):
    """Returns the ink of pictures of one size, `(pictures, 8, 8)`, and which of them have none."""
    ink, blank = Ink()(tf.constant(np.array(pictures), tf.float32), **options)
    return ink.numpy(), blank.numpy().tolist()


def enlarged(digit, times=5, margin=0):
    return np.pad(np.kron(digit, np.ones((times, times))), margin)


def test_the_same_ink_is_found_wherever_it_is_and_whatever_the_paper():
    digits = np.array(IMAGES.sample()["pixels"], float)[:4]
    for digit in digits:
        expected = ink_of(digit)[0][0]
        assert expected.max() == 16
        large = enlarged(digit)
        aside = np.pad(large, ((3, 20), (31, 0)))  # in a corner of a wide picture
        pictures = {
            "larger": large,
            "in a corner": aside,
            "light on dark": 16 - aside,
            "faint, on grey paper": 12 - 0.2 * aside,
            "faint, lighter than grey paper": 4 + 0.3 * aside,
        }
        for name, picture in pictures.items():
            found, blank = ink_of(picture)
            assert blank == [False], name
            np.testing.assert_allclose(found[0], expected, atol=1e-3, err_msg=name)


def test_ink_is_centred_and_fills_the_square():
    bar = np.zeros((40, 60))
    bar[5:35, 50:54] = 7
    (found,), _ = ink_of(bar)
    np.testing.assert_allclose(found, found[::-1], atol=1e-4)
    np.testing.assert_allclose(found, found[:, ::-1], atol=1e-4)
    # 30 of 31.5 pixels high, and 4 pixels wide, which lie in the two columns of the middle.
    np.testing.assert_allclose(found[1:-1, 3:5], 16, atol=1e-3)
    np.testing.assert_allclose(found[[0, -1], 3:5], 16 * (1 - 0.75 / 3.9375), atol=1e-3)
    assert not found[:, [0, 1, 2, 5, 6, 7]].any()
    (moved,), _ = ink_of(bar, move=tf.constant([[0.0, 1.0]]), grow=tf.constant([1.0]))
    np.testing.assert_allclose(
        moved[:, 2:4], found[:, 3:5], atol=1e-3
    )  # the square is to the right
    (small,), _ = ink_of(bar, move=tf.zeros([1, 2]), grow=tf.constant([2.0]))
    assert not small[[0, 1, 6, 7]].any()


def test_a_picture_without_ink_has_none():
    noise = np.random.default_rng(0).normal(9, 0.2, (64, 64))
    faint = np.full((64, 64), 9.0)
    faint[20:40, 30:34] = 9.7  # less than 5 % of the shades
    seen = np.where(faint > 9, 10.5, noise)
    nothing = np.zeros((64, 64))
    assert ink_of(nothing, nothing + 16, noise, faint, seen)[1] == [True] * 4 + [False]
    assert ink_of(np.zeros((0, 0)))[1] == [True]
    assert ink_of(np.full((1, 1), 5.0))[1] == [True]
    assert ink_of(*np.array(IMAGES.sample()["pixels"]))[1] == [False] * 16


def test_training_images_are_moved_and_scaled_anew_in_each_epoch():
    recipe, sample = zoo.get_recipe("digits-mlp"), IMAGES.sample()
    assets = recipe.prepare(recipe.config, sample)
    rows = np.arange(16)
    plain = recipe.batches(recipe.config, assets, sample)
    assert plain.renew is None
    np.testing.assert_allclose(plain.take(rows)[0], ink_of(*sample["pixels"])[0], atol=1e-4)
    batches = recipe.batches(recipe.config, assets, recipe.augment(recipe.config, sample))
    first, again, other = (batches.renew(0, epoch).take(rows)[0] for epoch in (1, 1, 2))
    assert np.array_equal(first, again)
    difference = np.abs(first - other).max(axis=(1, 2))
    assert (difference > 0.1).all()
    still = dataclasses.replace(recipe.config, move=0, grow=0)
    same = recipe.batches(still, assets, recipe.augment(still, sample)).renew(0, 1)
    np.testing.assert_allclose(same.take(rows)[0], plain.take(rows)[0], atol=1e-4)


@pytest.fixture
def digit():
    return np.array(IMAGES.sample()["pixels"][7]) / 16


@pytest.mark.parametrize("kind", ["light on dark", "dark on light", "on nothing"])
def test_a_picture_is_read_whatever_the_paper(tmp_path, digit, kind):
    large = digit.repeat(7, axis=0).repeat(5, axis=1)
    if kind == "on nothing":  # black ink, transparent paper
        picture = np.dstack([np.zeros((*large.shape, 3)), large])
    else:
        picture = np.dstack([large if kind == "light on dark" else 1 - large] * 3)
    imsave(tmp_path / "digit.png", picture)
    shades = np.array(read_picture(tmp_path / "digit.png"))
    assert shades.shape == (128, 128)
    assert shades.min() >= 0
    assert shades.max() <= 16
    # A pixel of a PNG is one byte; and seven pixels high and five wide, it is higher than wide.
    expected = ink_of(np.pad(large, ((0, 0), (8, 8))))[0]
    np.testing.assert_allclose(ink_of(shades)[0], expected, atol=0.3)


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
    with pytest.raises(ZooError, match=r"line 1: besides 'label' there must be 64 pixels"):
        IMAGES.reader(lists, None)
    rows[4][9] = 17
    table.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]))
    with pytest.raises(ZooError, match=r"line 6: besides 'label' there must be 64 pixels.*0 to 16"):
        IMAGES.reader(table, None)
    table.write_text(",".join(map(str, names)) + "\n" + ",".join(map(str, rows[4])))
    with pytest.raises(ZooError, match="has no row that can be used"):
        IMAGES.reader(table, None, reading=Reading(ReadOptions(drop_bad=True)))


@pytest.mark.parametrize("name", ["mine.csv", "mine.jsonl"])
def test_the_label_of_a_table_is_a_text_or_a_whole_number(tmp_path, name):
    pixels = IMAGES.sample()["pixels"][0]
    path = tmp_path / name

    def read(*labels, **options):
        if name == "mine.csv":
            flat = ",".join(str(pixel) for line in pixels for pixel in line)
            head = ",".join(f"p{number}" for number in range(64))
            rows = [f"{'' if label is None else label},{flat}" for label in labels]
            path.write_text("\n".join([f"label,{head}", *rows]))
        else:
            rows = [json.dumps({"pixels": pixels, "label": label}) for label in labels]
            path.write_text("\n".join(rows))
        return IMAGES.reader(path, None, reading=Reading(ReadOptions(**options)))["label"]

    assert read("7", 0) == ["7", "0"]
    for empty in (None, " "):
        with pytest.raises(ZooError, match=r"line . has an empty 'label'.*--drop-bad"):
            read("7", empty)
        assert read("7", empty, drop_bad=True) == ["7"]
        with pytest.raises(ZooError, match="No row can be used"):
            read(empty, drop_bad=True)


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
    recipe = zoo.get_recipe("digits-mlp")
    sample = recipe.dataset.sample()
    assets = recipe.prepare(recipe.config, sample)
    served = recipe.serve(recipe.config, assets, recipe.build(recipe.config, assets))
    pixels = np.array(sample["pixels"][:4], "float32")
    pixels[1, 3, 3], pixels[2, 0, 0] = np.nan, 1e30
    pixels = np.concatenate([pixels, np.full((1, 8, 8), 11.0, "f4")])
    found = served.functions["serving_default"](pixels=tf.constant(pixels))
    assert found["valid"].numpy().tolist() == [True, False, False, True, False]
    assert found["label"].numpy().tolist()[1:3] == [b"", b""]
    assert found["problem"].numpy()[4].startswith(b"The picture shows no ink")
    blank = np.isnan(found["probabilities"].numpy()).all(axis=1)
    assert blank.tolist() == [False, True, True, False, True]
    alone = served.functions["serving_default"](pixels=tf.constant(pixels[:1]))
    np.testing.assert_allclose(found["probabilities"][0], alone["probabilities"][0], atol=1e-6)


def test_networks_that_were_trained_on_pixels_as_they_are_read_them_so():
    recipe, sample = zoo.get_recipe("digits-mlp"), IMAGES.sample()
    assets = recipe.assets(recipe.config, {"labels": ["0", "1", "4", "7"]})
    batches = recipe.batches(recipe.config, assets, recipe.augment(recipe.config, sample))
    assert np.array_equal(batches.take(np.arange(16))[0], np.array(sample["pixels"], "f4"))
    served = recipe.serve(recipe.config, assets, recipe.build(recipe.config, assets))
    (spec,) = served.functions["serving_default"].input_signature
    assert spec.shape.as_list() == [None, 8, 8]
    assert served.functions["serving_default"](tf.zeros([1, 8, 8]))["valid"].numpy().all()
