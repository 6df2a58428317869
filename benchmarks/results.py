"""Writes results of models to JSON files, and their tables to README and documentation."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import contest, novelty, probes
from benchmarks.paths import basenames_only
from benchmarks.score_tables import (
    MARK,
    PUBLISHED,
    SEEN,
    TAUGHT,
    added,
    changes,
    deviation_of,
    mark,
    metric_name,
    number,
    pack_of,
    read_results,
    recorded_training,
    render_models,
    score_tables,
    seed_runs,
    setting_of,
)
from zoo import files
from zoo.errors import UsageError, ZooError, suggest

PAGES = ("README.md", "docs/results.md", "docs/models/index.md")  # with tables
BEGIN, END = "<!-- results: made by `python -m benchmarks table` -->", "<!-- end of results -->"
FORMATS = "<!-- formats: made by `python -m benchmarks table` -->", "<!-- end of formats -->"
LATENCY = "<!-- latency: made by `python -m benchmarks table` -->", "<!-- end of latency -->"
# Options of which all runs that differ only in their seeds have the same, and "from scratch".
SAME = (
    *("precision", "tiny", "class_weight", "teachers", "unlabelled", "label_share"),
    "add_validation",
)
FRESH = (None, "none")
MODELS = "<!-- models: made by `python -m benchmarks table` -->", "<!-- end of models -->"
BEST = "<!-- best models: made by `python -m benchmarks table` -->", "<!-- end of best models -->"


def collect(model: str | Path, output: str | Path | None = None) -> Path:
    """Writes the measurements of a complete run or a pretrained model to a JSON file.

    Args:
      model: as for `zoo.load`.
      output: the file; `results/<recipe>.json` if None.

    Returns:
      The file: date, recipe, score, baselines, times, data, options, config, environment.

    Raises:
      ZooError: the run is not complete.
    """
    result = measurements(model)
    path = Path(output or f"results/{result['recipe']}.json")
    files.write_json(path, result)
    return path


def collect_seeds(models: Sequence[str | Path], output: str | Path) -> Path:
    """Writes the mean score of complete runs that differ only in their seeds to a JSON file.

    Args:
      models: complete runs or packed models, as for `zoo.load`; or files that `collect` wrote for
        one of them, so that the runs of all seeds need not be on one machine.
      output: the file.

    Returns:
      The file: recipe, metric, scores by seed, mean, standard deviation (of the sample, n - 1),
      the metrics of each run, data, config, environment.

    Raises:
      UsageError: fewer than two runs, or runs that differ in more than their seeds.
      ZooError: a run is not complete.
    """
    results = [_measured(model) for model in models]
    seeds = [result["seed"] for result in results]
    if len(set(seeds)) < max(2, len(seeds)):
        raise UsageError(f"Give two runs or more, each of another seed; got {seeds}.")
    first, *others = results
    for model, other in zip(models[1:], others, strict=True):
        for key in ("recipe", "config", "data", "metric", "options"):
            if _compared(other, key) != _compared(first, key):
                raise UsageError(f"{model} differs from {models[0]} in more than its seed: {key}.")
    scores = [result["score"] for result in results]
    path = Path(output)
    files.write_json(
        path,
        {
            **{key: first[key] for key in ("recipe", "topology", "task", "metric", "baseline")},
            "kind": "seeds",
            "date": _today(),
            "scores": dict(zip(map(str, seeds), scores, strict=True)),
            "mean": statistics.mean(scores),
            "deviation": statistics.stdev(scores),
            "runs": {str(result["seed"]): result["metrics"] for result in results},
            "options": first.get("options", {}),
            **{key: first[key] for key in ("data", "config", "environment")},
        },
    )
    return path


def _measured(model: str | Path) -> dict[str, Any]:
    """Returns the measurements of a run or model, also from the file that `collect` wrote."""
    if Path(model).suffix != ".json":
        return measurements(model)
    result = files.read_object(Path(model), kind=str)
    if result["kind"] != "score":
        raise UsageError(f"{model} is not a file that `python -m benchmarks collect RUN` wrote.")
    return result


def _compared(result: Mapping[str, Any], key: str) -> Any:
    """Returns what runs with other seeds have in common: the rows of the data, complete settings.

    A run of an earlier version lacks the settings that are new, and may word its notes otherwise.
    """
    from zoo.config import saved_settings
    from zoo.registry import get_recipe

    if key == "config":
        return saved_settings(get_recipe(result["recipe"]).config, result["config"])
    if key == "options":
        options = result.get("options", {})
        base = options.get("base")
        return {**{name: options.get(name) or None for name in SAME}, "from": base not in FRESH}
    return result["data"]["fingerprint"] if key == "data" else result[key]


def collect_settings(
    models: Sequence[str | Path], setting: str, output: str | Path
) -> dict[str, Any]:
    """Writes the scores of complete runs that differ in a single setting to a JSON file.

    An example is the speaker held out for the test: the test rows may also differ.

    Args:
      models: as for `zoo.load`, two or more.
      setting: the field of the config, or the option of the run, in which they differ.
      output: the file.

    Returns:
      What it writes: recipe, metric, setting, scores and metrics by its value, mean, baselines'
      scores by its value, config of the first run, environment.

    Raises:
      UsageError: fewer than two runs, or runs that differ in other settings, or not in this one.
      ZooError: a run is not complete.
    """
    results = [measurements(model) for model in models]
    first, *others = results
    part = "config" if setting in first["config"] else "options"
    if setting not in first.get(part, {}):
        known = [*first["config"], *first.get("options", {})]
        raise UsageError(f"Unknown setting {setting!r}.{suggest(setting, known)}")
    values = [str(result[part][setting]) for result in results]
    if len(set(values)) < max(2, len(values)):
        raise UsageError(f"Give two runs or more, each of another {setting}; got {values}.")
    for model, other in zip(models[1:], others, strict=True):
        changed = {setting: first[part][setting]}
        same = {**other[part], **changed} == first[part] and (
            part == "config" or other["config"] == first["config"]
        )
        differing = [key for key in ("recipe", "metric", "seed") if other[key] != first[key]]
        if differing or not same:
            key = differing[0] if differing else "config"
            raise UsageError(f"{model} differs from {models[0]} in more than {setting}: {key}.")
    scores = [result["score"] for result in results]
    summary = {
        **{key: first[key] for key in ("recipe", "topology", "task", "metric", "seed")},
        "kind": "settings",
        "date": _today(),
        "setting": setting,
        "scores": dict(zip(values, scores, strict=True)),
        "mean": statistics.mean(scores),
        "baseline": {v: result["baseline"] for v, result in zip(values, results, strict=True)},
        "runs": {v: result["metrics"] for v, result in zip(values, results, strict=True)},
        "data": {v: result["data"] for v, result in zip(values, results, strict=True)},
        **{key: first[key] for key in ("config", "environment")},
    }
    files.write_json(Path(output), summary)
    return summary


def _today() -> str:
    return datetime.date.today().isoformat()


def measurements(model: str | Path) -> dict[str, Any]:
    """Returns the measurements of a complete run or a pretrained model."""
    from zoo.serving import load

    predictor = load(model)
    metrics = predictor.metrics
    if not metrics:
        raise ZooError(f"{model} is not complete. Run its `zoo train` again.")
    data = predictor.data
    return {
        "kind": "score",
        "date": _today(),
        "recipe": predictor.name,
        "topology": predictor.recipe.topology,
        "task": predictor.recipe.task,
        "metric": metrics["metric"],
        "better": predictor.recipe.metric.better,
        "score": metrics["test"][metrics["metric"]],
        "baseline": {
            name: scores[metrics["metric"]]
            for name, scores in metrics["baseline"].items()
            if metrics["metric"] in scores
        },
        "metrics": metrics,
        "data": basenames_only(data),
        "seed": predictor.run["seed"],
        "options": basenames_only(predictor.run),
        "config": predictor.resolved["config"],
        "environment": files.read_json(predictor.about / "environment.json"),
    }


def render_table(directory: str | Path = "results") -> str:
    """Returns the Markdown tables of all results in a directory.

    Raises:
      ZooError: there are none.
    """
    results = read_results(directory)
    scores = [result for result in results if result["kind"] == "score"]
    if not scores:
        raise ZooError(
            f"{directory} holds no results. `python -m benchmarks collect RUN` writes one."
        )
    lines = score_tables(scores, seed_runs(results), directory)
    lines += ["", "## About these scores", ""]
    machines = sorted({_machine(result["environment"]) for result in scores})
    lines += [f"Scored on {'; '.join(machines)}; seed {_seeds(scores)}."]
    lines += _training_line(scores)
    lines += _seen_line(scores)
    lines += _taught_line(scores)
    lines += _published_line(scores)
    lines += [_overlaps_line(result) for result in results if result["kind"] == "overlaps"]
    lines += [_seeds_line(result) for result in results if result["kind"] == "seeds"]
    lines += [_settings_line(result) for result in results if result["kind"] == "settings"]
    speed: list[str] = []
    speed += [_race_line(result) for result in results if result["kind"] == "race"]
    speed += [_decoding_line(result) for result in results if result["kind"] == "decoding"]
    speed += [_generation_line(result) for result in results if result["kind"] == "generation"]
    speed += [_recovery_line(result) for result in results if result["kind"] == "recovery"]
    speed += [_attack_line(result) for result in results if result["kind"] == "attack"]
    speed += [_twins_line(result) for result in results if result["kind"] == "twins"]
    speed += [_options_table(result) for result in results if result["kind"] == "options"]
    peers = [result for result in results if result["kind"] == "peers"]
    busy = any(each["idle"] is False for result in peers for each in result["contestants"])
    beside = [_PEERS + " Other programs ran on the machine." * busy] if peers else []
    beside += ["\n" + contest.table(result) for result in peers]
    texts = [_small_table(result) for result in results if result["kind"] == "small"]
    texts += [
        probes.table(_with_packed(result, scores))
        for result in results
        if result["kind"] == "probes"
    ]
    texts += [novelty.table(result) for result in results if result["kind"] == "novelty"]
    forecasts = _backtest_tables([result for result in results if result["kind"] == "backtest"])
    for result in results:
        if result["kind"] == "forecasters":
            forecasts += _forecasters_tables(result)
    for title, part in (
        ("Beside other tools", beside),
        ("Speed and recovery", speed),
        ("Small data, negation, unusual rows", texts),
        ("Forecasts", forecasts),
    ):
        lines += ["", f"## {title}", *part] if part else []
    return "\n".join(lines) + "\n"


def write_table(
    readme: str | Path, directory: str | Path = "results", *, check: bool = False
) -> bool:
    """Writes tables between the markers of a Markdown file, such as the table of models.

    Args:
      readme: the file. Its markers say which of the tables it has.
      directory: the folder of the results.
      check: whether to leave the file as it is.

    Returns:
      Whether the file changed, or would have to.

    Raises:
      ZooError: the file has no markers.
    """
    path = Path(readme)
    new = text = path.read_text(encoding="utf-8")
    tables = [
        *((BEGIN, END, render_table), (*MODELS, render_models), (*BEST, _render_best)),
        *((*FORMATS, render_formats), (*LATENCY, render_latency)),
    ]
    present = [table for table in tables if table[0] in text or table[1] in text]
    for begin, end, render in present or tables[:1]:
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(end) < text.index(begin):
            raise ZooError(f"{path} needs the lines {begin!r} and {end!r} once, in this order.")
        before, rest = new.split(begin)
        new = f"{before}{begin}\n{render(directory)}{end}{rest.split(end)[1]}"
    if new != text and not check:
        files.write_text(path, new)
    return new != text


def _render_best(directory: str | Path) -> str:
    return render_models(directory, best=True)


def render_formats(directory: str | Path = "results") -> str:
    """Returns the Markdown table of models in other formats.

    Raises:
      ZooError: there is no measurement.
    """
    path = Path(directory) / "formats.json"
    if not path.exists():
        raise ZooError(f"{path} is missing. `python -m benchmarks formats NAME…` writes it.")
    from benchmarks.formats_table import render

    return render(files.read_json(path))


def render_latency(directory: str | Path = "results") -> str:
    """Returns the Markdown table of the times of an answer.

    Raises:
      ZooError: there is no measurement.
    """
    path = Path(directory) / "latency.json"
    if not path.exists():
        raise ZooError(f"{path} is missing. `python -m benchmarks latency` writes it.")
    from benchmarks.latency_table import render

    return render(files.read_json(path))


def _training_line(scores: Sequence[dict[str, Any]]) -> list[str]:
    """Explains the columns of times, sizes and dates."""
    gpus = {gpu for result in scores if (gpu := recorded_training(result["metrics"])[0])}
    gpu = f"; GPU: one {', '.join(sorted(gpus))}" if gpus else ""
    return [
        f"\nTraining: time in training steps on one of these machines{gpu}. Training of teachers "
        "and of the networks that a training started from (`--from`) is not included. MB: size of "
        "the packed model. ms: one short request to the packed model on one core. –: not packed, "
        "or not measured. Date: when the result was written. ±: mean over seeds and standard "
        "deviation; the rest of the row is of one seed, except a test that names several."
    ]


def _published_line(scores: Sequence[dict[str, Any]]) -> list[str]:
    """Lists the best comparable scores that others report, for the data of these results."""
    known = {(result["data"]["title"], result["metric"]) for result in scores}
    said = [
        f"{title}, {metric_name(metric)}: {text}"
        for (title, metric), text in PUBLISHED.items()
        if (title, metric) in known
    ]
    if not said:
        return []
    return [
        "\nBest comparable scores of recurrent networks that we know, on the same test split: "
        f"{'; '.join(said)}."
    ]


def _with_packed(result: dict[str, Any], scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns scores of probes, with those that packed models have in their own results."""
    *models, linear = result["models"]
    known = {model["name"] for model in models}
    more = [
        {"name": score["recipe"], "scores": score["metrics"]["test"]["negation"]}
        for score in scores
        if "negation" in score["metrics"]["test"]
        and score["recipe"] not in known
        and pack_of(score)
    ]
    return {**result, "models": [*models, *more, linear]}


