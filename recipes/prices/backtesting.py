"""`zoo.backtest`: a rolling forecast over days that the forecaster has not seen.

The network is not retrained. Each forecast uses all days before it. The simple methods are refitted
at the start of each window, on the days before it; `log-linear` and `log-linear+market` are fitted
once, before the first window. The last of these days, as many as the longest horizon, are omitted,
so that no target reaches into the window.
"""

from __future__ import annotations

import dataclasses
import itertools
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recipes.prices import metrics
from recipes.prices import panel as panels
from recipes.prices.baselines import BASELINES, LOG_LINEAR, MARKET, METHODS, log_linear, methods_for
from recipes.prices.frequency import parse_frequency
from recipes.prices.panel import Panel, observe
from recipes.prices.reader import begins_at, past_of
from recipes.prices.series import Forecast
from recipes.prices.strategies import strategies
from zoo import files
from zoo.data import Examples
from zoo.data.custom import load_rows
from zoo.data.origin import DataLike, Unsplit, parse_origin
from zoo.data.reading import ReadingLike, reading_of
from zoo.data.splits import take
from zoo.environment import environment
from zoo.errors import (
    UsageError,
    ZooError,
    check_integer,
    check_list,
    check_mapping,
    check_number,
    check_path,
    check_text,
    suggest,
)
from zoo.metrics.intervals import ratios
from zoo.recipe import Answers
from zoo.scores import Scores
from zoo.serving.capabilities import FORECAST
from zoo.serving.evaluation import splits_of
from zoo.serving.predictor import Predictor, load

NETWORK = "network"
MIN_DAYS = 22  # days that the simple methods are fitted on
BLOCK = 22  # days per block of the block bootstrap: a month
WARNING = (
    "This is not financial advice. The strategy shows what a forecast of direction is worth after "
    "costs. It omits taxes and slippage, and these stocks were chosen because they are well known."
)

__all__ = ["backtest", "methods_of", "network", "observe", "simple", "summary"]


