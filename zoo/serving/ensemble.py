"""Ensembles: several networks whose answers are combined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from zoo.bounds import named_function
from zoo.errors import UsageError
from zoo.serving.capabilities import NOVELTY, UNUSUAL
from zoo.serving.predictor import Predictor
from zoo.serving.signatures import Served


def check_members(members: Sequence[Predictor]) -> None:
    """Checks that models can form an ensemble.

    Raises:
      UsageError: there is only one model, a recipe does not combine answers, or classes differ.
    """
    if len(members) < 2:
        raise UsageError("An ensemble needs two or more members: name several models.")
    first = members[0]
    for each in members:
        if not each.recipe.combines:
            raise UsageError(f"{each.name} cannot be in an ensemble: only text classifiers can.")
        if each.labels != first.labels:
            raise UsageError(
                f"{each.folder} has the classes {', '.join(each.labels)}, but {first.folder} has "
                f"{', '.join(first.labels)}: members of an ensemble need the same classes."
            )


def serve_together(members: Sequence[Predictor]) -> Served:
    """Returns one signature with the combined answers of members checked by `check_members`."""
    served = [member.served() for member in members]
    recipe, config, assets = members[0].recipe, members[0].config, members[0].assets
    specs = list(served[0].answer.input_signature)

    @named_function(specs)
    def answer(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = {spec.name: value for spec, value in zip(specs, values, strict=True)}
        answers = [each.answer(**inputs) for each in served]
        return {**recipe.combine(config, assets, answers), **_novelty(answers)}

    return Served(answer=answer, parts=[part for each in served for part in each.parts])


def _novelty(answers: Sequence[Mapping[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
    """Returns the means of the members' novelty outputs; for `unusual`, the majority vote."""
    means = {
        name: tf.add_n([tf.cast(answer[name], tf.float32) for answer in answers]) / len(answers)
        for name in NOVELTY
        if all(name in answer for answer in answers)
    }
    return {name: mean > 0.5 if name == UNUSUAL else mean for name, mean in means.items()}


def describe(members: Sequence[Predictor]) -> str:
    """Returns a model card, Markdown, with the members and their own scores."""
    lines = ["# An ensemble", "", "The mean of what these networks answer.", ""]
    for member in members:
        metrics = member.metrics
        text = ""
        if metrics:
            metric = member.recipe.metric
            text = f": {metric.name} {metric.text(metrics['test'][metric.name])} on its test split"
        lines.append(f"- `{member.name}` ({member.folder.name}){text}")
    lines += ["", "The ensemble is not measured yet; `zoo evaluate` measures it."]
    return "\n".join(lines) + "\n"
