"""Daily price data: three US stocks from a wheel, 31 more by URL, and exchange rates.

AAPL, IBM and MSFT, March 2000 to March 2013, are sample data of Bokeh, adjusted for splits and
dividends. The 31 stocks, 2006 to 2017, are 28 members of the Dow Jones index of 2018 and AABA,
AMZN and GOOGL, as S. Lee collected them; adjusted for splits. Their last three years are the test
split and the year before them is the validation split.

Exchange rates of eight currencies on 7,588 days: G. Lai, W. Chang, Y. Yang, H. Liu: Modeling Long-
and Short-Term Temporal Patterns with Deep Neural Networks, SIGIR 2018; split 60/20/20 in order, as
in that paper. The file gives no dates; its days are numbered.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.prices.reader import (
    COLUMNS,
    REPAIRS,
    WARM_UP,
    TimeSplit,
    parse_prices,
    parse_repairs,
    read_prices,
)
from zoo.data import Dataset, Examples, File, Urls, Wheel

if TYPE_CHECKING:
    from zoo.data import Splits
    from zoo.data.reading import Reading

GITHUB = "https://raw.githubusercontent.com"
DOW = (
    f"{GITHUB}/szrlee/Stock-Time-Series-Analysis/8da42f14ae64fca79b9b8b51208e98674fc3d4e9/data/"
    "{}_2006-01-01_to_2018-01-01.csv"
)
EXCHANGE = (
    f"{GITHUB}/laiguokun/multivariate-time-series-data/7f402f185cc2435b5e66aed13a3b560ed142e023/"
    "exchange_rate/exchange_rate.txt.gz"
)
CURRENCIES = ("AUD", "GBP", "CAD", "CHF", "CNY", "JPY", "NZD", "SGD")
THREE = ("AAPL,", "IBM,", "MSFT,")
VALIDATION, TEST = "2014-01-01", "2015-01-01"  # first days of these splits for the 31 stocks

TICKERS = (  # name, SHA-256 and bytes of the file
    ("AABA", "219a6434d20f717ed921a8335ff9b3c9ca9d04b0c0b0e266db010cb922c040eb", 145792),
    ("AAPL", "9a4d1d99d708b3a213fe4e709ba2e214fa67aed127972636d61823b87a843f5f", 150601),
    ("AMZN", "640b5fff5fe6d0bbc523b6d893d6fa4758cb9c5ebf2d43ccda4adf0683cd1fba", 151374),
    ("AXP", "cb85ecf1af6698416999b5e57429936a0fc7ad89b6fdc65f637f0b6e54597f5c", 140873),
    ("BA", "b31266aabe8a30f8e50249518d95dfae330d3103098b2567bc198efa6bde4a5e", 141901),
    ("CAT", "e8a5c568222ad3fd0faf805d2b4fb107df08c0fdd5cd4815ac565495cf815ec3", 142412),
    ("CSCO", "d9d15afb2f1a02680419f9de745e6b2b6bd48ab22c4aca5d30284770431feaba", 146434),
    ("CVX", "7ca6687df5a18364ff710e73703ca5a9af0953dc9bc3f9b371ee5e7fab167773", 146892),
    ("DIS", "954da09ba804110caecfe5e84b823d5ebfa4a2465b755488f7aa0c519a5d62a7", 143304),
    ("GE", "64254565e5f0e39c662acdb9e6efff9e0fb7a68e21247d8d5a5874435809af78", 140489),
    ("GOOGL", "9c79387d8d17f700eac8adc728e3e2ca1753a545b3f3a2b8a8c9c5dfe2f8d50a", 158672),
    ("GS", "899433dbf9c436588522660f0368fd7bd1512bcdc99e877d769f588cae168a33", 148502),
    ("HD", "de56863a01ac78e0d5471d51612bd09de3735d560a042b1d7c9e933b56b6774e", 141725),
    ("IBM", "91cbf31153bc397720a79bb4fb516f7ecc2e6440bc6b6591cfff6f02799ab169", 150445),
    ("INTC", "3f863a7eeceb2ed8afc2679f46a3ed8f2ad726a3fb20bb1c73630214b19a14f6", 146447),
    ("JNJ", "a269e31a74395e754b8885d635d94bd929cd305e75b3b12cd8a727445a2d72cb", 144626),
    ("JPM", "c744d6af260de2fad88ac670cae0e45bd98a990a1b36b60fef0fb73a7b8e831b", 143231),
    ("KO", "f223eac29fed8636549689269c1fb249423427e828416e2da2874113e233969f", 139766),
    ("MCD", "eb7b1d44bef6fb735b5f0df5a5f931cf615d2123ceac9f41a6ecc0710cbe0f41", 143342),
    ("MMM", "9a7eaf3641e23fb7f7adfc9fecbe9e0d50148f7837b07bbdc1d748c0903b9b96", 145169),
    ("MRK", "ac534f213da74cc3cf2e73221c6c93dafdbfe54e115d3b5301c646a3d707f229", 142148),
    ("MSFT", "1f1c9b6e9b78c16c5ff03411581c92f62662adb86b8eaf3590ea68cbf3f245da", 146452),
    ("NKE", "fd217648adc1844d1fcd1df0f995ab98c9a8917659922d5425c86bd6f8bc166d", 141430),
    ("PFE", "c3f74abb871740b97a1bd040f5888feb6f60eb9bc8d234505cfe93bb3cc013f9", 143492),
    ("PG", "0d679ad59346a7d2aa6d65207d06fbe6775142a345032b4096247150c68be30c", 138418),
    ("TRV", "d33699ff69b2cf4eedbe744470edddf18c2b9b1ea8ccbf2d6749605e6d94c54e", 143416),
    ("UNH", "66ee860085287fca854c6b6159d52d78a930baa781d9834697dc2e39134b8900", 143830),
    ("UTX", "a7fb945e2b69f5c5f29076d6ea4e4ad658e23b47453b718132edcba38336d653", 144065),
    ("VZ", "75366d22ef3eba5987fd36d14f62c91e829f141fd696077bb127b53cdf2f4321", 139799),
    ("WMT", "cb8c0d01c8360d2b05131b7eddce12016cb5f9827a403f5b2232ef2d67c77f94", 141823),
    ("XOM", "dbce1279e461f57e69c5f2f6f5b064587164423ec2e12c1240e4d26e88f45d37", 143104),
)


def sample() -> Examples:
    """Returns synthetic series with volatile and calm days, for the tests."""
    import datetime
    import math
    import random

    examples: Examples = {column: [] for column in COLUMNS}
    first = datetime.date(2020, 1, 1)
    for number in range(8):
        draw = random.Random(f"series {number}").random
        close, bars, spread = 20.0 + 10 * number, [], 0.01
        for _ in range(150):
            shock = sum(draw() for _ in range(6)) - 3  # nearly normal, of variance 1/2
            opened = close * math.exp(spread * (draw() - 0.5) / 2)
            spread = math.sqrt(4e-6 + 0.9 * spread**2 + 0.15 * (spread * shock) ** 2)
            close = opened * math.exp(spread * shock)
            high = max(opened, close) * math.exp(spread * draw() / 2)
            low = min(opened, close) * math.exp(-spread * draw() / 2)
            bars.append([round(price, 4) for price in (opened, high, low, close)])
            close = bars[-1][-1]
        days = [first + datetime.timedelta(days=day) for day in range(150)]
        examples["ticker"].append(f"MADE{number}")
        examples["date"].append([day.isoformat() for day in days])
        for column, name in enumerate(("open", "high", "low", "close")):
            examples[name].append([bar[column] for bar in bars])
        examples["volume"].append([1000.0] * 150)
        examples["begin"].append(WARM_UP)
    return examples


def write_example(path: Path) -> Path:
    """Writes the first series of `sample` as a CSV file, one row per day; returns its path."""
    import csv

    examples = sample()
    series = {name: examples[name][0] for name in ("date", "open", "high", "low", "close")}
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(series)
        writer.writerows(zip(*series.values(), strict=True))
    return path


def read_dow(paths: Sequence[Path], *, horizon: int) -> tuple[dict[str, Examples], list[str]]:
    """Reads one file per stock; the splits begin on the same day for all stocks."""
    from bisect import bisect_left

    examples: Examples = {column: [] for column in COLUMNS}
    notes = []
    for path in paths:
        series, more = read_prices(path, repairs=("bars",))
        for column, values in series.items():
            examples[column] += values
        notes += more
    begins = {
        name: [bisect_left(dates, day) for dates in examples["date"]]
        for name, day in (("validation", VALIDATION), ("test", TEST))
    }
    return TimeSplit(horizon).at(examples, begins), [
        f"{len(notes)} stocks have days whose open, high and low contradict each other; these "
        "are omitted"
    ]


def read_bokeh(members: Mapping[str, bytes]) -> tuple[dict[str, Examples], list[str]]:
    """Reads the table of the three stocks."""
    import gzip

    (content,) = members.values()
    header, *lines = gzip.decompress(content).decode("utf-8").splitlines()
    # The other stocks in the file began later.
    lines = [line for line in lines if line.startswith(THREE)]
    # Apple's share lost half of its price on 29 September 2000; this was not a split.
    examples, notes = parse_prices(
        "\n".join([header, *lines]), "stocks.csv.gz", repairs=("bars", "jumps")
    )
    return {"train": examples}, notes


def read_rates(paths: Sequence[Path], *, horizon: int) -> tuple[dict[str, Examples], list[str]]:
    """Reads a table without a header: one row per day, one column per currency."""
    import gzip

    rows = [
        [float(cell) for cell in line.split(",")]
        for line in gzip.decompress(paths[0].read_bytes()).decode("ascii").split()
    ]
    days, size = [f"{day:05}" for day in range(1, len(rows) + 1)], len(CURRENCIES)
    examples: Examples = {column: [[] for _ in CURRENCIES] for column in COLUMNS}
    examples["ticker"], examples["begin"] = list(CURRENCIES), [WARM_UP] * size
    examples["date"] = [list(days) for _ in CURRENCIES]
    examples["close"] = [list(column) for column in zip(*rows, strict=True)]
    begins = {
        name: [int(share * len(rows))] * size
        for name, share in (("validation", 0.6), ("test", 0.8))
    }
    return TimeSplit(horizon).at(examples, begins), []


def read_custom(
    path: Path,
    columns: Mapping[str, str] | None = None,
    *,
    repairs: Sequence[str],
    reading: Reading | None = None,
) -> Examples:
    """Reads a custom table; notes on it are added to `reading`."""
    from zoo.data.reading import Reading

    reading = reading or Reading()
    examples, notes = read_prices(path, columns, repairs=repairs, reading=reading)
    for note in (describe(examples, path.name), *notes):
        reading.note(note)
    return examples


def describe(examples: Examples, where: str) -> str:
    """Returns a description of the series: their number, frequency, and first and last dates."""
    from recipes.prices.answers import readable
    from recipes.prices.frequency import frequency_of

    dates = examples["date"]
    kinds = dict.fromkeys(frequency_of(each).each for each in dates)
    first, last = min(each[0] for each in dates), max(each[-1] for each in dates)
    sizes = sorted({len(each) for each in dates})
    rows = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    return (
        f"{where}: {len(dates):,} series of {rows} rows, one {' or '.join(kinds)}, "
        f"{readable(first)} to {readable(last)}"
    )


def facts(splits: Splits, horizon: int) -> list[str]:
    from recipes.prices.facts import of_prices

    return of_prices(splits, horizon)


def stocks(horizon: int, repairs: str) -> Dataset:
    """Returns the data, split for forecasts of `horizon` days.

    Args:
      horizon: days ahead.
      repairs: for custom tables, as for `recipes.prices.reader.parse_repairs`.
    """
    return Dataset(
        name="stocks",
        title="Daily prices of stocks",
        homepage="https://pypi.org/project/bokeh-sampledata/",
        licence="see the source",
        columns=COLUMNS,
        sources=(
            Wheel(
                "bokeh-sampledata==2026.1",
                title="AAPL, IBM and MSFT, 2000–2013 (Bokeh)",
                member="bokeh_sampledata/_data/stocks.csv.gz",
                sha256="f40331a40ca30c64a1c1471835aad9006b61b0d9731a3f649ee8cbbf48d3822f",
                size=12_835_603,
                read=read_bokeh,
                licence="public domain",
            ),
            Urls(
                tuple(File(DOW.format(name), digest, size) for name, digest, size in TICKERS),
                key="dow",
                title="31 US stocks, 2006–2017 (Dow)",
                read=functools.partial(read_dow, horizon=horizon),
                licence="none stated",
            ),
            Urls(
                (
                    File(
                        EXCHANGE,
                        "6a4fbb561dcdee43f071a83badbeec9223a335552278348656738b556f1c2e9d",
                        177_142,
                    ),
                ),
                key="exchange",
                title="exchange rates (LSTNet, 60/20/20)",
                read=functools.partial(read_rates, horizon=horizon),
                licence="none stated",
            ),
        ),
        on_request=("exchange",),
        sample=sample,
        label="",
        deduplicate_by="",
        reader=functools.partial(read_custom, repairs=parse_repairs(repairs)),
        splitter=TimeSplit(horizon),
        facts=functools.partial(facts, horizon=horizon),
        repairs=tuple(REPAIRS),
    )
