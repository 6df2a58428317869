"""`import zoo` is enough for Keras to load the model of a run."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import keras_objects

ROOT = Path(__file__).parents[2]

LOAD = """
import sys
{imports}
ours = [name for name in sys.modules if name.startswith(("zoo.", "recipes."))]
assert not [name for name in ours if name.endswith((".nade", ".crf", ".pooling"))]
for path in sys.argv[1:]:
    model = keras.saving.load_model(path + "/model-best.keras")
    assert model.optimizer is not None and model.loss is not None, path
print("loaded", len(sys.argv) - 1)
"""


@pytest.mark.parametrize(
    "imports", ["import keras, zoo", pytest.param("import zoo, keras", marks=pytest.mark.slow)]
)
def test_keras_loads_the_model_of_every_recipe(imports, run_of, chosen_names, python):
    runs = [run_of(name) for name in chosen_names]
    code = LOAD.format(imports=imports)
    assert python([sys.executable, "-c", code, *runs]) == f"loaded {len(runs)}\n"


def registered():
    """Returns the names of the classes that the code registers, and their modules."""
    found = {"zoo>WatchedAdam": "zoo.training.diagnostics"}  # a former name
    for path in [*ROOT.glob("zoo/**/*.py"), *ROOT.glob("recipes/**/*.py")]:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                for decorator in node.decorator_list:
                    if "register_keras_serializable" in ast.unparse(decorator):
                        found[f"{decorator.args[0].value}>{node.name}"] = module
    return found


def test_every_registered_class_is_listed():
    assert keras_objects.names() == registered()
    assert len(registered()) > 20


@pytest.mark.parametrize(
    "before",
    [
        "importlib.util.find_spec('keras'); import tensorflow",
        pytest.param("import tensorflow", marks=pytest.mark.slow),
        pytest.param("importlib.util.find_spec('keras')", marks=pytest.mark.slow),
    ],
)
def test_keras_knows_our_classes_if_others_have_looked_for_it(before):
    code = (
        f"import importlib.util, zoo; {before}; import keras\n"
        "found = {name for name in keras.saving.get_custom_objects() if name.startswith('zoo>')}\n"
        "assert found >= {'zoo>MaskedPooling', 'zoo>CRF'}, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_zoo_imports_nothing_for_it():
    code = (
        "import sys, zoo\n"
        "assert not {'keras', 'numpy', 'recipes'} & sys.modules.keys()\n"
        "finders = len(sys.meta_path)\n"
        "import importlib; importlib.reload(zoo)\n"
        "assert len(sys.meta_path) == finders\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_broken_plugin_does_not_break_keras(monkeypatch):
    from zoo import registry
    from zoo.errors import ZooError

    def broken():
        raise ZooError("The recipes registered as 'x' cannot be imported.")

    monkeypatch.setattr(registry, "recipes", broken)
    with pytest.warns(UserWarning, match="registered as 'x' cannot be imported"):
        keras_objects.register()
