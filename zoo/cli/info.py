"""`zoo info`."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import click

from zoo import tables
from zoo.cli import options

if TYPE_CHECKING:
    from zoo.recipe import Recipe


@click.command()
@options.recipe
@click.option(
    "--layers/--no-layers",
    default=True,
    show_default=True,
    help="Build the network and list its layers (needs TensorFlow).",
)
@options.json_output
def info(name: str, layers: bool, as_json: bool) -> None:
    """Show the recipe NAME: description, config with defaults, data, score and layers."""
    from zoo.config import describe
    from zoo.manifest import manifest_entry
    from zoo.registry import get_recipe

    recipe = get_recipe(name)
    dataset = recipe.dataset
    packed = manifest_entry(recipe)
    settings = describe(recipe.config)
    if as_json:
        click.echo(
            options.json_text(
                {
                    "name": recipe.name,
                    "topology": recipe.topology,
                    "task": recipe.task,
                    "metric": recipe.metric.name,
                    "doc": inspect.cleandoc(recipe.doc),
                    "config": {
                        key: {"default": value, "comment": comment}
                        for key, value, comment in settings
                    },
                    "dataset": dataset.name,
                    "licence": dataset.licence,
                    "sources": [source.title for source in dataset.sources],
                    "pretrained": packed,
                    **(_network(recipe) if layers else {}),
                },
                indent=2,
            )
        )
        return
    heading(f"{recipe.name}: {recipe.topology}, {recipe.task}")
    for number, part in enumerate(inspect.cleandoc(recipe.doc).split("\n\n")):
        if number:
            click.echo()
        # Paragraphs are filled again; equations and other lines that are set apart stay.
        if "\n " in part or part.startswith(" "):
            click.echo(tables.squeezed(part, tables.terminal_width()))
        else:
            options.say(" ".join(part.split()), hang="")
    heading("Config (change with --set key=value)")
    width = max(len(f"{key} = {value!r}") for key, value, _ in settings)
    for key, value, comment in settings:
        options.say(f"{f'{key} = {value!r}'.ljust(width)}  {comment}", "  ", " " * (width + 2))
    heading(f"Data: {dataset.name}")
    for source in dataset.sources:
        asked = " (only with --data)" if source.key in dataset.on_request else ""
        options.say(f"{source.key}: {source.title}{asked}", "  ")
    options.say(f"licence: {dataset.licence}", "  ")
    for source in dataset.sources:
        if source.licence:
            options.say(f"licence of {source.title}: {source.licence}", "  ")
    for column, meaning in dataset.columns.items():
        options.say(f"column {column}: {meaning}", "  ")
    heading("Score")
    if packed:
        score = recipe.metric.text(packed["score"])
        options.say(f"{recipe.metric.name} {score} on the test split of {packed['data']}", "  ")
    else:
        click.echo(f"  no pretrained weights; the usual metric is {recipe.metric.name}")
    if layers:
        network = _network(recipe)
        heading(f"Layers, with the vocabulary of {network['built_from']}")
        # `weights`, the key in JSON, is the number of parameters of a layer.
        options.table(
            [
                {
                    "layer": row["layer"],
                    "type": row["type"],
                    "output": row["output"],
                    "parameters": f"{row['weights']:,}",
                }
                for row in network["layers"]
            ]
        )
        click.echo(f"{network['parameters']:,} parameters in total")


def heading(text: str) -> None:
    click.echo("\n" + click.style(text, bold=True))


def _network(recipe: Recipe) -> dict[str, Any]:
    """Returns `built_from`, `layers` and `parameters` of the network."""
    options.import_tensorflow()
    from zoo.manifest import manifest_entry
    from zoo.serving import load

    if manifest_entry(recipe):
        model, origin = load(recipe.name).model, "the pretrained weights"
    else:
        assets = recipe.prepare(recipe.config, recipe.dataset.sample())
        model, origin = recipe.build(recipe.config, assets), "the sample"
    layers = [
        {
            "layer": layer.name,
            "type": type(layer).__name__,
            "output": _shape(layer.output),
            "weights": layer.count_params(),
        }
        for layer in model.layers
    ]
    return {"built_from": origin, "layers": layers, "parameters": model.count_params()}


def _shape(output: Any) -> str:
    """Returns the shape of a layer's output, `(batch, time, 64)`; the first of several."""
    if isinstance(output, list | tuple | dict):
        output = next(iter(output.values() if isinstance(output, dict) else output))
    names = ["batch", "time"]
    sizes = [names.pop(0) if size is None and names else str(size) for size in output.shape]
    return f"({', '.join(sizes)})"
