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
@click.option(
    "--isolate/--no-isolate",
    default=None,
    help="Connect them by a private network that no other machine can reach.  [default: isolate if "
    "the system allows it and nothing has to be downloaded]",
)
@click.argument("arguments", nargs=-1, required=True, metavar="-- train NAME …")
@click.pass_context
def launch(
    ctx: click.Context, workers: int, isolate: bool | None, arguments: tuple[str, ...]
) -> None:
    """Train in several processes of this machine.

    What follows `--` is a `zoo train` command. On several machines, start `zoo train … --hosts
    a:2222,b:2222 --index N` on each instead, with TF_CONFIG or by Slurm.
    """
    from zoo.training import launcher

    if isolate is not False:
        reason = launcher.isolate(arguments, demanded=isolate is True)
        if reason:
            click.echo(f"Note: {reason}", err=True)
    ctx.exit(launcher.launch(arguments, workers))
