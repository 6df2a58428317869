"""What a stranger's model may do without trust: compute, and nothing else."""

import json
import os
import shutil
import zipfile

import pytest
import tensorflow as tf
from support.runs import recipe_of_task
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

import zoo
from zoo.serving import graph
from zoo.serving.export import ops_of

NAME = recipe_of_task("sentiment")
REMEDY = "set ZOO_TRUST=1, or give --trust (in Python: trust=True)."

# What a recipe file of a stranger does first, and then all that a recipe does.
EVIL = """
import pathlib
pathlib.Path(__file__).with_name("it-ran").touch()
from {module} import *
from {module} import Config, RECIPES
"""


@pytest.fixture
def evil(run_of, tmp_path):
    """A run folder whose config names a recipe file, and the marker that the file makes."""
    recipe = zoo.get_recipe(NAME)
    folder = tmp_path / "stranger"
    shutil.copytree(run_of(NAME), folder / "run", ignore=shutil.ignore_patterns("logs"))
    file = folder / "evil.py"
    file.write_text(EVIL.format(module=recipe.module.__name__))
    resolved = json.loads((folder / "run" / "config.json").read_text())
    resolved["recipe"] = f"{file}:{NAME}"
    (folder / "run" / "config.json").write_text(json.dumps(resolved))
    return folder / "run", folder / "it-ran"


USES = {
    "load": lambda run, out: zoo.load(run).recipe,
    "predict": lambda run, out: zoo.load(run).predict(["a film"]),
    "evaluate": lambda run, out: zoo.evaluate(run),
    "export": lambda run, out: zoo.export(run, out),
    "inspect": lambda run, out: zoo.inspect(run, ["a film"]),
}


@pytest.mark.parametrize("use", USES)
def test_no_recipe_file_is_run(use, evil, refused, tmp_path):
    run, marker = evil
    with pytest.raises(zoo.UsageError) as raised:
        USES[use](run, tmp_path / "out")
    assert "evil.py" in refused(raised)
    assert refused(raised).endswith(REMEDY)
    assert not marker.exists()
    assert not (tmp_path / "out").exists()


