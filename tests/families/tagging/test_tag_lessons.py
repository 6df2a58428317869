"""Students of taggers: targets, losses, and runs."""

import dataclasses
import json
from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import zoo
from recipes import entities
from recipes.tagging import lessons
from recipes.tagging.crf import log_marginals, marginals
from recipes.tagging.losses import CRFLoss, TagLoss
from recipes.tagging.rows import tag_rows, with_marginals
from recipes.tagging.running import EntityF1
from zoo.assets import Assets
from zoo.errors import UsageError

SMALL = {"units": 6, "filters": 4, "epochs": 2, "batch_size": 8}
TRAIN = entities.CONLL.sample()


def teacher(name, seed):
    """An untrained tagger of the sample."""
    keras.utils.set_random_seed(seed)
    config = dataclasses.replace(entities.RECIPES[name], units=6, filters=4)
    assets = Assets(entities.prepare(config, TRAIN), partial(entities.encoder, config))
    model = entities.build(config, assets)
    for weight in model.trainable_variables:
        weight.assign(3.0 * weight)
    return SimpleNamespace(name=name, assets=assets, model=model)


@pytest.fixture(scope="module")
def taught():
    """What two teachers say of the sample, one of them a CRF."""
    tokens = TRAIN["tokens"]
    return [
        lessons.tag_marginals(teacher(name, seed), TRAIN, tokens)
        for seed, name in enumerate(["conll-bilstm", "conll-bilstm-crf"])
    ]


def test_marginals_of_two_teachers_are_averaged(taught):
    first, second = (lesson["marginals"] for lesson in taught)
    assert first.shape == (sum(map(len, TRAIN["tokens"])), 17)  # O and BIES of four classes
    for one in (first, second):
        np.testing.assert_allclose(one.sum(axis=1), 1, rtol=1e-4)
        assert (one >= 0).all()
    assert not np.allclose(first, second, atol=0.01)
    mean = lessons.mean_marginals(TRAIN["tokens"], taught, share=0.25)
    assert [len(row) for row in mean] == [len(row) for row in TRAIN["tokens"]]
    np.testing.assert_allclose(np.concatenate(mean), 0.75 * (first + second) / 2, atol=1e-6)
    np.testing.assert_allclose(np.concatenate(mean).sum(axis=1), 0.75, rtol=1e-4)


def test_a_sentence_alone_has_the_same_marginals(taught):
    row = max(range(len(TRAIN["tokens"])), key=lambda row: -len(TRAIN["tokens"][row]))
    start = sum(map(len, TRAIN["tokens"][:row]))
    alone = lessons.tag_marginals(teacher("conll-bilstm-crf", 1), TRAIN, [TRAIN["tokens"][row], []])
    size = len(TRAIN["tokens"][row])
    expected = taught[1]["marginals"][start : start + size]
    np.testing.assert_allclose(alone["marginals"], expected, atol=1e-5)


def test_targets_hold_tags_and_what_teachers_say(taught):
    tags = entities.prepare(entities.Config(), TRAIN)["tags"]
    rows = tag_rows(TRAIN["tags"], tags)
    mean = lessons.mean_marginals(TRAIN["tokens"], taught, share=0.5)
    both = with_marginals(rows, mean)
    np.testing.assert_array_equal(both.values[:, 0], rows.values)
    np.testing.assert_allclose(both.values[:, 1:], np.concatenate(mean))
    empty = with_marginals(tag_rows([[], ["O"]], tags), [mean[0][:0], mean[0][:1]])
    assert not empty.values[0].any()  # padding
    padded = both.padded(np.arange(2))
    assert (padded[..., 0] == rows.padded(np.arange(2))).all()