def _taught_line(scores: Sequence[dict[str, Any]]) -> list[str]:
    """Describes the teachers of distilled networks, and the number of rows."""
    names: dict[str, list[str]] = {}
    for result in scores:
        if about := result["data"].get("teaching"):
            who = " and ".join(
                f"{'`linear`' if name == 'linear' else name} ({score:.4f} on the validation split)"
                for name, score in about["teachers"].items()
            )
            text = f"{who}, with {about['unlabelled']:,} more rows without labels"
            names.setdefault(text, []).append(f"`{result['recipe']}`")
    if not names:
        return []
    said = "; ".join(f"{', '.join(each)} from {text}" for text, each in names.items())
    return [
        f"\n{TAUGHT} Trained by distillation (`zoo distil`, [tools/gpu](methods.md)): {said}. The "
        "rows of the same recipes without this mark learned from the labels alone."
    ]


def _seen_line(scores: Sequence[dict[str, Any]]) -> list[str]:
    said = [
        text
        for prefix, text in SEEN.items()
        if any(result["recipe"].startswith(prefix) for result in scores)
    ]
    if not said:
        return []
    return [
        f"\n{MARK} Chosen with earlier test scores in view: {', '.join(said)}. Expect a slightly "
        "lower score on new data."
    ]


def _overlaps_line(result: dict[str, Any]) -> str:
    each = "; ".join(
        f"{row['title']} {row['overlap']:,} of {row['test']:,} ({row['labelled']:,} with the same "
        "answer)"
        for row in result["data"]
    )
    return f"\nTest rows whose text is that of a training row, too: {each}."


