"""Creates the twin of a packed model, see `twin`. Requires TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zoo import files
from zoo.environment import install_extra
from zoo.errors import UsageError, ZooError, quoted
from zoo.manifest import USE
from zoo.registry import recipes
from zoo.serving.portable import bundle, twin
from zoo.serving.predictor import Predictor
from zoo.serving.pretrained import is_unpacked


def can_have_twin(predictor: Predictor) -> bool:
    """Whether a model is a packed one whose export can return complete answers for texts."""
    return _is_packed(predictor) and _answers_texts(predictor)


def _is_packed(predictor: Predictor) -> bool:
    return is_unpacked(predictor.folder) and predictor.name in recipes()


def _answers_texts(predictor: Predictor) -> bool:
    """Whether readers can return complete answers for texts, including all notes."""
    recipe = predictor.recipe
    further = recipe.reads_input or hasattr(recipe.module, "outside")  # not supported by readers
    reads = bundle.text_rules_of(predictor) is not None
    return reads and bool(predictor.labels or recipe.reader) and not further


def make(
    predictor: Predictor,
    format: str,
    texts: Sequence[str],
    due: Sequence[dict[str, Any]] | None = None,
) -> None:
    """Creates the twin of a packed model in the cache, if there is none.

    Args:
      predictor: the model's predictor.
      format: one of `twin.ENGINES`.
      texts: one or more texts for which the answers of the twin and the graph must agree.
      due: the answers of the graph to these texts; computed if None.

    Raises:
      UsageError: the model cannot have a twin, or the extra of the format is not installed.
      ZooError: the cache cannot be written, or the answers do not agree.
    """
    if not _answers_texts(predictor):
        raise UsageError(
            f"{quoted(predictor.name)} does not answer texts in the format {format}. "
            "Use --engine tensorflow."
        )
    if not _is_packed(predictor):
        raise UsageError(
            f"The engine {format} is for packed models, and for exports in that format; "
            f"{quoted(str(predictor.folder))} is neither. Use --engine tensorflow, or export it "
            f"in the format {format} and name that export."
        )
    bundle.check(format, "float32")
    if not twin.is_installed(format):
        raise UsageError(
            f"The engine {format} needs {twin.ENGINES[format].package}: {install_extra(format)}."
        )
    some = list(texts[: twin.PART])
    known = predictor.predict(some) if due is None else due[: twin.PART]
    with files.temporary_folder() as scratch:
        bundle.write(predictor, scratch, format)
        files.write_json(scratch / twin.OUTPUTS, {"outputs": list(known[0])})
        if predictor.use:
            files.write_json(scratch / USE, predictor.use)
        if not twin.agrees(twin.answers(scratch, some), known):
            raise ZooError(
                f"{predictor.name} answers differently in the format {format}. Use --engine "
                "tensorflow."
            )
        twin.keep(predictor.name, scratch, format)
