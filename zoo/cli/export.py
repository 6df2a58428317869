"""`zoo export`."""

from __future__ import annotations

import click

from zoo.cli import options


@click.command()
@options.model
@click.argument("directory")
@click.option(
    "--format",
    type=click.Choice(["saved_model", "keras"]),
    default="saved_model",
    show_default=True,
    help="To serve, or to go on training.",
)
@click.option(
    "--warmup",
    type=click.IntRange(0, 1000),
    default=8,
    show_default=True,
    help="Requests that TF Serving runs before the version answers.",
)
def export(model: str, directory: str, format: str, warmup: int) -> None:
    """Write MODEL to DIRECTORY/<next version>/, whole or not at all."""
    options.import_tensorflow()
    from zoo.serving import export

    click.echo(export(model, directory, format=format, warmup=warmup))
