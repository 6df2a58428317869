"""The service behind all protocols: predict, classify and regress, by model and version."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

from zoo.errors import first_line, quoted
from zoo.server.batching import Arrays, Batcher
from zoo.server.log import log
from zoo.server.metrics import Metrics
from zoo.server.models import Models, Version
from zoo.server.status import Refused, invalid
from zoo.server.tensors import SignatureInfo, TensorInfo

LARGE = 64 * 1024  # bytes from which a body is parsed and written outside of the event loop
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Answered:
    """An answer.

    Attributes:
      version: the version that answered.
      signature: name of its signature.
      outputs: arrays by name.
    """

    version: Version
    signature: str
    outputs: Arrays

    @property
    def size(self) -> int:
        """Approximate size of the serialized outputs in bytes."""
        return sum(array.size * 8 for array in self.outputs.values())


@dataclasses.dataclass
class Service:
    """Models, queue and metrics of a server.

    Attributes:
      timeout: time limit of a request in seconds.
      max_body: maximum size of a request in bytes.
      draining: whether the server stops soon: it still answers, but reports that it is not ready.
      allow_reload: whether a client may change which models are served.
      token: a bearer token that each request must have; "" for none.
      rehearsal: the id of requests that the server sends to itself before it serves; they are
        neither counted nor logged.
    """

    models: Models
    batcher: Batcher
    metrics: Metrics
    timeout: float = 30.0
    max_body: int = 16 * 2**20
    draining: bool = False
    allow_reload: bool = False
    token: str = ""
    rehearsal: str = dataclasses.field(default_factory=lambda: secrets.token_hex(16))

    @property
    def ready(self) -> bool:
        return not self.draining and self.models.ready

    def check_token(self, authorization: str) -> None:
        """Makes sure that a request has the token.

        Args:
          authorization: HTTP header or gRPC metadata; "" if there is none.

        Raises:
          Refused: the token is missing or wrong.
        """
        if not self.token:
            return
        scheme, _, given = authorization.partition(" ")
        right = secrets.compare_digest(given.strip().encode(), self.token.encode())
        if scheme.lower() != "bearer" or not right:
            raise Refused(
                "UNAUTHENTICATED",
                "This server asks for a bearer token, as header or metadata: "
                "Authorization: Bearer …",
                WWW_Authenticate="Bearer",
            )

    async def predict(
        self,
        target: Target,
        signature: str,
        read: Callable[[SignatureInfo], Arrays],
        *,
        size: int = 0,
        outputs: Iterable[str] = (),
        api: str = "predict",
    ) -> Answered:
        """Answers a request.

        Args:
          target: model and version.
          signature: name of the signature, "" for the default.
          read: takes the signature, returns the inputs.
          size: size of the request in bytes.
          outputs: names of the requested outputs; all by default.
          api: name of the API, for the metrics.

        Raises:
          Refused: the request cannot be answered.
        """
        async with self.models.use(target.name, target.number, target.label) as version:
            servable = version.servable
            assert servable is not None
            name, info = servable.signature(signature)
            wanted = list(outputs)
            if unknown := [each for each in wanted if each not in info.outputs]:
                raise invalid(
                    f"output tensor alias not found in signature: {quoted(unknown[0])}. There is: "
                    f"{', '.join(info.outputs)}."
                )
            inputs = await beside(size, read, info)
            start = time.perf_counter()
            answer = await self.batcher.compute(
                inputs, info, (id(servable), name), functools.partial(servable.run, name)
            )
            self.metrics.runtime.labels(target.name, api, "TF2").observe(
                (time.perf_counter() - start) * 1e6
            )
            return Answered(version, name, {n: answer[n] for n in wanted} if wanted else answer)

    async def classify(
        self, target: Target, signature: str, examples: Examples, size: int = 0
    ) -> tuple[Answered, list[list[tuple[str, float]]]]:
        """Classifies examples: returns (label, score) pairs for each example.

        The model must return `probabilities`, or `label` and `score`.
        """
        read = functools.partial(inputs_of, examples)
        answered = await self.predict(target, signature, read, size=size, api="classify")
        outputs, version = answered.outputs, answered.version
        labels = version.servable.labels if version.servable else []
        if "probabilities" in outputs and outputs["probabilities"].ndim == 2:
            scores = outputs["probabilities"].tolist()
            names = labels or [str(place) for place in range(outputs["probabilities"].shape[1])]
            return answered, [list(zip(names, row, strict=True)) for row in scores]
        if {"label", "score"} <= outputs.keys() and outputs["label"].ndim == 1:
            texts = [_text(each) for each in outputs["label"].tolist()]
            return answered, [[pair] for pair in zip(texts, outputs["score"].tolist(), strict=True)]
        raise invalid(
            f"The signature {answered.signature!r} does not classify: it returns "
            f"{', '.join(sorted(outputs))}, and no probabilities. Use predict."
        )

    async def regress(
        self, target: Target, signature: str, examples: Examples, size: int = 0
    ) -> tuple[Answered, list[float]]:
        """Returns one number per example; the model must have a single float output per row."""
        read = functools.partial(inputs_of, examples)
        answered = await self.predict(target, signature, read, size=size, api="regress")
        numbers = [
            value
            for value in answered.outputs.values()
            if value.dtype.kind == "f" and (value.ndim == 1 or value.shape[1:] == (1,))
        ]
        if len(numbers) != 1:
            raise invalid(
                f"The signature {answered.signature!r} is not a regression: it returns "
                f"{', '.join(sorted(answered.outputs))}. Use predict."
            )
        return answered, numbers[0].ravel().tolist()

    async def answer(
        self,
        target: Target,
        api: str,
        entrypoint: str,
        request_id: str,
        work: Awaitable[T],
        seconds: float | None = None,
    ) -> T:
        """Answers a request within its time limit, and records its status.

        Args:
          target: model and version.
          api, entrypoint: for the metrics and the log.
          request_id: for the log.
          work: awaitable that returns the answer.
          seconds: time limit of the client, if any; at most `timeout`.

        Raises:
          Refused: the request failed for any reason.
        """
        bound = self.timeout if seconds is None else min(seconds, self.timeout)
        async with self.accounted(target, api, entrypoint, request_id, bound):
            return await asyncio.wait_for(work, bound)

    @contextlib.asynccontextmanager
    async def accounted(
        self, target: Target, api: str, entrypoint: str, request_id: str, seconds: float
    ) -> AsyncIterator[None]:
        """Context that records the status of a request, and converts all errors to `Refused`.

        Args:
          target, api, entrypoint, request_id: as for `answer`.
          seconds: time limit of the request, for the message of a timeout.
        """
        start = time.perf_counter()
        code, message = "OK", None
        try:
            yield
        except Refused as error:
            code, message = error.code, error.message
            raise
        except (asyncio.TimeoutError, TimeoutError) as error:
            code, message = "DEADLINE_EXCEEDED", f"No answer within {seconds:g} seconds."
            raise Refused(code, message) from error
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception as error:
            code, message = "INTERNAL", f"{type(error).__name__}: {first_line(error)}"
            raise Refused(code, "The server failed to answer; its log says why.") from error
        finally:
            spent = time.perf_counter() - start
            if request_id != self.rehearsal:
                self._note(target, api, entrypoint, request_id, spent, code, message)

    def _note(
        self,
        target: Target,
        api: str,
        entrypoint: str,
        request_id: str,
        seconds: float,
        code: str,
        message: str | None,
    ) -> None:
        """Counts and logs a finished request."""
        known = target.name if target.name in self.models.configs else "unknown"
        self.metrics.requests.labels(known, code).inc()
        self.metrics.latency.labels(known, api, entrypoint).observe(seconds * 1e6)
        log(
            "request",
            level="error" if code == "INTERNAL" else "info",
            request_id=request_id,
            api=f"{entrypoint}/{api}",
            model=known,
            code=code,
            ms=round(seconds * 1e3, 3),
            error=message if code in ("INTERNAL", "UNAVAILABLE") else None,
        )


@dataclasses.dataclass(frozen=True)
class Target:
    """The requested model and version: by number, by label, or the newest."""

    name: str
    number: int | None = None
    label: str | None = None


Examples = list[Mapping[str, list[Any]]]  # features of each example: lists of values


def inputs_of(examples: Examples, info: SignatureInfo) -> Arrays:
    """Returns the inputs of a signature from the features of examples with the same names.

    Raises:
      Refused: a feature is missing, or of another type or length.
    """
    if not examples:
        raise invalid("The request has no example. Give at least one.")
    return {
        name: _stacked([_feature(example, name, tensor) for example in examples], name, tensor)
        for name, tensor in info.inputs.items()
    }


def _stacked(features: list[np.ndarray], name: str, info: TensorInfo) -> np.ndarray:
    """Stacks the values of one feature, one row per example."""
    sizes = sorted({len(feature) for feature in features})
    if len(sizes) > 1:
        raise invalid(
            f"The feature {quoted(name)} must have the same number of values in each example; it "
            f"has from {sizes[0]} to {sizes[-1]}."
        )
    array = np.stack(features)
    return array[:, 0] if info.rank == 1 else array


def _feature(example: Mapping[str, list[Any]], name: str, info: TensorInfo) -> np.ndarray:
    """Returns the values of a feature, a 1-D array."""
    values = example.get(name)
    if values is None:
        raise invalid(f"An example has no feature {quoted(name)}.")
    if not info.shape or len(info.shape) > 2:
        raise invalid(f"The input {quoted(name)} is not a feature of an example. Use predict.")
    if len(info.shape) == 1 and len(values) != 1:
        raise invalid(f"The feature {quoted(name)} must have one value; it has {len(values)}.")
    texts = info.dtype == "string"
    whole = np.dtype(info.numpy).kind in "iub"
    if any(
        isinstance(value, bytes) != texts or (whole and isinstance(value, float))
        for value in values
    ):
        raise invalid(f"The feature {quoted(name)} must hold values of type {info.dtype}.")
    try:
        return np.array(values, info.numpy)
    except (OverflowError, ValueError, TypeError):
        raise invalid(f"The feature {quoted(name)} does not fit {info.dtype}.") from None


def request_id_of(given: str) -> str:
    """Returns the request id of a client if it is valid; otherwise a random one."""
    return given if _ID.fullmatch(given) else secrets.token_hex(8)


async def beside(size: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function; in a thread if it processes a large body."""
    if size < LARGE:
        return function(*arguments)
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