def _changed(result: dict[str, Any]) -> str:
    """Returns " with KEY=VALUE, …" for the settings that are not the recipe's, or ""."""
    found = changes(result["recipe"], result["config"])
    other = [setting_of(key, value) for key, value in found.items()]
    return f" with {', '.join(other)}" if other else ""


def _seeds_line(result: dict[str, Any]) -> str:
    best, metric = result["mean"], result["metric"]
    return (
        f"\n`{result['recipe']}`{_changed(result)}{added(result)} on "
        f"{result['data']['title']}, {len(result['scores'])} seeds: {metric} "
        f"**{number(result['mean'], best, metric)}** on average (standard deviation "
        f"{deviation_of(result['mean'], result['deviation'], best, metric)})."
    )


def _settings_line(result: dict[str, Any]) -> str:
    best, metric = max(result["scores"].values()), result["metric"]
    each = ", ".join(f"{v} {number(s, best, metric)}" for v, s in result["scores"].items())
    names = dict.fromkeys(name for scores in result["baseline"].values() for name in scores)
    means = {
        name: statistics.mean(scores[name] for scores in result["baseline"].values())
        for name in names
        if all(name in scores for scores in result["baseline"].values())
    }
    beside = ", ".join(f"{name} {number(mean, best, metric)}" for name, mean in means.items())
    return (
        f"\n`{result['recipe']}` by {result['setting']} ({each}): {metric} "
        f"**{number(result['mean'], best, metric)}**{mark(result['recipe'])} on average"
        f"{_over_speakers(result)}" + (f"; baselines on average: {beside}." if beside else ".")
    )