def backtest(
    model: str | Path | Predictor,
    data: DataLike = None,
    *,
    columns: Mapping[str, str] | None = None,
    reading: ReadingLike = None,
    windows: int = 6,
    horizon: int | None = None,
    baselines: str | Sequence[str] = "all",
    cost: float = 5.0,
    output: str | Path | None = None,
    log: Callable[[str], None] | None = None,
    trust: bool = False,
) -> dict[str, Any]:
    """Compares a forecaster with simple methods, day by day.

    Args:
      model: as for `zoo.load`, or a predictor; a price model with the capability `forecast`.
      data: a source of its dataset (the test split is forecast), or a custom file or columns (the
        second half of their days is forecast); None for the data that it was trained on.
      columns: our column name to the file's.
      reading: how files are written, as for `zoo.train`.
      windows: parts of the test period; the simple methods are refitted at the start of each.
      horizon: days ahead, at most those of the model; None for those of the model.
      baselines: `"all"`, or names of `recipes.prices.baselines.METHODS`. `"all"` omits
        `log-linear+market` if there is one series or if there are too few days.
      cost: of trading, in hundredths of a percent.
      output: folder for `backtest.json` and the plots `fan.png`, `calibration.png` and
        `equity.png`; None to write no files.
      log: called with each line of progress.
      trust: as for `zoo.load`.

    Returns:
      The content of `backtest.json`: `scores` (name to a list, 1 day ahead first), `tests` (against
      each simple method), `windows`, `strategy`, `verdicts`, `warning`, `data`, `proxy`, ….

    Raises:
      UsageError: the model does not forecast prices, or it lacks an option.
      UsageError, ZooError: as for `zoo.load`, or the data are not available or not readable.
    """
    predictor = model if isinstance(model, Predictor) else load(model, trust=trust)
    predictor.require(
        "forecast",
        "forecasts no series",
        "A backtest needs a model that forecasts series (`zoo list --task forecasting`).",
    )
    chosen = _chosen(baselines)
    longest = int(getattr(predictor.config, "horizon", 1))
    horizon = longest if horizon is None else horizon
    check_integer("horizon", horizon)
    if not 1 <= horizon <= longest:
        raise UsageError(f"{predictor.name} forecasts 1 to {longest} days ahead; got {horizon}.")
    check_integer("windows", windows, 1)
    check_number("cost", cost, 0)
    check_mapping("columns", columns)
    if output is not None:
        check_path("output", output)
    if output is not None and Path(output).exists() and not Path(output).is_dir():
        raise UsageError(f"{output} is a file. Name a folder.")
    log = log or (lambda line: None)
    examples, title, notes = _examples(predictor, data, columns, reading)
    panel = observe(examples, horizon)
    names = methods_of(panel) if chosen is None else chosen
    windows = min(windows, len(panel.dates))
    log(
        f"{predictor.name} on {title}: {len(panel.tickers)} series, "
        f"{panel.frequency.steps(len(panel.dates))} from {panel.dates[0]} to {panel.dates[-1]}, "
        f"{windows} windows"
    )
    forecasts = {NETWORK: network(panel, predictor)}
    for name in names:
        log(f"fitting {name}")
        forecasts[name] = simple(panel, name, windows)
    losses = {name: panels.losses(panel, each) for name, each in forecasts.items()}
    scores = {name: panels.scores(panel, each) for name, each in forecasts.items()}
    found = strategies(panel, forecasts, cost)
    result = {
        "kind": "backtest",
        "recipe": predictor.name,
        "data": {"title": title, "trained_on": predictor.data.get("title"), "notes": notes},
        "series": panel.tickers,
        "days": [panel.dates[0], panel.dates[-1], len(panel.dates)],
        "horizon": horizon,
        "frequency": str(panel.frequency),
        "proxy": "Garman-Klass with the night before; the squared return where a bar lacks",
        "scores": scores,
        "tests": {name: panels.tests(losses[NETWORK], losses[name]) for name in names},
        "windows": _windows(panel, losses, windows),
        "strategy": {"cost": cost, **{name: each.results for name, each in found.items()}},
        "warning": WARNING,
        "config": predictor.resolved["config"],
        "environment": environment(),
    }
    result["verdicts"] = _conclusions(result)
    if output is not None:
        from recipes.prices import figures as pictures

        folder = Path(output)
        files.write_json(folder / "backtest.json", result)
        pictures.fan(panel, forecasts[NETWORK], folder / "fan.png")
        pictures.calibration(panel, forecasts, folder / "calibration.png")
        pictures.equity(panel.dates, found, cost, folder / "equity.png")
    return result


def network(panel: Panel, predictor: Answers) -> Forecast:
    """Returns the forecasts of a model for each day, aligned with the panel."""
    lengths = [len(row) for row in panel.columns["close"]]
    inputs = {
        name: [
            np.nan_to_num(values).tolist() if len(values) else [0.0] * days
            for values, days in zip(panel.columns[name], lengths, strict=True)
        ]
        for name in ("open", "high", "low", "close")
    }
    answers = predictor.predict(inputs, signature=FORECAST, batch_size=16)
    # The signature calls the degrees of freedom "freedom", as saved models do.
    arrays = {
        name: [np.asarray(answer[wire_name])[:, : panel.horizon] for answer in answers]
        for name, wire_name in (
            ("location", "location"), ("scale", "scale"), ("df", "freedom"),
            ("variance", "variance"),
        )
    }  # fmt: skip
    return panel.forecasts(
        [
            Forecast(**dict(zip(arrays, each, strict=True)))
            for each in zip(*arrays.values(), strict=True)
        ]
    )


