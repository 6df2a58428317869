"""Forecasts for people: dates, the unit of the series, digits, and what lies outside."""

import csv
import datetime
import json
import shutil

import numpy as np
import pytest

import zoo
from recipes.prices import answers, domain, figures
from recipes.prices.series import scaling
from recipes.prices.stocks import sample

NAME = "stocks-simplernn"  # whose run is there already
BANDS = {"low_95": 0.8, "low_80": 0.9, "low_50": 0.95, "median": 1.01,
         "high_50": 1.05, "high_80": 1.1, "high_95": 1.2}  # fmt: skip


def answer(price, steps=2, width=1.0):
    found = {name: [price * (1 + width * (x - 1))] * steps for name, x in BANDS.items()}
    return {**found, "volatility": [0.01234] * steps}


@pytest.mark.parametrize(
    ("example", "price", "width", "line"),
    [
        (
            {"ticker": "MSFT", "date": ["2023-10-25", "2023-10-26"]}, 106.98312, 0.3,
            "MSFT  106.98 on 2023-10-26 → 107.30 in 2 days, on 2023-10-30; 80 % between 103.77 "
            "(-3.0 %) and 110.19 (+3.0 %); volatility 1.2 % a day",
        ),
        (
            {"ticker": "", "date": ["2020-05-31", "2020-06-30", "2020-07-31"]}, 21520.6614, 1.0,
            "21521 on 2020-07-31 → 21736 in 2 months, on 2020-09-30; 80 % between 19369 "
            "(-10.0 %) and 23673 (+10.0 %); volatility 1.2 % a month",
        ),
        (
            {"date": ["2024-01-02T10:00:00", "2024-01-02T10:15:00"]}, 1.0912, 0.01,
            "1.09120 on 2024-01-02 10:15 → 1.09131 in 30 minutes, on 2024-01-02 10:45; 80 % "
            "between 1.09011 (-0.10 %) and 1.09229 (+0.10 %); volatility 1.2 % in 15 minutes",
        ),
        ({}, 0.000012, 1.0, "0.00001200 → 0.00001212 in 2 days; 80 % between 0.00001080 (-10.0 %)"),
    ],
)  # fmt: skip
def test_a_line_has_dates_the_unit_of_the_series_and_digits_that_mean_something(
    example, price, width, line
):
    found = answers.line({**example, "close": [1.0, price]}, answer(price, width=width))
    assert found.startswith(line)


@pytest.fixture
def trained():
    return {**scaling(sample()), "frequency": "day"}


def series(rng, deviation, days=300, step=1):
    closes = 100 * np.exp(np.cumsum(deviation * rng.standard_normal(days)))
    first = datetime.date(2020, 1, 1)
    dates = [(first + datetime.timedelta(days=step * day)).isoformat() for day in range(days)]
    return closes.tolist(), dates


def test_what_lies_outside_is_named_and_what_lies_inside_is_not(trained):
    rng = np.random.default_rng(0)
    assert domain.outside(trained, sample()) == []
    rows = [series(rng, 0.009), series(rng, 0.5), series(rng, 0.009, 40), series(rng, 0.009, 80, 7)]
    closes, dates = zip(*rows, strict=True)
    examples = {"close": closes, "date": dates, "ticker": ["A", "WILD", "NEW", "SLOW"]}
    weekly, wild, new = domain.outside(trained, examples)
    assert weekly.startswith("the rows of SLOW are a week apart; the network was trained on rows a")
    assert wild.startswith("the volatility of WILD (")
    assert "lies outside what the network was trained on, 0." in wild
    assert new.startswith("NEW has fewer than 66 rows")
    # Packs that do not say it were trained on days.
    del trained["frequency"]
    assert domain.outside(trained, {"close": closes[3:], "date": dates[3:]})[0].startswith(
        "the rows of the series are a week apart"
    )
    assert domain.outside(trained, {"close": closes[:1]}) == []


