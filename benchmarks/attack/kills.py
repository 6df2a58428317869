"""Tests commands that are killed and repeated, and several trainings in one folder.

`python -m benchmarks.attack.kills FOLDER` does a part of them in a separate process, which
forks (see `forks`) and so must not have used TensorFlow.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import forks
from benchmarks.compare import differences
from benchmarks.disturb import names
from zoo import files
from zoo.errors import ZooError

RECIPES = ("adding-simplernn", "digits-mlp")
COMMANDS = {"train": 4, "evaluate": 2, "export": 2, "pack": 2}  # and their shares of the kills
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
SETTINGS = ("epochs=3", "batch_size=4", "patience=0", "units=8")
TRIES = 4  # each time earlier, where the command was over before
POLL = 0.002  # seconds


@dataclasses.dataclass(frozen=True)
class Kill:
    """A drawn kill.

    Attributes:
      number: of it.
      command: `"train"`, …
      recipe: which is trained, or was.
      signum: the signal.
      where: the share of the changes in its folder that have been seen then.
      delay: after the last of them, as a share of the time between two.
    """

    number: int
    command: str
    recipe: str
    signum: int
    where: float
    delay: float


def plan(count: int, seed: int) -> list[Kill]:
    """Draws kills: commands by their shares, recipes and signals in turn."""
    draw = random.Random(f"{seed} kills")
    turns = [name for name, share in COMMANDS.items() for _ in range(share)]
    return [
        Kill(
            number,
            turns[number % len(turns)],
            RECIPES[(number // len(turns)) % len(RECIPES)],
            int(SIGNALS[draw.randrange(len(SIGNALS))]),
            draw.random(),
            draw.random(),
        )
        for number in range(count)
    ]


@dataclasses.dataclass(frozen=True)
class Whole:
    """An undisturbed command: its seconds, changes in its folder, and result."""

    seconds: float
    changes: int
    result: Any


def arguments(command: str, recipe: str, base: Path, target: Path) -> list[str]:
    """Returns a command line that reads `base` and writes to `target`."""
    run = str(base / recipe)
    return {
        "train": [
            *("train", recipe, "--data=sample", "--deterministic", "--no-baselines"),
            *("--checkpoint-seconds=0", "-o", str(target)),
            *(f"--set={setting}" for setting in SETTINGS),
        ],
        "evaluate": ["evaluate", run, "--no-baselines", "--json"],
        "export": ["export", run, str(target)],
        "pack": ["pack", run, str(target)],
    }[command]


def watched(action: Callable[[], object], log: Path, target: Path, kill: Callable[..., bool],
            signum: int = 0) -> tuple[int, float, int]:  # fmt: skip
    """Calls an action in a fork and kills it when `kill(seconds, changes)` says so.

    Returns:
      Its exit code, the seconds it ran, and the changes that were seen in the folder.
    """
    before, changes, began = set(names(target)), 0, time.monotonic()
    process = forks.start(action, log)
    killed = False
    while (code := forks.poll(process)) is None:
        now = set(names(target))
        changes += len(now ^ before)
        before = now
        if not killed and kill(time.monotonic() - began, changes):
            os.kill(process, signum)
            killed = True
        if time.monotonic() - began > forks.LIMIT:
            os.kill(process, signal.SIGKILL)
        time.sleep(POLL)
    return code, time.monotonic() - began, changes


class Arena:
    """Where the kills of a process take place: reference runs, and how commands end undisturbed.

    Args:
      folder: to work in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = folder / "base"
        self.base.mkdir(parents=True)
        self.whole: dict[tuple[str, str], Whole] = {}

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def prepare(self, command: str, recipe: str) -> Whole:
        """Returns the outcome of a command without disturbance; runs it if necessary.

        Raises:
          ZooError: it fails.
        """
        if (command, recipe) not in self.whole:
            if command != "train":
                self.prepare("train", recipe)
            target = self.base / recipe if command == "train" else self.folder / "whole"
            line = forks.command(arguments(command, recipe, self.base, target))
            code, seconds, changes = watched(line, self.log, target, lambda *_: False)
            if code:
                raise ZooError(f"The undisturbed {command} failed: {self.said()}")
            result = self.result(command, recipe, target)
            self.whole[command, recipe] = Whole(seconds, changes, result)
            if command != "train":
                shutil.rmtree(target, ignore_errors=True)
        return self.whole[command, recipe]

    def said(self) -> str:
        """Returns the end of what the last command printed."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(line for line in lines[-3:])[-500:]

    def result(self, command: str, recipe: str, target: Path) -> Any:
        """Returns what a command made, to be compared; "" where it is in the reference's folder."""
        if command == "evaluate":
            text = self.log.read_text(errors="replace")
            return json.loads(text[text.index("{\n") :])
        if command == "export":
            return [self.answers(path) for path in files.visible(target)][-1]
        if command == "pack":
            entry = files.read_json(target / "manifest.json")[recipe]
            packed = target / entry["file"]
            if hashlib.sha256(packed.read_bytes()).hexdigest() != entry["sha256"]:
                return "the manifest has another checksum than the file"
            with files.scratch_folder(self.folder, "unpacked-") as folder:
                with tarfile.open(packed) as archive:
                    archive.extractall(folder)
                return {"score": entry["score"], "answers": self.answers(folder)}
        return ""

    def answers(self, model: Path) -> Any:
        """Returns the answers of a model to its sample, or its error."""
        kept = self.folder / "answers.json"

        def write() -> None:
            import zoo

            try:
                predictor = zoo.load(model)
                sample = predictor.recipe.data(predictor.config).sample()
                found: Any = predictor.predict({n: sample[n] for n in predictor.input_names})
            except ZooError as error:
                found = str(error)
            files.write_json(kept, found)

        code = forks.call(write, self.log)
        return files.read_json(kept) if code == 0 else f"ended with {code}: {self.said()}"

    def attack(self, kill: Kill) -> dict[str, Any]:
        """Kills a command and gives it again."""
        whole = self.prepare(kill.command, kill.recipe)
        target = self.folder / f"target-{kill.number}"
        line = forks.command(arguments(kill.command, kill.recipe, self.base, target))
        record: dict[str, Any] = {
            "command": kill.command,
            "recipe": kill.recipe,
            "signal": signal.Signals(kill.signum).name,
        }
        for attempt in range(TRIES):
            moment = _moment(kill, whole, 2**attempt)
            code, seconds, _ = watched(line, self.log, target, moment, kill.signum)
            if code:
                break
            shutil.rmtree(target, ignore_errors=True)
        record |= {"seconds": round(seconds, 3), "code": code}
        problems = []
        text = self.log.read_text(errors="replace")
        if code not in (-kill.signum, 128 + kill.signum):
            problems.append(f"it ended with {code}: {self.said()}")
        if "Traceback" in text:
            problems.append(f"it printed a traceback: {self.said()}")
        if kill.command == "export" and target.exists():
            found = [self.answers(path) for path in files.visible(target)]
            problems += [f"half a version: {each}" for each in found if each != whole.result]
        again = forks.call(line, self.log)
        if again:
            problems.append(f"the same command then ended with {again}: {self.said()}")
        else:
            problems += self.compare(kill, whole, target)
        shutil.rmtree(target, ignore_errors=True)
        return {**record, "problems": problems}

    def compare(self, kill: Kill, whole: Whole, target: Path) -> list[str]:
        """Returns the differences from the result of an undisturbed command."""
        if kill.command == "train":
            return differences(target, self.base / kill.recipe)
        problems = []
        result = self.result(kill.command, kill.recipe, target)
        if result != whole.result:
            problems.append(f"another result: {str(result)[:300]}")
        left = [path.name for path in target.glob(".*")] if target.exists() else []
        scratch = files.home() / "tmp"
        left += [path.name for path in scratch.glob("*")] if scratch.exists() else []
        if left and kill.command in ("export", "pack"):
            problems.append(f"left over: {', '.join(left)}")
        return problems

    def contest(self, kind: str, recipe: str) -> dict[str, Any]:
        """Starts a second command in the folder of a training that runs."""
        self.prepare("train", recipe)
        target = self.folder / "contest"
        lines = arguments("train", recipe, self.base, target)
        first = forks.start(forks.command(lines), self.folder / "first.log")
        if kind != "two at once":
            until = time.monotonic() + forks.LIMIT
            while not list(target.glob("checkpoint/[0-9]*.npz")) and time.monotonic() < until:
                time.sleep(POLL)
            os.kill(first, signal.SIGSTOP)  # it must not be over before the second begins
        other = {
            "--overwrite": [*lines, "--overwrite"],
            "--overwrite, another seed": [*lines, "--overwrite", "--seed=9"],
            "export meanwhile": ["export", str(target), str(self.folder / "meanwhile")],
            "evaluate meanwhile": ["evaluate", str(target), "--no-baselines"],
        }.get(kind, lines)
        second = forks.start(forks.command(other), self.log)
        codes = []
        if kind != "two at once":
            codes.append(forks.wait(second))
            os.kill(first, signal.SIGCONT)
        codes.insert(0, forks.wait(first))
        codes = codes if len(codes) > 1 else [*codes, forks.wait(second)]
        said = self.said(), (self.folder / "first.log").read_text(errors="replace")[-500:]
        problems = []
        refused = [text for code, text in zip(codes, reversed(said), strict=True) if code]
        if "meanwhile" in kind:
            if codes[0] or codes[1] not in (0, 1):
                problems.append(f"they ended with {codes}: {said}")
        elif sorted(codes) != [0, 1] or not all("Another training runs" in t for t in refused):
            problems.append(f"they ended with {codes}: {said}")
        if any("Traceback" in text for text in said):
            problems.append(f"a traceback: {said}")
        problems += differences(target, self.base / recipe)
        for folder in (target, self.folder / "meanwhile"):
            shutil.rmtree(folder, ignore_errors=True)
        return {"kind": kind, "recipe": recipe, "codes": codes, "problems": problems}


