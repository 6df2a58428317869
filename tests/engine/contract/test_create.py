"""`zoo.create`: an untrained network and its preprocessor, for a training loop of one's own."""

import keras
import numpy as np
import pytest

import zoo
from zoo.data.splits import take

PRETRAINED = [row["name"] for row in zoo.list_models(pretrained=True)]


# Arrays, tags, texts. What a module prepares and builds, test_model.py trains for all of them.
@pytest.mark.few("adding", "entities", "sentiment")
def test_a_network_learns_from_what_its_preprocessor_makes(chosen, settings):
    recipe = zoo.get_recipe(chosen)
    sample = recipe.dataset.sample()
    small = {key: value for key, value in settings.items() if key != "batch_size"}
    model, preprocessor = zoo.create(chosen, data=sample, settings=small)
    x, y = preprocessor(take(sample, range(4)))
    assert len(y) == preprocessor.batches(take(sample, range(4))).rows >= 4
    objective = recipe.objective(preprocessor.config, preprocessor.assets)
    model.compile(keras.optimizers.Adam(1e-3), **objective, jit_compile=False)
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()
    batches = preprocessor.batches(sample)
    data = batches.dataset(batches.order(seed=0, epoch=0))
    assert np.isfinite(model.evaluate(data, verbose=0, return_dict=True)["loss"])
    # What was learnt is a dict, which makes the same network again.
    again = zoo.create(chosen, assets=dict(preprocessor.assets), settings=small)
    assert again.model.count_params() == model.count_params()
    assert preprocessor.encoder is preprocessor.assets.encoder
    assert (preprocessor.encoder is None) == (not hasattr(recipe.module, "encoder"))


def test_assets_are_those_of_the_pretrained_model_by_default():
    name = PRETRAINED[0]
    packed = zoo.load(name)
    for given in ({}, {"assets": name}, {"assets": zoo.pretrained(name)}):
        created = zoo.create(name, **given)
        assert created.preprocessor.assets == packed.assets
        assert created.preprocessor.config == packed.config
    assert created.model.count_params() == packed.model.count_params()
    first, second = (np.asarray(model.weights[0]) for model in (created.model, packed.model))
    assert first.shape == second.shape
    assert (first != second).any()  # untrained


def test_a_source_gives_its_training_split():
    recipe = zoo.get_recipe(PRETRAINED[0])
    created = zoo.create(recipe.name, data="sample")
    train = recipe.dataset.load("sample").train
    assert created.preprocessor.assets == recipe.prepare(
        recipe.config, recipe.augment(recipe.config, train)
    )


def test_what_cannot_be_is_said():
    name = PRETRAINED[0]
    module = zoo.get_recipe(name).module
    other = next(each for each in PRETRAINED if zoo.get_recipe(each).module is not module)
    for arguments, says in (
        ({"data": "sample", "assets": name}, "data or assets, not both"),
        ({"assets": other}, f"{name!r} needs assets of a recipe of the same module"),
        ({"data": "sample", "settings": {"epoch": 1}}, "Did you mean 'epochs'"),
        ({"data": "sample", "precision": "float8"}, "Unknown precision 'float8'"),
    ):
        with pytest.raises(zoo.UsageError, match=says):
            zoo.create(name, **arguments)
