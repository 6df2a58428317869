"""Whether a model may do more on this machine than compute predictions.

A model is pure data, unless its folder names a recipe file, which is a program, the graph of its
SavedModel has ops that read or write files, or a symbolic link in it points to other files. Each of
these requires consent: `trust=True` in Python, `--trust`, or `ZOO_TRUST=1` in the environment.
`docs/security.md` describes what is safe without it.
"""

from __future__ import annotations

import os

from zoo.errors import UsageError, quoted

ENVIRONMENT = "ZOO_TRUST"
REMEDY = f"If you trust its author, set {ENVIRONMENT}=1, or give --trust (in Python: trust=True)."


def is_trusted(trust: bool) -> bool:
    """Whether the user has given consent, by the argument or by `ZOO_TRUST`.

    Raises:
      UsageError: the argument is neither True nor False.
    """
    if not isinstance(trust, bool):
        raise UsageError(f"trust must be True or False; got {quoted(trust)}.")
    return trust or os.environ.get(ENVIRONMENT, "").lower() not in ("", "0", "false", "no")
