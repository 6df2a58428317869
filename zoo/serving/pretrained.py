"""Pretrained weights: packed models next to the recipes, verified and unpacked into the cache.

`zoo.manifest` reads the manifests that list them, with their checksums. A pack is a `tar.xz` of one
folder with a SavedModel for serving, `model.keras` for further training, and config, assets,
metrics and card in `assets.extra/`. Both models hold the same weights, which xz stores once. The
low bits of the mantissas are rounded, which halves the file size; matrices of large models are
rounded to a grid, which reduces it to a fifth. The metrics are those of the rounded weights.
`python -m benchmarks pack`, in the root of this package's repository, makes packs.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import files
from zoo.errors import UsageError, ZooError, quoted, suggest
from zoo.manifest import USE, read_manifest, read_use
from zoo.registry import get_recipe, list_models, recipes

if TYPE_CHECKING:
    import tarfile

_unpacking = threading.Lock()


def pretrained_names() -> list[str]:
    """Returns the names of recipes with pretrained weights."""
    return [row["name"] for row in list_models(pretrained=True)]


def pretrained(name: str) -> Path:
    """Returns a SavedModel folder with pretrained weights, for `tf.saved_model.load`.

    The pack is verified by its checksum and unpacked into the cache once; the files in the cache
    are verified each time.

    Args:
      name: name of a recipe, or `path/to/file.py:name`.

    Raises:
      UsageError: the recipe is unknown, or has no pretrained weights.
      ZooError: the pack or an unpacked file is damaged, or the cache cannot be written.
    """
    recipe = get_recipe(name)
    folder = recipe.pretrained_folder
    manifest = read_manifest(folder)
    if recipe.name not in manifest:
        raise UsageError(
            f"{quoted(name)} has no pretrained weights. `zoo train {name}` makes your own."
            + (suggest(name, pretrained_names()) if pretrained_names() else "")
        )
    entry = manifest[recipe.name]
    target = unpacked(recipe.name, entry)
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


def unpacked(name: str, entry: Mapping[str, Any]) -> Path:
    """Returns where a pack is unpacked, from its entry in the manifest."""
    return files.home() / "pretrained" / f"{name}-{entry['sha256'][:16]}"


def is_unpacked(folder: Path) -> bool:
    """Whether a folder is an unpacked pack in the cache."""
    return folder.parent == files.home() / "pretrained"


def packed_use(folder: Path) -> tuple[dict[str, Any], Path]:
    """Returns the entry of a pack in the `use.json` next to the packs, and the path of that file.

    Args:
      folder: a model's folder; only unpacked packs have an entry.
    """
    name, _, digest = folder.name.rpartition("-")
    recipe = recipes().get(name) if is_unpacked(folder) else None
    if recipe is None:
        return {}, folder / USE
    entry = read_use(recipe.pretrained_folder).get(name, {})
    known = str(entry.get("sha256", "")).startswith(digest)  # the entry is of this version
    return entry if known else {}, recipe.pretrained_folder / USE


def _unpack(pack: Path, target: Path) -> None:
    """Unpacks a pack into a temporary folder, then renames it; safe with concurrent processes."""
    import lzma
    import shutil
    import tarfile

    with _unpacking:  # threads of one process would write to the same folder
        if target.is_dir():
            return
        try:
            with files.atomic_write(target) as temporary, tarfile.open(pack, "r:xz") as archive:
                # Left by a killed process that had the same process id, as happens in containers.
                shutil.rmtree(temporary, ignore_errors=True)
                temporary.mkdir(parents=True)
                _extract(archive, temporary)
        except ZooError as error:
            if not target.is_dir():
                raise ZooError(f"{error} ZOO_HOME names the folder of the cache.") from error
        except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
            raise ZooError(f"{pack} is damaged ({error}). Install its package again.") from error


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Extracts files and folders; a pack contains nothing else.

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
            raise tarfile.TarError(f"{quoted(member.name)} is not a file or folder inside it")
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