def _over_speakers(result: dict[str, Any]) -> str:
    """Returns the interval of a mean over speakers who were held out in turn."""
    if result["setting"] != "speaker":
        return ""
    from zoo.metrics.intervals import interval, ratios

    scores = [*result["scores"].values()]
    low, high, kind = interval(ratios("speakers", scores, [1.0] * len(scores)))
    return f" (95 %: {low:.4f}–{high:.4f}, {kind})"


def _race_line(result: dict[str, Any]) -> str:
    ours, peer = result["recipe"], result["peer"]
    return (
        f"\nTime to {result['metric']} {result['target']:.4f} on {result['data']['title']}, in one "
        f"run: `{ours['name']}` {ours['seconds']:.0f} s, [the published example]({peer['source']}) "
        f"{peer['seconds']:.0f} s for its {len(peer['epochs'])} epochs (best score with this seed: "
        f"{max(epoch['test_accuracy'] for epoch in peer['epochs']):.4f}): ratio "
        f"**{result['ratio']:.2f}**."
    )


def _decoding_line(result: dict[str, Any]) -> str:
    loop, single, greedy, beam = (
        result[way]["per_second"] for way in ("loop", "single", "greedy", "beam")
    )
    return (
        f"\nSentences a second that `{result['recipe']}` translates greedily, in one run: by "
        f"[a loop over `predict`]({result['source']}) {loop:.2f}; by one graph {single:.0f} one by "
        f"one (**{result['single_ratio']:.0f}** times as many) and {greedy:,.0f} in batches of "
        f"{result['batch_size']} ({result['ratio']:,.0f} times), with a beam of "
        f"{result['searched']} {beam:,.0f}."
    )


