"""Training by PyTorch: its batches, its files, the run that is made of them, and its networks."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from tools.gpu import arrays, large, translators
from tools.gpu.batching import Batch, plan_batches, read_reviews, rows_of, streams, windows
from tools.gpu.finish import finish_run
from tools.gpu.pairs import read_pairs
from tools.gpu.weights import read_weights, save_weights
from zoo.config import override
from zoo.errors import UsageError, ZooError

ROOT = Path(__file__).parents[2]
SMALL = {"units": 6, "embedding": 4}
# One of the program, and one without attention.
TRANSLATORS = {
    "translate-attention": translators.TRANSLATORS["translate-attention"],
    "translate-fixed": translators.Translator(
        "translate-seq2seq", "multi30k", {"dropout": 0.2, "epochs": 2}, 2e-3, 64, 0.0
    ),
}
WORDS = {"layers": 2, "units": 5, "embedding": 4, "batch_size": 3}


@pytest.fixture
def rows():
    lengths = np.random.default_rng(0).integers(1, 100, 200)
    return rows_of(np.arange(1, lengths.sum() + 1), lengths)


def test_batches_have_rows_of_one_length_each_once(rows):
    index = np.arange(10, 150)
    for generator in (None, np.random.default_rng(1)):
        batches = plan_batches(rows, index, 128, generator, 5)
        assert sorted(np.concatenate([each.index for each in batches])) == [*index]
        for batch in batches:
            real = rows.lengths[batch.index]
            assert ((real - batch.length < 8) & (batch.offsets + batch.length <= real)).all()
            assert ((real == batch.length) | (real >= 64)).all()  # short rows are whole
            assert len(batch.index) == 1 or len(batch.index) * batch.length <= 128
            assert len(batch.index) <= 5
            ids = rows.take(batch.index, batch.length, batch.offsets)
            first = rows.values[rows.starts[batch.index] + batch.offsets]
            np.testing.assert_array_equal(ids, first[:, None] + np.arange(batch.length))
            if generator is None:  # the end of a row
                np.testing.assert_array_equal(batch.offsets + batch.length, real)


def test_rows_are_cut_as_recipes_cut_them(rows):
    from zoo.text import WordEncoder

    words = [f"w{number}" for number in range(30)]
    encoder = WordEncoder(words, 12, 1_000)
    uncut = WordEncoder(words, 1_000, 10_000)
    texts = [" ".join(words), " ".join(words[:7])]
    expected, whole = encoder.rows(texts), uncut.rows(texts)
    found = rows_of(whole.values, whole.lengths).cut(12)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.lengths, expected.lengths)


def test_windows_have_each_id_but_those_of_rests(rows):
    for generator in (None, np.random.default_rng(2)):
        parts = windows(rows, np.arange(200), 20, generator)
        assert parts.lengths.min() >= 8
        assert parts.lengths.max() == 20
        found = np.concatenate(
            [rows.values[a : a + n] for a, n in zip(parts.starts, parts.lengths, strict=True)]
        )
        assert len(set(found)) == len(found)  # none twice
        lost = np.setdiff1d(rows.values, found)
        row = np.searchsorted(rows.starts, lost - 1, side="right")
        assert np.bincount(row).max() <= (7 if generator is None else 15 + 7)


def test_streams_go_on_with_the_next_id():
    ids, following = streams(np.arange(100), 7)
    assert ids.shape == following.shape == (7, 14)
    np.testing.assert_array_equal(ids + 1, following)


def small(name):
    """Returns a translator of another size."""
    how = TRANSLATORS[name]
    settings = {**how.settings, "encoder_units": 4, "units": 6, "embedding": 5, "pieces": 60}
    return dataclasses.replace(how, settings=settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of small networks and of the samples."""
    folder = tmp_path_factory.mktemp("gpu")
    arrays.write_reviews(folder, "sample", SMALL)
    arrays.write_sentences(folder, "sample", "sample")
    arrays.write_words(folder, "sample", WORDS)
    for name in TRANSLATORS:
        arrays.write_pairs(folder, name, small(name), "sample")
    return folder


def untrained(path):
    """Returns the network of a file, with new weights that are none of a usual start."""
    model = keras.models.model_from_json(path.read_text(encoding="utf-8"))
    for variable in model.trainable_variables:
        variable.assign(keras.random.normal(variable.shape, stddev=0.3, seed=3))
    return model


def test_sentences_are_ids_of_the_words_of_the_language_model(folder):
    sentences, reviews = (read_reviews(folder, name) for name in ("sentences", "reviews"))
    assert sentences.trained == reviews.trained
    np.testing.assert_array_equal(sentences.labels, reviews.labels)
    count = int(reviews.rows.lengths[: reviews.labelled].sum())
    np.testing.assert_array_equal(sentences.rows.values[:count], reviews.rows.values[:count])


