"""Taggers without TensorFlow: the readers split, encode and decode as the graph does."""

import dataclasses
import json
import shutil
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from support.cpp import compile_cpp
from support.odd import odd_texts

import zoo
from recipes import entities
from recipes.tagging import tag_reader
from recipes.tagging.conll import CONLL
from recipes.tagging.running import best_tags, tag_probabilities
from recipes.tagging.tags import bioes_tags, to_bio
from recipes.tagging.tokens import only_visible, tokenise
from zoo.assets import Assets
from zoo.bounds import first_bytes
from zoo.serving import portable
from zoo.serving.portable import bundle, reader
from zoo.utf8 import utf8

ODD = (
    "Lauck's won't DIDN’T I'm they’re 'S she'll x'ſ n't ' ’ ’s 'd's rock'n'roll O'Neill U.S. "
    "U.S.A. J. St. Mr. Mrs. Sept. Dr.. vs. a.b.c. e.g. i.e 中. 中文。 カタカナ. 〇.1 1.2.3.4 1,000 "
    "$1,000.50 10:30 1996/97 3-1 a-b a--b -- --- ---- ... .... ..... a...b …, me@x.com @name "
    "#topic @@a #中 @! a@ AT&T R&D _x_ a_b '' `` \"We\" ( ) .\u302a .\u0301. -\u0301- '\u0301s "
    "a'\u0301 \u302a ⺀ ⺀. ⺀\u0301 ㌀ x\u200d's n\u00ad't A1 A-1 ABC ABc Abc aBC 1st É É1 ÉÉ "
    "e\u0301. Ⅷ ½ 12½ ٣ ٣.٤ 1٣ ǅ ǅa a\ufeffb \u200b. \u00ad \ufe0f \u200d ❤\ufe0f. 👩\u200d👧 "
    "Donaudampfschifffahrtsgesellschaft 'tis '90s 90's it'ss it's. it's, co. Co. Co.Ltd."
)
WORDS = ODD.split(" ")
TEXTS = [*odd_texts(1000, 3 * WORDS), " ".join(WORDS), "a " * 700, "é" * 2000 + "x" * 1000]
LIMITS = {"max_bytes": 2500, "max_words": 600}


@pytest.fixture(scope="module", params=[0, 1])
def made(request):
    """An encoder whose vocabulary knows half of the texts, its assets, and its rules."""
    config = dataclasses.replace(entities.RECIPES["conll-bilstm"], **LIMITS, max_characters=9)
    rows = tokenise(tf.constant([utf8(text) for text in TEXTS[:500]]))[0].to_list()
    tokens = [[token.decode() for token in row] for row in rows if row]
    train = {**CONLL.sample(), "tokens": [*CONLL.sample()["tokens"], *tokens]}
    values = {**entities.prepare(config, train), "normalisation": request.param}
    assets = Assets(values, partial(entities.encoder, config))
    rules = {"kind": "tag_reader", **entities.portable(config, assets)}
    return assets, json.loads(json.dumps(rules))


@pytest.fixture(scope="module")
def due(made):
    """What the graph makes of the texts: tokens with their places, and ids of them all."""
    encoder = made[0].encoder
    found = tokenise(first_bytes(tf.constant([utf8(text) for text in TEXTS]), LIMITS["max_bytes"]))
    if encoder.normalisation:
        found = only_visible(found)
    tokens, start, end = (part[:, : LIMITS["max_words"]] for part in found)
    places = [
        [[token.decode(), *place] for token, *place in zip(*row, strict=True)]
        for row in zip(tokens.to_list(), start.to_list(), end.to_list(), strict=True)
    ]
    ids = encoder.flat(tokens.flat_values)
    return places, {name: value.numpy() for name, value in ids.items()}


def assert_same_tokens(found, due):
    wrong = [(text, a, b) for text, a, b in zip(TEXTS, found, due, strict=True) if a != b]
    assert not wrong, (len(wrong), wrong[:2])


