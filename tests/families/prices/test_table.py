"""Tables of prices as exchanges, brokers, banks and programs write them: the same prices."""

import datetime
import math

import numpy as np
import pandas as pd
import pytest

from recipes.prices import reader as prices
from zoo import UsageError, ZooError
from zoo.data.reading import Reading, ReadOptions

DAYS = [
    day for day in (datetime.date(2023, 3, 1) + datetime.timedelta(days=n) for n in range(140))
    if day.weekday() < 5
]  # fmt: skip
# Thousands, so that they can be grouped; a bar a day.
CLOSES = [round(4000 * (1 + 0.02 * math.sin(n * n)), 2) for n in range(len(DAYS))]
BARS = [
    (close, round(close * 1.01, 2), round(close * 0.99, 2), close, 1_250_000) for close in CLOSES
]


def read(path, content, written="utf-8", min_days=60, **options):
    path.write_bytes(content.encode(written))
    reading = Reading(ReadOptions(**options))
    examples, notes = prices.read_prices(path, min_days=min_days, reading=reading)
    return examples, [*reading.notes, *notes]


def english(number):
    return f"{number:,.2f}"


def german(number):
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def newest_first(header, line):
    rows = [line(day, *bar) for day, bar in zip(DAYS, BARS, strict=True)]
    return "\n".join([*header, *reversed(rows)]) + "\n"


def oldest_first(header, line, end=""):
    rows = [line(day, *bar) for day, bar in zip(DAYS, BARS, strict=True)]
    return "\n".join([*header, *rows]) + "\n" + end


