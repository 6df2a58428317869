"""What can be checked in tunes that a model has made, with no ear: notation, metre, key, type."""

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
    """Checks tunes against what was asked for.

    Args:
      types, keys: what each tune was asked to be, or is.
      tunes: whole tunes in the canonical form of ABC, with their fields.
      meters: of `meters_of`, of training tunes.
      training, training_types: tokens and types of the training tunes; without them what they
        are needed for is left out.
      other: another reader of ABC, which raises a `ZooError` for what it cannot read.

    Returns:
      A dict of shares, from 0 to 1, that JSON can hold.
      `parses`: tunes that follow the grammar of `recipes.music.abc.bars`, and say their metre; only
      these count below. `parses_elsewhere`: tunes that `other` reads, of all.
      `bars_full`: bars whose notes fill the metre (`recipes.music.abc.full_bars`); `all_bars_full`:
      tunes all of whose bars do.
      `in_key`: notes in the scale of the key; `ends_on_tonic`: tunes whose last note is the
      key's first; `meter_fits`: tunes in a metre that fits the type; `type_follows`: tunes that a
      linear classifier of tokens and pairs of them, fitted to the training tunes, takes for the
      type.
      `repeated_bars`: bars that were there before in the same tune.
      And, in tokens: `length`, the mean; `longest_overlap`, the mean of the longest run of a tune
      that is in a training tune too, letter for letter.

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
        result["parses_elsewhere"] = _share(_reads(other, text) for text in tunes)
    full = [abc.full_bars(bars, meter) for *_, bars, meter in read]
    notes = [abc.pitches(bars, key) for _, key, _, bars, _ in read]
    named = list(zip(notes, (key for _, key, *_ in read), strict=True))
    result |= {
        "bars_full": _share(right for tune in full for right in tune),
        "all_bars_full": _share(all(tune) for tune in full),
        "in_key": _share(note % 12 in modes.scale(key) for tune, key in named for note in tune),
        "ends_on_tonic": _share(
            bool(tune) and tune[-1] % 12 == modes.tonic(key) for tune, key in named
        ),
        "meter_fits": _share(meter in meters.get(kind, ()) for kind, *_, meter in read),
        "repeated_bars": _zero(
            repeated_fraction([bar.notes for bar in bars] for *_, bars, _ in read)
        ),
        "length": _mean([len(tokens) for _, _, tokens, *_ in read]),
    }
    if training:
        from zoo.metrics.overlap import longest_overlaps

        made = [tokens for _, _, tokens, *_ in read]
        told = _classified(made, training, training_types) if made else []
        result["type_follows"] = _share(
            kind == row[0] for kind, row in zip(told, read, strict=True)
        )
        result["longest_overlap"] = _mean(longest_overlaps(made, training) if made else [])
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


def _share(found: Iterable[bool]) -> float:
    return _mean([float(each) for each in found])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _zero(share: float) -> float:
    # JSON has no NaN; where nothing can be counted, nothing is right.
    return 0.0 if math.isnan(share) else share


def _classified(
    tunes: Sequence[Sequence[str]], training: Sequence[Sequence[str]], types: Sequence[str]
) -> list[str]:
    """Returns the type that a linear classifier of pairs of tokens takes each tune for."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    def grams(tokens: Sequence[str]) -> list[tuple[str, ...]]:
        return [(token,) for token in tokens] + list(itertools.pairwise(tokens))

    features = TfidfVectorizer(analyzer=grams, sublinear_tf=True)
    model = LinearSVC(random_state=0).fit(features.fit_transform(training), list(types))
    return model.predict(features.transform(tunes)).tolist()