def assert_same_ids(found, due, tokens):
    """`found` are of all tokens, in order."""
    for name, values in due.items():
        given = np.array(found[name]).reshape(values.shape)
        wrong = np.flatnonzero((given != values).reshape(len(values), -1).any(1))
        assert not len(wrong), (name, [(tokens[n], given[n], values[n]) for n in wrong[:3]])


def python_reader(rules):
    return reader.encoder(rules, lambda kind: tag_reader if kind == "tag_reader" else None)


def test_python(made, due):
    places, ids = due
    read = python_reader(made[1])
    split = [read.tokens(text) for text in TEXTS]
    assert_same_tokens([[list(token) for token in tokens] for tokens, _ in split], places)
    whole = [whole for _, whole in split]
    assert not whole[-1]  # too many bytes
    assert not whole[-2]  # too many words
    assert whole[0]
    everything = [token for tokens, _ in split for token in tokens]
    found = {name: value[0] for name, value in read.inputs([everything]).items()}
    assert_same_ids(found, ids, [token.text for token in everything])
    nothing = made[0].encoder(tf.constant([[""]]))
    for name, value in read("").items():
        np.testing.assert_array_equal(value, nothing[name])


def outputs_of(kinds, rows=40, steps=23):
    """What a network could answer: probabilities or scores of pairs, some of them equal."""
    chance = np.random.default_rng(0)
    scores = 3 * chance.normal(size=(rows, steps, kinds, kinds)).astype("float32")
    scores[:2] = 0
    flat = np.exp(scores[..., 0])
    probabilities = flat / flat.sum(-1, keepdims=True)
    probabilities[3, :, 1:], probabilities[3, :, 0] = 0, 1
    real = np.arange(steps) < np.r_[steps, chance.integers(1, steps, rows - 1)][:, None]
    return [scores, probabilities], real


def test_decoding(made):
    tags = made[0]["tags"]
    inside = bioes_tags(tags)
    outputs, real = outputs_of(len(inside))
    number = np.array([tags.index(tag) for tag in to_bio(inside)])
    for output in outputs:
        best, probabilities = python_reader(made[1]).decode(output, real)
        due = number[np.array(best_tags(output, inside, real))]
        np.testing.assert_array_equal(best[real], due[real])
        total = np.array(tag_probabilities(output, inside, real)) @ np.eye(len(tags))[number]
        np.testing.assert_allclose(probabilities[real], total[real], atol=1e-5)


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    """What readers of other languages need: model.json, texts, and outputs of a network."""
    folder = tmp_path_factory.mktemp("readers")
    (folder / "model.json").write_text(json.dumps({"labels": None, "tokenizer": made[1]}))
    (folder / "texts.json").write_text(json.dumps(TEXTS, ensure_ascii=False), "utf-8")
    kinds = len(made[1]["bio"])
    outputs, real = outputs_of(kinds)
    rows = [
        [int(steps.sum()), np.ravel(row[: steps.sum()]).tolist()]
        for output in outputs
        for row, steps in zip(output, real, strict=True)
    ]
    (folder / "outputs.json").write_text(json.dumps(rows))
    for source in bundle.readers_of(zoo.get_recipe("conll-bilstm")):
        shutil.copy(source, folder)
    return folder


def due_tags(made):
    read = python_reader(made[1])
    outputs, real = outputs_of(len(made[1]["bio"]))
    names = list(dict.fromkeys(made[1]["bio"]))
    return [
        [names[number] for number in best[steps]]
        for output in outputs
        for best, steps in zip(read.decode(output, real)[0], real, strict=True)
    ]


def assert_all_equal(answers, made, due):
    """`answers` has the tokens and the inputs of each text, and the tags of each output."""
    places, ids = due
    assert_same_tokens(answers["tokens"], places)
    found = {
        name: [number for inputs in answers["inputs"] for number in inputs[name]]
        for name in ("words", "characters", "casing")
    }
    assert_same_ids(found, ids, [token for row in places for token, *_ in row])
    assert answers["tags"] == due_tags(made)
    assert answers["entities"] == ENTITIES


