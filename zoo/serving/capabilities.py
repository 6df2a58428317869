"""The capabilities of models: one table of the inputs, options and outputs of each.

A recipe declares capabilities by the arguments of `Served`. `check` compares its functions with the
table before training and before an export; `read` finds the capabilities of a SavedModel. The names
of signatures, inputs, options and outputs are part of the protocol between clients and servers:
they do not change.

This module imports no TensorFlow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from zoo.errors import ZooError, nearest
from zoo.novelty import UNUSUAL


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An input or output of a signature.

    Attributes:
      dtype: name of the type, such as `"float32"`.
      rank: number of axes, including the batch; 0 for an option. None if unknown.
    """

    dtype: str
    rank: int | None

    def __str__(self) -> str:
        return self.dtype if self.rank in (0, None) else f"{self.dtype} with {self.rank} axes"


@dataclasses.dataclass(frozen=True)
class Signature:
    """The inputs and outputs that are required of one signature of a capability.

    Attributes:
      wire_name: its name in a SavedModel.
      inputs: required inputs, besides options.
      closed: whether `inputs` is complete; otherwise there may be more.
      options: inputs without axes; exactly these.
      outputs: required outputs; there may be more.
      optional: optional outputs, either all or none of them.
      partial: those of `optional` that may be present without the others.
      several: whether it takes the inputs of the answer, and returns its outputs with one more
        axis, that of several answers.
    """

    wire_name: str
    inputs: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)
    closed: bool = False
    options: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)
    optional: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)
    partial: tuple[str, ...] = ()
    several: bool = False


@dataclasses.dataclass(frozen=True)
class Specs:
    """The inputs and outputs of a function.

    Attributes:
      inputs: name to tensor, including options.
      outputs: name to tensor; None if the function has not been traced yet.
    """

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor] | None = None

    @property
    def options(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in self.inputs.items() if tensor.rank == 0}

    @property
    def arrays(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in self.inputs.items() if tensor.rank != 0}


ANSWER = "serving_default"
SEARCH = "nbest"
GENERATE, BEGIN, STEP = "generate", "begin", "step"
SCORE = "score"
ALIGNMENT = "alignment"
FORECAST = "walk"
CHUNK = "chunk"

# Outputs of any signature that may reject a row, both or none: whether the row is valid, and if
# not, why. Its other outputs are then NaN, "", 0 or False.
MARKS = {"valid": Tensor("bool", 1), "problem": Tensor("string", 1)}

# Outputs of any signature that measure how far a row is from the training data. Each may be present
# without the others; `unusual` is whether the row is farther away than 99 % of the validation rows.
NOVELTY = {
    **{name: Tensor("float32", 1) for name in ("unknown_words", "novelty")},
    UNUSUAL: Tensor("bool", 1),
}

OPTION_INT, OPTION_FLOAT = Tensor("int32", 0), Tensor("float32", 0)


def _tensors(dtype: str, rank: int, *names: str) -> dict[str, Tensor]:
    return {name: Tensor(dtype, rank) for name in names}


