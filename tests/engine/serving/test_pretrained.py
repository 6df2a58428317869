"""Pretrained weights: packed, listed, verified, unpacked once, and of use without this package."""

import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.runs import recipe_of_task

import zoo
from benchmarks.pack import pack
from zoo.manifest import manifest_entry, read_manifest
from zoo.serving import pretrained

NAMES = [row["name"] for row in zoo.list_models()]
PRETRAINED = [row["name"] for row in zoo.list_models(pretrained=True)]
NAME = recipe_of_task("sentiment")


@pytest.fixture(scope="session")
def packed(once, run_of):
    """A recipe file with a pack in `pretrained/` beside it, not to be changed."""

    def make(folder):
        folder.mkdir()
        shutil.copy(zoo.get_recipe(NAME).module.__file__, folder / "mine.py")
        pack(run_of(NAME), folder / "pretrained")

    return once("packed", make)


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty cache."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def installed(packed, home, tmp_path):
    """A copy of the recipe with its pack, to be damaged, and an empty cache."""
    folder = shutil.copytree(packed, tmp_path / "installed")
    return SimpleNamespace(
        folder=folder / "pretrained",
        pack=folder / "pretrained" / f"{NAME}.tar.xz",
        manifest=folder / "pretrained" / "manifest.json",
        name=f"{folder / 'mine.py'}:{NAME}",
        cache=home / "pretrained",
    )


