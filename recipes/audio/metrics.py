"""Metrics of transcriptions: the word error rate."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from zoo.errors import ZooError
from zoo.metrics.intervals import ratios
from zoo.scores import Scores, Table


def word_errors(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> tuple[int, ...]:
    """Returns substitutions, deletions and insertions of a shortest edit (Levenshtein 1966).

    Of several shortest edits, one with the most substitutions is used.
    """
    # For each prefix of the hypothesis: numbers of edits, of deletions and of insertions.
    row = [(n, 0, n) for n in range(len(hypothesis) + 1)]
    for number, word in enumerate(reference, 1):
        above, row = row, [(number, number, 0)]
        for column, other in enumerate(hypothesis, 1):
            edits, deleted, inserted = above[column - 1]
            substituted = (edits + (word != other), deleted, inserted)
            edits, deleted, inserted = above[column]
            deletion = (edits + 1, deleted + 1, inserted)
            edits, deleted, inserted = row[column - 1]
            insertion = (edits + 1, deleted, inserted + 1)
            row.append(
                min(
                    substituted,
                    deletion,
                    insertion,
                    key=lambda option: (option[0], option[1] + option[2]),
                )
            )
    edits, deleted, inserted = row[-1]
    return edits - deleted - inserted, deleted, inserted


def transcription(
    references: Sequence[str], hypotheses: Sequence[str], speakers: Sequence[str] = ()
) -> Scores:
    """Scores transcriptions against the true texts.

    Args:
      references: true texts: words with spaces between.
      hypotheses: transcriptions, one for each reference.
      speakers: speaker of each text; "", or no list, if unknown.

    Returns:
      The values `word_error_rate`, the sum of substitutions, deletions and insertions divided by
      the number of true words (it may be above 1); `sequence_accuracy`, the fraction of texts
      without an error; `substitutions`, `deletions`, `insertions`, `words`, `rows`. The table
      `per_speaker`: speaker to `word_error_rate` and `words`.

    Raises:
      ZooError: no rows, no words, or unequal lengths.
    """
    if len(references) != len(hypotheses):
        raise ZooError(
            f"There are {len(hypotheses)} texts for {len(references)} rows; "
            "transcribe each row once, in order."
        )
    true_words, predicted_words = (
        [text.split() for text in texts] for texts in (references, hypotheses)
    )
    if not any(true_words):
        raise ZooError("There are no words to score; give at least one row with a text.")
    edits = [word_errors(*pair) for pair in zip(true_words, predicted_words, strict=True)]
    sums = [sum(counts) for counts in zip(*edits, strict=True)]
    names = ("substitutions", "deletions", "insertions")
    words = sum(map(len, true_words))
    per_speaker: Table = {}
    for speaker in sorted(set(speakers) - {""}):
        rows = [row for row, name in enumerate(speakers) if name == speaker]
        count = sum(len(true_words[row]) for row in rows)
        errors = sum(sum(edits[row]) for row in rows)
        per_speaker[speaker] = {"word_error_rate": errors / max(1, count), "words": count}
    # A recording may be in several texts, and texts of one speaker are correlated.
    known = bool(speakers) and all(speakers)
    cluster = np.unique(list(speakers), return_inverse=True)[1] if known else None
    counts = [sum(each) for each in edits], [*map(len, true_words)]
    units = ratios("speakers" if known else "texts", *counts, cluster)
    return Scores(
        values={
            "word_error_rate": sum(sums) / words,
            "sequence_accuracy": sum(not any(counts) for counts in edits) / len(edits),
            **dict(zip(names, sums, strict=True)),
            "words": words,
            "rows": len(true_words),
        },
        tables={"per_speaker": per_speaker},
        units={"word_error_rate": units},
    )


def accuracy_by_speaker(
    truth: Sequence[str], predicted: Sequence[str], speakers: Sequence[str]
) -> Table:
    """Returns `accuracy`, from 0 to 1, and `rows` for each speaker whose name is known."""
    table: Table = {}
    for speaker in sorted(set(speakers) - {""}):
        rows = [row for row, name in enumerate(speakers) if name == speaker]
        right = sum(truth[row] == predicted[row] for row in rows)
        table[speaker] = {"accuracy": right / len(rows), "rows": len(rows)}
    return table