def simple(panel: Panel, name: str, windows: int = 1) -> Forecast:
    """Returns the forecasts of a simple method, refitted at the start of each window.

    `log-linear` and `log-linear+market` are fitted once, on the days before the first scored day.

    Raises:
      ZooError: a series is too short to fit the method.
    """
    if name in (LOG_LINEAR, MARKET):
        ends, market = _ends(panel), name == MARKET
        found = log_linear(panel.columns, panel.days, ends, panel.horizon, market=market)
        return panel.forecasts(found)
    method, parts = BASELINES[name], []
    for first, last in _spans(len(panel.dates), windows):
        day = panel.dates[first]
        forecasts = []
        for ticker, days, dates, series_begin in zip(
            panel.tickers, panel.days, panel.columns["date"], panel.begins, strict=True
        ):
            # A series that begins later is fitted on the days before its own first scored day.
            begin = max(bisect_left(dates, day), series_begin)
            end = begin - panel.horizon + 1  # the days known at the first forecast
            if end < max(MIN_DAYS, 2 * panel.horizon):
                raise ZooError(
                    f"{ticker or 'The series'} has {begin} days before the first that is "
                    f"scored: too few to fit {name} on. Give a longer series."
                )
            forecasts.append(method(days, end, panel.horizon))
        inside = np.zeros((1, len(panel.dates), 1), bool)
        inside[:, first:last] = True
        parts.append((inside, panel.forecasts(forecasts)))
    whole = parts[0][1]
    for inside, part in parts[1:]:
        whole = Forecast(
            *(
                np.where(inside, getattr(part, field.name), getattr(whole, field.name))
                for field in dataclasses.fields(Forecast)
            )
        )
    return whole


def summary(panel: Panel, forecast: Forecast) -> Scores:
    """Returns the scores for 1 day ahead, and `…_H` for the longest horizon if it is longer."""
    rows = panels.scores(panel, forecast)
    first, last = rows[0], rows[-1]
    selected = {
        **{name: first[name] for name in ("qlike", "qlike_squared", "crps", "mae", "mase")},
        **{name: first[name] for name in first if name.startswith(("coverage", "direction"))},
    }
    if len(rows) > 1:
        selected |= {f"{name}_{len(rows)}": last[name] for name in ("qlike", "crps", "coverage_80")}
    values = {name: value for name, value in selected.items() if value is not None}
    values |= {"series": len(panel.tickers), "days": len(panel.dates)}
    daily = metrics.qlike(panel.proxy, forecast.variance)[..., 0]
    known = np.isfinite(daily)
    sums, counts = np.where(known, daily, 0.0).sum(axis=0), known.sum(axis=0)
    # Neighbouring days are correlated, so they are resampled together.
    blocks = np.arange(len(counts)) // BLOCK
    return Scores(values, units={"qlike": ratios("months of days", sums, counts, blocks)})


def methods_of(panel: Panel) -> tuple[str, ...]:
    """Returns the names of the simple methods that `simple` can fit."""
    return methods_for(_ends(panel))


def _ends(panel: Panel) -> list[int]:
    """Returns how many days of each series are known at the first forecast, with their targets."""
    return [begin - panel.horizon + 1 for begin in panel.begins]


def _chosen(baselines: str | Sequence[str]) -> list[str] | None:
    """Returns the names of methods; None for all."""
    if baselines == "all":
        return None
    if isinstance(baselines, str):
        baselines = [name.strip() for name in baselines.split(",") if name.strip()]
    baselines = check_list("baselines", baselines)
    known = {name.lower().replace(" ", "-"): name for name in METHODS}
    chosen = []
    for name in baselines:
        check_text("A baseline", name)
        key = name.lower().replace(" ", "-").replace("_", "-")
        if key not in known:
            raise UsageError(f"Unknown baseline {name!r}.{suggest(key, known)}")
        chosen.append(known[key])
    return chosen


