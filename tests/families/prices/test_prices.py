"""Tables of prices: each error is named, and repaired on request only."""

import datetime
import math

import numpy as np
import pytest

from recipes.prices import reader as prices
from zoo import UsageError, ZooError


def rows(count=80, start=100.0, year=2020):
    """Returns a header and lines of a restless series, a day each."""
    first = datetime.date(year, 1, 1)
    lines = ["Date,Open,High,Low,Close,Volume"]
    for day in range(count):
        close = start * (1 + 0.02 * math.sin(day * day))
        lines.append(f"{first + datetime.timedelta(day)},{close:.3f},{close * 1.01:.3f},"
                     f"{close * 0.99:.3f},{close:.3f},1000")  # fmt: skip
    return lines


def change(number, column, value):
    """Returns a change of one cell; line 1 is the header."""

    def apply(lines):
        cells = lines[number - 1].split(",")
        cells[column] = value
        lines[number - 1] = ",".join(cells)

    return apply


def swap(lines):
    lines[10], lines[11] = lines[11], lines[10]


def repeat(lines):
    lines.insert(20, lines[19].replace(",1000", ",1001"))


def gap(lines):
    del lines[30:60]


def split(lines):
    for number in range(41, len(lines)):
        cells = lines[number].split(",")
        lines[number] = ",".join([cells[0], *(f"{float(x) / 2:.3f}" for x in cells[1:5]), "1000"])


def crash(lines):
    for number in range(41, len(lines)):
        cells = lines[number].split(",")
        lines[number] = ",".join([cells[0], *(f"{float(x) / 1.75:.3f}" for x in cells[1:5]), "1"])


@pytest.mark.parametrize(
    ("damage", "message", "repair", "left"),
    [
        (change(7, 4, ""), "days without a price (2020-01-06 on line 7)", "drop", 79),
        (change(7, 4, "nan"), "days without a price (2020-01-06 on line 7)", "drop", 79),
        (change(7, 4, "0"), "0 or negative (2020-01-06 on line 7)", "drop", 79),
        (change(9, 4, "-3.5"), "0 or negative (2020-01-08 on line 9)", "drop", 79),
        (change(5, 0, "soon"), "date cannot be read (no date on line 5)", "drop", 79),
        (swap, "not sorted by date (2020-01-10 on line 12)", "sort", 80),
        (repeat, "more than once (2020-01-19 on line 20)", "duplicates", 80),
        (gap, "gaps of up to 31 days (2020-02-29 on line 31)", "gaps", 60),
        (change(6, 3, "900"), "contradict themselves (2020-01-05 on line 6)", "bars", 80),
        (split, "jumps like those of a split", "splits", 80),
        (crash, "jumps of more than -39 %", "jumps", 80),
    ],
)
def test_errors_are_named_and_repaired_on_request(tmp_path, damage, message, repair, left):
    lines = rows(90 if damage is gap else 80)
    damage(lines)
    path = tmp_path / "own.csv"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ZooError) as caught:
        prices.read_prices(path)
    assert message in str(caught.value)
    assert "own.csv" in str(caught.value)
    way = f"`--repair {repair}` ({repair!r} {prices.REPAIRS[repair]})"
    assert way in str(caught.value)
    assert "\n" not in str(caught.value)
    others = [name for name in prices.REPAIRS if name not in (repair, "jumps")]
    with pytest.raises(ZooError, match="--repair ") as caught:  # no other repair helps
        prices.read_prices(path, repairs=others)
    all_of_them = [name for name in prices.REPAIRS if name in (repair, *others)]
    assert f"--repair {','.join(all_of_them)}`" in str(caught.value)
    examples, notes = prices.read_prices(path, repairs=(repair,))
    assert len(examples["close"][0]) == len(examples["date"][0]) == left
    assert examples["date"][0] == sorted(set(examples["date"][0]))
    assert len(notes) == 1
    assert repair in notes[0]


