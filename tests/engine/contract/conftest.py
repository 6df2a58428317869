"""What the contract tests share: every registered recipe, one a module, and trained networks."""

import dataclasses
from types import SimpleNamespace

import pytest

import zoo

NAMES = [row["name"] for row in zoo.list_models()]


@pytest.fixture(scope="module", params=NAMES)
def recipe(request):
    """Every registered recipe."""
    return zoo.get_recipe(request.param)


@pytest.fixture(scope="module")
def trained(chosen):
    """A recipe's model after two steps on all rows of the sample, and how it got there.

    The steps are not compiled, which takes longer than they do; those of `zoo.train` are.
    """
    import keras

    recipe = zoo.get_recipe(chosen)
    keras.utils.set_random_seed(0)
    sample = recipe.dataset.sample()
    rows = len(next(iter(sample.values())))
    config = dataclasses.replace(recipe.config, batch_size=rows)
    if hasattr(config, "stack"):  # sound: fewer steps, of more frames each
        config = dataclasses.replace(config, stack=5 * config.stack)
    assets = recipe.prepare(config, sample)
    batches = recipe.batches(config, assets, sample)
    model = recipe.build(config, assets)
    objective = recipe.objective(config, assets)
    model.compile(keras.optimizers.Adam(1e-3), **objective, run_eagerly=True)
    data = batches.dataset(batches.sorted_order())
    before = model.evaluate(data, verbose=0, return_dict=True)["loss"]
    for _ in range(2):
        model.fit(data, shuffle=False, verbose=0)
    after = model.evaluate(data, verbose=0, return_dict=True)["loss"]
    return SimpleNamespace(
        recipe=recipe, config=config, assets=assets, batches=batches, model=model,
        before=before, after=after,
    )  # fmt: skip