COMMANDS = {
    "predict": ["predict", "{run}", "a film"],
    "help": ["predict", "{run}", "--help"],
    "evaluate": ["evaluate", "{run}"],
    "export": ["export", "{run}", "out"],
    "generate": ["generate", "{run}"],
    "inspect": ["inspect", "{run}", "a film"],
    "backtest": ["backtest", "{run}"],
    "from": ["train", NAME, "--data", "sample", "--from", "{run}"],
    "overwrite": [
        "train",
        NAME,
        "--data",
        "sample",
        "--overwrite",
        "-o",
        "{run}",
        "--from",
        "{run}",
    ],
    "another": ["train", NAME, "--data", "sample", "-o", "{run}"],
    # A file beside a model is a text, even if it is a recipe.
    "text": ["predict", "{run}", "{file}", "--beam", "2"],
    "texts": ["predict", NAME, "{file}"],
    "nothing": ["predict", "no-such-model", "{file}"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_runs_a_recipe_file(command, evil, cli):
    run, marker = evil
    arguments = [each.format(run=run, file=run.parent / "evil.py") for each in COMMANDS[command]]
    done = cli(*arguments, code=None)
    assert not marker.exists()
    assert (done.code == 0) == (command in ("help", "texts"))
    if command not in ("help", "texts", "another", "nothing"):
        assert done.code == 2
        assert done.err.endswith(f"{REMEDY}\n")


@pytest.mark.parametrize("yes", ["argument", "option", "environment"])
def test_a_yes_runs_it(yes, evil, cli, monkeypatch):
    run, marker = evil
    if yes == "argument":
        assert zoo.load(run, trust=True).predict(["a film"])
    if yes == "option":
        assert cli("predict", run, "a film", "--trust").out
        assert "--trust" in cli("predict", "--trust", run, "--help").out
    if yes == "environment":
        for no in ("", "0", "false", "No"):
            monkeypatch.setenv("ZOO_TRUST", no)
            with pytest.raises(zoo.UsageError):
                _ = zoo.load(run).recipe
        monkeypatch.setenv("ZOO_TRUST", "1")
        assert zoo.load(run).predict(["a film"])
    assert marker.exists()
    with pytest.raises(zoo.UsageError, match="trust must be True or False; got 'no'"):
        zoo.load(run, trust="no")


def test_a_path_on_the_command_line_is_a_yes(evil, cli):
    run, marker = evil
    name = f"{run.parent / 'evil.py'}:{NAME}"
    settings = json.loads((run / "config.json").read_text())["config"]
    changes = [f"--set={key}={value}" for key, value in settings.items()]
    done = cli("train", name, "--data", "sample", "-o", "more", "--from", run, "--epochs", "1",
               *(each for each in changes if "epochs" not in each))  # fmt: skip
    assert marker.exists()
    # What is said to be done next works as it is said.
    assert done.out.splitlines()[-1] == '  zoo predict more --trust "…"'


def test_a_base_in_another_file_is_refused_as_one(evil, refused):
    run, marker = evil
    with pytest.raises(zoo.UsageError, match="needs assets of a recipe of the same module"):
        zoo.create(NAME, assets=run)
    assert not marker.exists()


def test_what_a_keras_file_says_of_its_layers_is_not_built(run_of, tmp_path, monkeypatch):
    (tmp_path / "evil_layers.py").write_text("import pathlib; pathlib.Path('it-ran').touch()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    run = tmp_path / "run"
    shutil.copytree(run_of(NAME), run, ignore=shutil.ignore_patterns("logs"))
    weights = run / "model-best.keras"
    with zipfile.ZipFile(weights) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = json.dumps(
        {"module": "evil_layers", "class_name": "Layer", "config": {}, "registered_name": None}
    ).encode()
    with zipfile.ZipFile(weights, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert zoo.load(run).predict(["a film"]) == zoo.load(run_of(NAME)).predict(["a film"])
    more = zoo.train(
        NAME, tmp_path / "more", data="sample", base=run, settings={"epochs": 1}, quiet=True,
        baselines=False,
    )  # fmt: skip
    assert more.complete
    assert not (tmp_path / "it-ran").exists()


# Graphs


def module_with(op, place):
    """Returns a module that runs an op when it is asked, or as soon as it is loaded."""

    class Table(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self):
            return tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)

        @tf.function(input_signature=[])
        def _initialize(self):
            op()
            return tf.constant(1)

    module = tf.Module()
    module.resource = Table() if place == "initialiser" else None

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def answer(text):
        if place == "function":
            op()
        if place == "branch":
            tf.cond(tf.size(text) > 0, lambda: [op(), tf.constant(1)][1], lambda: tf.constant(0))
        return {"label": text}

    return module, answer


@pytest.fixture
def stranger(export_of, tmp_path):
    """Takes an op and its place; returns an export with such a graph."""

    def stranger(op, place):
        folder = tmp_path / "export"
        shutil.copytree(export_of(NAME), folder, dirs_exist_ok=True)
        for name in ("saved_model.pb", "fingerprint.pb"):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "variables")
        module, answer = module_with(op, place)
        tf.saved_model.save(module, str(folder), signatures={"serving_default": answer})
        return folder

    return stranger


def dataset():
    return tf.raw_ops.TextLineDataset(filenames=["/etc/passwd"], compression_type="", buffer_size=1)


def python():
    return tf.py_function(lambda: 1.0, [], tf.float32)


OPS = {
    "WriteFile": lambda path: tf.io.write_file(path, "owned"),
    "ReadFile": lambda path: tf.print(tf.io.read_file("/etc/passwd"), output_stream="file:///dev/null"),
    "PrintV2": lambda path: tf.print("owned", output_stream=f"file://{path}"),
    "SaveV2": lambda path: tf.raw_ops.SaveV2(
        prefix=path, tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1)]
    ),
    "RestoreV2": lambda path: tf.raw_ops.RestoreV2(
        prefix=path, tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.int32]
    ),
    "TextLineDataset": lambda path: dataset(),
    "EagerPyFunc": lambda path: python(),
}  # fmt: skip


