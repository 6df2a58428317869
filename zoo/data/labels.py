"""Unifies labels that look alike.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from zoo.data.sources import Parts
from zoo.errors import quoted


def key(label: str) -> str:
    """Returns a normalised form that is the same for visually identical labels.

    Labels are equal up to composed and decomposed letters, invisible characters, kinds and numbers
    of spaces, and `1` and `1.0`.
    """
    text = unicodedata.normalize("NFC", label)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    text = " ".join(text.split())
    return re.sub(r"([-+]?\d+)\.0+", r"\1", text) if re.fullmatch(r"[-+]?\d+\.0+", text) else text


def join(parts: Parts, column: str, known: Sequence[str] = ()) -> list[str]:
    """Unifies the spelling of labels that look alike, in place: the most frequent one is kept.

    Args:
      parts: splits with the column.
      column: of the labels.
      known: spellings that take precedence, such as those of a trained model.

    Returns:
      Notes on unified labels, and on labels that differ only in case, which stay distinct.
    """
    counts = Counter(label for part in parts.values() for label in part[column])
    spellings: dict[str, list[str]] = {}
    for label in sorted(counts, key=lambda label: (label not in known, -counts[label])):
        spellings.setdefault(key(label), []).append(label)
    for label in known:
        if (first := spellings.get(key(label))) and label not in first:
            first.insert(0, label)
    notes = []
    chosen: dict[str, str] = {}
    for names in spellings.values():
        best = min(names, key=lambda name: (name not in known, -counts[name], name != key(name)))
        chosen |= dict.fromkeys(names, best)
        joined = [name for name in names if name != best and name in counts]
        if joined:
            others = ", ".join(f"{_visible(name)} ({counts[name]:,})" for name in joined[:5])
            notes.append(f"{column}s that look alike are one: {_visible(best)} and {others}")
    for part in parts.values():
        part[column] = [chosen[label] for label in part[column]]
    return [*notes, *_case(column, set(chosen.values()) & _used(parts, column))]


def _used(parts: Parts, column: str) -> set[str]:
    return {label for part in parts.values() for label in part[column]}


def _case(column: str, labels: Iterable[str]) -> list[str]:
    folded: dict[str, list[str]] = {}
    for label in sorted(labels):
        folded.setdefault(label.casefold(), []).append(label)
    return [
        f"the {column}s {' and '.join(map(_visible, names))} differ in case only, and are "
        f"{len(names)} classes"
        for names in folded.values()
        if len(names) > 1
    ]


def _visible(label: str) -> str:
    """Returns a quoted label, with escapes for invisible characters."""
    hidden = any(unicodedata.category(c) in ("Cf", "Mn", "Zs") and c != " " for c in label)
    return ascii(label) if hidden else quoted(label, 60)
