"""`zoo train`."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import cluster
from zoo.cli import options
from zoo.config import MAX_SEED, PRECISIONS, STRATEGIES, override, parse_settings
from zoo.errors import Interrupted, UsageError, ZooError

if TYPE_CHECKING:
    from zoo.config import Config
    from zoo.data.origin import DataLike
    from zoo.recipe import Recipe


class WorkerCommand(click.Command):
    """A command whose process may be one of several: a wrong option is told to the others."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        given = list(args)
        try:
            return super().make_context(info_name, args, *rest, **extra)
        except (click.ClickException, ZooError) as error:
            from zoo.handshake import farewell

            said = error
            if isinstance(error, click.ClickException):
                said = UsageError(error.format_message())  # with the option's name
            with contextlib.suppress(ZooError):
                farewell(_cluster_of(given), said)
            raise


def _cluster_of(arguments: list[str]) -> cluster.Cluster | None:
    """Returns where this process stands, by options that could not be parsed."""
    from zoo.training.launcher import option_of

    for option, name in (
        ("--hosts", cluster.HOSTS),
        ("--index", cluster.INDEX),
        ("--port", cluster.PORT),
    ):
        if value := option_of(option, arguments):
            os.environ[name] = value
    return cluster.find_cluster(option_of("--strategy", arguments) or STRATEGIES[0])


def _say_plan(
    recipe: Recipe, config: Config, data: DataLike, output: str | None, overwrite: bool
) -> None:
    """Prints what is about to be trained and downloaded, unless the run has begun already."""
    from zoo.training.plan import plan

    folder = Path(output) if output else Path("runs") / recipe.name
    if overwrite or not (folder / "config.json").exists():
        options.say(plan(recipe, config, data), hang="")


