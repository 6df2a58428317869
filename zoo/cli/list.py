"""`zoo list`."""

from __future__ import annotations

import click

from zoo.cli import options
from zoo.recipe import TOPOLOGIES


@click.command("list")
@click.argument("pattern", default="*")
@click.option("--task", metavar="TASK", help="Only this task, e.g. sentiment.")
@click.option(
    "--topology",
    metavar="TOPOLOGY",
    type=click.Choice(TOPOLOGIES),
    help=f"Only this topology: {', '.join(TOPOLOGIES)}.",
)
@click.option("--pretrained", is_flag=True, help="Only recipes with pretrained weights.")
@options.json_output
def list(
    pattern: str, task: str | None, topology: str | None, pretrained: bool, as_json: bool
) -> None:
    """List the recipes whose name matches PATTERN (`'*-lstm'`, or a part of the name)."""
    from zoo.registry import list_models

    rows = list_models(pattern, task=task, topology=topology, pretrained=pretrained)
    if as_json:
        click.echo(options.json_text(rows, indent=2))
        return
    if not rows:
        click.echo("No recipe matches. `zoo list` shows all.", err=True)
        return
    options.table(rows.shown())
