"""Steps after the last epoch: test metrics, baselines, plots, the model card."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from zoo import files
from zoo.config import Config
from zoo.data import Splits
from zoo.errors import ZooError
from zoo.recipe import Recipe
from zoo.report import card, epochs
from zoo.serving import novelty
from zoo.serving.predictor import Predictor, load
from zoo.training import checkpoint, throughput
from zoo.training.callbacks import Progress
from zoo.training.run import AVERAGED, FINALISED, Run, delete_own


def trained(run: Run, recipe: Recipe, config: Config) -> checkpoint.State | None:
    """Returns the final state of a run in which only the test metrics are missing.

    In such a run the best weights are intact, the history has all epochs, and there is no
    checkpoint to resume from. The training times are lost and set to 0.

    Returns:
      The state after the last epoch; None for any other run.

    Raises:
      ZooError: the weights are intact but the history is damaged.
    """
    best = run.path / "model-best.keras"
    if checkpoint.files_in(run.path / "checkpoint") or files.verify_archive(best) is not None:
        return None
    if not (run.path / "history.csv").exists():
        return None
    monitor, state = recipe.monitor_of(config), checkpoint.State(history=run.history)
    for row in state.history:
        state.epoch += 1
        if monitor.name not in row:
            return None
        state.observe(row[monitor.name], monitor, row.get("val_loss"))
    if (run.path / AVERAGED).exists():
        about = files.read_object(run.path / AVERAGED, epochs=int, validation=float)
        state.averaged, state.best = about["epochs"], about["validation"]
    return state if state.epoch >= config.epochs or state.is_stale(config.patience) else None


def finish(
    recipe: Recipe,
    config: Config,
    run: Run,
    splits: Splits,
    state: checkpoint.State,
    baselines: bool,
    progress: Progress,
) -> None:
    """Evaluates the best weights on the test split, with the model as it is served.

    Args:
      recipe, config: of the run.
      run: its folder; metrics, figures and the card are written, the checkpoints deleted.
      splits: its data, before `augment`.
      state: at the end of training.
      baselines: whether to fit the recipe's baselines too.
      progress: receives messages.
    """
    from zoo.report import plots

    if summary := epochs.summary(state.history[-1]):
        progress.detail(summary)
    if state.seconds:
        progress.log(throughput.summary(state))
    monitor = recipe.monitor_of(config)
    plots.curves(state.history, run.path / "curves.png", monitor)
    progress.log(f"testing {weights_of(state)}")
    predictor = load(run.path, trust=True)  # this process has trained it
    class_weight = files.read_object(run.path / "data.json").get("class_weight") or {}
    if parts := _finalised(recipe, run, predictor, splits, class_weight):
        progress.log(parts["text"])
    _describe_use(recipe, run, predictor, splits)
    begun = time.perf_counter()
    scores = recipe.evaluate(predictor.config, predictor.assets, predictor, splits.test)
    metrics: dict[str, Any] = {
        "metric": recipe.metric.name,
        "test": scores.to_json(),
        "monitor": monitor.name,
        "validation": state.best,
        "best_epoch": state.best_epoch,
        "epochs": state.epoch,
        "parameters": predictor.model.count_params(),
        "train_seconds": round(state.seconds, 1) or None,
        **throughput.measured(state),
        "test_seconds": round(time.perf_counter() - begun, 1),
        "baseline": {},
    }
    if parts:
        metrics["parts"] = parts
    if state.averaged:
        metrics["weights"] = averaged_over(state)
    if baselines:
        progress.log("fitting the baselines")
        others = recipe.baseline(config, splits)
        metrics["baseline"] = {name: each.to_json() for name, each in others.items()}
    if scores.confusion:
        plots.confusion(scores.confusion, run.path / "confusion.png")
    recipe.figures(predictor.config, predictor.assets, predictor, splits.test, run.path / "figures")
    (run.path / "card.md").unlink(missing_ok=True)  # of lost metrics
    files.write_json(run.path / "metrics.json", metrics)
    wrap_up(run, recipe)


def averaged_over(state: checkpoint.State) -> str:
    """Returns a phrase for the epochs over which the best weights are averaged."""
    return f"the mean of the last {state.averaged} epochs"


def weights_of(state: checkpoint.State) -> str:
    """Returns a phrase for the epochs of the best weights."""
    return averaged_over(state) if state.averaged else f"the weights of epoch {state.best_epoch}"


def _describe_use(recipe: Recipe, run: Run, predictor: Predictor, splits: Splits) -> None:
    """Writes the intended use of the model, from the data, and which rows are unusual for it."""
    facts = recipe.data(predictor.config).facts
    use = {
        "use": list(facts(splits)) if facts else [],
        "novelty": novelty.learn(predictor, splits.validation),
    }
    files.write_json(run.path / novelty.FILE, use)


def _finalised(
    recipe: Recipe,
    run: Run,
    predictor: Predictor,
    splits: Splits,
    class_weight: Mapping[str, float],
) -> dict[str, Any] | None:
    """Finalises the best weights once, and returns what the recipe reports about it.

    The process may be killed in between, and finalised weights must not be finalised again: a file
    beside them holds their SHA-256.
    """
    best, record = run.path / "model-best.keras", run.path / FINALISED
    with contextlib.suppress(ZooError):  # missing or damaged: it is written again
        known = files.read_object(record, sha256=str, parts=dict)
        if known["sha256"] == files.sha256(best):
            return known["parts"]
    parts = recipe.finalise(
        predictor.config, predictor.assets, predictor.model, splits, class_weight
    )
    if parts:
        with files.atomic_write(best) as temporary:
            predictor.model.save(temporary)
            files.write_json(record, {"sha256": files.sha256(temporary), "parts": parts})
    return parts


def wrap_up(run: Run, recipe: Recipe) -> None:
    """Runs the steps after the metrics, unless done: the process may be killed in between."""
    if not (run.path / "card.md").exists():
        card.write(run.path, recipe)
    run.clean()
    delete_own(run.path, ("checkpoint/*",))
