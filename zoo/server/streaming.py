"""Streaming of generated text as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

from starlette.responses import Response, StreamingResponse

from zoo.decoding.sampling import RANGES
from zoo.errors import UsageError, ZooError
from zoo.server.service import Service, Target
from zoo.server.status import Refused, invalid
from zoo.serving.generation import check_names
from zoo.serving.predictor import Predictor

SAMPLING = ("seed", *(name for name, *_ in RANGES))
_END = object()
T = TypeVar("T")
Close = Callable[[], Awaitable[None]]


async def generate(
    service: Service, target: Target, asked: dict[str, Any], left: float
) -> Response:
    """Answers a request for generated text: an object with options and the start of the text.

    Each event has `{"text": "…"}`; the last has the type `end`, or `error` if the text was aborted.

    Args:
      service: the service.
      target: model and version.
      asked: optional `steps`, `temperature`, `top_k`, `top_p`, `seed`, and the start of the text by
        the names that the recipe declares, such as `prompt`.
      left: time limit for the whole text in seconds.

    Raises:
      Refused: the model does not generate text, or an option is out of range.
    """

    def begin(predictor: Predictor) -> Iterator[str]:
        if "prime" in asked:  # a file on the server
            raise invalid("'prime' names a file, and can only be used on the command line.")
        given = {name: value for name, value in asked.items() if name != "signature_name"}
        if known := [option.name for option in predictor.recipe.seeds]:
            check_names([name for name in given if name not in SAMPLING], known, predictor.name)
        return predictor.stream(**given)

    pieces, close = await begun(service, target, begin, "generates text")
    return StreamingResponse(
        _events(pieces, close, left),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


async def begun(
    service: Service, target: Target, begin: Callable[[Predictor], T], ability: str
) -> tuple[T, Close]:
    """Starts a streamed answer, which outlasts the handling of its request.

    Args:
      service: the service.
      target: model and version, which stays in use until the answer is closed.
      begin: takes the predictor; called in a thread.
      ability: what the model must be able to do, for the message.

    Returns:
      The result of `begin`, and a function to call at the end.

    Raises:
      Refused: the model is not of this package, or `begin` raises a UsageError or TypeError.
    """
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        use = service.models.use(target.name, target.number, target.label)
        version = await stack.enter_async_context(use)
        predictor = version.servable.predictor if version.servable else None
        if predictor is None:
            raise invalid(f"{target.name} is not a model of this package that {ability}.")
        try:
            answer = await loop.run_in_executor(None, begin, predictor)
        except (UsageError, TypeError) as error:
            raise invalid(str(error)) from error
        return answer, stack.pop_all().aclose


async def _events(pieces: Iterator[str], close: Close, left: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    end = time.monotonic() + left
    count = 0
    try:
        while (piece := await loop.run_in_executor(None, next, pieces, _END)) is not _END:
            count += 1
            yield event({"text": piece})
            if time.monotonic() > end:
                yield event(
                    {"error": f"The answer did not end within {left:.3g} seconds."}, "error"
                )
                return
        yield event({"count": count}, "end")
    except (ZooError, Refused) as error:
        yield event({"error": str(error)}, "error")
    finally:
        await close()


def event(value: dict[str, Any], kind: str = "") -> bytes:
    """Returns a server-sent event with JSON data."""
    return (f"event: {kind}\n" if kind else "").encode() + f"data: {json.dumps(value)}\n\n".encode()
