"""`zoo data list`, `zoo data fetch`, `zoo data check`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options
from zoo.errors import UsageError, ZooError, quoted, suggest

if TYPE_CHECKING:
    from zoo.data import Dataset, Examples, Source
    from zoo.data.reading import ReadOptions


@click.group()
def data() -> None:
    """List, fetch and check datasets."""


@data.command("list")
@click.option(
    "--probe", is_flag=True, help="Check over the network whether the sources are reachable."
)
@options.json_output
def list_(probe: bool, as_json: bool) -> None:
    """List the datasets of all recipes, with their sources in the order of preference."""
    rows = [_describe(each, names, probe) for each, names in _datasets().values()]
    if as_json:
        click.echo(options.json_text(rows, indent=2))
        return
    if not rows:
        click.echo("No recipe is registered.", err=True)
        return
    options.table(
        [
            {
                "dataset": row["name"],
                "source": source["key"],
                "data": source["title"],
                "download": f"{source['size'] / 1e6:.1f} MB",
                "state": source["state"],
            }
            for row in rows
            for source in row["sources"]
        ]
    )
    for row in rows:
        click.echo()
        options.say(f"{row['name']}: {row['title']}")
        options.say(f"licence: {row['licence']}", "  ")
        for source in row["sources"]:
            if source["licence"] != row["licence"]:
                options.say(f"licence of {source['title']}: {source['licence']}", "  ")
        options.say(f"recipes: {', '.join(row['recipes'])}", "  ")
        for source in row["sources"]:
            if source["reason"]:
                options.say(f"{source['key']} is {source['state']}: {source['reason']}", "  ")
        if asked := [source["key"] for source in row["sources"] if source["on_request"]]:
            options.say(f"used only with --data: {', '.join(asked)}", "  ")


@data.command()
@click.argument("name")
@click.option("--source", help="Key of a source; the first available one by default.")
def fetch(name: str, source: str | None) -> None:
    """Fetch the dataset NAME (or that of the recipe NAME) into the cache."""
    dataset = _dataset(name)
    for each in dataset.sources_of(source)[:1]:
        _silence(each)
    fetched, path = dataset.fetch(source)
    click.echo(f"{fetched.title} ({fetched.key}): {path}")


@data.command()
@click.argument("name_or_file")
@click.option("--recipe", help="Recipe of the file; required if there are several datasets.")
@options.column
@options.reading
def check(
    name_or_file: str, recipe: str | None, columns: dict[str, str], reading: ReadOptions
) -> None:
    """Check the cached data of a dataset, or your own file or folder.

    Your own file is checked as by `zoo train --data FILE`; nothing is written.
    """
    from zoo.data.origin import find_custom

    if name_or_file in _datasets() or _is_recipe(name_or_file):
        if columns or reading.to_json():
            raise UsageError("Options of columns and files are for custom data only.")
        _check_cache(_dataset(name_or_file))
        return
    origin = find_custom(name_or_file)
    if origin is None:
        raise UsageError(
            f"There is no dataset, file or folder {quoted(name_or_file)}."
            f"{suggest(name_or_file, _datasets())}"
        )
    dataset = _dataset(recipe) if recipe else _only_dataset()
    splits = dataset.load(origin, columns=columns, reading=reading)
    click.echo(options.printable(splits.title))
    for name in ("train", "validation", "test"):
        _report(name, getattr(splits, name), dataset)
    for note in splits.notes:
        click.echo(f"note: {options.printable(note)}")


def _check_cache(dataset: Dataset) -> None:
    """Verifies and reads every source that is on this machine.

    Raises:
      ZooError: one is damaged, or none is on this machine.
    """
    from zoo.data.fetch import log

    ready = [source for source in dataset.sources if source.status().state == "ready"]
    if not ready:
        raise ZooError(
            f"The data {dataset.name!r} are not on this machine. Run "
            f"`zoo data fetch {dataset.name}`."
        )
    for source in ready:
        path = source.verify()
        _silence(source)
        parts, notes = source.load(log)
        click.echo(f"{source.title} ({source.key}): {path}")
        for name, examples in parts.items():
            _report(name, examples, dataset)
        for note in notes:
            click.echo(f"note: {options.printable(note)}")


def _report(name: str, examples: Examples, dataset: Dataset) -> None:
    """Prints rows, classes and lengths of texts."""
    rows = len(next(iter(examples.values())))
    click.echo(f"{name}: {rows:,} rows")
    for column, values in examples.items():
        if column == dataset.label:
            sizes = Counter(values)
            classes = ", ".join(f"{key} {sizes[key]:,}" for key in sorted(sizes)[:20])
            more = f" and {len(sizes) - 20} more" if len(sizes) > 20 else ""
            click.echo(f"  {column}: {len(sizes)} classes: {options.printable(classes)}{more}")
        elif all(isinstance(value, str) for value in values):
            words = sorted(len(value.split()) for value in values)
            median, percentile = words[rows // 2], words[min(rows - 1, round(0.9 * rows))]
            click.echo(
                f"  {column}: {words[0]:,} to {words[-1]:,} words, "
                f"median {median:,}, 90 % have at most {percentile:,}"
            )
        elif all(isinstance(value, list) for value in values):
            lengths = sorted(map(len, values))
            click.echo(f"  {column}: {lengths[0]:,} to {lengths[-1]:,} steps")


def _describe(dataset: Dataset, recipes: list[str], probe: bool) -> dict[str, Any]:
    sources = []
    for source in dataset.sources:
        status = source.status(probe)
        sources.append(
            {
                "key": source.key,
                "kind": source.kind,
                "title": source.title,
                "licence": source.licence or dataset.licence,
                "size": sum(file.size for file in source.files),
                "files": [dataclasses.asdict(file) for file in source.files],
                "state": status.state,
                "reason": status.reason,
                "on_request": source.key in dataset.on_request,
            }
        )
    return {
        "name": dataset.name,
        "title": dataset.title,
        "licence": dataset.licence,
        "homepage": dataset.homepage,
        "columns": dict(dataset.columns),
        "recipes": recipes,
        "sources": sources,
    }


def _datasets() -> dict[str, tuple[Dataset, list[str]]]:
    """Returns every dataset by name, with the recipes that use it."""
    from zoo.registry import recipes

    datasets: dict[str, tuple[Dataset, list[str]]] = {}
    for name, recipe in sorted(recipes().items()):
        datasets.setdefault(recipe.dataset.name, (recipe.dataset, []))[1].append(name)
    return dict(sorted(datasets.items()))


def _is_recipe(name: str) -> bool:
    from zoo.registry import recipes

    return name in recipes()


def _dataset(name: str) -> Dataset:
    """Returns a dataset by its name or by the name of a recipe."""
    from zoo.registry import get_recipe

    datasets = _datasets()
    if name in datasets:
        return datasets[name][0]
    if _is_recipe(name) or ".py" in name:
        return get_recipe(name).dataset
    raise UsageError(f"Unknown dataset {quoted(name)}.{suggest(name, datasets)}")


def _only_dataset() -> Dataset:
    datasets = _datasets()
    if len(datasets) != 1:
        raise UsageError("Name the recipe of the file with --recipe NAME.")
    return next(iter(datasets.values()))[0]


def _silence(source: Source) -> None:
    """Imports TensorFlow without its log lines, if TFDS is going to import it."""
    if source.kind == "tfds" and source.status(probe=True).state != "unavailable":
        options.import_tensorflow()
