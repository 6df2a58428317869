"""TF Serving's REST API, with health checks, metrics and streams.

The behaviour follows `model_servers/http_rest_api_util.cc` and `http_rest_api_handler.cc` of TF
Serving.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from zoo.errors import quoted, shortened
from zoo.server import json_tensors
from zoo.server.json_tensors import kind, parse, signature_of
from zoo.server.log import log
from zoo.server.service import Examples, Service, Target, beside, request_id_of
from zoo.server.status import Refused, invalid

_ASK = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
    r":(?P<method>predict|classify|regress|generate|follow)",
    re.IGNORECASE,
)
_LOOK = re.compile(
    r"/v1/models(?:/(?P<name>[^/:]*))?(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
    r"(?P<metadata>/metadata)?",
    re.IGNORECASE,
)
OPEN = ("/healthz", "/v2/health/live", "/v2/health/ready")  # paths that need no token

Handler = Callable[[Request], Awaitable[Response]]


def application(
    service: Service,
    *,
    cors: Sequence[str] = (),
    metrics_path: str = "",
    routes: Sequence[Route] = (),
) -> Starlette:
    """Returns the ASGI application.

    Args:
      service: the service that answers requests.
      cors: allowed origins of cross-origin requests; none by default.
      metrics_path: path of the Prometheus metrics; none by default.
      routes: further routes, of other protocols.
    """
    guard = _Guard(service)

    async def health(request: Request) -> Response:
        ready = service.ready
        return _text("ok\n" if ready else "not ready\n", 200 if ready else 503)

    async def metrics(request: Request) -> Response:
        service.metrics.rows_waiting.set(service.batcher.rows_waiting)
        return Response(service.metrics.page(), media_type="text/plain; version=0.0.4")

    async def v1(request: Request) -> Response:
        return await _v1(service, request)

    known = [Route("/healthz", health, methods=["GET"]), *routes]
    if metrics_path:
        known.append(Route(metrics_path, metrics, methods=["GET"]))
    every = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]
    known += [Route(f"{start}{{rest:path}}", v1, methods=every) for start in ("/v1", "/V1")]
    for route in known:
        route.app = guard.wrap(route.app)
    middleware = []
    if cors:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(cors),
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
                expose_headers=["X-Request-Id"],
            )
        )
    nothing: Any = {404: _bare, 405: _bare}
    return Starlette(routes=known, middleware=middleware, exception_handlers=nothing)


async def _bare(request: Request, error: Any) -> Response:
    return Response(status_code=error.status_code)


class _Guard:
    """Middleware that sets request ids, checks the token, and converts `Refused` to responses."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def wrap(self, app: Any) -> Any:
        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            request = Request(scope, receive, send)
            request.state.id = request_id_of(request.headers.get("x-request-id", ""))
            headers = [(b"x-request-id", request.state.id.encode())]
            if self.service.draining:  # so that clients switch to another server
                headers.append((b"connection", b"close"))

            started = False

            async def answer(message: Any) -> None:
                nonlocal started
                if message["type"] == "http.response.start":
                    started = True
                    message = {**message, "headers": [*message["headers"], *headers]}
                await send(message)

            try:
                if request.url.path not in OPEN:
                    self.service.check_token(request.headers.get("authorization", ""))
                await app(scope, receive, answer)
            except Refused as error:
                await refusal(error)(scope, receive, answer)
            except ClientDisconnect:
                pass
            except Exception as error:
                log("failed", level="error", request_id=request.state.id, error=repr(error)[:500])
                if started:
                    raise
                unknown = Refused("INTERNAL", "The server failed to answer; its log says why.")
                await refusal(unknown)(scope, receive, answer)

        return guarded


def refusal(error: Refused) -> Response:
    """Returns the response to a rejected request: `{"error": "…"}`."""
    from zoo.server.status import HTTP

    status = error.http or HTTP[error.code]
    return _json(json.dumps({"error": error.message}).encode(), status, error.headers)


def _json(content: bytes, status: int = 200, headers: Any = None) -> Response:
    return Response(content, status, headers, media_type="application/json")


def _text(content: str, status: int) -> Response:
    return Response(content, status, media_type="text/plain")


