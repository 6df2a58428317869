"""In which order the measures of a piece are played: repeats and their endings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.errors import ZooError

MOST_TIMES = 9  # that a part is played


@dataclass(frozen=True)
class Mark:
    """What the bar lines on both sides of a measure say.

    Attributes:
      opens: `|:` stands before it.
      part: a new part begins with it: 1 after a double bar or a label (`P:`), 2 after a final bar.
      endings: the passes in which the ending that begins with it is played; empty for none.
      back: colons of the `:|` behind it: 1 plays the part twice, 2 three times.
      closes: an ending that reaches it ends with it.
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
      times: how often the section is played.
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
    """Finds what is repeated.

    A `:|` goes back to the `|:` before it. Without one, it goes back to where its own part begins:
    behind the last `:|`, double bar or label. A `|:` that no `:|` closes changes nothing. A first
    ending that is followed by a second one is repeated with or without `:|`; one that is not, goes
    on behind its `:|` in the last pass. A second ending without a first one is none. A last ending
    ends at a double bar or `:|`; where it reaches a `:|` after more measures than the first ending
    has, these belong to the next part.
    """
    result: list[Section] = []
    here = Section(0, 0, [])
    opened = closed = inside = False  # inside: in an ending that no bar line has closed

    def finish(place: int) -> None:
        nonlocal here, opened, closed, inside
        if inside:
            first, _, passes = here.endings[-1]
            here.endings[-1] = first, place, passes
        elif not here.endings:
            here.end = place
        if here.endings and not any(1 in passes for *_, passes in here.endings):
            here.end, here.endings = here.endings[-1][1], []  # a second ending without a first one
        if here.endings:
            here.times = max(here.times, *(max(passes) for *_, passes in here.endings))
        here.times = min(here.times, MOST_TIMES)
        result.append(here)
        here, opened, closed, inside = Section(place, place, []), False, False, False

    for place, mark in enumerate(marks):
        begins = mark.part > opened  # a double bar within a `|:` does not end it
        new = mark.opens or (begins and not here.endings) or (closed and not mark.endings)
        if new and place > here.start:
            finish(place)
        if mark.opens:
            opened = True
        if mark.endings:
            if inside:
                first, _, passes = here.endings[-1]
                here.endings[-1] = first, place, passes
            elif not here.endings:
                here.end = place
            here.endings.append((place, place + 1, mark.endings))
            inside, closed = True, False
        if mark.back and inside and len(here.endings) > 1:
            size = here.endings[0][1] - here.endings[0][0]
            last = here.endings[-1][0]
            if place + 1 - last > size:
                finish(last + size)
        if mark.back:
            here.times = max(here.times, mark.back + 1)
            if not inside:
                finish(place + 1)
        if inside and (mark.closes or mark.back):
            first, _, passes = here.endings[-1]
            here.endings[-1] = first, place + 1, passes
            inside, closed = False, True
    if here.start < len(marks):
        finish(len(marks))
    return result


def play_order(marks: Sequence[Mark], parts: str = "") -> list[int]:
    """Returns the numbers of the measures in the order in which they are played.

    Args:
      marks: of each measure.
      parts: the labels in their order, such as `"AABB"` or `"(AB)2C"`; each part is played with its
        own repeats. Without it, and without labels, all measures are played from first to last.

    Raises:
      ZooError: the order cannot be read, or names a part that there is not.
    """
    labels = [place for place, mark in enumerate(marks) if mark.label]
    if not parts or not labels:
        return [place for section in sections(marks) for place in section.order]
    starts = [0, *labels] if labels[0] else labels
    played: dict[str, list[int]] = {}
    for start, end in zip(starts, [*starts[1:], len(marks)], strict=True):
        order = [start + place for place in play_order(marks[start:end])]
        played.setdefault(marks[start].label, order)
    result = list(played.get("", ()))  # what stands before the first label
    for label in expand_parts(parts):
        if label not in played:
            raise ZooError(f"the order of parts {parts!r} names the part {label!r}, which is none.")
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
