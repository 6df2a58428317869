"""Students of linear classifiers and of networks."""

import json
import os
import shutil

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

import zoo
from recipes.classifying import targets, teachers, wide
from recipes.classifying.baselines import scaled
from recipes.classifying.targets import ClassAccuracy, ClassCrossEntropy, class_targets
from zoo.data import Splits
from zoo.errors import Interrupted, UsageError, ZooError
from zoo.training.callbacks import Progress
from zoo.training.lessons import take_lesson
from zoo.training.run import Options

SETTINGS = {"units": 4, "embedding": 4, "epochs": 2, "batch_size": 4}
GOOD, BAD = ["lovely", "warm", "fine"], ["dull", "cold", "poor"]


def rows(count):
    """Half of them good, half bad; by one word each."""
    texts = [f"a {GOOD[n % 3] if n % 2 else BAD[n % 3]} film , number {n}" for n in range(count)]
    return {"text": texts, "label": ["positive" if n % 2 else "negative" for n in range(count)]}


def splits(train=30, validation=10):
    return Splits(rows(train), rows(validation), rows(2), "mine", "mine", "mine", "f" * 64)


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "more.jsonl"
    texts = [f"{word} and {word} again" for word in GOOD + BAD]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def teach(folder, unlabelled, **options):
    return zoo.distil(
        "imdb-lstm", folder, data="sample", unlabelled=unlabelled, baselines=False, quiet=True,
        **{"teachers": ["linear"], "settings": SETTINGS, **options},
    )  # fmt: skip


@pytest.fixture(scope="module")
def student(tmp_path_factory, unlabelled):
    folder = tmp_path_factory.mktemp("student") / "run"
    return teach(folder, unlabelled, deterministic=True)


