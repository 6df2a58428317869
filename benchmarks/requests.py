"""Times one request to each packed model; the models take turns."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.twins import interleaved
from zoo import files
from zoo.environment import environment
from zoo.registry import list_models
from zoo.serving import load
from zoo.serving.capabilities import ANSWER
from zoo.serving.export import sample_requests


def measure(
    output: str | Path,
    names: Sequence[str] = (),
    *,
    rounds: int = 10,
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measures how long `serving_default` takes for the first row of the recipe's sample.

    The time is measured from raw input to complete output, including preprocessing, beam search or
    the generation of a whole sequence. Servers and clients are not included.

    Args:
      output: JSON file to write.
      names: of packed models; all of them if there are none.
      rounds: number of requests to each, after a first one that traces its graph. Each round calls
        every model once, so that other load on the machine affects all of them.
      log: takes a line for each model.

    Returns:
      What it writes: for each of `models`, the median in `milliseconds` and the `fastest`; and the
      number of `threads`, 0 for all cores.
    """
    works = {}
    for name in names or [row["name"] for row in list_models(pretrained=True)]:
        works[name] = _work(name)
        works[name]()
        log(f"{name} is loaded")
    seconds = interleaved(works, [()] * rounds)
    result = {
        "kind": "requests",
        "models": {
            name: {
                "milliseconds": 1000 * statistics.median(each),
                "fastest": 1000 * min(each),
            }
            for name, each in sorted(seconds.items())
        },
        "rounds": rounds,
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "environment": environment(),
    }
    files.write_json(Path(output), result)
    return result


def _work(name: str) -> Callable[[], Any]:
    predictor = load(name)
    function = predictor.served().functions[ANSWER]
    specs = {spec.name: spec for spec in function.input_signature}
    (request,) = sample_requests(predictor, specs, 1)
    return functools.partial(function, **request)
