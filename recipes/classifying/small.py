"""Settings of a classifier by its number of training rows, for custom data.

The settings of a recipe are for tens of thousands of rows. Of a few hundred, three epochs are a
dozen steps. Here the steps are counted: a batch is so small that an epoch has some dozens, and
training goes on until patience ends.

Light: standard library only.
"""

from __future__ import annotations

import math

# With more training rows, a network needs no help: the settings are those of the recipe.
MAX_ROWS = 20_000
STEPS = 30  # of an epoch, at least, unless batches would have fewer than 8 rows
TOTAL = 400  # steps of all epochs, at least
MAX_EPOCHS = 30
PATIENCE = 100  # steps without a better validation score before training stops, at least


def settings(
    rows: int, epochs: int, batch_size: int, patience: int, based: bool = False
) -> dict[str, int | bool | str]:
    """Returns the settings for so many training rows; none for more than `MAX_ROWS`.

    Args:
      rows: of the training split.
      epochs, batch_size, patience: of the recipe; epochs and patience do not become less, a batch
        not larger.
      based: whether the network begins with weights of a trained one. It then knows more than a
        linear model of few rows, and gets none beside it.
    """
    if rows > MAX_ROWS:
        return {}
    batch_size = min(batch_size, max(8, 2 ** int(math.log2(max(1, rows / STEPS)))))
    steps = math.ceil(rows / batch_size)
    return {
        **({} if based else {"wide": True}),
        "choose_by": "loss",  # the accuracy of a few dozen rows says little
        "batch_size": batch_size,
        "epochs": max(epochs, min(MAX_EPOCHS, math.ceil(TOTAL / steps))),
        "patience": max(patience, min(MAX_EPOCHS, math.ceil(PATIENCE / steps))),
    }
