"""Looks for a learning rate and a dropout with Ray Tune: pip install '.[ray]'.

    python deploy/ray/tune.py imdb-gru /shared 8

Each trial is one `zoo.train` on one device. Those that fall behind are ended early.
"""

import sys
from typing import Any

from ray import tune
from ray.tune.schedulers import ASHAScheduler


def trial(config: dict[str, Any]) -> None:
    import zoo

    name, folder, options = config["name"], config["folder"], config["options"]
    settings = {**options.get("settings", {}), **config["settings"]}
    output = f"{folder}/trials/{tune.get_context().get_trial_id()}"
    zoo.train(name, output, strategy="none", **{**options, "settings": settings})


def search(name: str, folder: str, trials: int, **options: Any) -> tune.Result:
    """Returns the best trial; its checkpoint is a copy of its run folder."""
    import zoo

    monitor = zoo.get_recipe(name).monitor
    tuner = tune.Tuner(
        trial,
        param_space={
            "name": name,
            "folder": folder,
            "options": options,
            "settings": {
                "learning_rate": tune.loguniform(1e-4, 1e-2),
                "dropout": tune.uniform(0.0, 0.6),
            },
        },
        tune_config=tune.TuneConfig(
            metric=monitor.name,
            mode="max" if monitor.better == "higher" else "min",
            num_samples=trials,
            scheduler=ASHAScheduler(time_attr="epoch", grace_period=1),
        ),
        run_config=tune.RunConfig(name=f"{name}-tune", storage_path=f"{folder}/ray"),
    )
    return tuner.fit().get_best_result()


if __name__ == "__main__":
    name, folder, trials = sys.argv[1:]
    best = search(name, folder, int(trials))
    print(best.config["settings"], best.metrics)
