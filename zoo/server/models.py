"""Versions of models: finds, loads, warms up, swaps and unloads them while serving requests."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import dataclasses
import gc
from collections.abc import AsyncIterator, Container, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError, first_line, shortened
from zoo.server.config import ModelConfig, check_names
from zoo.server.log import log
from zoo.server.metrics import Metrics
from zoo.server.status import LONGEST, Refused, invalid

if TYPE_CHECKING:
    from zoo.server.servable import Servable

STATES = {"START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50}
KEPT = 32  # number of unloaded versions whose state is kept


@dataclasses.dataclass(eq=False)
class Version:
    """A version of a model.

    Attributes:
      model: name of the model.
      number: version number.
      state: one of `STATES`.
      code, message: why it could not be loaded; the code is `OK` if there is no error.
      servable: the loaded model; None if it is not loaded.
      users: number of requests that use it now.
      fingerprint: fingerprint of its folder when it was loaded.
    """

    model: str
    number: int
    folder: Path
    state: str = "START"
    code: str = "OK"
    message: str = ""
    servable: Servable | None = None
    users: int = 0
    fingerprint: Any = None
    idle: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


class Models:
    """The models of a server; used from one event loop.

    Attributes:
      configs: model configs by name.
      versions: versions of each model, by number.
    """

    def __init__(
        self,
        configs: Iterable[ModelConfig],
        *,
        trust: bool = False,
        unload_first: bool = False,
        warmup: bool = True,
        metrics: Metrics | None = None,
        grace: float = 30.0,
    ) -> None:
        """
        Args:
          configs: the configs of the models.
          trust: as for `zoo.load`.
          unload_first: whether the old version is unloaded before the new one is loaded; requests
            then wait for the new one.
          warmup: whether warm-up requests are computed before a version goes live.
          metrics: where the times of warm-up are recorded.
          grace: seconds that a replaced version waits for its last requests.
        """
        self.configs = check_names(configs)
        self.versions: dict[str, dict[int, Version]] = {name: {} for name in self.configs}
        self.trust, self.unload_first, self.warmup = trust, unload_first, warmup
        self.metrics = metrics or Metrics()
        self.grace = grace
        self._pool = ThreadPoolExecutor(1, "zoo-load")
        self._changing = asyncio.Lock()
        self._swapped = asyncio.Condition()
        self._swapping: set[str] = set()  # models without a version while a new one is loaded
        self._retired: set[asyncio.Task] = set()

    # Requests

    @contextlib.asynccontextmanager
    async def use(
        self, name: str, number: int | None = None, label: str | None = None
    ) -> AsyncIterator[Version]:
        """Context with an available version, which stays loaded while it is used.

        Args:
          name: name of the model.
          number: version number; the newest by default.
          label: version label, instead of its number.

        Raises:
          Refused: no such version is available.
        """
        if name in self._swapping:
            async with self._swapped:
                await self._swapped.wait_for(lambda: name not in self._swapping)
        version = self.find(name, number, label)
        version.users += 1
        version.idle.clear()
        try:
            yield version
        finally:
            version.users -= 1
            if not version.users:
                version.idle.set()

    def find(self, name: str, number: int | None = None, label: str | None = None) -> Version:
        """Returns an available version, like `use`, but it may be unloaded at any time."""
        if name in self.configs:
            if label is not None:
                number = self.labelled(name, label)
            ready = [
                version
                for version in self.versions[name].values()
                if version.state == "AVAILABLE" and number in (None, version.number)
            ]
            if ready:
                return max(ready, key=lambda version: version.number)
        wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
        raise Refused("NOT_FOUND", f"Servable not found for request: {wanted}")

    def check(self, target_name: str, number: int | None, label: str | None) -> None:
        """Raises the errors of `use`, without waiting; accepts models that are being swapped."""
        if target_name not in self._swapping:
            self.find(target_name, number, label)

    def labelled(self, name: str, label: str) -> int:
        """Returns the number of the version with a label.

        Raises:
          Refused: there is no such version.
        """
        labels = self.configs[name].labels if name in self.configs else {}
        if label not in labels:
            raise invalid(f"Unrecognized servable version label: {label}")
        return labels[label]

    def status(
        self, name: str, number: int | None = None, label: str | None = None
    ) -> list[Version]:
        """Returns the known versions of a model, newest first.

        Raises:
          Refused: no version is known.
        """
        versions = self.versions.get(name, {})
        if label is not None:
            number = self.labelled(name, label)
        if number is not None:
            versions = {number: versions[number]} if number in versions else {}
        if not versions:
            which = "any versions" if number is None else f"version {number}"
            raise Refused("NOT_FOUND", f"Could not find {which} of model {name}")
        return sorted(versions.values(), key=lambda version: -version.number)

    @property
    def ready(self) -> bool:
        """Whether every model has an available version, or is being swapped."""
        return all(
            any(version.state == "AVAILABLE" for version in self.versions[name].values())
            or name in self._swapping
            for name in self.configs
        )

    # Changes

    async def watch(self, seconds: float) -> None:
        """Polls for new versions until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await self.refresh()

    async def refresh(self) -> None:
        """Looks for versions once; loads new ones and unloads replaced ones."""
        async with self._changing:
            for name in list(self.configs):
                try:
                    await self._refresh(name)
                except Exception as error:
                    log("refresh_failed", level="error", model=name, error=first_line(error))

    async def reconfigure(self, configs: Iterable[ModelConfig]) -> None:
        """Replaces the served models; unchanged ones stay loaded."""
        new = check_names(configs)
        async with self._changing:
            for name in [name for name in self.configs if name not in new]:
                for version in self.versions[name].values():
                    self._retire(version)
                del self.configs[name]
            for name, config in new.items():
                old = self.configs.get(name)
                self.configs[name] = config
                self.versions.setdefault(name, {})
                if old is not None and old.folder != config.folder:
                    for version in self.versions[name].values():
                        self._retire(version)
                    self.versions[name] = {}
        await self.refresh()

    async def _refresh(self, name: str) -> None:
        config, known = self.configs[name], self.versions[name]
        loop = asyncio.get_running_loop()
        loaded = {number for number, version in known.items() if version.state == "AVAILABLE"}
        wanted = await loop.run_in_executor(None, _fingerprints, config, loaded)
        new = []
        for number, (folder, fingerprint) in wanted.items():
            version = known.get(number)
            if version is not None and version.state == "AVAILABLE":
                continue
            if version is not None and version.code != "OK" and version.fingerprint == fingerprint:
                continue  # it failed to load and has not changed
            new.append(Version(name, number, folder, fingerprint=fingerprint))
        old = [v for n, v in known.items() if n not in wanted and v.state == "AVAILABLE"]
        try:
            if new and self.unload_first:
                await self._unload_first(name, old if wanted else [])
            for version in new:
                known[version.number] = version
                await self._load(version)
            if self.unload_first and new and all(v.state == "END" for v in new):
                for version in old:  # no new version could be loaded
                    known[version.number] = again = Version(name, version.number, version.folder)
                    await self._load(again)
        finally:
            if name in self._swapping:
                async with self._swapped:
                    self._swapping.discard(name)
                    self._swapped.notify_all()
        if any(known[n].state == "AVAILABLE" for n in wanted if n in known):
            for version in old:
                self._retire(version)
        ended = sorted(n for n, v in known.items() if v.state == "END" and n not in wanted)
        for number in ended[:-KEPT]:
            del known[number]

    async def _unload_first(self, name: str, old: list[Version]) -> None:
        self._swapping.add(name)
        for version in old:
            await self._unload(version)

    async def _load(self, version: Version) -> None:
        """Loads and warms up a version; if this fails, only its state changes."""
        version.state = "LOADING"
        log("loading", model=version.model, version=version.number)
        loop = asyncio.get_running_loop()
        try:
            servable, warmed = await loop.run_in_executor(
                self._pool, load, version.folder, self.trust, self.warmup
            )
        except Exception as error:  # a custom model may raise any error
            version.state = "END"
            version.code = "FAILED_PRECONDITION" if isinstance(error, ZooError) else "INTERNAL"
            said = str(error) if isinstance(error, ZooError) else first_line(error)
            version.message = shortened(said, LONGEST)
            log("load_failed", level="error", model=version.model, version=version.number,
                error=version.message)  # fmt: skip
            return
        version.servable = servable
        version.state = "AVAILABLE"
        self.metrics.warmup.labels(version.model, "OK").observe(warmed)
        log("available", model=version.model, version=version.number)

    def _retire(self, version: Version) -> None:
        if version.state == "AVAILABLE":
            version.state = "UNLOADING"
            task = asyncio.get_running_loop().create_task(self._unload(version))
            self._retired.add(task)
            task.add_done_callback(self._retired.discard)

    async def _unload(self, version: Version) -> None:
        version.state = "UNLOADING"  # new requests do not find it
        if version.users:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(version.idle.wait(), self.grace)
        version.servable = None
        version.state = "END"
        await asyncio.get_running_loop().run_in_executor(self._pool, free_memory)
        log("unloaded", model=version.model, version=version.number)

    def close(self) -> None:
        """Stops the loading thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def described(self, version: Version) -> dict[str, Any]:
        """Returns the status of a version in TF Serving's JSON format."""
        code = version.code
        return {
            "version": str(version.number),
            "state": version.state,
            "status": {"error_code": code, "error_message": version.message},
        }


def load(folder: Path, trust: bool, warmup: bool) -> tuple[Servable, int]:
    """Loads and warms up a version; returns it and the warm-up time in microseconds."""
    from zoo.server.servable import Servable

    servable = Servable(folder, trust=trust)
    return servable, servable.warm_up() if warmup else 0


def _fingerprints(config: ModelConfig, loaded: Container[int]) -> dict[int, tuple[Path, Any]]:
    """Returns the folder of each version to serve, and a fingerprint of its files.

    The files of versions that are `loaded` are not looked at; their fingerprint is None.
    """
    return {
        number: (folder, None if number in loaded else _files(folder))
        for number, folder in config.versions().items()
    }


def _files(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Returns name, time of change (ns) and size (bytes) of the files below a folder."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # removed since
            status = path.stat()
            found.append((str(path), status.st_mtime_ns, status.st_size))
    return frozenset(found)


def free_memory() -> None:
    """Frees the memory of models that are no longer used."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # otherwise glibc keeps it
