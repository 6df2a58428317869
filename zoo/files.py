"""Cache folder, settings from the environment, and atomic file operations."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, ZooError, quoted

_TEMPORARY = re.compile(r"\..+\.\d+\.part(\.\w+)?")  # temporary names of `atomic_write`


def expanded(path: str | os.PathLike[str]) -> Path:
    """Returns a path with `~` expanded; unchanged if no user has the name after the `~`.

    Such a path names a file, such as the lock file `~$x.xlsx` that Excel writes.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


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
      UsageError: it is not a finite number, or below 0.
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
    """Yields a temporary path beside `path`, and renames it to `path` on success.

    Works for files and for folders that do not exist yet. Parent folders are created. The content
    is flushed to disk before the rename, so that a crash leaves either the old or the new file.

    Raises:
      ZooError: it cannot be written: the disk is full, the folder is read-only, or similar.
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
    """Returns the content of a folder, except for leftovers of an interrupted `atomic_write`."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def clean(folder: Path) -> None:
    """Deletes temporary files left in a folder by an `atomic_write` of a killed process."""
    for path in folder.glob(".*.part*"):
        if _TEMPORARY.fullmatch(path.name):
            if path.is_dir():
                import shutil

                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def verify_archive(path: Path) -> str | None:
    """Returns what is wrong with a ZIP (such as a `.npz` or `.keras`), None if it is intact.

    Every byte of every member is read and checked against its checksum. ZIP readers do not always
    do so: not if a member ends at a wrong position, nor if they seek within it.
    """
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            part = archive.testzip()
    except FileNotFoundError:
        return "it is missing"
    except Exception as error:  # the type depends on which byte is wrong
        return str(error) or type(error).__name__
    return f"the checksum of {part} is wrong" if part else None


def lock_folder(folder: Path, stack: contextlib.ExitStack, *, wait: bool) -> bool:
    """Locks a folder itself, until a stack is closed or the process ends.

    Args:
      folder: an existing folder.
      stack: releases the lock when closed.
      wait: whether to wait if another process holds the lock.

    Returns:
      Whether the lock is held: False if another process holds it, or locks are not supported.
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
    """Creates a folder that is deleted afterwards, and deletes those of killed processes.

    The name has no process id: these repeat in containers. Instead, a process locks its folder,
    and the lock is released when it ends. It also locks the parent while it cleans, so that no
    folder in use is ever unlocked.

    Args:
      parent: an existing folder.
      prefix: prefix of its name; no other name in the parent starts with it.
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
    """Creates a temporary folder below the cache folder; see `scratch_folder`."""
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
      ZooError: it is missing, is not JSON, or holds text that is not valid Unicode.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
        if "\\ud" in text.lower():  # perhaps a lone surrogate, which cannot be written to a file
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except FileNotFoundError:
        raise ZooError(f"{path} is missing: {path.parent} is not complete.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ZooError(f"{path} cannot be read ({error}). Restore or delete it.") from error


def read_object(path: Path, **fields: type | tuple[type, ...]) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
      path: path of the file.
      **fields: the required fields, and the Python types of their values.

    Raises:
      ZooError: it is missing or damaged: not JSON, or JSON of another shape.
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
