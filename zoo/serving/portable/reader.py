"""Runs an exported model without TensorFlow: with NumPy, and onnxruntime or ai-edge-litert.

    model = load("folder")                       # or a file: model.onnx, model.tflite
    model.predict(["What a film!"])              # for models that read text
    model.run(ids=[[4, 17, 2]])                  # the network itself: arrays by name

From a shell: `python reader.py folder "What a film!"`.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ASCII_SIGN = re.compile(r"([^a-z0-9\s'])")  # of text in lower case
NOT_ASCII = re.compile("[\0-\x7f]?[^\0-\x7f]+")  # with the character before, which may take marks
MARKUP = re.compile(r"</?[a-z][^<>]*>")


def beside(kind: str) -> Any:
    """Returns the module KIND.py in the folder of this file; None if there is none.

    It is never loaded from the folder of the model, which may be untrusted.
    """
    path = Path(__file__).with_name(f"{kind}.py")
    if not path.exists():
        return None
    spec = importlib.util.spec_from_file_location(kind, path)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def load(path: str | Path, threads: int = 1, find: Callable[[str], Any] = beside) -> Model:
    """Returns the model of a file or folder; of the newest version if the folder has several.

    `find` returns the module that reads a kind of text which this file does not support.
    """
    place = Path(path)
    versions = [p for p in place.glob("*") if p.name.isdecimal()] if place.is_dir() else []
    place = max(versions, key=lambda p: int(p.name)) if versions else place
    if place.is_dir():
        files = [place / f"model.{kind}" for kind in ("onnx", "tflite")]
        place = next((each for each in files if each.exists()), files[0])
    if not place.is_file():
        raise FileNotFoundError(f"There is no exported model at {path}.")
    return Model(place, threads, find)


class Model:
    """A network with its text preprocessing."""

    def __init__(self, path: Path, threads: int = 1, find: Callable[[str], Any] = beside) -> None:
        engine = _Onnx if path.suffix == ".onnx" else _Litert
        self._path, self._threads = path, threads
        self._parts: dict[str, Model] = {}
        self._engine = engine(path, threads)
        described = path.with_name("model.json")
        stored = described.read_text("utf-8") if described.exists() else self._engine.metadata()
        self.about = json.loads(stored)
        self._names = self.about if path.stem == "model" else self.about[path.stem]
        self.labels = self.about["labels"]
        self.encode = encoder(self.about["tokenizer"], find)

    def run(self, **inputs: Any) -> dict[str, np.ndarray]:
        """Returns the outputs of the network by name; inputs are arrays, one row per example."""
        return self._engine.run(inputs, self._names["inputs"], self._names["outputs"])

    def part(self, name: str) -> Model:
        """Returns another network of the folder, such as `step`; loaded once."""
        if name not in self._parts:
            path = self._path.with_name(name + self._path.suffix)
            self._parts[name] = Model(path, self._threads, lambda kind: None)
        return self._parts[name]

    def predict(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Returns a dict for each text: label, score, probabilities; or the network's output.

        If the file has a limit for unusual texts, each dict also has `unusual`, `unknown_words`,
        the share of out-of-vocabulary words, and `novelty`, the value compared with the limit.
        If a module of the recipe reads the texts, that module defines the result.
        """
        if self.encode is None:
            rules = self.about["tokenizer"]
            lacking = f": {rules['kind']}.py is not beside reader.py" if rules else ""
            raise ValueError(f"This model does not read text{lacking}. Call run() with its arrays.")
        if isinstance(texts, str | bytes):
            raise TypeError("predict takes a list of texts, not one text: predict([text]).")
        if not texts:
            return []
        if not isinstance(self.encode, Words | Characters):
            return self.encode.predict(self, texts)
        rows = [self.encode(text) for text in texts]
        ids = np.zeros((len(rows), max(map(len, rows))), np.int32)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
        (output,) = self.run(**{self.about["inputs"][0]: ids}).values()
        if self.labels is None:
            return [{"output": row[: len(ids)]} for row, ids in zip(output, rows, strict=True)]
        return [
            {
                "label": self.labels[int(row.argmax())],
                "score": float(row.max()),
                "probabilities": dict(zip(self.labels, row.tolist(), strict=True)),
                **self.novelty(sum(number == 1 for number in ids), len(ids)),
            }
            for row, ids in zip(output, rows, strict=True)
        ]

    def novelty(self, unknown: int, words: int) -> dict[str, Any]:
        """Returns the novelty outputs of a text from its counts of unknown and of all words."""
        rule = self.about.get("novelty")
        if not rule:
            return {}
        novelty = float(np.float32(unknown) / np.float32(words + rule["further"]))
        share = float(np.float32(unknown) / np.float32(words or 1))
        return {
            "unknown_words": share,
            "novelty": novelty,
            "unusual": novelty > float(np.float32(rule["limit"])),
        }


