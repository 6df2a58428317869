"""Text as it is generated: server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

from starlette.responses import Response, StreamingResponse

from zoo.errors import UsageError, ZooError
from zoo.server.service import Service, Target
from zoo.server.status import Refused, invalid
from zoo.serving.predictor import Predictor

OPTIONS = ("steps", "temperature", "top_k", "top_p", "seed")
_END = object()
T = TypeVar("T")
Close = Callable[[], Awaitable[None]]


async def generate(
    service: Service, target: Target, asked: dict[str, Any], left: float
) -> Response:
    """Answers a request to generate: an object with options, and what the text begins with.

    Each event has `{"text": "…"}`; the last is of the type `end`, or `error` where the text was
    broken off.

    Args:
      service: answers.
      target: model and version.
      asked: `steps`, `temperature`, `top_k`, `top_p`, `seed`, each of which may be omitted, and
        what the text begins with by the names that the recipe knows, such as `prompt`.
      left: seconds for the whole text.

    Raises:
      Refused: the model generates no text, or an option is out of its range.
    """

    def begin(predictor: Predictor) -> Iterator[str]:
        if "prime" in asked:  # a file of the server's
            raise invalid("'prime' names a file, and can only be used on the command line.")
        given = {name: value for name, value in asked.items() if name != "signature_name"}
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
    """Begins an answer that takes longer than the request to it.

    Args:
      service: answers.
      target: model and version, which is in use until the answer is closed.
      begin: of the predictor, in a thread.
      ability: what the model has to be able to, for the message.

    Returns:
      What `begin` returned, and what has to be called at the end.

    Raises:
      Refused: the model is none of this package, or `begin` refuses.
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
    """Returns a server-sent event, whose data are JSON."""
    return (f"event: {kind}\n" if kind else "").encode() + f"data: {json.dumps(value)}\n\n".encode()
