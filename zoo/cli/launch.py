"""`zoo launch`."""

from __future__ import annotations

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--workers",
    type=click.IntRange(2),
    required=True,
    metavar="N",
    help="Processes on this machine that train one model.",
)
@click.argument("arguments", nargs=-1, required=True, metavar="-- train NAME …")
@click.pass_context
def launch(ctx: click.Context, workers: int, arguments: tuple[str, ...]) -> None:
    """Train in several processes of this machine.

    What follows `--` is a `zoo train` command. On several machines, start `zoo train … --strategy
    multiworker` on each instead, with TF_CONFIG or by Slurm.
    """
    from zoo.training.launcher import launch

    ctx.exit(launch(arguments, workers))
