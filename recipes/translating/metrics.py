"""Scores of translations, computed with sacrebleu and Moses' tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.errors import ZooError
from zoo.metrics.intervals import Units
from zoo.scores import Number, Scores


def translation(
    references: Sequence[str],
    hypotheses: Sequence[str],
    *,
    language: str = "en",
    complete: Sequence[bool] | None = None,
    texts: Sequence[str] | None = None,
) -> Scores:
    """Scores translations against one reference each.

    Args:
      references: reference translations.
      hypotheses: translations to score, one per reference.
      language: two-letter code of their language, for Moses' tokenizer.
      complete: whether each hypothesis has an end symbol; required for `runaway`.
      texts: the source texts; required for `bleu_all`.

    Returns:
      Values, with BLEU and chrF from 0 to 100:
      `bleu`, on lower-cased texts tokenised by Moses' rules, as in papers on Multi30k;
      `bleu_cased`, on the unchanged texts, tokenised by sacrebleu (Post 2018);
      `chrf`, the F2-score of character n-grams (Popović 2015), on the unchanged texts;
      `bleu_all`, if texts occur more than once: as `bleu`, but each different text is scored once,
      against all of its references;
      `empty`, the number of empty translations; `runaway`, the number without an end symbol;
      `rows`. Also signatures, which specify exactly how each of the first three is computed.

    Raises:
      ZooError: there are no rows, or the lengths differ.
    """
    from sacrebleu.metrics import BLEU, CHRF

    if len(references) != len(hypotheses):
        raise ZooError(
            f"There are {len(hypotheses)} translations for {len(references)} rows; "
            "translate each row once, in order."
        )
    if not references:
        raise ZooError("There are no rows to score; give at least one pair.")
    tokenised = BLEU(lowercase=True, tokenize="none", force=True)
    cased, chrf = BLEU(), CHRF()
    written, expected = moses(hypotheses, language), moses(references, language)
    values: dict[str, Number] = {
        "bleu": tokenised.corpus_score(written, [expected]).score,
        "bleu_cased": cased.corpus_score(list(hypotheses), [list(references)]).score,
        "chrf": chrf.corpus_score(list(hypotheses), [list(references)]).score,
        "empty": sum(not text.strip() for text in hypotheses),
    }
    if texts is not None and len(set(texts)) < len(texts):
        first, every = _once(texts, written, expected)
        # None: no further reference. Sacrebleu accepts it; its annotation does not say so.
        values["bleu_all"] = tokenised.corpus_score(first, every).score  # type: ignore[arg-type]
    if complete is not None:
        values["runaway"] = sum(not each for each in complete)
    tokenizer = f"moses.{_version('sacremoses')}-{language}"
    return Scores(
        values={**values, "rows": len(references)},
        signatures={
            "bleu": str(tokenised.get_signature()).replace("tok:none", f"tok:{tokenizer}"),
            "bleu_cased": str(cased.get_signature()),
            "chrf": str(chrf.get_signature()),
        },
        units={"bleu": Units("sentences", bleu_terms(written, expected), bleu_of)},
    )


def _once(
    texts: Sequence[str], hypotheses: Sequence[str], references: Sequence[str]
) -> tuple[list[str], list[list[str | None]]]:
    """Returns the first hypothesis of each different text, and all references, as for sacrebleu."""
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        rows.setdefault(text, []).append(row)
    first = [hypotheses[each[0]] for each in rows.values()]
    most = max(map(len, rows.values()))
    return first, [
        [references[each[i]] if i < len(each) else None for each in rows.values()]
        for i in range(most)
    ]


def bleu_terms(hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Returns the BLEU statistics of each tokenised sentence, lower-cased, float64 `(rows, 10)`.

    These are the length of the hypothesis, the length of the reference, the number of matching
    n-grams for n = 1 … 4, and the number of n-grams of the hypothesis.
    """
    from sacrebleu.metrics import BLEU

    metric = BLEU(lowercase=True, tokenize="none", force=True, effective_order=True)
    scores = [
        metric.sentence_score(hypothesis, [reference])
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]
    return np.array(
        [[each.sys_len, each.ref_len, *each.counts, *each.totals] for each in scores], float
    )


def bleu_of(sums: np.ndarray) -> np.ndarray:
    """Returns BLEU, from 0 to 100, for sums of `bleu_terms`, `(..., 10)`.

    Orders without matching n-grams are smoothed as in sacrebleu's default (`exp`). The score is 0
    if no n-gram matches, or if the hypotheses have no n-gram of some order.
    """
    length, reference = sums[..., 0], sums[..., 1]
    right, total = sums[..., 2:6], np.maximum(sums[..., 6:10], 1.0)
    # The k-th order without a match counts as 1 / 2^k of a match.
    smoothed = np.where(right == 0, 0.5 ** np.cumsum(right == 0, axis=-1), right)
    precision = np.exp(np.log(smoothed / total).mean(axis=-1))
    penalty = np.exp(np.minimum(0.0, 1 - reference / np.maximum(length, 1.0)))
    defined = (right.sum(axis=-1) > 0) & (sums[..., 6:10].min(axis=-1) > 0)
    return np.where(defined, 100 * precision * penalty, 0.0)


def moses(texts: Sequence[str], language: str = "en") -> list[str]:
    """Tokenises texts by the rules of Moses' `tokenizer.perl`; spaces separate the tokens."""
    from sacremoses import MosesTokenizer

    tokenizer = MosesTokenizer(lang=language)
    return [tokenizer.tokenize(text, return_str=True, escape=False) for text in texts]


def detokenised(texts: Sequence[str], language: str = "en") -> list[str]:
    """Removes the spaces that the tokenizer has inserted."""
    from sacremoses import MosesDetokenizer

    detokenizer = MosesDetokenizer(lang=language)
    return [detokenizer.detokenize(text.split(" "), unescape=False) for text in texts]


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
