"""What a recipe has learnt from its training split besides weights."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from zoo.errors import ZooError, first_line

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
"""A value that JSON can hold."""


class Assets(dict[str, Any]):
    """A dict that JSON can hold, and the encoder that is made of it.

    `zoo.recipe.Recipe.assets` makes one. `batches`, `build` and `serve` of a recipe take it, so
    that they share one encoder.

    Args:
      values: what the recipe's `prepare` returned.
      make_encoder: makes the encoder of these assets; called once, when `encoder` is first used.
      limits: beyond which an output of an answer is unusual, by its name: `zoo.serving.novelty`.

    Attributes:
      limits: as given.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        make_encoder: Callable[[Assets], Any] | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(values)
        self._make_encoder = make_encoder
        self.limits = dict(limits or {})

    @functools.cached_property
    def encoder(self) -> Any:
        """What turns raw examples into ids or features: what the recipe's `encoder` returns.

        None where the recipe has no such function.
        """
        return None if self._make_encoder is None else self._make_encoder(self)


@contextlib.contextmanager
def reading_assets(path: Path) -> Iterator[None]:
    """Explains what Python says of assets whose values are of a wrong type or shape.

    Args:
      path: the file that they were read from.

    Raises:
      ZooError: such an error came from inside.
    """
    try:
        yield
    except ZooError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ZooError(
            f"{path} is damaged or of another version ({type(error).__name__}: "
            f"{first_line(error)}). Restore it, or train again."
        ) from error