CONTESTS = ("two at once", "one later", "--overwrite", "--overwrite, another seed",
            "export meanwhile", "evaluate meanwhile")  # fmt: skip


def _moment(kill: Kill, whole: Whole, earlier: int) -> Callable[[float, int], bool]:
    """Returns a function that tells whether to kill now; `earlier` divides the moment."""
    due = int(kill.where * (whole.changes + 1)) // earlier
    delay = kill.delay * whole.seconds / (whole.changes + 1) / earlier
    seen: list[float] = []

    def come(seconds: float, changes: int) -> bool:
        if changes >= due and not seen:
            seen.append(seconds)
        return bool(seen) and seconds >= seen[0] + delay

    return come


def attack_kills(
    count: int,
    seed: int,
    folder: Path,
    log: Callable[[str], None],
    *,
    contests: Sequence[str] = CONTESTS,
    jobs: int = 2,
) -> dict[str, Any]:
    """Kills commands, and starts trainings where others run.

    Args:
      count: kills.
      seed: of their moments.
      folder: to work in.
      log: called with a line at the end.
      contests: kinds of them, each for one recipe in turn.
      jobs: processes at a time.

    Returns:
      Counts by command and signal, and the failures.
    """
    kills = [dataclasses.asdict(kill) for kill in plan(count, seed)]
    pairs = [(kind, RECIPES[number % len(RECIPES)]) for number, kind in enumerate(contests)]
    processes = []
    for job in range(jobs):
        place = folder / f"job-{job}"
        place.mkdir(parents=True)
        files.write_json(place / "plan.json", [kills[job::jobs], pairs[job::jobs]])
        environment = {**os.environ, "ZOO_HOME": str(place / "home"), "TF_CPP_MIN_LOG_LEVEL": "3"}
        with open(place / "out", "w") as out:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.attack.kills", str(place)],
                    env=environment,
                    stdout=out,
                    stderr=out,
                )
            )
    for job, process in enumerate(processes):
        if process.wait():
            text = (folder / f"job-{job}" / "out").read_text(errors="replace")
            raise ZooError(f"The kills ended with {process.returncode}: {text.strip()[-500:]}")
    results = [files.read_json(folder / f"job-{job}" / "result.json") for job in range(jobs)]
    done = [each for result in results for each in result["kills"]]
    contested = [each for result in results for each in result["contests"]]
    counts: dict[str, dict[str, int]] = {}
    for each in done:
        by_signal = counts.setdefault(each["command"], {})
        by_signal[each["signal"]] = by_signal.get(each["signal"], 0) + 1
    failures = [each for each in [*done, *contested] if each["problems"]]
    log(f"{len(done)} kills, {len(contested)} contests, {len(failures)} failures")
    return {
        "kills": len(done),
        "commands": counts,
        "contests": {kind: sum(e["kind"] == kind for e in contested) for kind in contests},
        "failures": failures,
    }


def main(place: Path) -> None:
    """Does a part of the kills and contests: `plan.json` in a folder to `result.json`."""
    forks.warm()
    kills, pairs = files.read_json(place / "plan.json")
    arena = Arena(place / "arena")
    result: dict[str, list] = {"kills": [], "contests": []}
    for each in kills:
        result["kills"].append(arena.attack(Kill(**each)))
        print(result["kills"][-1], flush=True)
    for pair in pairs:
        result["contests"].append(arena.contest(*pair))
        print(result["contests"][-1], flush=True)
    files.write_json(place / "result.json", result)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