@pytest.mark.parametrize("place", ["initialiser", "function", "branch"])
def test_a_graph_that_writes_files_is_refused(place, stranger, refused, tmp_path, cli):
    target = tmp_path / "owned"
    folder = stranger(lambda: OPS["WriteFile"](str(target)), place)
    target.unlink(missing_ok=True)
    with pytest.raises(zoo.UsageError) as raised:
        zoo.load(folder).predict(["a film"])
    assert "has the op 'WriteFile'" in refused(raised)
    assert "has the op 'WriteFile'" in cli("predict", folder, "a film", code=2).err
    assert not target.exists()
    # With trust, it is as bad as it looks.
    trusted = zoo.load(folder, trust=True)
    assert trusted.signatures
    assert target.exists() == (place == "initialiser")
    trusted.predict(["a film"])
    assert target.read_text() == "owned"


@pytest.mark.parametrize("op", OPS)
def test_ops_of_files_and_programs_are_named(op, stranger, refused, tmp_path):
    folder = stranger(lambda: OPS[op](str(tmp_path / "owned")), "function")
    assert op in ops_of(folder)
    with pytest.raises(zoo.UsageError) as raised:
        _ = zoo.load(folder).signatures
    known = {"ReadFile": ("PrintV2", "ReadFile"), "TextLineDataset": ("AnonymousIterator", op)}
    assert any(f"has the op '{each}'" in refused(raised) for each in known.get(op, (op,)))


def test_a_table_from_a_file_elsewhere_is_refused(stranger, refused, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("word\n")
    table = tf.raw_ops.HashTableV2

    def op():
        tf.raw_ops.InitializeTableFromTextFileV2(
            table_handle=table(key_dtype=tf.string, value_dtype=tf.int64),
            filename=str(secret), key_index=-2, value_index=-1,
        )  # fmt: skip

    folder = stranger(op, "function")
    with pytest.raises(zoo.UsageError, match="InitializeTableFromTextFileV2"):
        _ = zoo.load(folder).signatures


def changed_graph(export, folder, change):
    shutil.copytree(export, folder)
    model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    change(model)
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    return folder


def save_function(model):
    names = (each.signature.name for each in model.meta_graphs[0].graph_def.library.function)
    return next(name for name in names if "traced_save" in name)


def in_an_object(model):
    objects = model.meta_graphs[0].object_graph_def
    objects.nodes.add().bare_concrete_function.concrete_function_name = save_function(model)


def in_a_function(model):
    functions = model.meta_graphs[0].graph_def.library.function
    node = functions[0].node_def.add(name="call", op="StatefulPartitionedCall")
    node.attr["f"].func.name = save_function(model)


def as_a_gradient(model):
    library = model.meta_graphs[0].graph_def.library
    library.registered_gradients.add(gradient_func=save_function(model), registered_op_type="x")


def an_op_called_as_a_function(model):
    functions = model.meta_graphs[0].graph_def.library.function
    node = functions[0].node_def.add(name="call", op="PartitionedCall")
    node.attr["f"].func.name = "WriteFile"


def a_second_function_of_a_name(model):
    functions = model.meta_graphs[0].graph_def.library.function
    evil = functions.add()
    evil.CopyFrom(functions[0])
    evil.node_def.add(name="write", op="WriteFile")
    functions.add().CopyFrom(functions[0])


def without_objects(model):
    model.meta_graphs[0].ClearField("object_graph_def")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (in_an_object, "has the op 'SaveV2'"),
        (in_a_function, "has the op 'SaveV2'"),
        (as_a_gradient, "has the op 'SaveV2'"),
        (an_op_called_as_a_function, "has the op 'WriteFile'"),
        (a_second_function_of_a_name, "has the op 'WriteFile'"),
        (without_objects, "is not what tf.saved_model.save writes"),
    ],
)
def test_tricks_to_reach_an_op_are_refused(change, said, export_of, tmp_path, refused):
    folder = changed_graph(export_of(NAME), tmp_path / "export", change)
    with pytest.raises(zoo.UsageError) as raised:
        _ = zoo.load(folder).signatures
    assert said in refused(raised)


