"""Taggers by JAX: rows, F1, and the forward pass and losses of the recipe's network."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recipes.tagging.metrics import entity_scores
from recipes.tagging.tags import to_bio
from tools.gpu import arrays
from tools.gpu.finish import finish_run
from tools.gpu.tagger_arrays import sentences_of, write_tagger
from tools.gpu.tagger_rows import NAME, batches_of, buckets_of, entity_f1, read_sentences
from zoo.config import override
from zoo.registry import get_recipe

ROOT = Path(__file__).parents[2]
TEXTS = ["Anna Berg flew to Oslo. China #39;s carmaker won 3-1, said O'Neill.", "Too short."]
SMALL = {"units": 6, "filters": 5, "character": 4, "casing": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagger")
    recipe = get_recipe(NAME)
    splits = arrays.load_splits(recipe, recipe.config, "sample")
    write_tagger(folder, splits, TEXTS, vectors="none")
    return folder


def test_texts_become_sentences():
    assert list(sentences_of(TEXTS)) == [
        ["Anna", "Berg", "flew", "to", "Oslo", "."],
        ["China", "'s", "carmaker", "won", "3-1", ",", "said", "O'Neill", "."],
        ["Too", "short", "."],
    ]


def test_batches_have_each_row_once(folder):
    sentences = read_sentences(folder)
    buckets = buckets_of(sentences, np.arange(len(sentences.lengths)))
    assert sum(bucket.arrays["lengths"].sum() for bucket in buckets) == len(sentences.words)
    used = np.arange(len(sentences.lengths)) < sentences.trained
    found = [
        buckets[number].rows[index[index >= 0]]
        for number, index in batches_of(buckets, 3, np.random.default_rng(0), used)
    ]
    assert sorted(np.concatenate(found)) == [*range(sentences.trained)]


def test_f1_is_that_of_the_recipe():
    """Of legal sequences, which may end inside a name."""
    names = ["O", "B-A", "I-A", "E-A", "S-A", "B-B", "I-B", "E-B", "S-B"]
    parts = [[0], [4], [8], [1, 3], [1, 2, 3], [5, 7], [5, 6, 7]]
    generator = np.random.default_rng(0)

    def sequence(length):
        tags = [tag for part in generator.integers(0, 7, length) for tag in parts[part]]
        return tags[:length]

    lengths = generator.integers(1, 12, 50)
    true, found = [[sequence(n) for n in lengths] for _ in range(2)]
    found[:25] = true[:25]

    def rows(tags):
        return [to_bio(names[tag] for tag in row) for row in tags]

    def padded(tags, value):
        return np.array([row + [value] * (12 - len(row)) for row in tags])

    expected = entity_scores(rows(true), rows(found)).values["f1"]
    score = entity_f1(names, padded(true, -1), padded(found, 4)[None])
    assert score[0] == pytest.approx(expected)
    assert 0.4 < expected < 0.9


# Losses and tags of random weights, and a training of few steps.
LEARN = """
import dataclasses, json, sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from tools.gpu import tagger, tagger_rows
from tools.gpu.tagger_network import *
from tools.gpu.tagger_rows import buckets_of, read_sentences
from tools.gpu.tagger_training import Data, _taken, load

tagger_rows.EDGES = (16,)  # one function to compile for all rows
folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
sentences = read_sentences(folder)
sizes = Sizes(**settings)
generator = np.random.default_rng(0)
members = [new_weights(sizes, sentences, seed) for seed in range(2)]
for weights in members:
    for name, value in weights.items():
        weights[name] = generator.normal(0, 0.4, value.shape).astype("float32")
