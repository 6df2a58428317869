"""Small translating networks with random weights."""

from functools import partial
from types import SimpleNamespace

import keras

from recipes import translation
from zoo.assets import Assets

KINDS = ["gru-none", "gru-multiplicative", "lstm-additive"]


def small_translator(kind, settings):
    """Returns config, assets and model of a kind, whose weights are large enough for clear answers.

    The weights are the same at each call.
    """
    keras.utils.set_random_seed(0)
    cell, attention = kind.split("-")
    config = translation.Config(cell=cell, attention=attention, **settings)
    sample = translation.data(config).sample()
    assets = Assets(translation.prepare(config, sample), partial(translation.encoder, config))
    model = translation.build(config, assets)
    for weight in model.trainable_variables:
        weight.assign(2.0 * weight)
    return SimpleNamespace(config=config, assets=assets, model=model)
