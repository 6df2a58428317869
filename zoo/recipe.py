"""What a recipe is: one module of plain functions and constants, always of this shape.

Constants:

- docstring: the idea of the network: equations, reference, expected score and time.
- `TOPOLOGY`, `TASK`: `"many-to-one"`, … and `"sentiment"`, …
- `METRIC`: the key of `evaluate`'s result that the field quotes.
- `MONITOR`: the validation log that picks the best epoch, `"val_accuracy"` or `"val_loss"`.
- `Config`: a frozen dataclass derived from `zoo.Config`, with comments beside the defaults.
- `RECIPES`: name to `Config`, the networks that this module offers.

- `WARNING`, where a module has it: a line for the card, on what its answers are not for.

Functions:

- `data(config)`: a `zoo.data.Dataset`: sources in order, columns, licence, a sample. Those of one
  module may differ with its configuration, by the pair of languages for example.
- `prepare(config, train, base=None)`: what is learnt from the training split besides weights
  (vocabulary, labels, …), a dict that JSON can hold: the assets. `base` is that dict of the
  model to go on from.
- `batches(config, assets, examples)`: raw examples to a `zoo.data.Batches` of model input and
  target.
- `build(config, assets)`: the Keras model, of backend-neutral layers, not compiled.
- `objective(config, assets)`: `{"loss": …, "metrics": […]}` for `compile`, made anew at each call.
- `serve(config, assets, model)`: a `zoo.serving.Served`: signatures from raw input to named
  outputs.
- `evaluate(config, assets, predictor, examples)`: the field's metrics of what is served, a dict
  that JSON can hold.
- `baseline(config, splits)`: name to the same metrics, for the honest simple methods.
- `show(example, answer)`: one answer for people, on a line if it can be; also one of `nbest`.

Functions that a module has only where there is something to do:

- `augment(config, train)`: more training rows made of those of the training split, such as pieces
  of music in other keys. What `prepare` learns, it learns from these.
- `initialise(config, assets, model)`: gives a new model values to start from besides Keras' own,
  such as pretrained word vectors. Not called when a trained model is loaded.
- `seed(config, given)`: what a person gives to begin a sequence with (`key`, `type`, `chord`,
  `prompt`, and `prime`, the path of a file to go on from) to inputs of `generate`; checks them.
- `ask(config, text)`: what a person names on the command line, such as the path of a recording,
  to examples: columns of the model's inputs, and others that say which rows these are. One row or
  several. Where there is none, a text is what the model takes.
- `steps(config, assets, x)`: one row of model input to labels of its time steps, for people: a dict
  from (the beginning of) a layer's name to a list, `{"": words}`. Used by `zoo inspect`.
- `render(config, answer, stem)`: writes what was generated to files named `stem` with an ending
  each; returns their paths. The command line adds to `answer` what was given, such as `prime`.

`examples` are columns: a dict of equally long lists. A served input bears the name of the
column that it takes, so that a sample of the data is also a sample of requests.

Some names mean something to the engine:

- `labels` in the assets: the class names in the order of the last axis of the output
  `probabilities`.
- `length`, an input `(batch,)`: how long each row of the sequences beside it is, where padding
  cannot be told by its values. `predict` fills it in where it is not given.
- `length`, an output `(batch,)`: all other outputs of that signature with two axes or more have
  time as their second one, and `predict` cuts each row to its length.
- inputs without axes (`beam`, …) are options of a signature: keyword arguments of `predict`.
- `nbest`, a signature with the options `beam` and `n_best`: the outputs of `serving_default` with
  an axis of answers, best first: `zoo predict --beam --n-best`.
- `generate`, a signature of `zoo.decoding.generations`: `predictor.generate`, `zoo generate`.
- `alignment`, a signature of `features` `(batch, frames, bands)` and `posteriors` `(batch, frames,
  ids)`, the blank first; `seconds` `(batch,)`, of a frame; `length`: `zoo predict --alignment`.
- `checks` in what `evaluate` returns: what was made, and the corpus' own, to the same numbers.
- `score`, a signature: sequences to their `log_probability` in nats and the `count` of their steps.
- `walk`, a signature of what forecasts prices: `open`, `high`, `low` and `close`, 0 where unknown,
  to the forecasts of each day, `(batch, time, horizon)`: `location`, `scale` and `freedom` of a
  Student's t of the log return over the next 1 … days, and its `variance`; with `length`:
  `zoo backtest`. `until` in the assets: the last day that was trained on.
- `symbols` in the assets: the text of each id from 1 on, so that what is generated can be shown as
  it comes.
- `attention` `(batch, answers, pieces, source pieces)`, an output of it, with `pieces`
  `(batch, answers, pieces)` and `source_pieces` `(batch, source pieces)`: `--attention` draws them.
"""

from __future__ import annotations

import dataclasses
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.config import Config
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.data import Batches, Dataset, Examples, Splits
    from zoo.serving import Predictor, Served

