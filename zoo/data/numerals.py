"""Parses numbers and dates as people write them; the format is detected from whole columns.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Sequence

from zoo.data.reading import ReadOptions
from zoo.errors import UsageError, ZooError, quoted

NAMES = {".": "point", ",": "comma"}
# What may surround a number without being part of it: currency signs or codes, percent.
_AROUND = r"(?:[$€£¥₹₽₩₺฿]|(?:US|A|C|HK|R)\$|kr\.?|zł|CHF|Fr\.|Rs\.?|[A-Z]{3}(?![A-Za-z]))"
_NUMBER = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[-+−–])?\s*{_AROUND}?\s*(?P<sign2>[-+−–])?\s*"
    r"(?P<digits>[0-9](?:[0-9.,'’_ \u00a0\u202f\u2009]*[0-9])?|[.,][0-9]+)(?P<point>[.,])?"
    r"(?P<exponent>[eE][-+]?\d+)?"
    rf"\s*(?P<factor>[KkMmBbTt]|%|bp)?\s*{_AROUND}?\s*(?P<close>\))?"
)
_SPACES = str.maketrans("", "", "'’_ \u00a0\u202f\u2009")
FACTORS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
EMPTY = ("", "-", "–", "—", ".", "n/a", "#n/a", "na", "nan", "null", "none", "--")
_DATE = re.compile(r"\s*(\d{1,4})([/.\-])\s?(\d{1,2})\2\s?(\d{1,4})\b")


@dataclasses.dataclass(frozen=True)
class Numerals:
    """How a table writes numbers.

    Attributes:
      decimal: `"."` or `","`.
      plain: whether Python can parse every number.
      percent: whether any number has a percent sign.
      currency: whether any number has a currency sign or code.
      grouped: whether thousands are grouped.
    """

    decimal: str = "."
    plain: bool = True
    percent: bool = False
    currency: bool = False
    grouped: bool = False

    def says(self) -> list[str]:
        """Returns notes about a file with such numbers."""
        comma = ["numbers with a decimal comma"] * (self.decimal == ",")
        return [
            *comma,
            *["grouped thousands"] * self.grouped,
            *["currency signs omitted"] * self.currency,
            *["percent signs omitted"] * self.percent,
        ]


def numerals(columns: Iterable[Sequence[str]], where: str, options: ReadOptions) -> Numerals:
    """Detects how numbers are written, from all numeric columns of a table together.

    Args:
      columns: cells as text; cells that are not numbers are ignored.
      where: the file, for messages.
      options: `decimal` is used if given.

    Raises:
      UsageError: `1,234` may be 1.234 or 1234, and no other number decides.
      ZooError: some numbers have a decimal comma, others a decimal point.
    """
    votes: dict[str, str] = {}  # maps a decimal sign to a cell that has it
    doubtful = ""
    plain, percent, currency, grouped = True, False, False, False
    for cell in itertools.chain.from_iterable(columns):
        found = _NUMBER.fullmatch(cell.strip())
        if not found:
            continue
        digits = found["digits"]
        plain = plain and _is_plain(cell)
        percent = percent or found["factor"] == "%"
        currency = currency or bool(re.search(_AROUND, cell))
        compact = digits.translate(_SPACES)
        grouped = grouped or compact != digits
        sign = _decimal_of(compact + (found["point"] or ""))
        if sign in NAMES:
            votes.setdefault(sign, cell)
        elif sign == "?":
            doubtful = doubtful or cell
        grouped = grouped or sum(compact.count(c) for c in ".,") > 1
    given = options.decimal_sign
    if given:
        decimal = given
    elif len(votes) == 2:
        raise ZooError(
            f"{where} has numbers with a decimal point ({quoted(votes['.'])}) and with a decimal "
            f"comma ({quoted(votes[','])}). Correct them, or say which with --decimal point or "
            "--decimal comma."
        )
    elif votes:
        decimal = next(iter(votes))
    elif doubtful:
        raise UsageError(
            f"{where} has numbers such as {quoted(doubtful)}, whose comma may be decimal or group "
            "thousands. Say which with --decimal comma or --decimal point."
        )
    else:
        decimal = "."
    grouped = grouped or (bool(doubtful) and decimal == ".")
    return Numerals(decimal, plain, percent, currency, grouped)


def number(cell: str, style: Numerals) -> float | None:
    """Returns the number in a cell: NaN if the cell is empty, None if it is not a number.

    A percent sign is ignored: 5 % is 5. `1.5M` is 1,500,000; `(3)` is -3.
    """
    text = cell.strip()
    if text.lower() in EMPTY:
        return float("nan")
    found = _NUMBER.fullmatch(text)
    if not found or bool(found["open"]) != bool(found["close"]):
        return None
    digits = found["digits"].translate(_SPACES)
    other = "," if style.decimal == "." else "."
    whole, _, fraction = digits.partition(style.decimal)
    groups = whole.split(other)
    if other in fraction or style.decimal in fraction:
        return None
    if len(groups) > 1 and not all(len(group) in (2, 3) for group in groups[1:]):
        return None
    value = float(f"{''.join(groups) or '0'}.{fraction or '0'}{found['exponent'] or ''}")
    value *= FACTORS.get((found["factor"] or "").lower(), 1.0)
    negative = (found["sign"] or found["sign2"] or "") in ("-", "−", "–") and (
        found["sign"] or found["sign2"]
    )
    return -value if bool(negative) != bool(found["open"]) else value


def _decimal_of(digits: str) -> str:
    """Returns the decimal sign of a number, `"?"` if a comma is ambiguous, or `""`."""
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return max(".,", key=digits.rindex)
    if points > 1:
        return ","
    if commas > 1:
        return "."
    if points:
        return "."
    if not commas:
        return ""
    whole, fraction = digits.split(",")
    grouped = len(fraction) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")
    return "?" if grouped else ","


def _is_plain(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def day_first(values: Sequence[str], where: str, options: ReadOptions) -> bool | None:
    """Detects whether dates such as 03/04/2024 begin with the day, from a whole column.

    Args:
      values: cells as text.
      where: the file, for messages.
      options: `dayfirst` is used if given.

    Returns:
      None if no date is of this form: the year comes first, or the month is a name.

    Raises:
      UsageError: both orders give valid dates, sorted in both or in neither; or no order does.
    """
    parts: list[tuple[int, int, int]] = []
    dotted = True
    for value in values:
        found = _DATE.match(value)
        if found and len(found[1]) <= 2:
            parts.append((int(found[4]), int(found[1]), int(found[3])))
            dotted = dotted and found[2] == "."
    if not parts:
        return None
    if options.dayfirst is not None:
        return options.dayfirst
    days = next((value for value in parts if value[1] > 12), None)
    months = next((value for value in parts if value[2] > 12), None)
    if days and months:
        raise UsageError(
            f"{where} has dates that begin with the day ({_written(days)}) and dates that begin "
            f"with the month ({_written(months)}). Correct them."
        )
    if days or months:
        return bool(days)
    if dotted:  # dates with dots never begin with the month
        return True
    in_order = [
        first for first in (True, False) if _monotonic([_key(value, first) for value in parts])
    ]
    if len(in_order) == 1 and len(parts) > 2:
        return in_order[0]
    raise UsageError(
        f"{where} has dates such as {_written(parts[0])}, which may begin with the day or with the "
        "month. Say which with --dayfirst or --monthfirst."
    )


def _key(parts: tuple[int, int, int], first: bool) -> tuple[int, int, int]:
    year, one, two = parts
    return (year, two, one) if first else (year, one, two)


def _monotonic(values: Sequence[tuple[int, int, int]]) -> bool:
    pairs = list(itertools.pairwise(values))
    return all(a <= b for a, b in pairs) or all(a >= b for a, b in pairs)


def _written(parts: tuple[int, int, int]) -> str:
    return f"{parts[1]:02}/{parts[2]:02}/{parts[0]}"
