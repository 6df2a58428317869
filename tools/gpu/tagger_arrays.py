"""Writes the sentences of a tagger as ids, and what its recipe has learnt from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from recipes.corpora import glove
from recipes.tagging.crf import legal
from recipes.tagging.rows import tag_rows
from recipes.tagging.tags import bioes_tags
from recipes.tagging.tokens import CASINGS, RESERVED_CHARACTERS, only_visible, tokenise
from tools.gpu.tagger_rows import EDGES, NAME, RARE, RESERVED, Sentences, save_sentences
from zoo import files
from zoo.config import override
from zoo.data import Splits
from zoo.registry import get_recipe

# Entities of HTML that AG News has lost the ampersands of.
_LOST = {" #39;": "'", "#39;": "'", "quot;": '"', "amp;": "&", "&lt;": "<", "&gt;": ">"}


def sentences_of(texts: Sequence[str]) -> Iterator[list[str]]:
    """Returns the sentences of texts, as tokens.

    A sentence ends with a full stop, a question mark or an exclamation mark before an upper-case
    letter. Sentences of fewer than 3 tokens are omitted, as are longer ones than `EDGES` has.
    """
    for first in range(0, len(texts), 1_000):
        part = [_plain(text) for text in texts[first : first + 1_000]]
        tokens, *_ = only_visible(tokenise(tf.constant(part)))
        for row in tokens.to_list():
            words = [word.decode("utf-8") for word in row]
            sentence: list[str] = []
            for word, following in zip(words, [*words[1:], "A"], strict=True):
                sentence.append(word)
                if word in (".", "?", "!") and following[:1].isupper():
                    if 3 <= len(sentence) <= EDGES[-2]:
                        yield sentence
                    sentence = []
            if 3 <= len(sentence) <= EDGES[-2]:
                yield sentence


def _plain(text: str) -> str:
    for lost, found in _LOST.items():
        text = text.replace(lost, found)
    return re.sub(r"<[^>]*>", " ", text)


def write_tagger(
    folder: Path, splits: Splits, texts: Sequence[str], vectors: str = "glove-50"
) -> None:
    """Writes `tagger.npz` (see `Sentences`) and the assets of the recipe.

    Args:
      folder: to write to.
      splits: of `conll-bilstm-crf`; the test split is not read.
      texts: without tags.
      vectors: the setting of the recipe.
    """
    recipe = get_recipe(NAME)
    config = override(recipe.config, {"vectors": vectors, "rare": RARE[0]})
    assets = recipe.prepare(config, splits.train)
    encoder = assets.encoder
    known_rows = len(splits.train["tokens"]) + len(splits.validation["tokens"])
    seen = {tuple(row) for row in splits.validation["tokens"]}
    rest = list(dict.fromkeys(tuple(row) for row in sentences_of(texts)))
    rest = [row for row in rest if row not in seen]
    rows = [*splits.train["tokens"], *splits.validation["tokens"], *map(list, rest)]
    ids = encoder.rows(rows)
    tags = tag_rows([*splits.train["tags"], *splits.validation["tags"]], assets["tags"])
    words = ids["words"].values.copy()
    first = len(assets["common"]) + len(assets["rare"]) + RESERVED
    outside = words >= first
    used, numbers = np.unique(words[outside], return_inverse=True)
    words[outside] = first + numbers
    trained = int(ids["words"].lengths[: len(splits.train["tokens"])].sum())
    counts = np.bincount(words[:trained][words[:trained] < first], minlength=first)
    counts[:RESERVED] = np.iinfo("int32").max
    every = assets["common"] + assets["rare"] + assets["fixed"]
    learnt, known, given = every[: first - RESERVED], np.zeros(first, bool), np.zeros((first, 50))
    fixed = np.zeros((max(1, len(used)), 50))
    if vectors != "none":
        has = frozenset(glove.glove_words())
        known[RESERVED:] = [word in has for word in learnt]
        given[known] = glove.rounded(glove.glove_vectors([word for word in learnt if word in has]))
        if len(used):
            chosen = [every[number - RESERVED] for number in used]
            fixed = glove.rounded(glove.glove_vectors(chosen))
    follows, starts = legal(bioes_tags(assets["tags"]))
    sentences = Sentences(
        words=words.astype("int32"),
        characters=ids["characters"].values.astype("int16"),
        casing=ids["casing"].values.astype("uint8"),
        tags=np.concatenate([tags.values, np.zeros(len(words) - len(tags.values))]).astype("uint8"),
        lengths=ids["words"].lengths.astype("int32"),
        trained=len(splits.train["tokens"]),
        validated=len(splits.validation["tokens"]),
        known=known,
        counts=counts.astype("int32"),
        given=given.astype("float32"),
        fixed=fixed.astype("float32"),
        follows=follows,
        starts=starts,
        names=tuple(bioes_tags(assets["tags"])),
        letters=len(assets["characters"]) + RESERVED_CHARACTERS,
        casings=len(CASINGS) + 1,
    )
    save_sentences(folder / "tagger.npz", sentences)
    for rare in RARE:
        theirs = recipe.prepare(override(config, {"rare": rare}), splits.train)
        kept = [*range(RESERVED), *np.flatnonzero(~sentences.frozen(rare))[RESERVED:]]
        expected = theirs["common"] + theirs["rare"]
        if [learnt[number - RESERVED] for number in kept[RESERVED:]] != expected:
            raise ValueError(f"The order of words depends on rare={rare}.")
        files.write_json(folder / f"{NAME}.rare-{rare}.assets.json", theirs)
    print(
        f"{known_rows:,} sentences with tags, {len(rest):,} without; {first:,} words with vectors "
        f"of their own, {len(used):,} others with vectors that are not trained"
    )