@click.command(cls=WorkerCommand)
@options.recipe
@click.option(
    "-o",
    "--output",
    metavar="RUN",
    type=click.Path(),
    help="Run folder.  [default: runs/NAME]",
)
@click.option(
    "--data",
    metavar="SOURCE",
    help="Key of a source (tfds, wheel, sample, …), or your own table (.csv, .jsonl, .parquet, "
    ".xlsx, …), zip or folder.  [default: the first available source]",
)
@options.column
@options.reading
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change the config that `zoo info NAME` lists. May be repeated.",
)
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Short for --set epochs=N.")
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    metavar="N",
    help="Over all devices together; short for --set batch_size=N.",
)
@click.option(
    "--class-weight",
    "class_weights",
    multiple=True,
    metavar="CLASS=W",
    help="Weight of a class in the loss, repeatable; or balanced, or none.  "
    "[default: balanced, if a class has < 10 % of custom data]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of initial weights, dropout and the order of batches.",
)
@click.option("--deterministic", is_flag=True, help="Bit-equal results on the same machine.")
@click.option(
    "--strategy",
    type=click.Choice(STRATEGIES),
    default=STRATEGIES[0],
    show_default=True,
    metavar="NAME",
    help=f"Devices: {', '.join(STRATEGIES)}.",
)
@click.option(
    "--hosts",
    metavar="HOST:PORT,…",
    help="All workers that train together, the chief first.  [default: ZOO_HOSTS]",
)
@click.option(
    "--index", metavar="N", help="Index of this machine in --hosts, from 0.  [default: ZOO_INDEX]"
)
@click.option(
    "--port",
    metavar="N",
    help="Port of hosts given without one; with Slurm, of the first task.  [default: ZOO_PORT]",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=PRECISIONS[0],
    show_default=True,
    metavar="NAME",
    help=f"{', '.join(PRECISIONS)}.",
)
@click.option(
    "--from",
    "base",
    metavar="MODEL",
    shell_complete=options.complete_model,
    help="Start from the weights of this recipe name, run folder or export; or none.  "
    "[default: none, unless the packed weights help with custom data]",
)
@click.option("--trust", is_flag=True, help="Follow symbolic links in MODEL.  [default: ZOO_TRUST]")
@click.option("--resume", is_flag=True, help="Fail if there is no run to resume.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Train from scratch. An older run in the folder is deleted after the first epoch.",
)
@click.option(
    "--tiny",
    is_flag=True,
    help="Smoke test of a few seconds on a small part of the data. Its scores mean nothing.",
)
@click.option(
    "--add-validation",
    type=options.FiniteRange(0, 1, max_open=True),
    default=0.0,
    metavar="SHARE",
    help="Share of the validation rows to train on as well, once the settings are chosen. The "
    "others still choose the epoch.",
)
@click.option(
    "--baselines/--no-baselines",
    default=True,
    show_default=True,
    help="Also score simple methods.",
)
@click.option(
    "--checkpoint-seconds",
    type=options.FiniteRange(0),
    default=60.0,
    show_default=True,
    metavar="S",
    help="Time between checkpoints inside an epoch.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Also print norms of gradients and steps, as in the card."
)
def train(
    name: str,
    output: str | None,
    settings: tuple[str, ...],
    epochs: int | None,
    batch_size: int | None,
    class_weights: tuple[str, ...],
    resume: bool,
    overwrite: bool,
    hosts: str | None,
    index: str | None,
    port: str | None,
    **kwargs: object,
) -> None:
    """Train the recipe NAME (or `path/to/file.py:name`), test it, and write its run folder.

    If the command was stopped, run it again to resume.
    """
    from zoo.handshake import telling
    from zoo.registry import get_recipe

    strategy = str(kwargs["strategy"])
    for variable, given in (
        (cluster.HOSTS, hosts), (cluster.INDEX, index), (cluster.PORT, port)
    ):  # fmt: skip
        if given is not None:
            if strategy not in cluster.STRATEGIES:
                raise click.UsageError(f"--strategy {strategy} trains without other hosts.")
            os.environ[variable] = given
    # What is wrong is said before TensorFlow's seconds.
    found = cluster.find_cluster(strategy)
    with telling(lambda: found):
        if resume and overwrite:
            raise click.UsageError("--resume and --overwrite exclude each other.")
        changes = parse_settings(settings)
        for key, value in (("epochs", epochs), ("batch_size", batch_size)):
            if value is not None:
                if key in changes:
                    raise click.UsageError(f"{key} is given twice.")
                changes[key] = str(value)
        recipe = get_recipe(name)
        # As `zoo.train` has it, a smoke test takes two epochs.
        config = override(recipe.config, {"epochs": "2", **changes} if kwargs["tiny"] else changes)
        from zoo.training.class_weight import parse_class_weights

        kwargs["class_weight"] = parse_class_weights(class_weights)
        if found:
            cluster.patience()
        if not kwargs["quiet"] and not (found and found.index):
            _say_plan(recipe, config, kwargs["data"], output, overwrite)
        options.import_tensorflow()
    from zoo import training

    function = training.distil if "teachers" in kwargs else training.train
    if sys.stdout.isatty() and not kwargs["quiet"]:
        click.echo("reading the data …\r", nl=False)  # the next line is printed over it
    try:
        run = function(
            name,
            output,
            settings=changes,
            resume=resume,
            overwrite=overwrite,
            **kwargs,  # type: ignore[arg-type]
        )
    except KeyboardInterrupt as stop:
        from zoo.training.launcher import COMMAND

        again = shlex.split(os.environ.get(COMMAND, "")) or sys.argv[1:]
        run_folder = Path(output) if output else Path("runs") / recipe.name
        begun = (run_folder / "checkpoint").is_dir()
        if stop.epoch > 0 if isinstance(stop, Interrupted) else begun:
            # The new run has begun: to overwrite it too would lose what is done.
            again = [argument for argument in again if argument != "--overwrite"]
        where = ""
        if isinstance(stop, Interrupted):
            where = f" {stop.place}; nothing is lost"
        click.echo(f"\nStopped{where}. Resume with:\n  zoo {shlex.join(again)}")
        raise
    if kwargs["tiny"]:
        click.echo("smoke test (--tiny): the run is complete. Its scores mean nothing")
    else:
        _echo_scores(recipe, run.metrics)
    from zoo.serving.usage import example_command

    click.echo(f"saved in {run.path}; try\n  {example_command(run)}")


def _echo_scores(recipe: Recipe, metrics: dict[str, Any]) -> None:
    """Prints the test score, the baselines' below it, and how even a classifier is."""
    from zoo.scores import Scores, evenness

    metric, text = metrics["metric"], recipe.metric.text
    click.echo(f"{metric} {text(metrics['test'][metric])} on the test split")
    for other, scores in metrics["baseline"].items():
        click.echo(f"  {text(scores[metric]) if metric in scores else '–'} {other} (baseline)")
    for line in evenness(Scores.from_json(metrics["test"])):
        options.say(line)
