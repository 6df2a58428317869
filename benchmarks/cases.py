"""Cases that disturb runs, to test whether they recover.

A case is a function that disturbs its own run, starts the same command again and returns what it
observed. Cases may run in parallel. Each function in `CASES` returns some of them.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import disturb
from benchmarks.compare import differences
from benchmarks.disturb import Aim, Outcome, watch
from benchmarks.moments import Kill, aim, plan
from zoo import files
from zoo.errors import ZooError

IN_A_ROW = 3  # kills of one run
BOUND = 60.0  # seconds within which a run must end after the loss of a worker
FULL = 3  # disks that fill up at three different times
CHECKPOINT = r"checkpoint/(\d{5})-(\d{8})\.npz"
INSIDE = r"checkpoint/00001-(?!0{8})\d{8}\.npz"  # a checkpoint inside the second epoch


@dataclasses.dataclass(frozen=True)
class Bench:
    """State shared by the cases.

    Attributes:
      arguments: of `zoo train`, but for the folder.
      folder: to work in.
      seed: of the moments.
      mountable: whether small disks can be mounted.
      trained: how the undisturbed run went, which is in `reference`.
      exported: how its export went, which is in `version`.
    """

    arguments: list[str]
    folder: Path
    seed: int
    mountable: bool
    trained: Outcome
    exported: Outcome

    @property
    def reference(self) -> Path:
        return self.folder / "reference"


Case = Callable[[Bench], dict[str, Any]]


def train(arguments: Sequence[str], run: Path) -> list[str]:
    return [sys.executable, "-m", "zoo", "train", *arguments, "-o", str(run)]


def export(run: Path, folder: Path) -> list[str]:
    return [sys.executable, "-m", "zoo", "export", str(run), str(folder)]


def single_kills(bench: Bench, kills: int) -> list[Case]:
    """Kills each run or export once by SIGKILL, at the moments of the plan."""
    return [
        functools.partial(_killed_export if kill.phase == "export" else _killed_run, number, kill)
        for number, kill in enumerate(plan(kills, bench.seed))
    ]


def _killed_run(number: int, kill: Kill, bench: Bench) -> dict[str, Any]:
    run = bench.folder / f"kill-{number}"
    chosen = aim(kill, bench.trained.events, bench.trained.seconds)
    record = _kill_record(_kill(train(bench.arguments, run), run, chosen))
    return {"case": f"SIGKILL, {kill.phase}", "kills": [record], **_rerun(bench, run)}


def _killed_export(number: int, kill: Kill, bench: Bench) -> dict[str, Any]:
    """Kills `zoo export`: there must be no version or a complete one; the next one is complete."""
    folder = bench.folder / f"export-{number}"
    command = export(bench.reference, folder)
    expected = _answers(bench.folder / "export")
    outcome = _kill(command, folder, aim(kill, bench.exported.events, bench.exported.seconds))
    problems = []
    versions = files.visible(folder) if folder.exists() else []
    if versions and _answers(folder) != expected:
        problems.append("the version after the kill is not complete")
    second = watch(command, folder)
    if second.code or len(files.visible(folder)) != len(versions) + 1:
        problems.append(_error_text(second) or "there is no new version")
    elif _answers(folder) != expected:
        problems.append("the version written afterwards is not complete")
    record = {"seconds": round(outcome.seconds, 3), "folder": outcome.remaining}
    shutil.rmtree(folder)
    return {
        "case": "SIGKILL, export",
        "kills": [record],
        "equal": not problems,
        "differences": problems,
    }


def _answers(model: Path) -> list[dict[str, Any]] | str:
    """Returns the answers of the newest version of an export to the sample, or its error."""
    import zoo

    try:
        predictor = zoo.load(model)
        sample = predictor.recipe.data(predictor.config).sample()
        return predictor.predict({name: sample[name] for name in predictor.input_names})
    except ZooError as error:
        return str(error)


def kills_in_a_row(bench: Bench, kills: int) -> list[Case]:
    """Kills one run repeatedly."""
    return [_killed_in_a_row]


def _killed_in_a_row(bench: Bench) -> dict[str, Any]:
    run, draw, seen = bench.folder / "row", random.Random(bench.seed), []
    for _ in range(IN_A_ROW):
        chosen = Aim(CHECKPOINT, draw.randint(1, 3), draw.random())
        outcome = watch(train(bench.arguments, run), run, chosen)
        if not outcome.killed:
            raise ZooError(f"The run was over before {chosen}. Make it last longer.")
        seen.append(_kill_record(outcome))
    return {"case": f"SIGKILL, {IN_A_ROW} times in a row", "kills": seen, **_rerun(bench, run)}


def full_disks(bench: Bench, kills: int) -> list[Case]:
    """Disks with space for only a part of the run."""
    draw = random.Random(bench.seed)
    fractions = [0.1 + 0.7 * (number + draw.random()) / FULL for number in range(FULL)]
    return [
        functools.partial(_full_disk, number, fraction) for number, fraction in enumerate(fractions)
    ]


def _full_disk(number: int, fraction: float, bench: Bench) -> dict[str, Any]:
    run = bench.folder / f"full-{number}" / "run"
    command = train(bench.arguments, run)
    if bench.mountable:
        # Two models and two checkpoints, which are as large, at least.
        size = 4 * fraction * (bench.reference / "model-last.keras").stat().st_size
        with disturb.small_disk(run.parent, int(size / 1024)) as remount:
            outcome = watch(command, run)
            remount("size=90%")
            result = _rerun(bench, run)
        return {
            "case": "disk full",
            "how": f"a disk in memory of {size / 1e6:.1f} MB, then a larger one",
            **_with_failure(outcome, result),
        }
    size = fraction * (bench.reference / "model-last.keras").stat().st_size

    def limit(process: subprocess.Popen) -> None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (int(size), int(size)))

    outcome = watch(command, run, on_start=limit)
    return {
        "case": "disk full",
        "how": f"no disk can be mounted here: no file may be larger than {size / 1e6:.1f} MB, "
        "then any",
        **_with_failure(outcome, _rerun(bench, run)),
    }


def read_only(bench: Bench, kills: int) -> list[Case]:
    """A disk that is read-only from the start, and one that becomes read-only during a run."""
    return [functools.partial(_read_only, begun) for begun in (False, True)]


def _read_only(begun: bool, bench: Bench) -> dict[str, Any]:
    case = f"read-only disk, {'in the middle of a run' if begun else 'from the beginning'}"
    if not bench.mountable:
        return {"case": case, "how": "not tried: no disk can be mounted here", "equal": None}
    folder = bench.folder / f"read-only-{begun}"
    run = folder / "run"
    with disturb.small_disk(folder, 1 << 20) as remount:
        if begun:
            _kill(train(bench.arguments, run), run, Aim(INSIDE, 1, 0.0))
        remount("ro")
        outcome = watch(train(bench.arguments, run), run)
        remount("rw")
        result = _rerun(bench, run)
    return {"case": case, "how": "a disk in memory", **_with_failure(outcome, result)}


def damages(bench: Bench, kills: int) -> list[Case]:
    """Copies of a run that was killed in its second epoch, each with a file damaged."""
    killed = bench.folder / "killed"
    _kill(train(bench.arguments, killed), killed, Aim(INSIDE, 1, 0.0))
    newest, before = sorted((killed / "checkpoint").glob("[0-9]*.npz"), reverse=True)[:2]
    checkpoints = [str(path.relative_to(killed)) for path in (newest, before)]
    return [
        functools.partial(_damaged, number, *chosen)
        for number, chosen in enumerate((
            ("newest checkpoint cut short", disturb.cut, checkpoints[:1], "one before"),
            ("bit flipped in the newest checkpoint", disturb.flip, checkpoints[:1], "one before"),
            ("bit flipped in both checkpoints", disturb.flip, checkpoints, "from the beginning"),
            ("bit flipped in model-best.keras", disturb.flip, ["model-best.keras"], "damaged"),
            ("model-last.keras cut short", disturb.cut, ["model-last.keras"], "resuming"),
            ("bit flipped in assets.json", disturb.flip, ["assets.json"], None),
        ))
    ]  # fmt: skip


def _damaged(
    number: int,
    case: str,
    damage: Callable[[Path], None],
    names: Sequence[str],
    expected: str | None,
    bench: Bench,
) -> dict[str, Any]:
    """Damages files; the run must print a message with `expected`, or refuse if that is None."""
    run, case = bench.folder / f"damaged-{number}", f"damaged file, {case}"
    shutil.copytree(bench.folder / "killed", run)
    for name in names:
        damage(run / name)
    if expected is None:
        outcome = watch(train(bench.arguments, run), run)
        for name in names:
            (run / name).unlink()
        return {"case": case, **_with_failure(outcome, _rerun(bench, run))}
    result = _rerun(bench, run)
    if not any(expected in line for line in result.get("said", [])):
        result["differences"].append(f"it did not say {expected!r}")
    return {"case": case, **result, "equal": not result["differences"]}


def killed_workers(bench: Bench, kills: int) -> list[Case]:
    """Runs of two workers of which one is killed: the chief, and the other."""
    whole = watch(_launch(bench, bench.folder / "workers"), bench.folder / "workers")
    if whole.code:
        raise ZooError(f"The undisturbed run of two workers failed: {whole.err.strip()}")
    return [functools.partial(_killed_worker, worker) for worker in (0, 1)]


def _launch(bench: Bench, run: Path) -> list[str]:
    python, *command = train(bench.arguments, run)
    return [python, "-m", "zoo", "launch", "--workers=2", "--", *command[2:]]


def _killed_worker(worker: int, bench: Bench) -> dict[str, Any]:
    run = bench.folder / f"worker-{worker}"
    started: list[int] = []

    def kill(process: subprocess.Popen) -> None:
        started.extend(disturb.children(process))
        os.kill(started[worker], signal.SIGKILL)

    outcome = watch(_launch(bench, run), run, Aim(INSIDE, 1, 0.0), kill=kill)
    if outcome.killed_at is None:
        raise ZooError("The run of two workers was over too soon. Make it last longer.")
    seconds = outcome.seconds - outcome.killed_at
    result = _rerun(bench, run, _launch(bench, run))
    if outcome.code <= 0 or seconds > BOUND:
        result["differences"].append(f"it ended with {outcome.code} after {seconds:.0f} s")
    if any(Path(f"/proc/{number}").exists() for number in started):
        result["differences"].append("a worker was left alone")
    return {
        "case": f"killed worker, {'the other' if worker else 'the chief'} of two",
        "kills": [_kill_record(outcome)],
        "stopped_after_seconds": round(seconds, 1),
        "code": outcome.code,
        "line": _error_text(outcome),
        **result,
        "equal": not result["differences"],
    }


def _kill(command: list[str], folder: Path, chosen: Aim) -> Outcome:
    """Kills a process; if it ended before, kills another one earlier, in a new folder."""
    for attempt in range(4):
        # Checkpoints depend on the clock: a faster run may have far fewer.
        nth, delay = max(1, chosen.nth // 2**attempt), chosen.delay / 2**attempt
        outcome = watch(command, folder, Aim(chosen.pattern, nth, delay))
        if outcome.killed:
            return outcome
        shutil.rmtree(folder)
    raise ZooError(f"No kill came in time ({chosen}). Make the run last longer.")


def _kill_record(outcome: Outcome) -> dict[str, Any]:
    """Returns the record of a kill: its time, the newest checkpoint, the files in the folder."""
    matches = [re.fullmatch(CHECKPOINT, name) for name in outcome.remaining]
    newest = [(int(match[1]), int(match[2])) for match in matches if match]
    return {
        "seconds": round(outcome.killed_at or outcome.seconds, 3),
        "checkpoint": dict(zip(("epochs", "steps"), max(newest), strict=True)) if newest else None,
        "folder": outcome.remaining,
    }


def _rerun(bench: Bench, run: Path, command: list[str] | None = None) -> dict[str, Any]:
    """Starts a run's command again, and compares its result with the reference."""
    outcome = watch(command or train(bench.arguments, run), run)
    if outcome.code:
        return {"equal": False, "differences": [_error_text(outcome) or str(outcome.code)]}
    lines = [line.strip() for line in outcome.out.splitlines()]
    differing = differences(run, bench.folder / "workers" if command else bench.reference)
    if not differing and run.parent == bench.folder:
        shutil.rmtree(run)
    return {
        "said": [line for line in lines if re.search("resuming|is damaged", line)],
        "equal": not differing,
        "differences": differing,
    }


def _error_text(outcome: Outcome) -> str:
    """Returns the printed errors, without the folders of this machine."""
    return re.sub(r"/\S*/(?=[^/\s]+/)", "…/", outcome.err.strip()[-2000:])


def _with_failure(outcome: Outcome, result: dict[str, Any]) -> dict[str, Any]:
    """Adds to a result how the command failed before, which must be one clear line."""
    if not outcome.failed_cleanly:
        result["differences"].append("it did not fail with exit code 1 and one line")
    return {
        "code": outcome.code,
        "line": _error_text(outcome),
        "left": outcome.remaining,
        **result,
        "equal": not result["differences"],
    }


CASES = (killed_workers, damages, full_disks, read_only, kills_in_a_row, single_kills)
