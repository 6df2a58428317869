"""Assets: what a recipe has learnt from its training split besides weights."""

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
    """A JSON-serialisable dict, and the encoder that is created from it.

    `zoo.recipe.Recipe.assets` creates it. `batches`, `build` and `serve` of a recipe take it, so
    that they share one encoder.

    Args:
      values: returned by the recipe's `prepare`.
      make_encoder: creates the encoder of these assets; called once, on first use of `encoder`.
      limits: by output name, the limit beyond which a value is unusual: `zoo.serving.novelty`.
      config: settings of the network that they belong to; None in a loaded model.

    Attributes:
      limits, config: as given.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        make_encoder: Callable[[Assets], Any] | None = None,
        limits: Mapping[str, float] | None = None,
        config: Any = None,
    ) -> None:
        super().__init__(values)
        self._make_encoder = make_encoder
        self.limits = dict(limits or {})
        self.config = config

    @functools.cached_property
    def encoder(self) -> Any:
        """The result of the recipe's `encoder`: it converts raw examples into ids or features.

        None if the recipe has no such function.
        """
        return None if self._make_encoder is None else self._make_encoder(self)


@contextlib.contextmanager
def reading_assets(path: Path) -> Iterator[None]:
    """Context that explains Python errors caused by assets of a wrong type or shape.

    Args:
      path: the file from which the assets were read.

    Raises:
      ZooError: such an error was raised inside the context.
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
