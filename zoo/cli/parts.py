"""`zoo predict --ray`: the answers of a large file in parts, by the workers of a Ray cluster.

Ray Data hands the parts out. A part that is there is not answered again, so that the same command
goes on after a failure.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from zoo import files
from zoo.cli.answers import cell_of, merged, rounded, write
from zoo.errors import UsageError, ZooError

_STATED = "parts.json"  # of what the parts in a folder are the answers


def predict_parts(
    model: str,
    source: str,
    folder: str,
    workers: int,
    rows: int,
    columns: Mapping[str, str],
    log: Callable[[str], None],
) -> None:
    """Answers a file in parts of some rows, `part-00000.jsonl`, …: their rows are in its order.

    Args:
      model: a run folder or an export, which all machines see.
      source: .csv, .tsv or .jsonl file, or .txt, which all machines see.
      folder: of the parts, which all machines see.
      workers: how many answer at a time.
      rows: of a part.
      columns: our column name to the file's.
      log: takes a line on how far it is.

    Raises:
      UsageError: Ray is missing, or a file or a folder that cannot be used.
      ZooError: a part cannot be answered.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise UsageError("--ray needs Ray: pip install '.[ray]'.") from None
    if not Path(model).exists():
        raise UsageError(
            f"{model!r} does not exist. --ray needs a run folder or an export that all machines "
            "can read."
        )
    path, into = files.expanded(source).resolve(), Path(folder).resolve()
    parts = list(find_parts(path, rows))
    stated = {"source": path.name, "bytes": path.stat().st_size, "rows": rows, "model": model}
    if columns:
        stated["columns"] = dict(columns)
    into.mkdir(parents=True, exist_ok=True)
    if not (into / _STATED).exists():
        if files.visible(into):
            raise UsageError(f"{folder} holds other files. Choose an empty or a new folder.")
        files.write_json(into / _STATED, stated)
    elif files.read_json(into / _STATED) != stated:
        raise UsageError(
            f"{folder} holds answers to another file, or by another model, size of parts or "
            "--column. Choose a new folder."
        )
    left = [
        {"number": number, "start": start, "end": end}
        for number, (start, end) in enumerate(parts)
        if not part_file(into, number).exists()
    ]
    log(f"{len(parts)} parts, {len(parts) - len(left)} of them already answered")
    if not left:
        return
    where = {"model": str(Path(model).resolve()), "source": str(path), "folder": str(into)}
    try:
        answered = ray.data.from_items(left, override_num_blocks=len(left)).map(
            Answering,
            fn_constructor_kwargs={**where, "columns": dict(columns)},
            concurrency=workers,
            num_cpus=1,
        )
        wrong = [row["problem"] for row in answered.iter_rows() if row["problem"]]
    except ray.exceptions.RayError as error:
        raise ZooError(f"Ray has failed: {str(error).strip().splitlines()[-1]}") from error
    if wrong:
        raise ZooError(f"{len(wrong)} of {len(parts)} parts have no answers; the first: {wrong[0]}")


def part_file(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.jsonl"


def find_parts(path: Path, rows: int) -> Generator[tuple[int, int], None, None]:
    """Yields from which byte to which each part of a file goes, without the header of a table.

    Raises:
      UsageError: no such file, or one of another kind.
      ZooError: it has no rows.
    """
    if path.suffix.lower() not in (".csv", ".tsv", ".jsonl", ".txt"):
        raise UsageError(f"{path.name}: --ray reads .csv, .tsv, .jsonl and .txt files.")
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    table = path.suffix.lower() in (".csv", ".tsv")
    start = end = count = 0
    quoted, header = False, table
    with open(path, "rb") as file:
        for line in file:
            end += len(line)
            if table:  # inside of quotes, a line does not end its row
                quoted ^= line.count(b'"') % 2 == 1
            if quoted:
                continue
            if header:
                start, header = end, False
                continue
            count += 1
            if count % rows == 0:
                yield start, end
                start = end
    if start < end:
        yield start, end
    elif not count:
        raise ZooError(f"{path.name} has no rows: there is nothing to answer.")


class Answering:
    """Answers parts of a file, in a process of Ray.

    Args:
      model: run folder or export.
      source: the file.
      folder: of the answers.
      columns: our column name to the file's.
    """

    def __init__(self, model: str, source: str, folder: str, columns: dict[str, str]) -> None:
        from zoo.cli import options

        options.import_tensorflow()
        from zoo.serving import load

        self.predictor = load(model)
        self.source, self.folder, self.columns = Path(source), Path(folder), columns

    def __call__(self, part: dict[str, Any]) -> dict[str, Any]:
        """Returns the part's number and, where it has no answers, the `problem`."""
        problem = ""
        try:
            self.answer(int(part["number"]), int(part["start"]), int(part["end"]))
        except ZooError as error:
            problem = f"part {part['number']}: {error}"
        return {"number": part["number"], "problem": problem}

    def answer(self, number: int, start: int, end: int) -> None:
        if self.predictor.recipe.reads_input:
            raise UsageError("--ray does not read files of sound, pictures or prices.")
        names = self.predictor.input_names
        if unknown := sorted(set(self.columns) - set(names)):
            raise UsageError(f"Unknown column {unknown[0]!r}; the model takes {', '.join(names)}.")
        rows = self._read(start, end)
        requests = {
            name: [cell_of(row, self.columns.get(name, name)) for row in rows] for name in names
        }
        answers = self.predictor.predict(requests)
        with (
            files.atomic_write(part_file(self.folder, number)) as temporary,
            open(temporary, "w", encoding="utf-8") as file,
        ):
            write(file, merged(rows, [rounded(each) for each in answers], flat=False), ".jsonl")

    def _read(self, start: int, end: int) -> list[dict[str, Any]]:
        from zoo.data.tables import read_rows

        with open(self.source, "rb") as file:
            header = b""
            if self.source.suffix.lower() in (".csv", ".tsv"):
                with contextlib.closing(find_parts(self.source, 1)) as cut:
                    header = file.read(next(cut)[0])
            file.seek(start)
            text = file.read(end - start)
        try:
            (header + text).decode("utf-8")
        except UnicodeDecodeError:
            raise UsageError(
                f"{self.source.name} is not UTF-8, which --ray needs. Convert it, or answer it "
                "without --ray."
            ) from None
        names = self.predictor.input_names
        if self.source.suffix.lower() == ".txt":
            lines = text.decode("utf-8" if start else "utf-8-sig").removesuffix("\n").split("\n")
            return [{names[0]: line.removesuffix("\r")} for line in lines]
        with files.temporary_folder() as folder:
            part = folder / self.source.name
            part.write_bytes(header + text)
            return read_rows(part, {name: self.columns.get(name, name) for name in names})
