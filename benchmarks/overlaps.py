"""Counts test rows whose text also occurs in the training rows.

The splits are those of the publishers: such rows are kept, because published scores include them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import files
from zoo.data.origin import parse_origin
from zoo.errors import UsageError
from zoo.registry import get_recipe


def overlaps(names: Sequence[str], output: str | Path) -> dict[str, Any]:
    """Counts the test rows that are also training rows, and writes the counts to a JSON file.

    Args:
      names: recipes whose data have a text, `NAME` or `NAME:SOURCE`.
      output: the file.

    Returns:
      What it writes: `data`, a list with `title`, `test` (rows) and `overlap`, the test rows whose
      text, character by character, is that of a training row; `labelled`, those whose label is the
      same, too.

    Raises:
      UsageError: the data have no column `text`.
      ZooError: data are not available.
    """
    rows = []
    for name in names:
        recipe, _, source = name.partition(":")
        registered = get_recipe(recipe)
        dataset = registered.data(registered.config)
        if "text" not in dataset.columns:
            raise UsageError(f"{recipe} reads no text.")
        splits = dataset.load(parse_origin(source or None, dataset.keys))
        answer = next(each for each in ("label", "tags", "text") if each in splits.train)
        known: dict[str, set] = {}
        for text, label in zip(splits.train["text"], splits.train[answer], strict=True):
            known.setdefault(text, set()).add(_hashable(label))
        found = [
            _hashable(label) in known[text]
            for text, label in zip(splits.test["text"], splits.test[answer], strict=True)
            if text in known
        ]
        rows.append(
            {
                "title": splits.title,
                "test": len(splits.test["text"]),
                "overlap": len(found),
                "labelled": sum(found),
            }
        )
    result = {"kind": "overlaps", "data": rows}
    files.write_json(Path(output), result)
    return result


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
