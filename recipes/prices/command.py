"""`zoo backtest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options

if TYPE_CHECKING:
    from zoo.data.reading import ReadOptions


@click.command()
@options.model
@click.option(
    "--data",
    metavar="SOURCE",
    help="A source (its test split is forecast), or your CSV file (its second half is).",
)
@options.column
@options.reading
@click.option(
    "--windows",
    type=click.IntRange(1, 1000),
    default=6,
    show_default=True,
    help="Number of test windows; baselines are refitted at the start of each.",
)
@click.option(
    "--horizon",
    type=int,
    metavar="H",
    help="Rows to forecast.  [default: as the model was trained]",
)
@click.option(
    "--baselines",
    default="all",
    show_default=True,
    metavar="NAMES",
    help="Baselines, separated by commas: zero-return, ar, ewma, har, log-har, garch, gjr-garch, "
    "log-linear, log-linear+market (of several series).",
)
@click.option(
    "--cost",
    type=options.FiniteRange(0, 1000),
    default=5.0,
    show_default=True,
    metavar="BP",
    help="Cost of trading, in basis points (hundredths of a percent).",
)
@click.option(
    "-o", "--output", metavar="DIR", type=click.Path(), help="Write backtest.json and pictures."
)
@options.trust
@options.json_output
def backtest(
    model: str,
    data: str | None,
    columns: dict[str, str],
    reading: ReadOptions,
    windows: int,
    horizon: int | None,
    baselines: str,
    cost: float,
    output: str | None,
    trust: bool,
    as_json: bool,
) -> None:
    """Test MODEL (recipe name, run folder or export) on days that it has not seen.

    For models of the task forecasting. Without --data: the test split of the
    data that it was trained on.
    """
    options.import_tensorflow()
    from recipes.prices.backtesting import backtest

    result = backtest(
        model,
        data,
        columns=columns,
        reading=reading,
        windows=windows,
        horizon=horizon,
        baselines=baselines,
        cost=cost,
        output=output,
        log=lambda line: click.echo(options.printable(line), err=True),
        trust=trust,
    )
    if as_json:
        click.echo(options.json_text(result, indent=2))
        return
    result = options.printable(result)  # names of series and of data may be a stranger's
    for note in result["data"]["notes"]:
        click.echo(f"note: {note}")
    from recipes.prices.frequency import parse_frequency

    frequency = parse_frequency(result["frequency"])
    steps = sorted({1, result["horizon"]})
    for step in steps:
        click.echo(f"\n{frequency.steps(step)} ahead (p: of a better QLIKE, CRPS)")
        options.table(
            [_row(result, name, rows[step - 1], step) for name, rows in result["scores"].items()]
        )
    click.echo(
        f"\nstrategy, after costs of {result['strategy']['cost']:g} bp, in %; luck: the range of "
        "90 % "
        "of random strategies with the same turnover"
    )
    options.table(
        [
            {
                "": name,
                "a year": f"{100 * row['yearly_return']:.1f}",
                "volatility": f"{100 * row['yearly_volatility']:.1f}",
                "sharpe": f"{row['sharpe']:.2f}",
                "deepest fall": f"{100 * row['deepest_fall']:.1f}",
                f"traded {frequency.each}": f"{100 * row['traded_a_day']:.1f}",
                "a year by luck": f"{100 * row['luck_low']:.1f} to {100 * row['luck_high']:.1f}"
                if "luck_low" in row
                else "",
            }
            for name, row in result["strategy"].items()
            if name != "cost"
        ]
    )
    click.echo(result["warning"])
    click.echo()
    for line in result["verdicts"]:
        click.echo(line)
    if output is not None:
        click.echo(f"{output}: backtest.json, fan.png, calibration.png, equity.png", err=True)


def _row(result: dict[str, Any], name: str, scores: dict[str, Any], step: int) -> dict[str, str]:
    tests = result["tests"].get(name)

    def number(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    def p(measure: str) -> str:
        return number(tests[measure][step - 1]["p"], ".2g") if tests else ""

    direction = ""
    if scores["direction"] is not None:
        direction = f"{100 * scores['direction']:.1f}"
        if scores["direction_low"] is not None:
            direction += (
                f" [{100 * scores['direction_low']:.1f}, {100 * scores['direction_high']:.1f}]"
            )
        direction += f"; always up {100 * scores['direction_always_up']:.1f}"
    return {
        "": name,
        "QLIKE": number(scores["qlike"], ".4f"),
        "p(QLIKE)": p("qlike"),
        "CRPS %": number(scores["crps"], ".4f"),
        "p(CRPS)": p("crps"),
        "MAE %": number(scores["mae"], ".4f"),
        "MASE": number(scores["mase"], ".3f"),
        **{
            f"in {band} %": number(100 * scores[f"coverage_{band}"], ".1f") for band in (50, 80, 95)
        },
        "direction %": direction,
        "RSE": number(scores["rse"], ".4f"),
    }
