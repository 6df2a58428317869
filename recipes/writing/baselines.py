"""N-gram baseline for networks that generate text."""

from __future__ import annotations

from collections.abc import Sequence

from recipes.writing.character_encoder import Characters
from zoo.data import Splits
from zoo.metrics.intervals import ratios
from zoo.metrics.ngram import NGram
from zoo.scores import Scores

ORDERS = (4, 5, 6, 7, 8)


def ngram_baseline(
    encoder: Characters, splits: Splits, orders: Sequence[int] = ORDERS
) -> dict[str, Scores]:
    """Scores a character n-gram model of the order that is best on the validation split.

    Args:
      encoder: converts texts to ids.
      splits: column `text`; without validation rows, the first order is used.
      orders: candidate orders.

    Returns:
      `N-gram` mapped to `Scores` with `nats_per_character` on the test split.
    """
    train, held_out, test = (
        encoder.rows(part["text"]) for part in (splits.train, splits.validation, splits.test)
    )
    best, fewest = None, float("inf")
    for order in orders if held_out else orders[:1]:
        model = NGram(order, encoder.size - 1).fit(train)
        nats, count = model.nats(held_out)
        if best is None or nats / max(count, 1) < fewest:
            best, fewest = model, nats / max(count, 1)
    assert best is not None
    each, characters = zip(*best.nats_of_each(test), strict=True)
    units = ratios("passages", each, characters)
    return {
        f"{best.order}-gram": Scores(
            {"nats_per_character": units.value}, units={"nats_per_character": units}
        )
    }