CAPABILITIES: dict[str, tuple[Signature, ...]] = {
    # Raw input to named outputs, one answer per row.
    "answer": (Signature(ANSWER),),
    # Answers of a beam search, best first: outputs are (batch, answers, …). Attention is
    # (batch, answers, pieces, source pieces); the pieces are the labels of its axes.
    "search": (
        Signature(
            SEARCH,
            options={"beam": OPTION_INT, "n_best": OPTION_INT},
            outputs=_tensors("float32", 2, "score"),
            optional={
                **_tensors("float32", 4, "attention"),
                **_tensors("string", 3, "pieces"),
                **_tensors("string", 2, "source_pieces"),
            },
            partial=("pieces",),
            several=True,
        ),
    ),
    # A seed to new sequences. The log-probability of the sampled ids is in nats; `complete` is
    # whether the sequence ended by itself. `step` takes the state that `begin` or `step` returned.
    "generation": (
        Signature(
            GENERATE,
            inputs=_tensors("int32", 1, "random_seed"),
            options={
                "steps": OPTION_INT,
                "temperature": OPTION_FLOAT,
                "top_k": OPTION_INT,
                "top_p": OPTION_FLOAT,
            },
            outputs={
                **_tensors("float32", 1, "log_probability"),
                **_tensors("bool", 1, "complete"),
            },
        ),
        Signature(BEGIN, outputs=_tensors("float32", 2, "logits")),
        Signature(
            STEP,
            inputs=_tensors("int32", 1, "input"),
            outputs=_tensors("float32", 2, "logits"),
        ),
    ),
    # Sequences to their log-probability, in nats, and the number of scored steps.
    "score": (
        Signature(
            SCORE,
            outputs={
                **_tensors("float32", 1, "log_probability"),
                **_tensors("int32", 1, "count"),
            },
        ),
    ),
    # Features (batch, frames, bands) that the network reads; the probability of each id at each
    # frame, the blank first; seconds per frame; number of frames of each row.
    "alignment": (
        Signature(
            ALIGNMENT,
            outputs={
                **_tensors("float32", 3, "features", "posteriors"),
                **_tensors("float32", 1, "seconds"),
                **_tensors("int32", 1, "length"),
            },
        ),
    ),
    # Prices (batch, days), 0 where unknown, to the forecasts of each day, (batch, days, horizon):
    # a Student's t distribution of the log return over the next 1 … days, and its variance; number
    # of days of each row.
    "forecast": (
        Signature(
            FORECAST,
            inputs=_tensors("float32", 2, "open", "high", "low", "close"),
            closed=True,
            outputs={
                **_tensors("float32", 3, "location", "scale", "freedom", "variance"),
                **_tensors("int32", 1, "length"),
            },
        ),
    ),
    # The next part of the input and the state to final text, text that may still change, and the
    # next state. The state is that of the previous call, empty at first: the values of each row,
    # their number, and how many of them are settled. `last`: whether this is the last part.
    "streaming": (
        Signature(
            CHUNK,
            inputs={
                **_tensors("float32", 2, "state"),
                **_tensors("int32", 1, "state_length", "state_settled"),
                **_tensors("bool", 1, "last"),
            },
            outputs={
                **_tensors("string", 1, "text", "partial"),
                **_tensors("float32", 2, "state"),
                **_tensors("int32", 1, "state_length", "state_settled"),
            },
        ),
    ),
}

# Maps the name of each signature to its capability.
WIRE_NAMES = {
    signature.wire_name: name
    for name, signatures in CAPABILITIES.items()
    for signature in signatures
}


class Signatures(Protocol):
    """The part of `zoo.serving.Served` that `check` uses."""

    @property
    def capabilities(self) -> frozenset[str]: ...

    @property
    def functions(self) -> dict[str, Any]: ...


def check(served: Signatures, name: str) -> None:
    """Compares served functions with the table; traces each function of a capability once.

    Args:
      served: the result of a recipe's `serve`.
      name: the recipe's name, for messages.

    Raises:
      ZooError: a function is not a `tf.function` with an `input_signature`, does not return a dict,
        or has an input, option or output that is missing, misspelt, or of another type or rank.
    """
    specs = {
        wire_name: _specs_of(
            function, f"{name}: the signature {wire_name!r}", trace=wire_name in WIRE_NAMES
        )
        for wire_name, function in served.functions.items()
    }
    for capability in CAPABILITIES:
        if capability in served.capabilities:
            problem = find_problem(capability, specs)
            if problem is not None:
                raise ZooError(f"{name}: {problem}")


def read(specs: Mapping[str, Specs]) -> frozenset[str]:
    """Returns the capabilities that the signatures provide.

    Args:
      specs: name of each signature to its inputs and outputs.
    """
    return frozenset(name for name in CAPABILITIES if find_problem(name, specs) is None)


def find_problem(capability: str, specs: Mapping[str, Specs]) -> str | None:
    """Returns why signatures do not provide a capability, in one or two sentences; None if they do.

    Args:
      capability: one of `CAPABILITIES`.
      specs: name of each signature to its inputs and outputs.
    """
    for signature in CAPABILITIES[capability]:
        if signature.wire_name not in specs:
            return f"it has no signature {signature.wire_name!r} ({capability})."
    for signature in CAPABILITIES[capability]:
        wrong = _difference(signature, specs[signature.wire_name])
        if wrong is None and signature.several:
            wrong = _difference_of_several(specs[signature.wire_name], specs.get(ANSWER))
        if wrong is not None:
            return f"the signature {signature.wire_name!r} ({capability}) {wrong}"
    return _difference_of_states(specs) if capability == "generation" else None


