"""`zoo serve --ray`: runs the HTTP application of `zoo serve` in several Ray Serve replicas.

Ray Serve starts, monitors, scales and replaces the replicas, and distributes requests among them.
Each replica loads the models, has its own queue, and watches the folders for new versions.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from zoo.errors import ZooError, first_line, quoted
from zoo.server import log, run
from zoo.server.config import ModelConfig

if TYPE_CHECKING:
    from ray.serve import Application

APPLICATION = "zoo"


@dataclasses.dataclass(frozen=True)
class Replicas:
    """The number and size of replicas.

    Attributes:
      least, most: limits between which Ray Serve scales by the number of open requests.
      cpus: CPU cores that Ray reserves per replica.
    """

    least: int = 1
    most: int = 1
    cpus: float = 1.0


class _Replica:
    """One copy of the server, in its own process."""

    # Ray waits for a constructor that is a coroutine.
    async def __init__(  # type: ignore[misc]
        self, configs: Sequence[ModelConfig], options: run.ServeOptions
    ) -> None:
        from zoo import quiet

        quiet.install()
        log.start()
        self._options = options
        self._stack = contextlib.AsyncExitStack()
        self._service = await self._stack.enter_async_context(run.answering(configs, options))

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return run.app_of(self._service, self._options)

    async def check_health(self) -> None:
        if not self._service.ready:
            raise RuntimeError("A model has no version that answers.")

    async def __del__(self) -> None:
        await self._stack.aclose()


def serve(
    models: Sequence[str],
    options: run.ServeOptions,
    replicas: Replicas,
    *,
    on_start: Callable[[list[str], bool], None] = lambda names, stays: None,
) -> None:
    """Serves models on a Ray cluster.

    If `RAY_ADDRESS` is set, the replicas keep running on that cluster when this returns, and a
    further call replaces them one after another. Otherwise this starts Ray on this machine, and
    serves until the process gets SIGTERM or SIGINT.

    Args:
      models: `[NAME=]MODEL_OR_DIR`; the folders must be visible on all machines of the cluster.
      options: only HTTP options are used: Ray Serve does not support TF Serving's gRPC API.
      replicas: number and size of the replicas.
      on_start: called when all replicas are ready, with the names of the models and whether the
        replicas keep running.

    Raises:
      UsageError: a model or option is invalid.
      ZooError: a model cannot be loaded, or there is no such cluster.
    """
    import ray
    from ray import serve as ray_serve

    configs = run.configs_of(models, options)
    stop = threading.Event()
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    try:
        stays = _connect(replicas)
        for each in _SIGNALS:  # set after Ray's handlers, which abort the process on SIGTERM
            signal.signal(each, lambda *_: stop.set())
        http = {"host": options.host, "port": options.rest_port}
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        ray_serve.start(http_options=http)
        try:
            ray_serve.run(_bound(configs, options, replicas), name=APPLICATION, route_prefix="/")
        except Exception as error:  # raised by Ray or by a replica
            raise ZooError(_reason(error)) from error
        on_start(sorted(each.name for each in configs), stays)
        if not stays:
            stop.wait()
            ray_serve.delete(APPLICATION)  # the replicas finish their open requests
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        ray.shutdown()


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _connect(replicas: Replicas) -> bool:
    """Connects to the cluster of `RAY_ADDRESS`, or starts Ray; returns whether it keeps running."""
    import ray

    address = os.environ.get("RAY_ADDRESS", "")
    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    if not address:
        # Ray would wait forever for cores that the machine does not have.
        cores = max(os.cpu_count() or 1, math.ceil(replicas.most * replicas.cpus))
        ray.init("local", num_cpus=cores, include_dashboard=False, **quiet)
        return False
    try:
        ray.init(address, **quiet)
    except Exception as error:  # of several types
        raise ZooError(
            f"There is no Ray cluster at RAY_ADDRESS={quoted(address)}: {first_line(error)} "
            "Unset it to start Ray on this machine."
        ) from error
    return True


def _bound(
    configs: Sequence[ModelConfig], options: run.ServeOptions, replicas: Replicas
) -> Application:
    from ray import serve as ray_serve

    scale: dict[str, Any] = {"num_replicas": replicas.least}
    if replicas.most > replicas.least:
        scale = {
            "autoscaling_config": {
                "min_replicas": replicas.least,
                "max_replicas": replicas.most,
                # One batch that is computed, and one batch that waits.
                "target_ongoing_requests": 2 * options.batching.max_batch_size,
            }
        }
    deployment = ray_serve.deployment(
        ray_serve.ingress()(_Replica),
        name="zoo",
        ray_actor_options={"num_cpus": replicas.cpus},
        max_ongoing_requests=run.MAX_CONNECTIONS,
        graceful_shutdown_wait_loop_s=options.drain_seconds,
        graceful_shutdown_timeout_s=options.stop_seconds,
        max_constructor_retry_count=1,
        **scale,
    )
    return deployment.bind(list(configs), options)


def _reason(error: Exception) -> str:
    """Returns the error message of a replica, without the lines that Ray adds."""
    from ray import serve as ray_serve

    status = ray_serve.status().applications.get(APPLICATION)
    said = [str(error)]
    if status is not None:
        said += [status.message, *(each.message for each in status.deployments.values())]
    for text in reversed(said):
        for line in reversed(text.splitlines()):
            for name in ("ZooError", "UsageError"):
                _, sign, reason = line.partition(f"zoo.errors.{name}: ")
                if sign:
                    return reason
    return f"Ray Serve did not start the replicas: {first_line(error)}"
