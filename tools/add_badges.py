"""Adds to each notebook a badge that opens it in Colab.

python tools/add_badges.py OWNER/REPOSITORY [BRANCH]

Run it once, when the repository has a public address, and again when the address changes. BRANCH is
`main` unless it is given.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
COLAB = "https://colab.research.google.com"
OLD = re.compile(r"\n\[!\[Open in Colab\].*?\n\n.*?`%pip install [^`]*`\.\n", re.DOTALL)


def with_badge(text: str, name: str, repository: str, branch: str) -> str:
    """Returns the first cell of a notebook, with the badge below its title.

    Args:
      text: the cell; an older badge is replaced.
      name: of the notebook's file.
      repository: owner and name on GitHub.
      branch: or tag.
    """
    title, _, rest = OLD.sub("", text, count=1).partition("\n")
    link = f"{COLAB}/github/{repository}/blob/{branch}/notebooks/{name}"
    return (
        f"{title}\n\n[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({link})\n\n"
        f"In Colab, run this first: `%pip install git+https://github.com/{repository}@{branch}`.\n"
        f"{rest}"
    )


def main(repository: str, branch: str = "main") -> None:
    """Rewrites the notebooks."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        sys.exit(f"The repository is OWNER/NAME; got {repository!r}.")
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    for path in paths:
        book = nbformat.read(path, as_version=4)
        first = book.cells[0]
        first.source = with_badge(first.source, path.name, repository, branch)
        nbformat.write(book, path)
    print(f"{len(paths)} notebooks")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
