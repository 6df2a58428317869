"""Files of weights: one `.npz` per network, readable with any Keras backend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np


def save_weights(path: Path, model: keras.Model, notes: dict[str, Any]) -> None:
    """Writes the trainable weights of a network, float32, in Keras' order.

    Args:
      path: ends with `.npz`.
      model: built.
      notes: what JSON can hold.
    """
    variables = model.trainable_variables
    arrays = {f"w{i:03d}": keras.ops.convert_to_numpy(v.value) for i, v in enumerate(variables)}
    names = [variable.path for variable in variables]
    np.savez(path, names=json.dumps(names), notes=json.dumps(notes), **arrays)


def read_weights(path: Path, model: keras.Model) -> dict[str, Any]:
    """Loads the weights of a file into a network, and returns the notes.

    Raises:
      ValueError: the file belongs to another network.
    """
    with np.load(path) as file:
        names, notes = json.loads(str(file["names"])), json.loads(str(file["notes"]))
        arrays = [file[f"w{i:03d}"] for i in range(len(names))]
    variables = model.trainable_variables
    # Names of layers have a number that depends on what else the process has built.
    theirs = [(name.split("/")[-1], array.shape) for name, array in zip(names, arrays, strict=True)]
    ours = [(variable.path.split("/")[-1], tuple(variable.shape)) for variable in variables]
    if theirs != ours:
        raise ValueError(f"{path} has weights of another network: {theirs} instead of {ours}.")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return notes
