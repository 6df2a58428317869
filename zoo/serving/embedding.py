"""Embeddings: the states of a network's recurrent layers, pooled to one vector per row."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import layers

from zoo.errors import UsageError
from zoo.layers import MaskedPooling
from zoo.serving.capabilities import ANSWER, SCORE
from zoo.serving.inputs import batch_tensors, size_of
from zoo.serving.signatures import Served
from zoo.training.keras_private import layers_of, wrapped_calls

Call = tuple[Any, Any, Any]  # the layer, its output and its mask


class _Enough(Exception):
    """Raised when the required part of a network has been computed."""


def embed(
    predictor: Any,
    columns: Mapping[str, list],
    specs: Mapping[str, Any],
    batch_size: int,
    *,
    encoder: bool,
) -> np.ndarray:
    """Returns the pooled states of rows; see `Predictor.embed`.

    Args:
      predictor: a `zoo.serving.Predictor` with a Keras model.
      columns, specs: columns as returned by `zoo.serving.inputs.columns_of`, and their specs, for
        the signature named by `signature_of`.
      batch_size: number of rows per batch.
      encoder: whether to use the first recurrent layer instead of the last.

    Raises:
      UsageError: the model has no recurrent layer, or a row has no answer.
    """
    # Not split into parts, and run as Python: only then the outputs of layers are accessible.
    served = predictor.recipe.module.serve(predictor.config, predictor.assets, predictor.model)
    compute = served.functions[signature_of(served)].python_function
    watched = _watched(predictor, encoder)
    count = len(next(iter(columns.values())))
    found: list[np.ndarray | None] = [None] * count
    sizes = np.max([[size_of(value) for value in each] for each in columns.values()], axis=0)
    order = np.argsort(sizes, kind="stable")
    for start in range(0, count, batch_size):
        part = order[start : start + batch_size]
        pooled = _pooled(compute, batch_tensors(columns, specs, part), watched, encoder)
        if pooled is None or len(pooled) != len(part):  # without a mask, or read in windows
            for row in part:
                inputs = batch_tensors(columns, specs, [row])
                found[row] = _of_one(compute, inputs, watched, encoder)
        else:
            for row, vector in zip(part, pooled, strict=True):
                found[row] = vector
    return np.stack([vector for vector in found if vector is not None])


def signature_of(served: Served) -> str:
    """Returns the signature with which a network reads its whole input."""
    return SCORE if "generation" in served.capabilities and served.score is not None else ANSWER


def _watched(predictor: Any, encoder: bool) -> list[Any]:
    """Returns the layer whose output is used: a pooling layer if any, else a recurrent one."""
    known = layers_of(predictor.model)
    pooling = [layer for layer in known if isinstance(layer, MaskedPooling)]
    wrapped = [layer for layer in known if isinstance(layer, layers.Bidirectional)]
    inside = {id(part) for outer in wrapped for part in (outer.forward_layer, outer.backward_layer)}
    recurrent = [
        layer
        for layer in known
        if isinstance(layer, layers.RNN | layers.Bidirectional) and id(layer) not in inside
    ]
    if not recurrent:
        raise UsageError(f"{predictor.name} has no recurrent layer, and so no states.")
    return pooling[-1:] if pooling and not encoder else recurrent[:1] if encoder else recurrent[-1:]


def _calls(compute: Any, inputs: dict[str, Any], watched: Sequence[Any], first: bool) -> list[Call]:
    calls: list[Call] = []

    def recording(layer: Any, call: Any) -> Any:
        def record(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            values = output[0] if isinstance(output, list | tuple) else output
            calls.append((layer, values, kwargs.get("mask")))
            if first:
                raise _Enough
            return output

        return record

    with wrapped_calls(watched, recording), contextlib.suppress(_Enough):
        compute(**inputs)
    return calls


def _pooled(
    compute: Any, inputs: dict[str, Any], watched: Sequence[Any], first: bool
) -> np.ndarray | None:
    """Returns the vectors of a batch; None if they cannot be read from one call."""
    calls = _calls(compute, inputs, watched, first)
    if len(calls) != 1:
        return None
    _, output, mask = calls[0]
    if len(output.shape) == 2:
        return np.asarray(output, np.float32)
    if mask is None:
        return None
    real = np.asarray(mask)[..., np.newaxis]
    values = np.asarray(output, np.float32)
    return (values * real).sum(axis=1) / np.maximum(real.sum(axis=1), 1)


def _of_one(
    compute: Any, inputs: dict[str, Any], watched: Sequence[Any], first: bool
) -> np.ndarray:
    """Returns the vector of one row, which may be read in several windows."""
    totals, steps = [], 0
    for _, output, mask in _calls(compute, inputs, watched, first):
        values = np.asarray(output, np.float32)
        if values.ndim == 2:
            totals.append(values.sum(axis=0))
            steps += len(values)
            continue
        real = np.ones(values.shape[:2], bool) if mask is None else np.asarray(mask)
        totals.append((values * real[..., np.newaxis]).sum(axis=(0, 1)))
        steps += int(real.sum())
    if not totals:
        raise UsageError("A row has no answer, so the network computed no states for it.")
    return np.sum(totals, axis=0) / max(steps, 1)