# Of modules that serve what another one serves, test_answers.py asks the same.
@pytest.mark.served
def test_exports_stay_inside(chosen, export_of):
    graph.check_graph(export_of(chosen))


def test_the_set_has_ops_that_compute_only():
    stateful, calling = set(), set()
    for op in graph.COMPUTING:
        definition = op_def_registry.get(op)
        if definition.is_stateful:
            stateful.add(op)
        if any("func" in attribute.type for attribute in definition.attr):
            calling.add(op)
    assert calling == graph.CALLING
    # Tables, weights, random numbers, and what reports an error.
    assert stateful - graph.CALLING <= {
        *("HashTableV2", "LookupTableFindV2", "LookupTableImportV2", "LookupTableSizeV2"),
        *("ReadVariableOp", "ResourceGather", "Assert", "CheckNumerics", "Multinomial"),
        *("RandomShuffle", "RandomStandardNormal", "RandomUniform", "RandomUniformInt"),
        "StatelessRandomGetAlg",
    }


# Links

LINKED = ("card.md", "assets.json", "config.json", "metrics.json", "model-best.keras")


@pytest.mark.parametrize("name", LINKED)
def test_links_in_a_run_are_not_followed(name, run_of, tmp_path, refused, cli):
    run = tmp_path / "run"
    shutil.copytree(run_of(NAME), run, ignore=shutil.ignore_patterns("logs"))
    os.replace(run / name, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", run / name)
    for use in (zoo.load, lambda run: zoo.export(run, tmp_path / "out")):
        with pytest.raises(zoo.UsageError) as raised:
            use(run)
        assert refused(raised).startswith(f"{run / name} is a symbolic link.")
    assert not (tmp_path / "out").exists()
    assert f"{run / name} is a symbolic link" in cli("predict", run, "a film", code=2).err
    assert zoo.load(run, trust=True).predict(["a film"])


@pytest.mark.parametrize("name", ["variables", "variables/variables.index", "assets.extra",
                                  "assets.extra/card.md", "saved_model.pb"])  # fmt: skip
def test_links_in_an_export_are_not_followed(name, export_of, tmp_path, refused):
    version = tmp_path / "export" / "1"
    shutil.copytree(export_of(NAME), version)
    os.replace(version / name, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", version / name)
    with pytest.raises(zoo.UsageError) as raised:
        zoo.load(version.parent)
    assert refused(raised).startswith(f"{version / name} is a symbolic link.")


def test_a_version_that_is_a_link(export_of, tmp_path, refused):
    (tmp_path / "export").mkdir()
    version = tmp_path / "export" / "1"
    os.symlink(export_of(NAME), version)
    with pytest.raises(zoo.UsageError) as raised:
        zoo.load(tmp_path / "export")
    assert refused(raised).startswith(f"{version} is a symbolic link.")
    assert zoo.load(version).labels  # named itself


def test_links_to_a_run_and_beside_it_are_followed(run_of, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(run_of(NAME), run, ignore=shutil.ignore_patterns("logs"))
    os.symlink(tmp_path, run / "logs")  # nothing reads it
    os.symlink(run, tmp_path / "latest")
    assert zoo.load(tmp_path / "latest").predict(["a film"])