class _Onnx:
    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        kinds = {each.name: each.type[7:-1] for each in self._session.get_inputs()}
        # "float" is from "tensor(float)"; the other types have NumPy's names.
        self._types = {n: "float32" if kind == "float" else kind for n, kind in kinds.items()}

    def metadata(self) -> str:
        return self._session.get_modelmeta().custom_metadata_map["rnn-zoo"]

    def run(
        self, inputs: Mapping[str, Any], _: Sequence[str], outputs: Sequence[str]
    ) -> dict[str, np.ndarray]:
        given = {name: np.asarray(value, self._types[name]) for name, value in inputs.items()}
        # In ONNX files, an output cannot have the name of an input.
        names = [f"next_{name}" if name in self._types else name for name in outputs]
        return dict(zip(outputs, self._session.run(names, given), strict=True))


class _Litert:
    """Runs one row at a time, because the batch size of the file is 1."""

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._net = Interpreter(str(path), num_threads=threads)
        self._path = path

    def metadata(self) -> str:
        raise FileNotFoundError(f"model.json is not beside {self._path.name}. Copy it there.")

    def run(
        self, inputs: Mapping[str, Any], order: Sequence[str], outputs: Sequence[str]
    ) -> dict[str, np.ndarray]:
        given = self._net.get_input_details()
        values = [
            np.asarray(inputs[name], detail["dtype"])
            for name, detail in zip(order, given, strict=True)
        ]
        rows = [self._row([value[i : i + 1] for value in values]) for i in range(len(values[0]))]
        return {
            name: np.concatenate(parts)
            for name, parts in zip(outputs, zip(*rows, strict=True), strict=True)
        }

    def _row(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        net = self._net
        given = net.get_input_details()
        for detail, value in zip(given, values, strict=True):
            if tuple(detail["shape"]) != value.shape:
                net.resize_tensor_input(detail["index"], value.shape)
        net.allocate_tensors()
        for detail, value in zip(given, values, strict=True):
            net.set_tensor(detail["index"], value)
        net.invoke()
        return [np.array(net.get_tensor(each["index"])) for each in net.get_output_details()]


def encoder(rules: dict[str, Any] | None, find: Callable[[str], Any] = beside) -> Any:
    """Returns the function from a text to its ids; None for models that do not read text.

    For a kind that is not in `KINDS`, this is the `Reader` of the module that `find` returns. It is
    called like the others; its `predict` takes a `Model` and texts.
    """
    if rules is None:
        return None
    if rules["kind"] in KINDS:
        return KINDS[rules["kind"]](rules)
    module = find(rules["kind"])
    return module and module.Reader(rules, Unicode(rules))


class Characters:
    """Converts characters to ids; unknown characters are omitted."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self._ids = {symbol: number for number, symbol in enumerate(rules["symbols"], 1)}
        self._before = rules["before"]

    def __call__(self, text: str) -> list[int]:
        ids = self._ids
        return [ids[c] for c in self._before + text if c in ids]


class Words:
    """Converts text to word ids, by the same rules as the graph used in training."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self._rules = rules
        self._ids = {word: number for number, word in enumerate(rules["vocabulary"], 2)}
        self._made: Unicode | None = None

    def __call__(self, text: str) -> list[int]:
        ids = self._ids
        words = self.split(text)
        most = self._rules["max_words"]
        if len(words) > most:
            words = words[: most // 4] + words[len(words) - most + most // 4 :]
        return [ids.get(word, 1) for word in words] or [1]

    def split(self, text: str) -> list[str]:
        """Returns the words and symbols of a text, in lower case."""
        text = re.sub("[\ud800-\udfff]", "\ufffd", text)
        most = self._rules["max_bytes"]
        if len(text) * 4 > most:
            data = text.encode("utf-8")
            if len(data) > most:
                start = data[: max(most // 4, 4)].decode("utf-8", "ignore")
                text = start + " " + data[most // 4 - most :].decode("utf-8", "replace")
        if text.isascii():
            text = re.sub("[\0-\x1f\x7f]", " ", text).lower()
            text = ASCII_SIGN.sub(r" \1 ", MARKUP.sub(" ", text) if "<" in text else text)
            return text.split()
        made = self._made = self._made or Unicode(self._rules)
        text = MARKUP.sub(" ", made.lower(made.space.sub(" ", made.normalise(text))))
        return [word for word in made.sign.sub(r" \1 ", text).split(" ") if word]


KINDS = {"words": Words, "characters": Characters}


class Unicode:
    """The rules for non-ASCII characters, from the file."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self._rules = rules
        self.space = re.compile(f"[{_ranges(rules['space'])}]+")
        # Fast checks come first: most characters are ASCII.
        letter, mark = _ranges(rules["letter"]), _ranges(rules["mark"])
        self.sign = re.compile(f"([!-&(-/:-@[-`{{-~]|(?![\0-\x7f])[^{letter}{mark} '])")
        self._lower = {code: "".join(map(chr, new)) for code, *new in rules["lower"]}
        cased, ignorable = _ranges(rules["cased"]), _ranges(rules["ignorable"])
        self._sigma = re.compile(f"(?<=[{cased}])([{ignorable}]*)Σ(?![{ignorable}]*[{cased}])")
        if "marks" not in rules:
            return
        self._seen = dict.fromkeys(_each(rules["invisible"]))
        self._seen.update(dict.fromkeys(_each(rules["parting"]), " "))
        quotes = "".join(map(chr, rules["apostrophes"]))
        self._inside = re.compile(f"[{quotes}](?<=[{letter}{mark}].)(?=[{letter}])")
        self._composed = {code: parts for code, *parts in rules["composed"]}
        self._marks = dict(rules["marks"])
        self._pairs = {(one, two): code for one, two, code in rules["pairs"]}

    def lower(self, text: str) -> str:
        if "Σ" in text:
            text = self._sigma.sub(r"\1ς", text)
        return text.translate(self._lower)

    def normalise(self, text: str) -> str:
        if "marks" not in self._rules:
            return text
        text = text.translate(self._seen)
        return self._inside.sub("'", NOT_ASCII.sub(lambda found: self.compose(found[0]), text))

    def compose(self, text: str) -> str:
        """Returns the Unicode normal form C: decomposes characters, sorts marks, composes."""
        parts: list[int] = []
        marks = self._marks
        for code in map(ord, text):
            parts += self._composed.get(code, (code,)) if code > 127 else (code,)
        for end in range(1, len(parts)):  # stable sort of a letter's marks by class
            kind = marks.get(parts[end], 0)
            while kind and end and marks.get(parts[end - 1], 0) > kind:
                parts[end - 1 : end + 1] = parts[end], parts[end - 1]
                end -= 1
        done: list[int] = []
        letter, last = -1, 0
        for code in parts:
            kind = marks.get(code, 0)
            if letter >= 0 and (letter == len(done) - 1 or last < kind):
                together = self._pair(done[letter], code)
                if together is not None:
                    done[letter] = together
                    continue
            letter = len(done) if kind == 0 else letter
            last = kind
            done.append(code)
        return "".join(map(chr, done))

    def _pair(self, one: int, two: int) -> int | None:
        if 0x1100 <= one < 0x1113 and 0x1161 <= two < 0x1176:  # Korean
            return 0xAC00 + ((one - 0x1100) * 21 + two - 0x1161) * 28
        if 0xAC00 <= one < 0xD7A4 and (one - 0xAC00) % 28 == 0 and 0x11A7 < two < 0x11C3:
            return one + two - 0x11A7
        return self._pairs.get((one, two))


def _each(ranges: Sequence[int]) -> Iterator[int]:
    return (c for a, b in zip(ranges[::2], ranges[1::2], strict=True) for c in range(a, b + 1))


def _ranges(ranges: Sequence[int]) -> str:
    """Returns the content of a character class of a regular expression."""
    return "".join(rf"\U{a:08x}-\U{b:08x}" for a, b in zip(ranges[::2], ranges[1::2], strict=True))


if __name__ == "__main__":
    for answer in load(sys.argv[1]).predict(sys.argv[2:]):
        print(json.dumps(answer, default=lambda value: value.tolist()))
