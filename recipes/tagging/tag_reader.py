"""Tags raw texts and finds entities with an exported tagger, without TensorFlow.

`reader.py` loads this file and calls its `Reader`. It only needs NumPy.

Texts are tokenised as by `recipes.tagging.tokens.tokenise`, whose regular expressions insert marks
at token boundaries. Here these marks are counted: `cuts[i]` is their number before character i.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np

if TYPE_CHECKING:
    from zoo.serving.portable.reader import Model, Unicode

# The character classes of the rules, one bit each.
CLASSES = ("letter", "number", "mark", "format", "space", "cjk", "upper", "lower", "punctuation")
LETTER, NUMBER, MARK, FORMAT, SPACE, CJK, UPPER, LOWER, PUNCTUATION = (1 << n for n in range(9))
WORD = LETTER | NUMBER | MARK | FORMAT  # characters of words
ENDINGS = ("s", "re", "ve", "ll", "d", "m")  # after an apostrophe: they 're
QUOTES = "'’"
TOGETHER = 64  # windows computed together

UNKNOWN = 1  # word id
NO_CHARACTER, UNKNOWN_CHARACTER, EDGE = 1, 2, 3
FORBIDDEN = np.float32(-1e4)  # added to the score of an illegal transition


class Token(NamedTuple):
    """A token of a text, with its start and end (exclusive), in characters."""

    text: str
    start: int
    end: int


class Entity(TypedDict):
    """A named entity in a text.

    Attributes:
      start, end: its position (`end` is exclusive), in characters.
      label: its class.
      text: its text.
      score: the lowest of its tokens' probabilities.
    """

    start: int
    end: int
    label: str
    text: str
    score: float


class Reader:
    """Reads texts as the TensorFlow graph does with which the network was trained.

    Args:
      rules: from `recipes.tagging.portable.tag_rules`.
      unicode: Unicode functions that follow the same rules.
    """

    def __init__(self, rules: Mapping[str, Any], unicode: Unicode) -> None:
        self._rules, self._unicode = rules, unicode
        self._ids = {word: number for number, word in enumerate(rules["words"], 2)}
        self._letters = {letter: number for number, letter in enumerate(rules["characters"], 4)}
        self._classes = [rules["classes"][name] for name in CLASSES]
        self._kinds: dict[str, int] = {}  # cache of the characters seen so far
        self._unseen = [rules.get(name, []) for name in ("parting", "invisible")]
        follows = np.array(rules["follows"], bool)
        first = np.broadcast_to(np.array(rules["first"], bool), follows.shape)
        nothing = np.float32(0)
        self._later, self._first = (np.where(each, nothing, FORBIDDEN) for each in (follows, first))
        self._names = list(dict.fromkeys(rules["bio"]))  # BIO tags
        self._number = np.array([self._names.index(tag) for tag in rules["bio"]])

    def __call__(self, text: str) -> dict[str, np.ndarray]:
        """Returns the network's inputs for the windows of a text, by name."""
        return self.inputs(self._windows(self.tokens(text)[0]) or [[Token("", 0, 0)]])

    def predict(self, model: Model, texts: Sequence[str]) -> list[dict[str, object]]:
        """Returns the outputs of the SavedModel for each text, and its entities.

        These are `tokens`; `start` and `end` of each, in characters; `tags`, BIO; `scores`, the
        probability of each tag; `complete`, False if the end of a long text was not read; and
        `entities`: dicts of `start`, `end`, `label`, `text` and `score`.
        """
        split = [self.tokens(text) for text in texts]
        windows = [window for tokens, _ in split for window in self._windows(tokens)]
        tagged: dict[int, tuple[list[str], list[float], int]] = {}
        order = sorted(range(len(windows)), key=lambda place: len(windows[place]))
        for at in range(0, len(order), TOGETHER):
            places = order[at : at + TOGETHER]
            tagged.update(zip(places, self._tag(model, [windows[p] for p in places]), strict=True))
        found = iter(tagged[place] for place in range(len(windows)))
        return [
            self._answer(model, text, tokens, whole, found)
            for text, (tokens, whole) in zip(texts, split, strict=True)
        ]

    def _answer(
        self, model: Model, text: str, tokens: list[Token], whole: bool, found: Iterator
    ) -> dict[str, object]:
        parts = [next(found) for _ in self._windows(tokens)]
        unknown = sum(number for *_, number in parts)
        answer = {
            "complete": whole,
            "tokens": [token.text for token in tokens],
            "start": [token.start for token in tokens],
            "end": [token.end for token in tokens],
            "tags": [tag for tags, *_ in parts for tag in tags],
            "scores": [score for _, scores, _ in parts for score in scores],
            **model.novelty(unknown, len(tokens)),
        }
        return {**dict(sorted(answer.items())), "entities": entities_of(text, answer)}

    def _windows(self, tokens: Sequence[Token]) -> list[Sequence[Token]]:
        size = self._rules["window"]
        return [tokens[at : at + size] for at in range(0, len(tokens), size)]

    def _tag(
        self, model: Model, windows: Sequence[Sequence[Token]]
    ) -> list[tuple[list[str], list[float], int]]:
        """Returns the tags of each window, their probabilities, and the number of unknown words."""
        inputs = self.inputs(windows)
        words = inputs["words"]
        (output,) = model.run(**inputs).values()
        best, probabilities = self.decode(output[:, : words.shape[1]], words > 0)
        unknown = (words == UNKNOWN) | (words >= self._rules["common"] + 2)
        return [
            (
                [self._names[number] for number in best[row, : len(window)]],
                probabilities[row, range(len(window)), best[row, : len(window)]].tolist(),
                int(unknown[row, : len(window)].sum()),
            )
            for row, window in enumerate(windows)
        ]

    def tokens(self, text: str) -> tuple[list[Token], bool]:
        """Returns the tokens of a text, up to the limits, and whether they cover all of it."""
        rules = self._rules
        text = re.sub("[\ud800-\udfff]", "\ufffd", text)
        data = text.encode("utf-8") if 4 * len(text) > rules["max_bytes"] else b""
        if len(data) > rules["max_bytes"]:
            text = data[: max(rules["max_bytes"], 4)].decode("utf-8", "ignore")
        found = [Token(text[start:end], start, end) for start, end in self.split(text)]
        if "parting" in rules:
            found = [token for token in found if not all(map(self._is_unseen, token.text))]
        whole = len(data) <= rules["max_bytes"] and len(found) <= rules["max_words"]
        return found[: rules["max_words"]], whole

    def split(self, text: str) -> list[tuple[int, int]]:
        """Returns the start and end of each token."""
        size = len(text)
        kinds = [self._kind(character) for character in text]
        cuts = [0] * (size + 1)
        # Each symbol and each Chinese or Japanese character is a token, together with its marks.
        for opens in ([not kind & (WORD | SPACE) for kind in kinds], [k & CJK for k in kinds]):
            end = 0
            for start in (place for place, found in enumerate(opens) if found):
                if start < end:
                    continue
                end = start + 1
                while end < size and kinds[end] & (MARK | FORMAT):
                    end += 1
                cuts[start] += 1
                cuts[end] += 1
        if any(cuts):
            self._join(text, kinds, cuts)
        found, start = [], -1
        for place, kind in enumerate(kinds):
            if start >= 0 and (kind & SPACE or cuts[place]):
                found.append((start, place))
                start = -1
            if start < 0 and not kind & SPACE:
                start = place
        return [*found, (start, size)] if start >= 0 else found

    def _join(self, text: str, kinds: Sequence[int], cuts: list[int]) -> None:
        """Removes cuts inside tokens, and adds the cuts of contractions."""
        for run in ("...", "--"):
            size, at = len(run), text.find(run)
            while at >= 0:
                fits = cuts[at] and cuts[at + size] and set(cuts[at + 1 : at + size]) == {2}
                if fits:
                    cuts[at + 1 : at + size] = [0] * (size - 1)
                at = text.find(run, at + (size if fits else 1))
        signs = [at for at, kind in enumerate(kinds) if not kind & (WORD | SPACE)]
        for kind, inside in ((NUMBER, ".,:/"), (WORD, "'’.&@_-")):  # 1,000 and O'Brien
            for at in signs:
                between = 0 < at < len(text) - 1 and kinds[at - 1] & kind and kinds[at + 1] & kind
                if between and text[at] in inside and cuts[at] and cuts[at + 1]:
                    cuts[at] = cuts[at + 1] = 0
        for at in signs:  # U.S.  J.  St.
            if text[at] == "." and cuts[at] == 1 and cuts[at + 1]:
                start = at
                while start and not kinds[start - 1] & SPACE and (start == at or not cuts[start]):
                    start -= 1
                whole, parts = text[start:at], kinds[start:at]
                if whole in self._rules["titles"] or self._is_initials(whole, parts):
                    cuts[at] = 0
        for at in signs:  # @name  #topic
            begins = not at or kinds[at - 1] & SPACE or cuts[at]
            goes_on = at + 1 < len(text) and kinds[at + 1] & WORD and cuts[at + 1] == 1
            if text[at] in "@#" and begins and goes_on:
                cuts[at + 1] = 0

        def ends(place: int) -> bool:
            return place == len(text) or bool(kinds[place] & SPACE or cuts[place])

        for at in signs:  # they 're
            for ending in ENDINGS if text[at] in QUOTES else ():
                after = at + 1 + len(ending)
                if _plain(text[at + 1 : after]) == ending and ends(after):
                    cuts[at] += 1
                    cuts[at + 1] = 0
        for at in signs:  # did n't
            both = text[at] in QUOTES and _plain(text[max(at - 1, 0) : at + 2])[::2] == "nt"
            if both and not cuts[at] and not cuts[at + 1] and ends(at + 2):
                cuts[at - 1] += 1

    @staticmethod
    def _is_initials(text: str, kinds: Sequence[int]) -> bool:
        """Returns whether a text consists of letters separated by full stops."""
        letters = all(kind & LETTER for kind in kinds[::2])
        return len(text) % 2 == 1 and letters and set(text[1::2]) <= {"."}

    def _kind(self, character: str) -> int:
        """Returns the classes of a character, one bit each."""
        found = self._kinds.get(character)
        if found is None:
            code = ord(character)
            found = sum(1 << bit for bit, flat in enumerate(self._classes) if _within(code, flat))
            # A space gets no other class; U+200B, for example, would also be "format".
            found = self._kinds[character] = SPACE if found & SPACE else found
        return found

    def _is_unseen(self, character: str) -> bool:
        return any(_within(ord(character), flat) for flat in self._unseen)

    def clean(self, token: str) -> str:
        """Normalises a token if the model was trained with normalisation."""
        if "marks" not in self._rules or token.isascii():
            return token
        seen = "".join(character for character in token if not self._is_unseen(character))
        composed = self._unicode.compose(seen)
        return composed.translate(dict.fromkeys(self._rules["apostrophes"], "'"))

    def inputs(self, windows: Sequence[Sequence[Token]]) -> dict[str, np.ndarray]:
        """Returns the network's inputs: int32 arrays by name, one row per window, 0 at padding."""
        size = self._rules["max_characters"]
        shape = len(windows), max(1, *map(len, windows))
        words, casing = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        characters = np.zeros((*shape, size), np.int32)
        for row, window in enumerate(windows):
            for place, token in enumerate(window):
                text = self.clean(token.text)
                lower = self._unicode.lower(text)
                shaped = self._ids.get(re.sub("[0-9]", "0", lower), UNKNOWN)
                words[row, place] = self._ids.get(lower, shaped)
                casing[row, place] = self._casing(text)
                head = (size - 2) // 2
                kept = text if len(text) <= size - 2 else text[:head] + text[head + 2 - size :]
                spelt = [self._letters.get(letter, UNKNOWN_CHARACTER) for letter in kept]
                characters[row, place] = NO_CHARACTER
                characters[row, place, : len(kept) + 2] = [EDGE, *spelt, EDGE]
        return {"words": words, "characters": characters, "casing": casing}

    def _casing(self, token: str) -> int:
        """Returns the number of the first of `recipes.tagging.tokens.CASINGS` that matches."""
        kinds = [self._kind(character) for character in token]
        digits = [character in "0123456789" for character in token]
        if not any(kind & LETTER for kind in kinds):
            return (1 if all(digits) else 2) if any(digits) else 3
        upper = bool(kinds[0] & UPPER)
        if all(kind & LOWER for kind in kinds):
            return 4
        if upper and all(kind & LOWER for kind in kinds[1:]):
            return 6 if len(kinds) > 1 else 5
        if all(kind & (UPPER | MARK) for kind in kinds):
            return 7
        if all(kind & (UPPER | NUMBER | PUNCTUATION) for kind in kinds):
            return 8
        return 9 if upper else 11 if any(kind & UPPER for kind in kinds) else 10

    def decode(self, output: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the best legal tag sequence (Viterbi) and the probability of each tag.

        Args:
          output: the network's output: float32 `(windows, time, tags)`, probabilities; or
            `(windows, time, tags, tags)`, scores of a tag (last axis) after another one.
          real: bool `(windows, time)`: steps that are not padding.

        Returns:
          Indices of BIO tags, `(windows, time)`, and the probability of each tag at each step,
          float32 `(windows, time, BIO tags)`; both undefined at padding.
        """
        scores = np.asarray(output, np.float32)
        if scores.ndim == 3:
            scores = np.log(np.maximum(scores, np.float32(1e-30)))[:, :, None, :]
        legal = np.repeat(self._later[np.newaxis], scores.shape[1], axis=0)
        legal[0] = self._first
        scores = scores + legal
        stay = np.where(np.eye(scores.shape[-1], dtype=bool), np.float32(0), FORBIDDEN)
        scores = np.where(real[:, :, None, None], scores, stay)
        steps = scores.transpose(1, 0, 2, 3)  # (time, windows, tags, tags)
        before = np.zeros_like(steps[0, :, 0])
        inside = before - np.float32(np.log(before.shape[-1]))
        origins, alphas, betas = [], [], []
        for score in steps:
            ways = before[:, :, None] + score
            origins.append(ways.argmax(1))
            new = ways.max(1)
            before = new - new.max(-1, keepdims=True)
            new = _logsumexp(inside[:, :, None] + score, 1)
            inside = new - _logsumexp(new, -1)[:, None]
            alphas.append(inside)
        tag, after = before.argmax(-1), np.zeros_like(before)
        tags = []
        for score, origin in zip(steps[::-1], origins[::-1], strict=True):
            tags.append(tag)
            betas.append(after)
            tag = np.take_along_axis(origin, tag[:, None], 1)[:, 0]
            new = _logsumexp(score + after[:, None, :], 2)
            after = new - new.max(-1, keepdims=True)
        total = np.array(alphas) + np.array(betas[::-1])
        total = np.exp(total - total.max(-1, keepdims=True))
        total = (total / total.sum(-1, keepdims=True)).transpose(1, 0, 2)
        one_hot = np.eye(len(self._names), dtype=np.float32)[self._number]
        return self._number[np.array(tags[::-1]).T], total @ one_hot


def entities(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Returns (first token, token after the last, class) of each entity, in order.

    As in `conlleval`, an `I-X` that does not continue an entity of class X begins one.

    Args:
      tags: `"O"`, `"B-X"` or `"I-X"` for each token.
    """
    found = []
    start, kind = 0, ""  # of the current entity, if `kind` is not empty
    for position, tag in enumerate([*tags, "O"]):
        prefix, _, name = tag.partition("-")
        if kind and (prefix != "I" or name != kind):
            found.append((start, position, kind))
            kind = ""
        if prefix != "O" and not kind:
            start, kind = position, name
    return found


def entities_of(text: str, answer: Mapping[str, Any]) -> list[Entity]:
    """Returns the entities of a tagged text, in order.

    Args:
      text: the tagged text.
      answer: `tags` (BIO), `scores`, `start` and `end` of its tokens, the last two in characters.

    Returns:
      A dict for each entity.
    """
    found: list[Entity] = []
    for first, after, label in entities(answer["tags"]):
        start, end = answer["start"][first], answer["end"][after - 1]
        found.append(
            {
                "start": start,
                "end": end,
                "label": label,
                "text": text[start:end],
                "score": min(answer["scores"][first:after]),
            }
        )
    return found


def _within(code: int, flat: Sequence[int]) -> bool:
    """Returns whether a code point is in sorted ranges: first, last, first, last, …"""
    place = bisect.bisect_right(flat, code)
    return place % 2 == 1 or (place > 0 and flat[place - 1] == code)


def _plain(text: str) -> str:
    """Returns a text in lower case, with ſ as s, as in case-insensitive regular expressions."""
    return text.lower().replace("ſ", "s")


def _logsumexp(values: np.ndarray, axis: int) -> np.ndarray:
    most = values.max(axis, keepdims=True)
    return np.squeeze(np.log(np.exp(values - most).sum(axis, keepdims=True)) + most, axis)