@pytest.fixture(scope="session")
def unpacked(packed, tmp_path_factory):
    """What `zoo.pretrained` returns for the pack, not to be changed."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ZOO_HOME", str(tmp_path_factory.mktemp("unpacked")))
        return zoo.pretrained(f"{packed / 'mine.py'}:{NAME}")


@pytest.fixture(scope="session")
def examples(predictor_of):
    predictor = predictor_of(NAME)
    sample = predictor.recipe.dataset.sample()
    return {name: sample[name] for name in predictor.input_names}


def test_the_manifest_says_what_it_is(packed, settings):
    manifest = json.loads((packed / "pretrained" / "manifest.json").read_text())
    assert set(manifest) == {NAME} == set(read_manifest(packed / "pretrained"))
    recipe, entry = zoo.get_recipe(NAME), manifest[NAME]
    pack = packed / "pretrained" / entry["file"]
    assert entry["bytes"] == pack.stat().st_size < 8e6
    assert entry["metric"] == recipe.metric.name
    assert 0 <= entry["score"] <= 1
    assert "sample" in entry["data"]
    assert entry["licence"] == recipe.dataset.licence
    assert entry["config"]["epochs"] == settings["epochs"]
    assert set(entry["config"]) == set(vars(recipe.config))
    mine = zoo.get_recipe(f"{packed / 'mine.py'}:{NAME}")
    assert manifest_entry(mine) == entry


@pytest.mark.parametrize("name", PRETRAINED)
def test_every_registered_pack_is_that_of_the_manifest(name):
    recipe = zoo.get_recipe(name)
    entry = manifest_entry(recipe)
    file = recipe.pretrained_folder / entry["file"]
    assert entry["bytes"] == file.stat().st_size <= 16e6
    assert entry["sha256"] == zoo.files.sha256(file)


# Those of which no export is tested, and one that searches.
@pytest.mark.few("chorales", "digits", "topics", "translation")
def test_a_registered_pack_answers_in_both_forms(chosen):
    if chosen not in PRETRAINED:
        pytest.skip(f"{chosen} has no pack")
    name, recipe = chosen, zoo.get_recipe(chosen)
    loaded = zoo.load(name)
    examples = {column: recipe.dataset.sample()[column] for column in loaded.input_names}
    requests = loaded.tensors(examples)
    answers = loaded.signatures["serving_default"](**requests)  # those of the SavedModel
    served = recipe.serve(loaded.config, loaded.assets, loaded.model)
    expected = served.functions["serving_default"](**requests)
    for output, value in expected.items():
        if value.dtype.is_floating:
            np.testing.assert_allclose(answers[output], value, rtol=1e-6, atol=1e-6)
    # What the SavedModel can do is what the recipe says that it serves.
    assert loaded.capabilities == served.capabilities
    assert len(loaded.predict(examples)) == len(next(iter(examples.values())))


def test_every_pack_is_listed_and_every_listed_pack_is_there():
    for recipe in map(zoo.get_recipe, NAMES):
        folder = recipe.pretrained_folder
        listed = set(read_manifest(folder))
        assert {path.name for path in folder.glob("*.tar.xz")} == {f"{n}.tar.xz" for n in listed}
        assert listed <= set(NAMES)


@functools.cache
def packed_about(name):
    """The settings and the assets of a pack, as JSON, from one pass over it."""
    folder = zoo.get_recipe(name).pretrained_folder
    with tarfile.open(folder / f"{name}.tar.xz") as packed:
        parts = (f"assets.extra/{part}.json" for part in ("config", "assets"))
        config, assets = (json.load(packed.extractfile(part)) for part in parts)
    return config["config"], assets


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_pack_holds_each_setting_that_its_recipe_changes(name):
    # A setting that is not in the pack has the default of the class, with `--from NAME` too.
    config = zoo.get_recipe(name).config
    defaults = dataclasses.asdict(type(config)())
    changed = {k for k, v in dataclasses.asdict(config).items() if v != defaults[k]}
    settings, _ = packed_about(name)
    assert changed <= set(settings)


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_pack_normalises_text_by_the_newest_rule(name):
    recipe = zoo.get_recipe(name)
    train = recipe.augment(recipe.config, recipe.dataset.sample())
    newest = recipe.prepare(recipe.config, train).get("normalisation")
    _, assets = packed_about(name)
    assert assets.get("normalisation") == newest


def test_by_name_without_a_network(installed, examples, predictor_of):
    assert os.environ["ZOO_OFFLINE"] == "1"
    folder = zoo.pretrained(installed.name)
    assert folder.parent == installed.cache
    loaded = zoo.load(installed.name)
    assert loaded.folder == folder
    assert loaded.name == NAME
    for ours, original in zip(
        loaded.predict(examples), predictor_of(NAME).predict(examples), strict=True
    ):
        if "score" in ours:  # twelve bits fewer
            assert ours["score"] == pytest.approx(original["score"], abs=1e-2)
            assert ours["score"] != original["score"]


def test_both_forms_hold_the_same_rounded_weights(unpacked, predictor_of):
    import keras
    import tensorflow as tf

    model = keras.models.load_model(unpacked / "model.keras")
    original = predictor_of(NAME).model.get_weights()
    kept = [array for array in model.get_weights() if array.dtype == np.float32]
    original = [array for array in original if array.dtype == np.float32]
    for array, exact in zip(kept, original, strict=True):
        assert not (array.view(np.uint32) & 0xFFF).any()
        np.testing.assert_allclose(array, exact, rtol=2**-12, atol=1e-30)
    reader = tf.train.load_checkpoint(str(unpacked / "variables" / "variables"))
    names = [name for name in reader.get_variable_to_dtype_map() if "OBJECT_GRAPH" not in name]
    saved = [reader.get_tensor(name) for name in names]
    shapes = [array.shape for array in saved]
    assert sorted(shapes) == sorted(array.shape for array in kept)  # each once
    for array in kept:
        same_shape = [other for other in saved if other.shape == array.shape]
        assert any(np.array_equal(array, other) for other in same_shape)


def test_the_quoted_metrics_are_those_of_what_is_packed(unpacked, packed):
    metrics = json.loads((unpacked / "assets.extra" / "metrics.json").read_text())
    entry = json.loads((packed / "pretrained" / "manifest.json").read_text())[NAME]
    assert metrics["test"] == zoo.evaluate(unpacked, baselines=False)["metrics"]
    assert entry["score"] == metrics["test"][metrics["metric"]]
    assert "11 bits" in metrics["weights"]
    card = (unpacked / "assets.extra" / "card.md").read_text()
    assert metrics["weights"] in card


def test_tensorflow_alone_opens_it(unpacked, fresh, examples):
    code = """
import json, sys
sys.modules.update(keras=None, zoo=None, recipes=None)
import tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
inputs = {
    key: tf.constant(value, serve.structured_input_signature[1][key].dtype)
    for key, value in json.load(sys.stdin).items()
}
outputs = serve(**inputs)
json.dump(
    {k: v.numpy().tolist() for k, v in outputs.items() if v.dtype.is_floating}, sys.stdout
)
"""
    answers = json.loads(fresh(code, unpacked, given=json.dumps(examples)))
    ours = zoo.load(unpacked).predict(examples)
    assert answers
    for name, values in answers.items():
        mine = [answer[name] for answer in ours]
        mine = [list(value.values()) if isinstance(value, dict) else value for value in mine]
        np.testing.assert_allclose(values, mine, rtol=0, atol=1e-6)


def test_keras_goes_on_training_it(unpacked, fresh):
    code = """
