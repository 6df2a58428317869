"""Files of weights: one `.npz` per network, readable with any Keras backend."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


def save_weights(path: Path, model: keras.Model, notes: dict[str, Any]) -> None:
    """Writes the trainable weights of a network, float32, in Keras' order.

    Args:
      path: ends with `.npz`.
      model: built.
      notes: what JSON can hold.
    """
    import keras

    variables = model.trainable_variables
    arrays = [keras.ops.convert_to_numpy(variable.value) for variable in variables]
    save_arrays(path, [variable.path for variable in variables], arrays, notes)


def save_arrays(
    path: Path, names: Sequence[str], arrays: Sequence[np.ndarray], notes: dict[str, Any]
) -> None:
    """Writes a file as `save_weights` does, without Keras.

    Args:
      path: ends with `.npz`.
      names: of the weights; `read_weights` compares what is behind the last slash.
      arrays: float32, in Keras' order.
      notes: what JSON can hold.
    """
    weights: dict[str, Any] = {f"w{i:03d}": array for i, array in enumerate(arrays)}
    np.savez(path, names=json.dumps(list(names)), notes=json.dumps(notes), **weights)


def read_notes(path: Path) -> dict[str, Any]:
    """Returns the notes of a file."""
    with np.load(path) as file:
        notes: dict[str, Any] = json.loads(str(file["notes"]))
    return notes


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