def test_reviews_are_cut_into_sentences(monkeypatch):
    rows = rows_of(np.array([3, 4, 5, 6, 9, 7, 9, 2, 3, 4, 5, 8, 6, 3, 4, 5, 6]), np.array([7, 10]))
    found = arrays.sentences_of(rows, [8, 9])
    assert [[*each] for each in found] == [[3, 4, 5, 6, 9], [2, 3, 4, 5, 8], [6, 3, 4, 5, 6]]
    monkeypatch.setattr(arrays, "SENTENCES", 2)
    assert len(arrays.sentences_of(rows, [8, 9])) == 2


def test_pairs_are_those_of_the_recipe(folder):
    name = "translate-attention"
    recipe, how = zoo.get_recipe("translate-attention"), small(name)
    config = override(recipe.config, how.settings)
    splits = arrays.load_splits(recipe, config, "sample")
    assets = recipe.assets(config, json.loads((folder / f"{name}.assets.json").read_text("utf-8")))
    batches = recipe.batches(config, assets, splits.validation)
    pairs = read_pairs(folder / f"{name}.pairs.npz")
    assert pairs.trained == len(splits.train["text"])
    rows = np.arange(pairs.trained, len(pairs))
    np.testing.assert_array_equal(pairs.short(rows), rows)
    for number, row in enumerate(rows):
        (batch,) = plan_batches(pairs.source, np.array([row]), 100, None, 1)
        source, written = pairs.take(batch)
        at = np.array([number])
        np.testing.assert_array_equal(source, batches.x["source"].padded(at))
        np.testing.assert_array_equal(written, batches.y.padded(at))
    every = Batch(np.arange(len(pairs)), 2, np.zeros(len(pairs), "int64"))
    written = pairs.take(every)[1]
    np.testing.assert_array_equal((written != 0).sum(1), pairs.target.lengths)


def test_students_know_the_words_of_their_recipe(folder):
    reviews = read_reviews(folder)
    assets = json.loads((folder / "imdb-lstm.assets.json").read_text(encoding="utf-8"))
    recipe = zoo.get_recipe("imdb-lstm")
    rated = arrays.load_splits(recipe, recipe.config, "sample")
    assert reviews.trained == len(rated.train["label"])
    labels = [*rated.train["label"], *rated.validation["label"]]
    assert [assets["labels"][number] for number in reviews.labels] == labels
    rows = recipe.assets(recipe.config, assets).encoder.rows(rated.train["text"])
    ids = reviews.rows.mapped(reviews.table).values[: len(rows.values)]
    known = ids != 1  # the language model's sample does not have all of these words
    assert known.mean() > 0.5
    np.testing.assert_array_equal(ids[known], rows.values[known])


@pytest.mark.slow
def test_a_run_is_made_of_weights(folder, tmp_path):
    """Also from weights of another process: names of layers have other numbers there."""
    model = untrained(folder / "imdb-lstm.json")
    history = [
        {"epoch": 1, "learning_rate": 1e-3, "loss": 0.7, "val_accuracy": 0.5},
        {"epoch": 2, "learning_rate": 1e-4, "loss": 0.6, "val_accuracy": 0.4},
    ]
    teaching = {"teachers": {"BiLSTM": 0.9}, "mean": 0.9, "labelled": 6, "unlabelled": 3}
    notes = {"history": history, "epochs": 2, "best": 0.5, "seconds": 1_234, "device": "one GPU"}
    notes["teaching"] = {**teaching, "label_share": 0.5}
    save_weights(folder / "imdb-lstm.npz", model, notes)
    run = finish_run("imdb-lstm", folder, tmp_path / "run", "sample", baselines=False)
    assert run.complete
    assert run.history == history
    assert run.metrics["best_epoch"] == 1
    assert run.metrics["weights"] == "trained by PyTorch on one GPU in 1,234 s"
    card = (run.path / "card.md").read_text(encoding="utf-8")
    assert "in 1,234 s" in card
    assert "Taught by `BiLSTM` (0.9000)" in card
    predictor = zoo.load(run)
    ids = np.array([[2, 3, 4, 5]], "int32")
    probability = predictor.model(ids).numpy()
    # The engine has calibrated its temperature, which changes no answer.
    assert probability.argmax() == model(ids).numpy().argmax()
    vectors = predictor.model.get_layer("embedding").embeddings.numpy()
    np.testing.assert_array_equal(vectors, model.get_layer("embedding").embeddings.numpy())
    with pytest.raises(UsageError, match="complete run already"):
        finish_run("imdb-lstm", folder, tmp_path / "run", "sample", baselines=False)
    (folder / "imdb-gru.npz").write_bytes((folder / "imdb-lstm.npz").read_bytes())
    with pytest.raises(ValueError, match="weights of another network"):
        finish_run("imdb-gru", folder, tmp_path / "other", "sample")


