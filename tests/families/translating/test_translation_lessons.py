"""Students of translators: pairs, and runs that keep what teachers have translated."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import zoo
from recipes import translation
from recipes.translating import lessons
from recipes.translating.lessons import best_translations, taught_pairs
from zoo.data import Splits
from zoo.errors import Interrupted, UsageError
from zoo.scores import Scores
from zoo.training import lessons as training_lessons
from zoo.training.callbacks import Progress
from zoo.training.run import Options

TRAIN = {"text": ["a", "b", "c"], "translation": ["A", "B", "C"]}
SETTINGS = {"units": 8, "encoder_units": 8, "embedding": 8, "epochs": 2, "batch_size": 8}


def lesson(*translations):
    return {"translations": np.array(json.dumps(translations))}


def pairs(share, *given, texts=("a", "b", "c")):
    found = taught_pairs(TRAIN, texts, given, share)
    return list(zip(found["text"], found["translation"], strict=True))


def test_translations_of_teachers_replace_references_or_join_them():
    told = lesson("x", "B", None)
    assert pairs(0.0, told) == [("a", "x"), ("b", "B"), ("c", "C")]
    assert pairs(0.5, told) == [("a", "A"), ("a", "x"), ("b", "B"), ("c", "C")]
    assert pairs(1.0, told) == [("a", "A"), ("b", "B"), ("c", "C")]


def test_several_teachers_and_texts_without_a_reference():
    one, other = lesson("x", "y", "z", "d", None), lesson("x", "w", "z", "e", None)
    found = pairs(0.0, one, other, texts=("a", "b", "c", "more", "none"))
    assert found == [("a", "x"), ("b", "y"), ("b", "w"), ("c", "z"), ("more", "d"), ("more", "e")]


def test_a_pair_that_two_rows_have_is_kept_for_both():
    told = lesson("x", "x", "C")
    assert pairs(0.0, told, texts=("a", "a", "c")) == [("a", "x"), ("a", "x"), ("c", "C")]
    assert pairs(0.5, told, texts=("a", "b", "c"))[-1:] == [("c", "C")]


def test_a_translation_that_was_cut_off_teaches_nothing():
    answers = [
        {"translation": "l' été", "complete": True},
        {"translation": "x x x", "complete": False},
        {"translation": "", "complete": True},
    ]
    teacher = SimpleNamespace(
        name="mine",
        config=SimpleNamespace(source="en", target="fr"),
        predict=lambda texts: answers[: len(texts)],
    )
    found = best_translations(teacher, "en", "fr", ["summer", "x", ""])["translations"]
    assert json.loads(str(found)) == ["l' été", None, None]
    with pytest.raises(UsageError, match="mine translates en→fr; the student en→de"):
        best_translations(teacher, "en", "de", ["summer"])


def test_a_run_asks_its_teachers_once(tmp_path, monkeypatch):
    recipe, asked = zoo.get_recipe("translate-seq2seq"), []

    def translate(texts):
        asked.append(list(texts))
        return [{"translation": text.upper(), "complete": True} for text in texts]

    teacher = SimpleNamespace(
        name="mine", recipe=recipe, config=recipe.config, assets=None, predict=translate
    )
    monkeypatch.setattr(training_lessons, "load", lambda *_, **__: teacher)
    monkeypatch.setattr(translation, "evaluate", lambda *_: Scores({"bleu": 12.5}))
    more = tmp_path / "more.csv"
    more.write_text("text\na cat\nheld out\n")
    held_out = {"text": ["held out"], "translation": ["x"]}
    splits = Splits(TRAIN, held_out, held_out, *["mine"] * 3, "f" * 64)

    def lesson():
        options = Options(teachers=["mine"], unlabelled=str(more), label_share=0.0)
        progress = Progress(1, 0, quiet=True)
        return training_lessons.take_lesson(
            tmp_path, recipe, recipe.config, splits, options, progress, keep=True
        )

    first = lesson()
    assert asked == [["a", "b", "c", "a cat"]]
    assert first.examples == {"text": asked[0], "translation": ["A", "B", "C", "A CAT"]}
    assert first.about["teachers"] == {"mine": 12.5}
    assert (first.about["labelled"], first.about["unlabelled"]) == (3, 1)
    first.write(tmp_path)
    again = lesson()
    assert len(asked) == 1
    assert (again.examples, again.about) == (first.examples, first.about)


@pytest.mark.slow
def test_translations_are_kept_and_used(run_of, tmp_path, monkeypatch):
    from zoo.training import checkpoint

    teacher, folder = run_of("translate-seq2seq"), tmp_path / "run"
    more = tmp_path / "more.jsonl"
    more.write_text('{"text": "A girl runs ."}\n')
    asked, given = [], []
    ask, take, save = lessons.best_translations, lessons.taught_pairs, checkpoint.save

    def ask_once(*arguments):
        asked.append(arguments[-1])
        told = ask(*arguments)
        # An untrained teacher says little: here, its answers are of another kind.
        number = len(json.loads(str(told["translations"])))
        return {"translations": np.array(json.dumps([f"mot {n}" for n in range(number)]))}

    def keep(*arguments):
        given.append(take(*arguments))
        return given[-1]

    def stop(folder, model, state, *, write=True):
        save(folder, model, state, write=write)
        raise Interrupted(1, 1, 15)

    def distil():
        return zoo.distil(
            "translate-seq2seq", folder, teachers=[teacher], unlabelled=more, label_share=0.0,
            data="sample", settings=SETTINGS, baselines=False, quiet=True,
        )  # fmt: skip

    monkeypatch.setattr(lessons, "best_translations", ask_once)
    monkeypatch.setattr(lessons, "taught_pairs", keep)
    monkeypatch.setattr(checkpoint, "save", stop)
    with pytest.raises(Interrupted):
        distil()
    assert (folder / "checkpoint" / "lesson.npz").exists()
    monkeypatch.setattr(checkpoint, "save", save)
    run = distil()
    assert len(asked) == 1
    assert asked[0][-1] == "A girl runs ."
    assert given[0] == given[1]
    assert all(translation.startswith("mot ") for translation in given[0]["translation"])
    assert "mot" in "".join(run.read_assets()["target_pieces"])
    about = json.loads((folder / "data.json").read_text())["teaching"]
    assert (about["unlabelled"], about["metric"]) == (1, "bleu")
    assert "bleu on the validation split" in (folder / "card.md").read_text()


def test_a_teacher_of_another_task_is_refused(run_of, tmp_path):
    with pytest.raises(UsageError, match="is a model for sentiment; translate-seq2seq is for tran"):
        zoo.distil(
            "translate-seq2seq", tmp_path / "run", teachers=["imdb-lstm"], data="sample",
            settings=SETTINGS, quiet=True,
        )  # fmt: skip
    assert not (tmp_path / "run").exists()
