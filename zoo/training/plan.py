"""What a training is about to do, said before TensorFlow is imported.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.data.fetch import megabytes
from zoo.data.origin import Default, Named, parse_origin

if TYPE_CHECKING:
    from zoo.config import Config
    from zoo.data.origin import DataLike
    from zoo.recipe import Recipe


def plan(recipe: Recipe, config: Config, data: DataLike) -> list[str]:
    """Returns lines that say for how long a recipe trains, and what it downloads first.

    There are none for custom data and samples, which are read at once. The network is not used.

    Args:
      recipe: what trains.
      config: with the settings of the user.
      data: as `zoo.train` takes it.

    Raises:
      UsageError: an unknown source, or a missing file or folder.
    """
    dataset = recipe.data(config)
    origin = parse_origin(data, dataset.keys)
    if not isinstance(origin, Default | Named) or origin == Named("sample"):
        return []
    begin = f"{recipe.name} trains for {config.epochs} epochs at most"
    waiting: list[str] = []
    for source in dataset.sources_of(origin.key if isinstance(origin, Named) else None):
        if source.status().state == "ready":
            if not waiting:
                return [f"{begin} on {source.title}, which is on this machine."]
            waiting.append(f"  on this machine: {source.title}")
            break
        size = megabytes(sum(file.size for file in source.files))
        waiting.append(f"  {source.title}: {size} to download")
    return [f"{begin}. Data, of the first source that answers:", *waiting]
