"""What the serving tests share: an export of a recipe of each module, odd texts, a fresh Python
that knows TensorFlow only, and a C++ program that loads models as TF Serving does."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import filelock
import numpy as np
import pytest
from support.runs import asked, recipe_of_task

import zoo

# What a caller gives to `predict`, and the bytes that a client of the server sends for the same.
_ODD = [
    ("", b""),
    (" \t\r\n\u00a0\u2028 ", " \t\r\n\u00a0\u2028 ".encode()),
    ("a good film " * 33_334, b"a good film " * 33_334),  # 100,002 words
    ("x" * 200_000, b"x" * 200_000),
    ("👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 👍🏽 ❤️ love!", "👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 👍🏽 ❤️ love!".encode()),
    (b"\xff\xfe caf\xe9 \xc3( film \xf0\x9f", b"\xff\xfe caf\xe9 \xc3( film \xf0\x9f"),
    ("caf\udce9 film", b"caf\xe9 film"),  # how Python reads bytes that are not UTF-8
    ("bad \ud83d film \udcff", "bad \ufffd film \ufffd".encode()),  # half of a pair
    ("a\0film\0to\0love", b"a\0film\0to\0love"),
    ("<p class='x'>A <b>film</b> to love<br />&amp; <script>a<b</script>", None),
    ("это хороший фильм, 映画はいい。 فيلم رائع फ़िल्म ภาพยนตร์ 영화", None),
    ("i\u0307 İ ß ﬃ Cafe\u0301 \u202ereversed\u202c", None),
    ("$(rm -rf) ' \" \\ \\n %s {} [] ; -- NaN inf 1e999", None),
]
ODD = [(given, given.encode() if sent is None else sent) for given, sent in _ODD]

PLAIN = """
import json, sys
sys.modules.update(keras=None, zoo=None, recipes=None)  # whoever imports one of these fails
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

def plain(outputs):
    values = {}
    for name, value in outputs.items():
        value = value if hasattr(value, "tolist") else value.numpy()
        flat = value.ravel().tolist()
        values[name] = {
            "shape": list(value.shape),
            "values": [part.hex() if isinstance(part, bytes) else part for part in flat],
        }
    return values

folders, answering, batches = json.load(sys.stdin)
batches = [[bytes.fromhex(text) for text in batch] for batch in batches]
results = {}
for name, folder in folders.items():
    graph = saved_model_pb2.SavedModel()
    with open(folder + "/saved_model.pb", "rb") as file:
        graph.ParseFromString(file.read())
    graph = graph.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    own = {f.signature.name for f in graph.library.function}
    ops = sorted({node.op for node in nodes} - own)
    model = tf.saved_model.load(folder)
    serve = model.signatures["serving_default"]
    inputs = serve.structured_input_signature[1]
    result = {
        "signatures": sorted(model.signatures),
        "inputs": {key: [i.dtype.name, i.shape.as_list()] for key, i in inputs.items()},
        "outputs": {
            key: [o.dtype.name, o.shape.as_list()] for key, o in serve.structured_outputs.items()
        },
        "ops": ops,
        "unknown": [op for op in ops if op_def_registry.get(op) is None],
    }
    if name in answering and [i.dtype for i in inputs.values()] == [tf.string]:
        key = next(iter(inputs))
        result["answers"] = [plain(serve(**{key: tf.constant(batch)})) for batch in batches]
        # A session restores the variables by the graph's own operation, as the C++ loader does.
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            info = tf.compat.v1.saved_model.load(session, ["serve"], folder)
            info = info.signature_def["serving_default"]
            fetch = {key: tensor.name for key, tensor in info.outputs.items()}
            feed = info.inputs[key].name
            result["session"] = [
                plain(session.run(fetch, {feed: batch})) for batch in batches
            ]
    results[name] = result
json.dump(results, sys.stdout)
"""


@pytest.fixture(scope="session")
def export_of(once, predictor_of):
    """Takes a recipe's name; returns the version directory of an export, not to be changed."""

    def export_of(name):
        return once(f"export-{name}", lambda folder: zoo.export(predictor_of(name), folder)) / "1"

    return export_of


@pytest.fixture
def theirs(run_of, tmp_path):
    """A run of somebody else's recipe, and the file of that recipe, which is of no package."""
    recipe = zoo.get_recipe(recipe_of_task("sentiment"))
    file = tmp_path / "theirs.py"
    shutil.copy(recipe.module.__file__, file)
    run = tmp_path / "run"
    shutil.copytree(run_of(recipe.name), run, ignore=shutil.ignore_patterns("logs"))
    resolved = json.loads((run / "config.json").read_text())
    resolved["recipe"] = f"{file}:{recipe.name}"
    (run / "config.json").write_text(json.dumps(resolved))
    return run, file


@pytest.fixture(scope="session")
def texts_only(predictor_of):
    """Takes a recipe's name; returns its predictor, or skips where the input is not one text."""

    def texts_only(name):
        predictor = predictor_of(name)
        specs = predictor.signatures["serving_default"].input_signature
        if [spec.dtype.name for spec in specs] != ["string"]:
            pytest.skip(f"{name} takes other input than one text")
        return predictor

    return texts_only


