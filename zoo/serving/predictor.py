"""`zoo.load`: loads a trained model, which takes raw input, by name or folder."""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import files
from zoo.assets import Assets, reading_assets
from zoo.bounds import NOT_FINITE
from zoo.config import Config, limits_of, override, saved_settings
from zoo.data import fetch
from zoo.data.origin import DataLike
from zoo.data.reading import Reading, ReadingLike, reading_of
from zoo.errors import (
    UsageError,
    ZooError,
    check_integer,
    check_items,
    check_mapping,
    first_line,
    quoted,
    shortened,
    suggest,
)
from zoo.processes import use_tensorflow
from zoo.recipe import Picture, Recipe
from zoo.report import card
from zoo.serving import capabilities, following, generation, kernels, novelty, rows
from zoo.serving.about import describe_model
from zoo.serving.answers import Answer, Answers, best_of
from zoo.serving.capabilities import ANSWER, BEGIN, CHUNK, GENERATE, SEARCH, STEP, Specs
from zoo.serving.find import (
    WEIGHTS,
    about,
    find,
    has_weights,
    is_pattern,
    resolved_config,
    stored_recipe,
)
from zoo.serving.graph import check_graph
from zoo.serving.inputs import (
    LENGTH,
    batch_tensors,
    columns_of,
    input_specs,
    input_tensor,
    scalars_of,
    size_of,
    tensors,
    with_lengths,
)
from zoo.serving.portable.twin import is_portable
from zoo.serving.pretrained import is_unpacked, packed_use
from zoo.serving.requests import read_request
from zoo.serving.signatures import Served
from zoo.training.folder import read_metrics
from zoo.training.keras_private import layers_of
from zoo.training.strategy import dtype_policy
from zoo.trust import is_trusted
from zoo.utf8 import decoded


def load(model: str | os.PathLike[str], *, trust: bool = False) -> Predictor:
    """Loads a trained model.

    Args:
      model: the name of a recipe or `path/to/file.py:name` (its pretrained weights), a run
        folder, an exported version directory, or the directory of such versions (its newest).
        Write `./name` for a folder that has the name of a recipe. A run as returned by
        `zoo.train` is also accepted.
      trust: whether the model may do more than compute: run the recipe file that it names, use any
        op in its graph, and follow symbolic links. `ZOO_TRUST=1` has the same effect.

    Returns:
      A predictor. Nothing is downloaded. The network and its weights are read on first use.

    Raises:
      UsageError: there is no such model, or it needs trust; recipe and graph are checked on first
        use.
      ZooError: the folder is incomplete or damaged; the weights are checked on first use.
    """
    return Predictor(find(model, trust), trust=trust)


