"""What packing does to weights and paths; tests of serving show that packs can be used."""

import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

import recipes
import zoo
from benchmarks import pack as packing
from benchmarks.pack import pack, round_mantissa, round_to_grid
from zoo.files import read_json, write_json
from zoo.manifest import read_manifest, read_parameters

MAX = 0x7F7FFFFF  # the largest finite float32


def rounded(pattern, bits):
    array = np.array([pattern], np.uint32).view(np.float32)
    return int(round_mantissa(array, bits).view(np.uint32)[0])


@pytest.mark.parametrize(
    ("pattern", "bits", "expected"),
    [
        (0x3F800000, 12, 0x3F800000),  # 1
        (0x3F8007FF, 12, 0x3F800000),  # just below the half: down
        (0x3F800800, 12, 0x3F801000),  # the half: away from zero
        (0x3F801234, 12, 0x3F801000),
        (0x3F801834, 12, 0x3F802000),
        (0xBF8007FF, 12, 0xBF800000),  # the same below zero
        (0xBF800800, 12, 0xBF801000),
        (0x3FFFFFFF, 12, 0x40000000),  # just below 2: the carry goes into the exponent
        (0xBFFFFFFF, 12, 0xC0000000),
        (0x00000000, 12, 0x00000000),
        (0x80000000, 12, 0x80000000),  # -0
        (0x000007FF, 12, 0x00000000),  # denormals
        (0x00000801, 12, 0x00001000),
        (0x80000801, 12, 0x80001000),
        (0x007FFFFF, 12, 0x00800000),  # the largest denormal becomes the smallest normal
        (MAX, 12, 0x7F7FF000),  # not infinity
        (0xFF7FFFFF, 12, 0xFF7FF000),
        (0x7F7FF7FF, 12, 0x7F7FF000),
        (MAX, 23, 0x7F000000),
        (0x7F800000, 12, 0x7F800000),  # infinities
        (0xFF800000, 12, 0xFF800000),
        (0x7FC00000, 12, 0x7FC00000),  # NaNs, with and without a payload
        (0x7FFFFFFF, 12, 0x7FFFFFFF),
        (0xFFFFFFFF, 12, 0xFFFFFFFF),
        (0x7F800001, 12, 0x7F800001),
        (0x3F800003, 1, 0x3F800004),
        (0x3FC00000, 23, 0x40000000),  # 1.5 to a power of two
        (0x3FBFFFFF, 23, 0x3F800000),
        (0x3F812345, 0, 0x3F812345),
        (MAX, 0, MAX),
    ],
)
def test_round_mantissa_by_hand(pattern, bits, expected):
    assert f"{rounded(pattern, bits):08x}" == f"{expected:08x}"


@pytest.mark.parametrize("bits", [1, 8, 12, 16])
def test_the_error_is_at_most_half_of_what_is_kept(bits):
    values = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)
    result = round_mantissa(values, bits)
    assert result.dtype == np.float32
    assert result.shape == values.shape
    error = np.abs(result.astype(np.float64) - values) / np.abs(values)
    assert error.max() <= 2.0 ** (bits - 24)
    assert error.max() > 2.0 ** (bits - 25)  # and no finer than asked for
    assert not (result.view(np.uint32) & ((1 << bits) - 1)).any()
    np.testing.assert_array_equal(round_mantissa(result, bits), result)
    np.testing.assert_array_equal(round_mantissa(-values, bits), -result)


def test_shapes_and_order_are_kept():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(round_mantissa(values.T, 4), values.T)
    assert round_mantissa(np.float32(1.0).reshape(()), 4).shape == ()
    assert round_mantissa(np.zeros((0, 3), np.float32), 4).shape == (0, 3)


@pytest.mark.parametrize("bits", [-1, 24])
def test_bits_of_a_mantissa(bits):
    with pytest.raises(zoo.UsageError, match="between 0 and 23"):
        round_mantissa(np.ones(1, np.float32), bits)


@pytest.mark.parametrize(("steps", "step"), [(1, 0.5), (8, 0.0625), (9, 0.0625), (10, 0.03125)])
def test_a_grid_is_a_power_of_two_below_the_deviation(steps, step):
    values = np.random.default_rng(0).normal(scale=0.6, size=(300, 400)).astype(np.float32)
    result = round_to_grid(values, steps)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result % np.float32(step), 0)
    error = np.abs(result - values)
    assert 0.49 * step < error.max() <= step / 2
    assert step <= values.std() / steps < 2 * step
    np.testing.assert_array_equal(round_to_grid(-values, steps), -result)


def test_what_has_no_deviation_keeps_its_values():
    for values in (np.full((2, 3), 0.3), np.zeros((0, 3)), np.array([[1.0, np.inf]])):
        with np.errstate(invalid="ignore"):
            kept = round_to_grid(values, 8)
        np.testing.assert_array_equal(kept, values.astype(np.float32))
    with pytest.raises(zoo.UsageError, match="at least 1"):
        round_to_grid(np.ones((1, 1)), 0)


def test_vectors_are_rounded_by_their_mantissas():
    values = np.random.default_rng(0).normal(size=(2, 5000)).astype(np.float32)
    np.testing.assert_array_equal(packing._rounded(values, 12, 8), round_to_grid(values, 8))
    np.testing.assert_array_equal(packing._rounded(values, 12, None), round_mantissa(values, 12))
    np.testing.assert_array_equal(packing._rounded(values[0], 12, 8), round_mantissa(values[0], 12))


