"""Going on from a model: what is taken from it, and how fast each layer learns."""

import json

import keras
import numpy as np
import pytest

import zoo
from recipes import sentiment
from zoo.errors import UsageError
from zoo.training import diagnostics
from zoo.training.optimizer import compile_model, default_optimizer
from zoo.training.run import check_same
from zoo.training.transfer import take_weights

SMALL = {"units": 4, "embedding": 4}
STILL = {**SMALL, "epochs": 1, "learning_rate": 1e-12}


def named_weights(folder):
    layers = diagnostics.named_layers(zoo.load(folder).model)
    return {name: [np.asarray(w) for w in layer.weights] for name, layer in layers.items()}


def test_another_recipe_takes_what_fits_by_name(sample_run, tmp_path, capsys):
    run = zoo.train(
        "imdb-gru", tmp_path / "run", data="sample", base=sample_run, settings=STILL,
        baselines=False,
    )  # fmt: skip
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "layer gru starts from scratch: the base model has no such layer" in lines
    assert not [line for line in lines if line.startswith("layer embedding")]
    before, after = named_weights(sample_run), named_weights(run.path)
    for name in ("embedding", "dense"):
        for old, new in zip(before[name], after[name], strict=True):
            np.testing.assert_allclose(old, new, atol=1e-6)
    assets = [json.loads((path / "assets.json").read_text()) for path in (sample_run, run.path)]
    assert assets[0]["vocabulary"] == assets[1]["vocabulary"]


def test_other_classes_get_a_new_head_though_there_are_as_many(sample_run, tmp_path, capsys):
    zoo.train(
        "news-gru", tmp_path / "run", data="sample", base=sample_run, settings=STILL,
        baselines=False,
    )  # fmt: skip
    assert "layer dense starts from scratch: the classes differ" in capsys.readouterr().out


def test_other_tags_get_a_new_head_though_there_are_as_many(tmp_path, capsys):
    settings = {"units": 4, "embedding": 4, "character": 3, "filters": 3, "epochs": 1}
    options = {"settings": settings, "baselines": False}
    base = zoo.train("conll-bilstm-crf", tmp_path / "base", data="sample", **options).path
    train = zoo.get_recipe("conll-bilstm-crf").dataset.load("sample").train
    kept = [
        {"tokens": tokens, "tags": tags}
        for tokens, tags in zip(train["tokens"], train["tags"], strict=True)
    ] * 3
    others = [
        {**row, "tags": [tag.replace("PER", "DRUG").replace("LOC", "GENE") for tag in row["tags"]]}
        for row in kept
    ]
    for name, rows, expected in (
        ("kept", kept, []),
        ("others", others, [f"layer {name} starts from scratch: the tags differ"
                            for name in ("scores", "crf")]),
    ):  # fmt: skip
        capsys.readouterr()
        zoo.train("conll-bilstm-crf", tmp_path / name, data=rows, base=base, **options)
        lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
        assert [line for line in lines if "from scratch" in line] == expected


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("imdb-gru", {}, "None of its layers fits 'imdb-gru'"),
        ("shakespeare-gru", {}, "has another input format"),
        ("conll-bilstm", {}, "has another input format"),
    ],
)
def test_a_base_of_which_nothing_fits_is_refused(sample_run, tmp_path, name, settings, message):
    with pytest.raises(UsageError, match=message):
        zoo.train(
            name, tmp_path / "run", data="sample", base=sample_run, settings=settings, quiet=True
        )
    assert not (tmp_path / "run").exists()


def test_layers_are_matched_by_name_not_by_place():
    def model(*units):
        x = inputs = keras.Input((3,))
        for name, size in units:
            x = keras.layers.Dense(size, name=name)(x)
        return keras.Model(inputs, x)

    old, new = model(("low", 4), ("head", 2)), model(("low", 4), ("more", 4), ("head", 5))
    lines = take_weights(new, old)
    np.testing.assert_array_equal(*(m.get_layer("low").kernel for m in (old, new)))
    assert lines == [
        "layer more starts from scratch: the base model has no such layer",
        "layer head starts from scratch: it has another shape, (4, 5)",
    ]


@pytest.fixture
def stack():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    x = inputs
    for size in (4, 4, 1):
        x = keras.layers.Dense(size)(x)
    return keras.Model(inputs, x)


def moves(model, config, steps, calls):
    """Returns how far each layer's kernel moved in each of some steps."""
    model.compile(
        default_optimizer(config, steps, diagnostics.layer_names(model)), "mse", jit_compile=False
    )
    x, y = np.ones((8, 3), "float32"), np.full((8, 1), 9.0, "float32")
    found = []
    for _ in range(calls):
        before = [np.asarray(layer.kernel) for layer in model.layers[1:]]
        model.train_on_batch(x, y)
        after = [np.asarray(layer.kernel) for layer in model.layers[1:]]
        found.append([np.abs(b - a).max() for a, b in zip(before, after, strict=True)])
    return np.array(found)


def test_each_layer_moves_by_a_share_of_the_one_above(stack):
    config = zoo.Config(warmup=0, layer_decay=0.5, learning_rate=1e-2, clip_norm=0)
    (first,) = moves(stack, config, 5, 1)
    np.testing.assert_allclose(first / first[-1], [0.25, 0.5, 1], rtol=1e-3)


def test_layers_begin_to_learn_one_after_another_from_the_top(stack):
    config = zoo.Config(epochs=6, warmup=0, unfreeze=1)
    moved = moves(stack, config, 2, 6) > 0
    assert (
        moved.tolist() == [[False, False, True]] * 2 + [[False, True, True]] * 2 + [[True] * 3] * 2
    )


def test_the_optimizer_keeps_its_rates_in_a_file(stack):
    config = zoo.Config(layer_decay=0.5, unfreeze=2)
    optimizer = default_optimizer(config, 3, diagnostics.layer_names(stack))
    again = diagnostics.MonitoredAdam.from_config(optimizer.get_config())
    assert again.rates == [0.25, 0.5, 1]
    assert again.starts == [12, 6, 0]


def test_rates_are_not_for_an_optimizer_of_a_recipe(stack):
    class Own:
        name = "own"

        def optimizer(self, config, steps):
            return keras.optimizers.SGD()

    with pytest.raises(UsageError, match="has its own optimizer"):
        compile_model(Own(), zoo.Config(unfreeze=1), None, stack, 1)


def test_a_run_of_before_a_setting_existed_goes_on(tmp_path):
    resolved = {
        "recipe": "imdb-lstm",
        "config": {**vars(sentiment.RECIPES["imdb-lstm"])},
        "run": {"seed": 0, "reading": {}},
    }
    old = {**resolved, "config": dict(resolved["config"])}
    del old["config"]["layer_decay"], old["config"]["unfreeze"]
    (tmp_path / "config.json").write_text(json.dumps(old))
    check_same(tmp_path, resolved)
    changed = {**resolved, "config": {**resolved["config"], "unfreeze": 1}}
    with pytest.raises(UsageError, match="unfreeze: 0, now 1"):
        check_same(tmp_path, changed)
