"""Scores sentiment models on short sentences with negation and contrast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import files


def probes(names: Sequence[str], output: str | Path) -> dict[str, Any]:
    """Scores sentiment models and the linear classifier on `recipes.classifying.probes`.

    Args:
      names: pretrained models, or runs, that answer `positive` and `negative`.
      output: the JSON file.

    Returns:
      What it writes: `models`, a list with `name` and `scores`, as
      `recipes.classifying.probes.scores` returns them. The last is the linear classifier, fitted
      on the training rows of the first model's recipe.

    Raises:
      ZooError: a model cannot be loaded, or the data are not available.
    """
    import zoo
    from recipes.classifying import probes as sentences
    from recipes.classifying.teachers import fit_linear

    texts = sentences.texts()[1]
    models = []
    for name in names:
        predictor = zoo.load(name)
        answers = [answer["label"] for answer in predictor.predict(texts)]
        models.append({"name": name, "scores": sentences.scores(answers)})
    recipe = zoo.get_recipe(zoo.load(names[0]).recipe.name)
    splits = recipe.data(recipe.config).load()
    answers = [answer["label"] for answer in fit_linear(splits)({"text": texts})]
    title = f"baseline: log-count ratios, {splits.title}"
    models.append({"name": title, "scores": sentences.scores(answers)})
    result = {"kind": "probes", "models": models}
    files.write_json(Path(output), result)
    return result


def table(result: dict[str, Any]) -> str:
    """Returns a Markdown table with one row per model and one column per kind of sentence."""
    kinds = list(result["models"][0]["scores"])
    rows = [
        f"| {model['name']} | "
        + " | ".join(f"{model['scores'][kind]['accuracy']:.3f}" for kind in kinds)
        + f" | {model['scores']['all']['both']:.3f} |"
        for model in result["models"]
    ]
    sizes = [f"{kind} ({result['models'][0]['scores'][kind]['rows']})" for kind in kinds]
    return "\n".join(
        [
            "\nNegation and contrast: accuracy on pairs of short sentences that share most of "
            "their words (number of sentences); last, the pairs of which both are right.",
            "",
            f"| model | {' | '.join(sizes)} | both of a pair |",
            f"|---|{'---:|' * (len(kinds) + 1)}",
            *rows,
        ]
    )
