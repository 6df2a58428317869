"""`zoo generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zoo import files
from zoo.cli import options
from zoo.cli.model_options import ModelCommand
from zoo.config import parse_settings
from zoo.errors import UsageError, ZooError, quoted


@click.command(cls=ModelCommand)
@options.model
@click.option(
    "--with",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="How to begin, e.g. key='G major'; `zoo generate MODEL --help` lists the names.",
)
@click.option(
    "--prime",
    metavar="FILE",
    type=click.Path(),
    help="Continue this file (of a kind that the model has learnt).",
)
@click.option("--steps", type=int, metavar="N", help="Length, in the recipe's steps.")
@click.option(
    "--temperature", type=float, metavar="T", help="0: always the most probable; 1: as learnt."
)
@click.option("--top-k", type=int, metavar="K", help="Draw from the K most probable; 0: all.")
@click.option(
    "--top-p",
    type=float,
    metavar="P",
    help="Draw from the most probable that together reach the probability P; 1: all.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 2),
    default=0,
    show_default=True,
    help="Random seed; piece i of several uses this number plus i.",
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    metavar="COUNT",
    help="Number of pieces.",
)
@click.option("-o", "--output", metavar="DIR", type=click.Path(), help="Folder for the files.")
@options.trust
@click.option("--json", "as_json", is_flag=True, help="JSON lines on standard output.")
def generate(
    model: str,
    settings: tuple[str, ...],
    prime: str | None,
    steps: int | None,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    seed: int,
    count: int,
    output: str | None,
    trust: bool,
    as_json: bool,
    **declared: Any,
) -> None:
    """Make COUNT new pieces with MODEL (recipe name, run folder or export).

    Text is printed while it is generated; other pieces become files in DIR,
    or lines in the terminal. The same --seed gives the same pieces.

    Lengths, temperature and probabilities that are not given are the model's own.
    `zoo generate MODEL --help` also shows what MODEL can begin with.
    """
    if output is not None and Path(output).exists() and not Path(output).is_dir():
        raise UsageError(f"{output} is a file. Name a folder.")
    if prime is not None and not files.expanded(prime).is_file():
        raise UsageError(f"There is no file {prime}.")
    start: dict[str, Any] = {name: value for name, value in declared.items() if value is not None}
    chosen: dict[str, Any] = {
        "steps": steps,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
    }
    for name, value in parse_settings(settings, blanks=True).items():
        if name in ("count", "seed", *chosen):
            raise click.UsageError(f"{name} is an option: --{name.replace('_', '-')} {value}")
        if name in start:
            raise click.UsageError(f"{name} is given twice.")
        start[name] = value
    if prime is not None:
        start["prime"] = str(files.expanded(prime))
    options.import_tensorflow()
    from zoo.serving import load

    predictor = load(model, trust=trust)
    for option in predictor.recipe.seeds:
        if option.type is int and isinstance(start.get(option.name), str):  # of --with
            start[option.name] = _integer(option.name, start[option.name])
    for_files = {
        option.name: start.pop(option.name)
        for option in predictor.recipe.render_options
        if option.name in start
    }
    if for_files and output is None:
        raise UsageError(f"--{next(iter(for_files))} applies to files only. Add -o DIR.")
    inputs, _ = predictor.seed_inputs(start)
    if left := predictor.recipe.unread(predictor.config, predictor.assets, inputs):
        click.echo(f"note: ignored: {options.printable(left)}", err=True)
    is_text = "symbols" in predictor.assets
    prompt = start.get("prompt", "") if is_text else ""
    streamed = output is None and not as_json and is_text
    if streamed:
        for number in range(count):
            if number:
                click.echo("\n")
            pieces = predictor.stream(seed=seed + number, **chosen, **start)  # raises every error
            click.echo(prompt, nl=False)
            for piece in pieces:
                click.echo(options.printable(piece, keep="\n\t"), nl=False)
        click.echo()
        return
    answers = predictor.generate(count, seed=seed, **chosen, **start)
    if as_json:
        for answer in answers:
            click.echo(options.json_text(answer))
    if output is None:
        if not as_json:
            for answer in options.printable(answers, keep="\n\t"):
                whole = [text for text in answer.values() if isinstance(text, str) and "\n" in text]
                click.echo(whole[0] if whole else predictor.recipe.show(start, answer))
            click.echo("note: -o DIR writes files", err=True)
        return
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ZooError(f"Cannot write to {folder}: {error.strerror or error}.") from error
    for number, answer in enumerate(answers):
        stem = folder / f"{predictor.name}-{seed + number}"
        answer_and_given = {**start, **answer, **for_files}
        paths = predictor.recipe.render(predictor.config, answer_and_given, stem)
        for path in paths or [_text(prompt, answer, stem)]:
            click.echo(path, err=as_json)


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{name} must be an integer; got {quoted(text)}.") from None


def _text(prompt: str, answer: dict[str, Any], stem: Path) -> Path:
    """Writes the text of an answer, after its prompt."""
    texts = [value for value in answer.values() if isinstance(value, str)]
    path = stem.with_name(f"{stem.name}.txt")
    files.write_text(path, "".join([prompt, *texts]))
    return path
