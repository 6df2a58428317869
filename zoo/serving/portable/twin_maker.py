"""Makes the twin of a packed model, see `twin`; it takes TensorFlow to make one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zoo import files
from zoo.environment import install_extra
from zoo.errors import UsageError, ZooError, quoted
from zoo.registry import recipes
from zoo.serving.portable import bundle, twin
from zoo.serving.predictor import Predictor
from zoo.serving.pretrained import is_unpacked


def can_have_twin(predictor: Predictor) -> bool:
    """Whether a loaded model is a packed one that classifies texts."""
    is_packed = is_unpacked(predictor.folder) and predictor.name in recipes()
    return is_packed and bool(predictor.labels) and bundle.text_rules_of(predictor) is not None


def make(
    predictor: Predictor,
    format: str,
    texts: Sequence[str] = (),
    due: Sequence[dict[str, Any]] = (),
) -> None:
    """Makes the twin of a packed model, in the cache, if there is none.

    Args:
      predictor: of the model.
      format: one of `twin.ENGINES`.
      texts: that the twin must answer as the graph does.
      due: what the graph answers to them.

    Raises:
      UsageError: the model can have no twin, or the extra of the format is not installed.
      ZooError: the cache cannot be written, or the twin answers otherwise.
    """
    if not can_have_twin(predictor):
        raise UsageError(
            f"The engine {format} is for packed models that classify texts, and for their exports; "
            f"{quoted(predictor.name)} is none. Use --engine tensorflow, or export it in the "
            f"format {format} and answer from there."
        )
    bundle.check(format, "float32")
    if not twin.is_installed(format):
        raise UsageError(
            f"The engine {format} needs {twin.ENGINES[format].package}: {install_extra(format)}."
        )
    with files.temporary_folder() as scratch:
        bundle.write(predictor, scratch, format)
        some = slice(twin.PART)
        if not twin.agrees(twin.answers(scratch, list(texts[some])), due[some]):
            raise ZooError(f"the {format} twin of {predictor.name} answers otherwise.")
        twin.keep(predictor.name, scratch, format)
