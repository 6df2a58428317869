"""`zoo distil`."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli import options
from zoo.cli.train import train


class ListCommand(click.Command):
    """A command whose options named in `LISTS` take several values: `--teachers A B`."""

    LISTS = ("--teachers",)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        inside = ""  # the option whose values these are
        for place, argument in enumerate(args):
            if argument in self.LISTS:
                inside = argument
                if place + 1 == len(args) or args[place + 1].startswith("-"):
                    raise click.BadOptionUsage(argument, f"Option {argument!r} needs a value.", ctx)
            elif inside and not argument.startswith("-"):
                spread += [inside, argument]
            else:
                inside = ""
                spread.append(argument)
        return super().parse_args(ctx, spread)


@click.command(cls=ListCommand)
@click.argument("name", metavar="STUDENT", shell_complete=options.complete_recipe)
@click.option(
    "--teachers",
    multiple=True,
    required=True,
    metavar="A B …",
    shell_complete=options.complete_model,
    help="Recipe names, run folders, exports, or `linear`: a linear classifier on words, pairs and "
    "triples, fitted on the training split. A classifier or tagger learns the mean of their "
    "probabilities, a translator their translations.",
)
@click.option(
    "-o",
    "--output",
    metavar="RUN",
    type=click.Path(),
    help="Run folder.  [default: runs/STUDENT-distilled]",
)
@click.option(
    "--unlabelled",
    metavar="FILE",
    help="Unlabelled rows that they answer too: a table (.csv, .jsonl, .parquet, .xlsx, …), or "
    "`tfds` if that source has such rows.",
)
@click.option(
    "--label-share",
    type=options.FiniteRange(0, 1),
    metavar="S",
    help="Weight of the label in the target of a labelled row; the rest is the teachers' answer. "
    "A translator learns the teachers' translations only (0), the reference only (1), or both "
    "(between).  [default: 0.5]",
)
def distil(name: str, output: str | None, **kwargs: Any) -> None:
    """Train the recipe STUDENT on what teachers answer, test it, and write its run folder.

    If the command was stopped, run it again to resume.
    """
    output = output or f"runs/{name.rpartition(':')[2]}-distilled"
    assert train.callback is not None
    train.callback(name, output, hosts=None, index=None, port=None, **kwargs)


_OWN = {parameter.name for parameter in distil.params}
_ALONE = {"hosts", "index", "port"}  # a student is trained by one process
distil.params += [p for p in train.params if p.name not in _OWN | _ALONE]
