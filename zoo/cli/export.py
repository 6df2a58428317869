"""`zoo export`."""

from __future__ import annotations

import click

from zoo.cli import options
from zoo.config import FILE_PRECISIONS, FORMATS, MAX_WARMUP, parse_settings


@click.command()
@options.model
@click.argument("others", metavar="[MODEL …]", nargs=-1, shell_complete=options.complete_model)
@click.argument("directory", metavar="DIR", type=click.Path())
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="saved_model: for servers; keras: to continue training; litert (phones, small devices) "
    "and onnx: to answer without TensorFlow.",
)
@click.option(
    "--precision",
    type=click.Choice(list(dict.fromkeys(sum(FILE_PRECISIONS.values(), ())))),
    default="float32",
    show_default=True,
    help="Precision of the weights in an ONNX or LiteRT file.",
)
@click.option(
    "--warmup",
    type=click.IntRange(0, MAX_WARMUP),
    default=8,
    metavar="N",
    show_default=True,
    help="Requests that TF Serving runs before the version answers.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=VALUE",
    callback=lambda ctx, param, value: parse_settings(value),
    help="Change a limit of requests, e.g. max_bytes=10000. May be repeated; "
    "`zoo info MODEL` lists the limits as settings max_….",
)
@click.option(
    "--ensemble", is_flag=True, help="Export several models as one that averages their answers."
)
@click.option(
    "--serving",
    metavar="FOLDER",
    type=click.Path(),
    help="Also write configs, manifests and clients to FOLDER.",
)
@options.trust
def export(
    model: str,
    others: tuple[str, ...],
    directory: str,
    format: str,
    precision: str,
    warmup: int,
    limits: dict[str, str],
    ensemble: bool,
    serving: str | None,
    trust: bool,
) -> None:
    """Write MODEL (recipe name, run folder or export) to DIR/<next version>/.

    The version appears whole or not at all; TF Serving loads it from there.
    """
    if others and not ensemble:
        raise click.UsageError("Several models can only be exported with --ensemble.")
    if ensemble and not others:
        raise click.UsageError("--ensemble needs two or more models, and a directory.")
    if serving is not None and (format != "saved_model" or not warmup):
        raise click.UsageError("--serving needs --format saved_model, and --warmup 1 or more.")
    options.import_tensorflow()
    from zoo.serving.deployment import check_deployment, write_deployment
    from zoo.serving.export import export

    if serving is not None:  # before there is a version
        check_deployment(directory, serving)
    version = export(
        model,
        directory,
        format=format,
        precision=precision,
        warmup=warmup,
        limits=limits,
        ensemble=others,
        trust=trust,
    )
    click.echo(version)
    if serving is not None:
        for path in write_deployment(version, serving):
            click.echo(path)
