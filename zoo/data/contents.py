"""Reads the bytes and the text of custom files, compressed or not, in any usual encoding.

`ZOO_MAX_UNPACKED` is the maximum number of unpacked bytes of a compressed file (1e9).

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from zoo import files
from zoo.data.encodings import decode
from zoo.data.reading import Reading
from zoo.data.split_names import split_of
from zoo.errors import UsageError, ZooError, shortened

MAX_UNPACKED = 1e9  # unpacked bytes of a compressed file
PACKED = (".gz", ".zip")
FASTTEXT = "__label__"  # before a label


def read_text(path: Path, reading: Reading | None = None) -> str:
    """Returns the text of a file, unpacked and decoded; line ends are unchanged.

    Args:
      path: the file; gzip and zip are recognised by the content, not by the name.
      reading: the options; receives a note if the encoding is not UTF-8.

    Raises:
      UsageError: no such file; `ZOO_MAX_UNPACKED` is not a number; or the encoding cannot be
        detected (the message names the option to set it).
      ZooError: the file cannot be read, is empty, or is not text.
    """
    return text_of(path, read_bytes(path), reading or Reading())


def text_of(path: Path, data: bytes, reading: Reading) -> str:
    """Returns the text of a file from its unpacked bytes; see `read_text`.

    Raises:
      UsageError, ZooError: as `read_text`.
    """
    text, encoding = decode(data, str(path), reading.options)
    if not text.strip():
        raise ZooError(f"{path} is empty.")
    if encoding != "utf-8":
        reading.found(path, f"encoding {encoding}")
    return text


def read_texts(paths: Sequence[Path], reading: Reading) -> list[str]:
    """Returns the texts of many small files that share one encoding, detected from all of them.

    Raises:
      UsageError, ZooError: as `read_text`; empty files give empty texts.
    """
    data = [read_bytes(path) for path in paths]
    where = str(paths[0].parent.parent) if paths else ""
    odd = [content for content in data if not _is_plain(content)]
    if not odd:
        return [content.decode("utf-8-sig") for content in data]
    if reading.options.encoding or any(b"\0" in content for content in odd):
        # The encoding is given, or can be detected from each file.
        return _each_alone(paths, data, where, reading)
    try:
        options = dataclasses.replace(reading.options, drop_bad=False)
        _, encoding = decode(b"\n".join(odd), where, options)
    except UsageError:
        raise
    except ZooError:  # damaged: lines are counted, and dropped, in each file
        return _each_alone(paths, data, where, reading)
    reading.found(where, f"encoding {encoding} in {len(odd):,} file(s)")
    return [
        content.decode("utf-8-sig" if _is_plain(content) else encoding, errors="replace")
        for content in data
    ]


def _each_alone(
    paths: Sequence[Path], data: Sequence[bytes], where: str, reading: Reading
) -> list[str]:
    """Decodes files one by one; `where` is the folder that a note names.

    Raises:
      UsageError, ZooError: as `decode`, with the name of the file.
    """
    texts, encodings = [], set()
    for path, content in zip(paths, data, strict=True):
        text, encoding = decode(content, str(path), reading.options)
        texts.append(text)
        if " without " in encoding:  # lines are dropped
            reading.note(f"{path.parent.name}/{path.name}: encoding {encoding}")
        else:
            encodings.add(encoding)
    for encoding in sorted(encodings - {"utf-8"}):
        reading.found(where, f"encoding {encoding}")
    return texts


def _is_plain(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def read_bytes(path: Path) -> bytes:
    """Returns the bytes of a file, unpacked.

    Raises:
      UsageError: no such file, or a zip of several files.
      ZooError: it cannot be read, or unpacks to more than `ZOO_MAX_UNPACKED` bytes.
    """
    if os.path.isdir(path):  # unlike `Path`, accepts names that are too long
        raise UsageError(f"{path} is a folder, not a file.")
    try:
        if os.path.exists(path) or os.path.islink(path):
            return unpack(path.read_bytes(), str(path))
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror or error}.") from error
    raise UsageError(f"There is no file {shortened(str(path))}.")


def unpack(data: bytes, name: str) -> bytes:
    """Unpacks gzip or zip; returns other bytes unchanged. A workbook stays a zip.

    Raises:
      UsageError: a zip of several files; `ZOO_MAX_UNPACKED` is not a number.
      ZooError: it is damaged, or unpacks to more than `ZOO_MAX_UNPACKED` bytes.
    """
    import io

    lowered = name.lower()
    if lowered.endswith((".xlsx", ".xlsm")):  # zip archives that are read as a whole
        return data
    if data.startswith(b"\x1f\x8b") or lowered.endswith(".gz"):
        try:
            with gzip.open(io.BytesIO(data)) as file:
                return _limited(file, name)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ZooError(f"{name} is not a complete gzip file ({error}).") from error
    if data.startswith(b"PK\x03\x04") or lowered.endswith(".zip"):
        import zipfile

        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [each for each in archive.namelist() if is_data(each)]
                if "[Content_Types].xml" in members:
                    return data
                if len(members) != 1:
                    raise UsageError(
                        f"{name} holds {len(members)} files ({_some(members)}). Unpack it, and "
                        "name one of them or their folder."
                    )
                with archive.open(members[0]) as file:
                    return _limited(file, name)
        except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
            raise ZooError(f"{name} is not a complete zip file ({error}).") from error
        except RuntimeError as error:
            raise ZooError(f"{name} cannot be unpacked ({error}). Unpack it yourself.") from error
    return data


def is_data(name: str) -> bool:
    """Whether a file in an archive or folder is data, judged by its name: no system file."""
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not (hidden or name.endswith("/") or path.name in ("Thumbs.db", "desktop.ini"))


def zip_members(path: Path) -> list[str]:
    """Returns the names of the data files in a `.zip`; empty for other and for damaged files."""
    if path.suffix.lower() != ".zip":
        return []
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return [each for each in archive.namelist() if is_data(each)]
    except (OSError, zipfile.BadZipFile):  # reported when it is read
        return []


@contextlib.contextmanager
def unpacked_folder(path: Path) -> Iterator[Path]:
    """Context manager that unpacks a zip into a folder, for readers of folders.

    Raises:
      ZooError: it is damaged, or unpacks to more than `ZOO_MAX_UNPACKED` bytes. Errors about the
        files inside are raised with the name of the zip.
    """
    import tempfile
    import zipfile

    limit = files.number_setting("ZOO_MAX_UNPACKED", MAX_UNPACKED)
    with tempfile.TemporaryDirectory() as name:
        try:
            with zipfile.ZipFile(path) as archive:
                members = [each for each in archive.infolist() if is_data(each.filename)]
                if sum(each.file_size for each in members) > limit:
                    raise _too_large(str(path), limit)
                for each in members:
                    archive.extract(each, name)
        except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
            raise ZooError(f"{path} is not a complete zip file ({error}).") from error
        except RuntimeError as error:
            raise ZooError(f"{path} cannot be unpacked ({error}). Unpack it yourself.") from error
        folder = Path(name)
        inside = [*folder.iterdir()]
        if len(inside) == 1 and inside[0].is_dir() and not split_of(inside[0].name):
            folder = inside[0]  # the folder that was packed
        try:
            yield folder
        except ZooError as error:
            raise type(error)(str(error).replace(str(folder), str(path))) from error


def inner_name(path: Path) -> str:
    """Returns the lower-case name of a file's content: that inside a zip, or without `.gz`."""
    name, members = path.name.lower(), zip_members(path)
    if len(members) == 1:
        name = PurePosixPath(members[0]).name.lower()
    return name.removesuffix(".zip").removesuffix(".gz")


