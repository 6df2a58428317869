"""Ids sampled per second: one graph against a loop in Python, on the same trained model.

The loop is that of the keras.io example "Character-level text generation with LSTM"
(https://keras.io/examples/generative/lstm_character_level_text_generation/, F. Chollet, 2015):
one `predict` per id, and the next id sampled with NumPy. In the example, the network rereads the
last 40 characters each time; the loop here keeps its state instead, which is faster.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import files
from zoo.environment import environment
from zoo.errors import UsageError

SOURCE = "https://keras.io/examples/generative/lstm_character_level_text_generation/"


def generation_race(
    model: str, output: str | Path, *, loop_steps: int = 200, steps: int = 1000, rows: int = 64
) -> dict[str, Any]:
    """Measures ids per second of a trained generator, in three ways.

    Each way does one warm-up before it is timed.

    Args:
      model: as for `zoo.load`; each of its steps must be one id.
      output: JSON file to write.
      loop_steps: ids for the Python loop.
      steps: ids for the graph.
      rows: sequences that the graph generates together.

    Returns:
      What it writes: for `loop`, `single` (the graph, one sequence) and `batch`, the ids, seconds
      and ids a second; `single_ratio` and `ratio`, those of the graph over those of the loop.

    Raises:
      UsageError: the model generates nothing, or its steps are of several ids.
    """
    from zoo.serving import load

    predictor = load(model)
    if "symbols" not in predictor.assets:
        raise UsageError(f"{predictor.name} has no symbols: name a model of text or tunes.")
    step = predictor.signatures["step"]
    initial_state = predictor.begin({})

    class Step(keras.Model):
        def call(self, inputs: Any) -> Any:
            return step(input=inputs["input"], **inputs["state"])

    network, generator = Step(), np.random.default_rng(0)

    def loop(count: int) -> int:
        state = {name: value.numpy() for name, value in initial_state.items()}
        for _ in range(count):
            logits = state.pop("logits")[0].astype("float64")
            logits[0] = -np.inf
            probabilities = np.exp(logits - logits.max())
            sampled = generator.choice(len(probabilities), p=probabilities / probabilities.sum())
            state = network.predict(
                {"input": np.array([sampled], "int32"), "state": state}, verbose=0
            )
        return count

    def graph(count: int, length: int) -> int:
        answers = predictor.generate(count, steps=length, temperature=1.0, top_k=0, top_p=1.0)
        if not all(answer["complete"] is False for answer in answers):
            raise UsageError(f"{predictor.name} ends its sequences by itself; their length varies.")
        return count * length

    ways = {}
    for name, work in (
        ("loop", lambda few: loop(3 if few else loop_steps)),
        ("single", lambda few: graph(1, 3 if few else steps)),
        ("batch", lambda few: graph(rows, 3 if few else steps)),
    ):
        work(True)
        start = time.perf_counter()
        ids = work(False)
        seconds = time.perf_counter() - start
        ways[name] = {"ids": ids, "seconds": seconds, "per_second": ids / seconds}
    result = {
        "kind": "generation",
        "recipe": predictor.name,
        "source": SOURCE,
        "rows": rows,
        **ways,
        "single_ratio": ways["single"]["per_second"] / ways["loop"]["per_second"],
        "ratio": ways["batch"]["per_second"] / ways["loop"]["per_second"],
        "environment": environment(),
    }
    files.write_json(Path(output), result)
    return result
