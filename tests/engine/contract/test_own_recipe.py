"""A recipe of one's own: from a file by path, or from an installed package, both without us."""

import json
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import zoo
from zoo import files
from zoo.cli.evaluate import evaluate
from zoo.scores import Scores
from zoo.training import Run

# The smallest complete recipe: is a sentence about the past or about the future?
RECIPE = '''
"""Many-to-one: a sentence goes in, its tense comes out (Elman 1990)."""

import dataclasses

from zoo.config import Config as BaseConfig
from zoo.data import Dataset
from zoo.scores import Metric, Monitor, Scores

TOPOLOGY = "many-to-one"
TASK = "tense"
METRIC = Metric("accuracy", better="higher")
MONITOR = Monitor("val_loss", better="lower")


@dataclasses.dataclass(frozen=True)
class Config(BaseConfig):
    units: int = 8  # size of the state


RECIPES = {"tiny-tense": Config(epochs=12, batch_size=4, learning_rate=0.02, patience=0)}


def sample():
    who = ["I", "you", "we", "they", "the cat", "my friends"]
    return {
        "text": [f"{name} {verb}" for verb in ("went home .", "will go home .") for name in who],
        "label": ["past"] * 6 + ["future"] * 6,
    }


TENSE = Dataset(
    name="tense",
    title="Twelve sentences",
    homepage="https://example.org",
    licence="public domain",
    columns={"text": "a sentence", "label": "past or future"},
    sources=(),
    sample=sample,
)


def data(config):
    return TENSE


def prepare(config, train, base=None):
    from zoo import text

    return {
        "vocabulary": text.learn_vocabulary(train["text"], 100),
        "labels": sorted(set(train["label"])),
    }


def encoder(config, assets):
    from zoo import text

    return text.WordEncoder(assets["vocabulary"], 20)


def batches(config, assets, examples):
    import numpy as np

    from zoo.data import Batches

    y = np.array([assets["labels"].index(label) for label in examples["label"]])
    return Batches(assets.encoder.rows(examples["text"]), y, config.batch_size)


def build(config, assets):
    import keras

    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(len(assets["vocabulary"]) + 2, 8, mask_zero=True)(ids)
    x = keras.layers.LSTM(config.units)(x)
    return keras.Model(ids, keras.layers.Dense(2, activation="softmax", dtype="float32")(x))


def objective(config, assets):
    return {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}


def serve(config, assets, model):
    import tensorflow as tf

    from zoo.serving import Served

    encode, labels = assets.encoder, tf.constant(assets["labels"])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def answer(text):
        probabilities = model(encode(text), training=False)
        return {
            "label": tf.gather(labels, tf.argmax(probabilities, -1)),
            "score": tf.reduce_max(probabilities, -1),
            "probabilities": probabilities,
        }

    return Served(answer=answer, parts=[model, encode])


def evaluate(config, assets, predictor, examples):
    from zoo import metrics

    found = [answer["label"] for answer in predictor.predict(examples["text"])]
    return metrics.classification(examples["label"], found, assets["labels"])


def baseline(config, splits):
    return {"always future": Scores({"accuracy": splits.test["label"].count("future") / 2})}


def show(example, answer):
    return f"{answer['label']}: {example['text']}"
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tense.py"
    path.write_text(RECIPE)
    return path


def test_a_recipe_in_a_file_is_trained_evaluated_asked_and_exported(file, tmp_path):
    name, run = f"{file}:tiny-tense", tmp_path / "run"
    assert zoo.get_recipe(str(file)).name == "tiny-tense"  # the only one in its file
    metrics = zoo.train(name, run, data="sample", quiet=True).metrics
    assert 0 <= metrics["test"]["accuracy"] <= 1
    assert metrics["baseline"] == {"always future": {"accuracy": 0.5}}

    sample = zoo.get_recipe(name).dataset.sample()
    lines = [f"{text},{label}" for text, label in zip(*sample.values(), strict=True)]
    (tmp_path / "all.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    result = zoo.evaluate(run, tmp_path / "all.csv", baselines=False)
    assert result["metric"] == "accuracy"
    assert result["rows"] == 12
    assert result["metrics"]["accuracy"] >= 10 / 12

    texts = ["we went home .", "we will go home ."]
    predictor = zoo.load(run)  # finds the file again by itself
    answers = predictor.predict(texts)
    assert [answer["label"] for answer in answers] == ["past", "future"]
    assert predictor.recipe.show({"text": texts[0]}, answers[0]) == "past: we went home ."

    version = zoo.export(run, tmp_path / "export")
    assert version.name == "1"
    served = zoo.load(version).predict(texts)
    for ours, theirs in zip(answers, served, strict=True):
        assert ours["label"] == theirs["label"]
        assert np.isclose(ours["score"], theirs["score"], atol=1e-5)


def test_training_from_columns_in_memory(file, tmp_path):
    name, run = f"{file}:tiny-tense", tmp_path / "run"
    columns = zoo.get_recipe(name).dataset.sample()
    arguments = {"settings": {"epochs": 1}, "quiet": True}
    zoo.train(name, run, data=columns, **arguments)
    data, config = (files.read_json(run / f"{part}.json") for part in ("data", "config"))
    assert (data["source"], config["run"]["data"]) == ("in memory", "in memory")
    assert data["rows"] == {"train": 8, "validation": 2, "test": 2}
    assert zoo.train(name, run, data=columns, **arguments).complete

    # It is scored on columns; what it was trained on is not there, and that is said.
    result = zoo.evaluate(run, columns)
    assert (result["rows"], result["data"]) == (12, "in memory")
    assert "was trained on custom data (in memory), which are not available" in result["notes"][0]
    # The remedy is that of every command: `inspect` has no --data.
    expected = r"custom data \(in memory\), .* available here: give them, or other data\.$"
    for function in (zoo.evaluate, zoo.inspect):
        with pytest.raises(zoo.ZooError, match=expected):
            function(run)
    splits = dict.fromkeys(("train", "validation", "test"), columns)
    assert zoo.evaluate(run, splits)["rows"] == 12

    # A run that goes on must get the same rows again.
    (run / "metrics.json").unlink()
    other = {**columns, "text": [f"{text} !" for text in columns["text"]]}
    with pytest.raises(zoo.ZooError, match="have changed since it began"):
        zoo.train(name, run, data=other, **arguments)
    with pytest.raises(zoo.UsageError, match=r"holds another run \(data: 'in memory', now None"):
        zoo.train(name, run, **arguments)
    assert zoo.train(name, run, data=columns, **arguments).complete


# A proper score, less is better; its name says nothing of that.
BRIER = """
def objective(config, assets):
    from keras import ops

    def brier(y, probabilities):
        truth = ops.one_hot(ops.cast(ops.reshape(y, (-1,)), "int32"), 2)
        return ops.sum(ops.square(probabilities - truth), axis=-1)

    return {"loss": "sparse_categorical_crossentropy", "metrics": [brier]}


def evaluate(config, assets, predictor, examples):
    errors = [
        sum((p - (label == truth)) ** 2 for label, p in answer["probabilities"].items())
        for answer, truth in zip(predictor.predict(examples["text"]), examples["label"])
    ]
    return Scores(
        {"brier": sum(errors) / len(errors)},
        tables={"per_tense": {"any": {"brier": max(errors), "rows": len(errors)}}},
        signatures={"brier": "Brier 1950"},
    )


def baseline(config, splits):
    return {"always a half": Scores({"brier": 0.5})}
"""


def brier_recipe(path, monitor='Monitor("val_brier", better="lower")'):
    source = RECIPE.replace(
        'Metric("accuracy", better="higher")', 'Metric("brier", better="lower")'
    )
    path.write_text(source.replace('Monitor("val_loss", better="lower")', monitor) + BRIER)
    return str(path)


def test_the_best_epoch_is_kept_where_lower_is_better_under_any_name(tmp_path, capsys):
    run = zoo.train(brier_recipe(tmp_path / "brier.py"), tmp_path / "run", data="sample")
    curve = [row["val_brier"] for row in run.history]
    assert min(curve) < curve[0]
    metrics = run.metrics
    assert metrics["best_epoch"] == 1 + curve.index(min(curve)) > 1
    assert metrics["validation"] == min(curve)
    assert (metrics["metric"], metrics["monitor"]) == ("brier", "val_brier")
    card = (run.path / "card.md").read_text()
    assert "Main metric: brier (lower is better)" in card
    marked = [line.endswith("best") for line in capsys.readouterr().out.splitlines() if "s" in line]
    assert sum(marked) == sum(value < min([9, *curve[:i]]) for i, value in enumerate(curve))
    # Tables and signatures are shown under whatever name.
    assert "\n| tense | brier | rows |\n" in card
    assert "\n- `brier`: `Brier 1950`\n" in card
    evaluate.main(["--trust", str(run.path)], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["network", f"{metrics['test']['brier']:.4f}"]
    assert lines[4:6] == ["brier: Brier 1950", ""]
    assert [line.split() for line in lines[6:]] == [
        ["tense", "brier", "rows"],
        ["any", f"{metrics['test']['per_tense']['any']['brier']:.4f}", "2"],
    ]
    # The weights are those of that epoch.
    result = zoo.evaluate(run.path, split="validation", baselines=False)
    assert result["metrics"]["brier"] == pytest.approx(min(curve), rel=1e-4)


def test_a_monitor_that_is_not_measured_is_said_after_the_first_epoch(tmp_path):
    file = brier_recipe(tmp_path / "typo.py", 'Monitor("val_briar", better="lower")')
    with pytest.raises(zoo.ZooError, match=r"'val_briar' is not .* Did you mean 'val_brier'\?"):
        zoo.train(file, tmp_path / "run", data="sample", settings={"epochs": 1}, quiet=True)


def test_scores_of_another_type_or_without_the_metric_are_refused(file):
    recipe = zoo.get_recipe(str(file))
    recipe.module.evaluate = lambda *arguments: {"accuracy": 1.0}
    with pytest.raises(zoo.ZooError, match=r"evaluate gives a dict; it must give a zoo\.scores"):
        recipe.evaluate(None, {}, None, {})
    recipe.module.evaluate = lambda *arguments: Scores({"acuracy": 1.0})
    with pytest.raises(zoo.ZooError, match=r"no value 'accuracy'.* Did you mean 'acuracy'\?"):
        recipe.evaluate(None, {}, None, {})
    recipe.module.baseline = lambda *arguments: {"half": {"accuracy": 0.5}}
    with pytest.raises(zoo.ZooError, match="baseline 'half' gives a dict"):
        recipe.baseline(None, None)


def test_a_file_says_what_is_wrong_with_it(file, tmp_path):
    with pytest.raises(zoo.UsageError, match=r"no recipe 'tiny-tens'. Did you mean 'tiny-tense'\?"):
        zoo.get_recipe(f"{file}:tiny-tens")
    with pytest.raises(zoo.UsageError, match="no recipe file"):
        zoo.get_recipe(str(tmp_path / "none.py"))
    for number, (old, new, message) in enumerate(
        [
            ("def serve(", "def _serve(", "lacks serve"),
            ("TASK = ", 'KERAS_OBJECTS = {"a": 1}\nTASK = ', "KERAS_OBJECTS must be a dict"),
            ('"many-to-one"', '"many-to-some"', "TOPOLOGY is 'many-to-some'"),
            ("Config(epochs=12, batch_size=4, learning_rate=0.02, patience=0)", "{}", "Config"),
            ("import dataclasses\n", "import dataclasses, nothing_like_it\n", "nothing_like_it"),
            ("def show(example, answer):", "def show(:", "SyntaxError"),
            (
                'Metric("accuracy", better="higher")',
                '"accuracy"',
                r"METRIC is 'accuracy', which .*Write METRIC = Metric\(\"accuracy\", better=",
            ),
            (
                'Monitor("val_loss", better="lower")',
                '"val_loss"',
                r"MONITOR is 'val_loss', which .*Write MONITOR = Monitor\(\"val_loss\", better=",
            ),
            ('better="lower"', 'better="less"', r"better='less'; write better=\"higher\" or"),
            (', better="lower"', "", "better"),
        ]
    ):
        broken = tmp_path / f"broken{number}.py"
        broken.write_text(RECIPE.replace(old, new, 1))
        with pytest.raises(zoo.ZooError, match=message) as caught:
            zoo.get_recipe(str(broken))
        assert broken.name in str(caught.value)


SEARCH = """
    @tf.function(input_signature=[
        tf.TensorSpec([None], tf.string, name="text"),
        tf.TensorSpec([], tf.int32, name="beam"),
        tf.TensorSpec([], tf.int32, name="n_bests"),
    ])
    def search(text, beam, n_bests):
        return {name: value[:, None] for name, value in answer(text).items()}

    return Served(answer=answer, search=search, parts=[model, encode])
"""


def test_a_misspelt_option_is_refused_before_the_first_step_and_at_export(
    file, tmp_path, monkeypatch
):
    plain = "    return Served(answer=answer, parts=[model, encode])\n"
    (tmp_path / "wrong.py").write_text(RECIPE.replace(plain, SEARCH))
    said = (
        r"tiny-tense: the signature 'nbest' \(search\) has an unknown option 'n_bests'; the "
        r"options 'beam' \(int32\), 'n_best' \(int32\) are due. Did you mean 'n_best'\?"
    )
    wrong = zoo.get_recipe(str(tmp_path / "wrong.py"))
    run = tmp_path / "run"
    with pytest.raises(zoo.ZooError, match=said):
        zoo.train(wrong.reference, run, data="sample", quiet=True)
    assert not run.exists()

    zoo.train(str(file), run, data="sample", settings={"epochs": 1}, quiet=True)
    assert zoo.load(run).capabilities == {"answer"}
    monkeypatch.setattr(zoo.get_recipe(str(file)).module, "serve", wrong.module.serve)
    with pytest.raises(zoo.ZooError, match=said):
        zoo.export(run, tmp_path / "export")
    assert not list((tmp_path / "export").iterdir())
    # A run that was trained before this was checked: the message says what it is.
    with pytest.raises(zoo.UsageError, match=r"tiny-tense does not search: .*'n_bests'.* Try"):
        zoo.load(run).require("search", "does not search", "Try another.")


def test_the_encoder_is_made_once(file, monkeypatch):
    recipe = zoo.get_recipe(str(file))
    made, make = [], recipe.module.encoder
    monkeypatch.setattr(
        recipe.module, "encoder", lambda *given: made.append(make(*given)) or made[-1]
    )
    sample = recipe.dataset.sample()
    assets = recipe.prepare(recipe.config, sample)
    assert not made
    assert json.loads(json.dumps(assets)) == assets == dict(assets)
    recipe.batches(recipe.config, assets, sample)
    model = recipe.build(recipe.config, assets)
    assert recipe.serve(recipe.config, assets, model).parts[1] is assets.encoder is made[0]
    assert len(made) == 1
    monkeypatch.delattr(recipe.module, "encoder")
    assert recipe.assets(recipe.config, assets).encoder is None


SGD = """
def optimizer(config, steps):
    import keras

    assert steps == 4 * 2  # epochs times batches
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, steps)
    return keras.optimizers.SGD(rate, momentum=0.9, clipnorm=config.clip_norm)
"""

# The run that is killed is trained by a process that is forked before TensorFlow computes.
RUN = """
import os, signal, sys
import keras, tensorflow, zoo
from zoo.training import callbacks

name, folder = sys.argv[1:]
step = callbacks.Progress.step

def dying(self, state, logs):
    step(self, state, logs)
    if state.epoch == 1 and state.step == 2:
        os.kill(os.getpid(), signal.SIGKILL)

def train(run):
    zoo.train(
        name, f"{folder}/{run}", data="sample", settings={"epochs": 4, "patience": 0},
        deterministic=True, checkpoint_seconds=0, baselines=False,
    )

child = os.fork()
if not child:
    callbacks.Progress.step = dying
    train("killed")
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
train("reference")
train("killed")
"""


def test_a_recipe_chooses_its_optimizer_and_goes_on_with_it_bit_equal(tmp_path, weights):
    file = tmp_path / "tense.py"
    file.write_text(RECIPE + SGD)

    command = [sys.executable, "-c", RUN, str(file), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "resuming in epoch 2 after step 1" in done.stdout
    reference, again = tmp_path / "reference", tmp_path / "killed"
    assert (again / "history.csv").read_bytes() == (reference / "history.csv").read_bytes()
    ours, theirs = (weights(folder / "model-last.keras") for folder in (again, reference))
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key], value, err_msg=key)
    assert any(key.startswith("optimizer/vars/") for key in theirs)  # the momenta, too
    row = Run(reference).history[-1]
    assert row.keys() == {"epoch", "learning_rate", "loss", "val_loss", "accuracy", "val_accuracy"}
    assert row["learning_rate"] == pytest.approx(0, abs=1e-6)  # the schedule has come to its end


def test_what_is_no_optimizer_is_refused(tmp_path):
    file = tmp_path / "tense.py"
    file.write_text(RECIPE + "\n\ndef optimizer(config, steps):\n    return 'sgd'\n")
    with pytest.raises(zoo.ZooError, match=r"must return a Keras optimizer; got .* type str"):
        zoo.train(str(file), tmp_path / "run", data="sample", quiet=True)


def test_an_unknown_name_suggests_the_nearest():
    known = zoo.list_models()[0]["name"]
    with pytest.raises(zoo.UsageError, match=f"Did you mean {known!r}"):
        zoo.get_recipe(known[:-1])


def installed(folder, modules, points):
    """Lays out a folder as pip leaves an installed distribution."""
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)
    about = folder / "other_recipes-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: other-recipes\nVersion: 1.0\n")
    lines = "\n".join(f"{point} = {point}" for point in points)
    (about / "entry_points.txt").write_text(f"[zoo.recipes]\n{lines}\n")


def listed(folder, *arguments):
    """Runs `zoo list` in a process that has the folder on its path."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); from zoo.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "list", *arguments], capture_output=True, text=True
    )


def test_an_installed_package_brings_its_recipes_by_entry_point(tmp_path):
    installed(tmp_path, {"tense": RECIPE}, ["tense"])
    done = listed(tmp_path, "--task", "tense")
    assert done.returncode == 0, done.stderr
    assert "tiny-tense" in done.stdout
    ours = listed(tmp_path).stdout
    assert all(row["name"] in ours for row in zoo.list_models())


def test_two_recipes_of_one_name_are_an_error_that_names_both(tmp_path):
    installed(tmp_path, {"tense": RECIPE, "other": RECIPE}, ["tense", "other"])
    done = listed(tmp_path)
    assert done.returncode == 1
    assert "Two recipes are named 'tiny-tense': one from tense, one from other" in done.stderr


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_like_it", "nothing_like_it"),
        ("def f(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("TASK = 'tense'", "lacks"),
    ],
)
def test_a_broken_package_is_one_line_that_names_it(tmp_path, source, reason):
    installed(tmp_path, {"broken_recipes": textwrap.dedent(source)}, ["broken_recipes"])
    done = listed(tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert "broken_recipes" in line
    assert reason in line
    assert "should not happen" not in line


def test_threads_that_ask_for_a_file_at_once_get_all_of_it(tmp_path):
    file = tmp_path / "slow.py"
    slow = "import dataclasses, time\ntime.sleep(0.3)"
    file.write_text(RECIPE.replace("import dataclasses", slow))
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(zoo.get_recipe, [f"{file}:tiny-tense"] * 4))
    assert len({id(recipe.module) for recipe in found}) == 1
    assert {recipe.name for recipe in found} == {"tiny-tense"}
