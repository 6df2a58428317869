"""Rows of a price table: the columns of a bar, and the locations of rows in words.

Light: importing this module imports neither pandas nor NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

BAR = ("open", "high", "low")
MAX_SHOWN = 3  # dates in a message before "and N more"


def locations(rows: pd.DataFrame) -> str:
    """Returns the first few dates and lines of rows, and the number of further rows."""
    found = [f"{day_of(row)} on line {row['line']}" for _, row in rows.head(MAX_SHOWN).iterrows()]
    more = f" and {len(rows) - MAX_SHOWN:,} more" if len(rows) > MAX_SHOWN else ""
    return ", ".join(found) + more


def day_of(row: pd.Series) -> str:
    """Returns the day of a row, ISO 8601."""
    return "no date" if row["date"] != row["date"] else row["date"].strftime("%Y-%m-%d")
