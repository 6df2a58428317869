"""Translators without TensorFlow: texts are cut, searched and joined as the graph does."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from support.odd import odd_texts

import zoo
from recipes import translation
from recipes.translating import subword_reader
from recipes.translating.portable import translation_rules
from recipes.translating.signatures import NEVER
from recipes.translating.subwords import BEGIN, END, Subwords, learn_subwords
from zoo.decoding.search import beam_search
from zoo.errors import UsageError
from zoo.serving import portable
from zoo.serving.portable import reader, twin, twin_maker
from zoo.utf8 import utf8

STRANGE = (
    "L'homme qu’il l' ' ’a aujourd'hui d'' ▁ ▁a a▁ _ 30 3-1 «Bonjour» œuvre ça À À\u0301 ǅ Σ 中 "
    "\u0301a a\u0301'b ½x x½ don't 👩\u200d👧s soft\u00adhyphen \ufeffx x\u0600y ٣٤ :-) a.b.c"
)
WORDS = STRANGE.split(" ")
TEXTS = [*odd_texts(1000, 2 * WORDS), "a " * 60, "é" * 900, "a" * 700]
SENTENCES = [
    " ".join(parts)
    for parts in itertools.product(
        ("A man", "Two young women in red", "The dog"),
        ("is playing", "sits and reads", "jumps"),
        ("in the park.", "near a large blue boat, smiling", "on the street!", "with 3 friends"),
    )
]
ODD = ["", " \n", "🙂 L'homme \u200b ▁ 30.", "half \ud800 of it", "x" * 300, "a red dress " * 60]


@pytest.mark.parametrize("rule", [0, 1])
def test_texts_are_cut_as_in_the_graph(rule):
    pieces = learn_subwords(TEXTS[:400], 4500, True, rule)
    source = Subwords(pieces, 40, True, 1500, rule)
    rules = translation_rules(source, source, 3, 1.0, translation.NOVELTY, {})
    rules = {"kind": "subword_reader", **json.loads(json.dumps(rules))}
    read = reader.encoder(rules, {"subword_reader": subword_reader}.get)
    ids, _, novelty = source.measured(tf.constant([utf8(text) for text in TEXTS]))
    due = ids.to_list()
    found = [read.read(text) for text in TEXTS]
    wrong = [(t, a.ids, b) for t, a, b in zip(TEXTS, found, due, strict=True) if a.ids != b]
    assert not wrong, (len(wrong), wrong[:2])
    assert read(TEXTS[20]) == due[20]
    for name in ("unknown_words", "novelty"):
        np.testing.assert_allclose([getattr(row, name) for row in found], novelty[name], rtol=1e-6)
    joined = source.join(ids.to_tensor(0)).numpy()
    assert [read.join(row) for row in due] == [text.decode() for text in joined]


@pytest.mark.parametrize(("beam", "penalty"), [(1, 0.0), (4, 1.0), (7, 0.6)])
def test_the_search_finds_what_that_of_the_graph_finds(beam, penalty):
    chance = np.random.default_rng(beam)
    table = chance.normal(size=(5, 30, 30)).astype("float32")  # logits after an id, at a time

    def step(previous, state):
        time = state["time"]
        return table[time % 5, previous], {"time": time + 1}

    def step_of_graph(previous, time):
        return tf.gather_nd(table, tf.stack([time % 5, previous], 1)), time + 1, None

    for limit in (1, 2, 9, 25):
        found, score, complete = subword_reader.beam_search(
            step, {"time": np.zeros(beam, int)}, limit, beam, penalty
        )
        due = beam_search(
            step_of_graph, tf.zeros([1], tf.int32), tf.constant([limit]), begin=BEGIN, end=END,
            beam=beam, never=NEVER, penalty=penalty,
        )  # fmt: skip
        assert found == [number for number in due.ids[0, 0].numpy().tolist() if number]
        assert score == pytest.approx(float(due.scores[0, 0]), abs=1e-5)
        assert complete == bool(due.complete[0, 0])


ASK = """
import json, runpy, sys
model = runpy.run_path("reader.py", run_name="reader")["load"](".")
texts = json.load(open("texts.json"))
answers = [model.predict(texts), model.encode.predict(model, texts[:1], beam=1)]
assert not {"tensorflow", "keras", "zoo"} & set(sys.modules)
print(json.dumps(answers))
"""


def refuse(*_, **__):
    raise UsageError("TensorFlow")


def assert_same(found, due):
    for mine, theirs in zip(found, due, strict=True):
        assert list(mine) == list(theirs)
        for name, value in theirs.items():
            same = pytest.approx(value, abs=1e-5) if isinstance(value, float) else value
            assert mine[name] == same, (name, mine, theirs)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("translate-attention", "onnx"),
        pytest.param("translate-seq2seq", "litert", marks=pytest.mark.slow),
    ],
)
def test_an_export_translates_as_the_model(name, form, tmp_path, cli, monkeypatch):
    package = {"onnx": "onnxruntime", "litert": "ai_edge_litert"}[form]
    pytest.importorskip(package, reason=f"needs the extra [{form}]")
    predictor = zoo.load(name)
    version = zoo.export(name, tmp_path, format=form)
    texts = SENTENCES + ODD if form == "onnx" else SENTENCES[::6] + ODD[:4]
    due = predictor.predict(texts)
    assert {row["unusual"] for row in due} == {True, False}
    assert_same(portable.load(version.parent).predict(texts), due)
    (version / "texts.json").write_text(json.dumps(texts))
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=version, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found, greedy = json.loads(done.stdout)
    assert_same(found, due)
    (row,) = predictor.predict(texts[:1], signature="nbest", beam=1, n_best=1)
    assert greedy[0]["translation"] == row["translation"][0]
    assert greedy[0]["score"] == pytest.approx(row["score"][0], abs=1e-5)
    # `zoo predict` answers from it, and from the twin of the model.
    twin_maker.make(predictor, form, texts, due)
    kept = twin.find_twin(name, [form]).folder
    shown = [
        predictor.recipe.show({"text": text}, row)
        for text, row in zip(texts[:2], due, strict=False)
    ]
    engine = twin.ENGINES[form].title
    for model, folder in ((name, kept), (version.parent, version)):
        said = cli("predict", model, *texts[:2], "-v", "--engine", form)
        assert said.out.splitlines() == shown
        assert said.err == f"note: {engine}, {folder}, has answered\n"
    rows = cli("predict", name, *texts[:2], "--json", "--engine", form).out.splitlines()
    assert_same(
        [json.loads(row) for row in rows],
        [{"text": t, **d} for t, d in zip(texts[:2], due, strict=False)],
    )
    for options in (["--n-best", 2], ["--attention", "map.png"], ["--engine", "tensorflow"]):
        with monkeypatch.context() as patch:  # of what the twin does not answer
            patch.setattr(zoo.serving, "load", refuse)
            assert cli("predict", name, "A dog.", *options, code=2).err == "Error: TensorFlow\n"
    with monkeypatch.context() as patch:  # many texts
        patch.setattr(zoo.serving, "load", refuse)
        patch.setattr(twin, "FEW", 1)
        assert cli("predict", name, *texts[:2], code=2).err == "Error: TensorFlow\n"
        cli("predict", name, *texts[:2], "--engine", form)
        cli("predict", version, *texts[:2])
    last = next(kept.glob("step.*"))
    last.write_bytes(b"damaged")
    damaged = cli("predict", name, texts[0], "--engine", form, code=1).err
    assert f"Delete {kept}: it is made again." in damaged


@pytest.mark.slow
def test_additive_attention_and_lstms_are_exported_too(tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
    settings = {"attention": "additive", "cell": "lstm", "units": 8, "encoder_units": 8}
    zoo.train(
        "translate-attention", tmp_path / "run", data="sample", quiet=True, baselines=False,
        settings={**settings, "embedding": 8, "epochs": 1, "max_pieces": 12, "beam": 2},
    )  # fmt: skip
    version = zoo.export(tmp_path / "run", tmp_path / "onnx", format="onnx", precision="int8")
    assert len(portable.load(version).predict(SENTENCES[:2])) == 2
    version = zoo.export(tmp_path / "run", tmp_path / "onnx", format="onnx")
    assert_same(
        portable.load(version).predict(SENTENCES[:4] + ODD),
        zoo.load(tmp_path / "run").predict(SENTENCES[:4] + ODD),
    )