def test_the_large_classifier_has_the_settings_of_its_recipe():
    config = zoo.get_recipe(large.NAME).config
    assert {name: getattr(config, name) for name in large.SIZES} == large.SIZES
    assert (config.max_words, config.word_dropout) == (large.MAX_WORDS, large.WORD_DROPOUT)


def test_what_has_its_words_from_a_run_asks_for_it(folder, tmp_path):
    with pytest.raises(UsageError, match="starts from a run of the language model"):
        finish_run("imdb-bilstm-large", folder, tmp_path / "run", "sample")
    assert not (tmp_path / "run").exists()


def test_ids_of_other_data_are_noticed(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    assets = json.loads((folder / "imdb-gru.assets.json").read_text(encoding="utf-8"))
    assets["vocabulary"] = assets["vocabulary"][::-1]
    (other / "imdb-gru.assets.json").write_text(json.dumps(assets), encoding="utf-8")
    notes = {"history": [], "epochs": 1, "best": 0.5, "seconds": 1, "device": "GPU"}
    save_weights(other / "imdb-gru.npz", untrained(folder / "imdb-gru.json"), notes)
    with pytest.raises(ZooError, match="other data than sample"):
        finish_run("imdb-gru", other, tmp_path / "run", "sample")


# Trains all networks for a step or two, and writes what they answer.
LEARN = """
import os, sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
import numpy as np
import torch
from tools.gpu import (
    classifier, language_model, networks, student, translator, translators, words,
)
from tools.gpu.weights import read_weights

folder = Path(sys.argv[1])
assert "tensorflow" not in sys.modules
begun = language_model.train_language_model(folder, epochs=2)["history"]
assert begun[1]["loss"] < begun[0]["loss"], begun
try:
    classifier.train_large_student(folder, epochs=1)
except FileNotFoundError as error:
    assert "train a teacher first" in str(error), error
else:
    raise AssertionError
notes = classifier.train_teacher(folder, epochs=2, seconds=60)
assert notes["history"][1]["loss"] < notes["history"][0]["loss"], notes
classifier.train_large_student(folder, epochs=1)
sentences = {"rate": 1e-2, "tokens": 200, "task": classifier.SENTENCES}
found = classifier.train_teacher(folder, epochs=2, epsilon=1.0, **sentences)["history"]
assert found[1]["loss"] < found[0]["loss"], found
notes = classifier.train_large_student(folder, epochs=2, **sentences)
assert list(notes["teaching"]["teachers"]) == ["`imdb-bilstm-large`, trained further, seed 0"]
fixed = translators.Translator("translate-seq2seq", "multi30k", {"dropout": 0.0}, 2e-2, 64, 0.0)
translators.TRANSLATORS["translate-fixed"] = fixed
for name in ["translate-attention", "translate-fixed"]:
    found = translator.train_translator(folder, name, epochs=4)["history"]
    assert found[3]["loss"] < found[0]["loss"], found
names = ["imdb-lstm", "imdb-gru", "imdb-bilstm", "imdb-deep-gru", "imdb-simplernn"]
for name in names:
    student.train_student(name, folder, epochs=1)
words.train_words(folder, epochs=2, batch_size=3, window=5)

answers = {}
generator = np.random.default_rng(0)
large = "imdb-bilstm-large"
for name in ["language-model", large, *names]:
    model = networks.read_network(folder / f"{name}.json")
    read_weights(folder / f"{name}.npz", model)
    ids = generator.integers(1, 9, (3, 7)).astype("int32")
    with torch.no_grad():
        answers[f"{name} ids"] = ids
        answers[name] = model(networks.tensor(ids), training=False).cpu().numpy()

# The faster forward passes answer what the networks do.
ids = answers["language-model ids"]
model = networks.read_network(folder / "language-model.json")
read_weights(folder / "language-model.npz", model)
with torch.no_grad():
    found = language_model.forward(networks.parameters(model), networks.tensor(ids))
logs = answers["language-model"].mean((0, 1))
np.testing.assert_allclose(found.cpu().numpy(), -logs, atol=1e-5)
model = networks.read_network(folder / f"{large}.json")
read_weights(folder / f"{large}.npz", model)
weights, ids = networks.parameters(model), networks.tensor(answers[f"{large} ids"])
with torch.no_grad():
    found = classifier.answer(weights, classifier.word_vectors(weights, ids)).softmax(1)
np.testing.assert_allclose(found.cpu().numpy(), answers[large], atol=1e-5)

for name in ["translate-attention", "translate-fixed"]:
    model = networks.read_network(folder / f"{name}.json")
    read_weights(folder / f"{name}.npz", model)
    source, written = (generator.integers(4, 50, (3, time)) for time in (7, 5))
    written[1, 3:] = 0
    source, written = networks.tensor(source), networks.tensor(written)
    before = translator.shifted(written)
    with torch.no_grad():
        expected = model({"source": source, "target": before}, training=False)
        found = translator.answer(networks.parameters(model), source, before)
    np.testing.assert_allclose(found[written != 0], expected[written != 0], atol=1e-5)
    answers |= {f"{name} source": source, f"{name} target": before, name: expected}
# Without dropout, both passes are the same.
one, two = (
    translator.loss_of_rows(networks.parameters(model), source, written, 0.0, 0.1, weight)
    for weight in (0.0, 2.0)
)
assert abs(float(one.detach() - two.detach())) < 1e-6
torch.manual_seed(0)
one = translator.loss_of_rows(networks.parameters(model), source, written, 0.5, 0.1, 1e-9)
torch.manual_seed(0)
two = translator.loss_of_rows(networks.parameters(model), source, written, 0.5, 0.1, 2.0)
assert float(two.detach()) > float(one.detach())

# The perturbation that is found by a step of the power method changes more than one by chance.
moved, by_chance = [], []
for number in range(20):
    torch.manual_seed(number)
    labels = torch.full((len(ids),), -1)
    moved.append(float(classifier.virtual_adversarial(weights, ids, labels, 0.5)[1].detach()))
    masks = classifier.Masks.draw(ids, weights[2].shape[0])
    vectors = classifier.word_vectors(weights, ids, masks)
    noise = 0.5 * classifier.unit(torch.randn_like(vectors))
    with torch.no_grad():
        plain, found = (
            classifier.answer(weights, each, masks).log_softmax(1)
            for each in (vectors, vectors + noise)
        )
    by_chance.append(float((plain.exp() * (plain - found)).sum(1).mean()))
assert np.mean(moved) > 1.5 * np.mean(by_chance), (moved, by_chance)

# Window after window.
model = networks.read_network(folder / "ptb-deep-lstm.json")
read_weights(folder / "ptb-deep-lstm.npz", model)
weights, states = networks.parameters(model), [(torch.zeros(1, 3, 5),) * 2] * 2
stream = torch.arange(3, dtype=torch.int32)
with torch.no_grad():
    for number in range(3):
        x, y = networks.tensor(generator.integers(1, 9, (2, 3, 4)))
        inputs = {"ids": x, "next": y, "stream": stream}
        inputs["begins"] = torch.full((3,), int(number == 0), dtype=torch.int32)
        logs = model(inputs, training=False)
        loss, states = words.forward(weights, x, y, states)
        assert abs(float(loss) + float(logs.mean())) < 1e-5

# On the CPU, no cuDNN: what would be said on a GPU.
loss, _ = words.forward(weights, x, y, states)
try:
    networks.require_cudnn(loss, 2)
except RuntimeError as error:
    assert str(error).startswith("0 of 2 recurrent layers used cuDNN"), error
else:
    raise AssertionError
assert "EmbeddingBackward0" in networks.operations(loss)
np.savez(folder / "answers.npz", **answers)
"""


@pytest.mark.slow
def test_weights_of_pytorch_answer_the_same_in_tensorflow(folder):
    """All networks are trained, by PyTorch alone, in a process without TensorFlow."""
    pytest.importorskip("torch", reason="the extra [bench] is not installed")
    done = subprocess.run(
        [sys.executable, "-c", LEARN, folder], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(folder / "answers.npz") as file:
        answers = dict(file)
    for name in ["language-model", "imdb-bilstm-large", *arrays.STUDENTS]:
        model = untrained(folder / f"{name}.json")
        notes = read_weights(folder / f"{name}.npz", model)
        assert notes["device"]
        found = model(answers[f"{name} ids"], training=False).numpy()
        np.testing.assert_allclose(found, answers[name], atol=1e-5)
    for name in TRANSLATORS:
        model = untrained(folder / f"{name}.json")
        read_weights(folder / f"{name}.npz", model)
        target = answers[f"{name} target"]
        inputs = {"source": answers[f"{name} source"], "target": target}
        found = model(inputs, training=False).numpy()[target != 0]
        np.testing.assert_allclose(found, answers[name][target != 0], atol=1e-5)
