"""What a recipe is: one module of plain functions and constants, always of this shape.

Constants:

- docstring: the idea of the network: equations, reference, expected score and time.
- `TOPOLOGY`, `TASK`: `"many-to-one"`, … and `"sentiment"`, …
- `METRIC`: the score that the field quotes, `zoo.scores.Metric("accuracy", better="higher")`: a
  value of what `evaluate` returns.
- `MONITOR`: the validation log that picks the best epoch, of any name:
  `zoo.scores.Monitor("val_loss", better="lower")`.
- `Config`: a frozen dataclass derived from `zoo.Config`, with comments beside the defaults.
- `RECIPES`: name to `Config`, the networks that this module offers.

- `HANDED_ON`, where a module has it: names of settings that another recipe takes over, which goes
  on from a model of this one by `--from`: sizes of layers.
- `NOVELTY`, where a module has it: a tuple of `Novelty`, outputs of `answer` that tell how far a
  row is from the training rows. The engine learns from the validation rows which values are
  unusual, and adds the output `unusual` to each signature that has these outputs.
- `READER`, where a module has it: the name of a module, beside which a `.js` and a `.h` of the same
  name may lie. An export in ONNX or LiteRT has copies of them: they answer texts where neither
  TensorFlow nor this package is installed. Its class `Reader` takes what `portable` returns and a
  `zoo.serving.portable.reader.Unicode`; its method `predict` takes a
  `zoo.serving.portable.reader.Model` and texts, and returns dicts as
  `zoo.serving.Predictor.predict` does: the outputs of `answer`, sorted by name, and what `refine`
  adds. It imports NumPy at most.
- `WARNING`, where a module has it: a line for the card, on what its answers are not for.
- `KERAS_OBJECTS`, where its networks hold layers, losses or metrics of its own: the name under
  which each is registered with Keras, `"zoo>NADE"`, to the module that does so.
  `import zoo; keras.saving.load_model(…)` finds them by it.

Functions:

- `data(config)`: a `zoo.data.Dataset`: sources in order, columns, licence, a sample. Those of one
  module may differ with its configuration, by the pair of languages for example.
- `prepare(config, train, base=None)`: what is learnt from the training split besides weights
  (vocabulary, labels, …), a dict that JSON can hold: the assets. `base` is that dict of the
  model to go on from. The engine makes a `zoo.assets.Assets` of it, a dict too, which the
  functions below take as `assets`.
- `batches(config, assets, examples)`: raw examples to a `zoo.data.Batches` of model input and
  target.
- `build(config, assets)`: the Keras model, of backend-neutral layers, not compiled.
- `objective(config, assets)`: `{"loss": …, "metrics": […]}` for `compile`, made again at each call.
- `serve(config, assets, model)`: a `zoo.serving.Served`: functions from raw input to named
  outputs, by what they can do: `answer`, `search`, `generation`, `score`, `alignment`, `forecast`,
  `streaming`.
  The table in `zoo.serving.capabilities` says which inputs, options and outputs each has; it is
  checked before the first training step and before an export.
- `evaluate(config, assets, predictor, examples)`: the field's metrics of what is served, a
  `zoo.scores.Scores`: values, tables by name, a confusion matrix.
- `baseline(config, splits)`: name to the `Scores` of an honest simple method, by the same names.
- `show(example, answer)`: one answer for people, on a line if it can be; also one of `nbest`.

Functions that a module has only where there is something to do:

- `encoder(config, assets)`: what turns raw examples into ids or features, and back. It is called
  once for each `Assets`; `batches`, `build` and `serve` use what it returned as `assets.encoder`.
- `optimizer(config, steps)`: the Keras optimizer, where it is not Adam with clipping, warm-up and
  cosine decay. `steps` are those of all epochs: batches of the training split times
  `config.epochs`; early stopping may end training before. It is made again at each call. Gradients
  of such an optimizer are not monitored: the history has no `gradient_norm`, `clipped` and
  `update/…`, and `config.clip_norm` does nothing unless it is used here.
- `training_loss(config, assets, model)`: what training minimises, where it is not only the loss of
  the model's answer: a function of `zoo.training.train_step.TrainStep` that returns what the model
  answers and the loss; None for the usual one. Validation and metrics stay as `objective` has them.
- `teachers(config)`: simple methods that may teach a network by `zoo distil`, by name: functions
  that are fitted on `zoo.data.Splits` (not on its test rows) and return a function from examples to
  answers, as those of `zoo.serving.Predictor.predict`. A module with this function can be taught:
  its `batches` take what teachers answered from the column `probabilities`, a dict of class name
  to number for each row, where `examples` have it.
- `teach(config, train, predictor, rows)` and `taught(config, train, rows, lessons, share)`: how
  `zoo distil` teaches networks of the module that are no classifiers. `teach` returns what a model
  of the module teaches of rows: NumPy arrays by name, which the run keeps. `taught` gets those of
  each teacher, and returns examples for `prepare` and `batches`. `train` are the training rows;
  `rows` the same, and then those without a label, of which only the columns
  `Dataset.unlabelled` are there; `share` is that of the labels.
- `adapt(config, train, based)`: settings that suit the training rows of custom data, name to value,
  where the user gives none; `based` is whether training begins with the weights of a model.
- `start(config, train, packed)`: a `Start`: whether training on custom data begins with the packed
  weights of the recipe, a `Packed`, where the user does not say so; None where it is not weighed.
  It sees training rows alone, is deterministic, and says why.
- `augment(config, train)`: more training rows made of those of the training split, such as pieces
  of music in other keys. What `prepare` learns, it learns from these.
- `finalise(config, assets, model, splits, class_weight)`: what is done to the network of the best
  epoch before it is tested, without its test rows: fits parts that do not learn by gradients on the
  validation rows too. `class_weight` is class name to the weight of its rows in the loss, empty
  where they count alike. Returns what the card says of it, as `text`, and numbers; `{}` where
  nothing was done. It is called once for the same weights.
- `initialise(config, assets, model)`: gives a new model values to start from besides Keras' own,
  such as pretrained word vectors. Not called when a trained model is loaded.
- `combine(config, assets, answers)`: the outputs of `answer` of several networks of equal classes
  to those of an ensemble, in the graph; for `zoo export --ensemble`.
- `SEEDS`, a tuple of `Option`: what `seed` takes by an option of its own in `zoo generate`.
- `RENDER_OPTIONS`, a tuple of `Option`: what `render` takes by an option of `zoo generate`.
- `PICTURES`, a tuple of `Picture`, and `draw(config, assets, picture, answer, path)`: pictures of
  an answer, by options of `zoo predict`. `answer` holds the example too, its inputs and what
  `read_input` gives beside them. `draw` returns False where there is nothing to draw.
- `DEMO`, a `Demo`: what people see of the model in `zoo demo`, and what they begin with.
- `example(config, folder)`: a file to try the model with, where it reads files; returns its path.
  What has to be written for it goes into the folder.
- `figures(config, assets, predictor, examples, folder)`: writes PNGs of the test split, `examples`,
  to the existing folder `figures` of a run.
- `measure_novelty(config, assets, inputs)`: those outputs of `NOVELTY` that do not depend on the
  network, of raw inputs, in the graph: for SavedModels that were made before there was `NOVELTY`.
- `portable(config, assets)`: what `READER` needs to turn a text into the network's input, and its
  output into an answer: a dict that JSON can hold. Without this function, an encoder that has a
  method `portable` says what the engine's own reader needs.
- `networks(config, assets, model)`: further networks of an export in ONNX or LiteRT, which `READER`
  asks: the name of a file to a function of tensors by name, which returns tensors by name, and the
  specs of its inputs.
- `outside(config, assets, examples)`: a sentence, without a full stop, on each thing in which
  examples differ from what was trained on. `zoo predict`, `evaluate` and `backtest` note them.
- `seed(config, given)`: what a person gives to begin a sequence with (`key`, `type`, `chord`,
  `prompt`, and `prime`, the path of a file to go on from) to inputs of `generate`; checks them.
  Its key `steps`, if there is one, is used where no number of steps is asked for.
- `unread(config, assets, given)`: says what of the inputs of `generate` that `seed` returns the
  model cannot read, in words for people; `""` where it reads everything.
- `read_input(config, text)`: what a person names on the command line, such as the path of a
  recording, to examples: columns of the model's inputs, and others that say which rows these are.
  One row or several. Where these are tables, it takes `columns` and `reading` too, as the
  `reader` of a dataset. Without this function, the model takes the text itself.
- `refine(example, answer)`: further values of an answer in Python, made of its outputs, such as the
  spans that tags of tokens stand for: a dict. Not called for rows without an answer.
- `html(example, answer)`: one answer as HTML, for notebooks, its texts escaped; without it, the
  line of `show`. `zoo.serving.answers.marked_text` marks spans of a text.
- `NAMED`, an input of the model to what `read_input` reads it from: `{"audio": "recording.wav"}`.
  The last line of a training run says so.
- `token_labels(config, assets, x)`: one row of model input to labels of its time steps: a dict
  from (the beginning of) a layer's name to a list, `{"": words}`. Used by `zoo inspect`.
- `render(config, answer, stem)`: writes what was generated to files named `stem` with an ending
  each; returns their paths. The command line adds to `answer` what was given, such as `prime`,
  and the values of `RENDER_OPTIONS`.

`examples` are columns: a dict of equally long lists. A served input bears the name of the
column that it takes, so that a sample of the data is also a sample of requests.

Some names mean something to the engine:

- `labels` in the assets: the class names in the order of the last axis of the output
  `probabilities`.
- `length`, an input `(batch,)`: how long each row of the sequences beside it is, where padding
  cannot be told by its values. `predict` fills it in where it is not given.
- `length`, an output `(batch,)`: all other outputs of that signature with two axes or more have
  time as their second one, and `predict` cuts each row to its length.
- inputs float `(batch, time)` of one signature are one series: in each row they are equally long,
  or empty. `predict` marks a row where they are not.
- `unusual`, bool, an output `(batch,)`: whether a row is far from what the model was trained on.
- `valid`, bool, and `problem`, string, outputs `(batch,)`: whether a row has an answer, and if not,
  why: a sentence. One bad row must not fail those beside it, which may be another client's:
  `zoo.bounds.marked` makes the outputs.
- `max_…`, a setting: bounds what is read of a request; `zoo export --limit` changes it.
- inputs without axes (`beam`, …) are options of a signature: keyword arguments of `predict`.
- `until` in the assets: the last day that was trained on, of what forecasts prices.
- `symbols` in the assets: the text of each id from 1 on, so that what is generated can be shown as
  it comes.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict

from zoo.assets import Assets
from zoo.config import Config
from zoo.errors import ZooError, suggest
from zoo.novelty import Novelty
from zoo.scores import Metric, Monitor, Scores

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from zoo.data import Batches, Dataset, Examples, Splits
    from zoo.data.reading import Reading
    from zoo.serving.signatures import Served

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


class Objective(TypedDict, total=False):
    """What `objective` returns: arguments of `keras.Model.compile`. `loss` is needed."""

    loss: str | keras.losses.Loss
    metrics: list[str | keras.metrics.Metric]


class Answers(Protocol):
    """What `evaluate` may use of a trained model: a part of `zoo.serving.Predictor`."""

    @property
    def name(self) -> str: ...

    @property
    def recipe(self) -> Recipe: ...

    @property
    def config(self) -> Config: ...

    @property
    def assets(self) -> Assets: ...

    @property
    def model(self) -> keras.Model: ...

    @property
    def data(self) -> dict[str, Any]: ...

    @property
    def run(self) -> dict[str, Any]: ...

    @property
    def input_names(self) -> list[str]: ...

    def predict(
        self,
        examples: Sequence[str | bytes] | Mapping[str, Sequence],
        *,
        batch_size: int = 64,
        signature: str = "serving_default",
        **options: Any,
    ) -> list[dict[str, Any]]: ...

    def generate(self, count: int = 1, *, steps: int | None = None) -> list[dict[str, Any]]: ...


class Teacher(Protocol):
    """Fits a simple method on training rows; returns what answers examples, row by row."""

    def __call__(self, splits: Splits) -> Callable[[Examples], list[dict[str, Any]]]: ...


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Option:
    """What people may begin a generated sequence with: `zoo generate MODEL --NAME VALUE`.

    Attributes:
      name: of the input of `seed` that it becomes.
      help: a sentence for `--help`.
      metavar: what stands for the value in `--help`.
      flags: further spellings, such as `"--seed-chord"`.
      type: of the value, `str` or `int`.
    """

    name: str
    help: str
    metavar: str = "TEXT"
    flags: tuple[str, ...] = ()
    type: type[str] | type[int] = str


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Packed:
    """The packed weights of a recipe, which `start` weighs.

    Attributes:
      name: of the recipe.
      config: that they were trained with.
      load: unpacks and loads them, a `zoo.serving.Predictor`.
    """

    name: str
    config: Config
    load: Callable[[], Any]


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Start:
    """Whether training begins with packed weights.

    Attributes:
      packed: whether it does.
      text: why, for people: what follows "starts from the packed NAME: ".
      facts: the numbers that decided it, which JSON can hold; none where the weights do not fit.
    """

    packed: bool
    text: str
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Picture:
    """A picture of how an answer came about: `zoo predict MODEL --NAME PNG`.

    Attributes:
      name: of the option, and what `draw` is told.
      help: a sentence for `--help`.
      capability: whose answers are drawn: `"answer"`, `"search"`, `"alignment"`, …
      outputs: of that signature which are for the picture alone, and are not shown.
      inputs: columns of `read_input` which are for people and the picture, and are not written.
    """

    name: str
    help: str
    capability: str
    outputs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Demo:
    """How people try a model on a page in the browser: `zoo demo MODEL`.

    Attributes:
      title: of its tab; the recipe's task by default.
      label: of what people give.
      input: `"text"`; `"file"`, `"sound"` (microphone or file) or `"drawing"`, of which
        `read_input` gets the path; `"seed"` of what is generated. By default what the model takes.
      example: input (or one of `SEEDS`) to the value that it has at first. Those of `"text"` are
        all inputs of the model.
      outputs: that are shown; by default `html`, `probabilities`, or the line of `show`.
    """

    title: str = ""
    label: str = ""
    input: Literal["", "text", "file", "sound", "drawing", "seed"] = ""
    example: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    outputs: tuple[str, ...] = ()


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
    def metric(self) -> Metric:
        return self.module.METRIC

    @property
    def monitor(self) -> Monitor:
        return self.module.MONITOR

    def monitor_of(self, config: Config) -> Monitor:
        """Returns what picks the best epoch with these settings."""
        by_loss = config.choose_by == "loss"
        return Monitor("val_loss", better="lower") if by_loss else self.monitor

    @property
    def handed_on(self) -> tuple[str, ...]:
        """Settings that another recipe takes over, which goes on from a model of this one."""
        return getattr(self.module, "HANDED_ON", ())

    @property
    def seeds(self) -> tuple[Option, ...]:
        """What `seed` takes by an option of `zoo generate`."""
        return getattr(self.module, "SEEDS", ())

    @property
    def render_options(self) -> tuple[Option, ...]:
        """What `render` takes by an option of `zoo generate`."""
        return getattr(self.module, "RENDER_OPTIONS", ())

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """What `draw` draws."""
        return getattr(self.module, "PICTURES", ())

    @property
    def novelty(self) -> tuple[Novelty, ...]:
        """Outputs that tell how far a row is from the training rows."""
        return getattr(self.module, "NOVELTY", ())

    @property
    def demo(self) -> Demo:
        """How people try it in `zoo demo`."""
        return getattr(self.module, "DEMO", Demo())

    @property
    def reader(self) -> str:
        """The module that reads texts for exports without TensorFlow; "" for the engine's own."""
        return getattr(self.module, "READER", "")

    @property
    def reader_name(self) -> str:
        """The name of the files of `reader`."""
        return self.reader.rpartition(".")[2]

    def portable(self, config: Config, assets: Assets) -> Callable[[], dict[str, Any]] | None:
        """Returns what makes the rules for readers; None where they do not read text."""
        if hasattr(self.module, "portable"):
            return lambda: {"kind": self.reader_name, **self.module.portable(config, assets)}
        return getattr(assets.encoder, "portable", None)

    def networks(
        self, config: Config, assets: Assets, model: keras.Model
    ) -> dict[str, tuple[Callable[..., Any], Sequence[tf.TensorSpec]]]:
        """Returns further networks of an export without TensorFlow, and their inputs."""
        if hasattr(self.module, "networks"):
            return self.module.networks(config, assets, model)
        return {}

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

    def assets(
        self, config: Config, values: Mapping[str, Any], limits: Mapping[str, float] | None = None
    ) -> Assets:
        """Returns what `prepare` has learnt, with the encoder that is made of it.

        Args:
          limits: of `NOVELTY`, as learnt at the end of training.
        """
        return Assets(values, lambda assets: self.encoder(config, assets), limits)

    def encoder(self, config: Config, assets: Assets) -> Any:
        """Makes the encoder; None where the module has none. `Assets` calls this once."""
        if hasattr(self.module, "encoder"):
            return self.module.encoder(config, assets)
        return None

    def prepare(self, config: Config, train: Examples, base: Assets | None = None) -> Assets:
        return self.assets(config, self.module.prepare(config, train, base))

    def batches(self, config: Config, assets: Assets, examples: Examples) -> Batches:
        return self.module.batches(config, assets, examples)

    def build(self, config: Config, assets: Assets) -> keras.Model:
        return self.module.build(config, assets)

    def objective(self, config: Config, assets: Assets) -> Objective:
        return self.module.objective(config, assets)

    def optimizer(self, config: Config, steps: int) -> Any:
        """Returns the module's own optimizer; None where it has none.

        Args:
          steps: of all epochs.
        """
        if hasattr(self.module, "optimizer"):
            return self.module.optimizer(config, steps)
        return None

    def training_loss(self, config: Config, assets: Assets, model: keras.Model) -> Any:
        """Returns what training minimises; None for the loss of the model's answer."""
        if hasattr(self.module, "training_loss"):
            return self.module.training_loss(config, assets, model)
        return None

    @property
    def teachable(self) -> bool:
        """Whether networks of the module can learn from what teachers answer."""
        return hasattr(self.module, "teachers") or self.gives_lessons

    @property
    def gives_lessons(self) -> bool:
        """Whether the module says itself what its models teach, and how it is learnt."""
        return hasattr(self.module, "taught")

    def teach(
        self, config: Config, train: Examples, predictor: Answers, rows: Examples
    ) -> dict[str, Any]:
        """Returns what a model of the module teaches of rows, arrays by name."""
        return self.module.teach(config, train, predictor, rows)

    def taught(
        self,
        config: Config,
        train: Examples,
        rows: Examples,
        lessons: Sequence[Mapping[str, Any]],
        share: float,
    ) -> Examples:
        """Returns training rows with what teachers teach of them."""
        return self.module.taught(config, train, rows, lessons, share)

    def teachers(self, config: Config) -> Mapping[str, Teacher]:
        """Returns the simple methods that may teach, by name."""
        return self.module.teachers(config) if hasattr(self.module, "teachers") else {}

    def adapt(self, config: Config, train: Examples, based: bool) -> dict[str, Any]:
        if hasattr(self.module, "adapt"):
            return self.module.adapt(config, train, based)
        return {}

    def start(self, config: Config, train: Examples, packed: Packed) -> Start | None:
        if hasattr(self.module, "start"):
            return self.module.start(config, train, packed)
        return None

    def finalise(
        self,
        config: Config,
        assets: Assets,
        model: keras.Model,
        splits: Splits,
        class_weight: Mapping[str, float],
    ) -> dict[str, Any]:
        if hasattr(self.module, "finalise"):
            return self.module.finalise(config, assets, model, splits, class_weight)
        return {}

    def augment(self, config: Config, train: Examples) -> Examples:
        if hasattr(self.module, "augment"):
            return self.module.augment(config, train)
        return train

    def seed(self, config: Config, given: dict[str, Any]) -> dict[str, Any]:
        if hasattr(self.module, "seed"):
            return self.module.seed(config, given)
        return given

    def unread(self, config: Config, assets: Assets, given: dict[str, Any]) -> str:
        """Says what of the inputs of `generate` the model cannot read; `""` for nothing."""
        if hasattr(self.module, "unread"):
            return self.module.unread(config, assets, self.seed(config, given))
        return ""

    @property
    def reads_input(self) -> bool:
        """Whether people name what the model takes, such as a file, and do not write it."""
        return hasattr(self.module, "read_input")

    @property
    def named_inputs(self) -> Mapping[str, str]:
        """Input of the model to the name of a file that `read_input` reads it from."""
        return getattr(self.module, "NAMED", {})

    def read_input(
        self,
        config: Config,
        text: str,
        *,
        columns: Mapping[str, str] | None = None,
        reading: Reading | None = None,
    ) -> Examples:
        how = {"columns": columns, "reading": reading} if self.reads_tables else {}
        return self.module.read_input(config, text, **how)

    @property
    def reads_tables(self) -> bool:
        """Whether what people name are tables, whose columns and signs can be named too."""
        import inspect

        takes = inspect.signature(self.module.read_input).parameters if self.reads_input else ()
        return "reading" in takes

    def figures(
        self, config: Config, assets: Assets, predictor: Answers, examples: Examples, folder: Path
    ) -> None:
        """Writes PNGs of the test split to a folder; none where the module draws none."""
        if hasattr(self.module, "figures"):
            folder.mkdir(exist_ok=True)
            self.module.figures(config, assets, predictor, examples, folder)

    def outside(self, config: Config, assets: Assets, examples: Examples) -> list[str]:
        """Returns a sentence on each thing in which examples differ from the training rows."""
        if hasattr(self.module, "outside"):
            return self.module.outside(config, assets, examples)
        return []

    def draw(self, config: Config, assets: Assets, picture: str, answer: dict, path: Path) -> bool:
        """Draws one of `pictures` as a PNG; returns False where there is nothing to draw."""
        return self.module.draw(config, assets, picture, answer, path)

    def render(self, config: Config, answer: dict, stem: Path) -> list[Path]:
        if hasattr(self.module, "render"):
            return self.module.render(config, answer, stem)
        return []

    def token_labels(self, config: Config, assets: Assets, x: Any) -> dict[str, list[str]]:
        if hasattr(self.module, "token_labels"):
            return self.module.token_labels(config, assets, x)
        symbols = assets.get("symbols")
        if symbols is None or isinstance(x, dict) or x.ndim != 1:
            return {}
        return {"": [symbols[number - 1] if number <= len(symbols) else "" for number in x]}

    def initialise(self, config: Config, assets: Assets, model: keras.Model) -> None:
        if hasattr(self.module, "initialise"):
            self.module.initialise(config, assets, model)

    @property
    def combines(self) -> bool:
        """Whether several networks of the module can answer as one."""
        return hasattr(self.module, "combine")

    def combine(
        self, config: Config, assets: Assets, answers: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """Returns what several networks answer together."""
        return self.module.combine(config, assets, answers)

    def serve(self, config: Config, assets: Assets, model: keras.Model) -> Served:
        """Returns what the module serves, unusual rows marked, large batches computed in parts."""
        served = self.module.serve(config, assets, model)
        if self.novelty:
            served = served.with_unusual(self.novelty, assets.limits)
        return served.in_parts()

    def measure_novelty(
        self, config: Config, assets: Assets, inputs: dict[str, Any]
    ) -> dict[str, Any]:
        """Returns the outputs of `novelty` that depend on raw inputs alone, in the graph."""
        if hasattr(self.module, "measure_novelty"):
            return self.module.measure_novelty(config, assets, inputs)
        return {}

    def evaluate(
        self,
        config: Config,
        assets: Assets,
        predictor: Answers,
        examples: Examples,
    ) -> Scores:
        scores = self._checked(
            self.module.evaluate(config, assets, predictor, examples), "evaluate"
        )
        if self.metric.name not in scores.values:
            raise ZooError(
                f"{self.name}: evaluate gives no value {self.metric.name!r}, which METRIC names."
                f"{suggest(self.metric.name, scores.values)}"
            )
        return scores

    def baseline(self, config: Config, splits: Splits) -> dict[str, Scores]:
        baselines = self.module.baseline(config, splits)
        return {
            name: self._checked(scores, f"baseline {name!r}") for name, scores in baselines.items()
        }

    def _checked(self, scores: Any, source: str) -> Scores:
        if not isinstance(scores, Scores):
            raise ZooError(
                f"{self.name}: {source} gives a {type(scores).__name__}; it must give a "
                f'zoo.scores.Scores, such as Scores({{"{self.metric.name}": 0.5}}).'
            )
        return scores

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
            f"{origin} is not a recipe module: it lacks {', '.join(missing)}. "
            "`python -m pydoc zoo.recipe` shows what one needs."
        )
    if module.TOPOLOGY not in TOPOLOGIES:
        raise ZooError(
            f"{origin}: TOPOLOGY is {module.TOPOLOGY!r}; it must be one of {', '.join(TOPOLOGIES)}."
        )
    for name, kind, value in (
        ("METRIC", Metric, module.METRIC),
        ("MONITOR", Monitor, module.MONITOR),
    ):
        if not isinstance(value, kind):
            known = value if isinstance(value, str) else "name"
            raise ZooError(
                f"{origin}: {name} is {value!r}, which does not say whether higher or lower is "
                f'better. Write {name} = {kind.__name__}("{known}", better="higher") or '
                'better="lower", with zoo.scores.'
            )
    objects = getattr(module, "KERAS_OBJECTS", {})
    if not isinstance(objects, dict) or not all(
        isinstance(text, str) for item in objects.items() for text in item
    ):
        raise ZooError(
            f"{origin}: KERAS_OBJECTS must be a dict of names and modules, such as "
            '{"mine>MyLayer": "mypackage.layers"}.'
        )
    for name, config in module.RECIPES.items():
        if not isinstance(config, Config):
            raise ZooError(f"{origin}: the configuration of {name!r} does not derive from Config.")
    return [Recipe(name, module, config, origin) for name, config in module.RECIPES.items()]
