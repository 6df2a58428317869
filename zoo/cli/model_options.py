"""Options that a recipe adds to a verb, such as the key of a piece to `zoo generate`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import click

from zoo.errors import ZooError
from zoo.recipe import Option, Recipe

_RECIPE = "zoo.recipe"  # where a context keeps the recipe of the model on the command line


class ModelCommand(click.Command):
    """A verb that takes a MODEL, with the options that the recipe of this model declares.

    Their values reach the callback as keyword arguments. `zoo VERB MODEL --help` lists them.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_RECIPE] = _recipe_in(*self._models(args))
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name.lstrip("-")
            if owners := _recipes_with(self.name or "", name):
                raise click.UsageError(
                    f"--{name} is an option of {', '.join(owners)}, not of this model.", ctx
                ) from None
            raise

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        params = super().get_params(ctx)
        recipe = ctx.meta.get(_RECIPE)
        added = options_of(recipe, self.name or "") if recipe else []
        return [*params[:-1], *map(_click_option, added), *params[-1:]]  # `--help` is the last

    def _models(self, args: Sequence[str]) -> tuple[list[str], bool]:
        """Returns what on the command line may be the model, and whether it is trusted.

        The first word is the model, unless it is the value of one of the recipe's own options,
        which are not known yet. It comes first, then such values.
        """
        ctx = click.Context(
            self, ignore_unknown_options=True, allow_extra_args=True, resilient_parsing=True
        )
        try:
            values, rest, _ = self.make_parser(ctx).parse_args(list(args))
        except click.UsageError:  # raised again when the whole line is parsed
            return [], False
        texts = values.get("texts")
        words = [values.get("model"), *(texts if isinstance(texts, list | tuple) else []), *rest]
        # An argument that is not there is None, or an object of click's own.
        words = [word for word in words if isinstance(word, str)]
        found: list[str] = []
        for before, word in zip(["", *words], words, strict=False):
            if word[:1] in ("", "-"):
                continue
            found.insert(0, word)
            if before[:1] != "-" or "=" in before:
                break
        return found, values.get("trust") is True


def options_of(recipe: Recipe, verb: str) -> list[Option]:
    """Returns the options that a recipe adds to a verb."""
    if verb == "generate":
        return [*recipe.seeds, *recipe.render_options]
    if verb == "predict":
        return [Option(each.name, each.help, "PNG") for each in recipe.pictures]
    return []


def _click_option(option: Option) -> click.Option:
    return click.Option(
        [f"--{option.name}", *option.flags, option.name],
        metavar=option.metavar,
        type=option.type,
        help=option.help,
    )


def _recipes_with(verb: str, flag: str) -> list[str]:
    """Returns the names of the recipes that add an option of that name to a verb."""
    from zoo.registry import recipes

    return sorted(
        name
        for name, recipe in recipes().items()
        for option in options_of(recipe, verb)
        if flag == option.name or f"--{flag}" in option.flags
    )


def _recipe_in(words: Sequence[str], trust: bool) -> Recipe | None:
    """Returns the recipe of the first word that names a model; imports no TensorFlow."""
    from zoo.registry import get_recipe, recipes
    from zoo.serving.find import find, recipe_of

    for word in words:
        try:
            if word in recipes() or re.search(r"\.py(:|$)", word):
                return get_recipe(word)
            if os.path.isdir(word):
                return recipe_of(find(Path(word), trust), trust)
        except (ZooError, OSError):
            continue  # raised again when the model is loaded
    return None
