"""`zoo.load`: one line from a name or a folder to a model that takes raw input."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import files
from zoo.assets import Assets
from zoo.config import Config, override
from zoo.decoding.sampling import RANGES, choose, random_numbers, restricted
from zoo.errors import UsageError, ZooError, suggest
from zoo.recipe import Recipe
from zoo.registry import get_recipe, recipes
from zoo.serving import capabilities
from zoo.serving.capabilities import ANSWER, BEGIN, GENERATE, STEP, Specs
from zoo.serving.signatures import Served
from zoo.training.strategy import dtype_policy
from zoo.utf8 import utf8
from zoo.weights import pretrained, pretrained_names

EXTRA = "assets.extra"  # where TensorFlow lets others put files beside a SavedModel
LENGTH = "length"  # the input or output that says how long rows are
WEIGHTS = ("model-best.keras", "model.keras")
_ASSERTED = re.compile(r"assertion failed: \[([^\]]*)\] \[(.*)\]")


def load(model: str | Path) -> Predictor:
    """Loads a trained model.

    Args:
      model: the name of a recipe or `path/to/file.py:name` (its pretrained weights), a run
        folder, an exported version directory, or the directory of such versions (its newest).
        A folder that bears a recipe's name is meant when written `./name`.

    Returns:
      A predictor. Nothing is downloaded. Network and weights are read when first used.

    Raises:
      UsageError: there is no such thing.
      ZooError: the folder is incomplete or damaged; for the weights, when they are first used.
    """
    return Predictor(find(model))


def find(model: str | Path) -> Path:
    """Returns the folder that `load` reads for `model`."""
    name = str(model)
    if isinstance(model, str) and (name in recipes() or re.search(r"\.py(:|$)", name)):
        return pretrained(name)
    folder = Path(model)
    if not os.path.isdir(folder):  # unlike Path.is_dir, also False for what can be no path
        known = [*pretrained_names(), *(str(path) for path in Path("runs").glob("*"))]
        raise UsageError(
            f"{name!r} is no pretrained model, run folder or export.{suggest(name, known)}"
        )
    versions = [path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()]
    if versions and not (folder / "config.json").exists():
        folder = max(versions, key=lambda path: int(path.name))
    if not (about(folder) / "config.json").exists():
        raise UsageError(
            f"{folder} is no run folder and no export of this package: it has no config.json. "
            "A run folder gets one when `zoo train` has read its data."
        )
    return folder


def about(folder: Path) -> Path:
    """Returns where config, assets, metrics and card lie: beside a SavedModel, in its extras."""
    return folder / EXTRA if (folder / EXTRA / "config.json").exists() else folder


class Predictor:
    """A trained model that takes raw examples and answers in plain Python values.

    Attributes:
      folder: what it was loaded from.
      recipe, config: the network, and the config it was trained with.
      resolved: the run's `config.json`: recipe, config, options.
      assets: what was learnt from the data besides weights, and the encoder made of it.
      model: the Keras model (not of an export in the format `saved_model`).
      metrics: test metrics and baselines, empty for a run that is not complete.
      card: the model card, Markdown.
      about: the folder of its config, assets, metrics and card.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about = about(folder)
        self.resolved = files.read_json(self.about / "config.json")
        self.assets = Assets(
            files.read_json(self.about / "assets.json"),
            lambda assets: self.recipe.encoder(self.config, assets),
        )
        if not isinstance(self.resolved, dict) or not {"recipe", "config"} <= self.resolved.keys():
            raise ZooError(
                f"{self.about / 'config.json'} names no recipe and config: it is not of this "
                "package, or damaged. Name another folder, or restore the file."
            )
        if not self._weights and not self._saved_model:
            raise ZooError(
                f"{folder} has no weights yet: no epoch is complete. Run its `zoo train` again."
            )

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.resolved["recipe"].rpartition(":")[2]

    @functools.cached_property
    def recipe(self) -> Recipe:
        return get_recipe(self.resolved["recipe"])

    @functools.cached_property
    def config(self) -> Config:
        return override(self.recipe.config, self.resolved["config"])

    @property
    def metrics(self) -> dict[str, Any]:
        path = self.about / "metrics.json"
        return files.read_json(path) if path.exists() else {}

    @property
    def data(self) -> dict[str, Any]:
        """Which data it was trained on (`data.json`)."""
        return files.read_json(self.about / "data.json")

    @property
    def run(self) -> dict[str, Any]:
        """The options of its run: data, seed, precision, …"""
        return self.resolved["run"]

    @property
    def card(self) -> str:
        path = self.about / "card.md"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def labels(self) -> list[str]:
        """Class names in the order of `probabilities`; empty for other tasks."""
        return self.assets.get("labels", [])

    @property
    def _weights(self) -> Path | None:
        return next((self.folder / name for name in WEIGHTS if (self.folder / name).exists()), None)

    @property
    def _saved_model(self) -> bool:
        return (self.folder / "saved_model.pb").exists()

    @functools.cached_property
    def model(self) -> keras.Model:
        if self._weights is None:
            raise ZooError(
                f"{self.folder} holds a SavedModel only, which can be served, but neither trained "
                "nor exported again. Use the run folder, or an export made with --format keras."
            )
        # Built anew in float32 from the recipe, so that precision and devices of the training
        # do not matter, and with Keras' own kernels, which run on any machine.
        with dtype_policy("float32"):
            model = self.recipe.build(self.config, self.assets)
        # Keras reads on where a checksum is wrong, and jumps about in the file, unchecked.
        wrong = files.damage(self._weights)
        try:
            if wrong is None:
                model.load_weights(self._weights)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            wrong = first_line(error)
        if wrong is not None:
            raise ZooError(
                f"{self._weights} is damaged or of another network ({wrong}). "
                "Restore it, or train it again."
            )
        without_cudnn(model)
        return model

    def served(self) -> Served:
        """Returns the recipe's signatures over `model`."""
        return self.recipe.serve(self.config, self.assets, self.model)

    @functools.cached_property
    def signatures(self) -> Mapping[str, Any]:
        """Signature name to a function of named tensors that returns named tensors."""
        # Functions do not keep alive the tables and variables that they use.
        self._kept: Any
        if not self._saved_model:
            self._kept = self.served()
            return self._kept.functions
        try:
            self._kept = tf.saved_model.load(str(self.folder))
        except Exception as error:  # what TensorFlow raises depends on which byte is wrong
            raise ZooError(
                f"{self.folder} is damaged ({first_line(error)}). Export or install it again."
            ) from error
        return self._kept.signatures

    @property
    def input_names(self) -> list[str]:
        """Names of the raw inputs that `predict` needs: `length` is none of them."""
        specs = _input_specs(self.signatures[ANSWER])
        return [name for name in specs if name != LENGTH or len(specs) == 1]

    @functools.cached_property
    def capabilities(self) -> frozenset[str]:
        """What the model can do besides answering: names of `zoo.serving.capabilities`.

        They are read from the inputs of its signatures, and from the outputs of a SavedModel.
        """
        return capabilities.read(self._specs)

    def require(self, capability: str, lacking: str, hint: str) -> None:
        """Makes sure that the model has a capability.

        Args:
          capability: one of `zoo.serving.capabilities.CAPABILITIES`.
          lacking: what a model without it does not do: `"does not search"`.
          hint: a sentence that says which models do.

        Raises:
          UsageError: the model has it not. The message says what its signatures lack.
        """
        if capability not in self.capabilities:
            problem = capabilities.find_problem(capability, self._specs)
            raise UsageError(f"{self.name} {lacking}: {problem} {hint}")

    @property
    def _specs(self) -> dict[str, Specs]:
        """The inputs of each signature, and the outputs of those that are traced."""
        specs = {}
        for name, function in self.signatures.items():
            outputs = getattr(function, "structured_outputs", None)
            specs[name] = Specs(
                capabilities.tensors_of(_input_specs(function)),
                None if outputs is None else capabilities.tensors_of(outputs),
            )
        return specs

    def predict(
        self,
        examples: Sequence[str | bytes] | Mapping[str, Sequence],
        *,
        batch_size: int = 64,
        signature: str = ANSWER,
        **options: Any,
    ) -> list[dict[str, Any]]:
        """Answers raw examples.

        Args:
          examples: a list of raw inputs, or a dict of equally long lists, input name to values.
            A value is a text or number, or a list of them where the signature takes sequences.
            An input `length` may be left away: it is then the length of each row's sequence.
          batch_size: rows computed together; it does not change the answers, except for the
            padding of outputs without a `length`.
          signature: which of the model's signatures.
          **options: the signature's inputs without axes, such as `beam=5`; all are needed.

        Returns:
          One dict an example, output name to a str, number or list; `probabilities` is a dict,
          class name to number, where there are class names. Where the signature returns
          `length`, lists over time have that many values and `length` itself is left out.

        Raises:
          UsageError: a plain string instead of a list, a value that is no text, an unknown
            input, option or signature, a batch size below 1, an option's value that the model
            does not allow.
        """
        if batch_size < 1:
            raise UsageError(f"batch_size must be at least 1; got {batch_size}.")
        if signature not in self.signatures:
            raise UsageError(
                f"{self.name} has no signature {signature!r}.{suggest(signature, self.signatures)}"
            )
        function = self.signatures[signature]
        scalars = _scalars(function)
        if options.keys() != scalars.keys():
            raise UsageError(
                f"The signature {signature!r} of {self.name} takes "
                f"{'the options ' + ', '.join(scalars) if scalars else 'no options'}; "
                f"got {', '.join(options) or 'none'}."
            )
        fixed = {name: _tensor(name, spec, options[name]) for name, spec in scalars.items()}
        specs = {k: spec for k, spec in _input_specs(function).items() if k not in scalars}
        columns = _columns(_with_lengths(examples, specs), specs)
        rows = len(next(iter(columns.values())))
        if not rows:
            return []
        # Rows of like length together: less padding, so less time.
        size = np.max([[_size(value) for value in column] for column in columns.values()], axis=0)
        order = np.argsort(size, kind="stable")
        answers: list[dict[str, Any]] = [{}] * rows
        for start in range(0, rows, batch_size):
            index = order[start : start + batch_size]
            inputs = {
                name: _tensor(name, spec, [columns[name][i] for i in index])
                for name, spec in specs.items()
            }
            try:
                outputs = function(**inputs, **fixed)
            except tf.errors.InvalidArgumentError as error:
                # A graph can check what it is given by an assertion only.
                said = _ASSERTED.search(error.message)
                if said is None:
                    raise
                raise UsageError(f"{said[1]} {said[2].replace('] [', ', ')}.") from None
            values = {name: output.numpy() for name, output in sorted(outputs.items())}
            lengths = values.pop(LENGTH, None)
            for row, i in enumerate(index):
                answers[i] = {
                    name: self._plain(
                        name,
                        value[row]
                        if lengths is None or value.ndim < 2
                        else value[row, : lengths[row]],
                    )
                    for name, value in values.items()
                }
        return answers

    def tensors(self, examples: Mapping[str, Sequence]) -> dict[str, tf.Tensor]:
        """Returns examples as `serving_default` takes them, in one batch; see `tensors`."""
        return tensors(examples, _input_specs(self.signatures[ANSWER]))

    def generate(
        self,
        count: int = 1,
        *,
        steps: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        **given: Any,
    ) -> list[dict[str, Any]]:
        """Makes new sequences from one seed, such as a key or the first words.

        Args:
          count: how many; they differ in their random numbers.
          steps: length, in the recipe's steps (characters, frames, …).
          temperature: 0 takes the most probable, 1 draws from the network's own distribution.
          top_k: only this many of the most probable; 0: all.
          top_p: only the most probable that have this share together; 1: all.
          seed: of the random numbers. The same seed gives the same sequences; sequence i of
            several is the one that `seed + i` gives alone.
          **given: what the sequence begins with, by the names that the recipe knows: `key`,
            `type`, `chord`, `prompt`, or `prime`, a file to go on from.

        Returns:
          One dict a sequence: the recipe's outputs, `log_probability` (nats; of what was drawn,
          at temperature 1, nothing cut off) and `complete` (whether it ended by itself). What
          is None has the value of the model's config.

        Raises:
          UsageError: the model generates nothing, or a value is out of its range.
        """
        options = self._sampling(steps, temperature, top_k, top_p)
        if count < 1:
            raise UsageError(f"count must be at least 1; got {count}.")
        if not 0 <= seed <= 2**31 - 1 - count:
            raise UsageError(f"seed must be from 0 to {2**31 - 1 - count}; got {seed}.")
        inputs = self.seed_inputs(given)
        examples = {name: [value] * count for name, value in inputs.items()}
        examples["random_seed"] = [seed + number for number in range(count)]
        return self.predict(examples, signature=GENERATE, **options)

    def stream(
        self,
        *,
        steps: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        **given: Any,
    ) -> Iterator[str]:
        """Returns an iterator over the texts of the ids of `generate(...)[0]`, as they are drawn.

        Args as of `generate`.

        Raises:
          UsageError: as `generate`, or the model's ids are no text.
        """
        options = self._sampling(steps, temperature, top_k, top_p)
        symbols = self.assets.get("symbols")
        if symbols is None:
            raise UsageError(f"What {self.name} generates is no text that could be streamed.")
        step, begun = self.signatures[STEP], self.begin(given)
        how = (
            tf.constant(options["temperature"], tf.float32),
            tf.constant(options["top_k"]),
            tf.constant(options["top_p"], tf.float32),
        )
        numbers = random_numbers(tf.constant([seed]), tf.constant(options["steps"]))

        def pieces(state: dict[str, tf.Tensor]) -> Iterator[str]:
            for number in numbers[0, : options["steps"]]:
                shares, ids = restricted(state.pop("logits"), *how)
                chosen = choose(shares, ids, number[tf.newaxis])
                if int(chosen[0]) > len(symbols):  # the end
                    return
                yield symbols[int(chosen[0]) - 1]
                state = dict(step(input=chosen, **state))

        return pieces(begun)  # whatever may be wrong has been found before the first piece

    def begin(self, given: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Returns `logits` of the first id after a seed, and the state there, of one row.

        Args as of `generate`'s `given`; raises as `generate`.
        """
        specs = _input_specs(self.signatures[BEGIN])
        columns = {name: [value] for name, value in self.seed_inputs(given).items()}
        inputs = _columns(columns, specs).items()
        return dict(
            self.signatures[BEGIN](**{n: _tensor(n, specs[n], column) for n, column in inputs})
        )

    def _sampling(self, *values: Any) -> dict[str, Any]:
        """Returns the options of `generate`; those that are None from the config."""
        self.require(
            "generation",
            "generates nothing",
            "Name a model that generates sequences (`zoo list --topology one-to-many`).",
        )
        config = self.resolved["config"]
        found = {}
        for (name, low, high), value in zip(RANGES, values, strict=True):
            found[name] = config.get(name) if value is None else value
            if not low <= found[name] <= high:
                raise UsageError(f"{name} must be from {low:g} to {high:g}; got {found[name]}.")
        return found

    def seed_inputs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what `generate` begins with: what was given, and nothing for the rest.

        Raises:
          UsageError: the model knows no such seed, or not that value of it.
        """
        specs = _input_specs(self.signatures[BEGIN])
        inputs = self.recipe.seed(self.config, dict(given))
        if unknown := sorted(inputs.keys() - specs.keys()):
            raise UsageError(
                f"{self.name} takes no {unknown[0]!r} to begin with; it takes {', '.join(specs)}."
                f"{suggest(unknown[0], specs)}"
            )
        nothing = {n: "" if spec.shape.rank == 1 else [] for n, spec in specs.items()}
        return {name: inputs.get(name, nothing[name]) for name in specs}

    def _plain(self, name: str, value: Any) -> Any:
        """Turns one row of an output into plain Python values."""
        plain = _decoded(value.tolist() if hasattr(value, "tolist") else value)
        if name == "probabilities" and self.labels:
            return dict(zip(self.labels, plain, strict=True))
        return plain


def without_cudnn(model: Any) -> None:
    """Makes every recurrent layer use kernels that exist on every machine.

    A graph traced where a GPU is visible would hold cuDNN's, and would load on no CPU server
    (keras-team/keras#18504).
    """
    for layer in [model, *model._flatten_layers(include_self=False)]:
        if hasattr(layer, "use_cudnn"):
            layer.use_cudnn = False


def _input_specs(function: Any) -> dict[str, tf.TensorSpec]:
    if hasattr(function, "input_signature") and function.input_signature:
        return {spec.name: spec for spec in function.input_signature}
    return dict(function.structured_input_signature[1])


def _scalars(function: Any) -> dict[str, tf.TensorSpec]:
    return {name: spec for name, spec in _input_specs(function).items() if spec.shape.rank == 0}


def tensors(
    examples: Mapping[str, Sequence], specs: Mapping[str, tf.TensorSpec]
) -> dict[str, tf.Tensor]:
    """Returns examples as a signature takes them, in one batch.

    Args:
      examples: columns, as of `Predictor.predict`; those that are no inputs are left out.
      specs: of the signature's inputs, by name.

    Raises:
      UsageError: as of `Predictor.predict`.
    """
    given = {name: examples[name] for name in specs if name in examples}
    columns = _columns(_with_lengths(given, specs), specs)
    return {name: _tensor(name, spec, columns[name]) for name, spec in specs.items()}


def _with_lengths(examples: Any, specs: Mapping[str, tf.TensorSpec]) -> Any:
    """Returns examples with the `length` of each row, where the signature takes it."""
    if LENGTH not in specs or len(specs) == 1:
        return examples
    others = {name: spec for name, spec in specs.items() if name != LENGTH}
    if not isinstance(examples, Mapping):
        if (
            len(others) > 1
            or isinstance(examples, (str, bytes))
            or not hasattr(examples, "__iter__")
        ):
            return examples
        examples = {next(iter(others)): list(examples)}
    sequences = [name for name, spec in others.items() if spec.shape.rank > 1 and name in examples]
    if LENGTH in examples or not sequences:
        return examples
    column = examples[sequences[0]]
    if isinstance(column, (str, bytes)) or not hasattr(column, "__iter__"):
        return examples  # which is refused for that
    column = list(column)
    return {**examples, sequences[0]: column, LENGTH: [_size(value) for value in column]}


def _columns(examples: Any, specs: Mapping[str, tf.TensorSpec]) -> dict[str, list]:
    """Checks raw examples against a signature's inputs and returns them as columns."""
    if isinstance(examples, (str, bytes)):
        raise UsageError("predict takes a list of examples, not one text: predict([text]).")
    if not isinstance(examples, Mapping):
        if len(specs) != 1:
            raise UsageError(f"This model takes a dict with the inputs {', '.join(specs)}.")
        examples = {next(iter(specs)): examples}
    if examples.keys() != specs.keys():
        raise UsageError(
            f"This model takes the inputs {', '.join(specs)}; got {', '.join(examples)}."
        )
    for name, column in examples.items():
        if isinstance(column, (str, bytes)) or not hasattr(column, "__iter__"):
            raise UsageError(
                f"Input {name!r} must be a list of values, one an example; got a value of type "
                f"{type(column).__name__}."
            )
    columns = {name: list(column) for name, column in examples.items()}
    if len({len(column) for column in columns.values()}) > 1:
        raise UsageError("The inputs differ in length; each example needs a value of each.")
    for name, spec in specs.items():
        sequences = spec.shape.rank > 1
        for row, value in enumerate(columns[name]):
            if sequences and (isinstance(value, (str, bytes)) or not hasattr(value, "__len__")):
                raise UsageError(
                    f"Example {row} of input {name!r} is of type {type(value).__name__}; it must "
                    "be a list."
                )
            if spec.dtype == tf.string:
                for part in value if sequences else [value]:
                    if not isinstance(part, (str, bytes)):
                        raise UsageError(
                            f"Example {row} of input {name!r} is of type {type(part).__name__}; "
                            "it must be text."
                        )
        if spec.dtype == tf.string:
            columns[name] = [
                [_encoded(part) for part in value] if sequences else _encoded(value)
                for value in columns[name]
            ]
    return columns


def _tensor(name: str, spec: tf.TensorSpec, values: Any) -> tf.Tensor:
    """Makes a signature's input; rows of unequal length are padded with "" or 0."""
    try:
        if spec.shape.rank > 1:
            array = _padded_floats(values, spec) if spec.dtype.is_floating else None
            if array is None:
                array = _padded(values, spec.shape.rank, b"" if spec.dtype == tf.string else 0)
                # Of a list, TensorFlow refuses values of another type; an empty one has no shape.
                tensor = tf.constant(array.tolist(), spec.dtype)
                tensor = tensor if array.size else tf.reshape(tensor, array.shape)
            else:
                tensor = tf.constant(array)
        else:
            tensor = tf.constant(values, spec.dtype)
        if tensor.shape.rank != spec.shape.rank:
            raise ValueError(f"it has {tensor.shape.rank} axes, not {spec.shape.rank}")
        return tensor
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"Input {name!r} takes values of type {spec.dtype.name}, one an example, all of one "
            f"shape ({first_line(error)})."
        ) from error


