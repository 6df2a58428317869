"""Automatic checks of generated tunes: notation, metre, key, type."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from recipes.music import abc, modes
from recipes.music.frame_checks import repeated_fraction
from zoo.errors import ZooError


def tune_checks(
    types: Sequence[str],
    keys: Sequence[str],
    tunes: Sequence[str],
    *,
    meters: Mapping[str, Sequence[str]],
    training: Sequence[Sequence[str]] = (),
    training_types: Sequence[str] = (),
    other: Callable[[str], object] | None = None,
) -> dict[str, float]:
    """Checks tunes against their requested types and keys.

    Args:
      types, keys: the requested or actual type and key of each tune.
      tunes: whole tunes in the canonical form of ABC, with their fields.
      meters: of `meters_of`, of training tunes.
      training, training_types: tokens and types of the training tunes; without them, the checks
        that need them are omitted.
      other: another reader of ABC, which raises a `ZooError` for invalid text.

    Returns:
      A dict of fractions, from 0 to 1, that can be saved as JSON.
      `parses`: tunes that follow the grammar of `recipes.music.abc.bars` and have a metre; only
      these count below. `parses_elsewhere`: tunes that `other` reads, of all.
      `bars_full`: bars whose notes fill the metre (`recipes.music.abc.full_bars`); `all_bars_full`:
      tunes all of whose bars do; `last_bar_full`: tunes whose last bar does.
      `in_key`: notes in the scale of the key; `ends_on_tonic`: tunes whose last note is the
      key's first; `meter_fits`: tunes in a metre that fits the type; `type_follows`: tunes whose
      type is predicted correctly by a linear classifier of tokens and pairs of them, fitted to the
      training tunes.
      `repeated_bars`: bars that occurred before in the same tune.
      And, in tokens: `length`, the mean; `longest_overlap`, the mean of the longest run of a tune
      that also occurs, unchanged, in a training tune.

    Raises:
      ZooError: there are no tunes.
    """
    if not tunes:
        raise ZooError("There are no tunes to check; give at least one.")
    read = []
    for kind, key, text in zip(types, keys, tunes, strict=True):
        try:
            tokens = abc.tokens_of(text)
            read.append((kind, key, tokens, abc.bars(tokens), abc.meter_of(tokens)))
        except ZooError:
            continue
    read = [row for row in read if row[-1]]
    result = {"parses": len(read) / len(tunes)}
    if other is not None:
        result["parses_elsewhere"] = _fraction(_reads(other, text) for text in tunes)
    full = [abc.full_bars(bars, meter) for *_, bars, meter in read]
    notes = [abc.pitches(bars, key) for _, key, _, bars, _ in read]
    named = list(zip(notes, (key for _, key, *_ in read), strict=True))
    result |= {
        "bars_full": _fraction(is_full for tune in full for is_full in tune),
        "all_bars_full": _fraction(all(tune) for tune in full),
        "last_bar_full": _fraction(bool(tune) and tune[-1] for tune in full),
        "in_key": _fraction(note % 12 in modes.scale(key) for tune, key in named for note in tune),
        "ends_on_tonic": _fraction(
            bool(tune) and tune[-1] % 12 == modes.tonic(key) for tune, key in named
        ),
        "meter_fits": _fraction(meter in meters.get(kind, ()) for kind, *_, meter in read),
        "repeated_bars": _nan_to_zero(
            repeated_fraction([bar.notes for bar in bars] for *_, bars, _ in read)
        ),
        "length": _mean([len(tokens) for _, _, tokens, *_ in read]),
    }
    if training:
        from zoo.metrics.overlap import longest_overlaps

        sequences = [tokens for _, _, tokens, *_ in read]
        predicted = _classified(sequences, training, training_types) if sequences else []
        result["type_follows"] = _fraction(
            kind == row[0] for kind, row in zip(predicted, read, strict=True)
        )
        result["longest_overlap"] = _mean(
            longest_overlaps(sequences, training) if sequences else []
        )
    return result


def spread(rows: int, count: int) -> list[int]:
    """Returns `count` row numbers, at most `rows`, at equal distances."""
    count = min(rows, count)
    return [row * rows // count for row in range(count)]


def _reads(other: Callable[[str], object], text: str) -> bool:
    try:
        other(text)
    except ZooError:
        return False
    return True


def _fraction(values: Iterable[bool]) -> float:
    return _mean([float(value) for value in values])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _nan_to_zero(value: float) -> float:
    # JSON has no NaN; an empty count gives 0.
    return 0.0 if math.isnan(value) else value


def _classified(
    tunes: Sequence[Sequence[str]], training: Sequence[Sequence[str]], types: Sequence[str]
) -> list[str]:
    """Returns the type of each tune as predicted by a linear classifier of pairs of tokens."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    def grams(tokens: Sequence[str]) -> list[tuple[str, ...]]:
        return [(token,) for token in tokens] + list(itertools.pairwise(tokens))

    features = TfidfVectorizer(analyzer=grams, sublinear_tf=True)
    model = LinearSVC(dual=True, random_state=0).fit(features.fit_transform(training), list(types))
    return model.predict(features.transform(tunes)).tolist()
