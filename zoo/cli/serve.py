"""`zoo serve`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options
from zoo.environment import install_extra
from zoo.errors import ZooError, quoted

if TYPE_CHECKING:
    from zoo.server.run import ServeOptions

_PORT = click.IntRange(0, 65535)
_FILE = click.Path(dir_okay=False, path_type=Path)


class _Range(click.ParamType):
    """`"2"` or `"1-4"`: the least and the most."""

    name = "range"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        least, sign, most = value.partition("-")
        try:
            found = int(least), int(most if sign else least)
        except ValueError:
            found = (0, 0)
        if not 1 <= found[0] <= found[1] <= 1000:
            self.fail(f"{quoted(value)} is not a number of replicas such as 2 or 1-4.", param, ctx)
        return found


# TF Serving writes its options with underscores: `--model_config_file` is the same.
@click.command(context_settings={"token_normalize_func": lambda name: name.replace("_", "-")})
@click.argument(
    "models", metavar="[NAME=]MODEL_OR_DIR...", nargs=-1, shell_complete=options.complete_model
)
@click.option(
    "--rest-port", "--rest-api-port", type=_PORT, default=8501, show_default=True, help="For HTTP."
)
@click.option(
    "--grpc-port", "--port", type=_PORT, default=8500, show_default=True, help="For gRPC."
)
@click.option("--no-grpc", is_flag=True, help="Serve HTTP only.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen at; 0.0.0.0: all networks.",
)
@click.option(
    "--model-config-file",
    type=_FILE,
    metavar="FILE",
    help="Models, versions and labels, in TF Serving's format.",
)
@click.option(
    "--model-config-file-poll-wait-seconds",
    type=options.FiniteRange(0),
    default=0,
    metavar="S",
    show_default=True,
    help="Interval between readings of this file; 0: never again.",
)
@click.option(
    "--file-system-poll-wait-seconds",
    type=options.FiniteRange(0),
    default=1,
    metavar="S",
    show_default=True,
    help="Interval between searches for new versions; 0: never.",
)
@click.option(
    "--batching-parameters-file",
    type=_FILE,
    metavar="FILE",
    help="How requests are batched, in TF Serving's format.",
)
@click.option(
    "--monitoring-config-file",
    type=_FILE,
    metavar="FILE",
    help="Path of the metrics, in TF Serving's format.",
)
@click.option(
    "--enable-model-warmup/--no-model-warmup",
    default=True,
    show_default=True,
    help="Compute the warm-up requests of a version before it answers.",
)
@click.option(
    "--unload-first",
    is_flag=True,
    help="Unload a version before the next is loaded. Halves the memory, but requests wait.",
)
@click.option(
    "--timeout",
    type=options.FiniteRange(0.1),
    default=30,
    show_default=True,
    metavar="S",
    help="Maximum time of a request, in seconds.",
)
@click.option(
    "--max-body",
    type=click.IntRange(1000),
    default=16 * 2**20,
    show_default=True,
    metavar="BYTES",
    help="Largest request.",
)
@click.option(
    "--max-rows",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    metavar="N",
    help="Maximum number of rows in a request.",
)
@click.option(
    "--token-file",
    type=_FILE,
    metavar="FILE",
    help="Require the bearer token in FILE.  [default: ZOO_SERVE_TOKEN]",
)
@click.option(
    "--cors",
    multiple=True,
    metavar="ORIGIN",
    help="Allow requests from web pages of ORIGIN. May be repeated.",
)
@click.option(
    "--ray",
    "on_ray",
    is_flag=True,
    help="Serve HTTP with Ray Serve, on the cluster at RAY_ADDRESS.",
)
@click.option(
    "--replicas",
    type=_Range(),
    metavar="N|MIN-MAX",
    help="Number of replicas with --ray, or a range that follows the load.  [default: 1]",
)
@click.option("--model-name", hidden=True, help="As TF Serving has it.")
@click.option("--model-base-path", hidden=True, help="As TF Serving has it.")
@click.option(
    "--allow-version-labels-for-unavailable-models",
    is_flag=True,
    hidden=True,
    expose_value=False,
    help="As TF Serving has it; labels may always come first here.",
)
@click.option(
    "--allow-reload", is_flag=True, help="Allow gRPC clients to change the served models."
)
@options.trust
def serve(
    models: tuple[str, ...],
    rest_port: int,
    grpc_port: int,
    no_grpc: bool,
    host: str,
    model_config_file: Path | None,
    model_config_file_poll_wait_seconds: float,
    file_system_poll_wait_seconds: float,
    batching_parameters_file: Path | None,
    monitoring_config_file: Path | None,
    enable_model_warmup: bool,
    unload_first: bool,
    timeout: float,
    max_body: int,
    max_rows: int,
    token_file: Path | None,
    cors: tuple[str, ...],
    allow_reload: bool,
    on_ray: bool,
    replicas: tuple[int, int] | None,
    model_name: str | None,
    model_base_path: str | None,
    trust: bool,
) -> None:
    """Answer over HTTP and gRPC as TF Serving does, and by KServe's protocol.

    MODEL_OR_DIR is a recipe's name, a run, or a directory that `zoo export` writes; new versions
    in it are found, and replace the old without a failed request. Needs the extra `serve`.
    """
    import dataclasses

    if (model_name is None) != (model_base_path is None):
        raise click.UsageError("--model_name and --model_base_path must be given together.")
    if replicas is not None and not on_ray:
        raise click.UsageError("--replicas needs --ray.")
    if on_ray and _given("grpc_port"):
        raise click.UsageError("--ray serves HTTP only. Omit --grpc-port.")
    if model_base_path is not None:
        models = (*models, f"{model_name}={model_base_path}")
    options.import_tensorflow()
    try:
        import uvicorn  # noqa: F401

        from zoo.server import config, log, run
    except ModuleNotFoundError as error:
        raise ZooError(
            f"`zoo serve` needs {error.name}, which is not installed: {install_extra('serve')}."
        ) from error
    batching = config.BatchingOptions()
    if batching_parameters_file is not None:
        batching = config.read_batching(batching_parameters_file)
    metrics_path = config.METRICS
    if monitoring_config_file is not None:
        metrics_path = config.read_metrics_path(monitoring_config_file)
    settings = run.ServeOptions(
        host=host,
        rest_port=rest_port,
        grpc_port=None if no_grpc else grpc_port,
        model_config_file=model_config_file,
        model_config_file_poll_wait_seconds=model_config_file_poll_wait_seconds,
        file_system_poll_wait_seconds=file_system_poll_wait_seconds,
        batching=dataclasses.replace(batching, max_rows=max_rows),
        enable_model_warmup=enable_model_warmup,
        unload_first=unload_first,
        rest_api_timeout=timeout,
        max_body=max_body,
        token=run.read_token(token_file),
        cors=cors,
        metrics_path=metrics_path,
        allow_reload=allow_reload,
        trust=trust,
    )

    def started(running: run.Running) -> None:
        names = ", ".join(sorted(running.service.models.configs))
        address = f"[{host}]" if ":" in host else host
        place = f"http://{address}:{running.rest_port}"
        grpc = f", gRPC at {address}:{running.grpc_port}" if running.grpc_port else ""
        click.echo(f"Serving {options.printable(names)} at {place}{grpc}")

    if on_ray:
        _serve_on_ray(models, settings, replicas or (1, 1))
        return
    log.start()
    run.serve(models, settings, on_start=started)


def _given(name: str) -> bool:
    """Whether an option was on the command line."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _serve_on_ray(models: Sequence[str], settings: ServeOptions, replicas: tuple[int, int]) -> None:
    try:
        import ray.serve  # noqa: F401

        from zoo.server import ray as on_ray
    except ModuleNotFoundError as error:
        raise ZooError(
            f"`zoo serve --ray` needs {error.name}, which is not installed: {install_extra('ray')}."
        ) from error

    def started(names: Sequence[str], stays: bool) -> None:
        place = f"http://{settings.host}:{settings.rest_port}"
        click.echo(f"Serving {options.printable(', '.join(names))} at {place} on Ray")
        if stays:
            click.echo("The replicas keep running; `serve shutdown -y` stops them.")

    least, most = replicas
    count = on_ray.Replicas(least, most)
    on_ray.serve(models, settings, count, on_start=started)