TOPOLOGIES = ("one-to-one", "one-to-many", "many-to-one", "many-to-many", "encoder-decoder")

CONSTANTS = ("TOPOLOGY", "TASK", "METRIC", "MONITOR", "Config", "RECIPES")
FUNCTIONS = (
    "data",
    "prepare",
    "batches",
    "build",
    "objective",
    "serve",
    "evaluate",
    "baseline",
    "show",
)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One named network: a recipe module with one of its configurations.

    Attributes:
      name: what `zoo train` takes.
      module: the recipe module.
      config: the defaults of this network.
      origin: where it was registered from, for messages.
    """

    name: str
    module: types.ModuleType
    config: Config
    origin: str

    @property
    def topology(self) -> str:
        return self.module.TOPOLOGY

    @property
    def task(self) -> str:
        return self.module.TASK

    @property
    def metric(self) -> str:
        return self.module.METRIC

    @property
    def monitor(self) -> str:
        return self.module.MONITOR

    @property
    def dataset(self) -> Dataset:
        """The data of the defaults."""
        return self.data(self.config)

    @property
    def doc(self) -> str:
        return self.module.__doc__ or ""

    @property
    def reference(self) -> str:
        """What finds this recipe again in another process: its name, or `file.py:name`."""
        return f"{self.origin}:{self.name}" if self.origin.endswith(".py") else self.name

    @property
    def pretrained_folder(self) -> Path:
        """Where packed weights of this module's recipes lie: `pretrained/` beside it."""
        return Path(self.module.__file__ or "").parent / "pretrained"

    def data(self, config: Config) -> Dataset:
        return self.module.data(config)

    def prepare(self, config: Config, train: Examples, base: dict | None = None) -> dict[str, Any]:
        return self.module.prepare(config, train, base)

    def batches(self, config: Config, assets: dict, examples: Examples) -> Batches:
        return self.module.batches(config, assets, examples)

    def build(self, config: Config, assets: dict) -> Any:
        return self.module.build(config, assets)

    def objective(self, config: Config, assets: dict) -> dict[str, Any]:
        return self.module.objective(config, assets)

    def augment(self, config: Config, train: Examples) -> Examples:
        if hasattr(self.module, "augment"):
            return self.module.augment(config, train)
        return train

    def seed(self, config: Config, given: dict[str, Any]) -> dict[str, Any]:
        if hasattr(self.module, "seed"):
            return self.module.seed(config, given)
        return given

    @property
    def asks(self) -> bool:
        """Whether people name what the model takes, such as a file, and do not write it."""
        return hasattr(self.module, "ask")

    def ask(self, config: Config, text: str) -> Examples:
        return self.module.ask(config, text)

    def render(self, config: Config, answer: dict, stem: Path) -> list[Path]:
        if hasattr(self.module, "render"):
            return self.module.render(config, answer, stem)
        return []

    def steps(self, config: Config, assets: dict, x: Any) -> dict[str, list[str]]:
        if hasattr(self.module, "steps"):
            return self.module.steps(config, assets, x)
        symbols = assets.get("symbols")
        if symbols is None or isinstance(x, dict) or x.ndim != 1:
            return {}
        return {"": [symbols[number - 1] if number <= len(symbols) else "" for number in x]}

    def initialise(self, config: Config, assets: dict, model: Any) -> None:
        if hasattr(self.module, "initialise"):
            self.module.initialise(config, assets, model)

    def serve(self, config: Config, assets: dict, model: Any) -> Served:
        return self.module.serve(config, assets, model)

    def evaluate(
        self,
        config: Config,
        assets: dict,
        predictor: Predictor,
        examples: Examples,
    ) -> dict[str, Any]:
        return self.module.evaluate(config, assets, predictor, examples)

    def baseline(self, config: Config, splits: Splits) -> dict[str, dict]:
        return self.module.baseline(config, splits)

    def show(self, example: dict, answer: dict) -> str:
        return self.module.show(example, answer)


def recipes_of(module: types.ModuleType, origin: str) -> list[Recipe]:
    """Returns the recipes of one module, after checking that it has the shape above.

    Raises:
      ZooError: a constant or function is missing, or is not what it has to be.
    """
    missing = [name for name in (*CONSTANTS, *FUNCTIONS) if not hasattr(module, name)]
    if missing:
        raise ZooError(
            f"{origin} is no recipe module: it lacks {', '.join(missing)}. "
            "`python -m pydoc zoo.recipe` shows what one needs."
        )
    if module.TOPOLOGY not in TOPOLOGIES:
        raise ZooError(
            f"{origin}: TOPOLOGY is {module.TOPOLOGY!r}; it must be one of {', '.join(TOPOLOGIES)}."
        )
    for name, config in module.RECIPES.items():
        if not isinstance(config, Config):
            raise ZooError(f"{origin}: the configuration of {name!r} does not derive from Config.")
    return [Recipe(name, module, config, origin) for name, config in module.RECIPES.items()]
