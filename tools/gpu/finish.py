"""Creates a run from weights that were trained elsewhere, and evaluates it.

python -m tools.gpu.finish imdb-lstm gpu runs/imdb-lstm
python -m tools.gpu.finish ptb-deep-lstm gpu runs/ptb-deep-lstm
python -m tools.gpu.finish language-model gpu runs/reviews-lm
python -m tools.gpu.finish imdb-bilstm-large gpu runs/imdb-bilstm-large --from runs/reviews-lm
python -m tools.gpu.finish conll-0 gpu runs/conll-0          # or conll-student-0: taggers
python -m tools.gpu.finish imdb-bilstm-sst2 gpu runs/sst2 --from runs/imdb-bilstm-large
python -m tools.gpu.finish translate-attention gpu runs/translate-attention
python -m tools.gpu.finish adding-lstm-bias3-seed1-long gpu runs/adding-lstm-bias3-seed1-long

The folder then has all files of a run: test metrics, baselines, the card. `python -m benchmarks
pack` and `collect` take it as any other.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import threading
from pathlib import Path
from typing import Any

import zoo
from tools.gpu import large
from tools.gpu.arrays import load_splits
from tools.gpu.members import MEMBERS
from tools.gpu.tagger_rows import NAME as TAGGER
from tools.gpu.translators import TRANSLATORS
from tools.gpu.weights import read_notes, read_weights
from zoo import files
from zoo.config import override
from zoo.errors import Interrupted, UsageError, ZooError
from zoo.registry import get_recipe
from zoo.scores import Monitor
from zoo.training import checkpoint
from zoo.training.callbacks import Progress
from zoo.training.finish import finish, wrap_up
from zoo.training.optimizer import compile_model
from zoo.training.replicas import distribute
from zoo.training.run import Run

SOURCES = {  # all others: tfds
    "ptb-deep-lstm": "ptb",
    large.SENTENCES: "sst-2",
    **{name: how.source for name, how in TRANSLATORS.items()},
}
# The recipe and the settings of networks that have a name of their own.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "language-model": ("reviews-lm", large.SIZES),
    large.SENTENCES: (large.NAME, {}),
    **{name: (how.recipe, how.all_settings) for name, how in TRANSLATORS.items()},
}
# What the run starts from that a network has its words from.
BASES = {large.NAME: "the language model", large.SENTENCES: large.NAME}


def begin_run(
    name: str,
    path: Path,
    source: str,
    settings: dict[str, Any],
    base: Path | None = None,
    seed: int = 0,
) -> Run:
    """Creates a run: its config, environment, data and assets, and one step that does not count.

    Raises:
      UsageError: the folder holds another run, or a complete one.
      ZooError: the data are not available.
    """
    if Run(path).complete:
        raise UsageError(f"{path} is a complete run already. Choose another folder.")
    stop = threading.Event()
    stop.set()
    with contextlib.suppress(Interrupted):
        zoo.train(
            name, path, data=source, settings=settings, base=base, stop=stop, seed=seed,
            baselines=False, quiet=True,
        )  # fmt: skip
    return Run(path)


@dataclasses.dataclass(frozen=True)
class Origin:
    """What weights are of.

    Attributes:
      recipe: name of the recipe.
      source: of the data.
      settings: of the recipe, other than its defaults.
      learnt: what the recipe has learnt from the training split, but for the weights.
      seed: of the training.
    """

    recipe: str
    source: str
    settings: dict[str, Any]
    learnt: dict[str, Any]
    seed: int = 0


def origin_of(name: str, folder: Path) -> Origin:
    """Returns what the weights of `NAME.npz` are of.

    Args:
      name: of a recipe, a key of `NETWORKS` or `MEMBERS`, or `conll-…` for a tagger's weights.
      folder: with the files of `arrays.py` and `learn.py`.
    """
    if member := MEMBERS.get(name):
        return Origin(member.recipe, "made", member.settings(), {}, member.seed)
    if name.startswith("conll-") and (folder / f"{name}.npz").is_file():
        notes = read_notes(folder / f"{name}.npz")
        settings = notes["settings"]
        learnt = files.read_object(folder / f"{TAGGER}.rare-{settings['rare']}.assets.json")
        return Origin(TAGGER, "tfds", settings, learnt, notes["seed"])
    recipe, settings = NETWORKS.get(name, (name, {}))
    learnt = files.read_object(folder / f"{name}.assets.json")
    return Origin(recipe, SOURCES.get(name, "tfds"), settings, learnt)


def finish_run(
    name: str,
    folder: Path,
    path: Path,
    source: str | None = None,
    settings: dict[str, Any] | None = None,
    baselines: bool = True,
    base: Path | None = None,
) -> Run:
    """Creates a run with the weights of `NAME.npz` and evaluates it.

    Args:
      name: see `origin_of`.
      folder: with the files of `arrays.py` and `learn.py`.
      path: the run folder.
      source: of the data; None: the one that `arrays.py` reads if nothing else is asked for.
      settings: of the network; None: those of the recipe, of `NETWORKS` or of `MEMBERS`.
      baselines: whether the recipe's baselines are fitted too.
      base: a run that the network has its words from, for a key of `BASES`.

    Raises:
      UsageError: the folder holds another run, or a complete one; `base` is missing.
      ZooError: the data are not those of `arrays.py`, or not available.
    """
    if name in BASES and base is None:
        raise UsageError(f"{name} starts from a run of {BASES[name]}. Give it: --from RUN.")
    origin = origin_of(name, folder)
    source, learnt = source or origin.source, origin.learnt
    recipe, settings = get_recipe(origin.recipe), settings or origin.settings
    config = override(recipe.config, settings)
    assets = recipe.assets(config, learnt)
    model = recipe.build(config, assets)
    recipe.initialise(config, assets, model)  # weights that are not trained
    notes = read_weights(folder / f"{name}.npz", model)
    settings = {**settings, "epochs": notes["epochs"]}
    config = override(recipe.config, settings)
    splits = load_splits(recipe, config, source)
    given = zoo.load(base).assets if base else None
    if json.loads(json.dumps(recipe.prepare(config, splits.train, given))) != learnt:
        raise ZooError(
            f"{folder} was made of other data than {source}: what was learnt from them differs. "
            "Give --data the source that arrays.py has read, or write the arrays again."
        )
    run = begin_run(origin.recipe, path, source, settings, base, origin.seed)
    compile_model(recipe, config, assets, model, 1)  # steps of an epoch, which none follows
    validation = recipe.batches(config, assets, splits.validation)
    strategy = model.distribute_strategy
    logs = model.evaluate(
        distribute(validation, validation.sorted_order(), strategy), return_dict=True, verbose=0
    )
    state = ended(recipe.monitor_of(config), notes, logs)
    library = notes.get("library", "PyTorch")
    score = f"{state.best:.4f}; by the batches of {library} {notes['best']:.4f}"
    print(f"{name}, {recipe.monitor_of(config).name}: {score}")
    for file in ("model-best.keras", "model-last.keras"):  # no others are kept
        with files.atomic_write(run.path / file) as temporary:
            model.save(temporary)
    run.write_history(state.history)
    if "teaching" in notes:
        data = files.read_object(run.path / "data.json")
        files.write_json(run.path / "data.json", {**data, "teaching": notes["teaching"]})
    progress = Progress(config.epochs, 0)
    finish(recipe, config, run, splits, state, baselines, progress)
    how = f"trained by {library} on {notes['device']} in {notes['seconds']:,} s"
    if beside := notes.get("beside"):
        how += f", beside {beside} other network{'s' * (beside > 1)}"
    files.write_json(run.path / "metrics.json", {**run.metrics, "weights": how})
    (run.path / "card.md").unlink(missing_ok=True)  # which does not say so yet
    wrap_up(run, recipe)
    return run


def ended(monitor: Monitor, notes: dict[str, Any], logs: dict[str, float]) -> checkpoint.State:
    """Returns the state at the end of training.

    Args:
      monitor: of the run.
      notes: of the weights; `history` has a row for each epoch in which the monitor was measured.
      logs: what the engine measures of the weights on the validation split.
    """
    history = notes["history"]
    pick = min if monitor.better == "lower" else max
    best = pick(history, key=lambda row: row[monitor.name])
    return checkpoint.State(
        epoch=history[-1]["epoch"],
        best=logs[monitor.name.removeprefix("val_")],
        best_epoch=best["epoch"],
        history=history,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the recipe, such as imdb-lstm")
    parser.add_argument("folder", type=Path, help="with the files of arrays.py and learn.py")
    parser.add_argument("run", type=Path, help="a new folder")
    parser.add_argument(
        "--data",
        metavar="SOURCE",
        help="; ".join(f"{source} for {name}" for name, source in SOURCES.items())
        + "; otherwise tfds",
    )
    text = "; ".join(f"{name}: a run of {base}" for name, base in BASES.items())
    parser.add_argument("--from", dest="base", type=Path, metavar="RUN", help=text)
    given = parser.parse_args()
    try:
        finish_run(given.name, given.folder, given.run, given.data, base=given.base)
    except ZooError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
