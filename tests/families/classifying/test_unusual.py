"""Texts that are far from the training texts: what packed models and new runs say of them."""

import json

import numpy as np
import pytest
import tensorflow as tf

import zoo
from recipes import sentiment
from zoo.novelty import is_unusual

REVIEWS = [
    "I watched this film twice, and it was even better the second time.",
    "The plot makes no sense, the acting is terrible, and the ending is the worst part of it.",
    "A wonderful story about two brothers who have not seen each other for years.",
    "Don't waste your time and money on this movie; nothing in it is funny.",
]
FRENCH = [
    "Ce film est beaucoup trop long, et les acteurs ne savent pas jouer.",
    "Nous avons passé une très belle soirée au cinéma avec nos amis.",
    "Je n'ai jamais rien vu d'aussi ennuyeux depuis des années.",
]
GERMAN = [
    "Dieser Film ist viel zu lang, und die Schauspieler können nicht spielen.",
    "Wir haben mit unseren Freunden einen sehr schönen Abend im Kino verbracht.",
    "Seit Jahren habe ich nichts gesehen, was so langweilig war.",
]
SPANISH = [
    "Esta película es demasiado larga y los actores no saben actuar.",
    "Pasamos una noche muy bonita en el cine con nuestros amigos.",
    "Hace años que no veía nada tan aburrido como esto.",
]
FOREIGN = [*FRENCH, *GERMAN, *SPANISH]


def marks(predictor, texts):
    """What the graph says of raw texts, without the network."""
    found = predictor.recipe.measure_novelty(
        predictor.config, predictor.assets, {"text": tf.constant(texts)}
    )
    measures = [each for each in predictor.recipe.novelty if each.output in found]
    return is_unusual(found, measures, predictor.assets.limits).numpy().tolist()


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("imdb-lstm", REVIEWS),
        ("news-gru", ["The central bank raised interest rates on Monday, and shares fell."]),
        ("conll-bilstm", ["Angela Merkel met the president of Siemens in Munich on Friday."]),
        ("translate-attention", ["Two young men are playing football in the park."]),
    ],
)
def test_other_languages_are_unusual(name, texts):
    predictor = zoo.load(name)
    assert set(predictor.assets.limits) == {each.output for each in predictor.recipe.novelty}
    assert marks(predictor, texts) == [False] * len(texts)
    assert marks(predictor, FOREIGN) == [True] * len(FOREIGN)


def test_a_pack_that_lacks_the_outputs_gets_them():
    predictor = zoo.load("imdb-simplernn")
    texts = [*REVIEWS, *FOREIGN[::3], "", "a b " * 700]
    answers = predictor.predict(texts)
    assert [answer.unusual for answer in answers[:7]] == [False] * 4 + [True] * 3
    built = {k: v.numpy() for k, v in predictor.served().answer(text=tf.constant(texts)).items()}
    assert set(built) == set(answers[0])
    for name in ("unknown_words", "novelty"):
        assert np.allclose(built[name], [answer[name] for answer in answers], atol=1e-7)
    assert built["unusual"].tolist() == [answer["unusual"] for answer in answers]
    assert "## Intended use and limits" in predictor.card


def test_a_run_of_few_rows_goes_by_the_fixed_rule(own_run):
    stored = json.loads((own_run / "use.json").read_text(encoding="utf-8"))
    assert stored["novelty"]["limits"] == {}
    predictor = zoo.load(own_run)
    text = " ".join(predictor.assets["vocabulary"][:8])
    known, unknown = predictor.predict([text, "qqq www eee rrr ttt"])
    assert not known["unusual"]
    assert known["unknown_words"] == 0
    assert unknown["unusual"]
    assert unknown["unknown_words"] == 1


def test_limits_reach_the_export_and_what_is_damaged_is_said(own_run, tmp_path):
    import shutil

    run = tmp_path / "run"
    shutil.copytree(own_run, run)
    limits = {"novelty": 0.05}
    learnt = {"rows": 500, "share": 0.99, "limits": limits}
    (run / "use.json").write_text(json.dumps({"use": [], "novelty": learnt}), encoding="utf-8")
    exported = zoo.load(zoo.export(run, tmp_path / "export", warmup=0))
    assert exported.assets.limits == limits
    answer = exported.predict([" ".join([*exported.assets["vocabulary"][:8], "qqq"])])[0]
    assert answer["novelty"] == pytest.approx(1 / 19)
    assert answer["unusual"]
    (run / "use.json").write_text('{"novelty": {"limits": {"novelty": "x"}}}', encoding="utf-8")
    with pytest.raises(zoo.ZooError, match=r"use.json is damaged: its limits are not numbers"):
        zoo.load(run)


def test_topics_share_what_opinions_declare():
    assert zoo.get_recipe("news-gru").novelty is sentiment.NOVELTY