def test_a_split_is_divided_out(tmp_path):
    lines = rows()
    split(lines)
    (tmp_path / "own.csv").write_text("\n".join(lines))
    examples, _ = prices.read_prices(tmp_path / "own.csv", repairs=("splits",))
    # It may have been a crash as well: then it stays.
    kept, _ = prices.read_prices(tmp_path / "own.csv", repairs=("jumps",))
    straight, _ = prices.parse_prices("\n".join(rows()), "straight")
    assert kept["close"][0][:40] == straight["close"][0][:40]
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(
            np.array(examples[name][0]) * 2, straight[name][0], rtol=2e-5, err_msg=name
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Date,Close\n2020-01-01,5\n2020-01-02,6\n",
            "has 2 days (2020-01-01 on line 2, 2020-01-02",
        ),
        ("Date,Close\n", "has a header but no rows"),
        ("Close\n1\n2\n", "no column of dates: there is Close. Name it with --column date=NAME"),
        ("Date,Open\n2020-01-01,5\n", "no column of closing prices: there is Date, Open"),
        ("Date\n2020-01-01\n", "no column of prices beside 'Date'"),
        ("Date,Close\n2020-01-01,five\n", "has 0 days"),  # it is dropped
        ("Date,Close\n" + "".join(f"2020-03-{d:02},5\n" for d in range(1, 29)) * 1, "28 days"),
    ],
)
def test_errors_without_a_repair_are_named(text, message):
    with pytest.raises(ZooError) as caught:
        prices.parse_prices(text, "own.csv", repairs=tuple(prices.REPAIRS))
    assert message in str(caught.value)
    assert str(caught.value).startswith("own.csv")


def test_a_constant_series_is_named():
    lines = [f"{line.split(',')[0]},A,7.5" for line in rows()[1:]]
    with pytest.raises(ZooError, match=r"A is constant: every close from 2020-01-01 to 2020-03-20"):
        prices.parse_prices("\n".join(["date,ticker,close", *lines]), "own.csv")


def test_files_that_are_none(tmp_path):
    with pytest.raises(UsageError, match="no file"):
        prices.read_prices(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="is a folder"):
        prices.read_prices(tmp_path)
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    with pytest.raises(UsageError, match="has an unknown format"):
        prices.read_prices(tmp_path / "a.pdf")
    with pytest.raises(UsageError, match=r"Unknown repair 'sorted'. Did you mean 'sort'\?"):
        prices.parse_repairs("drop, sorted")
    assert prices.parse_repairs("sort, drop") == ("drop", "sort")


def test_long_wide_and_named_columns_are_the_same_prices():
    lines = [line.split(",") for line in rows()[1:]]
    long = ["symbol,day,close"]
    long += [f"{name},{cells[0]},{float(cells[4]) * factor}"
             for name, factor in (("A", 1), ("B", 3)) for cells in lines]  # fmt: skip
    wide = ["Date;A;B", *(f"{c[0]};{c[4]};{float(c[4]) * 3}" for c in lines)]
    own = ["Tag,Name,Schluss", *(f"{row.split(',')[1]},{row.split(',')[0]},{row.split(',')[2]}"
                                 for row in long[1:])]  # fmt: skip
    first, _ = prices.parse_prices("\n".join(long), "long")
    second, _ = prices.parse_prices("\n".join(wide), "wide")
    third, _ = prices.parse_prices("\n".join(own), "own", {"date": "Tag", "close": "Schluss"})
    assert first["ticker"] == ["A", "B"]
    assert first == second == third
    assert first["open"] == [[], []]
    with pytest.raises(ZooError, match=r"no column 'Shluss'. Did you mean 'Schluss'\?"):
        prices.parse_prices("\n".join(own), "own", {"date": "Tag", "close": "Shluss"})