async def read_body(request: Request, service: Service, seconds: float) -> bytes:
    """Reads a request body within limits of size and time.

    Raises:
      Refused: it is too large, arrives too slowly, or has an unknown compression.
    """
    most = service.max_body
    too_large = Refused(
        "INVALID_ARGUMENT", f"The body is larger than {most:,} bytes.", http=413, Connection="close"
    )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > most):
        raise too_large
    parts: list[bytes] = []
    size = 0

    async def read() -> None:
        nonlocal size
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise too_large
            parts.append(part)

    try:
        await asyncio.wait_for(read(), seconds)
    except asyncio.TimeoutError:
        raise Refused(
            "DEADLINE_EXCEEDED",
            f"The body did not arrive within {seconds:g} seconds.",
            http=408,
            Connection="close",
        ) from None
    body = b"".join(parts)
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "gzip":
        unpack = zlib.decompressobj(31)
        try:
            body = unpack.decompress(body, most + 1)
        except zlib.error as error:
            raise invalid(f"The body is not gzip ({shortened(str(error))}).") from None
        if len(body) > most:
            raise too_large
        if not unpack.eof:
            raise invalid("The body is not a complete gzip: its end is missing.")
    elif encoding != "identity":
        raise Refused(
            "INVALID_ARGUMENT",
            f"The body has the encoding {quoted(encoding)}. Send it as it is, or as gzip.",
            http=415,
        )
    return body


async def _v1(service: Service, request: Request) -> Response:
    path = request.scope["raw_path"].decode("ascii", errors="replace").partition("?")[0]
    if request.method == "POST" and (match := _ASK.fullmatch(path)):
        method = match["method"].lower()
        target = _target(match)
        work = _ask(service, request, target, method)
        return await service.answer(target, method, "REST", request.state.id, work)
    if request.method == "GET" and (match := _LOOK.fullmatch(path)):
        if not match["name"]:
            raise invalid("Missing model name in request.")
        target = _target(match)
        if match["metadata"]:
            return await _metadata(service, target)
        found = service.models.status(target.name, target.number, target.label)
        described = [service.models.described(version) for version in found]
        return _json(json.dumps({"model_version_status": described}, indent=1).encode())
    raise invalid(f"Malformed request: {request.method} {shortened(path)}")


def _target(match: re.Match[str]) -> Target:
    version = match["version"]
    number = int(version) if version else None
    if number is not None and number >= 2**63:
        raise invalid(f"Failed to convert version: {shortened(version)} to numeric.")
    label = unquote(match["label"]) if match["label"] else None
    return Target(unquote(match["name"]), number, label)


async def _ask(service: Service, request: Request, target: Target, method: str) -> Response:
    service.models.check(target.name, target.number, target.label)  # before a body is read
    if method == "follow":
        from zoo.server.following import follow

        return await follow(service, target, request)
    start = time.monotonic()
    body = await read_body(request, service, service.timeout * 0.9)
    asked = await beside(len(body), parse, body)
    signature = signature_of(asked)
    if method == "generate":
        from zoo.server.streaming import generate

        left = service.timeout - (time.monotonic() - start)
        return await generate(service, target, asked, left)
    if method == "predict":
        by_row = False

        def read(info: Any) -> Any:
            nonlocal by_row
            inputs, by_row = json_tensors.read_request(asked, info.inputs)
            return inputs

        answered = await service.predict(target, signature, read, size=len(body))
        write = json_tensors.write_answer
        return _json(await beside(answered.size, write, answered.outputs, by_row))
    examples = _examples(asked)
    if method == "classify":
        _, classes = await service.classify(target, signature, examples, len(body))
        return _json(json.dumps({"results": [list(map(list, row)) for row in classes]}).encode())
    _, numbers = await service.regress(target, signature, examples, len(body))
    return _json(json.dumps({"results": numbers}).encode())


def _examples(asked: Any) -> Examples:
    """Reads `examples`, with the `context` that they share, as lists of values."""
    examples, context = asked.get("examples"), asked.get("context", {})
    if not isinstance(examples, list) or not examples:
        raise invalid("'examples' must be a list of objects that is not empty.")
    if not isinstance(context, dict):
        raise invalid(f"'context' must be an object; it is of type {kind(context)}.")
    found: Examples = []
    for place, example in enumerate(examples):
        if not isinstance(example, dict):
            raise invalid(f"Example {place} must be an object; it is of type {kind(example)}.")
        found.append({name: _values(name, v) for name, v in {**context, **example}.items()})
    return found


def _values(name: str, value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    read = []
    for each in values:
        if isinstance(each, str) or json_tensors.is_b64(each):
            info = json_tensors.TensorInfo("string", ())
            read.append(json_tensors.array_of(each, name, info).item())
        elif isinstance(each, (int, float)):
            read.append(each)
        else:
            raise invalid(f"Feature {quoted(name)} holds a value of type {kind(each)}.")
    return read


async def _metadata(service: Service, target: Target) -> Response:
    from google.protobuf import json_format

    async with service.models.use(target.name, target.number, target.label) as version:
        assert version.servable is not None
        signatures = json_format.MessageToDict(
            version.servable.signature_defs,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        spec = {"name": target.name, "signature_name": "", "version": str(version.number)}
        answer = {"model_spec": spec, "metadata": {"signature_def": signatures}}
        return _json(json.dumps(answer, indent=1).encode())
