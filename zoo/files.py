"""Where things are kept, and writing so that a reader never sees half a file."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, ZooError, quoted

_TEMPORARY = re.compile(r"\..+\.\d+\.part(\.\w+)?")  # names that `atomic_write` gives


def home() -> Path:
    """Returns the cache folder: `ZOO_HOME`, or the user's cache directory."""
    if os.environ.get("ZOO_HOME"):
        try:
            return Path(os.environ["ZOO_HOME"]).expanduser()
        except RuntimeError:  # ~name, but no such user
            raise UsageError(
                f"ZOO_HOME is {quoted(os.environ['ZOO_HOME'])}, but no such user exists here. "
                "Correct it."
            ) from None
    import platformdirs

    return Path(platformdirs.user_cache_dir("rnn-zoo"))


def offline() -> bool:
    """Whether `ZOO_OFFLINE` forbids the network."""
    return os.environ.get("ZOO_OFFLINE", "").lower() not in ("", "0", "false", "no")


def number_setting(name: str, default: float) -> float:
    """Returns the number that an environment variable holds, such as `5e8`.

    Raises:
      UsageError: it is no finite number, or below 0.
    """
    text = os.environ.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UsageError(f"{name} must be a number, 0 or more; got {quoted(text)}.")
    return value


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to, and renames it into place when all went well.

    Works for files and for folders that do not exist yet. The parents are made. What was
    written reaches the disk before the rename, so that a crash leaves the old or the new.

    Raises:
      ZooError: the disk is full, the folder is read-only, or the like.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}.part{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise ZooError(
            f"Cannot write {path}: {error.strerror or error}. "
            "Free some space or choose another folder."
        ) from error
    finally:
        if temporary.is_dir():
            import shutil

            shutil.rmtree(temporary, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with open(file, "rb") as handle:
                os.fsync(handle.fileno())


def visible(folder: Path) -> list[Path]:
    """Returns what a folder holds, but for what an interrupted `atomic_write` has left."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def clean(folder: Path) -> None:
    """Deletes what an `atomic_write` into this folder has left when its process was killed."""
    for path in folder.glob(".*.part*"):
        if _TEMPORARY.fullmatch(path.name):
            if path.is_dir():
                import shutil

                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def verify_archive(path: Path) -> str | None:
    """Says what is wrong with a ZIP (such as a `.npz` or `.keras`), None if nothing is.

    Every byte of every part is read and held against its checksum. Those who read ZIPs do not
    always: not a part that they read up to a wrong end, nor one in which they jump about.
    """
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            part = archive.testzip()
    except FileNotFoundError:
        return "it is missing"
    except Exception as error:  # what `zipfile` raises depends on which byte is wrong
        return str(error) or type(error).__name__
    return f"the checksum of {part} is wrong" if part else None


def lock_folder(folder: Path, stack: contextlib.ExitStack, *, wait: bool) -> bool:
    """Locks a folder itself, until a stack is closed or the process ends.

    Args:
      folder: that exists.
      stack: what ends the lock.
      wait: whether to wait for one who has it.

    Returns:
      Whether the lock is held: not where another has it, nor where there are no such locks.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return False
    stack.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


@contextlib.contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Makes a folder that is gone afterwards, and deletes those of processes that were killed.

    The name has no process id: in containers they repeat. Instead a process holds a lock on its
    folder, which ends with it; and one on the parent while it cleans, so that no folder is there
    unlocked.

    Args:
      parent: that exists.
      prefix: of its name, which nothing else there begins with.
    """
    import shutil
    import uuid

    with contextlib.ExitStack() as stack:
        with contextlib.ExitStack() as cleaning:
            lock_folder(parent, cleaning, wait=True)
            for path in parent.glob(f"{prefix}*"):
                with contextlib.ExitStack() as once:
                    if lock_folder(path, once, wait=False):
                        shutil.rmtree(path, ignore_errors=True)
            scratch = parent / f"{prefix}{uuid.uuid4().hex}"
            scratch.mkdir()
            lock_folder(scratch, stack, wait=False)
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Gives a folder below the cache folder that is gone afterwards; see `scratch_folder`."""
    (home() / "tmp").mkdir(parents=True, exist_ok=True)
    with scratch_folder(home() / "tmp", "scratch-") as folder:
        yield folder


def write_text(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
      ZooError: it is missing or is no JSON, or holds text that is no Unicode.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
        if "\\ud" in text.lower():  # perhaps half a surrogate pair, which no file could hold
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except FileNotFoundError:
        raise ZooError(f"{path} is missing: {path.parent} is not complete.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ZooError(f"{path} cannot be read ({error}). Restore or delete it.") from error


def read_object(path: Path, **fields: type | tuple[type, ...]) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
      path: of the file.
      **fields: the fields that it must have, and the Python types of their values.

    Raises:
      ZooError: it is missing or damaged: no JSON, or JSON of another shape.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise ZooError(f"{path} is damaged: it holds no JSON object. Restore or delete it.")
    for name, kind in fields.items():
        if name not in value or not isinstance(value[name], kind):
            what = "is of a wrong type" if name in value else "is missing"
            raise ZooError(f"{path} is damaged: {name!r} {what}. Restore or delete it.")
    return value


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    import hashlib

    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
