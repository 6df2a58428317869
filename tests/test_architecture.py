"""Which file may import which: families depend on the engine, never the other way round."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(ROOT.glob("recipes/[!_]*.py"))
FAMILIES = sorted(
    path.name
    for path in ROOT.glob("recipes/[!_]*/")
    if (path / "__init__.py").exists() and path.name not in ("anatomy", "corpora")
)
# Words that name what only a family knows.
DOMAIN = re.compile(
    r"(?:^|_)(price|stock|ticker|volatility|music|chord|chorale|tune|midi|abc|sound|audio|speech|"
    r"speaker|entit|tag|language|translat|sentiment|review)s?(?:$|_|y|ies)",
    re.IGNORECASE,
)


def modules():
    """Returns the name of each module of `zoo` and `recipes`, and its file."""
    found = {}
    for package in ("zoo", "recipes"):
        for path in sorted(ROOT.glob(f"{package}/**/*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(path):
    """Returns the modules that a file imports, wherever in it: also those for type checkers."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
    return found


GRAPH = {name: imports(path) for name, path in MODULES.items()}


def family_of(module):
    """Returns the family whose folder holds a module, None for others."""
    parts = module.split(".")
    return parts[1] if parts[0] == "recipes" and len(parts) > 1 and parts[1] in FAMILIES else None


def test_the_engine_knows_no_recipe_and_no_benchmark():
    wrong = {
        (name, other)
        for name, others in GRAPH.items()
        for other in others
        if name.split(".")[0] == "zoo" and other.split(".")[0] in ("recipes", "benchmarks", "tests")
    }
    assert not wrong


def test_nothing_installed_imports_a_benchmark():
    assert not {n for n, others in GRAPH.items() if any(o.startswith("benchmarks") for o in others)}


def test_a_family_imports_no_other_family():
    wrong = {
        (name, other)
        for name, others in GRAPH.items()
        for other in others
        if (mine := family_of(name)) and (theirs := family_of(other)) and mine != theirs
    }
    assert not wrong
    # What families share does not depend on one of them.
    shared = [name for name in GRAPH if name.startswith("recipes.corpora")]
    assert not {(n, o) for n in shared for o in GRAPH[n] if family_of(o)}
    # A family's folder does not depend on its pages.
    pages = {f"recipes.{page.stem}" for page in PAGES}
    assert not {(n, o) for n, others in GRAPH.items() if family_of(n) for o in others & pages}


def test_a_page_belongs_to_one_family():
    for page in PAGES:
        families = {family_of(other) for other in GRAPH[f"recipes.{page.stem}"]} - {None}
        stems = {f"recipes.{other.stem}" for other in PAGES}
        others = GRAPH[f"recipes.{page.stem}"] & stems
        for other in others:  # such as topics.py, which goes on from sentiment.py
            families |= {family_of(each) for each in GRAPH[other]} - {None}
        assert len(families) == 1, (page.name, families)


def test_no_circle_of_imports():
    state = {}

    def visit(name, trail):
        if state.get(name) == "done":
            return
        assert state.get(name) != "open", " -> ".join([*trail[trail.index(name) :], name])
        state[name] = "open"
        for other in sorted(GRAPH[name] & GRAPH.keys()):
            visit(other, [*trail, name])
        state[name] = "done"

    for name in sorted(GRAPH):
        visit(name, [])


def test_the_engine_names_no_domain():
    wrong = set()
    for name, path in MODULES.items():
        if not name.startswith("zoo"):
            continue
        wrong |= {name for part in name.split(".") if DOMAIN.search(part)}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and DOMAIN.search(node.name):
                wrong.add(f"{name}.{node.name}")
    assert not wrong


# What Keras calls `_name` may change with any release; `keras.src` is all of it.
PRIVATE = re.compile(
    r"_(symbolic_build|maybe_symbolic_build|loss_tracker|keras_mask|get_variable_index|"
    r"all_reduce_sum_gradients|trainable_variables|flatten_layers|keras_history|"
    r"set_save_spec|lock_state|setattr_hook|tracker|build_shapes_dict|call_\w+|compile_\w+)"
)


