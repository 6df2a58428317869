"""`zoo info`."""

from __future__ import annotations

import inspect
import io
import json

import click

from zoo.cli import options


@click.command()
@click.argument("name")
@click.option("--layers/--no-layers", default=True, help="Build the network and list its layers.")
@options.json_output
def info(name: str, layers: bool, as_json: bool) -> None:
    """Show what the recipe NAME is: its idea, config with defaults, data, score and layers."""
    from zoo.config import describe
    from zoo.registry import get_recipe
    from zoo.weights import manifest_entry

    recipe = get_recipe(name)
    packed = manifest_entry(recipe)
    settings = describe(recipe.config)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "name": recipe.name,
                    "topology": recipe.topology,
                    "task": recipe.task,
                    "metric": recipe.metric,
                    "doc": inspect.cleandoc(recipe.doc),
                    "config": {
                        key: {"default": value, "comment": comment}
                        for key, value, comment in settings
                    },
                    "dataset": recipe.data.name,
                    "licence": recipe.data.licence,
                    "sources": [source.title for source in recipe.data.sources],
                    "pretrained": packed,
                },
                indent=2,
                ensure_ascii=False,
            )
        )
        return
    heading(f"{recipe.name}: {recipe.topology}, {recipe.task}")
    click.echo(inspect.cleandoc(recipe.doc))
    heading("Config (change with --set key=value)")
    width = max(len(f"{key} = {value!r}") for key, value, _ in settings)
    for key, value, comment in settings:
        click.echo(f"  {f'{key} = {value!r}'.ljust(width)}  {comment}")
    heading(f"Data: {recipe.data.name}")
    for source in recipe.data.sources:
        click.echo(f"  {source.kind}: {source.title}")
    click.echo(f"  licence: {recipe.data.licence}")
    for column, meaning in recipe.data.columns.items():
        click.echo(f"  column {column}: {meaning}")
    heading("Score")
    if packed:
        click.echo(f"  {recipe.metric} {packed['score']:.4f} on the test split of {packed['data']}")
    else:
        click.echo(f"  no pretrained weights; the field quotes {recipe.metric}")
    if layers:
        heading("Layers (built with the vocabulary of the pretrained weights or the sample)")
        click.echo(_layers(recipe))


def heading(text: str) -> None:
    click.echo("\n" + click.style(text, bold=True))


def _layers(recipe: object) -> str:
    options.import_tensorflow()
    from zoo.recipe import Recipe
    from zoo.weights import manifest_entry

    assert isinstance(recipe, Recipe)
    if manifest_entry(recipe):
        from zoo.serving import load

        model = load(recipe.name).model
    else:
        model = recipe.build(recipe.config, recipe.prepare(recipe.config, recipe.data.sample()))
    out = io.StringIO()
    model.summary(print_fn=lambda line: print(line, file=out), line_length=88)
    return out.getvalue().rstrip()