def _specs_of(function: Any, what: str, *, trace: bool) -> Specs:
    """Returns the inputs of a `tf.function`, and its outputs if `trace`.

    Raises:
      ZooError: it is not a `tf.function`, has unnamed inputs, or does not return a dict of tensors.
    """
    inputs = getattr(function, "input_signature", None)
    if not inputs or any(getattr(spec, "name", None) is None for spec in inputs):
        raise ZooError(f"{what} must be a tf.function with an input_signature of named specs.")
    named = {spec.name: tensor_of(spec) for spec in inputs}
    if not trace:
        return Specs(named)
    outputs = function.get_concrete_function().structured_outputs
    if not isinstance(outputs, Mapping) or not outputs:
        raise ZooError(f"{what} must return a dict of tensors.")
    return Specs(named, tensors_of(outputs))


def tensor_of(spec: Any) -> Tensor:
    """Returns the type and rank of a tensor or `tf.TensorSpec`."""
    return Tensor(spec.dtype.name, spec.shape.rank)


def tensors_of(specs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Returns the type and rank of named tensors or `tf.TensorSpec`s."""
    return {name: tensor_of(spec) for name, spec in specs.items()}


def _difference(signature: Signature, specs: Specs) -> str | None:
    """Returns how a signature differs from the table; None if it does not."""
    wrong = _compare("option", signature.options, specs.options, closed=True)
    wrong = wrong or _compare("input", signature.inputs, specs.arrays, closed=signature.closed)
    if wrong or specs.outputs is None:
        return wrong
    present = [name for name in signature.optional if name in specs.outputs]
    if not set(present) <= set(signature.partial):  # one of them requires the others
        present = list(signature.optional)
    due = {**signature.outputs, **{name: signature.optional[name] for name in present}}
    further = {name: tensor for name, tensor in NOVELTY.items() if name in specs.outputs}
    if any(name in specs.outputs for name in MARKS):
        further |= MARKS
    due |= {
        name: dataclasses.replace(tensor, rank=1 + signature.several)
        for name, tensor in further.items()
    }
    return _compare("output", due, specs.outputs, closed=False)


def _compare(
    kind: str, due: Mapping[str, Tensor], actual: Mapping[str, Tensor], *, closed: bool
) -> str | None:
    """Compares inputs, options or outputs with the required ones."""
    listed = ", ".join(f"{name!r} ({tensor})" for name, tensor in due.items())
    are_due = f"the {kind}s {listed} are due" if due else f"no {kind}s are due"
    further = [name for name in actual if name not in due]
    if closed and further:
        return f"has an unknown {kind} {further[0]!r}; {are_due}.{nearest(further[0], due)}"
    for name, tensor in due.items():
        if name not in actual:
            return f"lacks the {kind} {name!r}; {are_due}.{nearest(name, further)}"
        if not _fits(tensor, actual[name]):
            return f"has the {kind} {name!r} as {actual[name]}; {tensor} is due."
    return None


def _fits(due: Tensor, actual: Tensor) -> bool:
    return due.dtype == actual.dtype and (
        None in (due.rank, actual.rank) or due.rank == actual.rank
    )


def _difference_of_several(specs: Specs, answer: Specs | None) -> str | None:
    """Compares a signature that returns several answers with the one that returns one."""
    if answer is None:
        return f"goes with a signature {ANSWER!r}, which is missing."
    wrong = _compare("input", answer.arrays, specs.arrays, closed=True)
    if wrong or specs.outputs is None or answer.outputs is None:
        return wrong
    due = {
        name: Tensor(tensor.dtype, None if tensor.rank is None else tensor.rank + 1)
        for name, tensor in answer.outputs.items()
    }
    return _compare("output", due, specs.outputs, closed=False)


def _difference_of_states(specs: Mapping[str, Specs]) -> str | None:
    """Compares the states of `begin` and `step`, and the seeds of `generate` and `begin`."""
    generate, begin, step = (specs[name] for name in (GENERATE, BEGIN, STEP))
    seed = {name: tensor for name, tensor in generate.arrays.items() if name != "random_seed"}
    wrong = _compare("input", seed, begin.arrays, closed=True)
    if wrong is not None:
        return f"the signature {BEGIN!r} (generation) {wrong}"
    state = {name: tensor for name, tensor in step.arrays.items() if name != "input"}
    due = {"logits": Tensor("float32", 2), **state}
    for name in (BEGIN, STEP):
        outputs = specs[name].outputs
        if outputs is not None and name == BEGIN:
            outputs = {key: tensor for key, tensor in outputs.items() if key not in MARKS}
        wrong = None if outputs is None else _compare("output", due, outputs, closed=True)
        if wrong is not None:
            return f"the signature {name!r} (generation) {wrong}"
    return None
