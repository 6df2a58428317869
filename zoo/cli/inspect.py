"""`zoo inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli import options
from zoo.config import INSPECTED, check_inspected

if TYPE_CHECKING:
    from zoo.data.reading import ReadOptions


def _parts(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str]:
    parts = [part.strip() for part in value.split(",")] if value else [*INSPECTED]
    check_inspected(parts)
    return parts


@click.command()
@options.model
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option(
    "-i",
    "--input",
    "source",
    metavar="FILE",
    type=click.Path(),
    help="A file of examples with their targets, as for `zoo train --data`.",
)
@options.column
@options.reading
@click.option(
    "--what",
    callback=_parts,
    metavar="PART,…",
    help=f"Any of {', '.join(INSPECTED)}; all by default.",
)
@click.option(
    "--rows",
    type=click.IntRange(1, 1000),
    default=8,
    show_default=True,
    metavar="N",
    help="Number of rows to read from the file or the test split.",
)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(),
    default="inspection",
    show_default=True,
    help="Folder for inspection.json and the pictures.",
)
@options.trust
@options.json_output
def inspect(
    model: str,
    texts: tuple[str, ...],
    source: str | None,
    columns: dict[str, str],
    reading: ReadOptions,
    what: list[str],
    rows: int,
    output: str,
    trust: bool,
    as_json: bool,
) -> None:
    """Look into the recurrent layers of MODEL while it reads TEXT, a file, or test rows.

    \b
    gradients  how far back they reach before they vanish or explode
    gates      how far the gates of LSTM and GRU are open at each step
    saliency   what each step contributes to the answer
    states     what the layer remembers

    A gradient counts as gone below 1 % of its largest value, as exploding if it
    grows 10-fold on its way back; a gate is closed below 0.05 and open above 0.95;
    a state is saturated beyond 0.95.
    """
    if columns and source is None:
        raise click.UsageError("--column applies to a file only: give -i FILE, and no texts.")
    options.import_tensorflow()
    from zoo.inspection import inspect

    report = inspect(
        model,
        list(texts) or None,
        data=None if source is None else Path(source),  # never the key of a source
        columns=columns,
        reading=reading,
        output=output,
        what=what,
        rows=rows,
        trust=trust,
    )
    if as_json:
        click.echo(options.json_text(report))
        return
    report = options.printable(report)
    click.echo(f"{report['model']} on {report['rows']} rows ({report['data']})")
    for line in report["verdicts"]:
        click.echo(line)
    for layer in report["layers"]:
        for gate, values in layer.get("gates", {}).items():
            options.say(
                f"{layer['name']}: {gate} gate open {values['mean']:.0%} on average, "
                f"{values['closed']:.0%} of the time closed, {values['open']:.0%} wide open"
            )
        if "states" in layer:
            click.echo(f"{layer['name']}: {layer['states']['saturated']:.0%} of states saturated")
    from zoo.inspection.draw import NAMES

    for path in sorted(path for name in NAMES for path in Path(output).glob(name)):
        click.echo(path)
