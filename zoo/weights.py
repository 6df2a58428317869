"""Pretrained weights: packed models beside the recipes, listed in a manifest with checksums.

`pretrained/manifest.json` beside a recipe module lists its packed models:

    {"imdb-lstm": {"file": "imdb-lstm.tar.xz", "sha256": …, "bytes": …, "metric": …, …}}

A pack is a `tar.xz` of one folder that is a SavedModel for serving, `model.keras` to go on
training, and config, assets, metrics and card in `assets.extra/`. Both hold the same weights;
xz stores once what repeats. The low bits of their mantissas are rounded away, which halves the
file and changes no answer that matters: the metrics are those of the rounded weights.
"""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import files
from zoo.errors import UsageError, ZooError, quoted, suggest

if TYPE_CHECKING:
    import tarfile

    import numpy as np

    from zoo.recipe import Recipe

MANIFEST = "manifest.json"

_unpacking = threading.Lock()


def names_in(folder: Path) -> set[str]:
    """Returns the names that the manifest of a `pretrained` folder lists."""
    return set(_manifest(folder))


def manifest_entry(recipe: Recipe) -> dict[str, Any] | None:
    """Returns what the manifest says of a recipe's pretrained weights, None if it has none."""
    return _manifest(recipe.pretrained_folder).get(recipe.name)


def pretrained_names() -> list[str]:
    """Returns the recipes that have pretrained weights."""
    from zoo.registry import list_models

    return [row["name"] for row in list_models(pretrained=True)]


def pretrained(name: str) -> Path:
    """Returns a folder that is a SavedModel of pretrained weights, `tf.saved_model.load`-able.

    The pack is checked against its checksum and unpacked into the cache once; what lies in the
    cache is checked again each time.

    Args:
      name: of a recipe, or `path/to/file.py:name`.

    Raises:
      UsageError: an unknown recipe, or one without pretrained weights.
      ZooError: the pack or what was unpacked of it is damaged, or the cache cannot be written.
    """
    from zoo.registry import get_recipe

    recipe = get_recipe(name)
    folder = recipe.pretrained_folder
    manifest = _manifest(folder)
    if recipe.name not in manifest:
        raise UsageError(
            f"{quoted(name)} has no pretrained weights. `zoo train {name}` makes your own."
            + (suggest(name, pretrained_names()) if pretrained_names() else "")
        )
    entry = manifest[recipe.name]
    target = files.home() / "pretrained" / f"{recipe.name}-{entry['sha256'][:16]}"
    if not target.is_dir():
        pack = folder / entry["file"]
        if not pack.is_file() or files.sha256(pack) != entry["sha256"]:
            raise ZooError(f"{pack} is missing or damaged. Install its package again.")
        _unpack(pack, target)
    damaged = _damaged(target)
    if damaged:
        raise ZooError(
            f"{target / damaged} is damaged. Delete {target}: it is unpacked again when needed."
        )
    return target


def pack(model: str | Path, folder: Path, *, bits: int = 12) -> dict[str, Any]:
    """Packs a complete run as pretrained weights and lists it in the manifest.

    Args:
      model: a run folder, or another model with Keras weights that `zoo.load` takes.
      folder: the `pretrained` folder.
      bits: low mantissa bits of each float32 weight that are rounded away; 12 leaves a relative
        error of at most 2**-12. The packed model is what gets evaluated and quoted.

    Returns:
      The manifest's entry.

    Raises:
      UsageError: as for `zoo.load`.
      ZooError: the run is not complete, its data cannot be had, or nothing can be written.
    """
    import shutil

    from zoo.serving import evaluate, export, load
    from zoo.serving.export import ABOUT

    source = load(model)
    if not source.metrics:
        raise ZooError(f"{model} is not complete. Run its `zoo train` again, then pack it.")
    name = source.name
    folder.mkdir(parents=True, exist_ok=True)
    with files.temporary_folder() as scratch:
        rounded = scratch / "run"
        rounded.mkdir()
        for file_name in ABOUT:
            shutil.copy(source.about / file_name, rounded / file_name)
        for variable in source.model.variables:
            if "float" in variable.dtype:
                variable.assign(round_mantissa(variable.numpy(), bits))
        source.model.save(rounded / "model.keras")
        metrics = source.metrics
        scored = evaluate(rounded)  # with the run's own baselines, if it has measured them
        metrics["test"], metrics["baseline"] = scored["metrics"], scored["baseline"]
        metrics["weights"] = f"mantissas rounded to {23 - bits} bits"
        files.write_json(rounded / "metrics.json", metrics)
        _forget_places(rounded)
        from zoo.report import card

        card.write(rounded)
        packed = export(rounded, scratch / "export")
        shutil.copy(rounded / "model.keras", packed / "model.keras")
        sums = {
            str(path.relative_to(packed)): files.sha256(path)
            for path in sorted(packed.rglob("*"))
            if path.is_file()
        }
        files.write_json(packed / "sha256.json", sums)
        with files.writing(folder / f"{name}.tar.xz") as temporary:
            _tar(packed, temporary)
    file = folder / f"{name}.tar.xz"
    entry = {
        "file": file.name,
        "sha256": files.sha256(file),
        "bytes": file.stat().st_size,
        "metric": metrics["metric"],
        "score": metrics["test"][metrics["metric"]],
        "data": source.data["title"],
        "licence": source.data["licence"],
        "config": dataclasses.asdict(source.config),
    }
    manifest = {**_manifest(folder), name: entry}
    files.write_json(folder / MANIFEST, dict(sorted(manifest.items())))
    return entry


