"""Frequency of a series and the dates of its future rows, inferred from its dates.

Light: importing this module imports neither pandas nor NumPy.
"""

from __future__ import annotations

import calendar
import dataclasses
import datetime
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 365.25  # seconds; days
READ = 1000  # number of last dates of a series that are used
WEEKDAYS = frozenset(range(5))
FEW_DAYS = 15  # with fewer, the weekdays with rows are uncertain
TRADING_DAYS = 252  # in a year


@dataclasses.dataclass(frozen=True)
class Frequency:
    """The time between two consecutive rows.

    Attributes:
      unit: second, minute, hour, day, week, month, quarter or year.
      count: units from one row to the next.
    """

    unit: str
    count: int = 1

    def __str__(self) -> str:
        """Returns one step in words: "day", "5 minutes"."""
        return self.unit if self.count == 1 else self.steps(1)

    def steps(self, number: int) -> str:
        """Returns several steps in words: "5 days", "25 minutes"."""
        units = number * self.count
        return f"{units:,} {self.unit}{'s' * (units != 1)}"

    @property
    def each(self) -> str:
        """Returns "per step" in words: "a day", "an hour", "in 5 minutes"."""
        if self.count > 1:
            return f"in {self}"
        return f"{'an' if self.unit == 'hour' else 'a'} {self.unit}"


DAILY = Frequency("day")


def parse_frequency(text: str) -> Frequency:
    """Parses the string form of a `Frequency`."""
    count, _, unit = text.rpartition(" ")
    return Frequency(unit.removesuffix("s") if count else unit, int(count or 1))


def frequency_of(dates: Sequence[str]) -> Frequency:
    """Returns the frequency of a series: the median time between rows, rounded to a whole unit.

    Days without trading do not change it.

    Args:
      dates: in order, ISO 8601, or numbers of days. With fewer than two, the unit is the day.
    """
    times = [_parsed(date) for date in dates[-READ:]]
    if len(times) < 2:
        return DAILY
    steps = sorted((later - earlier).total_seconds() for earlier, later in pairwise(times))
    seconds = steps[len(steps) // 2]  # the median
    days = seconds / DAY
    for unit, size, limit in (
        ("second", 1, MINUTE),
        ("minute", MINUTE, HOUR),
        ("hour", HOUR, 0.9 * DAY),
        ("day", DAY, 4.5 * DAY),
        ("week", 7 * DAY, 25 * DAY),
        ("month", YEAR / 12 * DAY, 80 * DAY),
        ("quarter", YEAR / 4 * DAY, 320 * DAY),
    ):
        if seconds < limit:
            if unit == "hour" and seconds % HOUR:
                unit, size = "minute", MINUTE
            return Frequency(unit, max(1, round(seconds / size)))
    return Frequency("year", max(1, round(days / YEAR)))


def frequency_of_all(series: Sequence[Sequence[str]]) -> Frequency:
    """Returns the most common frequency of several series."""
    return Counter(map(frequency_of, series)).most_common(1)[0][0] if series else DAILY


def steps_in_year(dates: Sequence[str]) -> float:
    """Returns the number of rows of a series per year; 252 for trading days."""
    frequency = frequency_of(dates)
    if frequency == DAILY:
        return YEAR if _weekdays(dates) - WEEKDAYS else TRADING_DAYS
    if frequency.unit in ("week", "month", "quarter", "year"):
        a_year = {"week": YEAR / 7, "month": 12, "quarter": 4, "year": 1}
        return a_year[frequency.unit] / frequency.count
    days = (_parsed(dates[-1]) - _parsed(dates[0])).total_seconds() / DAY
    return (len(dates) - 1) / days * YEAR


def dates_after(dates: Sequence[str], steps: int) -> list[str]:
    """Returns the dates of future rows, in the format of the given dates.

    They fall on the weekdays and times of day on which the series has rows. Future holidays are
    not known.

    Args:
      dates: in order, ISO 8601, or numbers of days; at least one.
      steps: number of future rows.
    """
    last = dates[-1]
    if last.isdigit():
        return [f"{int(last) + step:0{len(last)}}" for step in range(1, steps + 1)]
    frequency, time = frequency_of(dates), _parsed(last)
    weekdays = _weekdays(dates)
    found = []
    if frequency.unit in ("second", "minute", "hour"):
        clocks = _clocks(dates)
        for _ in range(steps):
            time = _next_clock(time, clocks, weekdays, frequency)
            found.append(time)
    elif frequency.unit == "day":
        for _ in range(steps):
            time += datetime.timedelta(days=frequency.count)
            while time.weekday() not in weekdays:
                time += datetime.timedelta(days=1)
            found.append(time)
    elif frequency.unit == "week":
        weeks = frequency.count
        found = [time + datetime.timedelta(days=7 * weeks * n) for n in range(1, steps + 1)]
    else:
        months = {"month": 1, "quarter": 3, "year": 12}[frequency.unit] * frequency.count
        place = _place_in_month([_parsed(date) for date in dates[-6:]])
        found = [_month_after(time, months * n, place) for n in range(1, steps + 1)]
    return [each.isoformat() if "T" in last else each.date().isoformat() for each in found]


def _parsed(date: str) -> datetime.datetime:
    if date.isdigit():
        return datetime.datetime(1, 1, 1) + datetime.timedelta(days=int(date))
    return datetime.datetime.fromisoformat(date)


def _weekdays(dates: Sequence[str]) -> set[int]:
    """Returns the weekdays on which a series has rows; if it is short, also Monday to Friday."""
    days = {_parsed(date).date() for date in dates[-READ:]}
    seen = {day.weekday() for day in days}
    return seen if len(days) >= FEW_DAYS else seen | WEEKDAYS


def _clocks(dates: Sequence[str]) -> list[datetime.time]:
    """Returns the times of day of the latest days, in order; empty if there is only one day."""
    times = [_parsed(date) for date in dates[-READ:]]
    # The first of these days may be cut off, and the last may be incomplete.
    return sorted({time.time() for time in times}) if times[0].date() != times[-1].date() else []


def _next_clock(
    time: datetime.datetime,
    clocks: Sequence[datetime.time],
    weekdays: set[int],
    frequency: Frequency,
) -> datetime.datetime:
    if later := [clock for clock in clocks if clock > time.time()]:
        return datetime.datetime.combine(time.date(), later[0])
    if clocks:
        day = time.date() + datetime.timedelta(days=1)
        while day.weekday() not in weekdays:
            day += datetime.timedelta(days=1)
        return datetime.datetime.combine(day, clocks[0])
    return time + datetime.timedelta(**{f"{frequency.unit}s": frequency.count})


def _place_in_month(times: Sequence[datetime.datetime]) -> str:
    """Returns the day of the month of all these dates: last, last weekday, first weekday."""
    for place in ("last", "last weekday", "first weekday"):
        if len(times) > 1 and all(
            _day_at(time.year, time.month, place) == time.day for time in times
        ):
            return place
    return "same"


def _day_at(year: int, month: int, place: str) -> int:
    days = range(1, calendar.monthrange(year, month)[1] + 1)
    if place == "last":
        return days[-1]
    working = [day for day in days if datetime.date(year, month, day).weekday() in WEEKDAYS]
    return working[-1 if place == "last weekday" else 0]


def _month_after(time: datetime.datetime, months: int, place: str) -> datetime.datetime:
    year, month = divmod(12 * time.year + time.month - 1 + months, 12)
    month += 1
    if place == "same":
        day = min(time.day, calendar.monthrange(year, month)[1])
    else:
        day = _day_at(year, month, place)
    return time.replace(year=year, month=month, day=day)
