"""At most one training per run folder: a lock held by the chief, and information on its holder."""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from zoo import files
from zoo.errors import ZooError

LOCK, HOLDER = ".lock", ".training.json"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a run folder, which is created if necessary.

    The lock is released when its process ends, for whatever reason. Folders that were created for
    it and are still empty are deleted afterwards.

    Raises:
      ZooError: another training holds it (the message says which), or the folder cannot be
        written.
    """
    import filelock

    made = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = filelock.FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        files.write_json(
            folder / HOLDER,
            {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "since": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            },
        )
    except filelock.Timeout:
        raise ZooError(
            f"Another training runs in {folder}{_holder(folder)}. Wait until it has ended, stop "
            "it, or choose another folder with -o."
        ) from None
    except NotImplementedError:  # a file system without locks
        pass
    except OSError as error:
        raise ZooError(
            f"Cannot write {folder}: {error.strerror or error}. "
            "Free some space or choose another folder."
        ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / HOLDER).unlink(missing_ok=True)
            if made and [path.name for path in folder.iterdir()] == [LOCK]:
                (folder / LOCK).unlink()
                for path in made:
                    path.rmdir()
        lock.release()


def _holder(folder: Path) -> str:
    """Returns `": process 7 on host, since …"` for the training that holds the lock."""
    try:
        holder = files.read_json(folder / HOLDER)
        return f": process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ZooError, KeyError, TypeError):  # it is just starting or ending
        return ""