def _padded_floats(values: Any, spec: tf.TensorSpec) -> np.ndarray | None:
    """Makes rows of numbers one array, filled up with 0: fast, as sound and long series need.

    Returns None where that takes more care: rows that are no arrays of the rank of the signature.
    """
    try:
        rows = [np.asarray(value) for value in values]
    except ValueError:  # lists of unequal length within a row
        return None
    rank = spec.shape.rank - 1
    numbers = all(row.ndim == rank and (row.dtype.kind in "fiu" or not row.size) for row in rows)
    if not rows or not numbers:
        return None
    shape = np.max([row.shape for row in rows], axis=0)
    array = np.zeros((len(rows), *shape), spec.dtype.as_numpy_dtype)
    for place, row in zip(array, rows, strict=True):
        place[tuple(slice(size) for size in row.shape)] = row
    return array


def _padded(values: Any, rank: int, filler: Any) -> np.ndarray:
    """Makes nested lists of unequal length an array of `rank` axes, filled up on the right."""
    if rank == 1:
        row = np.empty(len(values), object)
        for place, value in enumerate(values):
            row[place] = value
        return row
    rows = [_padded(value, rank - 1, filler) for value in values]
    shape = np.max([row.shape for row in rows], axis=0) if rows else [0] * (rank - 1)
    array = np.full((len(rows), *shape), filler, object)
    for row, value in zip(array, rows, strict=True):
        row[tuple(slice(size) for size in value.shape)] = value
    return array


def _encoded(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else utf8(value)


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(part) for part in value]
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def first_line(error: Exception) -> str:
    """Returns the first line of a library's error, without TensorFlow's `{{node …}}`."""
    text = re.sub(r"\{\{.*?\}\}", "", str(error)).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def _size(value: Any) -> int:
    return len(value) if hasattr(value, "__len__") else 1
