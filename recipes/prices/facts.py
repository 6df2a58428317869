"""Sentences about forecasters for the model card, derived from their data."""

from __future__ import annotations

from recipes.prices.answers import readable
from zoo.data import facts
from zoo.data.splits import Splits

KNOWN = {
    "wheel": "The series are three successful US stocks, adjusted for splits and dividends.",
    "dow": "The series are 28 stocks of the Dow Jones index of 2018 and three other US stocks, "
    "adjusted for splits; none of these companies had failed by then.",
    "exchange": "The series are exchange rates of eight currencies, closing values only.",
}


def of_prices(splits: Splits, horizon: int) -> list[str]:
    """Returns sentences about a forecaster for its model card.

    Args:
      horizon: days ahead.
    """
    train = splits.train
    dates = [each for each in train["date"] if each]
    period = ""
    if dates:
        first, last = min(each[0] for each in dates), max(each[-1] for each in dates)
        if "-" in str(first):  # otherwise, days are only numbered
            period = f", from {readable(first)} to {readable(last)}"
    tickers = train["ticker"]
    shown = ", ".join(tickers[:8]) + (", …" if len(tickers) > 8 else "")
    return [
        f"It forecasts how much prices will vary over the next {horizon} days, not whether they "
        f"will rise. {facts.origin(splits, KNOWN)}",
        f"It was trained on {len(tickers):,} series ({shown}){period}.",
        facts.spread(map(len, train["close"]), "training series", "days"),
        "It knows daily prices only: no news, and no prices within a day. It cannot foresee a "
        "crisis that is unlike any in these years.",
    ]
