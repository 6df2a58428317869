"""Every recipe module reads like the others."""

import ast
import dataclasses
import inspect
import sys

import pytest

import zoo
from zoo.config import describe
from zoo.recipe import CONSTANTS, FUNCTIONS, TOPOLOGIES

MAX_LINES = 190  # of a recipe module, its docstring and blank lines not counted


@pytest.fixture
def recipe(chosen):
    return zoo.get_recipe(chosen)


def test_the_module_has_the_functions_of_a_recipe(recipe):
    from zoo import recipe as contract

    for name in FUNCTIONS:
        ours = inspect.signature(getattr(recipe.module, name))
        theirs = inspect.signature(getattr(contract.Recipe, name))
        assert list(ours.parameters) == [each for each in theirs.parameters if each != "self"], name


def test_the_constants_are_in_the_order_of_the_contract(recipe):
    assigned = [
        target.id
        for node in ast.parse(inspect.getsource(recipe.module)).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in CONSTANTS
    ]
    assert assigned[:4] == ["TOPOLOGY", "TASK", "METRIC", "MONITOR"]
    assert recipe.topology in TOPOLOGIES
    assert recipe.monitor.name.startswith("val_")


def test_the_docstring_teaches_and_names_its_sources(recipe):
    doc = inspect.cleandoc(recipe.doc)
    assert len(doc.splitlines()) >= 8
    first = doc.splitlines()[0]
    assert first.endswith((".", ":"))
    years = [word.strip("().,;:") for word in doc.split()]
    assert any(word.isdigit() and 1943 <= int(word) <= 2100 for word in years), "no reference"


def test_the_module_can_be_read_in_one_sitting(recipe):
    lines = inspect.getsource(recipe.module).splitlines()
    doc = len(recipe.doc.splitlines())
    assert len([line for line in lines if line.strip()]) - doc <= MAX_LINES


def test_every_setting_is_explained_beside_its_default(recipe):
    assert dataclasses.is_dataclass(recipe.config)
    for name, _, comment in describe(recipe.config):
        assert comment, f"{name} has no comment"


def test_the_sample_is_of_the_declared_columns_and_can_be_split(recipe):
    sample = recipe.dataset.sample()
    assert list(sample) == list(recipe.dataset.columns)
    assert len({len(column) for column in sample.values()}) == 1
    splits = recipe.dataset.load("sample")
    assert min(len(splits.train[name]) for name in sample) >= 4
    assert recipe.dataset.sample() == sample  # the same at each call


def test_recipe_modules_import_nothing_heavy(python):
    modules = sorted({zoo.get_recipe(row["name"]).module.__name__ for row in zoo.list_models()})
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'tensorflow', 'keras', 'numpy', 'pandas', 'sklearn'} & sys.modules.keys()\n"
        "    assert not heavy, (name, heavy)\n"
    )
    python([sys.executable, "-c", code, *modules])
