"""Recovery of runs that are killed, run out of disk space or find damaged files.

An undisturbed run is the reference. Each case disturbs its own run, starts the same command
again, and compares every array, the history and the test scores with the reference's, bit for
bit. The cases are in `benchmarks.cases`.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import disturb
from benchmarks.cases import CASES, Bench, Case, export, train
from benchmarks.disturb import watch
from benchmarks.paths import basenames_only
from zoo import files
from zoo.environment import environment
from zoo.errors import ZooError

# Many steps per epoch with few rows, several epochs, no early stopping; `--set` changes it.
SETTINGS = {"epochs": "4", "batch_size": "4", "patience": "0"}
EVERY = 0.5  # seconds between checkpoints inside an epoch


def recovery(
    name: str,
    output: str | Path,
    *,
    kills: int = 20,
    seed: int = 0,
    data: str | None = None,
    settings: Mapping[str, str] | None = None,
    jobs: int = 1,
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Disturbs runs of a recipe on a small real part of its data, and reports which recover.

    Args:
      name: of the recipe.
      output: JSON file to write.
      kills: how many runs and exports are killed once, besides the other cases.
      seed: of the moments, and of the training.
      data: source; the recipe's first if None.
      settings: fields of the config to change, over `SETTINGS`.
      jobs: runs at the same time.
      log: called with a line for each case as it ends.

    Returns:
      What it writes: the cases with their results, and how many are equal (`equal` of `all`).

    Raises:
      ZooError: the undisturbed run failed, is too short, or a process did not end.
    """
    chosen = [f"--set={key}={value}" for key, value in {**SETTINGS, **(settings or {})}.items()]
    arguments = [
        *(name, "--tiny", "--deterministic", "--no-baselines", f"--seed={seed}"),
        *(f"--checkpoint-seconds={EVERY}", *chosen, *([f"--data={data}"] if data else [])),
    ]
    with files.temporary_folder() as folder:
        reference = folder / "reference"
        trained = watch(train(arguments, reference), reference)
        exported = watch(export(reference, folder / "export"), folder / "export")
        for outcome in (trained, exported):
            if outcome.code:
                raise ZooError(f"The undisturbed run failed: {outcome.err.strip()}")
        log(f"undisturbed: {trained.seconds:.0f} s, export {exported.seconds:.0f} s")
        bench = Bench(arguments, folder, seed, disturb.mountable(), trained, exported)

        def run(case: Case) -> dict[str, Any]:
            try:
                result = case(bench)
            except ZooError as error:  # keep the results of the other cases
                title = getattr(case, "func", case).__name__.strip("_").replace("_", " ")
                result = {"case": title, "equal": False, "differences": [str(error)]}
            status = {None: "not tried", True: "equal", False: "NOT EQUAL"}[result["equal"]]
            log(f"{result['case']}: {status}")
            return result

        cases = [case for make in CASES for case in make(bench, kills)]
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            try:
                results = [*pool.map(run, cases)]
            except BaseException:  # Ctrl-C, too: start no other case
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        data_used = files.read_json(reference / "data.json")
    tried = [case for case in results if case["equal"] is not None]
    result = {
        "kind": "recovery",
        "recipe": name,
        "equal": sum(case["equal"] for case in tried),
        "all": len(tried),
        "kills": sum(len(case.get("kills", [])) for case in tried),
        "undisturbed_seconds": round(trained.seconds, 1),
        "cases": results,
        "seed": seed,
        "settings": {**SETTINGS, **(settings or {})},
        "data": basenames_only(data_used),
        "environment": environment(),
    }
    files.write_json(Path(output), result)
    return result
