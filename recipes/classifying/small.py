"""Settings of a classifier for small custom data, by the number of training rows.

The settings of a recipe are for tens of thousands of rows. With a few hundred rows, three epochs
have only a dozen steps. The batch size is therefore reduced until an epoch has some dozens of
steps, and training continues until patience runs out.

Light: standard library only.
"""

from __future__ import annotations

import math

# With more training rows, the settings of the recipe are used.
MAX_ROWS = 20_000
STEPS = 30  # minimum per epoch, unless batches would have fewer than 8 rows
TOTAL = 400  # minimum number of steps in all epochs
MAX_EPOCHS = 30
PATIENCE = 100  # minimum number of steps without a better validation score before training stops


def settings(
    rows: int, epochs: int, batch_size: int, patience: int, based: bool = False
) -> dict[str, int | bool | str]:
    """Returns the settings for a number of training rows; none for more than `MAX_ROWS`.

    Args:
      rows: number of training rows.
      epochs, batch_size, patience: of the recipe; epochs and patience are never decreased, and the
        batch size is never increased.
      based: whether training starts from pretrained weights. The network then knows more than a
        linear model of few rows, and is not combined with one.
    """
    if rows > MAX_ROWS:
        return {}
    batch_size = min(batch_size, max(8, 2 ** int(math.log2(max(1, rows / STEPS)))))
    steps = math.ceil(rows / batch_size)
    return {
        **({} if based else {"wide": True}),
        "choose_by": "loss",  # the accuracy on a few dozen rows is unreliable
        "batch_size": batch_size,
        "epochs": max(epochs, min(MAX_EPOCHS, math.ceil(TOTAL / steps))),
        "patience": max(patience, min(MAX_EPOCHS, math.ceil(PATIENCE / steps))),
    }