def read_lines(path: Path, reading: Reading) -> list[str] | None:
    """Reads a file with one text per line; empty lines are texts too.

    Returns:
      None if the file is in fastText's format, in which each line begins with a label.

    Raises:
      UsageError: no such file, or an encoding that cannot be detected.
      ZooError: it is empty or cannot be read.
    """
    return lines_of(read_bytes(path), str(path), reading)


def lines_of(data: bytes, name: str, reading: Reading) -> list[str] | None:
    """Returns the lines of a file from its bytes; returns and raises as `read_lines`."""
    text, encoding = decode(data, name, reading.options)
    if not text:
        raise ZooError(f"{name} is empty: there is nothing to answer.")
    if text.lstrip().startswith(FASTTEXT):
        return None
    if encoding != "utf-8":
        reading.found(name, f"encoding {encoding}")
    return split_lines(text)


def split_lines(text: str) -> list[str]:
    """Returns the lines of a text without their ends: LF, CRLF, or CR where there is no LF.

    A line end at the end of the text does not start another line.
    """
    ends = r"\r?\n" if "\n" in text else r"\r"
    lines = re.split(ends, text)
    return lines[:-1] if lines[-1] == "" and len(lines) > 1 else lines


def unix_lines(text: str) -> str:
    """Returns the text with LF as its line ends."""
    return text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _limited(file: _Readable, name: str) -> bytes:
    limit = files.number_setting("ZOO_MAX_UNPACKED", MAX_UNPACKED)
    blocks, size = [], 0
    while block := file.read(1 << 20):
        blocks.append(block)
        size += len(block)
        if size > limit:
            raise _too_large(name, limit)
    return b"".join(blocks)


def _too_large(name: str, limit: float) -> ZooError:
    return ZooError(
        f"{name} unpacks to more than {limit:,.0f} bytes. If this size is correct, set "
        "ZOO_MAX_UNPACKED to more bytes."
    )


def _some(names: Sequence[str]) -> str:
    more = " …" if len(names) > 3 else ""
    return ", ".join(shortened(name, 40) for name in names[:3]) + more
