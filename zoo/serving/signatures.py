"""The functions that a recipe serves, by capability, and the names of their signatures."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from zoo.errors import ZooError
from zoo.novelty import Novelty, marked
from zoo.serving.capabilities import (
    ANSWER,
    BEGIN,
    CAPABILITIES,
    GENERATE,
    STEP,
    WIRE_NAMES,
)

if TYPE_CHECKING:
    from zoo.decoding import Generation


class Functions(TypedDict, total=False):
    """Arguments of `Served`, for helpers that return several functions. See `Served`."""

    answer: Any
    search: Any
    generation: Generation
    score: Any
    alignment: Any
    forecast: Any
    streaming: Any
    others: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Served:
    """Functions from raw input to named outputs.

    Each is a `tf.function` with an `input_signature` of named specs, and returns a dict of
    tensors whose first axis is the batch. Inputs without axes are options. The inputs and outputs
    of each capability are declared and checked in `zoo.serving.capabilities`.

    Attributes:
      parts: the model and all layers with tables that the functions use: the tables are found
        through them, and kept alive as long as the functions.
      answer: the default function of `Predictor.predict` and TF Serving. It may be omitted if
        `generation` has a default.
      search: returns the n best answers of a beam search.
      generation: generates new sequences from a seed.
      score: returns the log-probabilities of sequences.
      alignment: returns which part of the input each part of the answer belongs to.
      forecast: returns the forecasts of each day of price series.
      streaming: returns answers to an input that arrives in parts.
      others: further functions by name, with any inputs and outputs.

    Raises:
      ZooError: there is no answer, or one of `others` has the name of a capability.
    """

    parts: list[Any]
    answer: Any = None
    search: Any = None
    generation: Generation | None = None
    score: Any = None
    alignment: Any = None
    forecast: Any = None
    streaming: Any = None
    others: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.answer is None and (self.generation is None or self.generation.default is None):
            raise ZooError(
                "Served has no answer. Give answer=…, or a generation that has a default."
            )
        for name in self.others:
            if name in WIRE_NAMES:
                capability = WIRE_NAMES[name]
                raise ZooError(
                    f"Served: the signature {name!r} is that of {capability!r}, and not one of "
                    f"`others`. Give {capability}=…."
                )

    def in_parts(self) -> Served:
        """Returns a copy whose functions compute large batches in parts: see `zoo.bounds`.

        Their recurrent layers are traced with the kernels of `zoo.serving.kernels`.

        The functions of `generation` are unchanged: those of `zoo.decoding.generation_signatures`
        already work in parts. So are those of `streaming`, whose states have a size per batch.
        """
        from zoo.bounds import parted
        from zoo.serving import kernels

        wrap = functools.partial(parted, tracing=kernels.serving)
        names = [name for name in CAPABILITIES if name not in ("generation", "streaming")]
        functions = {name: _apply(wrap, getattr(self, name)) for name in names}
        others = {name: _apply(wrap, function) for name, function in self.others.items()}
        return dataclasses.replace(self, **functions, others=others)

    def with_unusual(self, measures: Sequence[Novelty], limits: Mapping[str, float]) -> Served:
        """Returns a copy whose functions with declared outputs mark unusual rows.

        Args:
          measures: the outputs that the recipe declares.
          limits: output name to limit, as for `zoo.novelty.is_unusual`.
        """
        from zoo.bounds import named_function

        def wrap(function: Any) -> Any:
            specs = list(function.input_signature)

            @named_function(specs)
            def whole(*values: Any) -> Any:
                outputs = function(*values)
                if not isinstance(outputs, Mapping):
                    return outputs
                return marked(outputs, measures, limits)

            return whole

        functions = {name: _apply(wrap, getattr(self, name)) for name in ("answer", "search")}
        others = {name: _apply(wrap, function) for name, function in self.others.items()}
        return dataclasses.replace(self, **functions, others=others)

    @property
    def capabilities(self) -> frozenset[str]:
        """The names of the available capabilities, see `zoo.serving.capabilities`."""
        names = {name for name in CAPABILITIES if getattr(self, name) is not None}
        return frozenset(names | {"answer"})

    @property
    def functions(self) -> dict[str, Any]:
        """Maps each signature name in a SavedModel to its function."""
        functions: dict[str, Any] = {}
        if self.generation is not None:
            functions[ANSWER] = self.generation.default
            functions[GENERATE] = self.generation.generate
            functions[BEGIN] = self.generation.begin
            functions[STEP] = self.generation.step
        for name, capability in CAPABILITIES.items():
            function = getattr(self, name)
            if name != "generation" and function is not None:
                functions[capability[0].wire_name] = function
        return {**functions, **self.others}


def _apply(wrap: Any, function: Any) -> Any:
    """Returns a wrapped function; unchanged if `capabilities.check` does not accept it."""
    specs = getattr(function, "input_signature", None)
    named = specs and all(getattr(spec, "name", None) for spec in specs)
    return wrap(function) if named else function
