"""Sentence pairs in two languages.

Multi30k: D. Elliott, S. Frank, K. Sima'an, L. Specia: Multi30K: Multilingual English-German Image
Descriptions, VL 2016; French by D. Elliott et al., WMT 2017. Tatoeba: sentences for learners,
paired by manythings.org/anki. The Bible: the Basic English translation by S. H. Hooke and the
French one by Louis Segond (1910), verse by verse. TED talks: Y. Qi et al., NAACL 2018.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.corpora.bible import bible
from zoo.data import Dataset, Examples, File, Source, Tfds, Urls
from zoo.data.declaration import TABLES

if TYPE_CHECKING:
    from zoo.data import Splits
    from zoo.data.reading import Reading

GITHUB = "https://raw.githubusercontent.com"
MULTI30K = f"{GITHUB}/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw"
MULTI30K_FILES = {  # (sha256, size), by language: train, val, test_2016_flickr
    "de": (
        ("726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6", 637_044),
        ("f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a", 24_681),
        ("9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8", 22_890),
    ),
    "en": (
        ("d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f", 568_929),
        ("14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28", 21_650),
        ("611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9", 21_077),
    ),
    "fr": (
        ("622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c", 604_242),
        ("ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9", 23_001),
        ("6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90", 22_310),
    ),
}
MULTI30K_SPLITS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
CAPTION_TIMES = 3  # captions beside Tatoeba: then both have about as many words
TED_PAIRS = (
    ("az", "en"),
    ("be", "en"),
    ("es", "pt"),
    ("fr", "pt"),
    ("gl", "en"),
    ("he", "pt"),
    ("it", "pt"),
    ("pt", "en"),
    ("ru", "en"),
    ("ru", "pt"),
    ("tr", "en"),
)


def sample() -> Examples:
    pairs = [
        ("A dog runs .", "Un chien court ."),
        ("Two women drink tea.", "Deux femmes boivent du thé."),
        ("The old man's hat is blue!", "Le chapeau du vieil homme est bleu !"),
        ("A girl reads; her brother sleeps.", "Une fille lit ; son frère dort."),
    ]
    rows = [
        (f"{a} {b}".strip(), f"{c} {d}".strip()) for a, c in pairs for b, d in [*pairs, ("", "")]
    ]
    return {"text": [text for text, _ in rows], "translation": [text for _, text in rows]}


def read_multi30k(paths: Sequence[Path]) -> tuple[dict[str, Examples], list[str]]:
    """Reads the files of the source language, one per split, then those of the target language."""
    import gzip

    def lines(path: Path) -> list[str]:
        return [line.strip() for line in gzip.decompress(path.read_bytes()).decode().splitlines()]

    count = len(MULTI30K_SPLITS)
    return {
        split: {"text": lines(text), "translation": lines(translation)}
        for split, text, translation in zip(
            MULTI30K_SPLITS, paths[:count], paths[count:], strict=True
        )
    }, []


def read_tatoeba(paths: Sequence[Path], source: str) -> tuple[dict[str, Examples], list[str]]:
    """Reads tab-separated English and French. Most sentences have several translations."""
    import zipfile

    with zipfile.ZipFile(paths[0]) as archive:
        text = archive.read("fra-eng/fra.txt").decode("utf-8")
    rows = dict.fromkeys(tuple(line.split("\t")[:2]) for line in text.split("\n") if line)
    english, french = ([row[side].strip() for row in rows] for side in (0, 1))
    texts, translations = (english, french) if source == "en" else (french, english)
    return {"train": {"text": texts, "translation": translations}}, []


def read_captions_and_sentences(
    paths: Sequence[Path], source: str
) -> tuple[dict[str, Examples], list[str]]:
    """Reads the files of Multi30k, followed by that of Tatoeba.

    The training split has all training rows of both, those of Multi30k `CAPTION_TIMES` times, so
    that a network does not neglect them. The validation split has the captions and as
    many sentences, each once, of Tatoeba's validation split. The test split is that of Multi30k. No
    text of Tatoeba's test split is in another split.
    """
    from zoo.data import splits

    captions, _ = read_multi30k(paths[:-1])
    sentences, _ = read_tatoeba(paths[-1:], source)
    sentences, _ = splits.complete(sentences, "Tatoeba", group="text")
    held_out, _ = splits.without_duplicates(sentences["validation"], "text")
    rows = min(splits.count(captions["validation"]), splits.count(held_out))
    added = {"train": sentences["train"], "validation": splits.take(held_out, range(rows))}
    times = {"train": CAPTION_TIMES}
    parts = {
        name: {
            column: [*part[column] * times.get(name, 1), *added.get(name, {}).get(column, [])]
            for column in part
        }
        for name, part in captions.items()
    }
    return parts, [
        f"each training caption is read {CAPTION_TIMES} times in an epoch",
        "the test split is that of Multi30k; that of Tatoeba is scored with --data tatoeba",
    ]


def read_custom(
    path: Path,
    columns: Mapping[str, str] | None = None,
    *,
    source: str,
    target: str,
    reading: Reading | None = None,
) -> Examples:
    """Reads a custom file; see `recipes.translating.reader`."""
    from recipes.translating.reader import PairReader

    return PairReader(source, target).read(path, columns, reading)


def read_folder(
    path: Path, *, source: str, target: str, reading: Reading | None = None
) -> tuple[dict[str, Examples], list[str], str, str]:
    """Reads a folder of aligned files; see `recipes.translating.reader`."""
    from recipes.translating.reader import PairReader

    return PairReader(source, target).folder(path, reading)


def facts(splits: Splits, source: str, target: str) -> list[str]:
    from recipes.translating.facts import of_pairs

    return of_pairs(splits, source, target)


def multi30k(source: str, target: str) -> Urls:
    files = tuple(
        File(f"{MULTI30K}/{name}.{language}.gz", sha256, size)
        for language in (source, target)
        for name, (sha256, size) in zip(
            MULTI30K_SPLITS.values(), MULTI30K_FILES[language], strict=True
        )
    )
    return Urls(
        files,
        key="multi30k",
        title=f"Multi30k {source}→{target} (test 2016 Flickr)",
        read=read_multi30k,
        licence="Flickr's captions: for research and education",
    )


def tatoeba(source: str) -> Urls:
    return Urls(
        (
            File(
                f"{GITHUB}/modelexlab/data/adddaf33ac35572bcfeb421efec29435e7ea9332/fra-eng.zip",
                "161c93f18da3a7e6df611ed961426613260de8af06ccf8c79c977afe5135ac44",
                3_424_571,
            ),
        ),
        key="tatoeba",
        title="Tatoeba en→fr" if source == "en" else "Tatoeba fr→en",
        read=functools.partial(read_tatoeba, source=source),
        licence="CC BY 2.0, attribution: www.manythings.org/anki and tatoeba.org",
    )


def multi30k_and_tatoeba(source: str, target: str) -> Urls:
    parts = multi30k(source, target), tatoeba(source)
    return Urls(
        tuple(file for part in parts for file in part.files),
        key="multi30k+tatoeba",
        title=f"Multi30k and Tatoeba {source}→{target} (test 2016 Flickr)",
        read=functools.partial(read_captions_and_sentences, source=source),
        licence="; ".join(part.licence for part in parts),
    )


def ted(source: str, target: str, pair: tuple[str, str]) -> Tfds:
    return Tfds(
        f"ted_hrlr_translate/{'_to_'.join(pair)}",
        key="ted",
        title=f"TED talks {source}→{target}",
        columns={"text": source, "translation": target},
        splits={name: name for name in MULTI30K_SPLITS},
        url="http://www.phontron.com/data/qi18naacl-dataset.tar.gz",
        sha256="216a86c3df4d4f522856fe9b920ff5be6b394d769cc88974ae8f9f5546953bbc",
        size=131_005_909,
        licence="TED's talks: CC BY-NC-ND 4.0",
    )


def pairs(source: str, target: str, everyday: bool = False) -> Dataset:
    """Declares the sentence pairs of two languages, named by their two-letter codes.

    Args:
      source, target: the languages.
      everyday: whether the first source has everyday sentences, if there are some.
    """
    sources: list[Source] = []
    if source != target and {source, target} <= MULTI30K_FILES.keys():
        sources.append(multi30k(source, target))
    if {source, target} == {"en", "fr"}:
        sources += [
            tatoeba(source),
            multi30k_and_tatoeba(source, target),
            bible(source, target),
        ]
    sources += [ted(source, target, pair) for pair in TED_PAIRS if {*pair} == {source, target}]
    if everyday:
        sources.sort(key=lambda each: each.key != "multi30k+tatoeba")
    return Dataset(
        name=f"pairs-{source}-{target}",
        title=f"Pairs of sentences, {source} and {target}",
        homepage="https://github.com/multi30k/dataset",
        licence="see the source",
        columns={
            "text": f"a sentence ({source})",
            "translation": f"its translation ({target})",
        },
        sources=tuple(sources),
        sample=sample,
        label="",
        deduplicate_by="",  # a sentence may have several translations, all in the same split
        group="text",
        reader=functools.partial(read_custom, source=source, target=target),
        folder=functools.partial(read_folder, source=source, target=target),
        texts=("text", "translation"),
        facts=functools.partial(facts, source=source, target=target),
        unlabelled=("text",),
        suffixes=(*TABLES, ".tmx"),
    )
