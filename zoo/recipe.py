"""The interface of a recipe: one module of plain functions and constants.

Constants:

- docstring: the idea of the network, equations, reference, expected score and time.
- `TOPOLOGY`, `TASK`: `"many-to-one"`, … and `"sentiment"`, …
- `METRIC`: the score usually reported for the task, a value of the result of `evaluate`:
  `zoo.scores.Metric("accuracy", better="higher")`.
- `MONITOR`: the validation value that selects the best epoch, of any name:
  `zoo.scores.Monitor("val_loss", better="lower")`.
- `Config`: a frozen dataclass derived from `zoo.Config`, with comments beside the defaults.
- `RECIPES`: name to `Config`, the networks that this module provides.

- `HANDED_ON`, optional: names of settings, such as layer sizes, that another recipe inherits if it
  starts from a model of this one by `--from`.
- `LAYER_ASSETS`, optional: by layer name, the asset that says what its weights stand for, such as
  `{"decoder": "target_pieces"}`. With `--from`, the layer starts from scratch if this asset is
  another one than that of the base, as the last layer does if `labels` are others.
- `NOVELTY`, optional: a tuple of `Novelty`, outputs of `answer` that measure how far a row is from
  the training rows. The engine learns from the validation rows which values are unusual, and adds
  the output `unusual` to each signature that has these outputs.
- `READER`, optional: the name of a module, with an optional `.js` and `.h` of the same name beside
  it. An export in ONNX or LiteRT has copies of them: they predict texts where neither TensorFlow
  nor this package is installed. Its class `Reader` takes the result of `portable` and a
  `zoo.serving.portable.reader.Unicode`; its method `predict` takes a
  `zoo.serving.portable.reader.Model` and texts, and returns dicts as
  `zoo.serving.Predictor.predict` does: the outputs of `answer`, sorted by name, and the values that
  `refine` adds. It imports NumPy at most.
- `WARNING`, optional: a line for the card, on what its predictions must not be used for.
- `KERAS_OBJECTS`, if its networks have layers, losses or metrics of their own: maps the name under
  which each is registered with Keras, `"zoo>NADE"`, to the module that registers it.
  `import zoo; keras.saving.load_model(…)` finds them this way.

Functions:

- `data(config)`: a `zoo.data.Dataset`: sources in order, columns, licence, a sample. It may depend
  on the configuration, for example on the language pair.
- `prepare(config, train, base=None)`: what is learnt from the training split besides weights
  (vocabulary, labels, …), a JSON-serialisable dict: the assets. `base` holds the assets of the
  model to start from. The engine wraps the result in a `zoo.assets.Assets`, also a dict, which the
  functions below take as `assets`.
- `batches(config, assets, examples)`: converts raw examples to a `zoo.data.Batches` of model input
  and target.
- `build(config, assets)`: the Keras model, of backend-neutral layers, not compiled.
- `objective(config, assets)`: `{"loss": …, "metrics": […]}` for `compile`, new at each call.
- `serve(config, assets, model)`: a `zoo.serving.Served`: functions from raw input to named
  outputs, by capability: `answer`, `search`, `generation`, `score`, `alignment`, `forecast`,
  `streaming`.
  The table in `zoo.serving.capabilities` lists the inputs, options and outputs of each; it is
  checked before the first training step and before an export.
- `evaluate(config, assets, predictor, examples)`: the standard metrics of the task for the served
  model, a `zoo.scores.Scores`: values, tables by name, a confusion matrix.
- `baseline(config, splits)`: name to the `Scores` of a simple but fair method, by the same names.
- `show(example, answer)`: one readable answer, on one line if possible; also one of `nbest`.

Optional functions and constants:

- `encoder(config, assets)`: converts raw examples to ids or features, and back. It is called once
  for each `Assets`; `batches`, `build` and `serve` use the result as `assets.encoder`.
- `optimizer(config, steps)`: the Keras optimizer, if it is not Adam with clipping, warm-up and
  cosine decay. `steps` is the number of steps of all epochs: batches of the training split times
  `config.epochs`; early stopping may end training before. It is new at each call. Gradients
  of such an optimizer are not monitored: the history has no `gradient_norm`, `clipped` and
  `update/…`, and `config.clip_norm` does nothing unless it is used here.
- `training_loss(config, assets, model)`: the loss to minimise, if it is not only the loss of the
  model's output: a function of `zoo.training.train_step.TrainStep` that returns the model's output
  and the loss; None for the default. Validation and metrics are as defined by `objective`.
- `teachers(config)`: simple methods that can be teachers in `zoo distil`, by name: functions that
  are fitted on `zoo.data.Splits` (not on its test rows) and return a function from examples to
  answers, as those of `zoo.serving.Predictor.predict`. A module with this function can be
  distilled: its `batches` use the teachers' predictions in the column `probabilities`, a dict of
  class name to number for each row, if `examples` have it.
- `teach(config, train, predictor, rows)` and `taught(config, train, rows, lessons, share)`: define
  `zoo distil` for networks that are not classifiers. `teach` returns the lesson of a model of the
  module for rows: NumPy arrays by name, which the run stores. `taught` receives the lessons of all
  teachers, and returns examples for `prepare` and `batches`. `train` are the training rows;
  `rows` are the same, followed by unlabelled rows, which have only the columns
  `Dataset.unlabelled`; `share` is that of the labels.
- `adapt(config, train, based)`: settings for the training rows of custom data, name to value, used
  if the user gives none; `based` is whether training starts from the weights of a model.
- `start(config, train, packed)`: a `Start`: whether training on custom data starts from the packed
  weights of the recipe, a `Packed`, if the user does not specify it; None if this is not decided.
  It uses only training rows, is deterministic, and gives the reason.
- `augment(config, train)`: additional training rows derived from the training split, such as music
  in other keys. `prepare` learns from the result. With `zoo distil`, `train` also has the rows and
  columns of the teachers, which the result must keep.
- `finalise(config, assets, model, splits, class_weight)`: changes the network of the best epoch
  before it is tested, without its test rows: fits parts that are not trained by gradients, also on
  the validation rows. `class_weight` maps class name to the weight of its rows in the loss, empty
  if all are equal. Returns the description for the card, as `text`, and numbers; `{}` if nothing
  was done. It is called once for the same weights.
- `initialise(config, assets, model)`: sets initial values of a new model that differ from those of
  Keras, such as pretrained word vectors. Not called when a trained model is loaded. If they are
  downloaded, the property `downloads` of `Config` says so.
- `combine(config, assets, answers)`: combines the outputs of `answer` of several networks with
  equal classes into those of an ensemble, in the graph; for `zoo export --ensemble`.
- `SEEDS`, a tuple of `Option`: inputs of `seed` that are options of `zoo generate`.
- `RENDER_OPTIONS`, a tuple of `Option`: inputs of `render` that are options of `zoo generate`.
- `PICTURES`, a tuple of `Picture`, and `draw(config, assets, picture, answer, path)`: pictures of
  an answer, by options of `zoo predict`. `answer` also holds the example: its inputs and the other
  columns of `read_input`. `draw` returns False if there is nothing to draw.
- `DEMO`, a `Demo`: how the model is presented in `zoo demo`, and its initial inputs.
- `example(config, folder)`: a file to try the model with, if it reads files; returns its path.
  If the file must be written first, it is written to the folder.
- `figures(config, assets, predictor, examples, folder)`: writes PNGs of the test split, `examples`,
  to the existing folder `figures` of a run.
- `measure_novelty(config, assets, inputs)`: the outputs of `NOVELTY` that do not depend on the
  network, computed from raw inputs in the graph: for SavedModels created before `NOVELTY` existed.
- `portable(config, assets)`: what `READER` needs to convert a text to the network's input, and its
  output to an answer: a JSON-serialisable dict. Without this function, the method `portable` of
  the encoder, if any, provides this for the engine's own reader.
- `networks(config, assets, model)`: further networks of an export in ONNX or LiteRT, which `READER`
  calls: maps the name of a file to a function from tensors by name to tensors by name, and the
  specs of its inputs.
- `outside(config, assets, examples)`: a sentence, without a full stop, on each way in which
  examples differ from the training data. `zoo predict`, `evaluate` and `backtest` print them.
- `seed(config, given)`: converts what the user gives to start a sequence (`key`, `type`, `chord`,
  `prompt`, and `prime`, the path of a file to continue) to inputs of `generate`; checks them.
  Its key `steps`, if any, is used if no number of steps is requested.
- `unread(config, assets, given)`: describes which inputs of `generate`, returned by `seed`, the
  model cannot read; `""` if it reads everything.
- `read_input(config, text)`: converts what the user names on the command line, such as the path of
  a recording, to examples: columns of the model's inputs, and others that identify the rows.
  One row or several. For tables, it also takes `columns` and `reading`, like the `reader` of a
  dataset. Without this function, the model takes the text itself.
- `refine(example, answer)`: further values of an answer, computed in Python from its outputs, such
  as the spans that token tags denote: a dict. Not called for rows without an answer.
- `html(example, answer)`: one answer as HTML, for notebooks, its texts escaped; without it, the
  line of `show`. `zoo.serving.answers.marked_text` marks spans of a text.
- `NAMED`: maps an input of the model to a file from which `read_input` reads it:
  `{"audio": "recording.wav"}`. It is shown in the last line of a training run.
- `token_labels(config, assets, x)`: labels of the time steps of one row of model input: a dict
  from (a prefix of) a layer's name to a list, `{"": words}`. Used by `zoo inspect`.
- `render(config, answer, stem)`: writes a generated answer to files named `stem` with different
  extensions; returns their paths. The command line adds the given inputs to `answer`, such as
  `prime`, and the values of `RENDER_OPTIONS`.

`examples` are columns: a dict of equally long lists. A served input has the name of the column that
it takes, so that a sample of the data is also a sample of requests.

Some names have a special meaning for the engine:

- `labels` in the assets: the class names in the order of the last axis of the output
  `probabilities`.
- `length`, an input `(batch,)`: length of each row of the sequences beside it, if padding cannot be
  recognised by its values. `predict` adds it if it is not given.
- `length`, an output `(batch,)`: all other outputs of that signature with two axes or more have
  time as their second one, and `predict` cuts each row to its length.
- inputs float `(batch, time)` of one signature form one series: in each row they are equally long,
  or empty. `predict` marks rows that violate this.
- `unusual`, bool, an output `(batch,)`: whether a row is far from the training data.
- `valid`, bool, and `problem`, string, outputs `(batch,)`: whether a row has an answer, and if not,
  why: a sentence. One bad row must not make the other rows fail, which may be of another client:
  `zoo.bounds.marked` returns these outputs.
- `max_…`, a setting: limits what is read of a request; `zoo export --limit` changes it.
- inputs without axes (`beam`, …) are options of a signature: keyword arguments of `predict`.
- `until` in the assets: the last day of the training data, for forecasts of prices.
- `symbols` in the assets: the text of each id from 1 on, to display a sequence while it is
  generated.
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
    """Result of `objective`: arguments of `keras.Model.compile`. `loss` is required."""

    loss: str | keras.losses.Loss
    metrics: list[str | keras.metrics.Metric]


class Answers(Protocol):
    """The part of `zoo.serving.Predictor` that `evaluate` may use."""

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
    """Fits a simple method on training rows; returns a function that predicts examples by row."""

    def __call__(self, splits: Splits) -> Callable[[Examples], list[dict[str, Any]]]: ...


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Option:
    """An option of generation: `zoo generate MODEL --NAME VALUE`.

    Attributes:
      name: name of the corresponding input of `seed`.
      help: a sentence for `--help`.
      metavar: placeholder of the value in `--help`.
      flags: further spellings, such as `"--seed-chord"`.
      type: type of the value, `str` or `int`.
    """

    name: str
    help: str
    metavar: str = "TEXT"
    flags: tuple[str, ...] = ()
    type: type[str] | type[int] = str


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Packed:
    """The packed weights of a recipe, as an argument of `start`.

    Attributes:
      name: name of the recipe.
      config: config that they were trained with.
      load: unpacks and loads them, a `zoo.serving.Predictor`.
    """

    name: str
    config: Config
    load: Callable[[], Any]


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Start:
    """Whether training starts from packed weights.

    Attributes:
      packed: whether it does.
      text: readable reason, the text after "starts from the packed NAME: ".
      facts: the numbers behind the decision, JSON-serialisable; empty if the weights do not fit.
    """

    packed: bool
    text: str
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Picture:
    """A picture that explains an answer: `zoo predict MODEL --NAME PNG`.

    Attributes:
      name: name of the option, and argument of `draw`.
      help: a sentence for `--help`.
      capability: capability whose answers are drawn: `"answer"`, `"search"`, `"alignment"`, …
      outputs: outputs of that signature that are only for the picture, and are not shown.
      inputs: columns of `read_input` that are for display and the picture, and are not written.
    """

    name: str
    help: str
    capability: str
    outputs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Demo:
    """How a model is presented on a page in the browser: `zoo demo MODEL`.

    Attributes:
      title: title of its tab; the recipe's task by default.
      label: label of the input field.
      input: `"text"`; `"file"`, `"sound"` (microphone or file) or `"drawing"`, whose path is passed
        to `read_input`; `"seed"` for generation. By default, derived from the model's inputs.
      example: input (or one of `SEEDS`) to its initial value. For `"text"`, these are all inputs of
        the model.
      outputs: outputs to show; by default `html`, `probabilities`, or the line of `show`.
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
      name: name for `zoo train`.
      module: the recipe module.
      config: the defaults of this network.
      origin: where it was registered, for messages.
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
        """Returns the value that selects the best epoch with these settings."""
        by_loss = config.choose_by == "loss"
        return Monitor("val_loss", better="lower") if by_loss else self.monitor

    @property
    def handed_on(self) -> tuple[str, ...]:
        """Settings that another recipe inherits if it starts from a model of this one."""
        return getattr(self.module, "HANDED_ON", ())

    @property
    def layer_assets(self) -> Mapping[str, str]:
        """By layer name, the asset that says what its weights stand for."""
        return getattr(self.module, "LAYER_ASSETS", {})

    @property
    def seeds(self) -> tuple[Option, ...]:
        """Inputs of `seed` that are options of `zoo generate`."""
        return getattr(self.module, "SEEDS", ())

    @property
    def render_options(self) -> tuple[Option, ...]:
        """Inputs of `render` that are options of `zoo generate`."""
        return getattr(self.module, "RENDER_OPTIONS", ())

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures that `draw` can draw."""
        return getattr(self.module, "PICTURES", ())

    @property
    def novelty(self) -> tuple[Novelty, ...]:
        """Outputs that measure how far a row is from the training rows."""
        return getattr(self.module, "NOVELTY", ())

    @property
    def demo(self) -> Demo:
        """How it is presented in `zoo demo`."""
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
        """Returns a function that computes the rules for readers; None if they read no text."""
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
        """The dataset of the default config."""
        return self.data(self.config)

    @property
    def doc(self) -> str:
        return self.module.__doc__ or ""

    @property
    def reference(self) -> str:
        """A name that finds this recipe in another process: its name, or `file.py:name`."""
        return f"{self.origin}:{self.name}" if self.origin.endswith(".py") else self.name

    @property
    def pretrained_folder(self) -> Path:
        """The folder of the packed weights of this module's recipes: `pretrained/` beside it."""
        return Path(self.module.__file__ or "").parent / "pretrained"

    def data(self, config: Config) -> Dataset:
        return self.module.data(config)

    def assets(
        self, config: Config, values: Mapping[str, Any], limits: Mapping[str, float] | None = None
    ) -> Assets:
        """Returns the assets learnt by `prepare`, with their encoder.

        Args:
          limits: limits of `NOVELTY`, as learnt at the end of training.
        """
        return Assets(values, lambda assets: self.encoder(config, assets), limits, config)

    def encoder(self, config: Config, assets: Assets) -> Any:
        """Creates the encoder; None if the module has none. `Assets` calls this once."""
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
        """Returns the module's own optimizer; None if it has none.

        Args:
          steps: number of steps of all epochs.
        """
        if hasattr(self.module, "optimizer"):
            return self.module.optimizer(config, steps)
        return None

    def training_loss(self, config: Config, assets: Assets, model: keras.Model) -> Any:
        """Returns the training loss; None for the loss of the model's output."""
        if hasattr(self.module, "training_loss"):
            return self.module.training_loss(config, assets, model)
        return None

    @property
    def teachable(self) -> bool:
        """Whether networks of the module can learn from predictions of teachers."""
        return hasattr(self.module, "teachers") or self.gives_lessons

    @property
    def gives_lessons(self) -> bool:
        """Whether the module defines what its models teach, and how it is learnt."""
        return hasattr(self.module, "taught")

    def teach(
        self, config: Config, train: Examples, predictor: Answers, rows: Examples
    ) -> dict[str, Any]:
        """Returns the lesson of a model of the module for rows, arrays by name."""
        return self.module.teach(config, train, predictor, rows)

    def taught(
        self,
        config: Config,
        train: Examples,
        rows: Examples,
        lessons: Sequence[Mapping[str, Any]],
        share: float,
    ) -> Examples:
        """Returns training rows with the lessons of the teachers."""
        return self.module.taught(config, train, rows, lessons, share)

    def teachers(self, config: Config) -> Mapping[str, Teacher]:
        """Returns the simple methods that can be teachers, by name."""
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

    def unread(self, config: Config, assets: Assets, inputs: Mapping[str, Any]) -> str:
        """Returns which of the inputs that `seed` made cannot be read; `""` if there are none."""
        if hasattr(self.module, "unread"):
            return self.module.unread(config, assets, inputs)
        return ""

    @property
    def reads_input(self) -> bool:
        """Whether users name the model's input, such as a file, instead of typing it."""
        return hasattr(self.module, "read_input")

    @property
    def named_inputs(self) -> Mapping[str, str]:
        """Maps an input of the model to the name of a file from which `read_input` reads it."""
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
        """Whether users name tables, for which they can also give columns and file formats."""
        import inspect

        takes = inspect.signature(self.module.read_input).parameters if self.reads_input else ()
        return "reading" in takes

    def figures(
        self, config: Config, assets: Assets, predictor: Answers, examples: Examples, folder: Path
    ) -> None:
        """Writes PNGs of the test split to a folder, if the module draws figures."""
        if hasattr(self.module, "figures"):
            folder.mkdir(exist_ok=True)
            self.module.figures(config, assets, predictor, examples, folder)

    def outside(self, config: Config, assets: Assets, examples: Examples) -> list[str]:
        """Returns a sentence on each way in which examples differ from the training rows."""
        if hasattr(self.module, "outside"):
            return self.module.outside(config, assets, examples)
        return []

    def draw(self, config: Config, assets: Assets, picture: str, answer: dict, path: Path) -> bool:
        """Draws one of `pictures` as a PNG; returns False if there is nothing to draw."""
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
        """Whether several networks of the module can form an ensemble."""
        return hasattr(self.module, "combine")

    def combine(
        self, config: Config, assets: Assets, answers: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """Returns the outputs of an ensemble of several networks."""
        return self.module.combine(config, assets, answers)

    def serve(self, config: Config, assets: Assets, model: keras.Model) -> Served:
        """Returns the served functions: they mark unusual rows and split large batches."""
        served = self.module.serve(config, assets, model)
        if self.novelty:
            served = served.with_unusual(self.novelty, assets.limits)
        return served.in_parts()

    def measure_novelty(
        self, config: Config, assets: Assets, inputs: dict[str, Any]
    ) -> dict[str, Any]:
        """Returns the outputs of `novelty` that depend only on raw inputs, in the graph."""
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
    """Returns the recipes of one module, after checking that it has the interface above.

    Raises:
      ZooError: a constant or function is missing or invalid.
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
