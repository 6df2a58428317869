"""What a network has made beside held-out pieces and tunes: tables of checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.assets import Assets
    from zoo.data import Examples, Splits
    from zoo.recipe import Answers
    from zoo.scores import Table


def compare_pieces(
    predictor: Answers, examples: Examples, options: Mapping[str, Any], bar: int
) -> Table:
    """Compares new pieces, in the keys of the held-out ones, with these.

    Args:
      predictor: a model of frames.
      examples: held-out pieces, columns `key` and `frames`.
      options: of the signature `generate`.
      bar: frames in a bar.

    Returns:
      `made` and `held out`, each to what `recipes.music.frame_checks.frame_checks` returns. It is
      empty where the model came without its data, so that there is nothing to compare with.
    """
    from recipes.music.frame_checks import frame_checks
    from zoo.serving.evaluation import training_splits

    splits = training_splits(predictor)
    if splits is None:
        return {}
    train, keys, count = splits.train, examples["key"], len(examples["key"])
    seeds = {"key": keys, "chord": [""] * count, "prime": [[]] * count, "random_seed": range(count)}
    answers = predictor.predict(seeds, signature="generate", **options)
    made = [[[note for note in frame if note] for frame in each["frames"]] for each in answers]
    known = keys if all(keys) else None
    return {
        name: {
            **frame_checks(pieces, known, train["frames"], train["key"] if known else None, bar=bar)
        }
        for name, pieces in (("made", made), ("held out", examples["frames"]))
        if any(map(any, pieces))
    }


def compare_tunes(
    texts: Mapping[str, Sequence[str]], asked: Examples, assets: Assets, splits: Splits | None
) -> Table:
    """Checks tunes against the type and key that they were to have.

    Args:
      texts: name of a method to its tunes, whole ABC texts, one for each row of `asked`.
      asked: columns `type` and `key`.
      assets: those of the model; `meters` is of `recipes.music.codec.meters_of`.
      splits: what the model was trained on; None where it is not available.

    Returns:
      Each name to what `recipes.music.tune_checks.tune_checks` returns.
    """
    from recipes.music import abc
    from recipes.music.notation import parse_abc
    from recipes.music.tune_checks import tune_checks

    return {
        name: {
            **tune_checks(
                asked["type"],
                asked["key"],
                tunes,
                meters=assets["meters"],
                training=[abc.tokens(tune) for tune in splits.train["tune"]] if splits else (),
                training_types=splits.train["type"] if splits else (),
                other=parse_abc,
            )
        }
        for name, tunes in texts.items()
    }
