"""spaCy's named entity recognition, trained from scratch on the same sentences.

The pipeline is `ner` alone, with spaCy's default architecture and features and without pretrained
vectors; tokens are those of the dataset.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

BATCH = 1_000  # sentences that are answered at a time


def train(
    splits: Any,
    folder: Path,
    seed: int,
    until: float | None,
    *,
    epochs: int = 8,
    dropout: float = 0.2,
) -> dict[str, Any]:
    """Trains for `epochs`; the epoch with the best F1 on the validation split is saved."""
    import spacy
    from spacy.training import Example, biluo_tags_to_spans, iob_to_biluo
    from spacy.util import compounding, fix_random_seed, minibatch

    from recipes.tagging.metrics import entity_scores

    fix_random_seed(seed)
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    examples = []
    for tokens, tags in zip(splits.train["tokens"], splits.train["tags"], strict=True):
        if not tokens:
            continue
        doc = _doc(nlp, tokens)
        doc.ents = biluo_tags_to_spans(doc, iob_to_biluo(list(tags)))
        examples.append(Example(_doc(nlp, tokens), doc))
    optimizer = nlp.initialize(lambda: examples)
    shuffled, scores = random.Random(seed), []
    for _ in range(epochs):
        shuffled.shuffle(examples)
        for batch in minibatch(examples, size=compounding(4.0, 32.0, 1.001)):
            nlp.update(batch, sgd=optimizer, drop=dropout)
        with nlp.use_params(optimizer.averages):
            answers = _tags(nlp, splits.validation["tokens"])
            scores.append(float(entity_scores(splits.validation["tags"], answers)["f1"]))
            if scores[-1] == max(scores):
                nlp.to_disk(folder / "model")
    return {
        "epochs": epochs,
        "best_epoch": scores.index(max(scores)) + 1,
        "validation": max(scores),
    }


def _doc(nlp: Any, tokens: Sequence[str]) -> Any:
    from spacy.tokens import Doc

    return Doc(nlp.vocab, words=list(tokens))


def _tags(nlp: Any, rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Returns the BIO tags of each sentence."""
    docs = nlp.pipe((_doc(nlp, tokens) for tokens in rows), batch_size=BATCH)
    return [[f"{t.ent_iob_}-{t.ent_type_}" if t.ent_type_ else "O" for t in doc] for doc in docs]


def load(folder: Path) -> Callable[[Mapping[str, Sequence[Any]]], list[Any]]:
    import spacy

    nlp = spacy.load(folder / "model")
    return lambda examples: _tags(nlp, examples["tokens"])
