"""`docs/data.md` names a test for each format and oddity; the tests are there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_row_names_a_test_that_is_there():
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    tables = re.split(r"^## ", text, flags=re.M)
    rows = [
        line
        for part in tables
        if "| test |" in part
        for line in part.splitlines()
        if line.startswith("| ") and not line.endswith("| test |")
    ]
    assert len(rows) > 40
    for row in rows:
        path, _, name = row.rsplit("|", 2)[1].strip(" `").partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if hasattr(node, "name")}, row