def test_an_adjusted_close_adjusts_the_whole_bar():
    lines = [f"{line},{float(line.split(',')[4]) / 4:.5f}" for line in rows()[1:]]
    adjusted, _ = prices.parse_prices("\n".join([rows()[0] + ",Adj Close", *lines]), "own")
    plain, _ = prices.parse_prices("\n".join(rows()), "own")
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(np.array(adjusted[name]) * 4, plain[name], rtol=1e-5)


def test_splits_are_cut_in_time_with_an_embargo():
    examples, _ = prices.parse_prices("\n".join(rows(200)), "own")
    parts, _ = prices.TimeSplit(5)(examples, {"validation": 0.1, "test": 0.2})
    (train,), (validation,), (test,) = (parts[name]["date"] for name in parts)
    days = examples["date"][0]
    assert [parts[name]["begin"] for name in parts] == [[prices.WARM_UP], [140], [160]]
    assert (train, validation, test) == (days[:135], days[:155], days)
    for part in parts.values():
        assert {len(row) for name in ("open", "close", "volume") for row in part[name]} == {
            len(part["date"][0])
        }
    with pytest.raises(ZooError, match="too short to be split: validation would have 0 days"):
        prices.TimeSplit(20)(examples, {"validation": 0.1, "test": 0.2})


def test_series_of_different_years_are_cut_on_the_same_day():
    (old, _), (new, _), (long, _) = (
        prices.parse_prices("\n".join(lines), "own")
        for lines in (rows(200), rows(200, year=2023), rows(280))
    )
    examples = {name: old[name] + new[name] + long[name] for name in old}
    examples["ticker"] = ["old", "new", "long"]
    # Of 280 days of 2020 and 200 of 2023, the splits begin with the 337th and the 385th.
    parts, _ = prices.TimeSplit(5)(examples, {"validation": 0.1, "test": 0.2})
    assert [part["ticker"] for part in parts.values()] == [["old", "new", "long"], ["new"], ["new"]]
    assert [parts[name]["begin"] for name in ("validation", "test")] == [[56], [104]]
    assert [len(dates) for dates in parts["train"]["close"]] == [200, 51, 280]
    assert len(parts["validation"]["close"][0]) == 99
    # A series that is younger than a split is forecast there as soon as it has a past.
    parts, _ = prices.TimeSplit(5)(examples, {"validation": 1 / 12, "test": 5 / 12})
    assert [part["ticker"] for part in parts.values()] == [["old", "long"], ["long"], ["new"]]
    assert [len(dates) for dates in parts["train"]["close"]] == [200, 235]
    assert parts["validation"]["begin"] == [240]
    assert parts["test"]["begin"] == [27]


@pytest.mark.parametrize("zone", ["Z", "+01:00", "-05:00", "-0500", " UTC", "+09"])
def test_a_day_is_that_of_the_exchange(zone):
    def written(time):
        lines = [line.split(",", 1) for line in rows()[1:]]
        lines = [f"{day}{time if place else time.replace('0:00', '0:30')},{rest}"
                 for place, (day, rest) in enumerate(lines)]  # fmt: skip
        return prices.parse_prices("\n".join([rows()[0], *lines]), "own")[0]["date"][0]

    plain = prices.parse_prices("\n".join(rows()), "own")[0]["date"][0]
    midnight = written(f"T00:00:00{zone}")
    assert [day[:10] for day in midnight] == plain
    assert written(f" 16:00:00{zone}")[1:3] == ["2020-01-02T16:00:00", "2020-01-03T16:00:00"]
    assert (
        prices.parse_prices(
            "\n".join([rows()[0], *(line.replace(",", f"{zone},", 1) for line in rows()[1:])]),
            "own",
        )[0]["date"][0]
        == plain
    )


@pytest.mark.parametrize(
    ("ratio", "factor"),
    [(1 / 7.7, 1 / 8), (1 / 7.2, 1 / 7), (7.7, 8), (5.4, 5), (0.5, 0.5), (1 / 1.5, 0), (12.3, 0)],
)
def test_a_split_is_the_nearest_one(ratio, factor):
    assert prices._split_of(ratio) == factor