data = load(sentences)
weights = {name: jnp.stack([each[name] for each in members]) for name in members[0]}
found = {}
for number, (bucket, arrays) in enumerate(zip(data.buckets, data.device, strict=True)):
    rows = _taken(arrays, jnp.arange(len(bucket.rows)))
    scores = scores_of(weights, data.tables, rows, None)
    real = jnp.arange(len(scores))[:, None] < rows["lengths"]
    legal = legal_only(weights, data.tables)
    tags = len(sentences.names)
    taught = generator.dirichlet(np.ones(tags), (len(bucket.rows), bucket.length))
    taught = np.where(real.T[..., None], taught, 0).astype("float32")
    found[f"{number} rows"] = bucket.rows
    found[f"{number} taught"] = taught
    found[f"{number} loss"] = losses_of(weights, data.tables, rows, None)
    both = {**rows, "marginals": jnp.asarray(taught)}
    share = jnp.array([0.3, 0.3])
    found[f"{number} taught loss"] = losses_of(weights, data.tables, both, None, share)
    found[f"{number} tags"] = best_tags(scores, *legal, real)
    found[f"{number} marginals"] = np.exp(log_marginals(scores, *legal, real))
np.savez(folder / "found.npz", **found)
names, values = keras_weights(members[1])
np.savez(folder / "weights.npz", *values)

tagger.SEARCH = ({}, {"locked_dropout": True, "hidden_words": 0.1, "rare": 5})
tagger.TAUGHT = ({"share": 0.5},)
tagger.SEEDS = 2
rows = tagger.search(folder, load(sentences), sizes, 4, 8, 0)
assert rows[0]["score"] >= rows[1]["score"]
tagger.train_seeds(folder, load(sentences), 8, 0)
tagger.train_students(folder, load(sentences), 4, 0)
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""


@pytest.mark.slow
def test_the_network_of_jax_is_that_of_the_recipe(folder, tmp_path):
    pytest.importorskip("jax", reason="the extra [bench] is not installed")
    learn(folder, sys.executable)
    compare(folder)
    finish(folder, tmp_path)


def learn(folder, python):
    """Runs `LEARN` by an interpreter that has JAX."""

    done = subprocess.run(
        [python, "-c", LEARN, folder, json.dumps(SMALL)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compare(folder):
    """Compares losses, tags and marginals with those of TensorFlow."""
    from recipes.tagging.running import best_tags, tag_probabilities

    recipe = get_recipe(NAME)
    config = override(recipe.config, SMALL)
    splits = arrays.load_splits(recipe, config, "sample")
    assets = recipe.prepare(config, splits.train)
    model = recipe.build(config, assets)
    with np.load(folder / "weights.npz") as file:
        for variable, name in zip(model.trainable_variables, file, strict=True):
            assert variable.shape == file[name].shape, variable.path
            variable.assign(file[name])
    with np.load(folder / "found.npz") as file:
        found = dict(file)
    rows = recipe.batches(config, assets, splits.train)
    sentences, loss = read_sentences(folder), recipe.objective(config, assets)["loss"]
    names = list(sentences.names)
    for number in range(len({key.split()[0] for key in found})):
        here = {key.partition(" ")[2]: value for key, value in found.items()
                if key.startswith(f"{number} ")}  # fmt: skip
        if here["rows"].max() >= sentences.trained:
            continue
        x, y = rows.take(here["rows"])
        scores = model(x)
        np.testing.assert_allclose(loss(y, scores), here["loss"][1], rtol=1e-5)
        time = y.shape[1]
        target = np.concatenate([y[..., None], 0.7 * here["taught"][:, :time]], axis=-1)
        np.testing.assert_allclose(
            loss(target.astype("float32"), scores), here["taught loss"][1], rtol=1e-5
        )
        real = y > 0
        tags = best_tags(scores, names, real).numpy()
        np.testing.assert_array_equal(tags[real], here["tags"][1][:, :time][real])
        expected = tag_probabilities(scores, names, real).numpy()[real]
        marginals = here["marginals"][:, 1].swapaxes(0, 1)[:, :time][real]
        np.testing.assert_allclose(marginals, expected, atol=1e-5)


def finish(folder, tmp_path):
    run = finish_run("conll-student-0", folder, tmp_path / "run", "sample", baselines=False)
    assert run.metrics["weights"].startswith("trained by JAX on")
