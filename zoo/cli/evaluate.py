"""`zoo evaluate`."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli import options


@click.command()
@options.model
@click.option(
    "--data", metavar="SOURCE", help="A source (its test split is scored), or your file (all rows)."
)
@options.column
@click.option(
    "--split",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="Rows to score.",
)
@click.option(
    "--baselines/--no-baselines", default=True, show_default=True, help="Score simple methods too."
)
@options.json_output
def evaluate(
    model: str,
    data: str | None,
    columns: dict[str, str],
    split: str,
    baselines: bool,
    as_json: bool,
) -> None:
    """Score MODEL (recipe name, run folder or export) with the field's metric.

    Without --data: on the test split of the data that it was trained on.
    """
    options.import_tensorflow()
    from zoo.serving import evaluate

    result = evaluate(model, data, columns=columns, split=split, baselines=baselines)
    if as_json:
        click.echo(options.json_text(result, indent=2))
        return
    click.echo(f"{result['model']} on {result['data']}: {result['rows']:,} rows")
    for note in result["notes"]:
        click.echo(f"  note: {note}")
    rows = [("network", result["metrics"]), *result["baseline"].items()]
    options.table([{"": name, **_numbers(scores)} for name, scores in rows])
    for name, signature in result["metrics"].get("signature", {}).items():
        click.echo(f"{name}: {signature}")
    for part, title in (("per_class", "class"), ("per_speaker", "speaker"), ("checks", "")):
        if rows := result["metrics"].get(part):
            click.echo()
            options.table([{title: name, **_numbers(scores)} for name, scores in rows.items()])


def _numbers(scores: dict[str, Any]) -> dict[str, str]:
    return {
        key: f"{value:.4f}" if isinstance(value, float) else str(value)
        for key, value in scores.items()
        if isinstance(value, int | float)
    }