@pytest.fixture(scope="session")
def odd():
    """Pairs: what is given to `predict`, and its bytes."""
    return ODD


@pytest.fixture(scope="session")
def batches(odd):
    """Batches of bytes: an empty text alone, all odd texts, and a thousand rows.

    That each odd text is answered alone as it is beside others, `predict` shows.
    """
    sent = [text for _, text in odd]
    words = [b"A film to love .", b"Dull .", b"", b"the plot is a mess", b"great acting"]
    return [sent[:1], sent, [words[i % 5] + b" !" * (i % 7) for i in range(1000)]]


@pytest.fixture(scope="session")
def fresh():
    """Takes code and what goes to its standard input; returns what a new Python prints."""

    def fresh(code, *arguments, given="", **environment):
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            input=given,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return fresh


@pytest.fixture(scope="session")
def plain(request, once, export_of, fresh, batches):
    """What a process that imports only TensorFlow finds in the exports of the chosen recipes.

    It answers by those of which a test takes `plain_answers`.
    """
    names = sorted(asked(request, "chosen", "plain"))
    answering = sorted(asked(request, "chosen", "plain_answers"))

    def make(folder):
        folders = {name: str(export_of(name)) for name in names}
        sent = [[text.hex() for text in batch] for batch in batches]
        given = json.dumps([folders, answering, sent])
        folder.mkdir()
        (folder / "found.json").write_text(fresh(PLAIN, given=given))

    return json.loads((once("plain", make) / "found.json").read_text())


@pytest.fixture
def plain_answers(plain, chosen):
    """What such a process answers, by its ways."""
    return plain[chosen]


@pytest.fixture(scope="session")
def loader(request, tmp_path_factory):
    """Takes a directory and batches of bytes; returns the answers of the C++ program.

    It is compiled once for a version of TensorFlow and kept in pytest's cache.
    """
    import tensorflow as tf

    compiler = shutil.which("g++") or shutil.which("c++")
    library = Path(tf.sysconfig.get_lib())
    header = Path(tf.sysconfig.get_include()) / "tensorflow/cc/saved_model/loader.h"
    for needed, what in [
        (compiler, "C++ compiler"),
        (header.exists(), "header of TensorFlow's loader"),
        ((library / "libtensorflow_cc.so.2").exists(), "libtensorflow_cc.so.2"),
    ]:
        if not needed:
            pytest.skip(f"no {what} here")
    source = Path(__file__).with_name("loader.cc")
    command = [
        *[compiler, *tf.sysconfig.get_compile_flags(), "-w", str(source)],
        *[f"-L{library}", f"-Wl,-rpath,{library}", "-Wl,--no-as-needed"],
        *["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"],
    ]
    key = hashlib.sha256(
        repr([tf.__version__, command]).encode() + source.read_bytes()
    ).hexdigest()[:16]
    cache = getattr(request.config, "cache", None)
    program = (cache.mkdir("serving-loader") if cache else tmp_path_factory.getbasetemp()) / key
    with filelock.FileLock(f"{program}.lock"):
        if not program.exists():
            part = program.with_suffix(".part")
            done = subprocess.run([*command, "-o", part], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            os.rename(part, program)

    def loader(folder, batches):
        lines = [line for batch in batches for line in (*(text.hex() for text in batch), "run")]
        done = subprocess.run(
            [program, folder], input="\n".join(lines) + "\n", capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return loader


@pytest.fixture(scope="session")
def same():
    """Asserts that a predictor's answers are what another process has computed."""

    def same(ours, theirs, tolerance):
        lengths = theirs.get("length", {}).get("values")
        names = theirs.keys() - {"length"}
        further = ours[0].keys() - names  # made of the outputs by the recipe, in Python
        assert names <= ours[0].keys()
        assert not further or hasattr(ours[0]._recipe.module, "refine")
        for name in names:
            shape, flat = theirs[name]["shape"], theirs[name]["values"]
            assert shape[0] == len(ours)
            other = np.array(flat, object if flat and isinstance(flat[0], str) else None)
            for i, (answer, row) in enumerate(zip(ours, other.reshape(shape), strict=True)):
                row = row if lengths is None or np.ndim(row) == 0 else row[: lengths[i]]
                value = answer[name]
                value = np.array(list(value.values()) if isinstance(value, dict) else value)
                assert np.shape(value) == np.shape(row) or value.size == row.size == 0
                if other.dtype == object:
                    assert value.ravel().tolist() == [
                        bytes.fromhex(part).decode() for part in np.ravel(row)
                    ]
                else:
                    # A log-probability of a long piece is a large number, rounded like any other.
                    size = np.maximum(1, np.abs(row))
                    np.testing.assert_allclose(value / size, row / size, rtol=0, atol=tolerance)

    return same


@pytest.fixture(scope="session")
def refused():
    """Takes what was raised; asserts that it is one line for people and returns it."""

    def refused(raised):
        message = str(raised.value)
        assert "\n" not in message
        assert "{{" not in message
        assert message.endswith((".", "?"))
        return message

    return refused
