"""The optimizer of a run: Adam with a warm-up and a decay, or the recipe's own."""

from __future__ import annotations

import math

import keras

from zoo.assets import Assets
from zoo.config import Config
from zoo.errors import UsageError, ZooError
from zoo.recipe import Recipe
from zoo.training import diagnostics


def compile_model(
    recipe: Recipe, config: Config, assets: Assets, model: keras.Model, steps: int
) -> None:
    """Compiles a recipe's model for training with `steps` steps per epoch.

    Raises:
      UsageError: a setting is only supported by the default optimizer.
      ZooError: the recipe's `optimizer` does not return an optimizer.
    """
    optimizer = recipe.optimizer(config, steps * config.epochs)
    if optimizer is not None and (config.layer_decay != 1 or config.unfreeze or config.average):
        raise UsageError(
            f"{recipe.name} has its own optimizer, which does not support layer_decay, unfreeze or "
            "average."
        )
    if optimizer is None:
        optimizer = default_optimizer(config, steps, diagnostics.layer_names(model))
    elif not isinstance(optimizer, keras.optimizers.Optimizer):
        raise ZooError(
            f"{recipe.name}: `optimizer` must return a Keras optimizer; got a value of type "
            f"{type(optimizer).__name__}."
        )
    model.compile(
        optimizer=optimizer,
        **recipe.objective(config, assets),
        jit_compile=False,  # XLA would recompile for each batch length
    )


def default_optimizer(config: Config, steps: int, layers: list[str]) -> keras.optimizers.Optimizer:
    """Returns Adam with global-norm clipping, a linear warm-up and a cosine decay.

    Args:
      config: learning rate, epochs, warm-up, decay, clipping; and `layer_decay` and `unfreeze`
        (J. Howard, S. Ruder: Universal Language Model Fine-tuning for Text Classification, ACL
        2018).
      steps: number of steps per epoch.
      layers: layer name of each trainable variable.
    """
    total = steps * config.epochs
    warmup = math.ceil(config.warmup * total)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else config.learning_rate,
        decay_steps=max(1, total - warmup),
        alpha=config.decay_to,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    names = list(dict.fromkeys(layers))
    depths = range(len(names) - 1, -1, -1)  # 0 is the last layer, the head
    return diagnostics.MonitoredAdam(
        rate,
        global_clipnorm=config.clip_norm or None,
        use_ema=bool(config.average),
        ema_momentum=config.average or 0.99,  # Keras' default, unused
        groups=layers,
        rates=[config.layer_decay**depth for depth in depths] if config.layer_decay != 1 else (),
        starts=[depth * config.unfreeze * steps for depth in depths] if config.unfreeze else (),
    )
