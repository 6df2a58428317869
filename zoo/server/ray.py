"""`zoo serve --ray`: the HTTP application of `zoo serve` in several replicas, by Ray Serve.

Ray Serve starts, watches, scales and replaces the replicas, and shares requests out among them.
Each replica loads the models, has a queue of its own, and follows new versions in their folders.
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
    """How many replicas there are.

    Attributes:
      least, most: Ray Serve adds and removes replicas by the number of open requests in between.
      cpus: processor cores that Ray reserves for each.
    """

    least: int = 1
    most: int = 1
    cpus: float = 1.0


class _Replica:
    """One copy of the server, in a process of its own."""

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

    With `RAY_ADDRESS` set, the replicas of that cluster stay when this returns, and a further call
    replaces them one after another. Without it, this starts Ray on this machine, and serves until
    the process gets SIGTERM or SIGINT.

    Args:
      models: `[NAME=]MODEL_OR_DIR`; folders that all machines of the cluster see.
      options: those of HTTP count: Ray Serve has no TF Serving API over gRPC.
      replicas: how many.
      on_start: called when all replicas answer, with the names of the models and whether they
        stay.

    Raises:
      UsageError: a model or option is not as it has to be.
      ZooError: a model cannot be loaded, or there is no such cluster.
    """
    import ray
    from ray import serve as ray_serve

    configs = run.configs_of(models, options)
    stop = threading.Event()
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    try:
        stays = _connect(replicas)
        for each in _SIGNALS:  # after Ray, which aborts the process on SIGTERM
            signal.signal(each, lambda *_: stop.set())
        http = {"host": options.host, "port": options.rest_port}
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        ray_serve.start(http_options=http)
        try:
            ray_serve.run(_bound(configs, options, replicas), name=APPLICATION, route_prefix="/")
        except Exception as error:  # of Ray, and of what a replica raised
            raise ZooError(_reason(error)) from error
        on_start(sorted(each.name for each in configs), stays)
        if not stays:
            stop.wait()
            ray_serve.delete(APPLICATION)  # the replicas answer what they have begun
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        ray.shutdown()


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _connect(replicas: Replicas) -> bool:
    """Connects to the cluster of `RAY_ADDRESS`, or starts Ray here; returns whether it stays."""
    import ray

    address = os.environ.get("RAY_ADDRESS", "")
    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    if not address:
        # Ray waits for ever for cores that a machine has not got.
        cores = max(os.cpu_count() or 1, math.ceil(replicas.most * replicas.cpus))
        ray.init("local", num_cpus=cores, include_dashboard=False, **quiet)
        return False
    try:
        ray.init(address, **quiet)
    except Exception as error:  # of several kinds
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
                # A batch for the one that computes, and a batch that waits.
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
    """Returns the line of what a replica raised, without Ray's own lines around it."""
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
