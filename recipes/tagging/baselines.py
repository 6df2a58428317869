"""The baseline of the CoNLL-2003 shared task: looks up the entities of the training data.

A linear-chain CRF is the second baseline, see `recipes.tagging.crf_baseline`.

E. Tjong Kim Sang, F. De Meulder: Introduction to the CoNLL-2003 Shared Task, 2003. Published
F1 on the English test split: 59.61, on the development split 71.18. The paper says "entities
which had a unique class in the training data". Its numbers, however, are reproduced with the most
frequent class, and the alphabetically first of equally frequent ones, which this baseline uses.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from recipes.tagging import crf_baseline
from recipes.tagging.metrics import entities, entity_scores
from zoo.data import Examples
from zoo.scores import Scores


def entity_baselines(train: Examples, test: Examples) -> dict[str, Scores]:
    """Scores a lookup of the training entities, and a CRF, on the test split.

    Args:
      train, test: columns `tokens` and `tags` (BIO).

    Returns:
      The `recipes.tagging.metrics.entity_scores` of `seen-entities`, and of `linear-chain-crf` if
      python-crfsuite is installed (takes minutes).
    """
    entity_classes = learn_entities(train["tokens"], train["tags"])
    predicted = [tag_entities(tokens, entity_classes) for tokens in test["tokens"]]
    scores = {"seen-entities": entity_scores(test["tags"], predicted)}
    if crf_baseline.is_available():
        tags = crf_baseline.crf_tags(train["tokens"], train["tags"], test["tokens"])
        scores["linear-chain-crf"] = entity_scores(test["tags"], tags)
    return scores


def learn_entities(
    tokens: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]
) -> dict[tuple[str, ...], str]:
    """Returns a dict from the tokens of each entity to its most frequent class."""
    counts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for words, row in zip(tokens, tags, strict=True):
        for start, end, kind in entities(row):
            counts[tuple(words[start:end])][kind] += 1
    return {
        name: min(kinds, key=lambda kind, kinds=kinds: (-kinds[kind], kind))  # type: ignore[misc]
        for name, kinds in counts.items()
    }


def tag_entities(tokens: Sequence[str], entity_classes: Mapping[tuple[str, ...], str]) -> list[str]:
    """Returns BIO tags of a sentence: the longest matching entities, from left to right."""
    longest = max(map(len, entity_classes), default=0)
    tags = ["O"] * len(tokens)
    start = 0
    while start < len(tokens):
        for end in range(min(start + longest, len(tokens)), start, -1):
            kind = entity_classes.get(tuple(tokens[start:end]))
            if kind is not None:
                tags[start:end] = [f"B-{kind}"] + [f"I-{kind}"] * (end - start - 1)
                start = end
                break
        else:
            start += 1
    return tags
