"""One JSON a measured model, and the README's table made from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo import files
from zoo.errors import ZooError

BEGIN, END = "<!-- results: made by `zoo bench table` -->", "<!-- end of results -->"


def collect(model: str | Path, directory: str | Path = "results") -> Path:
    """Writes what a complete run or a pretrained model measured to `directory/<name>.json`.

    Returns:
      The file: recipe, score, baselines, times, data, options, config, environment.

    Raises:
      ZooError: the run is not complete.
    """
    from zoo.serving import load

    predictor = load(model)
    metrics = predictor.metrics
    if not metrics:
        raise ZooError(f"{model} is not complete. Run its `zoo train` again.")
    options = predictor.run
    path = Path(directory) / f"{predictor.name}.json"
    files.write_json(
        path,
        {
            "kind": "score",
            "recipe": predictor.name,
            "topology": predictor.recipe.topology,
            "task": predictor.recipe.task,
            "metric": metrics["metric"],
            "score": metrics["test"][metrics["metric"]],
            "baseline": {
                name: scores[metrics["metric"]] for name, scores in metrics["baseline"].items()
            },
            "metrics": metrics,
            "data": predictor.data,
            "seed": options["seed"],
            "options": options,
            "config": predictor.resolved["config"],
            "environment": files.read_json(predictor.about / "environment.json"),
        },
    )
    return path


def render_table(directory: str | Path = "results") -> str:
    """Returns the Markdown table of all results in a directory.

    Raises:
      ZooError: there are none.
    """
    results = [files.read_json(path) for path in sorted(Path(directory).glob("*.json"))]
    scores = [result for result in results if result["kind"] == "score"]
    races = [result for result in results if result["kind"] == "race"]
    if not scores:
        raise ZooError(f"{directory} holds no results. `zoo bench collect RUN` writes one.")
    lines = [
        "| recipe | data | metric | test | 95 % interval | weights | epochs |",
        "|---|---|---|---:|---|---:|---:|",
        *(_score_row(result) for result in sorted(scores, key=lambda row: row["score"])),
    ]
    baselines: dict[tuple[str, str, str], float] = {}
    for result in scores:
        for name, score in result["baseline"].items():
            baselines[name, result["data"]["title"], result["metric"]] = score
    lines += [
        f"| baseline: {name} | {data} | {metric} | {score:.4f} | | | |"
        for (name, data, metric), score in sorted(baselines.items(), key=lambda item: item[1])
    ]
    machines = sorted({_machine(result["environment"]) for result in scores})
    lines += ["", f"Measured on {'; '.join(machines)}; seed {_seeds(scores)}."]
    lines += [_race_line(result) for result in races]
    return "\n".join(lines) + "\n"


def write_table(readme: str | Path, directory: str | Path = "results") -> bool:
    """Puts the table between the markers of a Markdown file.

    Returns:
      Whether the file changed.

    Raises:
      ZooError: the file has no markers.
    """
    path = Path(readme)
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ZooError(f"{path} needs the lines {BEGIN!r} and {END!r} once, in this order.")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    new = f"{before}{BEGIN}\n{render_table(directory)}{END}{after}"
    if new != text:
        files.write_text(path, new)
    return new != text


def _score_row(result: dict[str, Any]) -> str:
    metrics = result["metrics"]
    interval = ""
    if result["metric"] == "accuracy":
        from zoo.metrics import wilson_interval

        low, high = wilson_interval(result["score"], metrics["test"]["rows"])
        interval = f"{low:.4f}–{high:.4f}"
    return (
        f"| `{result['recipe']}` | {result['data']['title']} | {result['metric']} "
        f"| **{result['score']:.4f}** | {interval} | {metrics['parameters']:,} "
        f"| {metrics['best_epoch']} of {metrics['epochs']} |"
    )


def _race_line(result: dict[str, Any]) -> str:
    ours, peer = result["recipe"], result["peer"]
    return (
        f"\nTime to {result['metric']} {result['target']:.4f} on {result['data']['title']}, in one "
        f"run: `{ours['name']}` {ours['seconds']:.0f} s, [the published example]({peer['source']}) "
        f"{peer['seconds']:.0f} s for its {len(peer['epochs'])} epochs (best score with this seed: "
        f"{max(epoch['test_accuracy'] for epoch in peer['epochs']):.4f}): ratio "
        f"**{result['ratio']:.2f}**."
    )


def _machine(environment: dict[str, Any]) -> str:
    return (
        f"{environment['cores']} cores of {environment['cpu']}, {environment['memory_gib']} GiB, "
        f"{', '.join(environment['gpus'] or []) or 'no GPU'}, TensorFlow "
        f"{environment['tensorflow']}, Keras {environment['keras']}"
    )


def _seeds(scores: Iterable[dict[str, Any]]) -> str:
    return ", ".join(str(seed) for seed in sorted({result["seed"] for result in scores}))
