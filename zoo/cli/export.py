"""`zoo export`."""

from __future__ import annotations

import click

from zoo.cli import options
from zoo.config import FORMATS, MAX_WARMUP


@click.command()
@options.model
@click.argument("directory", metavar="DIR", type=click.Path())
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="saved_model to serve, keras to go on training.",
)
@click.option(
    "--warmup",
    type=click.IntRange(0, MAX_WARMUP),
    default=8,
    metavar="N",
    show_default=True,
    help="Requests that TF Serving runs before the version answers.",
)
def export(model: str, directory: str, format: str, warmup: int) -> None:
    """Write MODEL (recipe name, run folder or export) to DIRECTORY/<next version>/.

    The version appears whole or not at all; TF Serving loads it from there.
    """
    options.import_tensorflow()
    from zoo.serving.export import export

    click.echo(export(model, directory, format=format, warmup=warmup))