import sys
import keras, numpy as np, zoo
model = keras.models.load_model(sys.argv[1] + "/model.keras")
x = np.ones([4, *(size or 3 for size in model.input_shape[1:])], model.inputs[0].dtype)
y = np.zeros([4, *(size or 3 for size in model.output_shape[1:])])
y[..., 0] = 1
model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
before = model.get_weights()
loss = model.evaluate(x, y, verbose=0)
model.fit(x, y, epochs=2, verbose=0)
assert model.evaluate(x, y, verbose=0) < loss
assert all((a != b).any() for a, b in zip(before, model.get_weights()) if a.size)
assert not [name for name in sys.modules if name.startswith(("zoo.serving.", "recipes.music.nade"))]
print("trained")
"""
    assert fresh(code, unpacked).endswith("trained\n")


def test_it_is_exported_like_any_model(unpacked, tmp_path, examples):
    version = zoo.export(unpacked, tmp_path, warmup=0)
    assert zoo.load(version).predict(examples)[0].keys()
    assert not (version / "sha256.json").exists()


def flip(path, place=0.5):
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "flipped": flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_pack(damage, installed, refused):
    DAMAGES[damage](installed.pack)
    for _ in range(2):
        with pytest.raises(zoo.ZooError) as raised:
            zoo.load(installed.name)
        message = refused(raised)
        assert str(installed.pack) in message
        assert "Install" in message
    assert not installed.cache.exists() or not list(installed.cache.iterdir())


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbled"])
def test_a_pack_that_was_damaged_before_it_was_listed(damage, installed, refused):
    if damage == "garbled":
        for place in (0.2, 0.5, 0.8):
            flip(installed.pack, place)
    else:
        DAMAGES[damage](installed.pack)
    manifest = json.loads(installed.manifest.read_text())
    manifest[NAME]["sha256"] = zoo.files.sha256(installed.pack)
    installed.manifest.write_text(json.dumps(manifest))
    with pytest.raises(zoo.ZooError) as raised:
        zoo.pretrained(installed.name)
    assert f"{installed.pack} is damaged" in refused(raised)
    assert not list(installed.cache.iterdir())


def test_a_damaged_manifest(installed, refused):
    installed.manifest.write_text("{")
    with pytest.raises(zoo.ZooError) as raised:
        zoo.pretrained(installed.name)
    assert str(installed.manifest) in refused(raised)


def test_what_is_damaged_in_the_cache_is_named_and_can_be_had_again(installed, refused):
    folder = zoo.pretrained(installed.name)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        good = path.read_bytes()
        for damage in DAMAGES.values():
            if damage is DAMAGES["truncated"] and len(good) < 100:
                continue
            damage(path)
            with pytest.raises(zoo.ZooError) as raised:
                zoo.load(installed.name)
            message = refused(raised)
            assert f"Delete {folder}" in message
            assert str(path) in message or path.name == "sha256.json"
            path.write_bytes(good)
    assert zoo.pretrained(installed.name) == folder
    flip(files[0])
    shutil.rmtree(folder)
    assert zoo.pretrained(installed.name) == folder


def test_only_the_recipes_own_pack_counts(installed, refused):
    zoo.pretrained(installed.name)
    installed.manifest.unlink()
    with pytest.raises(zoo.UsageError) as raised:
        zoo.pretrained(installed.name)  # though it lies in the cache
    assert "has no pretrained weights" in refused(raised)
    with pytest.raises(zoo.UsageError) as raised:
        zoo.pretrained(NAME[:-1] + "_")
    assert "Unknown recipe" in refused(raised)


def test_processes_unpack_it_at_once(installed, home):
    code = """
import os, sys, time
import zoo
while time.time() < float(sys.argv[2]):
    pass
print(zoo.pretrained(sys.argv[1]))
"""
    begin = str(time.time() + 1.5)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, installed.name, begin],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    done = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], done
    (folder,) = {out.strip() for out, _ in done}
    assert [str(path) for path in installed.cache.iterdir()] == [folder]
    assert pretrained._damaged(Path(folder)) is None


def test_threads_unpack_it_at_once(installed):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(zoo.pretrained(installed.name)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert list(installed.cache.iterdir()) == [found[0]]


def test_what_a_killed_process_left_is_no_hindrance(installed, monkeypatch):
    folder = zoo.pretrained(installed.name)
    shutil.rmtree(folder)
    left = folder.parent / f".{folder.name}.{os.getpid()}.part{folder.suffix}"
    left.mkdir()
    (left / "half").write_text("half a file")
    assert zoo.pretrained(installed.name) == folder
    assert not (folder / "half").exists()
    assert list(installed.cache.iterdir()) == [folder]


def test_a_cache_that_cannot_be_written(installed, monkeypatch, tmp_path, refused):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file"))
    with pytest.raises(zoo.ZooError) as raised:
        zoo.pretrained(installed.name)
    assert "ZOO_HOME" in refused(raised)
