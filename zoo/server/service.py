"""What every protocol asks of the server: predict, classify, regress, by models and versions."""

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

LARGE = 64 * 1024  # bytes of a body that is read and written beside the event loop
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Answered:
    """An answer.

    Attributes:
      version: that answered.
      signature: its name.
      outputs: arrays by name.
    """

    version: Version
    signature: str
    outputs: Arrays

    @property
    def size(self) -> int:
        """About the bytes of the outputs when they are written."""
        return sum(array.size * 8 for array in self.outputs.values())


@dataclasses.dataclass
class Service:
    """Models, queue and metrics of a server.

    Attributes:
      timeout: seconds that a request may take.
      max_body: bytes of a request.
      draining: whether the server stops soon: it answers still, and says that it is not ready.
      allow_reload: whether a client may change which models are served.
      token: a bearer token that each request must have; "" for none.
      rehearsal: the request id of requests that the server sends to itself before it serves:
        they are neither counted as requests nor logged.
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
          authorization: header of HTTP or metadata of gRPC; "" where there is none.

        Raises:
          Refused: it has not.
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
          signature: its name, "" for the default.
          read: takes the signature, returns the inputs.
          size: bytes of the request.
          outputs: names of the outputs that are wanted; all by default.
          api: for the metrics.

        Raises:
          Refused: it has no answer.
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
                inputs, info, (id(servable), name), functools.partial(servable.engine, name)
            )
            self.metrics.runtime.labels(target.name, api, "TF2").observe(
                (time.perf_counter() - start) * 1e6
            )
            return Answered(version, name, {n: answer[n] for n in wanted} if wanted else answer)

    async def classify(
        self, target: Target, signature: str, examples: Examples, size: int = 0
    ) -> tuple[Answered, list[list[tuple[str, float]]]]:
        """Answers examples by classes: (label, score) pairs of each example.

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
        """Answers examples by one number each: the model must return only one float a row."""
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
        """Answers a request within its time, and notes how it ended.

        Args:
          target: model and version.
          api, entrypoint: for the metrics and the log.
          request_id: for the log.
          work: returns the answer.
          seconds: that the client waits, where it says so; never more than `timeout`.

        Raises:
          Refused: there is no answer, whatever failed.
        """
        bound = self.timeout if seconds is None else min(seconds, self.timeout)
        async with self.accounted(target, api, entrypoint, request_id, bound):
            return await asyncio.wait_for(work, bound)

    @contextlib.asynccontextmanager
    async def accounted(
        self, target: Target, api: str, entrypoint: str, request_id: str, seconds: float
    ) -> AsyncIterator[None]:
        """Notes how a request ended; whatever fails is a `Refused`.

        Args:
          target, api, entrypoint, request_id: as of `answer`.
          seconds: that the request may take, for the message of a timeout.
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
        """Counts and logs a request that has ended."""
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
    """Which model is asked, and which of its versions: by number, by label, or the newest."""

    name: str
    number: int | None = None
    label: str | None = None


Examples = list[Mapping[str, list[Any]]]  # features of each example: lists of values


def inputs_of(examples: Examples, info: SignatureInfo) -> Arrays:
    """Returns the inputs of a signature, of the features of examples that bear their names.

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
    """Puts the values of one feature below each other, a row an example."""
    sizes = sorted({len(feature) for feature in features})
    if len(sizes) > 1:
        raise invalid(
            f"The feature {quoted(name)} must have the same number of values in each example; it "
            f"has from {sizes[0]} to {sizes[-1]}."
        )
    array = np.stack(features)
    return array[:, 0] if info.rank == 1 else array


def _feature(example: Mapping[str, list[Any]], name: str, info: TensorInfo) -> np.ndarray:
    """Returns the values of a feature, an array of one axis."""
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
    """Returns the id that a client gave; a random one where it gave none that can be one."""
    return given if _ID.fullmatch(given) else secrets.token_hex(8)


async def beside(size: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function; where much is to be read or written, in a thread."""
    if size < LARGE:
        return function(*arguments)
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
