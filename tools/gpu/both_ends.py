"""A bidirectional LSTM in one cuDNN call for both directions, in half precision.

Keras' PyTorch backend calls cuDNN for one direction after the other, in float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tools.gpu.networks import DEVICE, lstm_weights

# cuDNN supports half precision only on a GPU.
COMPUTE = torch.float16 if DEVICE == "cuda" else torch.float32


def half(values: torch.Tensor) -> torch.Tensor:
    """Returns values in the precision of products: float16 on a GPU, otherwise float32."""
    return values.to(COMPUTE)


def read_both_ends(weights: Sequence[torch.Tensor], vectors: torch.Tensor) -> torch.Tensor:
    """Returns the states of a bidirectional LSTM, of `COMPUTE`, `(batch, time, 2 units)`.

    Args:
      weights: kernel, recurrent kernel and bias of the LSTM that reads forwards, and of the other.
      vectors: of `COMPUTE`, `(batch, time, size)`.
    """
    params = [half(each) for part in (weights[:3], weights[3:]) for each in lstm_weights(*part)]
    empty = vectors.new_zeros(2, vectors.shape[0], weights[1].shape[0])
    training = torch.is_grad_enabled()
    found = torch.lstm(vectors, (empty, empty), params, True, 1, 0.0, training, True, True)
    return found[0]
