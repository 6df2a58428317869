"""Example commands for trained models."""

from __future__ import annotations

import os
import shlex

from zoo.serving.capabilities import ANSWER, BEGIN
from zoo.serving.find import reference
from zoo.serving.inputs import input_specs
from zoo.serving.predictor import load


def example_command(model: os.PathLike[str]) -> str:
    """Returns a command line that uses a model with its kind of input: a text, a file, or none.

    Args:
      model: a run, or the folder of a model.
    """
    predictor = load(model)
    name = shlex.quote(reference(model))
    # The recipe file that a run names is only executed with --trust.
    if predictor.recipe.reference != predictor.recipe.name:
        name += " --trust"
    if "generation" in predictor.capabilities:
        seeds = [option.name for option in predictor.recipe.seeds]
        texts = "text" in input_specs(predictor.signatures[BEGIN])
        prompt = ' --prompt "…"' if texts and "prompt" in seeds else ""
        return f"zoo generate {name}{prompt}"
    names = predictor.input_names
    named = predictor.recipe.named_inputs
    if set(names) <= named.keys():
        return f"zoo predict {name} {named[names[0]]}"
    specs = input_specs(predictor.signatures[ANSWER])
    if (
        len(names) == 1
        and specs[names[0]].dtype.name == "string"
        and specs[names[0]].shape.rank == 1
    ):
        return f'zoo predict {name} "…"'
    return f"zoo predict {name} -i rows.jsonl"