def _generation_line(result: dict[str, Any]) -> str:
    loop, single, batch = (result[way]["per_second"] for way in ("loop", "single", "batch"))
    return (
        f"\nIds a second that `{result['recipe']}` draws, in one run: by "
        f"[a loop over `predict`]({result['source']}) {loop:.0f}; by one graph {single:,.0f} "
        f"(**{result['single_ratio']:.0f}** times as many), and {batch:,.0f} with "
        f"{result['rows']} sequences at once ({result['ratio']:,.0f} times)."
    )


def _options_table(result: dict[str, Any]) -> str:
    recipes = result["recipes"]
    ways = [way for way in next(iter(recipes.values()))["ways"] if way != "default"]
    lines = [
        "\nTime of a training step with an option over that without, in one run; XLA's once it has "
        "compiled, and of a whole training, in which it compiles each shape of a batch:\n",
        f"| recipe | {' | '.join(ways)} | XLA | XLA, whole training | shapes |",
        f"|---|{'---:|' * (len(ways) + 3)}",
    ]
    for name, measured in recipes.items():
        xla = measured["xla"]
        compiled = [f"{xla[key]:.2f}" if key in xla else "–" for key in ("ratio", "training_ratio")]
        cells = [f"{measured['ways'][way]['ratio']:.2f}" for way in ways]
        lines.append(f"| `{name}` | {' | '.join([*cells, *compiled, str(measured['shapes'])])} |")
    return "\n".join(lines)