TAGGED = "Anna 😀 Berg flew to Oslo Delhi"
TAGS = ["B-PER", "I-PER", "I-PER", "O", "O", "B-LOC", "B-LOC"]
ENTITIES = [["PER", "Anna 😀 Berg", 0, 11], ["LOC", "Oslo", 20, 24], ["LOC", "Delhi", 25, 30]]
SCRIPT = f"""
const read = (name) => JSON.parse(require("fs").readFileSync(name, "utf8"));
const reader = require("./tag_reader.js").tagReader(read("model.json"));
const tokens = read("texts.json").map(reader.tokens);
const text = "{TAGGED}";
console.log(JSON.stringify({{
  tokens: tokens.map((row) => row.map((token) => [token.text, token.start, token.end])),
  inputs: tokens.map(reader.inputs),
  tags: read("outputs.json").map(([steps, values]) => reader.tags(new Float32Array(values), steps)),
  entities: reader.entities(text, reader.tokens(text), {json.dumps(TAGS)})
    .map((each) => [each.label, each.text, each.start, each.end]),
}}));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed.")
def test_javascript(folder, made, due):
    (folder / "main.js").write_text(SCRIPT)
    done = subprocess.run(["node", "main.js"], cwd=folder, capture_output=True, check=True)
    assert_all_equal(json.loads(done.stdout), made, due)


MAIN = f"""
#include <iostream>
#include "tag_reader.h"

void print(const std::vector<int>& numbers) {{
  for (int number : numbers) std::cout << number << ' ';
  std::cout << '\\n';
}}

int main() {{
  zoo::TagReader reader(zoo::read("model.json"));
  for (auto& text : zoo::Json::parse(zoo::read("texts.json")).items) {{
    auto tokens = reader.tokens(text.text);
    for (auto& each : tokens) std::cout << each.text << ' ' << each.start << ' ' << each.end << ' ';
    std::cout << '\\n';
    auto inputs = reader.inputs(tokens);
    print(inputs.words);
    print(inputs.characters);
    print(inputs.casing);
  }}
  for (auto& row : zoo::Json::parse(zoo::read("outputs.json")).items) {{
    std::vector<float> output;
    for (auto& number : row.items[1].items) output.push_back(float(number.number));
    for (auto& tag : reader.tags(output, size_t(row.items[0].number))) std::cout << tag << ' ';
    std::cout << '\\n';
  }}
  const std::string text = "{TAGGED}";
  for (auto& each : zoo::TagReader::entities(text, reader.tokens(text), {{
      {", ".join(f'"{tag}"' for tag in TAGS)}}}))
    std::cout << each.label << '|' << each.text << '|' << each.start << '|' << each.end << '\\n';
}}
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    readers = bundle.readers_of(zoo.get_recipe("conll-bilstm"))
    return compile_cpp(tmp_path_factory.mktemp("cc"), MAIN, readers)


def test_cpp(folder, made, due, compiled):
    done = subprocess.run([compiled], cwd=folder, capture_output=True, check=True)
    lines = done.stdout.decode().split("\n")
    answers = {"tokens": [], "inputs": []}
    for place in range(0, 4 * len(TEXTS), 4):
        parts = lines[place].split(" ")[:-1]
        spans = zip(parts[::3], map(int, parts[1::3]), map(int, parts[2::3]), strict=True)
        answers["tokens"].append([list(span) for span in spans])
        numbers = [[*map(int, line.split())] for line in lines[place + 1 : place + 4]]
        answers["inputs"].append(dict(zip(("words", "characters", "casing"), numbers, strict=True)))
    rest = lines[4 * len(TEXTS) : -1]
    answers["tags"] = [line.split() for line in rest[: -len(ENTITIES)]]
    answers["entities"] = [
        [*line.split("|")[:2], *map(int, line.split("|")[2:])] for line in rest[-len(ENTITIES) :]
    ]
    assert_all_equal(answers, made, due)


