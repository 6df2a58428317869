"""A linear-chain CRF with the usual hand-crafted features, the standard before neural networks.

J. Lafferty, A. McCallum, F. Pereira: Conditional Random Fields, ICML 2001; implemented by
CRFsuite (N. Okazaki, 2007). The features are those of CRFsuite's and NLTK's examples for named
entities: the word, its suffixes, its shape, and the neighbouring words. It uses no word vectors,
gazetteers or parts of speech.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from zoo.environment import install_extra
from zoo.errors import ZooError

# Weights of the L1 and L2 penalties, and number of iterations. These are the usual values; they
# were not tuned.
PARAMETERS = {"c1": 0.1, "c2": 0.1, "max_iterations": 100, "feature.possible_transitions": True}


def is_available() -> bool:
    """Returns whether python-crfsuite is installed (the extra `[crf]`)."""
    try:
        import pycrfsuite  # noqa: F401
    except ImportError:
        return False
    return True


def crf_tags(
    train_tokens: Sequence[Sequence[str]],
    train_tags: Sequence[Sequence[str]],
    test_tokens: Sequence[Sequence[str]],
) -> list[list[str]]:
    """Trains a CRF on tagged sentences and tags other sentences with it.

    Args:
      train_tokens: tokens of each sentence.
      train_tags: a tag for each token, such as `"B-PER"`.
      test_tokens: tokens of each sentence to tag.

    Returns:
      A tag for each test token.

    Raises:
      ZooError: python-crfsuite is not installed.
    """
    try:
        import pycrfsuite
    except ImportError as error:
        raise ZooError(
            f"The CRF baseline needs python-crfsuite: {install_extra('crf')}."
        ) from error
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=PARAMETERS, verbose=False)
    for tokens, tags in zip(train_tokens, train_tags, strict=True):
        trainer.append(sentence_features(tokens), list(tags))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.crfsuite")
        trainer.train(path)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        found = [tagger.tag(sentence_features(tokens)) for tokens in test_tokens]
        tagger.close()
    return found


def sentence_features(tokens: Sequence[str]) -> list[list[str]]:
    """Returns the features of each token and of the two words on either side of it."""
    own = [word_features(token) for token in tokens]
    rows = []
    for place, features in enumerate(own):
        row = ["bias", *features]
        for distance in (-2, -1, 1, 2):
            other = place + distance
            if 0 <= other < len(own):
                # Word, shape and case of a neighbour; its suffixes are hardly informative.
                row += [f"{distance}:{feature}" for feature in own[other][:4]]
        if place == 0:
            row.append("first")
        if place == len(own) - 1:
            row.append("last")
        rows.append(row)
    return rows


def word_features(token: str) -> list[str]:
    """Returns the features of one word; its neighbours use the first four, too."""
    lower = token.lower()
    shape = shape_of(token)
    return [
        f"word={lower}",
        f"shape={shape}",
        f"title={token.istitle()}",
        f"upper={token.isupper()}",
        f"short={''.join(letter for letter, _ in itertools.groupby(shape))}",
        f"digit={token.isdigit()}",
        *(f"suffix={lower[-size:]}" for size in (2, 3, 4) if len(lower) > size),
        *(f"prefix={lower[:size]}" for size in (2, 3, 4) if len(lower) > size),
    ]


def shape_of(token: str) -> str:
    """Replaces letters by A or a and digits by 0: `"McCoy's-2"` becomes `"AaAaa'a-0"`."""
    upper = re.sub(r"[^\W\d_]", lambda found: "A" if found[0].isupper() else "a", token)
    return re.sub(r"\d", "0", upper)[:20]
