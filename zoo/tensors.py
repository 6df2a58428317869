"""The type of tensors that the engine and the recipes share. Imports no framework."""

from __future__ import annotations

from typing import Any, TypeAlias

Tensor: TypeAlias = Any
"""What a Keras layer and a function of `keras.ops` take and return, on every backend.

It is a `keras.KerasTensor` while a model is built. It is a tensor of the backend (TensorFlow, JAX,
PyTorch) while the model runs, a NumPy array where a caller passes one. Keras has no public type
for this union, and its operators (`+`, indexing) differ in their types: hence `Any`. Docstrings
give shapes and dtypes. What runs in TensorFlow only says `tf.Tensor` instead.
"""
