"""Translators without TensorFlow: the readers cut, search and join as the graph does."""

import itertools
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from support.cpp import compile_cpp
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
from zoo.serving.portable import bundle, reader, twin, twin_maker
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


@pytest.fixture(scope="module", params=[0, 1])
def made(request):
    """The rules of a translator whose pieces know a part of the texts, and its source."""
    pieces = learn_subwords(TEXTS[:400], 4500, True, request.param)
    source = Subwords(pieces, 40, True, 1500, request.param)
    limits = {"novelty": 0.5, "score": -2.0}
    rules = translation_rules(source, source, 3, 0.8, translation.NOVELTY, limits)
    return {"kind": "subword_reader", **json.loads(json.dumps(rules))}, source


@pytest.fixture(scope="module")
def due(made):
    """What the graph makes of the texts: ids, `unknown_words` and `novelty`, and texts of ids."""
    ids, _, novelty = made[1].measured(tf.constant([utf8(text) for text in TEXTS]))
    joined = [text.decode() for text in made[1].join(ids.to_tensor(0)).numpy()]
    return ids.to_list(), novelty, joined


def python_reader(rules):
    return reader.encoder(rules, {"subword_reader": subword_reader}.get)


def assert_reads(found, due):
    """`found` has ids, `unknown_words`, `novelty`, and the text of the ids, of each text."""
    rows, novelty, joined = due
    wrong = [(t, a[0], b) for t, a, b in zip(TEXTS, found, rows, strict=True) if a[0] != b]
    assert not wrong, (len(wrong), wrong[:2])
    for place, name in enumerate(("unknown_words", "novelty"), 1):
        np.testing.assert_allclose([row[place] for row in found], novelty[name], rtol=1e-6)
    assert [row[3] for row in found] == joined


def test_texts_are_cut_as_in_the_graph(made, due):
    read = python_reader(made[0])
    assert_reads([[*row, read.join(row.ids)] for row in map(read.read, TEXTS)], due)
    assert read(TEXTS[20]) == due[0][20]


class Network:
    """Deterministic `encode` and `step`, which the tests of other languages have too.

    The state depends on the ids of a hypothesis, the memory on the source. Each state has a few ids
    that are likely, some of them alike, and its own logit of the end.
    """

    STATES = 101

    def __init__(self, size):
        chance = np.random.default_rng(0)
        self.size, self.name = size, "encode"
        self.likely = []  # of each state: ids, and their logits
        for _ in range(self.STATES):
            ids = [0, 1, 2, 3, *map(int, chance.choice(np.arange(4, size), 8, replace=False))]
            end, *logits = np.float32(2 * chance.normal(size=5)).tolist()
            self.likely.append((ids, [4.0, 4.0, 4.0, end - 2, *logits, *logits]))

    def part(self, name):
        self.name = name
        return self

    def run(self, source=None, previous=None, hash=None, length=None):
        if self.name == "encode":
            (row,) = source
            first = np.array([[sum(row) % self.STATES]], "float32")
            return {"hash": first, "length": np.array([[len(row)] * 2], "int32")}
        after = (3 * hash + previous[:, np.newaxis] + length[:, 1:]) % self.STATES
        logits = np.full((len(previous), self.size), -20, "float32")
        for row, state in zip(logits, hash[:, 0].astype(int), strict=True):
            ids, values = self.likely[state]
            row[ids] = values
        return {"logits": logits, "hash": after.astype("float32")}


ASKED = [*[text for text in TEXTS[:60] if len(text) < 40][:9], *SENTENCES[:2]]
BEAMS = [1, 3, 8]
HALF = "A half \ud83d of it"


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    """What readers of other languages need: model.json, texts, and a network."""
    folder = tmp_path_factory.mktemp("readers")
    (folder / "model.json").write_text(json.dumps({"tokenizer": made[0]}))
    (folder / "texts.json").write_text(json.dumps(TEXTS, ensure_ascii=False), "utf-8")
    (folder / "asked.json").write_text(json.dumps(ASKED))
    network = Network(len(made[0]["target"]) + 4)
    (folder / "network.json").write_text(json.dumps([network.size, network.likely]))
    for source in bundle.readers_of(zoo.get_recipe("translate-attention")):
        shutil.copy(source, folder)
    return folder


@pytest.fixture(scope="module")
def due_answers(made):
    """What the Python reader answers, a list for each beam."""
    read = python_reader(made[0])
    network = Network(len(made[0]["target"]) + 4)
    answers = [read.predict(network, ASKED, beam) for beam in BEAMS]
    assert {row["unusual"] for row in answers[0]} == {True, False}
    assert {row["complete"] for row in answers[0]} == {True, False}
    texts = [[row["translation"] for row in rows] for rows in answers]
    assert texts[0] != texts[1] != texts[2]
    return answers


def assert_answers(found, due):
    for mine, theirs in zip(found, due, strict=True):
        assert_same([dict(sorted(row.items())) for row in mine], theirs)


