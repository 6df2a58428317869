"""Tables of checks that compare generated pieces and tunes with held-out ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.assets import Assets
    from zoo.data import Examples, Splits
    from zoo.recipe import Answers
    from zoo.scores import Table


def compare_pieces(
    predictor: Answers,
    examples: Examples,
    options: Mapping[str, Any],
    bar: int,
    *,
    ends: bool = False,
) -> Table:
    """Compares generated pieces with held-out ones of the same keys.

    Args:
      predictor: a model of frames.
      examples: held-out pieces, columns `key` and `frames`.
      options: of the signature `generate`.
      bar: frames in a bar.
      ends: whether the model predicts where a piece ends. Then `made` also has `ended`, the
        fraction of the pieces that ended by themselves.

    Returns:
      `made` (generated) and `held out` to the result of `recipes.music.frame_checks.frame_checks`
      and, with keys, of `recipes.music.ending.cadence_fractions`;
      empty where the training data of the model is unavailable.
    """
    from recipes.music.ending import cadence_fractions
    from recipes.music.frame_checks import frame_checks
    from zoo.serving.evaluation import training_splits

    splits = training_splits(predictor)
    if splits is None:
        return {}
    train, keys, count = splits.train, examples["key"], len(examples["key"])
    seeds = {"key": keys, "chord": [""] * count, "prime": [[]] * count, "random_seed": range(count)}
    if ends:
        seeds["num_frames"] = [0] * count
    answers = predictor.predict(seeds, signature="generate", **options)
    generated = [[[note for note in frame if note] for frame in each["frames"]] for each in answers]
    known = keys if all(keys) else None
    table = {
        name: {
            **frame_checks(
                pieces, known, train["frames"], train["key"] if known else None, bar=bar
            ),
            **(cadence_fractions(pieces, known) if known else {}),
        }
        for name, pieces in (("made", generated), ("held out", examples["frames"]))
        if any(map(any, pieces))
    }
    if ends and "made" in table:
        table["made"]["ended"] = sum(each["complete"] for each in answers) / count
    return table


def compare_tunes(
    texts: Mapping[str, Sequence[str]], requested: Examples, assets: Assets, splits: Splits | None
) -> Table:
    """Checks tunes against the requested type and key.

    Args:
      texts: name of a method to its tunes, whole ABC texts, one for each row of `requested`.
      requested: columns `type` and `key`.
      assets: those of the model; `meters` is of `recipes.music.codec.meters_of`.
      splits: the data that the model was trained on; None where it is unavailable.

    Returns:
      Each name to what `recipes.music.tune_checks.tune_checks` returns.
    """
    from recipes.music import abc
    from recipes.music.notation import parse_abc
    from recipes.music.tune_checks import tune_checks

    return {
        name: {
            **tune_checks(
                requested["type"],
                requested["key"],
                tunes,
                meters=assets["meters"],
                training=[abc.tokens(tune) for tune in splits.train["tune"]] if splits else (),
                training_types=splits.train["type"] if splits else (),
                other=parse_abc,
            )
        }
        for name, tunes in texts.items()
    }