def test_a_calm_time_long_ago_is_not_outside(trained):
    """It is asked where forecasts are made: at the end, or from `begin` on."""
    closes, dates = series(np.random.default_rng(1), 0.009)
    closes[:100] = np.linspace(100, 100.001, 100).tolist()
    examples = {"close": [closes], "date": [dates]}
    assert domain.outside(trained, examples) == []
    assert "volatility" in domain.outside(trained, {**examples, "begin": [22]})[0]


def test_predict_gives_dates_notes_and_a_fan(run_of, cli, tmp_path, figures):
    run = run_of(NAME)
    rng = np.random.default_rng(2)
    with open(tmp_path / "own.csv", "w") as file:
        file.write("date,symbol,close\n")
        for name in ("000001", "B"):
            for price, day in zip(*series(rng, 0.009, 70, 7), strict=True):
                file.write(f"{day},{name},{price:.4f}\n")
    result = cli("predict", run, "own.csv", "--fan", "fan.png")
    assert result.err.count("note: the rows of 000001, B are a week apart") == 1
    first, _ = result.out.splitlines()
    assert first.startswith("000001  ")
    assert "on 2021-04-28 → " in first
    assert "in 5 weeks, on 2021-06-02; 80 % between" in first
    assert (tmp_path / "fan-2.png").exists()
    (axes,) = figures[-2].axes
    assert axes.get_title("left").startswith("000001: forecast on 2021-04-28 for 5 weeks")
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert {"2021-04-28", "2021-06-02"} <= set(labels)
    assert not axes.get_legend()  # it stands below the axes
    assert [line.get_label() for line in axes.lines[:2]] == ["median forecast", "prices"]
    # A table is itself what the model takes, also by -i, and its columns may be named.
    assert cli("predict", run, "-i", "own.csv").out == result.out
    assert cli("predict", run, "own.csv", "--column", "close=close").out == result.out
    assert (
        "no column 'last'" in cli("predict", run, "own.csv", "--column", "close=last", code=1).err
    )
    cli("predict", run, "own.csv", "-o", "out.csv")
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["ticker"] for row in rows] == ["000001", "B"]
    assert rows[0]["frequency"] == "week"
    assert rows[0]["last_date"] == "2021-04-28"
    assert json.loads(rows[0]["dates"])[-1] == "2021-06-02"
    assert "date" not in rows[0]
    forecasts = zoo.load(run).predict(tmp_path / "own.csv")
    assert [each["dates"] for each in forecasts] == [json.loads(row["dates"]) for row in rows]
    # Numbers have the digits of float32.
    asked = zoo.load(run).recipe.read_input(zoo.load(run).config, str(tmp_path / "own.csv"))
    exact = zoo.load(run).predict({"close": asked["close"]})[0]["median"]
    written = json.loads(rows[0]["median"])
    assert np.float32(written).tolist() == exact
    assert max(len(str(number)) for number in written) <= 10


def test_a_run_has_a_fan_with_dates_and_a_calibration(run_of):
    assert {path.name for path in (run_of(NAME) / "figures").iterdir()} == {
        "fan.png",
        "calibration.png",
    }


def test_a_band_of_luck_and_a_legend_that_covers_nothing(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    from recipes.prices.strategies import Strategy

    saved = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: saved.append(self))
    monkeypatch.setattr(figures, "save", lambda figure, path: saved.append(figure))
    value = np.linspace(1, 2, 50)
    luck = np.stack([value - 0.2, value + 0.2])
    found = {"hold": Strategy({}, value), "network": Strategy({}, value, luck)}
    dates = [f"2020-01-{day:02}" for day in range(1, 32)] + [
        f"2020-02-{day:02}" for day in range(1, 20)
    ]
    figures.equity(dates, found, 5.0, tmp_path / "x.png")
    (axes,) = saved[0].axes
    (band,) = axes.collections
    assert band.get_label().startswith("90 % of random strategies")
    saved[0].draw_without_rendering()
    (legend,) = saved[0].legends
    assert legend.get_window_extent().y1 <= axes.get_window_extent().y0


