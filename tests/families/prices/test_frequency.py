"""The distance of rows is read from their dates, and the dates to come follow it."""

import pandas as pd
import pytest

from recipes.prices.frequency import (
    Frequency,
    dates_after,
    frequency_of,
    parse_frequency,
    steps_in_year,
)


def stamps(start, periods, freq):
    times = pd.date_range(start, periods=periods, freq=freq)
    form = "%Y-%m-%d" if (times == times.normalize()).all() else "%Y-%m-%dT%H:%M:%S"
    return times.strftime(form).tolist()


SESSION = [  # two days of trade, from 9:30 to 10:30
    f"{day}T{clock}" for day in ("2024-03-07", "2024-03-08")
    for clock in ("09:30:00", "09:45:00", "10:00:00", "10:15:00", "10:30:00")
]  # fmt: skip


@pytest.mark.parametrize(
    ("dates", "words", "five", "each", "following"),
    [
        (stamps("2024-01-01", 60, "B"), "day", "5 days", "a day", ["2024-03-25", "2024-03-26"]),
        # Coins are traded on Sundays too.
        (stamps("2024-01-01", 61, "D"), "day", "5 days", "a day", ["2024-03-02", "2024-03-03"]),
        (stamps("2024-01-05", 60, "W-FRI"), "week", "5 weeks", "a week", ["2025-02-28"]),
        (stamps("2020-01-31", 49, "ME"), "month", "5 months", "a month",
         ["2024-02-29", "2024-03-31"]),
        (stamps("2020-01-31", 50, "BME"), "month", "5 months", "a month", ["2024-03-29"]),
        (stamps("2020-01-01", 50, "BMS"), "month", "5 months", "a month", ["2024-03-01"]),
        (stamps("2020-01-01", 50, "MS"), "month", "5 months", "a month", ["2024-03-01"]),
        (stamps("2010-03-31", 30, "QE"), "quarter", "5 quarters", "a quarter", ["2017-09-30"]),
        (stamps("1990-12-31", 30, "YE"), "year", "5 years", "a year", ["2020-12-31"]),
        (stamps("2024-01-01", 99, "h"), "hour", "5 hours", "an hour", ["2024-01-05T03:00:00"]),
        (SESSION, "15 minutes", "75 minutes", "in 15 minutes",
         ["2024-03-11T09:30:00", "2024-03-11T09:45:00"]),
        (SESSION[:5], "15 minutes", "75 minutes", "in 15 minutes", ["2024-03-07T10:45:00"]),
        (["00007", "00008", "00009"], "day", "5 days", "a day", ["00010", "00011"]),
        (["2024-01-05"], "day", "5 days", "a day", []),
    ],
)  # fmt: skip
def test_frequency_and_the_dates_to_come(dates, words, five, each, following):
    frequency = frequency_of(dates)
    assert (str(frequency), frequency.steps(5), frequency.each) == (words, five, each)
    assert parse_frequency(words) == frequency
    assert dates_after(dates, len(following)) == following


def test_days_keep_their_time_of_day_and_holidays_do_not_change_the_frequency():
    dates = [f"{day}T16:00:00" for day in stamps("2024-01-01", 60, "B")]
    del dates[10:18]
    assert frequency_of(dates) == Frequency("day")
    assert dates_after(dates, 1) == ["2024-03-25T16:00:00"]


@pytest.mark.parametrize(
    ("dates", "number"),
    [
        (stamps("2024-01-01", 60, "B"), 252),
        (stamps("2024-01-01", 60, "D"), 365.25),
        (stamps("2020-01-31", 60, "ME"), 12),
        (stamps("2020-01-31", 60, "QE"), 4),
        (stamps("2024-01-01", 60, "W"), 52.18),
        (stamps("2024-01-01", 24 * 30, "h"), 8766),
    ],
)
def test_steps_in_a_year(dates, number):
    assert steps_in_year(dates) == pytest.approx(number, rel=1e-3)
