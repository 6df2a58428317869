"""Translates raw texts with an exported translator, without TensorFlow.

`reader.py` loads this file and uses its `Reader`. It only needs NumPy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from zoo.serving.portable.reader import Model, Unicode

PADDING, UNKNOWN, BEGIN, END = range(4)
RESERVED = 4  # ids below this are not pieces
SPACE = "▁"
FURTHER = 10  # added to the number of characters of a text in its novelty
IMPOSSIBLE = np.float32(-1e9)  # a log-probability
INCOMPLETE = np.float32(-1e6)  # added to the score of a translation without an end

Arrays = dict[str, np.ndarray]
Step = Callable[[np.ndarray, Arrays], tuple[np.ndarray, Arrays]]


class Source(NamedTuple):
    """The ids of a text, which end with `END` unless it was truncated, and its novelty."""

    ids: list[int]
    unknown_words: float
    novelty: float


class Reader:
    """Reads texts in the same way as the graph that the network was trained with.

    Args:
      rules: the result of `recipes.translating.portable.translation_rules`.
      unicode: the Unicode data of the same rules.
    """

    def __init__(self, rules: Mapping[str, Any], unicode: Unicode) -> None:
        self._rules, self._unicode = rules, unicode
        self._ids = {piece: number for number, piece in enumerate(rules["source"], RESERVED)}
        self._longest = max(map(len, rules["source"]))
        inside = {name: _ranges(rules[name]) for name in ("letters", "format", "space")}
        self._format = re.compile(f"[{inside['format']}]")
        self._space = re.compile(f"[{inside['space']}]+")
        self._word = re.compile(f"{SPACE}?(?:[{inside['letters']}]+['’]?|[^{SPACE}])")

    def __call__(self, text: str) -> list[int]:
        """Returns the ids of a text."""
        return self.read(text).ids

    def predict(
        self, model: Model, texts: Sequence[str], beam: int | None = None
    ) -> list[dict[str, object]]:
        """Returns the same outputs for each text as a SavedModel.

        These are `translation`; `score`; `complete`, False if the text or its translation was cut
        off; `unknown_words`, `novelty` and `unusual`.

        Args:
          model: has the parts `encode` and `step`.
          texts: raw texts.
          beam: beam size, 1 for greedy search; by default that of the model.
        """
        return [self._translate(model, text, beam or self._rules["beam"]) for text in texts]

    def _translate(self, model: Model, text: str, beam: int) -> dict[str, object]:
        read = self.read(text)
        pieces = sum(number != END for number in read.ids)
        found: list[int] = []
        score, complete = 0.0, True
        if pieces:
            encoded = model.part("encode").run(source=[read.ids])
            decoder = model.part("step")
            state = {name: np.repeat(value, beam, 0) for name, value in encoded.items()}

            def step(previous: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
                outputs = decoder.run(previous=previous, **state)
                logits = outputs.pop("logits")
                return logits, {**state, **outputs}  # inputs that are not outputs do not change

            limit, penalty = 2 * pieces + 10, self._rules["penalty"]
            found, score, complete = beam_search(step, state, limit, beam, penalty)
        numbers = {"novelty": read.novelty, "score": score, "unknown_words": read.unknown_words}
        unusual = any(
            numbers[name] > np.float32(limit)
            if kind == "high"
            else numbers[name] < np.float32(limit)
            for name, kind, limit in self._rules["unusual"]
            if limit is not None
        )
        answer: dict[str, object] = {
            "complete": complete and END in read.ids,
            "translation": self.join(found),
            "unusual": unusual,
            **numbers,
        }
        return dict(sorted(answer.items()))

    def read(self, text: str) -> Source:
        """Splits a text into pieces."""
        most = self._rules["max_pieces"]
        words, whole = self.split(text)
        words = words[: most + 1]  # a word has at least one piece
        cut = [self._cut(word) for word in words]
        ids = [number for pieces in cut for number in pieces]
        unknown = sum(len(pieces) != 1 or pieces == [UNKNOWN] for pieces in cut)
        size = np.float32(sum(map(len, words)) + FURTHER)
        ends = [END] if whole and len(ids) <= most else []
        return Source(
            ids[:most] + ends,
            float(np.float32(unknown) / np.float32(len(words) or 1)),
            float(np.float32(len(ids)) / size),
        )

    def split(self, text: str) -> tuple[list[str], bool]:
        """Returns the words and symbols of a text, and whether all of it was read.

        A word that follows a space begins with `▁`.
        """
        most = self._rules["max_bytes"]
        text = re.sub("[\ud800-\udfff]", "\ufffd", text)
        data = text.encode("utf-8")
        if len(data) > most:
            text = data[: max(most, 4)].decode("utf-8", "ignore")
        text = self._unicode.normalise(text).replace(SPACE, "_")
        text = self._space.sub(" ", self._format.sub("", text))
        text = self._unicode.lower(text).strip(" ")
        words = self._word.findall((SPACE + text).replace(" ", SPACE)) if text else []
        return words, len(data) <= most

    def _cut(self, word: str) -> list[int]:
        """Returns the ids of the longest matching pieces, from left to right."""
        most, start = self._rules["max_pieces"], 0
        found: list[int] = []
        word = word[: self._longest * (most + 1)]
        while start < len(word) and len(found) <= most:
            for end in range(min(start + self._longest, len(word)), start, -1):
                number = self._ids.get(word[start:end], UNKNOWN)
                if number != UNKNOWN:
                    break
            found.append(number)
            start = end
        return found

    def join(self, ids: Sequence[int]) -> str:
        """Converts ids to text; ids that are not pieces are omitted."""
        target = self._rules["target"]
        pieces = [target[number - RESERVED] for number in ids if number >= RESERVED]
        return "".join(pieces).replace(SPACE, " ").strip(" ")


def beam_search(
    step: Step, state: Arrays, limit: int, beam: int, penalty: float
) -> tuple[list[int], float, bool]:
    """Searches for the translation with the highest score, like `zoo.decoding.search.beam_search`.

    Args:
      step: takes the previous ids, int32 `(beam,)`, and the state; returns logits, float32
        `(beam, ids)`, and the next state.
      state: arrays `(beam, ...)` by name.
      limit: maximum number of ids, including the end; at least 1.
      beam: number of hypotheses.
      penalty: the score is the log-probability divided by the length to this power.

    Returns:
      The ids, without the end; the score; and whether it has an end.
    """
    total = np.full(beam, IMPOSSIBLE)
    total[0] = 0  # initially there is one hypothesis
    done, ids = np.zeros(beam, bool), np.zeros((beam, 0), np.int32)
    previous = np.full(beam, BEGIN, np.int32)
    for time in range(limit):
        logits, state = step(previous, state)
        logs = np.array(logits, np.float32)
        logs[:, [PADDING, UNKNOWN, BEGIN]] = IMPOSSIBLE
        logs -= logs.max(1, keepdims=True)
        logs -= np.log(np.exp(logs).sum(1, keepdims=True))
        # A finished hypothesis has one continuation: padding, with log-probability 0.
        logs[done] = IMPOSSIBLE
        logs[done, PADDING] = 0
        sums = total[:, np.newaxis] + logs
        lengths = np.where(done, np.count_nonzero(ids, axis=1), time + 1)
        scores = _score(sums, lengths[:, np.newaxis], penalty).ravel()
        best = np.argsort(-scores, kind="stable")[:beam]  # the first of equal ones
        total = sums.ravel()[best]
        parents, previous = (part.astype(np.int32) for part in np.divmod(best, logs.shape[1]))
        done = done[parents] | (previous == END)
        ids = np.concatenate([ids[parents], previous[:, np.newaxis]], axis=1)
        state = {name: value[parents] for name, value in state.items()}
        if done.all():
            break
    complete = (ids == END).any(1)
    scores = _score(total, np.count_nonzero(ids, axis=1), penalty)
    first = int(np.argmax(scores + np.where(complete, np.float32(0), INCOMPLETE)))
    found = [number for number in ids[first].tolist() if number not in (PADDING, END)]
    return found, float(scores[first]), bool(complete[first])


def _score(total: np.ndarray, lengths: np.ndarray, penalty: float) -> np.ndarray:
    return total / np.maximum(lengths, 1).astype(np.float32) ** np.float32(penalty)


def _ranges(flat: Sequence[int]) -> str:
    """Returns ranges of code points as the inside of a character class of a regular expression."""
    return "".join(rf"\U{a:08x}-\U{b:08x}" for a, b in zip(flat[::2], flat[1::2], strict=True))
