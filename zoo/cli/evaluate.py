"""`zoo evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zoo.cli import options
from zoo.scores import Number, Scores, heading

if TYPE_CHECKING:
    from zoo.data.reading import ReadOptions


@click.command()
@options.model
@click.option(
    "--data", metavar="SOURCE", help="A source (its test split is scored), or your file (all rows)."
)
@options.column
@options.reading
@click.option(
    "--split",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="Rows to score.",
)
@click.option(
    "--baselines/--no-baselines", default=True, show_default=True, help="Also score simple methods."
)
@options.trust
@options.json_output
def evaluate(
    model: str,
    data: str | None,
    columns: dict[str, str],
    reading: ReadOptions,
    split: str,
    baselines: bool,
    trust: bool,
    as_json: bool,
) -> None:
    """Score MODEL (recipe name, run folder or export) with the field's metric.

    Without --data: on the test split of the data that it was trained on.
    """
    options.import_tensorflow()
    from zoo.serving import evaluate

    result = evaluate(
        model,
        data,
        columns=columns,
        reading=reading,
        split=split,
        baselines=baselines,
        trust=trust,
    )
    if as_json:
        click.echo(options.json_text(result, indent=2))
        return
    result = options.printable(result)  # names and labels may be a stranger's
    click.echo(f"{result['model']} on {result['data']}: {result['rows']:,} rows")
    for note in result["notes"]:
        options.say(f"note: {note}", "  ")
    stored = {"network": result["metrics"], **result["baseline"]}
    scores = {name: Scores.from_json(each) for name, each in stored.items()}
    options.table([{"": name, **_numbers(each.values)} for name, each in scores.items()])
    network = scores["network"]
    for name, signature in network.signatures.items():
        options.say(f"{name}: {signature}")
    for table, rows in network.tables.items():
        if rows:
            click.echo()
            title = heading(table)
            options.table([{title: name, **_numbers(row)} for name, row in rows.items()])


def _numbers(values: dict[str, Number]) -> dict[str, str]:
    return {
        key: f"{value:.4f}" if isinstance(value, float) else str(value)
        for key, value in values.items()
    }
