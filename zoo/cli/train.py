"""`zoo train`."""

from __future__ import annotations

import shlex
import sys

import click

from zoo.cli import options
from zoo.config import parse_settings
from zoo.errors import Interrupted

STRATEGIES = ("auto", "none", "mirrored")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@click.command()
@click.argument("name")
@click.option("-o", "--output", metavar="RUN", help="Run folder.  [default: runs/NAME]")
@click.option("--data", metavar="SOURCE", help="tfds, wheel, sample, … or your CSV/TSV/JSONL file.")
@options.column
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change the config.")
@click.option("--epochs", type=click.IntRange(1), help="Short for --set epochs=N.")
@click.option("--batch-size", type=click.IntRange(1), help="Global; short for --set batch_size=N.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--deterministic", is_flag=True, help="Bit-equal results on the same machine.")
@click.option("--strategy", type=click.Choice(STRATEGIES), default="auto", show_default=True)
@click.option("--precision", type=click.Choice(PRECISIONS), default="float32", show_default=True)
@click.option("--from", "base", metavar="MODEL", help="Go on from these weights, on other data.")
@click.option("--resume", is_flag=True, help="Demand a run to go on with.")
@click.option("--overwrite", is_flag=True, help="Delete what the run folder holds.")
@click.option("--tiny", is_flag=True, help="A small real subset: a few seconds.")
@click.option("--baselines/--no-baselines", default=True, show_default=True)
@click.option(
    "--checkpoint-seconds",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    help="Time between checkpoints inside an epoch.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
def train(
    name: str,
    output: str | None,
    settings: tuple[str, ...],
    epochs: int | None,
    batch_size: int | None,
    resume: bool,
    overwrite: bool,
    **kwargs: object,
) -> None:
    """Train the recipe NAME (or `path/to/file.py:name`), test it, and write its run folder.

    The same command run again goes on where it was stopped.
    """
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other.")
    changes = parse_settings(settings)
    for key, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value is not None:
            if key in changes:
                raise click.UsageError(f"{key} is given twice.")
            changes[key] = str(value)
    from zoo.registry import get_recipe

    get_recipe(name)  # a wrong name is said before TensorFlow's seconds
    options.import_tensorflow()
    from zoo.training import train

    try:
        run = train(
            name,
            output,
            settings=changes,
            resume=resume,
            overwrite=overwrite,
            **kwargs,  # type: ignore[arg-type]
        )
    except Interrupted as stop:
        again = [argument for argument in sys.argv[1:] if argument != "--overwrite"]
        click.echo(
            f"\nStopped in epoch {stop.epoch} after step {stop.step}; nothing is lost. Go on with:"
            f"\n  zoo {shlex.join(again)}"
        )
        raise
    metrics = run.metrics
    metric = metrics["metric"]
    click.echo(f"{metric} {metrics['test'][metric]:.4f} on the test split")
    for other, scores in metrics["baseline"].items():
        click.echo(f"  {scores[metric]:.4f} {other} (baseline)")
    click.echo(f'saved in {run.path}; try\n  zoo predict {run.path} "…"')