def test_private_names_of_keras_are_in_one_module():
    wrong = set()
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and PRIVATE.fullmatch(node.attr):
                wrong.add(name)
            # A private attribute of something that is not our own: of no `self`, and no module.
            if (
                isinstance(node, ast.Attribute)
                and node.attr.startswith("_")
                and not node.attr.startswith("__")
                and isinstance(node.value, ast.Name)
                and node.value.id in ("model", "layer", "optimizer", "tensor", "metric", "cell")
            ):
                wrong.add(name)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras.src"):
                wrong.add(name)
    assert wrong == {"zoo.training.keras_private"}


def test_recipes_name_their_types():
    """Lines of recipes that say `Any`, imports included."""
    files = sorted(ROOT.glob("recipes/**/*.py"))
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert sum(bool(re.search(r"\bAny\b", line)) for line in lines) <= 40


# What turns a file into a program; `zoo.serving.graph` looks at SavedModels first.
LOADERS = {"pickle", "marshal", "shelve", "dill", "joblib.load", "runpy"}
CALLS = {"eval", "exec", "load_model", "model_from_json", "deserialize", "deserialize_keras_object"}


def test_no_file_of_a_model_is_a_program():
    wrong = set()
    for name, path in MODULES.items():
        wrong |= {(name, module) for module in GRAPH[name] & LOADERS}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in CALLS or called.endswith("saved_model.load"):
                wrong.add((name, called))
            if any(ast.unparse(each) == "allow_pickle=True" for each in node.keywords):
                wrong.add((name, called))
    assert wrong == {("zoo.serving.predictor", "tf.saved_model.load")}


# One process imports TensorFlow, and a copy of it looks at each copy of the packages.
WITHOUT = """
import importlib, json, os, pkgutil, sys, traceback
import keras, matplotlib.pyplot, pandas, scipy.stats, sklearn, tensorflow


def look(root, gone, trained):
    os.chdir(root)
    sys.path.insert(0, root)
    import zoo, zoo.cli, recipes
    from click.testing import CliRunner
    from zoo.cli import zoo as command

    assert zoo.__file__.startswith(root) and recipes.__file__.startswith(root), zoo.__file__
    for package in (zoo, recipes):
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if info.name != "zoo.__main__":
                importlib.import_module(info.name)
    names = [row["name"] for row in zoo.list_models()]
    assert names and not any(zoo.get_recipe(n).module.__name__ in gone for n in names), names
    for arguments in (["list"], ["--help"], ["info", names[0], "--no-layers"]):
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 0, result.output
    if trained:
        settings = {"epochs": 1}
        run = zoo.train(names[0], "run", data="sample", settings=settings, quiet=True)
        assert run.complete


def forked(*arguments):
    child = os.fork()
    if not child:
        code = 1
        try:
            look(*arguments)
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


sys.path.remove("")
assert "zoo" not in sys.modules
copies = json.load(sys.stdin)
print(json.dumps({family: forked(*copy) for family, copy in copies.items()}))
"""


def copy_without(family, root):
    """Copies the packages without the folder and the pages of a family; returns these pages."""
    for package in ("zoo", "recipes"):
        ignore = shutil.ignore_patterns("__pycache__", "pretrained")
        shutil.copytree(ROOT / package, root / package, ignore=ignore)
    shutil.rmtree(root / "recipes" / family)
    gone = []
    for page in PAGES:
        if any(family_of(other) == family for other in GRAPH[f"recipes.{page.stem}"]):
            gone.append(f"recipes.{page.stem}")
    for page in PAGES:  # pages that go on from one of these
        if set(gone) & GRAPH[f"recipes.{page.stem}"]:
            gone.append(f"recipes.{page.stem}")
    assert gone
    for name in set(gone):
        (root / f"{name.replace('.', '/')}.py").unlink()
    return gone


def test_a_family_can_be_deleted(tmp_path):
    """Each in turn; without one of them there is a training, too."""
    copies = {
        family: (str(tmp_path / family), copy_without(family, tmp_path / family), family == "music")
        for family in FAMILIES
    }
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], input=json.dumps(copies), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout.splitlines()[-1])
    assert codes == dict.fromkeys(FAMILIES, 0), done.stderr