def test_a_teacher_that_needs_trust_gets_it(student, tmp_path, unlabelled):
    teacher = tmp_path / "teacher"
    shutil.copytree(student.path, teacher)
    os.replace(teacher / "assets.json", tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", teacher / "assets.json")
    with pytest.raises(UsageError, match=r"assets\.json is a symbolic link"):
        teach(tmp_path / "run", unlabelled, teachers=[teacher])
    taught = teach(tmp_path / "run", unlabelled, teachers=[teacher], trust=True)
    assert list(json.loads((taught.path / "data.json").read_text())["teaching"]["teachers"]) == [
        str(teacher)
    ]


def test_the_linear_classifier_answers_as_a_predictor_does():
    answer = teachers.fit_linear(splits())
    found = answer({"text": ["a warm film", "a dull film", ""]})
    assert [row["label"] for row in found[:2]] == ["positive", "negative"]
    for row in found:
        assert sum(row["probabilities"].values()) == pytest.approx(1)
        assert row["score"] == row["probabilities"][row["label"]]


def test_the_linear_classifier_learns_nothing_from_labels_of_the_validation_split():
    swapped = splits()
    other = ["negative" if label == "positive" else "positive" for label in rows(10)["label"]]
    swapped.validation["label"][:] = other
    (row,) = teachers.fit_linear(swapped)({"text": ["a warm film"]})
    assert row["label"] == "positive"


def test_more_than_two_classes_share_one():
    given = splits()
    for n in range(0, 30, 3):
        given.train["text"][n], given.train["label"][n] = f"plain {n}", "so-so"
    (row,) = teachers.fit_linear(given)({"text": ["plain"]})
    assert row["label"] == "so-so"
    assert sum(row["probabilities"].values()) == pytest.approx(1)
    with pytest.raises(ZooError, match="two classes"):
        teachers.fit_linear(Splits(*[{"text": ["a"], "label": ["x"]}] * 3, *["m"] * 4))


def test_the_linear_classifier_is_fitted_for_each_class_alone():
    # The words of each text are in no alphabetical order: regressions sort their columns in place.
    counts = CountVectorizer().fit_transform(["zeal bank quiz", "yolk goal bank", "vote aunt"])
    first, second = (scaled(counts, np.arange(7.0) + start) for start in (1, 10))
    before = second.toarray()
    assert before[0].tolist() == [0, 11, 0, 13, 0, 0, 16]
    LogisticRegression(solver="liblinear", dual=True).fit(first, [0, 0, 1])
    np.testing.assert_array_equal(second.toarray(), before)
    np.testing.assert_array_equal(counts.toarray() > 0, before > 0)


def test_a_student_corrects_its_linear_model_on_all_rows(tmp_path, unlabelled, monkeypatch):
    # With the logits of the linear model for each row in training, as in `zoo train`.
    found, held_out_logits = [], wide.held_out_logits
    monkeypatch.setattr(
        wide, "held_out_logits", lambda *given: found.append(held_out_logits(*given)) or found[-1]
    )
    made, with_logits = [], targets.with_logits
    monkeypatch.setattr(
        targets, "with_logits", lambda *given: made.append(with_logits(*given)) or made[-1]
    )
    run = teach(tmp_path / "run", unlabelled, settings={**SETTINGS, "wide": True})
    data = json.loads((run.path / "data.json").read_text())
    count = data["rows"]["train"] + data["teaching"]["unlabelled"]
    assert [each.shape for each in found] == [(count, 2)]
    np.testing.assert_array_equal(made[0][:, 1], found[0])
    answered = made[0][:, 0]
    np.testing.assert_allclose(answered.sum(axis=1), 1, atol=1e-6)
    assert np.any((answered > 0.01) & (answered < 0.99))  # of the teacher


def test_targets_are_classes_or_what_teachers_answered():
    examples = {"label": ["b", "a"]}
    assert class_targets(examples, ["a", "b"]).tolist() == [1, 0]
    examples["probabilities"] = [{"a": 0.25, "b": 0.75}, {"b": 0.5, "a": 0.5}]
    found = class_targets(examples, ["a", "b"])
    assert found.dtype == np.float32
    assert found.tolist() == [[0.25, 0.75], [0.5, 0.5]]


def test_loss_and_accuracy_take_both_kinds_of_targets():
    predicted = np.array([[0.25, 0.75], [0.9, 0.1]], "float32")
    hard, soft = np.array([1, 1]), np.array([[0, 1], [0, 1]], "float32")
    expected = -np.log([0.75, 0.1]).mean()
    for target in (hard, soft):
        assert float(ClassCrossEntropy()(target, predicted)) == pytest.approx(expected, rel=1e-5)
        metric = ClassAccuracy()
        metric.update_state(target, predicted)
        assert float(metric.result()) == 0.5
    mixed = np.array([[0.5, 0.5], [0.5, 0.5]], "float32")
    expected = -np.log(predicted).sum() / 4
    assert float(ClassCrossEntropy()(mixed, predicted)) == pytest.approx(expected, rel=1e-5)
    assert ClassAccuracy.from_config(ClassAccuracy().get_config()).name == "accuracy"


def test_a_student_is_a_run_whose_card_names_its_teachers(student):
    about = json.loads((student.path / "data.json").read_text())["teaching"]
    assert about["labelled"] == 8
    assert about["unlabelled"] == 6
    assert about["label_share"] == 0.5
    assert about["teachers"].keys() == {"linear"}
    card = (student.path / "card.md").read_text()
    assert "Taught by `linear`" in card
    assert "For 6 unlabelled rows, it is the teachers' probabilities." in card
    assert not (student.path / "checkpoint").exists()  # nothing is left of the lesson
    words = json.loads((student.path / "assets.json").read_text())["vocabulary"]
    assert {"and", "again"} <= set(words)  # of the rows without a label
    assert zoo.load(student.path).predict(["lovely"])[0]["probabilities"]


def test_a_student_that_was_stopped_goes_on_without_asking_again(
    student, tmp_path, unlabelled, monkeypatch, weights
):
    from zoo.training import callbacks, checkpoint

    folder, asked = tmp_path / "run", []
    fit, save = teachers.fit_linear, checkpoint.save
    monkeypatch.setattr(teachers, "fit_linear", lambda given: asked.append(1) or fit(given))

    def stop(folder, model, state, *, write=True):
        save(folder, model, state, write=write)
        if state.epoch == 1:
            raise Interrupted(1, 1, 15)

    for module in (callbacks, checkpoint):
        if hasattr(module, "save"):
            monkeypatch.setattr(module, "save", stop)
    with pytest.raises(Interrupted):
        teach(folder, unlabelled, deterministic=True)
    assert (folder / "checkpoint" / "lesson.npz").exists()
    monkeypatch.setattr(checkpoint, "save", save)
    with pytest.raises(UsageError, match="another run"):
        teach(folder, unlabelled, deterministic=True, label_share=1.0)
    teach(folder, unlabelled, deterministic=True)
    assert len(asked) == 1
    first, second = (weights(path / "model-last.keras") for path in (student.path, folder))
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)


def test_a_network_teaches_the_next_round(student, tmp_path):
    run = teach(tmp_path / "run", None, teachers=["linear", student.path], label_share=0.0)
    about = json.loads((run.path / "data.json").read_text())["teaching"]
    assert list(about["teachers"]) == ["linear", str(student.path)]
    assert about["unlabelled"] == 0


