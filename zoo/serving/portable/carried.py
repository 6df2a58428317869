"""Check for stateful networks, which ONNX and LiteRT files cannot represent."""

from __future__ import annotations

from typing import Any

from zoo.errors import ZooError


def refuse_state(concrete: Any) -> None:
    """Checks that a traced function does not assign variables.

    Raises:
      ZooError: it assigns a variable.
    """
    for op in concrete.graph.get_operations():
        if op.type == "AssignVariableOp":
            raise ZooError(
                "The network carries a state from one call to the next, which ONNX and LiteRT "
                "files cannot hold. Use another format."
            )
