"""Networks of recipes in PyTorch: loading, training steps, mean weights. No TensorFlow."""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from keras import layers

import recipes.writing.word_layers  # noqa: F401  # registers layers with Keras
import zoo.layers  # noqa: F401  # registers layers with Keras
from tools.gpu.batching import Batch
from tools.gpu.progress import log
from tools.gpu.weights import save_weights

if keras.backend.backend() != "torch":
    raise ImportError(
        f"Keras runs on {keras.backend.backend()}. Set KERAS_BACKEND=torch before it is imported."
    )

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# TF32 for products of float32 matrices, as TensorFlow does by default.
torch.set_float32_matmul_precision("high")
torch.backends.cudnn.allow_tf32 = True

# Keras stores the weights of a layer separately and transposed; cuDNN copies them to one block.
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")

RECURRENT = (layers.LSTM, layers.GRU)  # those for which cuDNN has a kernel in Keras


def device_name() -> str:
    """Returns the name of the device, such as `"one NVIDIA H200"` or `"a CPU"`."""
    return f"one {torch.cuda.get_device_name()}" if DEVICE == "cuda" else "a CPU"


def read_network(path: Path) -> keras.Model:
    """Reads a network that `arrays.py` wrote, with new weights.

    Its bidirectional layers are called without a mask: rows of a batch are of one length, so that
    the mask changes nothing, and with a mask Keras would not use cuDNN.
    """

    def call(layer: keras.Operation, *arguments: Any, **options: Any) -> Any:
        if isinstance(layer, layers.Bidirectional):
            options["mask"] = None
        return layer(*arguments, **options)

    model = keras.models.model_from_json(path.read_text(encoding="utf-8"))
    return keras.models.clone_model(model, call_function=call)


def tensor(array: np.ndarray) -> torch.Tensor:
    """Returns a tensor with the values of an array, on the device."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(DEVICE)


@dataclasses.dataclass(frozen=True)
class Dropout:
    """Dropout rates of language models.

    Attributes:
      word: of the vocabulary, in a step.
      input: of the numbers of word vectors, in a window.
      output: of states, in a window.
      weight: of the weights between states, in a step.
    """

    word: float
    input: float
    output: float
    weight: float = 0.0


def hidden(values: torch.Tensor, share: float, shape: tuple[int, ...]) -> torch.Tensor:
    """Applies dropout with one mask of a broadcastable shape; other values are scaled up."""
    kept = torch.empty(shape, device=values.device, dtype=values.dtype).bernoulli_(1 - share)
    return values * kept / (1 - share)


def locked(values: torch.Tensor, share: float) -> torch.Tensor:
    """Applies dropout to float `(batch, time, size)`, with the same mask at all steps of a row."""
    return hidden(values, share, (values.shape[0], 1, values.shape[2]))


def lstm_weights(
    kernel: torch.Tensor, recurrent: torch.Tensor, bias: torch.Tensor
) -> list[torch.Tensor]:
    """Returns the weights of Keras' LSTM as `torch.lstm` takes them.

    The gates have the same order (i, f, c, o); Keras' matrices are transposed, and it has one bias
    in place of two.
    """
    return [kernel.T.contiguous(), recurrent.T.contiguous(), bias, torch.zeros_like(bias)]


def parameters(model: keras.Model) -> list[torch.Tensor]:
    """Returns the trainable tensors of a network (no copies), in Keras' order."""
    return [variable.value for variable in model.trainable_variables]


def copy_weights(model: keras.Model) -> list[torch.Tensor]:
    """Returns a copy of the trainable tensors."""
    return [each.detach().clone() for each in parameters(model)]


def set_weights(model: keras.Model, values: Iterable[torch.Tensor]) -> None:
    """Sets the weights of a network to values returned by `copy_weights`."""
    with torch.no_grad():
        for each, value in zip(parameters(model), values, strict=True):
            each.copy_(value)


class MeanWeights:
    """The exponential mean of weights over steps (B. Polyak, A. Juditsky 1992).

    In the first steps the momentum is lower: (1 + steps) / (10 + steps).
    """

    def __init__(self, model: keras.Model, momentum: float = 0.998) -> None:
        self.model, self.momentum, self.steps = model, momentum, 0
        self.values = copy_weights(model)

    def update(self) -> None:
        """Updates the mean with the weights of a step."""
        self.steps += 1
        momentum = min(self.momentum, (1 + self.steps) / (10 + self.steps))
        for mean, value in zip(self.values, parameters(self.model), strict=True):
            mean.lerp_(value.detach(), 1 - momentum)


def learning_rate(
    step: int, total: int, peak: float, warmup: float = 0.05, lowest: float = 0.02
) -> float:
    """Returns Adam's step size: a linear warm-up, then half a cosine.

    Args:
      step: from 0.
      total: steps of all epochs.
      peak: the largest step size.
      warmup: share of the steps in which it rises.
      lowest: the last step size, as a share of the largest.
    """
    rising = warmup * total
    if step < rising:
        return peak * (step + 1) / rising
    done = (step - rising) / max(1, total - rising)
    return peak * (lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * done)))


