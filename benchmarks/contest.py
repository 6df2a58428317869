"""Compares a recipe with what a user may pick instead, on the same rows, in one run.

Each contestant of `benchmarks.families` trains in a process of its own, and answers in another one,
both with one thread. The test split is read once, by the trained model.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.families import FAMILIES, Contestant, Family
from zoo import files
from zoo.data.splits import SPLITS
from zoo.environment import environment, install_extra
from zoo.errors import UsageError, ZooError, suggest
from zoo.registry import get_recipe
from zoo.training.other_load import OtherLoad, described

SINGLE = 100  # rows that are answered one by one
_ONE_THREAD = dict.fromkeys(
    (
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
        *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    ),
    "1",
)


def contest(
    family: str,
    output: str | Path,
    *,
    seed: int = 0,
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Trains and scores the contestants of a family, one after the other.

    Args:
      family: a key of `FAMILIES`.
      output: JSON file to write.
      seed: of each training.
      log: called with a line for each contestant.

    Returns:
      What it writes. For each contestant in `contestants`:
      `score` on the test split, and `validation_score`;
      `cpu_seconds`: of the process that trains, without reading the dataset;
      `seconds`: the same on the wall clock; `other_cores` and `idle` meanwhile, see
      `zoo.training.other_load`;
      `megabytes`: of the saved model, 10^6 bytes;
      `milliseconds`: median of single answers;
      `ready_seconds`: of a new process until its first answer;
      `versions`, and `facts` that its training returns.

    Raises:
      UsageError: there is no such family.
      ZooError: a contestant failed, or needs a package that is not installed.
    """
    if family not in FAMILIES:
        raise UsageError(f"There is no family {family!r}.{suggest(family, FAMILIES)}")
    chosen = FAMILIES[family]
    recipe = get_recipe(chosen.recipe)
    for each in chosen.contestants:
        versions(each)  # before hours are spent
    splits = recipe.dataset.load(chosen.data)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        # The processes do not read the dataset, because PyTorch crashes beside TensorFlow.
        place = Path(temporary) / "splits.json"
        parts = {part: dict(getattr(splits, part)) for part in SPLITS}
        place.write_text(json.dumps(parts), encoding="utf-8")
        for each in chosen.contestants:
            log(f"{each.title} …")
            seconds = rows[0]["cpu_seconds"] if each.equal_time else None
            rows.append(measure(family, each, place, seed, seconds))
            log(f"  {recipe.metric.text(rows[-1]['score'])}, {rows[-1]['cpu_seconds']:.0f} s")
    result = {
        "kind": "peers",
        "family": family,
        "metric": recipe.metric.name,
        "better": recipe.metric.better,
        "contestants": rows,
        "seed": seed,
        "data": splits.describe(),
        "environment": environment(),
    }
    files.write_json(Path(output), result)
    return result


def versions(contestant: Contestant) -> dict[str, str]:
    """Returns the versions of what a contestant needs.

    Raises:
      ZooError: something is missing.
    """
    found = {}
    for package in contestant.needs:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            raise ZooError(
                f"{contestant.title} needs {package}, which is not installed. "
                f"{install_extra('bench')} brings it."
            ) from None
    return found


def measure(
    family: str, contestant: Contestant, splits: Path, seed: int, seconds: float | None
) -> dict[str, Any]:
    """Trains and scores one contestant on the rows in a file; returns its row of `contest`."""
    place = FAMILIES[family].contestants.index(contestant)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        given = {"family": family, "contestant": place, "folder": str(folder), "seed": seed}
        given["splits"] = str(splits)
        trained = _in_a_process("train", {**given, "seconds": seconds})
        answered = _in_a_process("answer", given)
        model = folder / "model"
        saved = model.rglob("*") if model.is_dir() else folder.rglob("*")
        size = sum(path.stat().st_size for path in saved if path.is_file())
    return {
        "title": contestant.title,
        "source": contestant.source,
        "settings": dict(contestant.settings),
        "versions": versions(contestant),
        "megabytes": size / 1e6,
        **trained,
        **answered,
    }


def _in_a_process(work: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Calls a function of `_WORKS` in a new process; returns its result."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.contest", work, json.dumps(given)],
        env={**os.environ, **_ONE_THREAD},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ZooError(f"The contestant failed ({work}, exit code {done.returncode}): {last}")
    return json.loads(done.stdout.splitlines()[-1])


def _open(given: Mapping[str, Any]) -> tuple[Family, Contestant, Any]:
    """Returns the family, the contestant and the splits."""
    family = FAMILIES[given["family"]]
    contestant = family.contestants[given["contestant"]]
    parts = json.loads(Path(given["splits"]).read_text(encoding="utf-8"))
    return family, contestant, types.SimpleNamespace(**parts)


def train(given: Mapping[str, Any]) -> dict[str, Any]:
    """Trains in this process; see `contest`."""
    _, contestant, splits = _open(given)
    load = OtherLoad()
    cpu, wall = time.process_time(), time.perf_counter()
    seconds = given["seconds"]
    facts = importlib.import_module(contestant.module).train(
        splits,
        Path(given["folder"]),
        given["seed"],
        None if seconds is None else cpu + seconds,
        **contestant.settings,
    )
    return {
        "cpu_seconds": time.process_time() - cpu,
        "seconds": time.perf_counter() - wall,
        **described(load.cores()),
        "facts": facts,
    }


def answer(given: Mapping[str, Any]) -> dict[str, Any]:
    """Loads a model in this process and scores it; see `contest`."""
    family, contestant, splits = _open(given)
    begun = time.perf_counter()
    answers = importlib.import_module(contestant.module).load(Path(given["folder"]))
    example = {"text": ["A first answer."], "tokens": [["A", "first", "answer", "."]]}
    answers({name: example[name] for name in family.columns})
    ready = time.perf_counter() - begun

    def columns_of(split: dict[str, Any]) -> dict[str, Any]:
        return {name: split[name] for name in family.columns}

    columns = columns_of(splits.test)
    times = []
    for row in range(min(SINGLE, len(columns[family.columns[0]]))):
        one = {name: column[row : row + 1] for name, column in columns.items()}
        begun = time.perf_counter()
        answers(one)
        times.append(time.perf_counter() - begun)
    return {
        "ready_seconds": ready,
        "milliseconds": 1_000 * statistics.median(times),
        "validation_score": family.score(splits.validation, answers(columns_of(splits.validation))),
        "score": family.score(splits.test, answers(columns)),
    }


_WORKS = {"train": train, "answer": answer}


def table(result: Mapping[str, Any]) -> str:
    """Returns the table of a result of `contest`."""
    from benchmarks.score_tables import arrow, metric_name, number

    rows = result["contestants"]
    scores = [each["score"] for each in rows]
    best = max(scores) if result["better"] == "higher" else min(scores)
    lines = [
        f"| on {result['data']['title']} | {metric_name(result['metric'])} {arrow(dict(result))} "
        "| CPU s to train | MB | ms, one row | s until the first answer |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for each in rows:
        score = number(each["score"], best, result["metric"])
        seconds = f"{each['cpu_seconds']:,.{1 if each['cpu_seconds'] < 10 else 0}f}"
        lines.append(
            f"| {each['title']} | {score} | {seconds} | {each['megabytes']:.1f} "
            f"| {each['milliseconds']:.2f} | {each['ready_seconds']:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(_WORKS[sys.argv[1]](json.loads(sys.argv[2]))))
