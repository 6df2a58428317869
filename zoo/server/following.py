"""Streaming of input that arrives in parts: answers are sent as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from zoo.errors import ZooError
from zoo.server.service import Service, Target
from zoo.server.status import Refused, invalid
from zoo.server.streaming import Close, begun, event
from zoo.serving.following import Follower

WIDTH = 2  # bytes per value: a 16-bit integer, little-endian
LEAST, MOST = 2_000, 16_000  # values per call; fewer wait for the next part


async def follow(service: Service, target: Target, request: Request) -> Response:
    """Sends answers while a body arrives: 16-bit integers, little-endian, without a header.

    Each event has `{"text": "…", "partial": "…"}`: the final text, and text that may still change.
    The last event has the type `end`, or `error` if the answer was aborted.

    Args:
      service: the service; its `timeout` limits the wait for the next part of the body, and
        `max_body` the size of the whole body.
      target: model and version.
      request: the request whose body is read.

    Raises:
      Refused: the model does not support input in parts.
    """
    follower, close = await begun(
        service, target, lambda predictor: predictor.follower(), "answers a stream"
    )
    return _Events(service, request, follower, close)


class _Events(Response):
    """Writes events while the body is read, which a `StreamingResponse` does not allow."""

    media_type = "text/event-stream"

    def __init__(
        self, service: Service, request: Request, follower: Follower, close: Close
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]
        self.service, self.request, self.follower, self.close = service, request, follower, close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            await send(start)
            async for content in self._events():
                await send({"type": "http.response.body", "body": content, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self.close()

    async def _events(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        count = 0
        try:
            async for values, last in self._parts():
                answer = await loop.run_in_executor(None, self.follower.add, values, last)
                count += len(values)
                yield event(answer)
            yield event({"count": count}, "end")
        except (ZooError, Refused) as error:
            yield event({"error": str(error)}, "error")

    async def _parts(self) -> AsyncIterator[tuple[np.ndarray, bool]]:
        """Yields the values of the body, and whether they are the last.

        Raises:
          Refused: the body is too large, stops arriving, or ends within a value.
        """
        buffer, size = bytearray(), 0
        body = self.request.stream().__aiter__()
        while True:
            try:
                part = await asyncio.wait_for(anext(body), self.service.timeout)
            except StopAsyncIteration:
                break
            except asyncio.TimeoutError:
                waited = f"{self.service.timeout:g}"
                message = f"No part of the body arrived within {waited} seconds."
                raise Refused("DEADLINE_EXCEEDED", message) from None
            size += len(part)
            if size > self.service.max_body:
                raise invalid(f"The body is larger than {self.service.max_body:,} bytes.")
            buffer += part
            while len(buffer) >= LEAST * WIDTH:
                taken = min(len(buffer) // WIDTH, MOST) * WIDTH
                yield _values(buffer[:taken]), False
                del buffer[:taken]
        if len(buffer) % WIDTH:
            raise invalid("The body must be 16-bit integers, but its number of bytes is odd.")
        yield _values(buffer), True


def _values(content: bytes | bytearray) -> np.ndarray:
    return np.frombuffer(bytes(content), "<i2").astype(np.float32) / 2**15