def _forget_places(folder: Path) -> None:
    """Leaves of paths of one's own their last part: the rest is nobody else's business."""
    data, config = (files.read_json(folder / name) for name in ("data.json", "config.json"))
    for part, key in ((data, "source"), (config["run"], "data"), (config["run"], "base")):
        part[key] = files.without_folders(part.get(key))
    files.write_json(folder / "data.json", data)
    files.write_json(folder / "config.json", config)


def round_mantissa(array: np.ndarray, bits: int) -> np.ndarray:
    """Rounds float32 values to the nearest with `bits` zeros at the end of the mantissa.

    Ties go away from zero. Zeros compress; what is left keeps `23 - bits` bits. What would be
    rounded to infinity stays the largest finite number that has so many; infinities and NaNs
    stay what they are.

    Raises:
      UsageError: bits below 0 or above 23.
    """
    import numpy as np

    if not 0 <= bits <= 23:
        raise UsageError(f"bits must be between 0 and 23, the size of a mantissa; got {bits}.")
    exact = np.ascontiguousarray(array, np.float32)
    whole = exact.view(np.uint32)
    keep = np.uint32(0xFFFFFFFF << bits & 0xFFFFFFFF)
    # Sign and magnitude are apart, so this rounds both signs alike; a carry raises the exponent.
    rounded = ((whole + np.uint32((1 << bits) >> 1)) & keep).view(np.float32)
    rounded = np.where(np.isfinite(rounded), rounded, (whole & keep).view(np.float32))
    return np.where(np.isfinite(exact), rounded, exact).reshape(array.shape)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    return files.read_json(path) if path.exists() else {}


def _tar(source: Path, target: Path) -> None:
    """Packs a folder; the same content gives the same bytes."""

    import tarfile

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = 0
        return info

    with tarfile.open(target, "w:xz", preset=9) as archive:
        for path in sorted(source.rglob("*")):
            archive.add(path, path.relative_to(source), recursive=False, filter=plain)


def _unpack(pack: Path, target: Path) -> None:
    """Unpacks beside and renames; of two processes at once one wins, both are served."""
    import lzma
    import shutil
    import tarfile

    with _unpacking:  # threads of one process would write to the same place
        if target.is_dir():
            return
        try:
            with files.writing(target) as temporary, tarfile.open(pack, "r:xz") as archive:
                # What a killed process with this process's id has left, as happens in containers.
                shutil.rmtree(temporary, ignore_errors=True)
                temporary.mkdir(parents=True)
                _extract(archive, temporary)
        except ZooError as error:
            if not target.is_dir():
                raise ZooError(f"{error} ZOO_HOME names the folder of the cache.") from error
        except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
            raise ZooError(f"{pack} is damaged ({error}). Install its package again.") from error


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Extracts plain files and folders, which is all that a pack has.

    `extractall` has no `filter` in the first releases of Python 3.10 and 3.11.

    Raises:
      tarfile.TarError: a member is something else, or lies outside the folder.
    """
    import shutil
    import tarfile

    root = folder.resolve()
    for member in archive:
        path = (root / member.name).resolve()
        content = archive.extractfile(member) if member.isfile() else None
        if not path.is_relative_to(root) or (content is None and not member.isdir()):
            raise tarfile.TarError(f"{quoted(member.name)} is no file or folder inside it")
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with content, open(path, "wb") as file:
            shutil.copyfileobj(content, file)


def _damaged(folder: Path) -> str | None:
    """Returns the first file that differs from its checksum."""
    sums = folder / "sha256.json"
    try:
        digests = files.read_json(sums)
    except ZooError:
        return sums.name
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file() or files.sha256(path) != digest:
            return name
    return None
