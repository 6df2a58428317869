"""Packs a run as pretrained weights: see `zoo.serving.pretrained`, which unpacks them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import lzma
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paths import basenames_only
from zoo import files
from zoo.errors import UsageError, ZooError
from zoo.manifest import MANIFEST, PARAMETERS, USE, read_manifest
from zoo.report import card
from zoo.serving import evaluate, load
from zoo.serving.export import ABOUT, export
from zoo.serving.find import EXTRA


def pack(
    model: str | Path,
    folder: Path,
    *,
    bits: int = 12,
    steps: int | None = None,
    baselines: bool = False,
    source: str | None = None,
) -> dict[str, Any]:
    """Packs a complete run as pretrained weights and lists it in the manifest.

    Args:
      model: a run folder, or another model with Keras weights that `zoo.load` takes.
      folder: the `pretrained` folder.
      bits: low mantissa bits of each float32 weight that are rounded to zero; 12 gives a relative
        error of at most 2**-12. The scores are those of the packed model.
      steps: round matrices to a grid instead, with at least so many steps to the standard deviation
        of each (`round_to_grid`). 8 need half the space of 12 bits: about 6 bits a weight.
      baselines: measure them again, although the run has its own.
      source: key of the dataset's source that has the same rows as the custom file or folder on
        which the network was trained, so that `zoo evaluate NAME` reads them from there.

    Returns:
      The manifest's entry.

    Raises:
      UsageError: as for `zoo.load`, or the dataset has no such source.
      ZooError: the run is not complete, its data are unavailable, or nothing can be written.
    """
    given = load(model)
    if not given.metrics:
        raise ZooError(f"{model} is not complete. Run its `zoo train` again, then pack it.")
    name = given.name
    keys = [each.key for each in given.recipe.data(given.config).sources]
    if source is not None and source not in keys:
        raise UsageError(f"{name} has no source {source}; it has {', '.join(keys)}.")
    folder.mkdir(parents=True, exist_ok=True)
    with files.temporary_folder() as scratch:
        rounded = scratch / "run"
        rounded.mkdir()
        for file_name in ABOUT:
            if (given.about / file_name).exists():  # an early run has no use.json
                shutil.copy(given.about / file_name, rounded / file_name)
        if given.use:  # of an early pack, it lies beside all packs
            use = {part: value for part, value in given.use.items() if part != "sha256"}
            files.write_json(rounded / USE, use)
        if baselines:
            known = files.read_json(rounded / "metrics.json")
            files.write_json(rounded / "metrics.json", {**known, "baseline": {}})
        for variable in given.model.variables:
            if "float" in variable.dtype:
                variable.assign(_rounded(variable.numpy(), bits, steps))
        given.model.save(rounded / "model.keras")
        metrics = given.metrics
        scored = evaluate(rounded)  # with the run's own baselines, if it has measured them
        metrics["test"], metrics["baseline"] = scored["metrics"], scored["baseline"]
        said = [part for part in metrics.get("weights", "").split(", ") if part]
        earlier = ("mantissas rounded", "matrices rounded")  # by another packing
        said = [part for part in said if not part.startswith(earlier)]
        how = f"mantissas rounded to {23 - bits} bits"
        if steps is not None:
            how = f"matrices rounded to {steps} steps or more to a standard deviation"
        metrics["weights"] = ", ".join([*said, how])
        files.write_json(rounded / "metrics.json", metrics)
        _remove_folders(rounded, source)
        card.write(rounded, given.recipe)
        packed = export(rounded, scratch / "export")
        shutil.copy(rounded / "model.keras", packed / "model.keras")
        sums = {
            str(path.relative_to(packed)): files.sha256(path)
            for path in sorted(packed.rglob("*"))
            if path.is_file()
        }
        files.write_json(packed / "sha256.json", sums)
        with contextlib.ExitStack() as stack:
            files.lock_folder(folder, stack, wait=True)  # two processes may write to one manifest
            files.clean(folder)
            file = folder / f"{name}.tar.xz"
            with files.atomic_write(file) as temporary:
                _tar(packed, temporary)
            entry = {
                "file": file.name,
                "sha256": files.sha256(file),
                "bytes": file.stat().st_size,
                "metric": metrics["metric"],
                "score": metrics["test"][metrics["metric"]],
                "data": given.data["title"],
                "licence": given.data["licence"],
                "config": dataclasses.asdict(given.config),
            }
            manifest = {**read_manifest(folder), name: entry}
            files.write_json(folder / MANIFEST, dict(sorted(manifest.items())))
            write_parameters(folder)
    return entry


def write_parameters(folder: Path) -> Path:
    """Writes the numbers of parameters of a folder's packed models, from their metrics.

    Returns:
      The path of `parameters.json`, which `zoo list` reads.
    """
    found = {}
    for name, entry in sorted(read_manifest(folder).items()):
        with tarfile.open(folder / entry["file"]) as archive:
            member = archive.extractfile(f"{EXTRA}/metrics.json")
            if member is None:
                raise ZooError(f"{folder / entry['file']} holds no metrics.")
            found[name] = json.load(member)["parameters"]
    files.write_json(folder / PARAMETERS, found)
    return folder / PARAMETERS


def round_mantissa(array: np.ndarray, bits: int) -> np.ndarray:
    """Rounds float32 values to the nearest with `bits` zeros at the end of the mantissa.

    Ties go away from zero. Zeros compress; the mantissa keeps `23 - bits` bits. Values that
    would round to infinity become the largest finite number with so many bits; infinities and NaNs
    do not change.

    Raises:
      UsageError: bits below 0 or above 23.
    """
    if not 0 <= bits <= 23:
        raise UsageError(f"bits must be between 0 and 23, the size of a mantissa; got {bits}.")
    exact = np.ascontiguousarray(array, np.float32)
    whole = exact.view(np.uint32)
    keep = np.uint32(0xFFFFFFFF << bits & 0xFFFFFFFF)
    # Sign and magnitude are apart, so this rounds both signs alike; a carry raises the exponent.
    rounded = ((whole + np.uint32((1 << bits) >> 1)) & keep).view(np.float32)
    rounded = np.where(np.isfinite(rounded), rounded, (whole & keep).view(np.float32))
    return np.where(np.isfinite(exact), rounded, exact).reshape(array.shape)


def round_to_grid(array: np.ndarray, steps: int) -> np.ndarray:
    """Rounds float32 values to the nearest multiples of a power of two.

    The power is the largest of which at least `steps` fit into the standard deviation, so that all
    values of a weight matrix have a similar absolute error: at most a sixteenth of the deviation
    with 8 steps. Few different values compress: each takes about `log2(steps) + 3` bits.

    Raises:
      UsageError: steps below 1.
    """
    if steps < 1:
        raise UsageError(f"steps must be at least 1; got {steps}.")
    exact = np.asarray(array, np.float32)
    deviation = float(exact.std()) if exact.size else 0.0
    if not deviation > 0 or not np.isfinite(deviation):
        return exact
    step = np.float32(2.0 ** np.floor(np.log2(deviation / steps)))
    return np.round(exact / step) * step


def _rounded(array: np.ndarray, bits: int, steps: int | None) -> np.ndarray:
    """Returns weights rounded for packing; vectors, such as biases, only by their mantissas."""
    if steps is None or array.ndim < 2:
        return round_mantissa(array, bits)
    return round_to_grid(array, steps)


def _remove_folders(folder: Path, source: str | None = None) -> None:
    """Keeps only the last part of absolute paths, for privacy.

    A key of a source replaces the path of the training data.
    """
    data, config = (files.read_object(folder / f"{name}.json") for name in ("data", "config"))
    if source is not None:
        data["source"] = config["run"]["data"] = source
    files.write_json(folder / "data.json", basenames_only(data))
    files.write_json(folder / "config.json", basenames_only(config))


def _tar(source: Path, target: Path) -> None:
    """Packs a folder reproducibly: the same content gives the same bytes.

    xz finds repetitions within its dictionary: 64 MiB by default, more for larger folders, which
    contain their weights twice.
    """

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = 0
        return info

    paths = sorted(source.rglob("*"))
    size = max(64 << 20, sum(path.stat().st_size for path in paths if path.is_file()))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": size}]
    with (
        lzma.open(target, "wb", filters=filters) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for path in paths:
            archive.add(path, path.relative_to(source), recursive=False, filter=plain)
