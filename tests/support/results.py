"""Numbers of `results/`, as texts quote them."""

from pathlib import Path

from zoo import files

RESULTS = Path(__file__).parents[2] / "results"


def measured(name, path):
    """Returns a number of `results/NAME.json`.

    Args:
      name: of the file, without its end.
      path: keys, or places in a list, joined by dots. `*` is the mean over all of them.
    """
    found = [files.read_json(RESULTS / f"{name}.json")]
    for part in path.split("."):
        place = int(part) if isinstance(found[0], list) and part != "*" else part
        each = [list(value.values()) if part == "*" else [value[place]] for value in found]
        found = [value for values in each for value in values]
    return sum(found) / len(found) if len(found) > 1 else found[0]
