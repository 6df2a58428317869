"""The readers of an export, in Python, JavaScript and C++: the ids are those of the graph."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from support.cpp import compile_cpp
from support.odd import odd_texts

import zoo.serving.portable
from zoo.text import WordEncoder
from zoo.utf8 import utf8

FOLDER = Path(zoo.serving.portable.__file__).parent
TEXTS = odd_texts()


def described(tokenizer):
    return {"labels": ["no", "yes"], "tokenizer": tokenizer}


@pytest.fixture(scope="module", params=[0, 1])
def encoder(request):
    vocabulary = sorted({word.decode() for word in words_of(TEXTS[:500], request.param)})
    return WordEncoder(vocabulary, 24, 300, request.param)


def words_of(texts, rule):
    from zoo.text import normalise, split_words

    return split_words(normalise(tf.constant([utf8(t) for t in texts]), rule)).flat_values.numpy()


@pytest.fixture(scope="module")
def files(encoder, tmp_path_factory):
    """A model.json, the texts, and what the graph makes of them."""
    folder = tmp_path_factory.mktemp("readers")
    about, texts = folder / "model.json", folder / "texts.json"
    about.write_text(json.dumps(described(encoder.portable()), ensure_ascii=False), "utf-8")
    texts.write_text(json.dumps(TEXTS, ensure_ascii=False), "utf-8")
    return about, texts, encoder.ragged(tf.constant([utf8(t) for t in TEXTS])).to_list()


def assert_equal(found, due):
    wrong = [(text, a, b) for text, a, b in zip(TEXTS, found, due, strict=True) if a != b]
    assert not wrong, (len(wrong), wrong[:3])


def python_reader():
    spec = importlib.util.spec_from_file_location("reader", FOLDER / "reader.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_python(files):
    about, _, due = files
    encode = python_reader().encoder(json.loads(about.read_text("utf-8"))["tokenizer"])
    assert_equal([encode(text) for text in TEXTS], due)


def test_python_reads_half_a_character_as_the_graph_does(encoder):
    encode = python_reader().encoder(encoder.portable())
    text = "a\ud800b \udcff"
    assert encode(text) == encoder.ragged(tf.constant([utf8(text)])).to_list()[0]


def test_python_needs_numpy_only():
    code = "import sys, runpy; runpy.run_path(sys.argv[1], run_name='reader'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, FOLDER / "reader.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"tensorflow", "keras", "zoo", "onnxruntime"} & set(done.stdout.split())


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed.")
def test_javascript(files):
    about, texts, due = files
    code = (
        f"const {{ encoder }} = require({json.dumps(str(FOLDER / 'reader.js'))});"
        "const read = (path) => JSON.parse(require('fs').readFileSync(path, 'utf8'));"
        "const encode = encoder(read(process.argv[1]).tokenizer);"
        "console.log(JSON.stringify(read(process.argv[2]).map(encode)));"
    )
    done = subprocess.run(["node", "-e", code, about, texts], capture_output=True, check=True)
    assert_equal(json.loads(done.stdout), due)


MAIN = """
#include <iostream>
#include "reader.h"

int main(int count, char** paths) {
  if (count < 3) return 1;
  zoo::Encoder encode(zoo::read(paths[1]));
  if (encode.labels.size() != 2 || encode.labels[1] != "yes") return 1;
  for (auto& text : zoo::Json::parse(zoo::read(paths[2])).items) {
    for (int id : encode(text.text)) std::cout << id << ' ';
    std::cout << std::endl;
  }
}
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return compile_cpp(tmp_path_factory.mktemp("cc"), MAIN, [FOLDER / "reader.h"])


def test_cpp(files, compiled):
    about, texts, due = files
    done = subprocess.run([compiled, about, texts], capture_output=True, text=True, check=True)
    assert_equal([[*map(int, line.split())] for line in done.stdout.splitlines()], due)


def test_characters(compiled, tmp_path):
    from recipes.writing.character_encoder import Characters

    characters = Characters(["\n", "'", "a", "b", "é", "😀"])
    about = tmp_path / "model.json"
    about.write_text(json.dumps(described(characters.portable())))
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps(TEXTS, ensure_ascii=False), "utf-8")
    due = characters(tf.constant([utf8("\n" + text) for text in TEXTS])).to_list()
    encode = python_reader().encoder(characters.portable())
    assert_equal([encode(text) for text in TEXTS], due)
    done = subprocess.run([compiled, about, texts], capture_output=True, text=True, check=True)
    assert_equal([[*map(int, line.split())] for line in done.stdout.splitlines()], due)