def lesson_of(tmp_path, texts, **options):
    """What a student of the sample would be taught, with some texts without a label."""
    path = tmp_path / "more.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    recipe = zoo.get_recipe("imdb-lstm")
    options = Options(teachers=["linear"], **{"unlabelled": str(path), **options})
    progress = Progress(1, 0, quiet=True)
    return take_lesson(tmp_path, recipe, recipe.config, splits(), options, progress, keep=True)


def test_held_out_rows_are_not_learnt_from(tmp_path):
    held_out = splits().validation["text"][:2] + splits().test["text"]
    lesson = lesson_of(tmp_path, ["a fine thing", *held_out])
    assert lesson.about["unlabelled"] == 1
    assert lesson.examples["text"][-1] == "a fine thing"
    with pytest.raises(ZooError, match="no rows that are not held out"):
        lesson_of(tmp_path, held_out)


def test_of_a_tiny_run_the_rows_without_a_label_are_few_too(tmp_path):
    texts = [f"film {n}" for n in range(300)]
    assert lesson_of(tmp_path, texts, tiny=True).about["unlabelled"] == 256


def test_the_file_without_labels_is_read_as_the_options_say(tmp_path, capsys):
    path = tmp_path / "more.csv"
    path.write_bytes("nr;review\n1;Фильм\n2;\n3;Ужас\n".encode("cp1251"))
    asked = {"unlabelled": str(path), "columns": {"text": "review"}}
    with pytest.raises(ZooError, match="--encoding"):
        lesson_of(tmp_path, [], **asked)
    asked["reading"] = {"encoding": "cp1251"}
    with pytest.raises(ZooError, match=r"line 3 has an empty 'review'\. .*--drop-bad"):
        lesson_of(tmp_path, [], **asked)
    asked["reading"] |= {"drop_bad": True, "sep": "semicolon"}
    assert lesson_of(tmp_path, [], **asked).examples["text"][-2:] == ["Фильм", "Ужас"]


def test_columns_may_be_those_of_the_labelled_rows(tmp_path):
    lesson = lesson_of(tmp_path, ["a fine thing"], columns={"text": "review", "label": "y"})
    assert lesson.examples["text"][-1] == "a fine thing"


def test_options_of_reading_are_for_the_file_without_labels(tmp_path):
    path = tmp_path / "more.csv"
    path.write_text("nr;review\n1;a fine thing\n2;\n")
    options = {"columns": {"text": "review"}, "reading": {"drop_bad": True}}
    run = teach(tmp_path / "run", path, **options)
    assert json.loads((run.path / "data.json").read_text())["teaching"]["unlabelled"] == 1
    with pytest.raises(UsageError, match="custom data only"):
        teach(tmp_path / "other", None, **options)


def test_a_lesson_is_that_of_its_rows_and_its_damage_is_noticed(tmp_path):
    lesson = lesson_of(tmp_path, ["a fine thing"])
    lesson.write(tmp_path)
    again = lesson_of(tmp_path, ["a fine thing"])
    assert again.examples == lesson.examples
    assert again.about == lesson.about
    with pytest.raises(ZooError, match=r"unlabelled rows of .* have changed.* --overwrite"):
        lesson_of(tmp_path, ["a dull thing"])
    file = tmp_path / "lesson.npz"
    file.write_bytes(file.read_bytes()[:-30])
    assert lesson_of(tmp_path, ["a fine thing"]).examples == lesson.examples  # asked again


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("imdb-lstm", {"teachers": []}, "at least one"),
        ("imdb-lstm", {"teachers": "linear"}, "a list"),
        ("imdb-lstm", {"teachers": ["linea"]}, "Teachers are linear, or models"),
        ("adding-lstm", {"teachers": ["linear"], "settings": {}}, "cannot be distilled"),
        ("imdb-lstm", {"teachers": ["linear"], "label_share": 2.0}, "from 0 to 1"),
        (
            "imdb-lstm",
            {"teachers": ["linear"], "unlabelled": "no.csv"},
            "no unlabelled rows: .*, or 'tfds'",
        ),
        ("imdb-lstm", {"teachers": ["linear"], "unlabelled": "wheel"}, "no unlabelled rows"),
        ("news-gru", {"teachers": ["imdb-lstm"]}, "knows negative, positive"),
    ],
)
def test_what_cannot_be_taught_is_said(name, options, message, tmp_path):
    options = {"data": "sample", "settings": SETTINGS, "quiet": True, **options}
    with pytest.raises(UsageError, match=message):
        zoo.distil(name, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()
