"""Scores of translations, by sacrebleu and Moses' tokenizer."""

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
) -> Scores:
    """Scores translations against one reference each.

    Args:
      references: true translations.
      hypotheses: translations to be scored, as many.
      language: of both, its two-letter code, which Moses' tokenizer follows.
      complete: whether each one ended with an end symbol; `runaway` is counted only with it.

    Returns:
      Values, BLEU and chrF in points of 100:
      `bleu`, of texts tokenised by Moses' rules and lower-cased, as in papers on Multi30k;
      `bleu_cased`, of the texts as they are, tokenised by sacrebleu (Post 2018);
      `chrf`, the F2-score of character n-grams (Popović 2015), of the texts as they are;
      `empty`, translations without a character; `runaway`, those without an end symbol; `rows`.
      And signatures, which tell exactly how each of the first three was computed.

    Raises:
      ZooError: no rows, or unequal lengths.
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


def bleu_terms(hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Returns what BLEU sums of each tokenised sentence, in lower case, float64 `(rows, 10)`.

    The length of the hypothesis and of the reference, the n-grams that are in both for n = 1 … 4,
    and those of the hypothesis.
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
    """Returns BLEU of sums of `bleu_terms`, `(..., 10)`, in points of 100.

    Where no n-gram of a length is right, it is smoothed as sacrebleu does by default (`exp`). It is
    0 where none is right, or the hypotheses have no n-gram of a length.
    """
    length, reference = sums[..., 0], sums[..., 1]
    right, total = sums[..., 2:6], np.maximum(sums[..., 6:10], 1.0)
    # The k-th order without a right n-gram counts as 1 / 2^k of one.
    smoothed = np.where(right == 0, 0.5 ** np.cumsum(right == 0, axis=-1), right)
    precision = np.exp(np.log(smoothed / total).mean(axis=-1))
    penalty = np.exp(np.minimum(0.0, 1 - reference / np.maximum(length, 1.0)))
    defined = (right.sum(axis=-1) > 0) & (sums[..., 6:10].min(axis=-1) > 0)
    return np.where(defined, 100 * precision * penalty, 0.0)


def moses(texts: Sequence[str], language: str = "en") -> list[str]:
    """Returns texts with spaces between tokens, by the rules of Moses' `tokenizer.perl`."""
    from sacremoses import MosesTokenizer

    tokenizer = MosesTokenizer(lang=language)
    return [tokenizer.tokenize(text, return_str=True, escape=False) for text in texts]


def detokenised(texts: Sequence[str], language: str = "en") -> list[str]:
    """Returns texts of such tokens without the spaces that the tokenizer has inserted."""
    from sacremoses import MosesDetokenizer

    detokenizer = MosesDetokenizer(lang=language)
    return [detokenizer.detokenize(text.split(" "), unescape=False) for text in texts]


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