def _examples(
    predictor: Predictor,
    data: DataLike,
    columns: Mapping[str, str] | None,
    reading: ReadingLike,
) -> tuple[Examples, str, list[str]]:
    """Returns the series to forecast, their title, and notes."""
    dataset = predictor.recipe.data(predictor.config)
    origin = parse_origin(data, dataset.keys)
    reading = reading_of(reading)
    dataset.check_columns(origin, columns, reading)
    if isinstance(origin, Unsplit):
        examples = dict(load_rows(dataset, origin, columns, reading=reading))
        title = origin.name
        halves = "the second half of the days; the simple methods are fitted on the first"
        notes = [*reading.notes, halves]
        min_past = past_of(int(getattr(predictor.config, "horizon", 1)))
        examples["begin"] = [max(begin, min_past) for begin in begins_at(examples, 0.5)]
        rows = [
            row
            for row, (begin, dates) in enumerate(
                zip(examples["begin"], examples["date"], strict=True)
            )
            if len(dates) - begin >= 2
        ]
        if not rows:
            raise ZooError(f"{title} has too few days for a backtest. Give longer series.")
        if omitted := len(examples["date"]) - len(rows):
            notes.append(f"{omitted} series omitted: they have too few days in that half")
        examples = take(examples, rows)
    else:
        splits = splits_of(predictor, origin, columns, reading)
        examples, title, notes = splits.test, splits.title, []
    train_end = predictor.assets.get("until", "")[:10]  # the day, without a time of day
    begins = [row[at] for row, at in zip(examples["date"], examples["begin"], strict=True)]
    first = min(begins)[:10]
    if len(train_end) == len(first) and first <= train_end:
        notes.append(
            f"the network was trained on days up to {train_end}; these begin on {first}: it "
            "may have learnt from their future"
        )
    if title != predictor.data.get("title"):
        notes += predictor.recipe.outside(predictor.config, predictor.assets, examples)
    return examples, title, notes


def _spans(days: int, windows: int) -> list[tuple[int, int]]:
    cuts = [round(days * number / windows) for number in range(windows + 1)]
    return [(first, last) for first, last in itertools.pairwise(cuts) if last > first]


def _windows(panel: Panel, losses: dict[str, dict], windows: int) -> list[dict[str, object]]:
    """Returns the one-day losses of each window."""
    rows = []
    for first, last in _spans(len(panel.dates), windows):
        row: dict[str, object] = {"from": panel.dates[first], "to": panel.dates[last - 1]}
        for measure in ("qlike", "crps"):
            row[measure] = {
                name: float(np.nanmean(values[measure][:, first:last, 0]))
                for name, values in losses.items()
            }
        rows.append(row)
    return rows


def _conclusions(result: dict[str, Any]) -> list[str]:
    """Returns sentences on the results of the tests, including those without a difference."""
    lines, step = [], parse_frequency(result["frequency"]).steps(1)
    for measure, what in (
        ("qlike", "variance (QLIKE)"),
        ("qlike_squared", "variance (QLIKE of squared returns)"),
        ("crps", "distribution of returns (CRPS)"),
        ("mae", "return itself (MAE)"),
    ):
        for name, tests in result["tests"].items():
            if measure == "mae" and name != "zero return":
                continue  # the other methods also forecast no change
            test = tests[measure][0]
            if test["p"] is None:
                how = "the same as"
            elif test["p"] >= 0.05:
                how = "no better than"
            else:
                how = "better than" if test["statistic"] < 0 else "worse than"
            p_value = "" if test["p"] is None else f" (p {test['p']:.2g})"
            lines.append(f"{what}, {step} ahead: {how} {name}{p_value}")
    for name, row in result["strategy"].items():
        if name != "cost" and "luck_low" in row:
            low, high, found = (
                100 * row[key] for key in ("luck_low", "luck_high", "yearly_return")
            )
            where = "above" if found > high else "below" if found < low else "inside"
            lines.append(
                f"strategy of {name}: {found:.1f} % a year, {where} the range of random strategies "
                f"with the same turnover ({low:.1f} to {high:.1f} %)"
            )
    return lines
