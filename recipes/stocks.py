"""Many-to-many: daily prices go in, and each day a distribution of the days to come comes out.

The network does not read prices: a forecast that repeats today's price has an error of about 1 %,
but no information. It reads the log returns r_t = log(c_t / c_{t-1}) as multiples of the volatility
so far, and the mean variance v_t of the last day, week, month and quarter (as in the HAR model of
Corsi, 2009) as multiples of its exponentially weighted mean

    b_t = 0.06 (v_t + 0.94 v_{t-1} + 0.94² v_{t-2} + …)                    (RiskMetrics 1996)

v_t is the variance of a day by its open, high, low and close (Garman & Klass 1980), plus that of
the night before; with closes alone, it is r_t². A recurrent layer reads these features x_t. A
head, which also reads x_t, gives four numbers for each of the next H days:

    h_t = LSTM(x_t, h_{t-1})                                          (or GRU, or SimpleRNN)
    log(c_{t+k} / c_t) ~ Student's t(location m, scale s, df n),   k = 1 … H
    v_{t+1} + … + v_{t+k} ≈ f,    m = √b a_1,  s = √b exp(a_2),  f = b exp(a_4), …

The served forecasts are calibrated on the returns of the series so far: s by the absolute returns,
and √f, the standard deviation, by the squared returns (`recipes/prices/calibration.py`).

The weights of the head start at 0, which is the EWMA; the network learns to correct it. The loss is
-log p of the returns plus QLIKE = log f + v / f of the variance (Patton 2011), on every day of
windows of one year. Half of the windows have closes alone. The splits follow each other in time,
and all that is fitted, the scaling too, is fitted on the past.

Volatility can be forecast well; whether prices rise can hardly be forecast. This is not financial
advice.

QLIKE of the next day's variance, 2015–2017, 31 US stocks, mean of three seeds (results/):

    stocks-lstm 0.502   stocks-gru 0.501   stocks-simplernn 0.513
    (log-linear+market 0.472, log-linear 0.502, log HAR 0.520, GJR-GARCH 0.558, HAR 0.573,
    GARCH 0.574, EWMA 0.611)

`log-linear` is a regression on the features x_t alone, without a state; `log-linear+market` also
reads the mean of these features over all stocks. These scores show no gain from recurrence
(docs/methods.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from zoo import files
from zoo.assets import Assets, Json
from zoo.config import Config as BaseConfig
from zoo.data import Dataset, Examples
from zoo.recipe import Answers, Demo, Objective, Picture
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras

    from zoo.data import Batches, Splits
    from zoo.data.reading import Reading
    from zoo.serving import Served

TOPOLOGY = "many-to-many"
TASK = "forecasting"
NAMED = {"close": "prices.csv"}
METRIC = Metric("qlike", better="lower")
MONITOR = Monitor("val_loss", better="lower")
WARNING = (
    "This is not financial advice. Volatility can be forecast; the direction of prices hardly can. "
    "What `zoo backtest` shows of a strategy includes costs, but neither taxes nor slippage, and "
    "these series were chosen because the companies have survived."
)

DEMO = Demo(title="Prices", label="A table of prices, such as a CSV", input="file")
KERAS_OBJECTS = {
    "zoo>ForecastHead": "recipes.prices.layers",
    "zoo>ForecastLoss": "recipes.prices.losses",
}

PICTURES = (
    Picture(
        "fan", "Draw the last prices and the bands of those to come.", "answer", inputs=("date",)
    ),
)


@dataclasses.dataclass(frozen=True)
class Config(BaseConfig):
    epochs: int = 12  # passes over the training split, at most
    batch_size: int = 32  # windows in a step
    learning_rate: float = 3e-3  # Adam's step size at its highest
    patience: int = 4  # epochs without a better validation score before training stops (0: never)
    cell: Literal["lstm", "gru", "simplernn"] = "lstm"  # the recurrent cell
    units: int = 32  # size of the state h_t
    dropout: float = 0.2  # dropout rate of h_t
    window: int = 256  # days in one training window
    horizon: int = 5  # H, days to forecast
    max_days: int = 50_000  # a longer series has no forecast
    repair: str = ""  # repairs of a custom file: drop,sort,duplicates,bars,gaps,splits,jumps

    ALIASES: ClassVar[Mapping[str, str]] = {"mend": "repair"}


RECIPES = {
    "stocks-lstm": Config(cell="lstm"),
    "stocks-gru": Config(cell="gru"),
    "stocks-simplernn": Config(cell="simplernn"),
}


def data(config: Config) -> Dataset:
    from recipes.prices.stocks import stocks

    return stocks(config.horizon, config.repair)


def prepare(config: Config, train: Examples, base: Assets | None = None) -> dict[str, Json]:
    from recipes.prices.frequency import frequency_of_all
    from recipes.prices.series import scaling

    until = max(dates[-1] for dates in train["date"])
    frequency = str(frequency_of_all(train["date"]))
    return {**(base or scaling(train)), "until": until, "frequency": frequency}


def batches(config: Config, assets: Assets, examples: Examples) -> Batches:
    from recipes.prices.series import windows
    from zoo.data import Batches
    from zoo.data.batching import Ragged

    x, y = windows(examples, assets, config.horizon, config.window)
    return Batches(Ragged(x), Ragged(y), config.batch_size)


def build(config: Config, assets: Assets) -> keras.Model:
    import keras
    from keras import layers

    from recipes.prices.layers import ForecastHead
    from zoo.layers import CELLS

    cell = CELLS[config.cell]
    features = keras.Input((None, len(assets["mean"])), name="features")  # (batch, time, features)
    x = cell(config.units, return_sequences=True)(features)  # (batch, time, units)
    x = layers.Dropout(config.dropout)(x)
    x = layers.Concatenate()([x, features])
    return keras.Model(features, ForecastHead(config.horizon)(x))  # (batch, time, H, 4)


def objective(config: Config, assets: Assets) -> Objective:
    from recipes.prices.losses import ForecastLoss

    return {"loss": ForecastLoss(), "metrics": []}


def serve(config: Config, assets: Assets, model: keras.Model) -> Served:
    from recipes.prices.signatures import forecast_signatures
    from zoo.serving import Served

    return Served(**forecast_signatures(model, assets, config.max_days), parts=[model])


def evaluate(config: Config, assets: Assets, predictor: Answers, examples: Examples) -> Scores:
    from recipes.prices import backtesting

    panel = backtesting.observe(examples, config.horizon)
    return backtesting.summary(panel, backtesting.network(panel, predictor))


def baseline(config: Config, splits: Splits) -> dict[str, Scores]:
    from recipes.prices import backtesting

    panel = backtesting.observe(splits.test, config.horizon)
    names = backtesting.methods_of(panel)
    found = {name: backtesting.simple(panel, name, windows=6) for name in names}
    return {name: backtesting.summary(panel, forecast) for name, forecast in found.items()}


def figures(
    config: Config, assets: Assets, predictor: Answers, examples: Examples, folder: Path
) -> None:
    from recipes.prices import backtesting
    from recipes.prices import figures as pictures

    panel = backtesting.observe(examples, config.horizon)
    found = backtesting.network(panel, predictor)
    pictures.fan(panel, found, folder / "fan.png")
    pictures.calibration(panel, {predictor.name: found}, folder / "calibration.png")


def outside(config: Config, assets: Assets, examples: Examples) -> list[str]:
    from recipes.prices.domain import outside

    return outside(assets, examples)


def read_input(
    config: Config,
    text: str,
    columns: Mapping[str, str] | None = None,
    reading: Reading | None = None,
) -> Examples:
    """Returns the closes of each series in a table of prices that a person names."""
    from recipes.prices.answers import read_series
    from recipes.prices.reader import parse_repairs

    repairs, path = parse_repairs(config.repair), files.expanded(text)
    return read_series(path, repairs, config.horizon, columns, reading)


def example(config: Config, folder: Path) -> Path:
    from recipes.prices.stocks import write_example

    return write_example(folder / "prices.csv")


def draw(config: Config, assets: Assets, picture: str, answer: dict, path: Path) -> bool:
    from recipes.prices.figures import forecast_fan

    forecast_fan(answer, path)
    return True


def refine(example: dict, answer: dict) -> dict:
    return {"dates": example["dates"]} if "dates" in example else {}  # of the steps to come


def show(example: dict, answer: dict) -> str:
    from recipes.prices.answers import line

    return line(example, answer)
