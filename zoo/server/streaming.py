"""Text as it is generated: server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.responses import Response, StreamingResponse

from zoo.errors import UsageError, ZooError
from zoo.server.service import Service, Target
from zoo.server.status import Refused, invalid

OPTIONS = ("steps", "temperature", "top_k", "top_p", "seed")
_END = object()


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
    loop = asyncio.get_running_loop()
    use = service.models.use(target.name, target.number, target.label)
    version = await use.__aenter__()

    async def close() -> None:
        await use.__aexit__(None, None, None)

    try:
        predictor = version.servable.predictor if version.servable else None
        if predictor is None:
            raise invalid(f"{target.name} is no model of this package that generates text.")
        if "prime" in asked:  # a file of the server's
            raise invalid("'prime' names a file, and can only be used on the command line.")
        given = {name: value for name, value in asked.items() if name != "signature_name"}
        try:
            pieces = await loop.run_in_executor(None, lambda: predictor.stream(**given))
        except (UsageError, TypeError) as error:
            raise invalid(str(error)) from error
    except BaseException:
        await close()
        raise
    return StreamingResponse(
        _events(pieces, close, left),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


async def _events(pieces: Iterator[str], close: Any, left: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    end = time.monotonic() + left
    count = 0
    try:
        while (piece := await loop.run_in_executor(None, next, pieces, _END)) is not _END:
            count += 1
            yield event({"text": piece})
            if time.monotonic() > end:
                yield event({"error": f"No end within {left:.3g} seconds."}, "error")
                return
        yield event({"count": count}, "end")
    except (ZooError, Refused) as error:
        yield event({"error": str(error)}, "error")
    finally:
        await close()


def event(value: dict[str, Any], kind: str = "") -> bytes:
    """Returns a server-sent event, whose data are JSON."""
    return (f"event: {kind}\n" if kind else "").encode() + f"data: {json.dumps(value)}\n\n".encode()