def test_what_repeats_far_behind_is_packed_once(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    weights = np.random.default_rng(0).bytes(1 << 20)
    between = bytes(70 << 20)  # further than xz looks back by default
    for name, content in (("a", weights), ("b", between), ("c", weights)):
        (folder / name).write_bytes(content)
    packing._tar(folder, tmp_path / "model.tar.xz")
    assert (tmp_path / "model.tar.xz").stat().st_size < 1.2 * len(weights)


def test_a_pack_keeps_only_the_name_of_custom_data(tmp_path):
    for source, data, kept in [
        ("/home/me/fsdd", "../fsdd", ("fsdd", "../fsdd")),
        ("/home/me/a.csv", "/home/me/a.csv", ("a.csv", "a.csv")),
        ("wheel", None, ("wheel", None)),
    ]:
        write_json(tmp_path / "data.json", {"source": source, "title": "t"})
        write_json(tmp_path / "config.json", {"recipe": "r", "run": {"data": data, "seed": 3}})
        packing._remove_folders(tmp_path)
        run = read_json(tmp_path / "config.json")["run"]
        assert (read_json(tmp_path / "data.json")["source"], run["data"]) == kept
        assert run["seed"] == 3


def test_a_pack_names_the_source_that_has_the_rows_of_the_custom_data(tmp_path):
    write_json(tmp_path / "data.json", {"source": "/home/me/fsdd", "title": "t"})
    write_json(tmp_path / "config.json", {"recipe": "r", "run": {"data": "fsdd", "seed": 3}})
    packing._remove_folders(tmp_path, "fsdd-1.0.9")
    assert read_json(tmp_path / "data.json") == {"source": "fsdd-1.0.9", "title": "t"}
    assert read_json(tmp_path / "config.json")["run"] == {"data": "fsdd-1.0.9", "seed": 3}


def test_a_pack_that_is_packed_again_holds_its_use(tmp_path):
    early = zoo.load("adding-simplernn")
    assert not (early.about / "use.json").exists()  # its entry is beside all packs
    pack("adding-simplernn", tmp_path)
    with tarfile.open(tmp_path / "adding-simplernn.tar.xz") as archive:
        use = json.load(archive.extractfile("assets.extra/use.json"))
    assert use["use"] == early.use["use"]
    assert len(use["use"]) >= 2


def test_a_pack_names_no_source_that_its_dataset_lacks(run_of, tmp_path):
    with pytest.raises(zoo.UsageError, match=r"has no source fsdd; it has \w+"):
        pack(run_of("imdb-simplernn"), tmp_path / "pretrained", source="fsdd")
    assert not (tmp_path / "pretrained").exists()


def test_a_pack_keeps_only_the_names_of_teachers(tmp_path):
    teachers = {"linear": 0.9, "/home/me/runs/large": 0.93}
    write_json(tmp_path / "data.json", {"source": "wheel", "teaching": {"teachers": teachers}})
    run = {"teachers": [*teachers], "unlabelled": "/home/me/more.csv", "label_share": 0.5}
    write_json(tmp_path / "config.json", {"recipe": "r", "run": run})
    packing._remove_folders(tmp_path)
    kept = read_json(tmp_path / "data.json")["teaching"]["teachers"]
    assert kept == {"linear": 0.9, "large": 0.93}
    run = read_json(tmp_path / "config.json")["run"]
    assert run == {"teachers": ["linear", "large"], "unlabelled": "more.csv", "label_share": 0.5}


def test_only_complete_runs_are_packed(run_of, tmp_path):
    complete = run_of("imdb-simplernn")
    run = shutil.copytree(complete, tmp_path / "run", ignore=shutil.ignore_patterns("logs"))
    (run / "metrics.json").unlink()
    with pytest.raises(zoo.ZooError, match="is not complete"):
        pack(run, tmp_path / "pretrained")
    assert not (tmp_path / "pretrained").exists()


def test_the_same_content_is_packed_to_the_same_bytes(tmp_path):
    packs = []
    for place in ("a", "b"):
        folder = tmp_path / place
        for name in ("x", "y", "z")[:: 1 if place == "a" else -1]:
            (folder / name).mkdir(parents=True)
            (folder / name / "file").write_text(name * 100)
        os.utime(folder / "x" / "file", (1, len(packs)))
        packs.append(tmp_path / f"{place}.tar.xz")
        packing._tar(folder, packs[-1])
    assert packs[0].read_bytes() == packs[1].read_bytes()
    with tarfile.open(packs[0]) as archive:
        assert {member.mtime for member in archive} == {0}


def test_the_parameters_that_are_listed_are_those_of_the_results():
    """`zoo list` shows the one, the table of results the other; both were counted by a run."""
    folder = Path(recipes.__file__).parent / "pretrained"
    counted = read_parameters(folder)
    assert counted.keys() == read_manifest(folder).keys()
    for name, parameters in counted.items():
        result = read_json(Path(__file__).parents[2] / "results" / f"{name}.json")
        assert result["metrics"]["parameters"] == parameters


def test_parameters_are_read_from_the_packs(tmp_path):
    entry = {"file": "x.tar.xz"}
    write_json(tmp_path / "manifest.json", {"x": entry})
    write_json(tmp_path / "pack" / "assets.extra" / "metrics.json", {"parameters": 7})
    packing._tar(tmp_path / "pack", tmp_path / entry["file"])
    assert packing.write_parameters(tmp_path) == tmp_path / "parameters.json"
    assert read_parameters(tmp_path) == {"x": 7}
    assert read_parameters(tmp_path / "pack") == {}