@pytest.mark.parametrize("loss", [TagLoss(), CRFLoss()], ids=["softmax", "crf"])
def test_a_loss_mixes_the_true_tags_with_those_of_teachers(loss):
    rng = np.random.default_rng(0)
    true = np.array([[1, 3, 2], [2, 0, 0]])
    mask = true > 0
    pairs = rng.normal(0, 2, (2, 3, 3, 3)).astype("float32")
    single = keras.ops.softmax(rng.normal(0, 2, (2, 3, 3)).astype("float32"))
    output = pairs if isinstance(loss, CRFLoss) else single
    found = marginals(pairs, mask) if isinstance(loss, CRFLoss) else single
    teachers = rng.dirichlet(np.ones(3), (2, 3)).astype("float32")

    def value(share):
        taught = (1 - share) * teachers * mask[..., None]
        return float(loss(np.concatenate([true[..., None], taught], -1).astype("float32"), output))

    hard = float(loss(true, output))
    soft = -(teachers * np.log(found)).sum(-1)[mask].mean()
    assert value(1.0) == pytest.approx(hard, rel=1e-5)
    assert value(0.0) == pytest.approx(soft, rel=1e-4)
    assert value(0.25) == pytest.approx(0.25 * hard + 0.75 * soft, rel=1e-4)
    metric, usual = EntityF1(["O", "B-X", "I-X"]), EntityF1(["O", "B-X", "I-X"])
    target = np.concatenate([true[..., None], teachers], -1).astype("float32")
    metric.update_state(target, output)
    usual.update_state(true, output)
    assert float(metric.result()) == float(usual.result())


def test_logarithms_of_marginals_are_those(taught):
    scores = np.random.default_rng(1).normal(0, 2, (2, 4, 3, 3)).astype("float32")
    mask = np.arange(4) < np.array([[4], [2]])
    found, expected = log_marginals(scores, mask), marginals(scores, mask)
    np.testing.assert_allclose(np.exp(found)[mask], np.asarray(expected)[mask], rtol=1e-4)
    assert np.isfinite(found).all()


def test_a_teacher_of_other_tags_is_refused():
    train = {"tags": [["O", "B-DRUG"]], "tokens": [["a", "b"]]}
    with pytest.raises(UsageError, match=r"knows the tags O, B-LOC.* rows have O, B-D"):
        lessons.tag_marginals(teacher("conll-bilstm", 0), train, train["tokens"])


@pytest.mark.slow
def test_a_student_learns_what_its_teacher_says_and_not_the_tags(run_of, tmp_path):
    folder = run_of("conll-bilstm-crf")
    told = zoo.load(folder)
    # Its answers are wrong on purpose: as if class names had changed places.
    swap = {"B-PER": "B-LOC", "I-PER": "I-LOC", "B-LOC": "B-PER", "I-LOC": "I-PER"}
    wrong = {**TRAIN, "tags": [[swap.get(tag, tag) for tag in row] for row in TRAIN["tags"]]}
    settings = {"units": 24, "filters": 8, "epochs": 25, "batch_size": 4, "dropout": 0.0,
                "dropout_in": 0.0, "word_dropout": 0.0, "learning_rate": 0.01}  # fmt: skip
    run = zoo.distil(
        "conll-bilstm", tmp_path / "run", teachers=[folder], label_share=0.0, settings=settings,
        data={"train": wrong, "validation": TRAIN, "test": TRAIN}, baselines=False, quiet=True,
    )  # fmt: skip
    asked = {"tokens": TRAIN["tokens"]}
    expected = [row["tags"] for row in told.predict(asked, signature="tokens")]
    found = [row["tags"] for row in zoo.load(run.path).predict(asked, signature="tokens")]
    pairs = [pair for rows in zip(expected, found, strict=True) for pair in zip(*rows, strict=True)]
    assert np.mean([one == other for one, other in pairs]) > 0.95
    about = json.loads((run.path / "data.json").read_text())["teaching"]
    assert about["metric"] == "f1"
    assert about["label_share"] == 0
    assert "f1 on the validation split" in (run.path / "card.md").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teachers": ["linear"]}, "Teachers are models: .*linear"),
        ({"teachers": ["imdb-lstm"]}, "imdb-lstm is a model for sentiment; conll-bilstm is for en"),
        ({"unlabelled": "more.csv"}, "cannot use unlabelled rows"),
    ],
)
def test_what_cannot_teach_is_said(options, message, run_of, tmp_path):
    teachers = {"teachers": [run_of("conll-bilstm-crf")]}
    with pytest.raises(UsageError, match=message):
        zoo.distil(
            "conll-bilstm", tmp_path / "run", data="sample", settings=SMALL, quiet=True,
            **{**teachers, **options},
        )  # fmt: skip
    assert not (tmp_path / "run").exists()