def _small_table(result: dict[str, Any]) -> str:
    from benchmarks.small import BASELINES, means

    rows = means(result["runs"])
    gains = {
        (row["data"], row["rows"]): row["accuracy"] - max(row["baselines"].values()) for row in rows
    }
    named = " and ".join(f"`{name}`" for name in BASELINES)
    lines = [
        "\nRows of custom data are drawn by a seed, and the recipe has its default settings. The "
        f"baselines {named} are trained on the same rows. Accuracy is in %, as the mean over the "
        'draws, on up to 2,000 test rows. "difference": the recipe minus the better baseline. '
        '"network\'s share": the part of the size of the logits that comes from the network; the '
        'rest comes from the recipe\'s own linear model. "packed start": the number of draws that '
        "started from packed weights. For IMDB and AG News, packed weights are not used, because "
        "they were trained on these rows. `--from`: accuracy if each draw starts from the packed "
        "weights.\n",
        f"| data | rows | draws | recipe | accuracy | {' | '.join(BASELINES)} | difference "
        "| network's share | packed start | `--from` |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['data']} | {row['rows']:,} | {row['seeds']} | `{row['recipe']}` "
        f"| {100 * row['accuracy']:.1f} "
        f"| {' | '.join(format(100 * row['baselines'][name], '.1f') for name in BASELINES)} "
        f"| {100 * gains[row['data'], row['rows']]:+.1f} | {row['share']:.0%} "
        f"| {row['starts'] or '–'} "
        f"| {'–' if row['packed'] is None else format(100 * row['packed'], '.1f')} |"
        for row in rows
    ]
    (data, number), least = min(gains.items(), key=lambda item: item[1])
    lines.append(
        f"\nOf {len(rows)} rows of this table, {sum(gain >= -0.01 for gain in gains.values())} are "
        "within one point of the better linear model or above it; the least difference is "
        f"{100 * least:+.1f} points ({data}, {number:,} rows)."
    )
    return "\n".join(lines)


def _recovery_line(result: dict[str, Any]) -> str:
    groups: dict[str, list[bool]] = {}
    for case in result["cases"]:
        if case["equal"] is not None:  # else it could not be tried there
            groups.setdefault(case["case"].split(",")[0], []).append(case["equal"])
    each = ", ".join(f"{name} {sum(equal)} of {len(equal)}" for name, equal in groups.items())
    return (
        f"\nRuns of `{result['recipe']}` on {result['data']['title']} that were disturbed and then "
        f"given their command again: **{result['equal']} of {result['all']}** ended with the "
        f"weights, history and scores of an undisturbed run, bit for bit ({each}; "
        f"{result['kills']} kills at moments drawn from seed {result['seed']})."
    )


def _attack_line(result: dict[str, Any]) -> str:
    batches, servers, kills = (result["parts"][part] for part in ("batches", "downloads", "kills"))
    commands = ", ".join(f"{name} {sum(n.values())}" for name, n in kills["commands"].items())
    return (
        f"\nFault test with inputs drawn from seed {result['seed']}: **{batches['batches']:,}** "
        f"unusual batches over {len(batches['models'])} packed models and the signatures of their "
        f"exports; {servers['kinds']} kinds of faulty server (endless, very slow, wrong content, "
        f"redirects); **{kills['kills']}** kills by SIGKILL, SIGTERM and SIGHUP ({commands}), each "
        f"followed by the same command; {sum(kills['contests'].values())} times a second command "
        "in the folder of a running training. Crashes, unmarked NaNs, wrong files and different "
        f"results: **{result['failures']}**."
    )


def _twins_line(result: dict[str, Any]) -> str:
    steps, race, peer = result["steps"], result["to_target"], result["peer"]
    same = ", ".join(
        f"`{name}` {each['same_batches']['ratio']:.2f}"
        + (
            f" (of a network that reads padding too; {each['same_network']['ratio']:.2f} of the "
            f"same one, {each['same_network']['layout']})"
            if each.get("same_network")
            else ""
        )
        for name, each in steps.items()
    )
    batched, whole = (
        ", ".join(f"{each[kind]['total_ratio']:.2f}" for each in steps.values())
        for kind in ("batching", "whole")
    )
    answered = ", ".join(
        f"{each['ids']['ratio']:.2f} ({each['raw']['ratio']:.2f} with its raw input made into ids) "
        f"for {size} at once"
        for size, each in result["answers"].items()
    )
    theirs = race["theirs"]
    gave_up = f" for its {theirs['epochs']} epochs, best score {theirs['score']:.4f}"
    return (
        f"\nBeside the same networks in [{peer['title']}]({peer['source']}), in one run, "
        f"{result['threads']} threads each. Time of a training step, ours over theirs: on the same "
        f"batches {same}; our batches by length over theirs padded to {peer['fixed']}, "
        f"rows cut to that in both, {batched}; with our rows not cut, {whole}. Time to "
        f"{result['metric']} {race['target']:.4f}: `{result['recipe']}` "
        f"{race['ours']['seconds']:.0f} s, a plain script {theirs['seconds']:.0f} s"
        f"{'' if theirs['reached'] else gave_up}: ratio "
        f"**{race['ratio']:.2f}**. Time of an answer of the trained network: {answered}."
    )


