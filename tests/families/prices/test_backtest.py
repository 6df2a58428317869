"""A backtest of what is served: no look into the future, right scores, honest words."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from scipy import stats

import zoo
from recipes.prices import backtesting
from recipes.prices import panel as panels
from recipes.prices.baselines import METHODS
from recipes.prices.series import Forecast
from recipes.prices.strategies import random_positions, strategies

NAME = "stocks-gru"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backtest") / "run"
    settings = {"epochs": 2, "units": 4, "batch_size": 8, "horizon": 3}
    zoo.train(NAME, folder, data="sample", settings=settings, baselines=False, quiet=True)
    return folder


@pytest.fixture(scope="module")
def predictor(run):
    return zoo.load(run)


@pytest.fixture(scope="module")
def test_split(predictor):
    return predictor.recipe.data(predictor.config).load("sample").test


@pytest.fixture(scope="module")
def panel(test_split):
    return panels.observe(test_split, 3)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_what_is_served_knows_the_past_alone(predictor, test_split):
    inputs = {name: test_split[name] for name in ("open", "high", "low", "close")}
    before = predictor.predict(inputs, signature="walk")
    cut = 130
    changed = {
        name: [row[:cut] + [price * 1.5 for price in row[cut:]] for row in rows]
        for name, rows in inputs.items()
    }
    after = predictor.predict(changed, signature="walk")
    for one, other in zip(before, after, strict=True):
        for name in ("location", "scale", "freedom", "variance"):
            assert np.shape(one[name]) == (150, 3)
            assert one[name][:cut] == other[name][:cut]  # to the last bit
            assert one[name][cut:] != other[name][cut:]
    # What `bars` answers is the last day of the rolling forecast.
    last = predictor.predict(inputs, signature="bars")
    for walked, asked, closes in zip(before, last, inputs["close"], strict=True):
        np.testing.assert_allclose(asked["mean"], walked["location"][-1], atol=1e-6)
        student = (walked["freedom"][-1], walked["location"][-1], walked["scale"][-1])
        expected = closes[-1] * np.exp(stats.t.ppf(0.1, *student))
        np.testing.assert_allclose(asked["low_80"], expected, rtol=1e-4)
        np.testing.assert_allclose(asked["rise"], stats.t.sf(0, *student), atol=1e-4)
    names = ("low_95", "low_80", "low_50", "median", "high_50", "high_80", "high_95")
    answer = predictor.predict({"close": inputs["close"][:1]})[0]
    assert np.all(np.diff([answer[name] for name in names], axis=0) > 0)


def test_answers_do_not_depend_on_padding_or_on_the_currency(predictor, test_split):
    closes = [test_split["close"][0], test_split["close"][1][:70]]
    together = predictor.predict({"close": closes})
    alone = predictor.predict({"close": closes[1:]})[0]
    dear = predictor.predict({"close": [[4 * price for price in closes[1]]]})[0]
    assert alone.pop("valid")
    assert alone.pop("problem") == ""
    for name, value in alone.items():
        np.testing.assert_allclose(together[1][name], value, rtol=1e-4, atol=1e-6)
        factor = 4 if name not in ("mean", "volatility", "rise") else 1
        np.testing.assert_allclose(dear[name], np.multiply(value, factor), rtol=1e-5)
    for odd in ([1.0], [5.0] * 30, [1e-30, 1e30, float("nan"), 3.0] * 9):
        answer = predictor.predict({"close": [odd]})[0]
        assert answer.pop("valid")
        del answer["problem"]
        assert all(np.isfinite(value).all() for value in answer.values())


@pytest.mark.parametrize("none", [[], [0.0, 0.0], [float("nan"), -1.0]])
def test_a_series_without_a_price_has_no_forecast(predictor, none):
    (answer,) = predictor.predict({"close": [none]})
    assert (answer["valid"], answer["problem"]) == (False, "The series has no price above 0.")
    assert np.isnan(answer["rise"]).all()


def test_a_panel_is_aligned_by_the_day_that_was_forecast(panel, test_split):
    assert panel.dates == test_split["date"][0][135:]
    assert panel.value.shape == (8, 15, 3)
    assert np.isfinite(panel.value).all()
    close = np.array(test_split["close"][2])
    # Day 140 of the series, three days after the forecast.
    assert panel.value[2, 5, 2] == pytest.approx(np.log(close[140] / close[137]), abs=1e-6)
    assert panel.price[2, 5, 2] == close[137]
    naive = Forecast(*(np.zeros((150, 3)) for _ in range(4)))
    naive = dataclasses.replace(naive, scale=naive.scale + 0.01, variance=naive.variance + 1e-4)
    naive = dataclasses.replace(naive, df=naive.df + 5)
    rows = panels.scores(panel, panel.forecasts([naive] * 8))
    assert rows[2]["mae"] == pytest.approx(100 * np.abs(panel.value[..., 2]).mean())
    assert rows[0]["direction"] is None  # no change is no direction
    assert [row["forecasts"] for row in rows] == [120] * 3
    json.dumps(rows)


def test_baselines_are_fitted_again_at_each_window_and_on_its_past(panel, test_split):
    whole = backtesting.simple(panel, "log HAR", 3)
    changed = {name: [*rows] for name, rows in test_split.items()}
    changed["close"] = [
        row[:140] + [price * 1.1 for price in row[140:]] for row in changed["close"]
    ]
    other = backtesting.simple(panels.observe(changed, 3), "log HAR", 3)
    same = whole.variance == other.variance
    # The second window begins on day 140, which is forecast from the days before it.
    assert same[:, :6].all()
    assert not same[:, 10:].any()
    once = backtesting.simple(panel, "log HAR", 1)
    np.testing.assert_array_equal(once.variance[:, :5], whole.variance[:, :5])
    assert not (once.variance[:, 5:] == whole.variance[:, 5:]).any()


def test_a_backtest_is_complete_and_says_what_the_tests_say(predictor, tmp_path):
    result = zoo.backtest(predictor, windows=2, baselines="zero-return,EWMA", output=tmp_path)
    assert json.loads((tmp_path / "backtest.json").read_text()) == result
    assert result["kind"] == "backtest"
    assert list(result["scores"]) == ["network", "zero return", "EWMA"]
    assert [len(rows) for rows in result["scores"].values()] == [3, 3, 3]
    assert len(result["windows"]) == 2
    assert "not financial advice" in result["warning"]
    for name in ("fan", "calibration", "equity"):
        assert imread(tmp_path / f"{name}.png").std() > 0
    assert result["frequency"] == "day"
    (line,) = [line for line in result["verdicts"] if line.startswith("strategy of network")]
    assert "the range of random strategies with the same turnover" in line
    for name, tests in result["tests"].items():
        for measure, what in (("qlike", "QLIKE)"), ("qlike_squared", "QLIKE of squared returns)")):
            test = tests[measure][0]
            word = "better" if test["statistic"] < 0 else "worse"
            word = word if test["p"] < 0.05 else "no better"
            (line,) = [line for line in result["verdicts"] if what in line and name in line]
            assert f": {word} than {name} (p {test['p']:.2g})" in line
        test = tests["qlike"][0]
        means = [result["scores"][each][0]["qlike"] for each in ("network", name)]
        assert (test["statistic"] < 0) == (means[0] < means[1])
    # What the recipe's own evaluation says of one day ahead is the same.
    splits = predictor.recipe.data(predictor.config).load("sample")
    summary = predictor.recipe.evaluate(predictor.config, predictor.assets, predictor, splits.test)
    assert summary["qlike"] == result["scores"]["network"][0]["qlike"]
    assert summary["crps_3"] == result["scores"]["network"][2]["crps"]
    assert predictor.recipe.baseline(predictor.config, splits).keys() == set(METHODS)


def test_costs_are_taken_from_what_is_traded(panel):
    up = Forecast(*(np.ones((150, 3)) for _ in range(4)))
    forecasts = {"up": panel.forecasts([up] * 8)}
    free = strategies(panel, forecasts, 0.0)
    dear = strategies(panel, forecasts, 10.0)
    # Long of everything is to hold, and is bought once.
    np.testing.assert_allclose(free["up"].value, free["hold"].value)
    expected = np.cumprod(1 + panel_mean(panel))
    np.testing.assert_allclose(free["hold"].value, expected, rtol=1e-9)
    first = panel_mean(panel)[0]
    ratio = (1 + first - 0.001) / (1 + first)
    np.testing.assert_allclose(dear["up"].value / free["up"].value, ratio, rtol=1e-9)
    # Who always holds leaves nothing to luck.
    np.testing.assert_allclose(free["up"].luck[0], free["up"].luck[1])


def test_random_positions_are_held_and_traded_as_often(rng):
    held = np.zeros((2, 400), bool)
    held[0] = np.repeat(rng.random(40) < 0.6, 10)  # changes every ten days at most
    held[1] = rng.random(400) < 0.3
    known = np.ones_like(held)
    known[1, :50] = held[1, :50] = False  # listed later
    drawn = random_positions(held, known, 300, rng)
    assert drawn.shape == (300, 2, 400)
    assert not drawn[:, 1, :50].any()
    np.testing.assert_allclose(drawn.mean((0, 2)), held.mean(1), atol=0.04)
    trades = (drawn[..., 1:] != drawn[..., :-1]).sum(2).mean(0)
    np.testing.assert_allclose(trades, (held[:, 1:] != held[:, :-1]).sum(1), rtol=0.12)


def test_the_band_of_luck_holds_random_strategies_and_not_a_seer(panel, rng):
    signs = [rng.choice([-1.0, 1.0], (150, 3)) for _ in range(8)]
    lucky = panel.forecasts([Forecast(sign, *(np.ones((150, 3)),) * 3) for sign in signs])
    seer = dataclasses.replace(lucky, location=panel.value)
    found = strategies(panel, {"lucky": lucky, "seer": seer}, 5.0)
    results = {name: each.results for name, each in found.items()}
    assert results["seer"]["luck_share"] == 0
    assert results["seer"]["yearly_return"] > results["seer"]["luck_high"]
    low, high = (results["lucky"][name] for name in ("luck_low", "luck_high"))
    assert low < results["lucky"]["yearly_return"] < high
    assert "luck_low" not in results["hold"]


def panel_mean(panel):
    return np.expm1(panel.value[..., 0]).mean(axis=0)


def test_a_model_of_other_things_is_refused():
    other = next(row["name"] for row in zoo.list_models(pretrained=True)
                 if row["task"] != "forecasting")  # fmt: skip
    with pytest.raises(zoo.UsageError, match="forecasts no series"):
        zoo.backtest(other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 4}, "forecasts 1 to 3 days ahead; got 4"),
        ({"windows": 0}, "at least 1"),
        ({"windows": "x"}, "windows must be an integer"),
        ({"horizon": 1.5}, "horizon must be an integer"),
        ({"cost": "x"}, "cost must be a number"),
        ({"baselines": 5}, "baselines must be a list"),
        ({"baselines": [5]}, "A baseline must be a str"),
        ({"columns": 5}, "columns must be a dict"),
        ({"output": 5}, "output must be a str or a Path"),
        ({"output": __file__}, "is a file. Name a folder"),
        ({"baselines": "garh"}, r"Unknown baseline 'garh'. Did you mean 'garch'\?"),
    ],
)
def test_options_that_cannot_be(predictor, options, message):
    with pytest.raises(zoo.UsageError, match=message):
        zoo.backtest(predictor, **options)


def test_columns_of_a_table_by_other_names(predictor, tmp_path):
    from recipes.prices.stocks import sample

    rows = sample()
    first = {name: rows[name][0] for name in ("date", "open", "high", "low", "close")}
    frame = pd.DataFrame(first)
    due = predictor.predict(frame)
    renamed = frame.rename(columns={"close": "px"})
    renamed.to_csv(tmp_path / "px.csv", index=False)
    for table in (renamed, tmp_path / "px.csv", str(tmp_path / "px.csv")):
        assert predictor.predict(table, columns={"close": "px"}) == due
        with pytest.raises(zoo.UsageError, match="Unknown column 'clse'"):
            predictor.predict(table, columns={"clse": "px"})


def test_the_command_on_a_custom_file(run, tmp_path, monkeypatch, capsys):
    from recipes.prices.stocks import sample
    from zoo.cli import main

    rows = sample()
    lines = ["date,close"]
    lines += [
        f"{day},{price}" for day, price in zip(rows["date"][0], rows["close"][0], strict=True)
    ]
    file = tmp_path / "own.csv"
    # The days have a time of day, those of the training have none.
    file.write_text(
        "\n".join([lines[0], *(line.replace(",", " 16:00+01:00,") for line in lines[1:])])
    )
    command = ["zoo", "backtest", str(run), "--data", str(file), "--baselines", "ewma,garch"]
    monkeypatch.setattr("sys.argv", [*command, "--windows", "2", "-o", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stop:
        main()
    printed = capsys.readouterr().out
    assert stop.value.code == 0
    assert "GARCH" in printed
    assert "direction %" in printed
    assert "not financial advice" in printed
    assert "trained on days up to" in printed  # they are the sample's own
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("backtest.json", "fan.png", "calibration.png", "equity.png")
    }
    predictor = zoo.load(run)
    asked = predictor.recipe.module.read_input(predictor.config, str(file))
    answer = predictor.predict({"close": asked["close"]})[0]
    line = predictor.recipe.show({name: column[0] for name, column in asked.items()}, answer)
    assert " in 3 days, on 2020-06-01 16:00; 80 % between" in line


def test_what_is_wrong_with_the_file_is_one_line_and_repair_is_a_setting(predictor, tmp_path):
    lines = ["date,close", *(f"2020-01-{day:02},{100 + day % 3}" for day in range(1, 31))]
    lines += [f"2020-02-{day:02},{100 + day % 3}" for day in range(1, 29)]
    lines += [f"2020-03-{day:02},{100 + day % 3}" for day in range(1, 29)]
    lines[5], lines[6] = lines[6], lines[5]
    (tmp_path / "own.csv").write_text("\n".join(lines))
    load = predictor.recipe.data(predictor.config).load
    with pytest.raises(zoo.ZooError, match="not sorted by date") as caught:
        load(tmp_path / "own.csv")
    assert "\n" not in str(caught.value)
    config = dataclasses.replace(predictor.config, repair="sort")
    splits = predictor.recipe.data(config).load(tmp_path / "own.csv", log=lambda line: None)
    assert splits.test["begin"] == [77]
    assert "validation and test: the last days of the training rows" in splits.notes


def test_series_of_different_years_are_trained_on_and_tested(tmp_path, predictor):
    from recipes.prices.stocks import sample

    rows = sample()
    lines = ["date,ticker,close"]
    for ticker, year in (("OLD", "2020"), ("NEW", "2024")):  # two leap years
        lines += [
            f"{year}{day[4:]},{ticker},{price}"
            for day, price in zip(rows["date"][0], rows["close"][0], strict=True)
        ]
    file = tmp_path / "own.csv"
    file.write_text("\n".join(lines))
    settings = {"epochs": 1, "units": 4, "batch_size": 8, "horizon": 3}
    run = zoo.train(NAME, tmp_path / "run", data=file, settings=settings, quiet=True)
    assert run is not None
    notes = zoo.load(tmp_path / "run").data["notes"]
    assert "test has 1 of 2 series: the others have too few days in it" in notes
    result = zoo.backtest(predictor, file, windows=2, baselines="ewma,har")
    assert result["series"] == ["NEW"]
    assert result["days"][0] == "2024-03-16"  # half of a short series is its past
    assert "1 series omitted: they have too few days in that half" in result["data"]["notes"]


def test_a_series_that_begins_late_is_fitted_on_its_own_past(test_split):
    late = {name: [*rows] for name, rows in test_split.items()}
    for name in ("date", "open", "high", "low", "close", "volume"):
        late[name][0] = late[name][0][90:]  # 60 days, of which the first 45 are before the split
    late["begin"] = [20, *[100] * 7]
    panel = panels.observe(late, 3)
    assert panel.begins[:2] == [30, 100]
    whole = backtesting.simple(panel, "zero return", 2)
    # It is scored from its 30th day on, which is in the first window.
    days = panel.days[0]
    expected = 3 * np.nanmean(days.proxy[:28])
    np.testing.assert_allclose(whole.variance[0, 22, 2], expected, rtol=1e-6)


def test_a_table_of_prices_is_forecast_and_tested(predictor, tmp_path, test_split):
    days = pd.DatetimeIndex(test_split["date"][0], name="Date")
    names = ("open", "high", "low", "close")
    frame = pd.DataFrame({name.title(): test_split[name][0] for name in names}, days)
    frame.to_csv(tmp_path / "prices.csv")
    expected = predictor.predict({"close": [frame["Close"].tolist()]})
    for given in (frame, frame.reset_index(), str(tmp_path / "prices.csv"), [frame["Close"]]):
        (answer,) = predictor.predict(given)
        dates = answer.pop("dates", [])
        assert [answer] == expected
        assert bool(dates) == (not isinstance(given, list))  # one of a table has dates
        assert all(pd.Timestamp(day) > days[-1] for day in dates)
    found = zoo.backtest(predictor, frame, windows=2, baselines=["ewma"])
    again = zoo.backtest(predictor, tmp_path / "prices.csv", windows=2, baselines=["ewma"])
    assert found["scores"] == again["scores"]
    assert found["data"]["title"] == "in memory"
