"""Tables as lines of text that fit a terminal, and as HTML.

Light: rich is imported only where cells have to be broken.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 80  # if the width of the terminal is unknown
GAP = "  "
_NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?( [kMG]?B)?")


def terminal_width() -> int:
    """Returns the width of the terminal: `COLUMNS`, that of standard output, or 80."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(1).columns or WIDTH
    except OSError:
        return WIDTH


def lines(rows: Sequence[Mapping[str, Any]], width: int = WIDTH) -> list[str]:
    """Returns a table as lines: aligned columns under their keys, numbers right-aligned.

    A table wider than `width` is laid out differently: numbers are transposed or split into several
    parts below each other; texts are wrapped in their cells.

    Args:
      rows: key to value; rows may lack keys.
      width: maximum characters per line.
    """
    plain = _aligned(rows)
    if max(map(len, plain), default=0) <= width:
        return plain
    first, *others = _keys(rows)
    names = [str(row.get(first, "")) for row in rows]
    turned = [
        {first: key, **{n: row.get(key, "") for n, row in zip(names, rows, strict=True)}}
        for key in others
    ]
    if len(others) > len(rows) and len(set(names)) == len(names):
        exchanged = _aligned(turned)
        if max(map(len, exchanged)) <= width:
            return exchanged
    fixed = [key for key in _keys(rows) if key == first or _is_number(rows, key)]
    needed = sum(max(len(str(row.get(key, ""))) for row in [{key: key}, *rows]) for key in fixed)
    texts = len(others) + 1 - len(fixed)
    if texts and needed + 12 * texts + len(GAP) * len(others) <= width:
        return _broken(rows, width)
    return _parts(rows, width)


def squeezed(text: str, width: int = WIDTH) -> str:
    """Returns a block of lines laid out in columns, with narrower gaps if it is too wide.

    A gap is where all lines have two consecutive spaces; the widest gap is reduced first. The block
    is unchanged if it cannot be made to fit.
    """
    block = text.split("\n")
    while max(map(len, block)) > width:
        longest = max(map(len, block))
        filled = [line.ljust(longest) for line in block]
        free = "".join(
            " " if all(line[place] == " " for line in filled) else "x" for place in range(longest)
        ).rstrip()
        gaps = [(len(gap[0]), gap.start()) for gap in re.finditer("  +", free)]
        inner = [gap for gap in gaps if gap[1]]  # not the indentation
        if not inner:
            return text
        _, place = max(inner)
        block = [(line[:place] + line[place + 1 :]).rstrip() for line in filled]
    return "\n".join(block)


def html_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns a table as HTML."""
    import html  # imported here because `zoo list` must start fast

    keys = _keys(rows)

    def row_of(tag: str, cells: Sequence[Any]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    body = "".join(row_of("td", [row.get(key, "") for key in keys]) for row in rows)
    return f"<table><thead>{row_of('th', keys)}</thead><tbody>{body}</tbody></table>"


def _keys(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _is_number(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    cells = [str(row.get(key, "")) for row in rows]
    return any(cells) and all(_NUMBER.fullmatch(cell) for cell in cells if cell not in ("", "-"))


def _aligned(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = []
    for key in _keys(rows):
        cells = [key, *(str(row.get(key, "")) for row in rows)]
        width = max(map(len, cells))
        number = _is_number(rows, key)
        columns.append([c.rjust(width) if number else c.ljust(width) for c in cells])
    return [GAP.join(parts).rstrip() for parts in zip(*columns, strict=True)]


def _parts(rows: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Returns a table in several parts below each other; each has the first column."""
    first, *others = _keys(rows)
    found: list[str] = []
    part = [first]
    for key in [*others, None]:
        candidate = [{name: row.get(name, "") for name in [*part, key or first]} for row in rows]
        full = len(part) > 1 and max(map(len, _aligned(candidate))) > width
        if key is None or full:
            found += [""] if found else []
            found += _aligned([{name: row.get(name, "") for name in part} for row in rows])
            part = [first]
        if key is not None:
            part.append(key)
    return found


def _broken(rows: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Returns a table whose longest texts are wrapped into several lines."""
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), header_style="")
    for key in (keys := _keys(rows)):
        number = _is_number(rows, key)
        table.add_column(
            Text(key),
            justify="right" if number else "left",
            no_wrap=number or key == keys[0],
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(str(row.get(key, ""))) for key in keys))
    stream = io.StringIO()
    Console(width=width, file=stream, color_system=None, legacy_windows=False).print(table)
    return [line.rstrip() for line in stream.getvalue().splitlines()]
