"""Sentences as ids for taggers, and F1 of entities. NumPy only."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

NAME = "conll-bilstm-crf"  # the recipe
RARE = (2, 5, 10)  # values of the recipe's setting `rare` that `arrays.py` prepares
EDGES = (10, 20, 32, 48, 128)  # lengths to which rows are padded
RESERVED = 2  # lower ids are not words: `recipes.tagging.tokens`
UNKNOWN = 1


@dataclasses.dataclass(frozen=True)
class Sentences:
    """Rows of words: those of the training split, of the validation split, and without tags.

    Ids below `len(known)` have vectors that a network may train. Those above are words whose
    pretrained vectors stay as they are, numbered without gaps.

    Attributes:
      words: int32 `(tokens,)`.
      characters: int16 `(tokens, max_characters)`.
      casing: uint8 `(tokens,)`.
      tags: uint8 `(tokens,)`: BIOES tag + 1; 0 if there is none.
      lengths: int32 `(rows,)`.
      trained, validated: numbers of rows of the training and the validation split.
      known: bool `(learnt,)`: whether a word has a pretrained vector.
      counts: int32 `(learnt,)`: how often it occurs in the training split.
      given: float32 `(learnt, size)`: its pretrained vector; else 0.
      fixed: float32 `(fixed, size)`: vectors that are not trained.
      follows: bool `(tags, tags)`: which tag (column) may follow which (row).
      starts: bool `(tags,)`: which may be the first.
      names: of the BIOES tags.
      letters, casings: numbers of ids.
    """

    words: np.ndarray
    characters: np.ndarray
    casing: np.ndarray
    tags: np.ndarray
    lengths: np.ndarray
    trained: int
    validated: int
    known: np.ndarray
    counts: np.ndarray
    given: np.ndarray
    fixed: np.ndarray
    follows: np.ndarray
    starts: np.ndarray
    names: tuple[str, ...]
    letters: int
    casings: int

    @property
    def validation(self) -> np.ndarray:
        """Numbers of the rows of the validation split."""
        return np.arange(self.trained, self.trained + self.validated)

    @property
    def unlabelled(self) -> np.ndarray:
        """Numbers of the rows without tags."""
        return np.arange(self.trained + self.validated, len(self.lengths))

    def frozen(self, rare: int) -> np.ndarray:
        """Returns which words keep their pretrained vector, bool `(learnt,)`.

        Args:
          rare: the setting of the recipe.
        """
        return self.known & (self.counts < rare)


_ARRAYS = tuple(field.name for field in dataclasses.fields(Sentences) if field.type == "np.ndarray")


def save_sentences(path: Path, sentences: Sentences) -> None:
    """Writes sentences to a file that ends with `.npz`."""
    values = {field.name: getattr(sentences, field.name) for field in dataclasses.fields(Sentences)}
    arrays = {name: values.pop(name) for name in _ARRAYS}
    for name in ("given", "fixed"):  # multiples of 1/8: exact in half precision
        arrays[name] = arrays[name].astype("float16")
    np.savez_compressed(path, notes=json.dumps(values), **arrays)


def read_sentences(folder: Path) -> Sentences:
    """Reads `tagger.npz`."""
    with np.load(folder / "tagger.npz") as file:
        arrays = {name: file[name] for name in _ARRAYS}
        notes: dict[str, Any] = json.loads(str(file["notes"]))
    for name in ("given", "fixed"):
        arrays[name] = arrays[name].astype("float32")
    return Sentences(**arrays, **{**notes, "names": tuple(notes["names"])})


@dataclasses.dataclass(frozen=True)
class Bucket:
    """Rows of similar length, padded on the right.

    Attributes:
      rows: their numbers, int64 `(n,)`.
      arrays: `words`, `casing`, `tags` `(n, length)`, `characters` `(n, length, …)`, and
        `lengths` `(n,)`.
    """

    rows: np.ndarray
    arrays: dict[str, np.ndarray]

    @property
    def length(self) -> int:
        return self.arrays["words"].shape[1]


def buckets_of(sentences: Sentences, rows: np.ndarray) -> list[Bucket]:
    """Returns rows by length, padded to the lengths of `EDGES`; a longer row is cut."""
    lengths = np.minimum(sentences.lengths, EDGES[-1])
    starts = np.cumsum(sentences.lengths) - sentences.lengths
    found = []
    for low, high in zip((0, *EDGES), EDGES, strict=False):
        chosen = rows[(lengths[rows] > low) & (lengths[rows] <= high)]
        if not len(chosen):
            continue
        place = starts[chosen][:, None] + np.arange(high)
        real = np.arange(high) < lengths[chosen][:, None]
        place = np.where(real, place, 0)
        arrays = {"lengths": lengths[chosen].astype("int32")}
        for name in ("words", "casing", "tags", "characters"):
            values = getattr(sentences, name)[place]
            values[~real] = 0
            arrays[name] = values
        found.append(Bucket(chosen, arrays))
    return found


def batches_of(
    buckets: Sequence[Bucket], size: int, generator: np.random.Generator, used: np.ndarray
) -> list[tuple[int, np.ndarray]]:
    """Returns the batches of an epoch in random order.

    Args:
      buckets: of all rows.
      size: rows of a batch, at most.
      generator: of the order.
      used: bool, for each row of the data: whether it belongs to the epoch.

    Returns:
      The number of a bucket and positions in it, int32 `(size,)`, -1 where the batch is not full.
    """
    batches = []
    for number, bucket in enumerate(buckets):
        index = generator.permutation(np.flatnonzero(used[bucket.rows])).astype("int32")
        index = np.pad(index, (0, -len(index) % size), constant_values=-1)
        batches += [(number, part) for part in index.reshape(-1, size)]
    return [batches[place] for place in generator.permutation(len(batches))]


def chunks(count: int, size: int) -> Iterator[np.ndarray]:
    """Returns positions up to `count`, int32 `(size,)` each, -1 where the last is not full."""
    index = np.pad(np.arange(count, dtype="int32"), (0, -count % size), constant_values=-1)
    yield from index.reshape(-1, size)


def entity_f1(names: Sequence[str], true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Returns F1 of entities as `recipes.tagging.metrics` does for legal sequences.

    Args:
      names: of BIOES tags.
      true: numbers of the true tags, int `(rows, time)`, -1 at padding, on the right.
      found: numbers of the tags that are found, int `(members, rows, time)`.

    Returns:
      float64 `(members,)`.
    """
    kinds = sorted({name[2:] for name in names if name != "O"})
    kind = np.array([0 if name == "O" else kinds.index(name[2:]) + 1 for name in names])
    begins = np.array([name[0] in "BS" for name in names])
    column = np.zeros((len(true), 1), bool)

    def entities(tags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns where entities begin, and a number for class and end, `(rows, time + 1)`."""
        # A step of padding parts the rows, which are read as one.
        kinds = np.where(true < 0, 0, kind[tags])
        kinds = np.concatenate([kinds, column], axis=1).reshape(-1)
        first = np.concatenate([begins[tags], column], axis=1).reshape(-1)
        before = np.concatenate([[0], kinds[:-1]])
        starts = (kinds > 0) & (first | (kinds != before))
        after, next_starts = np.append(kinds[1:], 0), np.append(starts[1:], False)
        ends = (kinds > 0) & (next_starts | (after != kinds))
        code = np.zeros(len(kinds), "int64")
        code[starts] = np.flatnonzero(ends) * (kind.max() + 1) + kinds[starts]
        return starts, code

    starts, code = entities(np.maximum(true, 0))
    scores = []
    for tags in found:
        theirs, guess = entities(tags)
        right = (starts & theirs & (code == guess)).sum()
        scores.append(2 * right / max(1, starts.sum() + theirs.sum()))
    return np.array(scores)
