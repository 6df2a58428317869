"""Trains a recipe with several workers of a Ray cluster: pip install '.[ray]'.

    python deploy/ray/train.py imdb-gru /shared 2

The folder has to be one that all machines see. Ray starts workers that are lost again, on other
ports; each starts the same call, which goes on where the run folder stands.
"""

import sys
from typing import Any

from ray.train import FailureConfig, Result, RunConfig, ScalingConfig
from ray.train.tensorflow import TensorflowTrainer


def work(config: dict[str, Any]) -> None:
    import zoo

    zoo.train(config.pop("name"), config.pop("output"), strategy="multiworker", **config)


def train(name: str, folder: str, workers: int, *, work: Any = work, **options: Any) -> Result:
    """Returns what Ray reports of the last epoch, and its checkpoint: a copy of the run folder."""
    trainer = TensorflowTrainer(
        work,
        train_loop_config={"name": name, "output": f"{folder}/runs/{name}", **options},
        scaling_config=ScalingConfig(num_workers=workers),
        run_config=RunConfig(
            name=name, storage_path=f"{folder}/ray", failure_config=FailureConfig(max_failures=5)
        ),
    )
    return trainer.fit()


if __name__ == "__main__":
    name, folder, workers = sys.argv[1:]
    print(train(name, folder, int(workers)).metrics)