class Trainer:
    """Adam with Keras' epsilon, the norm of all gradients clipped, and a scheduled step size.

    Args:
      model: built.
      steps: of all epochs.
      peak: the largest step size.
      clip: of the global norm of gradients.
      warmup: share of the steps in which the step size rises.
      half: whether some products are of float16. The loss is then enlarged before it is
        differentiated, and a step whose gradients are not finite is omitted.

    Attributes:
      rate: the step size of the last step.
    """

    def __init__(
        self,
        model: keras.Model,
        steps: int,
        peak: float,
        clip: float = 1.0,
        warmup: float = 0.05,
        half: bool = False,
    ) -> None:
        self.model, self.steps, self.peak, self.clip, self.warmup = model, steps, peak, clip, warmup
        self.adam = torch.optim.Adam(parameters(model), eps=1e-7, fused=DEVICE == "cuda")
        self.scaler = torch.amp.GradScaler(DEVICE, enabled=half and DEVICE == "cuda")
        self.done, self.rate = 0, 0.0

    def step(self, loss: torch.Tensor, recurrent: int) -> None:
        """Lowers a loss by one step.

        Args:
          loss: a scalar.
          recurrent: calls of recurrent layers that it came through, at least.

        Raises:
          RuntimeError: on a GPU, some of them did not use cuDNN.
        """
        if DEVICE == "cuda":
            require_cudnn(loss, recurrent)
        self.rate = learning_rate(self.done, self.steps, self.peak, self.warmup)
        for group in self.adam.param_groups:
            group["lr"] = self.rate
        self.adam.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.adam)
        torch.nn.utils.clip_grad_norm_(parameters(self.model), self.clip, foreach=True)
        self.scaler.step(self.adam)
        self.scaler.update()
        self.done += 1


def affordable_epochs(
    epochs: int,
    seconds: float,
    weights: Sequence[torch.Tensor],
    batches: Sequence[Batch],
    loss_of: Callable[[Batch], torch.Tensor],
) -> int:
    """Returns the number of epochs that fit into a time limit, at least 1.

    The gradients of the first batches are timed; the optimizer and the evaluation are taken to need
    a tenth more.

    Args:
      epochs: at most.
      seconds: that training may take; 0: no limit.
      weights: of the network; they stay as they are.
      batches: of an epoch.
      loss_of: returns the loss of a batch, a scalar.
    """
    if not seconds:
        return epochs
    timed = batches[:60]
    first, begun = len(timed) // 10, 0.0
    for number, batch in enumerate(timed):
        if number == first:
            begun = time.monotonic()
        torch.autograd.grad(loss_of(batch), weights)
        if DEVICE == "cuda":
            torch.cuda.synchronize()
    step = 1.1 * (time.monotonic() - begun) / (len(timed) - first)
    log(f"{step * 1_000:.1f} ms a step, {len(batches):,} steps an epoch")
    return max(1, min(epochs, int(seconds / (step * len(batches)))))


def recurrent_layers(model: keras.Model) -> int:
    """Returns how many layers of a network have a kernel in cuDNN; a bidirectional one is one."""
    inner = (getattr(layer, "forward_layer", layer) for layer in model.layers)
    return sum(isinstance(layer, RECURRENT) for layer in inner)


def require_cudnn(loss: torch.Tensor, count: int) -> None:
    """Checks that a loss was computed by cuDNN's recurrent kernels.

    Where cuDNN fails, Keras 3.15 computes an LSTM and a GRU by a loop over time, and says nothing:
    `use_cudnn=True` does not change that, and training would take many times longer. What PyTorch
    has recorded for the gradient shows it, in each step, without a private name of Keras.

    Raises:
      RuntimeError: fewer than `count` calls are found.
    """
    found = sum("CudnnRnn" in name for name in operations(loss)) if count else 0
    if found < count:
        raise RuntimeError(
            f"{found} of {count} recurrent layers used cuDNN, the others a loop over time. Use "
            "releases of PyTorch and Keras whose LSTM and GRU run by cuDNN on this GPU."
        )


def operations(loss: torch.Tensor) -> list[str]:
    """Returns the names of the operations that PyTorch would differentiate."""
    waiting, seen, names = [loss.grad_fn], {None}, []
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            names.append(node.name())
            waiting += [other for other, _ in node.next_functions]
    return names


class Best:
    """The best weights of a training, of single steps or of their mean.

    Args:
      model: that is trained.
      higher: whether a higher score is better.

    Attributes:
      score: the best so far, of equal ones the first; not a number before the first.
      weights: which have it.
    """

    def __init__(self, model: keras.Model, *, higher: bool) -> None:
        self.model, self.higher = model, higher
        self.score = math.nan
        self.weights: list[torch.Tensor] = []

    def observe(self, mean: MeanWeights, measure: Callable[[], float]) -> tuple[float, float]:
        """Scores the weights of the last step and their mean; the network keeps the former.

        Args:
          mean: of the weights of this network.
          measure: scores the network as it is.

        Returns:
          The scores of both.
        """
        now = copy_weights(self.model)
        last = self._keep(measure())
        set_weights(self.model, mean.values)
        averaged = self._keep(measure())
        set_weights(self.model, now)
        return last, averaged

    def _keep(self, score: float) -> float:
        if not self.weights or (score > self.score if self.higher else score < self.score):
            self.score, self.weights = score, copy_weights(self.model)
        return score


def save_best(path: Path, model: keras.Model, best: Best, notes: dict[str, Any]) -> dict[str, Any]:
    """Writes the best weights of a training, and sets the network to them.

    Args:
      path: ends with `.npz`.
      model: that was trained.
      best: of its weights.
      notes: what JSON can hold.

    Returns:
      The notes of the file: those given, `best` (its score) and `device`.
    """
    set_weights(model, best.weights)
    notes = {**notes, "best": best.score, "device": device_name()}
    save_weights(path, model, notes)
    return notes