_PEERS = (
    "\nEach tool trained and answered in processes of its own, with one thread, one after the "
    "other (`python -m benchmarks peers`). The CPU time of a recipe includes its scoring, but "
    "not the training of the model that it starts from."
)
RSE_AT = (3, 6, 12, 24)  # days ahead for which the relative squared error is listed


def _backtest_tables(results: Sequence[dict[str, Any]]) -> list[str]:
    """Returns a table for each dataset: networks, then the simple methods."""
    lines = []
    for title in dict.fromkeys(result["data"]["title"] for result in results):
        group = [result for result in results if result["data"]["title"] == title]
        group.sort(key=lambda result: result["scores"]["network"][0]["qlike"])
        best = group[0]
        first, last, days = best["days"]
        lines += [
            f"\nA day ahead, on {days} days of {len(best['series'])} series, {first} to {last} "
            f"({title}); p against `{best['recipe']}`, of Diebold and Mariano's test, corrected by "
            f"Holm's method for the {len(best['tests'])} methods of a measure:\n",
            "| method | QLIKE | p | CRPS, % | p | mean absolute error, % | p "
            "| in bands of 50, 80, 95 % |",
            "|---|---:|---:|---:|---:|---:|---:|---|",
            *(_backtest_row(f"`{each['recipe']}`", each["scores"]["network"]) for each in group),
            *(
                _backtest_row(name, best["scores"][name], p_values)
                for name, p_values in _holm(best["tests"]).items()
            ),
        ]
        if best["horizon"] >= RSE_AT[-1]:
            rows = {f"`{best['recipe']}`": "network", **{name: name for name in best["tests"]}}
            lines.append(_rse_line({name: best["scores"][key] for name, key in rows.items()}))
    return lines


