"""Draws which part of the code imports which: docs/figures/architecture.svg.

python tools/draw_architecture.py            # writes the file
python tools/draw_architecture.py --check    # exit code 1 if the file is out of date
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "figures" / "architecture.svg"

# From the top to the bottom; an arrow goes down, or sideways.
ROWS = [
    ["benchmarks"],
    ["recipes/*.py"],
    ["classifying", "tagging", "translating", "writing", "music", "audio", "prices", "toys"],
    ["zoo.cli", "corpora"],
    ["zoo.server", "zoo.demo", "zoo.create, doctor"],
    ["zoo.inspection", "anatomy"],
    ["zoo.training", "zoo.serving"],
    ["zoo.report", "zoo.decoding", "zoo.metrics", "zoo.layers", "zoo.text"],
    ["zoo.data"],
    ["zoo (contract, files, errors, …)"],
]
WIDTH, ROW, BOX = 1120, 96, 34
CORE = ROWS[-1][0]


def part_of(module: str) -> str:
    """Returns the box of a module.

    Raises:
      ValueError: a package of `zoo` has no box.
    """
    first, *rest = module.split(".")
    boxes = {name for row in ROWS for name in row}
    if first == "benchmarks":
        return "benchmarks"
    if first == "recipes":
        return rest[0] if rest and rest[0] in boxes else "recipes/*.py"
    if rest and rest[0] in ("preprocessing", "diagnosis"):
        return "zoo.create, doctor"
    if rest and (name := f"zoo.{rest[0]}") in boxes:
        return name
    if rest and (ROOT / "zoo" / rest[0]).is_dir():
        raise ValueError(f"zoo/{rest[0]}/ has no box: add it to ROWS")
    return CORE


def edges() -> Counter[tuple[str, str]]:
    """Returns the number of imports between each two boxes, without those for type checkers.

    Imports of the lowest box are omitted: nearly every module has them.

    Raises:
      ValueError: an import leads upwards, such as one out of the lowest box.
    """
    files = {}
    for package in ("zoo", "recipes", "benchmarks"):
        for path in ROOT.glob(f"{package}/**/*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    counts: Counter[tuple[str, str]] = Counter()
    for module, path in files.items():
        if module in ("zoo", "zoo.__main__"):  # the public names, imported when they are used
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for_types = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if id(node) in for_types:
                continue
            if isinstance(node, ast.ImportFrom) and node.module:
                others = [f"{node.module}.{alias.name}" for alias in node.names]
                others = [other if other in files else node.module for other in others]
            elif isinstance(node, ast.Import):
                others = [alias.name for alias in node.names]
            else:
                continue
            for other in others:
                if other in files and part_of(other) not in (part_of(module), CORE):
                    counts[part_of(module), part_of(other)] += 1
    height = {name: number for number, row in enumerate(ROWS) for name in row}
    if upwards := [edge for edge in counts if height[edge[1]] < height[edge[0]]]:
        raise ValueError(f"these imports lead upwards: {sorted(upwards)}")
    return counts


def draw() -> str:
    """Returns the picture as SVG."""
    places: dict[str, tuple[float, float]] = {}
    shapes = []
    for number, row in enumerate(ROWS):
        y = 20 + number * ROW
        for index, name in enumerate(row):
            x = WIDTH * (index + 0.5) / len(row)
            places[name] = (x, y)
            half = 4.6 * len(name) + 12
            colour = "#dbe9f6" if name.startswith("zoo") else "#fde7cf"
            shapes.append(
                f'<rect x="{x - half:.0f}" y="{y}" width="{2 * half:.0f}" height="{BOX}" rx="6" '
                f'fill="{colour}" stroke="#444"/>'
                f'<text x="{x:.0f}" y="{y + 22}" text-anchor="middle">{name}</text>'
            )
    lines = []
    for (source, target), count in sorted(edges().items()):
        (x1, y1), (x2, y2) = places[source], places[target]
        down = y2 > y1
        begin, end = (y1 + BOX, y2) if down else (y1 + BOX / 2, y2 + BOX / 2)
        width = min(1 + count / 12, 4)
        lines.append(
            f'<line x1="{x1:.0f}" y1="{begin:.0f}" x2="{x2:.0f}" y2="{end:.0f}" '
            f'stroke="{"#8a8a8a" if down else "#b03030"}" stroke-opacity="0.55" '
            f'stroke-width="{width:.1f}" marker-end="url(#arrow)"/>'
        )
    height = 20 + len(ROWS) * ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="14">\n'
        '<rect width="100%" height="100%" fill="white"/>\n'
        '<marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0L10 5L0 10z" fill="#666"/></marker>\n'
        + "\n".join(lines + shapes)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    picture = draw()
    if "--check" in sys.argv:
        sys.exit(FILE.read_text(encoding="utf-8") != picture)
    FILE.write_text(picture, encoding="utf-8")
    print(FILE.relative_to(ROOT))
