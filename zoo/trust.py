"""Whether a model may do more on this machine than compute answers.

A model is data, unless its folder names a recipe file, which is a program; unless the graph of its
SavedModel has ops that read or write files; and unless a symbolic link in it leads to other files.
Each of these needs a yes: `trust=True` in Python, `--trust`, or `ZOO_TRUST=1` in the environment.
`docs/security.md` says what is safe without one.
"""

from __future__ import annotations

import os

from zoo.errors import UsageError, quoted

ENVIRONMENT = "ZOO_TRUST"
REMEDY = f"If you trust its author, set {ENVIRONMENT}=1, or give --trust (in Python: trust=True)."


def is_trusted(trust: bool) -> bool:
    """Whether somebody has said yes, by an argument or by `ZOO_TRUST`.

    Raises:
      UsageError: the argument is neither True nor False.
    """
    if not isinstance(trust, bool):
        raise UsageError(f"trust must be True or False; got {quoted(trust)}.")
    return trust or os.environ.get(ENVIRONMENT, "").lower() not in ("", "0", "false", "no")
