"""Names and settings of the translators that are trained on a GPU. Imports nothing."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Translator:
    """A translator and its training.

    Attributes:
      recipe: its recipe.
      source: of its data.
      settings: of the recipe, other than its defaults.
      rate: Adam's step size at its highest.
      rows: of a batch, at most.
      consistency: weight of the divergence between two passes with different dropout.
    """

    recipe: str
    source: str
    settings: dict[str, Any]
    rate: float
    rows: int
    consistency: float

    @property
    def all_settings(self) -> dict[str, Any]:
        """The settings of a run, those of its training included."""
        return {**self.settings, "learning_rate": self.rate, "batch_size": self.rows}


TRANSLATORS = {
    "translate-attention": Translator(
        "translate-attention",
        "multi30k+tatoeba",
        {
            "dropout": 0.2,
            "epochs": 22,
            "average": 0.0,
        },
        rate=2e-3,
        rows=256,
        consistency=1.0,
    ),
}