SENTENCES = [
    "Maria Keller flew to Lisbon.",
    "",
    "  \n",
    "Northern Rail Ltd in New Delhi\u200b declined comment; Ms. O’Neill didn't. 😀 e\u0301te\u0301",
    "half \ud800 of Oslo",
    "Peter Blackburn's Reuters desk in BRUSSELS -- 1996-08-22 -- said the E.U. wo n't ...",
    *TEXTS[8:40],
    "Rail's Oslo, UNESCO - Kenyan! " * 150,  # windows
]


def assert_same_answers(found, due):
    for mine, theirs in zip(found, due, strict=True):
        assert mine["complete"]
        assert list(mine) == list(theirs)
        for name, value in theirs.items():
            if name == "entities":
                for one, other in zip(mine[name], value, strict=True):
                    assert one == {**other, "score": pytest.approx(other["score"], abs=1e-5)}
            elif name in ("scores", "novelty", "unknown_words"):
                assert mine[name] == pytest.approx(value, abs=1e-5)
            else:
                assert mine[name] == value, name


ASK = """
import json, runpy, sys
model = runpy.run_path("reader.py", run_name="reader")["load"](".")
answers = model.predict(json.load(open("sentences.json")))
assert not {"tensorflow", "keras", "zoo"} & set(sys.modules)
print(json.dumps(answers))
"""
NODE = """
const read = (name) => JSON.parse(require("fs").readFileSync(name, "utf8"));
const { tagReader } = require("./tag_reader.js");
class Tensor { constructor(type, data, dims) { Object.assign(this, { data, dims }); } }
const steps = [];
const session = { run: async (given) => {
  steps.push(Object.fromEntries(Object.entries(given).map(([name, each]) => [name, each.dims])));
  const kinds = read("model.json").tokenizer.bio.length;
  const data = new Float32Array(given.words.data.length * kinds);
  for (let i = 0; i < data.length; i += kinds) data[i] = 1;
  return { output: { data } };
} };
tagReader(read("model.json")).predict({ Tensor }, session, "Oslo ".repeat(600))
  .then((answer) => console.log(JSON.stringify([steps, answer])));
"""


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("conll-bilstm-crf", "onnx"),
        pytest.param("conll-bilstm", "litert", marks=pytest.mark.slow),
    ],
)
def test_an_export_answers_as_the_model(name, form, tmp_path, cli):
    package = {"onnx": "onnxruntime", "litert": "ai_edge_litert"}[form]
    pytest.importorskip(package, reason=f"needs the extra [{form}]")
    version = zoo.export(name, tmp_path, format=form)
    sentences = SENTENCES if form == "onnx" else SENTENCES[:12]
    due = zoo.load(name).predict(sentences)
    assert [each["text"] for each in due[0]["entities"]] == ["Maria Keller", "Lisbon"]
    assert_same_answers(portable.load(version.parent).predict(sentences), due)
    (version / "sentences.json").write_text(json.dumps(sentences))
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=version, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert_same_answers(json.loads(done.stdout), due)
    if shutil.which("node") is not None:
        done = subprocess.run(["node", "-e", NODE], cwd=version, capture_output=True, check=True)
        steps, answer = json.loads(done.stdout)
        assert [each["words"] for each in steps] == [[1, 512], [1, 88]]
        assert steps[1]["characters"] == [1, 88, 20]
        assert answer["tags"] == ["O"] * 600
    said = cli("predict", version.parent, sentences[0], "-v")
    assert said.out == "[Maria Keller PER] flew to [Lisbon LOC].\n"
    assert said.err.endswith(f", {version}\n")
    # An export of before, and one whose reader is not there, do not read text.
    about = json.loads((version / "model.json").read_text("utf-8"))
    (version / "tag_reader.py").unlink()
    code = "import reader; reader.load('.').predict(['Oslo'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=version, capture_output=True, text=True, check=False
    )
    assert "tag_reader.py is not beside reader.py" in done.stderr
    (version / "model.json").write_text(json.dumps({**about, "tokenizer": None}))
    with pytest.raises(ValueError, match=r"does not read text\. Call run"):
        portable.load(version.parent).predict(["Oslo"])