SCRIPT = f"""
const read = (name) => JSON.parse(require("fs").readFileSync(name, "utf8"));
const reader = require("./subword_reader.js").subwordReader(read("model.json"));
const [size, likely] = read("network.json"), states = likely.length;
class Tensor {{
  constructor(type, data, dims) {{ Object.assign(this, {{ type, data, dims }}); }}
}}
const sum = (ids) => ids.reduce((one, two) => one + two);
const encode = {{ run: async ({{ source }}) => ({{
  hash: new Tensor("float32", Float32Array.of(sum(source.data) % states), [1, 1]),
  length: new Tensor("int32", new Int32Array(2).fill(source.dims[1]), [1, 2]),
}}) }};
const step = {{ run: async ({{ previous, hash, length }}) => {{
  const after = hash.data.map((each, i) =>
    (3 * each + previous.data[i] + length.data[2 * i + 1]) % states);
  const rows = after.length, logits = new Float32Array(rows * size).fill(-20);
  hash.data.forEach((state, row) => {{
    const [ids, values] = likely[state];
    ids.forEach((id, i) => {{ logits[row * size + id] = values[i]; }});
  }});
  return {{
    logits: new Tensor("float32", logits, [rows, size]),
    next_hash: new Tensor("float32", after, [rows, 1]),
  }};
}} }};
(async () => {{
  const answers = [];
  for (const beam of {BEAMS}) {{
    answers.push([]);
    for (const text of read("asked.json")) {{
      answers.at(-1).push(await reader.predict({{ Tensor }}, {{ encode, step }}, text, beam));
    }}
  }}
  const half = await reader.predict({{ Tensor }}, {{ encode, step }}, {json.dumps(HALF)});
  const reads = read("texts.json").map(reader.read)
    .map((row) => [row.ids, row.unknown_words, row.novelty, reader.join(row.ids)]);
  console.log(JSON.stringify({{ answers, half, reads }}));
}})();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed.")
def test_javascript(folder, made, due, due_answers):
    (folder / "main.js").write_text(SCRIPT)
    done = subprocess.run(["node", "main.js"], cwd=folder, capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert_reads(found["reads"], due)
    assert_answers(found["answers"], due_answers)
    read = python_reader(made[0])
    assert_answers([[found["half"]]], [read.predict(Network(len(made[0]["target"]) + 4), [HALF])])


MAIN = f"""
#include <iomanip>
#include <iostream>
#include "subword_reader.h"

template <class T> T* values(zoo::Tensor& tensor) {{
  return reinterpret_cast<T*>(tensor.bytes.data());
}}
template <class T> zoo::Tensor tensor(std::vector<T> values) {{
  const char* first = reinterpret_cast<const char*>(values.data());
  return {{{{first, first + values.size() * sizeof(T)}}, {{1, int64_t(values.size())}}}};
}}

int main() {{
  const zoo::SubwordReader reader(zoo::read("model.json"));
  const auto network = zoo::Json::parse(zoo::read("network.json")).items;
  const size_t size = size_t(network[0].number);
  auto& likely = network[1].items;
  const int states = int(likely.size());
  auto encode = [&](const std::vector<int32_t>& source) {{
    int sum = 0, length = int(source.size());
    for (int id : source) sum += id;
    return zoo::State{{{{"hash", tensor<float>({{float(sum % states)}})}},
                      {{"length", tensor<int>({{length, length}})}}}};
  }};
  auto step = [&](const std::vector<int32_t>& previous, zoo::State& state) {{
    std::vector<float> logits(previous.size() * size, -20);
    for (size_t row = 0; row < previous.size(); row++) {{
      float& hash = values<float>(state["hash"])[row];
      const int length = values<int>(state["length"])[2 * row + 1];
      auto& ids = likely[size_t(hash)].items[0].items;
      for (size_t i = 0; i < ids.size(); i++)
        logits[row * size + size_t(ids[i].number)] =
          float(likely[size_t(hash)].items[1].items[i].number);
      hash = float((3 * int(hash) + previous[row] + length) % states);
    }}
    return logits;
  }};
  std::cout << std::setprecision(9);
  for (auto& text : zoo::Json::parse(zoo::read("texts.json")).items) {{
    auto read = reader.read(text.text);
    for (int id : read.ids) std::cout << id << ' ';
    std::cout << '\\n' << read.unknown_words << '\\n' << read.novelty << '\\n'
              << reader.join(read.ids) << '\\n';
  }}
  auto asked = zoo::Json::parse(zoo::read("asked.json")).items;
  for (size_t beam : {{ {", ".join(map(str, [*BEAMS, 0]))} }})
    for (auto& text : asked) {{
      auto found = reader.translate(encode, step, text.text, beam);
      std::cout << found.complete << '\\n' << found.novelty << '\\n' << found.score << '\\n'
                << found.translation << '\\n' << found.unknown_words << '\\n'
                << found.unusual << '\\n';
    }}
}}
"""
KINDS = {
    "complete": lambda line: line == "1",
    "novelty": float,
    "score": float,
    "translation": str,
    "unknown_words": float,
    "unusual": lambda line: line == "1",
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    readers = bundle.readers_of(zoo.get_recipe("translate-attention"))
    return compile_cpp(tmp_path_factory.mktemp("cc"), MAIN, readers)


def test_cpp(folder, due, due_answers, compiled):
    done = subprocess.run([compiled], cwd=folder, capture_output=True, check=True)
    lines = iter(done.stdout.decode().split("\n"))
    reads = [
        [[*map(int, next(lines).split())], float(next(lines)), float(next(lines)), next(lines)]
        for _ in TEXTS
    ]
    assert_reads(reads, due)
    answers = [
        [{name: kind(next(lines)) for name, kind in KINDS.items()} for _ in ASKED]
        for _ in [*BEAMS, 0]
    ]
    assert_answers(answers, [*due_answers, due_answers[BEAMS.index(3)]])


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
    readers = {path.name for path in version.glob("subword_reader.*")}
    assert readers == {"subword_reader.py", "subword_reader.js", "subword_reader.h"}
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
        assert said.err == f"note: answered by {engine}, {folder}\n"
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
