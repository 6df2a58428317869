"""`zoo serve`: a server process that loads models, answers requests, and shuts down cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette

from zoo import listening
from zoo.errors import UsageError, ZooError
from zoo.server import config, kserve, log
from zoo.server.batching import Batcher, BatchingOptions
from zoo.server.config import ModelConfig
from zoo.server.json_tensors import write_answer
from zoo.server.metrics import Metrics
from zoo.server.models import Models
from zoo.server.protocol import BoundedProtocol
from zoo.server.rest import application
from zoo.server.service import Service, Target

TOKEN = "ZOO_SERVE_TOKEN"
MAX_CONNECTIONS = 1000  # concurrent connections; further ones get a 503


@dataclasses.dataclass(frozen=True)
class ServeOptions:
    """Options of `serve`.

    Attributes:
      host: address to listen on; loopback by default.
      rest_port, grpc_port: 0: any free port; None: this protocol is not served.
      model_config_file: path of a file in TF Serving's format that lists further models.
      model_config_file_poll_wait_seconds: interval at which the file is read again; 0: never.
      file_system_poll_wait_seconds: interval at which new versions are searched; 0: never.
      batching: options of batching.
      enable_model_warmup: whether a version computes its warm-up requests before it goes live.
      unload_first: whether an old version is unloaded before the new one is loaded.
      rest_api_timeout: time limit of a request in seconds.
      max_body: maximum size of a request in bytes.
      token: a bearer token that clients must send; "" for none.
      cors: allowed origins of cross-origin requests.
      metrics_path: path of the Prometheus metrics; "" for none.
      allow_reload: whether a gRPC client may change which models are served.
      drain_seconds: how long the server keeps answering after a stop signal, so that clients and
        load balancers see that it is no longer ready.
      stop_seconds: how long it then waits for open requests.
      trust: as for `zoo.load`.
    """

    host: str = "127.0.0.1"
    rest_port: int | None = 8501
    grpc_port: int | None = 8500
    model_config_file: Path | None = None
    model_config_file_poll_wait_seconds: float = 0.0
    file_system_poll_wait_seconds: float = 1.0
    batching: BatchingOptions = dataclasses.field(default_factory=BatchingOptions)
    enable_model_warmup: bool = True
    unload_first: bool = False
    rest_api_timeout: float = 30.0
    max_body: int = 16 * 2**20
    token: str = ""
    cors: Sequence[str] = ()
    metrics_path: str = config.METRICS
    allow_reload: bool = False
    drain_seconds: float = 1.0
    stop_seconds: float = 30.0
    trust: bool = False


@dataclasses.dataclass
class Running:
    """A running server.

    Attributes:
      rest_port, grpc_port: its ports; None if a protocol is not served.
      service: its models and queue.
      stop: starts draining and shutdown; call it from the server's event loop.
    """

    rest_port: int | None
    grpc_port: int | None
    service: Service
    stop: Callable[[], None]


def serve(
    models: Sequence[str],
    options: ServeOptions | None = None,
    *,
    on_start: Callable[[Running], None] = lambda running: None,
) -> None:
    """Serves models until the process gets SIGTERM or SIGINT.

    Args:
      models: `[NAME=]MODEL_OR_DIR`, as for `zoo.server.config.model_of`.
      options: ports, limits and other options.
      on_start: called when all models are ready and the ports are open.

    Raises:
      UsageError: a model or option is invalid, or a port is in use.
      ZooError: a model cannot be loaded.
    """
    options = options or ServeOptions()
    asyncio.run(serve_async(configs_of(models, options), options, on_start=on_start))


def configs_of(models: Sequence[str], options: ServeOptions) -> list[ModelConfig]:
    """Returns the configs of the named models and of those in the file.

    Raises:
      UsageError: there is no model, or a model or the file is invalid.
    """
    found = [config.model_of(each, options.trust) for each in models]
    if options.model_config_file is not None:
        found += config.read_model_config(options.model_config_file)
    config.check_names(found)
    if not found:
        raise UsageError("There is no model to serve. Name one, or give --model_config_file.")
    return found


async def serve_async(
    configs: Sequence[ModelConfig],
    options: ServeOptions,
    *,
    on_start: Callable[[Running], None] = lambda running: None,
) -> None:
    """Serves models until stopped; see `serve`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread
            loop.add_signal_handler(signum, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        rest_socket = None
        if options.rest_port is not None:
            rest_socket = listening.bind(options.host, options.rest_port, "--rest-port")
            stack.callback(rest_socket.close)
        grpc_socket = None
        if options.grpc_port:  # kept free for gRPC, which binds it when the models are loaded
            other = "--grpc-port, or give --no-grpc"
            grpc_socket = listening.bind(options.host, options.grpc_port, other)
            stack.callback(grpc_socket.close)
        service = await stack.enter_async_context(answering(configs, options))
        rest_port = None
        http: _Server | None = None
        if rest_socket is not None:
            rest_port = rest_socket.getsockname()[1]
            http = _Server(_http_config(service, options))
            serving = loop.create_task(http.serve(sockets=[rest_socket]))
            while not http.started:
                if serving.done():
                    serving.result()  # raises the reason
                    raise ZooError("The HTTP server ended before it answered. Start it again.")
                await asyncio.sleep(0.01)
        rpc_server = health = grpc_port = None
        if options.grpc_port is not None:
            from zoo.server import rpc

            if grpc_socket is not None:
                grpc_socket.close()
            rpc_server, grpc_port, health = await rpc.start(
                service, options.host, options.grpc_port
            )
        if rest_port is not None:
            await _rehearse_http(service, options.host, rest_port)
        names = sorted(service.models.configs)
        log.log("serving", rest_port=rest_port, grpc_port=grpc_port, models=names)
        on_start(Running(rest_port, grpc_port, service, stop.set))
        await stop.wait()
        log.log("draining")
        service.draining = True
        if health is not None:
            await health.enter_graceful_shutdown()
        await asyncio.sleep(options.drain_seconds)
        ending = []
        if rpc_server is not None:
            ending.append(rpc_server.stop(options.stop_seconds))
        if http is not None:
            http.should_exit = True
            ending.append(serving)
        await asyncio.gather(*ending)
        log.log("stopped")
    log.flush()


@contextlib.asynccontextmanager
async def answering(
    configs: Sequence[ModelConfig], options: ServeOptions
) -> AsyncIterator[Service]:
    """Context with the loaded models and their queue; watches for new versions and the file.

    Raises:
      ZooError: a model cannot be loaded.
    """
    metrics = Metrics()
    async with contextlib.AsyncExitStack() as stack:
        models = Models(
            configs,
            trust=options.trust,
            unload_first=options.unload_first,
            warmup=options.enable_model_warmup,
            metrics=metrics,
        )
        batcher = Batcher(options.batching, metrics.batch_rows.observe)
        service = Service(
            models,
            batcher,
            metrics,
            timeout=options.rest_api_timeout,
            max_body=options.max_body,
            allow_reload=options.allow_reload,
            token=options.token,
        )
        stack.callback(models.close)
        stack.callback(batcher.close)
        await models.refresh()
        _check_loaded(models)
        await _rehearse(service)
        if options.file_system_poll_wait_seconds:
            await _background(stack, models.watch(options.file_system_poll_wait_seconds))
        if options.model_config_file is not None and options.model_config_file_poll_wait_seconds:
            await _background(stack, _watch_file(models, configs, options))
        yield service


def _examples(service: Service) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields the name, signature and inputs of an example for each model that has one."""
    for name in list(service.models.configs):
        servable = service.models.find(name).servable
        if servable is not None and servable.example is not None:
            signature, inputs = servable.example
            yield name, signature, dict(inputs)


async def _rehearse(service: Service) -> None:
    """Computes one example per model, so that the first client does not wait for initialization,
    such as of threads and traces.
    """
    for name, signature, inputs in _examples(service):
        read = functools.partial(_copied, inputs)
        answered = await service.predict(Target(name), signature, read, api="warmup")
        write_answer(answered.outputs, by_row=False)


async def _rehearse_http(service: Service, host: str, port: int) -> None:
    """Sends an example of each model to the server over HTTP, to initialize routes and parsers.

    These requests are neither counted nor logged.
    """
    asked = [("GET", "healthz", b""), ("GET", "v1/models/", b"")]
    for name, signature, inputs in _examples(service):
        columns = json.loads(write_answer(inputs, by_row=False))["outputs"]
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        asked += [("POST", f"v1/models/{quote(name)}:predict", body)] * 2
    token = f"Authorization: Bearer {service.token}\r\n" if service.token else ""
    for method, path, body in asked:
        reader, writer = await asyncio.open_connection(host, port)
        head = f"{method} /{path} HTTP/1.1\r\nHost: zoo\r\nConnection: close\r\n{token}"
        own = f"X-Request-Id: {service.rehearsal}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + own).encode() + body)
        await reader.read()
        writer.close()
        await writer.wait_closed()


def _copied(inputs: dict[str, Any], info: Any) -> dict[str, Any]:
    return dict(inputs)


async def _background(stack: contextlib.AsyncExitStack, work: Any) -> None:
    task = asyncio.get_running_loop().create_task(work)
    stack.callback(task.cancel)


def _check_loaded(models: Models) -> None:
    """Raises an error if a model has no available version when the server starts."""
    for name, versions in models.versions.items():
        if any(version.state == "AVAILABLE" for version in versions.values()):
            continue
        folder = models.configs[name].folder
        failed = [version for version in versions.values() if version.message]
        if failed:
            raise ZooError(failed[-1].message)
        raise ZooError(
            f"{folder} has no version to serve: a folder whose name is a number. "
            "`zoo export` writes one."
        )


async def _watch_file(models: Models, named: Sequence[ModelConfig], options: ServeOptions) -> None:
    """Polls the file of models; an invalid file changes nothing."""
    path = options.model_config_file
    assert path is not None
    in_file = {each.name for each in config.read_model_config(path)}
    fixed = [each for each in named if each.name not in in_file]
    before = path.read_bytes()
    while True:
        await asyncio.sleep(options.model_config_file_poll_wait_seconds)
        try:
            now = path.read_bytes()
            if now != before:
                before = now
                await models.reconfigure([*fixed, *config.read_model_config(path)])
                log.log("reconfigured", models=sorted(models.configs))
        except (ZooError, OSError) as error:
            log.log("reconfigure_failed", level="error", error=str(error))


def app_of(service: Service, options: ServeOptions) -> Starlette:
    """Returns the ASGI application with both REST APIs."""
    return application(
        service,
        cors=options.cors,
        metrics_path=options.metrics_path,
        routes=kserve.routes(service),
    )


def _http_config(service: Service, options: ServeOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app_of(service, options),
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        backlog=2048,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=int(options.stop_seconds),
    )


class _Server(uvicorn.Server):
    """uvicorn's server without signal handlers: `serve_async` stops all protocols together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def read_token(path: Path | None) -> str:
    """Returns the bearer token from a file or the environment variable `ZOO_SERVE_TOKEN`.

    Raises:
      UsageError: the file cannot be read, or the token is not valid.
    """
    given = os.environ.get(TOKEN, "") if path is None else config.read_text(path)
    token = given.strip()
    if path is None and not token:
        return ""
    if not token or not token.isascii() or any(each.isspace() for each in token):
        raise UsageError(
            f"{path or TOKEN} holds no token: one line of ASCII characters, without spaces."
        )
    return token