def test_a_calibration_plot_shows_expected_against_observed_coverage(tmp_path, monkeypatch):
    from recipes.prices.panel import observe
    from recipes.prices.series import Forecast

    panel = observe(sample(), 1)
    saved = []
    monkeypatch.setattr(figures, "save", lambda figure, path: saved.append(figure))
    ones = [np.ones((150, 1))] * 8
    wide, narrow = (
        panel.forecasts([Forecast(0 * one, size * one, 1e9 * one, one) for one in ones])
        for size in (10.0, 1e-9)
    )
    figures.calibration(panel, {"network": wide, "EWMA": narrow}, tmp_path / "x.png")
    left, right = saved[0].axes
    assert left.get_xlabel().startswith("expected coverage")
    assert left.get_ylabel() == "observed coverage"
    lines = {line.get_label(): line for line in left.lines}
    np.testing.assert_array_equal(lines["calibrated"].get_xydata(), [[0, 0], [1, 1]])
    assert (lines["network"].get_ydata() == 1).all()  # every outcome is inside bands too wide
    assert lines["EWMA"].get_ydata().max() < 0.02
    assert right.get_xlabel().startswith("probability integral transform")
    assert lines["network"].get_linestyle() != lines["EWMA"].get_linestyle()  # apart in grey


VERBS = (
    ("predict", "RUN", "FILE"),
    ("evaluate", "RUN", "--data", "FILE", "--no-baselines"),
    ("backtest", "RUN", "--data", "FILE", "--baselines", "ewma", "--windows", "1"),
    ("data", "check", "FILE", "--recipe", NAME),
    ("train", NAME, "--data", "FILE", "-o", "new", "--epochs", "1", "--no-baselines"),
)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_each_remedy_works_on_the_command_that_names_it(verb, run_of, cli, tmp_path):
    run, rng = run_of(NAME), np.random.default_rng(4)
    closes, dates = series(rng, 0.009, 240)
    lines = [
        f"{day[8:]}/{day[5:7]}/{day[:4]};{price:.3f}"
        for day, price in zip(dates, closes, strict=True)
        if day[8:] < "13"
    ]
    lines[3], lines[4] = lines[4], lines[3]
    (tmp_path / "own.csv").write_text("\n".join(["Date;Close", *lines]))
    words = [{"RUN": run, "FILE": "own.csv"}.get(word, word) for word in verb]
    asked = cli(*words, code=2)
    assert "Say which with --dayfirst or --monthfirst" in asked.err
    dated = [*words, "--dayfirst"]
    refused = cli(*dated, code=1)
    assert "is not sorted by date" in refused.err
    assert "use `--repair sort`" in refused.err
    refused = cli(*dated, "--repair", "sort", code=1)
    assert "use `--repair sort,gaps`" in refused.err
    done = cli(*dated, "--repair", "sort,gaps")
    said = done.out + done.err
    assert "repaired by 'sort'" in said
    assert "a day" in said


def test_a_run_that_calls_its_repairs_mend_loads_and_goes_on(run_of, settings, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(run_of(NAME), run)
    saved = json.loads((run / "config.json").read_text())
    saved["config"]["mend"] = saved["config"].pop("repair")
    (run / "config.json").write_text(json.dumps(saved))
    assert zoo.load(run).config.repair == ""
    again = {
        "data": "sample", "baselines": False, "quiet": True,
        "deterministic": saved["run"]["deterministic"],
    }  # fmt: skip
    assert zoo.train(NAME, run, settings={**settings, "mend": ""}, **again) is not None
    with pytest.raises(zoo.UsageError, match="holds another run"):
        zoo.train(NAME, run, settings={**settings, "mend": "sort"}, **again)
