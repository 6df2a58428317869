"""The readers of the published prices, on small files of their shape."""

import datetime
import gzip
import math

import numpy as np

from recipes.prices import stocks


def lines(first, count, header, row):
    days = [first + datetime.timedelta(days=day) for day in range(count)]
    return "\n".join([header, *(row(day, 50 + 5 * math.sin(n)) for n, day in enumerate(days))])


def test_the_test_split_of_the_stocks_begins_on_the_same_day(tmp_path):
    paths = []
    for name, first in (("AAA", datetime.date(2013, 6, 3)), ("BBB", datetime.date(2013, 8, 1))):
        text = lines(
            first, 700, "Date,Open,High,Low,Close,Volume,Name",
            lambda day, p, name=name: f"{day},,{p * 1.01},{p * 0.99 * (day.day != 7)},{p},9,{name}",
        )  # fmt: skip
        paths.append(tmp_path / f"{name}.csv")
        paths[-1].write_text(text)
    parts, notes = stocks.read_dow(paths, horizon=7)
    assert list(parts) == ["train", "validation", "test"]
    for name, day in (("validation", "2014-01-01"), ("test", "2015-01-01")):
        assert parts[name]["ticker"] == ["AAA", "BBB"]
        for dates, begin in zip(parts[name]["date"], parts[name]["begin"], strict=True):
            assert dates[begin] == day
    assert [dates[-1] for dates in parts["train"]["date"]] == ["2013-12-24"] * 2
    assert [dates[-1] for dates in parts["validation"]["date"]] == ["2014-12-24"] * 2
    assert parts["test"]["open"] == [[], []]  # every one of them is missing
    assert notes[0].startswith("2 stocks have days whose open, high and low contradict")


def test_the_exchange_rates_are_split_as_published(tmp_path):
    rows = [",".join(str(1 + n / 100 + c) for c in range(8)) for n in range(200)]
    (tmp_path / "rates.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    parts, _ = stocks.read_rates([tmp_path / "rates.gz"], horizon=24)
    assert parts["test"]["begin"] == [160] * 8
    assert parts["validation"]["begin"] == [120] * 8
    ends = [len(part["close"][0]) for part in parts.values()]
    assert ends == [120 - 24, 160 - 24, 200]
    assert parts["test"]["close"][7][-1] == 1 + 1.99 + 7
    assert parts["test"]["high"] == [[]] * 8


def test_the_wheel_holds_adjusted_prices():
    text = "Ticker,Date,Open,High,Low,Close,Volume,Adj Close"
    for name in ("AAPL", "FB", "MSFT"):
        text += lines(
            datetime.date(2020, 1, 1), 70, "",
            lambda day, p, name=name: f"{name},{day},{p},{p},{p},{p},1,{p / 2}",
        )  # fmt: skip
    parts, _ = stocks.read_bokeh({"stocks.csv.gz": gzip.compress(text.encode())})
    assert list(parts) == ["train"]
    assert parts["train"]["ticker"] == ["AAPL", "MSFT"]
    assert parts["train"]["close"][0][0] == parts["train"]["open"][0][0] == 25


def test_a_tiny_part_has_the_same_series_in_every_split():
    splits = stocks.stocks(5, "").load("sample", tiny=True)
    for part in (splits.train, splits.validation, splits.test):
        assert part["ticker"] == ["MADE0", "MADE1", "MADE2", "MADE3"]


def test_what_is_learnt_is_of_the_past_alone():
    from recipes.prices.reader import TimeSplit
    from recipes.stocks import RECIPES, batches, prepare

    config = RECIPES["stocks-gru"]
    learnt = []
    for factor in (1.0, 3.0):
        examples = stocks.sample()
        for name in ("open", "high", "low", "close"):
            # Of 150 days, validation begins with the 120th and the embargo with the 115th.
            examples[name] = [row[:115] + [p * factor for p in row[115:]] for row in examples[name]]
        parts, _ = TimeSplit(config.horizon)(examples, {"validation": 0.1, "test": 0.1})
        assets = prepare(config, parts["train"])
        rows = batches(config, assets, parts["train"])
        later = batches(config, assets, parts["validation"])
        learnt.append((assets, rows.x.values, rows.y.values, later.y.values))
    (assets, *train, later), (other, *others, changed) = learnt
    assert assets == other
    assert assets["until"] == "2020-04-24"
    for ours, theirs in zip(train, others, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(later, changed)