class Predictor:
    """A trained model that takes raw examples and returns plain Python values.

    It can be pickled and copied. A copy holds no weights: it reads them from the folder on first
    use, regardless of any changes to `model`. A predictor cannot be used in a forked process.

    Attributes:
      folder: the folder it was loaded from.
      recipe, config: the network, and the config it was trained with.
      resolved: the run's `config.json`: recipe, config, options.
      assets: what was learned from the data besides weights, and the encoder built from it.
      model: the Keras model (not available for an export in the format `saved_model`).
      metrics: test metrics and baselines, empty for a run that is not complete.
      card: the model card, Markdown.
      about: the folder of its config, assets, metrics and card.
      trust: whether the model may do more than compute, see `load`.
    """

    def __init__(self, folder: Path, *, trust: bool = False) -> None:
        self.folder = folder
        self.trust = trust
        self.about = about(folder)
        self.resolved = resolved_config(folder, trust)
        self._read_assets()

    def _read_assets(self) -> None:
        self.assets = Assets(
            files.read_object(self.about / "assets.json"),
            lambda assets: self.recipe.encoder(self.config, assets),
            novelty.limits_of(*self._use),
        )
        if is_portable(self.folder):
            raise UsageError(
                f"{self.folder} is an export for machines without TensorFlow. "
                "zoo.serving.portable.load reads it; its reader.py does so without this package."
            )
        if not has_weights(self.folder):
            raise ZooError(
                f"{self.folder} has no weights yet: no epoch is complete. Run its `zoo train` "
                "again."
            )

    @property
    def use(self) -> dict[str, Any]:
        """The intended use, and the limits beyond which a row is unusual (`use.json`).

        Older packs do not contain this file. They have an entry in the one next to all packs.
        """
        return self._use[0]

    @property
    def _use(self) -> tuple[dict[str, Any], Path]:
        """Returns `use`, and the path of its file."""
        path = self.about / novelty.FILE
        return (files.read_object(path), path) if path.exists() else packed_use(self.folder)

    def __getstate__(self) -> dict[str, Any]:
        """Returns the state of a copy: the paths of the model, without TensorFlow objects."""
        made = {"assets", "_kept"} | {
            name
            for name in self.__dict__
            if isinstance(getattr(type(self), name, None), functools.cached_property)
        }
        state = {name: value for name, value in self.__dict__.items() if name not in made}
        places = {name: Path(os.path.abspath(state[name])) for name in ("folder", "about")}
        return {**state, **places}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(copy.deepcopy(state))
        self._read_assets()

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.resolved["recipe"].rpartition(":")[2]

    @functools.cached_property
    def recipe(self) -> Recipe:
        return stored_recipe(self.resolved["recipe"], self.folder, self.trust)

    @functools.cached_property
    def config(self) -> Config:
        config = self.recipe.config
        try:
            return override(config, saved_settings(config, self.resolved["config"]))
        except UsageError as error:
            path = self.about / "config.json"
            raise ZooError(f"{path} is damaged or of another version ({error}).") from error

    @property
    def metrics(self) -> dict[str, Any]:
        path = self.about / "metrics.json"
        return read_metrics(path) if path.exists() else {}

    @property
    def data(self) -> dict[str, Any]:
        """The data that the model was trained on (`data.json`)."""
        return files.read_object(
            self.about / "data.json", source=str, title=str, fingerprint=str, rows=dict
        )

    @property
    def run(self) -> dict[str, Any]:
        """The options of the training run: data, seed, precision, …"""
        run = self.resolved.get("run")
        if (
            not isinstance(run, dict)
            or not isinstance(run.get("columns", {}), dict)
            or not isinstance(run.get("tiny", False), bool)
            or not isinstance(run.get("add_validation", 0.0), int | float)
        ):
            raise ZooError(f"{self.about / 'config.json'} is damaged: its 'run' holds no options.")
        return {"columns": {}, "tiny": False, "add_validation": 0.0, **run}

    @property
    def card(self) -> str:
        """The model card, Markdown; empty if there is none.

        The card of a packed model is generated from the pack's JSON files by this version.
        """
        path = self.about / "card.md"
        if not path.exists():
            return ""
        if is_unpacked(self.folder):
            return card.render(self.about, self.recipe, self.use)
        return path.read_text(encoding="utf-8")

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

    @property
    def model(self) -> keras.Model:
        use_tensorflow()
        return self._network

    @functools.cached_property
    def _network(self) -> keras.Model:
        if self._weights is None:
            raise ZooError(
                f"{self.folder} holds a SavedModel only, which can be served, but neither trained "
                "nor exported again. Use the run folder, or an export made with --format keras."
            )
        # Rebuilt from the recipe in float32, so that precision and devices of the training do not
        # matter, and with Keras' own kernels, which run on any machine.
        with dtype_policy("float32"), reading_assets(self.about / "assets.json"):
            model = self.recipe.build(self.config, self.assets)
        # Keras ignores wrong checksums and reads the file in random order, unchecked.
        wrong = files.verify_archive(self._weights)
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
        kernels.prepare(model)
        return model

    def with_limits(self, limits: Mapping[str, Any]) -> Predictor:
        """Returns a predictor of the same model with other limits on the input it reads.

        Args:
          limits: new values of `max_…` settings of its config; if empty, returns the predictor
            itself.

        Raises:
          UsageError: unknown limit, or a value that the recipe does not allow.
        """
        check_mapping("limits", limits)
        if not limits:
            return self
        known = limits_of(self.config)
        for name in limits:
            if name not in known:
                raise UsageError(f"{self.name} has no limit {quoted(name)}.{suggest(name, known)}")
        changed = dataclasses.asdict(override(self.config, limits))
        other = Predictor(self.folder, trust=self.trust)
        other.resolved = {**self.resolved, "config": changed}
        return other

    def served(self) -> Served:
        """Returns the recipe's signatures for `model`."""
        model = self.model
        with reading_assets(self.about / "assets.json"):
            return self.recipe.serve(self.config, self.assets, model)

    @functools.cached_property
    def signatures(self) -> Mapping[str, Any]:
        """Maps each signature name to a function from named tensors to named tensors."""
        use_tensorflow()
        # Functions do not keep the tables and variables that they use alive.
        self._kept: Any
        if not self._saved_model:
            self._kept = self.served()
            return self._kept.functions
        self._kept = load_saved_model(self.folder, self.trust)
        recipe = self._known_recipe
        if recipe is None or not recipe.novelty:
            return self._kept.signatures
        with reading_assets(self.about / "assets.json"):
            return novelty.completed(self._kept.signatures, recipe, self.config, self.assets)

    @property
    def input_names(self) -> list[str]:
        """Names of the raw inputs that `predict` needs, without the optional `length`."""
        specs = input_specs(self.signatures[ANSWER])
        return [name for name in specs if name != LENGTH or len(specs) == 1]

    @functools.cached_property
    def capabilities(self) -> frozenset[str]:
        """The model's capabilities: names of `zoo.serving.capabilities`.

        They are determined from the inputs of its signatures, and from the outputs of a
        SavedModel.
        """
        return capabilities.read(self._specs)

    def require(self, capability: str, lacking: str, hint: str) -> None:
        """Makes sure that the model has a capability.

        Args:
          capability: one of `zoo.serving.capabilities.CAPABILITIES`.
          lacking: what a model without it does not do, such as `"does not search"`.
          hint: a sentence that says which models have it.

        Raises:
          UsageError: the model does not have it. The message says what its signatures lack.
        """
        if capability not in self.capabilities:
            problem = capabilities.find_problem(capability, self._specs)
            raise UsageError(f"{self.name} {lacking}: {problem} {hint}")

    @property
    def _specs(self) -> dict[str, Specs]:
        """The inputs of each signature, and the outputs of traced ones."""
        specs = {}
        for name, function in self.signatures.items():
            outputs = getattr(function, "structured_outputs", None)
            specs[name] = Specs(
                capabilities.tensors_of(input_specs(function)),
                None if outputs is None else capabilities.tensors_of(outputs),
            )
        return specs

    def predict(
        self,
        examples: Any,
        *,
        columns: Mapping[str, str] | None = None,
        reading: ReadingLike = None,
        batch_size: int = 64,
        signature: str | None = None,
        **options: Any,
    ) -> Answers:
        """Returns predictions for raw examples.

        Args:
          examples: a list of raw inputs, or a dict of input name to values, lists of equal length.
            A value is a text or number, or a list of them if the signature takes sequences.
            An input `length` may be omitted: it defaults to the length of each row's sequence.

            Also accepted: a DataFrame or another table, a list of dicts, or a `tf.data.Dataset`;
            columns that are not inputs are ignored. For models that read files, such as
            recordings: a path or a list of paths. For other models: the `Path` of a table, or of
            a `.txt` file with one text per line.
          columns: input name to the name of its column in a table.
          reading: how a file is written, as for `zoo.train`. Notes on the file are printed to
            stderr.
          batch_size: number of rows per batch; it does not change the answers, except for the
            padding of outputs without a `length`.
          signature: name of a signature; by default the one that returns one answer per row, or
            the one that takes the options.
          **options: the signature's inputs without axes. If no signature is named, models with
            beam search take `beam` and `n_best`: the result is the best answer; with `n_best`,
            each output is a list of that many, best first.

        Returns:
          One dict per example, output name to a str, number or list. If there are class names,
          `probabilities` is a dict, class name to number. If the signature returns `length`, lists
          over time have that many values and `length` itself is omitted. A recipe may add values
          that are derived from these, such as spans of text.

          An invalid row does not affect the others: its `valid` is False, its `problem` is a
          sentence, and its other values are NaN, empty, 0 or False.

          If the model stores limits for unusual rows, `unusual` is True for a row that is far from
          the training rows, and `unknown_words` is the share of its words that are out of
          vocabulary.

        Raises:
          UsageError: a plain string instead of a list, a value that is not a text, an unknown
            input, option or signature, a batch size below 1, an option's value that the model
            does not allow; `columns` or `reading` for examples to which they do not apply.
          UsageError, ZooError: a file that is not available or not readable.
        """
        use_tensorflow()
        check_integer("batch_size", batch_size, 1)
        check_mapping("columns", columns)
        signature, options, best = self._resolve(signature, options)
        rows_in, others, specs = self._columns(signature, examples, columns, reading_of(reading))
        function = self.signatures[signature]
        scalars = scalars_of(function)
        if options.keys() != scalars.keys():
            raise UsageError(
                f"The signature {signature!r} of {self.name} takes "
                f"{'the options ' + ', '.join(scalars) if scalars else 'no options'}; "
                f"got {shortened(', '.join(options)) or 'none'}."
            )
        fixed = {name: input_tensor(name, spec, options[name]) for name, spec in scalars.items()}
        answers = self._answer(function, rows_in, specs, fixed, batch_size)
        if best:  # answers have the same form as without options
            inside = {name for each in self._pictures for name in each.outputs}
            answers = [
                {name: best_of(value) for name, value in row.items() if name not in inside}
                for row in answers
            ]
        return self._wrapped(answers, rows_in, others, refine=signature == ANSWER)

    def _resolve(
        self, signature: str | None, options: dict[str, Any]
    ) -> tuple[str, dict[str, Any], bool]:
        """Returns the signature that the options select, all of its options, and whether only the
        best answer per row is requested.
        """
        if signature is not None or not options:
            name = ANSWER if signature is None else signature
            if not isinstance(name, str) or name not in self.signatures:
                raise UsageError(
                    f"{self.name} has no signature {quoted(name)}."
                    f"{suggest(str(name), self.signatures)}"
                )
            return name, options, False
        if options.keys() <= scalars_of(self.signatures[ANSWER]).keys():
            return ANSWER, options, False
        if unknown := sorted(options.keys() - {"beam", "n_best"}):
            known = ["beam", "n_best"] if "search" in self.capabilities else []
            raise UsageError(
                f"predict of {self.name} has no option {quoted(unknown[0])}."
                f"{suggest(unknown[0], known)}"
            )
        self.require("search", "does not search", "beam and n_best are for models that search.")
        for option, value in options.items():
            check_integer(option, value)
        return SEARCH, self.search_options(**options), "n_best" not in options

    def search_options(
        self, *, beam: int | None = None, n_best: int | None = None
    ) -> dict[str, Any]:
        """Returns all options of the search; None values are replaced by those of the config.

        Raises:
          UsageError: `n_best` is not from 1 to `beam`.
        """
        n_best = 1 if n_best is None else n_best
        if beam is None:
            beam = max(n_best, self.resolved["config"].get("beam", n_best))
        if not 1 <= n_best <= beam:
            raise UsageError(f"n_best must be from 1 to beam, which is {beam}; got {n_best}.")
        return {"beam": beam, "n_best": n_best}

    def _columns(
        self,
        signature: str,
        examples: Any,
        columns: Mapping[str, str] | None,
        reading: Reading,
    ) -> tuple[dict[str, list], dict[str, list], dict[str, tf.TensorSpec]]:
        """Returns the inputs of a signature as columns, other known columns of the rows, and the
        specs of the inputs; prints the notes on a file.
        """
        specs = {
            name: spec
            for name, spec in input_specs(self.signatures[signature]).items()
            if spec.shape.rank
        }
        ranks = {
            name: spec.shape.rank - 1
            for name, spec in specs.items()
            if name != LENGTH or len(specs) == 1
        }
        texts = all(specs[name].dtype == tf.string for name in ranks)
        examples, others = read_request(self, examples, ranks, texts, columns, reading)
        for note in reading.notes:
            fetch.log(f"note: {note}")
        return columns_of(with_lengths(examples, specs), specs), others, specs

    def _answer(
        self,
        function: Any,
        columns: Mapping[str, list],
        specs: Mapping[str, tf.TensorSpec],
        fixed: Mapping[str, tf.Tensor],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """Computes the outputs of a signature for each row, as plain Python values."""
        count = len(next(iter(columns.values())))
        if not count:
            return []
        problems = rows.find_uneven(columns, specs)
        # Rows of similar length share a batch: less padding, so less time.
        size = np.max([[size_of(value) for value in column] for column in columns.values()], axis=0)
        order = np.array([i for i in np.argsort(size, kind="stable") if i not in problems], int)
        answers: list[dict[str, Any]] = [{}] * count
        asserted: dict[int, str] = {}
        for start in range(0, len(order), batch_size):
            part = order[start : start + batch_size]
            for index, values in _computed(function, columns, specs, fixed, part, asserted):
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
                if rows.VALID not in values:  # the model does not mark invalid rows itself
                    wrong = index[rows.find_not_finite(values)]
                    problems |= dict.fromkeys(wrong.tolist(), NOT_FINITE)
        if len(asserted) == count:  # every row failed
            raise UsageError(asserted[min(asserted)])
        problems |= asserted
        if problems:
            nothing = {name: self._plain(name, v) for name, v in rows.blank(function).items()}
            for i, problem in problems.items():
                answers[i] = {**nothing, rows.PROBLEM: problem, rows.VALID: False}
        return answers

    def _wrapped(
        self,
        answers: list[dict[str, Any]],
        columns: Mapping[str, list],
        others: Mapping[str, list],
        *,
        refine: bool,
    ) -> Answers:
        """Returns answers together with their examples and their recipe, for display."""
        recipe = self._known_recipe
        further = getattr(recipe.module, "refine", None) if recipe and refine else None
        shown = {name: values for name, values in columns.items() if name != LENGTH}
        found = Answers()
        for row, values in enumerate(answers):
            example = {
                **{name: each[row] for name, each in others.items()},
                **{name: decoded(each[row]) for name, each in shown.items()},
            }
            if further is not None and values.get(rows.VALID, True):
                values = {**values, **further(example, values)}
            found.append(Answer(values, example, self, recipe))
        return found

    @property
    def _pictures(self) -> tuple[Picture, ...]:
        return self._known_recipe.pictures if self._known_recipe else ()

    @property
    def _known_recipe(self) -> Recipe | None:
        """The recipe; None if loading it would run a file that has not been needed so far."""
        if "recipe" not in vars(self) and ".py" in self.resolved["recipe"]:
            return None
        try:
            return self.recipe
        except ZooError:  # an export works without its recipe, which may not be installed here
            return None

    def embed(self, examples: Any, *, batch_size: int = 64) -> np.ndarray:
        """Returns one vector per example: the states of the network, pooled over time.

        If the network pools the states itself, this is its pooled vector. Otherwise it is the mean
        over the real steps of the states of the last recurrent layer; for an encoder-decoder,
        those of the encoder's first layer. Use it for similarity search, clustering, or a linear
        model on top.

        Args:
          examples: as for `predict`.
          batch_size: number of rows per batch.

        Returns:
          float32 `(examples, size)`.

        Raises:
          UsageError: the model has no recurrent layer, or as for `predict`.
          ZooError: the model is an export in the format `saved_model`, whose layers are not
            accessible.
        """
        from zoo.serving import embedding

        check_integer("batch_size", batch_size, 1)
        name = embedding.signature_of(self.served())
        columns, _, specs = self._columns(name, examples, None, Reading())
        if not len(next(iter(columns.values()))):
            raise UsageError("There is no example to embed.")
        encoder = self.recipe.topology == "encoder-decoder"
        return embedding.embed(self, columns, specs, batch_size, encoder=encoder)

    def evaluate(self, data: DataLike = None, **options: Any) -> dict[str, Any]:
        """Scores the model: `zoo.evaluate(self, data, **options)`."""
        return _function("zoo.serving.evaluation", "evaluate")(self, data, **options)

    def export(self, directory: str | Path, **options: Any) -> Path:
        """Writes a version directory for TF Serving: `zoo.export(self, directory, **options)`."""
        return _function("zoo.serving.export", "export")(self, directory, **options)

    def save(self, directory: str | Path) -> Path:
        """Writes the network with its config and assets, for loading or further training.

        Returns:
          The folder, for `zoo.load` and `zoo.train(…, base=folder)`, as written by `export` in the
          format `keras`.
        """
        return self.export(directory, format="keras")

    def __repr__(self) -> str:
        return f"Predictor({self._title()})"

    def _repr_html_(self) -> str:
        from zoo.report.page import card_html

        curves = self.about / "curves.png"
        picture = curves.read_bytes() if curves.is_file() and not curves.is_symlink() else b""
        return card_html(self._title(), self.card, picture)

    def _title(self) -> str:
        """Returns one line about the model, from its files."""
        return describe_model(self.name, self.about, self._known_recipe)

    def tensors(self, examples: Mapping[str, Sequence]) -> dict[str, tf.Tensor]:
        """Returns examples as one batch of inputs of `serving_default`; see `tensors`."""
        return tensors(examples, input_specs(self.signatures[ANSWER]))

    def generate(
        self,
        /,
        count: int = 1,
        *,
        steps: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        **given: Any,
    ) -> Answers:
        """Generates new sequences from one seed, such as a key or the first words.

        Arguments that are None have the value of the model's config.

        Args:
          count: number of sequences; they differ in their random numbers.
          steps: length, in the recipe's steps (characters, frames, …).
          temperature: 0 takes the most probable id, 1 samples from the network's own distribution.
          top_k: samples from this many of the most probable ids; 0: all.
          top_p: samples from the most probable ids with this total probability; 1: all.
          seed: seed of the random numbers. The same seed gives the same sequences; sequence i of
            several equals the single sequence of `seed + i`.
          **given: what the sequence starts with, by the names that the recipe declares: `key`,
            `type`, `chord`, `prompt`, or `prime`, a file to continue.

        Returns:
          One dict per sequence: the recipe's outputs, `log_probability` (in nats, of the sampled
          ids, at temperature 1 and without truncation) and `complete` (whether the sequence ended
          by itself).

        Raises:
          UsageError: the model does not generate, or a value is out of range.
        """
        options = self._sampling(steps, temperature, top_k, top_p)
        random_seeds = generation.random_seeds(seed, count)
        inputs, implied = self.seed_inputs(given)
        if steps is None and implied is not None:
            options = self._sampling(implied, temperature, top_k, top_p)
        examples = {name: [value] * count for name, value in inputs.items()}
        examples["random_seed"] = random_seeds
        together = generation.rows_together(self.resolved["config"], options["steps"])
        answers = self.predict(examples, signature=GENERATE, batch_size=together, **options)
        if not answers[0].get(rows.VALID, True):  # the same for all: they start alike
            raise UsageError(answers[0][rows.PROBLEM])
        return answers

    def stream(
        self,
        /,
        *,
        steps: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        **given: Any,
    ) -> Iterator[str]:
        """Returns an iterator over the texts of the ids of `generate(...)[0]`, as they are sampled.

        It takes the arguments of `generate`.

        Raises:
          UsageError: as `generate`, or the model's ids are not text.
        """
        options = self._sampling(steps, temperature, top_k, top_p)
        symbols = self.assets.get("symbols")
        if symbols is None:
            raise UsageError(f"What {self.name} generates is no text that could be streamed.")
        # All errors are raised here, before the first piece.
        (random_seed,) = generation.random_seeds(seed, 1)
        generation.check_steps(self.resolved["config"], options["steps"])
        begun = self.begin(given)
        return generation.stream(self.signatures[STEP], begun, symbols, random_seed, **options)

    def follow(self, parts: Iterable[Any]) -> Iterator[dict[str, str]]:
        """Returns an iterator over the answers to one input that arrives in parts.

        Args:
          parts: the values of each part, float32 `(values,)`, as the model's input has them. The
            answer to a part is yielded before the next part is requested.

        Returns:
          For each part, and once at the end: `text`, which is final and does not change any more,
          and `partial`, which follows it and may still change. All `text` values, joined by
          spaces, are the answer.

        Raises:
          UsageError: the model does not support input in parts (`capabilities` has no
            `"streaming"`), or a part is not a valid input.
        """
        return following.answers(self.follower(), check_items("parts", parts))

    def follower(self) -> following.Follower:
        """Returns an object that takes the parts of one input one by one; `follow` uses it.

        Raises:
          UsageError: as `follow`.
        """
        if "streaming" not in self.capabilities:
            raise UsageError(
                f"{self.name} does not answer an input that arrives in parts. "
                "Give predict() the whole input."
            )
        return following.Follower(self.signatures[CHUNK])

    def begin(self, given: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Returns the `logits` of the first id after a seed and the state there, for one row.

        Takes the `given` of `generate`, and raises the same errors.
        """
        use_tensorflow()
        columns = {name: [value] for name, value in self.seed_inputs(given)[0].items()}
        specs = input_specs(self.signatures[BEGIN])
        inputs = columns_of(columns, specs).items()
        given_tensors = {n: input_tensor(n, specs[n], column) for n, column in inputs}
        try:
            begun = dict(self.signatures[BEGIN](**given_tensors))
        except rows.REFUSALS as error:
            raise UsageError(rows.refusal(error)) from error
        begun.pop(rows.VALID, None)
        problem = begun.pop(rows.PROBLEM, None)
        if problem is not None and problem[0] != b"":
            raise UsageError(problem[0].numpy().decode())
        return begun

    def _sampling(self, *values: Any) -> dict[str, Any]:
        """Returns the options of `generate`; None values are replaced by those of the config."""
        self._require_generation()
        return generation.sampling_options(self.resolved["config"], *values)

    def _require_generation(self) -> None:
        self.require(
            "generation",
            "generates nothing",
            "Name a model that generates sequences (`zoo list --topology one-to-many`).",
        )

    def seed_inputs(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], int | None]:
        """Returns the seed inputs of `generate`, and the number of steps that they need, if any.

        Inputs that are not given are empty.

        Raises:
          UsageError: the model does not generate, has no such seed, or does not accept its value.
        """
        self._require_generation()
        specs = input_specs(self.signatures[BEGIN])
        generation.check_seed(
            given,
            specs,
            has_hook=hasattr(self.recipe.module, "seed"),
            options=self.recipe.seeds,
            model=self.name,
        )
        inputs = dict(self.recipe.seed(self.config, dict(given)))
        steps = inputs.pop("steps", None)
        return generation.fill_seed(inputs, specs, self.name), steps

    def _plain(self, name: str, value: Any) -> Any:
        """Returns one row of an output as plain Python values."""
        plain = decoded(value.tolist() if hasattr(value, "tolist") else value)
        if name == "probabilities" and self.labels and plain:
            return dict(zip(self.labels, plain, strict=True))
        return plain


def load_saved_model(folder: Path, trust: bool = False) -> Any:
    """Loads a SavedModel, of this package or another, after a check of its graph.

    Args:
      folder: the folder of `saved_model.pb`.
      trust: whether its graph may do more than compute.

    Returns:
      The object that TensorFlow loads; its functions are in `signatures` and do not keep it alive.

    Raises:
      UsageError: it needs trust.
      ZooError: it is damaged, or TensorFlow cannot read its path.
    """
    use_tensorflow()
    if is_pattern(folder):
        raise ZooError(
            f"{folder}: TensorFlow takes the square brackets in this path for a pattern, "
            "and finds no variables. Rename the folder, or name it by a path without them."
        )
    if not is_trusted(trust):
        check_graph(folder)
    try:
        return tf.saved_model.load(str(folder))
    except Exception as error:  # the type depends on which byte is wrong
        raise ZooError(
            f"{folder} is damaged ({first_line(error)}). Export or install it again."
        ) from error


def _function(module: str, name: str) -> Any:
    """Returns a function of a module that imports this one."""
    return getattr(importlib.import_module(module), name)


def _computed(
    function: Any,
    columns: Mapping[str, list],
    specs: Mapping[str, tf.TensorSpec],
    options: Mapping[str, tf.Tensor],
    index: np.ndarray,
    problems: dict[int, str],
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yields the outputs of rows; if the batch fails, row by row.

    Args:
      function: a signature.
      columns, specs, options: its inputs.
      index: the rows of the batch.
      problems: filled with the message of each row that fails.

    Yields:
      The rows, and the outputs by name, `(rows, …)`.
    """
    inputs = batch_tensors(columns, specs, index)
    try:
        outputs = function(**inputs, **options)
    except rows.REFUSALS as error:
        if len(index) == 1:
            problems[int(index[0])] = rows.refusal(error)
            return
        for one in np.split(index, len(index)):
            yield from _computed(function, columns, specs, options, one, problems)
        return
    yield index, {name: output.numpy() for name, output in sorted(outputs.items())}


def without_cudnn(model: Any) -> None:
    """Makes every recurrent layer use kernels that are available on every machine.

    Otherwise, a graph traced where a GPU is visible contains cuDNN ops, and no CPU server can load
    it (keras-team/keras#18504).
    """
    for layer in [model, *layers_of(model)]:
        if hasattr(layer, "use_cudnn"):
            layer.use_cudnn = False
