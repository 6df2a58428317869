"""The order in which the measures of a piece are played: repeats and their endings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.errors import ZooError

MAX_PASSES = 9  # of a part


@dataclass(frozen=True)
class Mark:
    """The meaning of the bar lines on both sides of a measure.

    Attributes:
      opens: whether `|:` is before it.
      part: a new part begins with it: 1 after a double bar or a label (`P:`), 2 after a final bar.
      endings: the passes in which the ending that begins with it is played; empty for none.
      back: colons of the `:|` after it: 1 plays the part twice, 2 three times.
      closes: an ending that includes the measure ends with it.
      label: name of the part that begins with it (`P:A`), `""` for none.
    """

    opens: bool = False
    part: int = 0
    endings: frozenset[int] = frozenset()
    back: int = 0
    closes: bool = False
    label: str = ""


@dataclass
class Section:
    """Measures that are repeated together. All numbers are indices of measures; ends are excluded.

    Attributes:
      start, end: the measures in all passes.
      endings: first measure, end, and passes of each ending; they follow `end`.
      times: the number of passes.
    """

    start: int
    end: int
    endings: list[tuple[int, int, frozenset[int]]]
    times: int = 1

    @property
    def order(self) -> list[int]:
        """The measures as they are played."""
        result: list[int] = []
        for number in range(1, self.times + 1):
            result += range(self.start, self.end)
            for first, end, passes in self.endings:
                if number in passes:
                    result += range(first, end)
        return result


def sections(marks: Sequence[Mark]) -> list[Section]:
    """Finds the repeated sections.

    A `:|` goes back to the `|:` before it; without one, to the beginning of the part: after the
    last `:|`, double bar or label. A `|:` without a `:|` is ignored. A first ending that a second
    one follows is repeated with or without `:|`. After a first ending without a second one, the
    last pass goes on after the `:|`. A second ending without a first one is ignored. A last ending
    ends at a double bar or `:|`. Where the `:|` comes after more measures than the first ending
    has, the further measures belong to the next part.
    """
    result: list[Section] = []
    current = Section(0, 0, [])
    opened = closed = inside = False  # inside: in an ending that is still open

    def finish(index: int) -> None:
        nonlocal current, opened, closed, inside
        if inside:
            first, _, passes = current.endings[-1]
            current.endings[-1] = first, index, passes
        elif not current.endings:
            current.end = index
        # A second ending without a first one.
        if current.endings and not any(1 in passes for *_, passes in current.endings):
            current.end, current.endings = current.endings[-1][1], []
        if current.endings:
            current.times = max(current.times, *(max(passes) for *_, passes in current.endings))
        current.times = min(current.times, MAX_PASSES)
        result.append(current)
        current, opened, closed, inside = Section(index, index, []), False, False, False

    for index, mark in enumerate(marks):
        begins = mark.part > opened  # a double bar within a `|:` does not end it
        new = mark.opens or (begins and not current.endings) or (closed and not mark.endings)
        if new and index > current.start:
            finish(index)
        if mark.opens:
            opened = True
        if mark.endings:
            if inside:
                first, _, passes = current.endings[-1]
                current.endings[-1] = first, index, passes
            elif not current.endings:
                current.end = index
            current.endings.append((index, index + 1, mark.endings))
            inside, closed = True, False
        if mark.back and inside and len(current.endings) > 1:
            size = current.endings[0][1] - current.endings[0][0]
            last = current.endings[-1][0]
            if index + 1 - last > size:
                finish(last + size)
        if mark.back:
            current.times = max(current.times, mark.back + 1)
            if not inside:
                finish(index + 1)
        if inside and (mark.closes or mark.back):
            first, _, passes = current.endings[-1]
            current.endings[-1] = first, index + 1, passes
            inside, closed = False, True
    if current.start < len(marks):
        finish(len(marks))
    return result


def play_order(marks: Sequence[Mark], parts: str = "") -> list[int]:
    """Returns the numbers of the measures in the order in which they are played.

    Args:
      marks: of each measure.
      parts: the labels in their order, such as `"AABB"` or `"(AB)2C"`; each part is played with its
        repeats. Without the argument or without labels, measures are played from first to last.

    Raises:
      ZooError: the order cannot be read, or has the label of an unknown part.
    """
    labels = [index for index, mark in enumerate(marks) if mark.label]
    if not parts or not labels:
        return [index for section in sections(marks) for index in section.order]
    starts = [0, *labels] if labels[0] else labels
    played: dict[str, list[int]] = {}
    for start, end in zip(starts, [*starts[1:], len(marks)], strict=True):
        order = [start + index for index in play_order(marks[start:end])]
        played.setdefault(marks[start].label, order)
    result = list(played.get("", ()))  # the measures before the first label
    for label in expand_parts(parts):
        if label not in played:
            raise ZooError(f"the order of parts {parts!r} names the unknown part {label!r}.")
        result += played[label]
    return result


def expand_parts(text: str) -> str:
    """Returns the labels of an order of parts: `"A2(BC)2"` gives `"AABCBC"`.

    Raises:
      ZooError: it cannot be read.
    """
    text = re.sub(r"[\s.]", "", text)
    innermost = re.compile(r"\(([A-Za-z]*)\)([0-9]?)|([A-Za-z])([0-9])")
    while match := innermost.search(text):
        label = match[1] if match[3] is None else match[3]
        text = text[: match.start()] + label * int(match[2] or match[4] or 1) + text[match.end() :]
        if len(text) > 1000:
            break
    if not re.fullmatch(r"[A-Za-z]{0,1000}", text):
        raise ZooError(f"the order of parts {text[:20]!r} cannot be read.")
    return text