FILES = {
    "yahoo, old": oldest_first(
        ["Date,Open,High,Low,Close,Adj Close,Volume"],
        lambda day, o, h, low, c, v: f"{day},{o},{h},{low},{c},{c},{v}",
        end="2023-07-19,null,null,null,null,null,null\n",
    ),
    "yahoo, from the page": newest_first(
        ["Date\tOpen\tHigh\tLow\tClose*\tAdj Close**\tVolume"],
        lambda day, o, h, low, c, v: "\t".join(
            [f"{day:%b %d, %Y}", *map(english, (o, h, low, c, c)), f"{v:,}"]
        ),
    ),
    "yfinance": oldest_first(
        ["Price,Close,High,Low,Open,Volume", "Ticker,MSFT,MSFT,MSFT,MSFT,MSFT", "Date,,,,,"],
        lambda day, o, h, low, c, v: f"{day},{c},{h},{low},{o},{v}",
    ),
    "yfinance, by ticker": oldest_first(
        ["Ticker,MSFT,MSFT,MSFT,MSFT,MSFT", "Price,Open,High,Low,Close,Volume", "Date,,,,,"],
        lambda day, o, h, low, c, v: f"{day},{o},{h},{low},{c},{v}",
    ),
    "pandas, two levels": oldest_first(
        [",MSFT,,,,", "Date,Open,High,Low,Close,Volume"],
        lambda day, o, h, low, c, v: f"{day} 00:00:00-04:00,{o},{h},{low},{c},{v}",
    ),
    "stooq": oldest_first(
        ["Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen"],
        lambda day, o, h, low, c, v: f"{day},{o},{h},{low},{c},{v}",
    ),
    "stooq, bulk": oldest_first(
        ["<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"],
        lambda day, o, h, low, c, v: f"MSFT,D,{day:%Y%m%d},000000,{o},{h},{low},{c},{v},0",
    ),
    "investing": newest_first(
        ['"Date","Price","Open","High","Low","Vol.","Change %"'],
        lambda day, o, h, low, c, v: ",".join(
            f'"{cell}"'
            for cell in (f"{day:%m/%d/%Y}", *map(english, (c, o, h, low)), "1.25M", "-0.50%")
        ),
    ),
    "investing, german": newest_first(
        ['"Datum","Zuletzt","Eröffn.","Hoch","Tief","Vol.","+/- %"'],
        lambda day, o, h, low, c, v: ",".join(
            f'"{cell}"'
            for cell in (f"{day:%d.%m.%Y}", *map(german, (c, o, h, low)), "1,25M", "-0,50%")
        ),
    ),
    "nasdaq": newest_first(
        ["Date,Close/Last,Volume,Open,High,Low"],
        lambda day, o, h, low, c, v: f"{day:%m/%d/%Y},${c},{v},${o},${h},${low}",
    ),
    "bank": newest_first(
        ["Kursübersicht MSFT", "Börse: München; Währung: EUR", "",
         "Datum;Eröffnung;Hoch;Tief;Schluss;Volumen"],
        lambda day, o, h, low, c, v: ";".join(
            [f"{day:%d.%m.%Y}", *(f"{german(x)} €" for x in (o, h, low, c)), german(v)]
        ),
    ),
    "bank, two digits": oldest_first(
        ["Datum;Eröffnung;Hoch;Tief;Schluss;Stücke"],
        lambda day, o, h, low, c, v: f"{day:%d.%m.%y};" + ";".join(map(german, (o, h, low, c, v))),
        end="Summe;;;;;\n",
    ),
    "french": oldest_first(
        ["Date;Ouverture;+ Haut;+ Bas;Clôture;Volume"],
        lambda day, o, h, low, c, v: f"{day:%d/%m/%Y};" + ";".join(
            f"{x:,.2f}".replace(",", " ").replace(".", ",") for x in (o, h, low, c, v)
        ),
    ),
    "excel, with months": oldest_first(
        ["sep=;", "Date;Open;High;Low;Close;Volume"],
        lambda day, o, h, low, c, v: f"{day:%d-%b-%Y};{o};{h};{low};{c};{v}",
    ),
    "seconds": oldest_first(
        ["timestamp,open,high,low,close,volume"],
        lambda day, o, h, low, c, v: (
            f"{int((day - datetime.date(1970, 1, 1)).total_seconds())},{o},{h},{low},{c},{v}"
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("name", FILES)
def test_each_export_gives_the_same_prices(tmp_path, name, encoding):
    examples, _ = read(tmp_path / "own.csv", FILES[name], encoding, encoding=encoding)
    assert examples["date"] == [[day.isoformat() for day in DAYS]]
    assert examples["close"] == [CLOSES]
    assert examples["high"] == [[bar[1] for bar in BARS]]
    assert examples["low"] == [[bar[2] for bar in BARS]]
    assert examples["volume"] == [[1_250_000.0] * len(DAYS)]
    assert examples["open"] == [CLOSES]
    with_ticker = "MSFT," in FILES[name]
    assert examples["ticker"] == ["MSFT" if with_ticker else ""]


def test_what_was_found_out_is_said(tmp_path):
    _, notes = read(tmp_path / "own.csv", FILES["bank"], "cp1252")
    assert notes == [
        "own.csv: encoding cp1252, a table that begins on line 4, separated by semicolons, dates "
        "that begin with the day, numbers with a decimal comma, grouped thousands, currency signs "
        "omitted",
        "own.csv stands newest first; it is read from its end",
    ]
    plain = oldest_first(["Date,Close"], lambda day, o, h, low, c, v: f"{day},{c}")
    assert read(tmp_path / "own.csv", plain)[1] == []


def test_tickers_stay_text_and_late_listings_begin_late(tmp_path):
    names = ("000001", "NA", "TRUE", "1e5", "None")
    lines = ["Date," + ",".join(names)]
    for number, (day, close) in enumerate(zip(DAYS, CLOSES, strict=True)):
        late = "" if number < 30 or number == 50 else close
        lines.append(f"{day},{close},{close},{close},{close},{late}")
    examples, notes = read(tmp_path / "wide.csv", "\n".join(lines))
    assert examples["ticker"] == [*names]
    assert [len(row) for row in examples["close"]] == [100, 100, 100, 100, 69]
    assert examples["date"][4][0] == DAYS[30].isoformat()
    assert notes == ["wide.csv: 31 empty cells: days on which a series has no price"]
    long = ["date,ticker,close"]
    for name in names:
        long += [f"{day},{name},{close}" for day, close in zip(DAYS, CLOSES, strict=True)]
    assert read(tmp_path / "long.csv", "\n".join(long))[0]["ticker"] == [*names]


def test_other_formats_hold_the_same_prices(tmp_path):
    frame = pd.DataFrame({"Date": pd.to_datetime(DAYS), "Close": CLOSES, "Ticker": "007"})
    frame.to_parquet(tmp_path / "own.parquet")
    frame.to_json(tmp_path / "own.jsonl", orient="records", lines=True, date_format="iso")
    for name in ("own.parquet", "own.jsonl"):
        examples, _ = prices.read_prices(tmp_path / name)
        assert examples["close"] == [CLOSES]
        assert examples["date"] == [[day.isoformat() for day in DAYS]]
        assert examples["ticker"] == ["007"]


def dated(days, form):
    lines = [f"{day.strftime(form)},{close}" for day, close in zip(days, CLOSES, strict=False)]
    return "\n".join(["Date,Close", *lines])


def test_the_whole_column_decides_on_the_day_and_else_it_is_asked_for(tmp_path):
    days = [day for day in DAYS if day.day <= 12]
    january = [datetime.date(2023, 1, day) for day in range(1, 12)]
    for form, first in (("%d/%m/%Y", True), ("%m/%d/%Y", False)):
        examples, notes = read(tmp_path / "own.csv", dated(DAYS, form))
        assert examples["date"][0] == [day.isoformat() for day in DAYS]
        which = "day" if first else "month"
        assert notes == [f"own.csv: dates that begin with the {which}"]
        # Only one way puts these in order.
        text = dated(days, form)
        examples, _ = read(tmp_path / "own.csv", text, repair="gaps", min_days=30)
        assert examples["date"][0] == [day.isoformat() for day in days]
    short = dated(january, "%m/%d/%Y")
    path = tmp_path / "short.csv"
    with pytest.raises(UsageError, match=r"01/01/2023.* Say which with --dayfirst or --monthfirst"):
        read(path, short)
    for first, begin in ((True, "2023-11-01"), (False, "2023-01-11")):
        found, _ = read(path, short, min_days=2, dayfirst=first, repair="gaps")
        assert found["date"][0][-1] == begin


def test_a_comma_that_may_be_either_is_asked_for(tmp_path):
    lines = [f"{day};1,{number % 7 + 100}" for number, day in enumerate(DAYS)]
    text = "\n".join(["Date;Close", *lines])
    with pytest.raises(UsageError, match="--decimal comma or --decimal point"):
        read(tmp_path / "own.csv", text)
    assert read(tmp_path / "own.csv", text, decimal="comma")[0]["close"][0][0] == 1.1
    assert read(tmp_path / "own.csv", text, decimal="point")[0]["close"][0][0] == 1100


def test_a_cell_that_is_no_number_is_named_and_dropped_on_request(tmp_path):
    lines = [f"{day},{close}" for day, close in zip(DAYS, CLOSES, strict=True)]
    lines[5] = f"{DAYS[5]},0.24 Dividend"
    text = "\n".join(["Date,Close", *lines])
    with pytest.raises(ZooError, match=r"'0.24 Dividend', which is not a number \(2023-03-08"):
        read(tmp_path / "own.csv", text)
    assert (
        read(tmp_path / "own.csv", text, drop_bad=True)[0]
        == read(tmp_path / "own.csv", text, repair="drop")[0]
    )
    examples, notes = read(tmp_path / "own.csv", text, repair="drop")
    assert len(examples["close"][0]) == len(DAYS) - 1
    assert "without a price (2023-03-08 on line 7); repaired by 'drop'" in notes[0]


def years(*closed, start=2019, count=3, ticker="A"):
    """Returns lines of all weekdays of some years but those from one date up to another."""
    lines = []
    for day in pd.bdate_range(f"{start}-01-01", f"{start + count - 1}-12-31"):
        if not any(first <= f"{day:%Y-%m-%d}" <= last for first, last in closed):
            lines.append(f"{day:%Y-%m-%d},{ticker},{100 + np.sin(day.day_of_year**2):.3f}")
    return lines


GOLDEN_WEEK = ("2019-04-29", "2019-05-06")
MONTH = ("2020-03-02", "2020-03-31")


@pytest.mark.parametrize(
    ("lines", "gap"),
    [
        (years(GOLDEN_WEEK), ""),
        (years(MONTH), "A has gaps of up to 33 days (2020-04-01"),
        # Another series shows that the market was closed, or that it was open.
        (years(MONTH) + years(MONTH, ticker="B"), ""),
        (years(MONTH) + years(ticker="B"), "A has gaps"),
        (years(GOLDEN_WEEK) + years(ticker="B"), "A has gaps of up to 11 days"),
        (years(GOLDEN_WEEK) + years(GOLDEN_WEEK, ticker="B") + years(ticker="US"), ""),
        # A series that begins later says nothing.
        (years(MONTH) + years(start=2021, ticker="B"), "A has gaps"),
        # It is closed at that season in other years, too.
        (years(MONTH, ("2019-03-11", "2019-03-29")), ""),
        (years(MONTH, ("2019-08-01", "2019-08-29")), "A has gaps"),
    ],
)
def test_a_closed_market_is_no_gap(tmp_path, lines, gap):
    text = "\n".join(["date,ticker,close", *lines])
    if gap:
        with pytest.raises(ZooError) as caught:
            read(tmp_path / "own.csv", text)
        assert gap in str(caught.value)
        read(tmp_path / "own.csv", text, repair="gaps")
        return
    _, notes = read(tmp_path / "own.csv", text)
    assert "the market was closed for up to" in notes[0]


def test_what_has_one_reading_needs_no_repair(tmp_path):
    lines = [f"{day},{close}" for day, close in zip(DAYS, CLOSES, strict=True)]
    whole, _ = read(tmp_path / "own.csv", "\n".join(["Date,Close", *lines]))
    for changed, note in (
        (lines[::-1], "stands newest first"),
        ([*lines, lines[-1]], "has the same row twice (2023-07-18 on line 101); it counts once"),
        ([*lines, "2023-07-19,"], "ends with rows without a price (2023-07-19 on line 102)"),
        (["2023-02-28,-", *lines], "begins or ends with rows without a price (2023-02-28 on"),
    ):
        found, notes = read(tmp_path / "own.csv", "\n".join(["Date,Close", *changed]))
        assert found == whole
        assert len(notes) == 1
        assert note in notes[0]


def test_columns_that_can_be_read_in_two_ways_are_asked_for(tmp_path):
    lines = [f"{day},{close},{2 * close},note" for day, close in zip(DAYS, CLOSES, strict=True)]
    path = tmp_path / "own.csv"
    with pytest.raises(ZooError, match=r"columns for close: 'Close' and 'close'\. Name one"):
        read(path, "\n".join(["Date,Close,close,Note", *lines]))
    path.write_text("\n".join(["Date,Close,close,Note", *lines]))
    assert prices.read_prices(path, {"close": "close"})[0]["close"][0][0] == 2 * CLOSES[0]
    with pytest.raises(ZooError, match=r"has no header: it begins with 2023-03-01, 4000\.0"):
        read(path, "\n".join(lines))
    examples, notes = read(path, "\n".join(["Date,AAPL,MSFT,Note", *lines]))
    assert examples["ticker"] == ["AAPL", "MSFT"]
    assert notes == ["own.csv: column 'Note' has no number; it is omitted"]


@pytest.mark.parametrize(
    ("form", "second"),
    [("{0}-{1:02}", "2000-02-01"), ("{0}Q{2}", "2000-04-01"), ("{3}", "1901-01-01")],
)
def test_dates_of_months_quarters_and_years(tmp_path, form, second):
    lines = []
    for number, close in enumerate(CLOSES):
        months = 3 * number if "Q" in form else number
        year, month = 2000 + months // 12, months % 12 + 1
        lines.append(f"{form.format(year, month, (month + 2) // 3, 1900 + number)},{close}")
    examples, _ = read(tmp_path / "own.csv", "\n".join(["Date,Close", *lines]))
    assert examples["date"][0][1] == second
    assert len(examples["date"][0]) == len(CLOSES)
