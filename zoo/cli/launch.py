"""`zoo launch`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from zoo.config import override, parse_settings
from zoo.errors import ZooError


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
        reason = launcher.isolate(_to_fetch(arguments), demanded=isolate is True)
        if reason:
            click.echo(f"Note: {reason}", err=True)
    ctx.exit(launcher.launch(arguments, workers))


def _to_fetch(arguments: Sequence[str]) -> str:
    """Returns what a `zoo train` command may have to download, "" if nothing.

    What is wrong with the command is reported by the workers.
    """
    from zoo.cli.train import train
    from zoo.registry import get_recipe
    from zoo.training import launcher

    parse = click.Command.make_context  # not that of a worker, which tells others of its errors
    given = parse(train, "train", list(arguments[1:]), resilient_parsing=True).params
    try:
        recipe = get_recipe(given["name"] or "")
        config = override(recipe.config, parse_settings(given["settings"] or ()))
        return launcher.to_fetch(recipe, config, given["data"])
    except ZooError:
        return ""