def _rse_line(scores: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    """Lists the relative squared errors of methods, each with its scores by horizon."""
    listed = "; ".join(
        f"{name} " + ", ".join(f"{each[at - 1]['rse']:.4f}" for at in RSE_AT)
        for name, each in scores.items()
    )
    return f"\nRoot relative squared error {', '.join(map(str, RSE_AT))} days ahead: {listed}."


def _coverage(row: dict[str, Any]) -> str:
    return ", ".join(f"{100 * row[f'coverage_{band}']:.1f}" for band in (50, 80, 95))


MEASURES = {
    "qlike": "QLIKE",
    "qlike_squared": "QLIKE of squared returns",
    "crps": "CRPS",
}


def _forecasters_tables(result: dict[str, Any]) -> list[str]:
    """Returns a table of scores, a table of tests, and their summary."""
    first, last, days = result["days"]
    seeds = result["seeds"]
    lines = [
        f"\nA day ahead, on {days} days of {len(result['series'])} series, {first} to {last} "
        f"({result['data']['title']}). Networks: the mean of their seeds ± the standard deviation. "
        f"`{result['reference']}`, the reference, was fixed by name, not by its score:\n",
        "| method | seeds | QLIKE | 95 % interval (days, Newey & West) | CRPS, % "
        "| 95 % interval (days, Newey & West) | mean absolute error, % | direction, % "
        "| in bands of 50, 80, 95 % |",
        "|---|---:|---:|---|---:|---|---:|---|---|",
    ]
    rows = [(f"`{name}`", len(seeds[name]), each[0]) for name, each in result["networks"].items()]
    rows += [(name, 0, each[0]) for name, each in result["methods"].items()]
    for name, count, row in sorted(rows, key=lambda each: each[2]["qlike"]):
        cells = []
        for measure in ("qlike", "crps"):
            deviation = row.get(f"{measure}_deviation")
            spread = "" if deviation is None else f" ± {deviation:.4f}"
            low, high = row[f"{measure}_interval"]
            cells += [f"{row[measure]:.4f}{spread}", f"{low:.4f}–{high:.4f}"]
        bold = "**" if count else ""
        direction = ""
        if row["direction"] is not None:
            direction = f"{100 * row['direction']:.1f}"
        lines.append(
            f"| {bold}{name}{bold} | {count or ''} | {' | '.join(cells)} | {row['mae']:.4f} "
            f"| {direction} | {_coverage(row)} |"
        )
    up = 100 * rows[0][2]["direction_always_up"]
    lines.append(f"| always up | | | | | | | {up:.1f} | |")
    names = [*result["networks"]]
    heads = [f"`{name}`, {MEASURES[measure]}" for name in names for measure in TESTED]
    lines += [
        "\nEach network against each method; p of Diebold and Mariano's test on the daily losses, "
        f"corrected by Holm's method for the {_pairs(result)} pairs of a measure:\n",
        f"| against | {' | '.join(heads)} |",
        f"|---|{'---|' * len(heads)}",
    ]
    tests = result["tests"]
    for other in (*result["methods"], *names[1:]):
        cells = []
        for name in names:
            for measure in TESTED:
                found = tests[measure][name].get(other)
                cells.append(f"{found[0]['verdict']} ({found[0]['holm']:.1g})" if found else "")
        shown = f"`{other}`" if other in names else other
        lines.append(f"| {shown} | {' | '.join(cells)} |")
    lines += [_beaten_line(name, tests, result["methods"]) for name in names]
    if result["horizon"] >= RSE_AT[-1]:
        lines.append(_rse_line({**result["networks"], **result["methods"]}))
    return lines


TESTED = ("qlike", "qlike_squared", "crps")


def _pairs(result: dict[str, Any]) -> int:
    return sum(len(others) for others in result["tests"]["qlike"].values())


def _beaten_line(name: str, tests: dict[str, Any], methods: Iterable[str]) -> str:
    """Returns which methods a network beats on both proxies of the variance, and which not."""
    both = {
        other: [tests[measure][name][other][0]["verdict"] for measure in TESTED[:2]]
        for other in methods
    }
    beaten = [other for other, each in both.items() if set(each) == {"beats"}]
    rest = [other for other in both if other not in beaten]
    line = f"\n`{name}` beats {', '.join(beaten) or 'no method'} on both proxies of the variance"
    return line + (f"; it does not beat {', '.join(rest)}." if rest else ".")


BACKTESTED = ("qlike", "crps", "mae")


def _holm(tests: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Returns the p value of each method and measure a day ahead, corrected for the methods."""
    from zoo.metrics.intervals import holm

    found: dict[str, dict[str, float | None]] = {name: {} for name in tests}
    for measure in BACKTESTED:
        corrected = holm([each[measure][0]["p"] for each in tests.values()])
        for name, p in zip(tests, corrected, strict=True):
            found[name][measure] = p
    return found


def _backtest_row(
    name: str, scores: Sequence[dict], p_values: Mapping[str, float | None] | None = None
) -> str:
    ahead, cells = scores[0], []
    for measure in BACKTESTED:
        value = f"{ahead[measure]:.4f}"
        p = p_values[measure] if p_values else None
        cells += [value if p_values else f"**{value}**", "" if p is None else f"{p:.1g}"]
    return f"| {name} | {' | '.join(cells)} | {_coverage(ahead)} |"


def _machine(environment: dict[str, Any]) -> str:
    cores = environment["cores"]
    return (
        f"{cores} core{'s' * (cores > 1)} of {environment['cpu']}, "
        f"{environment['memory_gib']} GiB, "
        f"{', '.join(environment['gpus'] or []) or 'no GPU'}, TensorFlow "
        f"{environment['tensorflow']}, Keras {environment['keras']}"
    )


def _seeds(scores: Iterable[dict[str, Any]]) -> str:
    return ", ".join(str(seed) for seed in sorted({result["seed"] for result in scores}))
