"""Tables of scores: networks and baselines of each dataset, and the packed models."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from zoo import files
from zoo.config import renamed
from zoo.errors import ZooError

# The best known comparable score of a recurrent network, with its protocol, by data and metric: the
# same data, test split and metric, and the same kinds of additional data.
PUBLISHED = {
    (
        "imdb (official split)",
        "accuracy",
    ): "0.941 (Miyato et al. 2017: one bidirectional LSTM, virtual adversarial training, official "
    "test split, also unlabelled reviews of the same dataset)",
    (
        "CoNLL-2003 English (official split)",
        "f1",
    ): "0.912 (Ma & Hovy 2016: one BiLSTM-CNN-CRF, official test split, with word vectors, GloVe "
    "of 100 dimensions)",
    (
        "Penn Treebank (Mikolov's split)",
        "perplexity",
    ): "57.3 (Merity et al. 2018: one AWD-LSTM of three layers, official test split, no cache)",
}
WITH_VECTORS = "with word vectors"  # such a score is compared only with networks that have them

# Uses of packed models, by name prefix.
USES = {
    "adding-": "sum of two marked numbers",
    "chorales-": "chorales in four parts",
    "conll-": "names in a text",
    "digits-ctc": "digits said in a recording",
    "digits-gru": "the digit said in a recording",
    "digits-mlp": "the digit in a picture",
    "folk-": "tunes in ABC notation",
    "imdb-": "opinion of a review",
    "news-": "topic of a news text",
    "shakespeare-": "text, letter by letter",
    "stocks-": "volatility of the next days",
    "translate-attention": "English to French, everyday sentences too",
    "translate-": "English to French",
}
ALSO = ("imdb-bilstm",)  # in the short table beside the best of each dataset: it is small

SMALL = 1e-3  # scores below have two significant digits

# Settings of these recipes were chosen with knowledge of earlier test scores.
SEEN = {
    "imdb-": "the vocabulary and the length of texts of `imdb-…`",
    "news-": "the batch size of `news-…`",
    "conll-": "the depth of the taggers",
    "digits-ctc": "an earlier number of epochs of `digits-ctc`, 24 (its 48 were chosen on the "
    "validation split)",
    "digits-gru": "how `digits-gru` treats unknown voices, by the speakers held out",
    "stocks-": "which variants of `stocks-…` are packed (variants were compared on the test split)",
}
MARK = "†"  # beside their scores
TAUGHT = "‡"  # beside networks that learned from teachers

# Why a row has no interval: `python -m benchmarks intervals` asks a model once more.
NOT_KEPT = "– (weights not kept)"
NOT_AGAIN = "– (not measured again)"

NAMES = {"bleu": "BLEU", "f1": "F1", "mse": "MSE", "qlike": "QLIKE"}  # of metrics


def score_tables(
    scores: Sequence[dict[str, Any]], runs: Sequence[dict[str, Any]], directory: str | Path
) -> list[str]:
    """Returns lines of Markdown: for each dataset, a table of networks and one of baselines.

    Args:
      scores: results of the kind `score`.
      runs: those over several seeds, see `seed_runs`.
      directory: of the results; `requests.json` in it has the times of requests.
    """
    times = _times(directory)
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for result in (across_seeds(score, runs) for score in scores):
        key = (result["task"], result["data"]["title"], result["metric"])
        groups.setdefault(key, []).append(result)
    lines = []
    for (_, data, metric), group in sorted(groups.items()):
        lines += [f"### {data[:1].upper()}{data[1:]}: {metric_name(metric)}", ""]
        lines += [*_tables_of(group, times), ""]
    return lines[:-1]


def _tables_of(group: list[dict[str, Any]], times: dict[str, Any]) -> list[str]:
    """Returns the tables of one dataset, the best score first."""
    metric, first = group[0]["metric"], -1 if better(group[0]) == "higher" else 1
    # Measurements with an interval replace earlier ones.
    group.sort(key=lambda row: "comparisons" in row)
    # A baseline that has more training rows stands in the table only if there is no other.
    usual = [row for row in group if not added(row)] or group
    baselines = {name: score for row in usual for name, score in row["baseline"].items()}
    ranges = {name: each for row in usual for name, each in _baseline_intervals(row).items()}
    group.sort(key=lambda row: first * shown_score(row))
    # A scale to 1 or to 100 is that of all of them: BLEU may be below 1 as well.
    best = max([*(row["score"] for row in group), *baselines.values()])
    # Where some networks of the data have word vectors, each says whether it has.
    vectors = any(row["config"].get("vectors", "none") != "none" for row in group)
    # A value that all rows share is moved to the column's header.
    intervals = [each for row in group if (each := interval_of(row))]
    kind = _common(each["kind"] for each in [*intervals, *ranges.values()])
    test = _common(each["test"] for row in group if (each := _compared(row)))
    score = f"{metric_name(metric)} {arrow(group[0])}"
    interval = "95 % interval" + (f" ({kind})" if kind else "")
    lines = [
        f"| network | {score} | {interval} | against the best baseline"
        + (f" ({test})" if test else "")
        + " | parameters | best epoch | training | MB | ms | date |",
        "|---|---:|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for result in group:
        metrics = result["metrics"]
        packed = pack_of(result)
        shown = span(interval_of(result), best, metric, kind=not kind, missing=_missing(result))
        cells = [
            f"`{result['recipe']}`{taught(result)}{_differences(result, group, vectors)}"
            f"{_members(result)}{_alone(result)}{added(result)}{_trained_on(result)}",
            f"**{number(shown_score(result), best, metric)}**{mark(result['recipe'])}"
            f"{spread(result, best)}",
            shown + seed_of(result),
            _against(result, name_test=not test),
            f"{metrics['parameters']:,}",
            _best_epoch(metrics),
            training_time(metrics),
            megabytes(packed["bytes"]) if packed else "–",
            milliseconds(times.get(result["recipe"]) if packed else None),
            result.get("date", "–"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if not baselines:
        return lines
    lines += ["", f"| baseline | {score} | {interval} |", "|---|---:|---|"]
    for name, value in sorted(baselines.items(), key=lambda item: first * item[1]):
        shown = span(ranges.get(name), best, metric, kind=not kind, missing=NOT_AGAIN)
        lines.append(f"| {name} | {number(value, best, metric)} | {shown} |")
    return lines


def _members(result: dict[str, Any]) -> str:
    """Returns how many networks an ensemble has; "" for a single network."""
    return f", mean of {len(result['members'])} networks" if "members" in result else ""


def _alone(result: dict[str, Any]) -> str:
    """Returns that only the linear part of a network answers; "" if the network does, too."""
    parts = result["metrics"].get("parts") or {}
    return ", its linear part alone" if parts.get("share") == 1 else ""


def added(result: dict[str, Any]) -> str:
    """Returns that validation rows were training rows, too; "" if they were not."""
    share = result.get("options", {}).get("add_validation")
    return f", {setting_of('add_validation', share)}" if share else ""


def _trained_on(result: dict[str, Any]) -> str:
    """Returns the training data of a network that was scored on others; "" for all others."""
    return f", trained on {result['trained_on']}" if "trained_on" in result else ""


def _best_epoch(metrics: dict[str, Any]) -> str:
    """Returns the epoch of the weights; an ensemble has one for each of its members."""
    return f"{metrics['best_epoch']} of {metrics['epochs']}" if "best_epoch" in metrics else "–"


def _common(values: Any) -> str:
    """Returns the value that all are equal to; "" if there is none."""
    different = {*values}
    return different.pop() if len(different) == 1 else ""


def render_models(directory: str | Path = "results", *, best: bool = False) -> str:
    """Returns the Markdown table of the packed models, with a published score and a baseline.

    Args:
      directory: of the results. The time of a request is that of `requests.json`, and `–` where it
        was not measured.
      best: whether to list only the best recurrent network of each dataset, and `ALSO`, without
        intervals.

    Raises:
      ZooError: the results of a model are missing.
    """
    from zoo.manifest import manifest_entry
    from zoo.registry import recipes

    entries = {name: manifest_entry(recipe) for name, recipe in recipes().items()}
    sizes = {name: entry["bytes"] for name, entry in entries.items() if entry}
    missing = [name for name in sizes if not (Path(directory) / f"{name}.json").exists()]
    if missing:
        raise ZooError(
            f"{directory} holds no results of {', '.join(missing)}. `python -m benchmarks collect "
            "NAME` writes them."
        )
    runs = seed_runs(read_results(directory))
    results = {
        name: across_seeds(files.read_json(Path(directory) / f"{name}.json"), runs)
        for name in sizes
    }
    times = _times(directory)
    shown = _best_of(results) if best else [*results]
    lines = [
        "| model | for (data) | score | "
        + ("" if best else "95 % interval | ")
        + "best published recurrent network | best baseline | parameters | MB | ms |",
        f"|---|---|---|{'' if best else '---|'}---|---|---:|---:|---:|",
    ]
    for name in sorted(shown, key=lambda name: (results[name]["topology"], name)):
        result = results[name]
        metric = result["metric"]
        scale = max([result["score"], *result["baseline"].values()])
        cells = [
            f"`{name}`{taught(result)}",
            f"{_use(name)} ({_inside(result['data']['title'])})",
            f"{metric_name(metric)} {arrow(result)} {number(shown_score(result), scale, metric)}"
            f"{mark(name)}{spread(result, scale)}",
            *(
                []
                if best
                else [span(interval_of(result), scale, metric, kind=False) + seed_of(result)]
            ),
            published(result) or "–",
            _beside(result, scale),
            f"{result['metrics']['parameters']:,}",
            megabytes(sizes[name]),
            milliseconds(times.get(name)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _best_of(results: dict[str, dict[str, Any]]) -> list[str]:
    """Returns the best recurrent network of each dataset and metric, and `ALSO`."""
    chosen: dict[tuple[str, str], str] = {}
    for name, result in results.items():
        if result["topology"] == "one-to-one":  # no recurrence
            continue
        key = (result["data"]["dataset"], result["metric"])
        sign = 1 if better(result) == "higher" else -1
        score = sign * shown_score(result)
        if key not in chosen or score > sign * shown_score(results[chosen[key]]):
            chosen[key] = name
    return [*dict.fromkeys([*chosen.values(), *(name for name in ALSO if name in results)])]


def read_results(directory: str | Path) -> list[dict[str, Any]]:
    """Returns all results in a directory."""
    return [files.read_json(path) for path in sorted(Path(directory).glob("*.json"))]


def seed_runs(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the results over several seeds."""
    return [result for result in results if result.get("kind") in ("seeds", "forecasters")]


def across_seeds(result: dict[str, Any], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns a score with `seeds`, if the same training was measured with several seeds.

    Args:
      result: of the kind `score`, of one seed.
      runs: results of the kinds `seeds` and `forecasters`.

    Returns:
      `result`, or a copy with `seeds`: `mean`, `deviation` and `count`. Its `comparisons` are those
      of the forecasters, which test the mean loss of the seeds. Others have the `seed` of `result`.
    """
    run = next((run for run in runs if _same_training(result, run)), None)
    if run is None:
        return result
    if run["kind"] == "seeds":
        seeds = {"mean": run["mean"], "deviation": run["deviation"], "count": len(run["scores"])}
        tests = {
            name: {**test, "seed": result["seed"]}
            for name, test in result.get("comparisons", {}).items()
        }
        return {**result, "seeds": seeds} | ({"comparisons": tests} if tests else {})
    recipe, metric = result["recipe"], result["metric"]
    row, count = run["networks"][recipe][0], len(run["seeds"][recipe])  # a day ahead, as the score
    seeds = {"mean": row[metric], "deviation": row[f"{metric}_deviation"], "count": count}
    test = f"Diebold & Mariano, mean loss of {count} seeds"
    tests = {name: {**days[0], "test": test} for name, days in run["tests"][metric][recipe].items()}
    return {**result, "seeds": seeds, "comparisons": tests}


def _same_training(result: dict[str, Any], run: dict[str, Any]) -> bool:
    """Returns whether a file of several seeds has runs of the recipe, settings and data of a score.

    The settings of a file of forecasters are those of its first network.
    """
    recipe = result["recipe"]
    if run["kind"] == "seeds":
        first, same = run["recipe"], run["recipe"] == recipe and run["metric"] == result["metric"]
        same = same and run["scores"].get(str(result["seed"])) == result["score"]
    else:
        seeds = run["seeds"].get(recipe, [])
        first, same = next(iter(run["networks"])), result["seed"] in seeds and len(seeds) > 1
        same = same and f"{result['metric']}_deviation" in run["networks"][recipe][0]
    return (
        same
        and run["data"]["title"] == result["data"]["title"]
        and changes(first, run["config"]) == changes(recipe, result["config"])
    )


def changes(recipe: str, config: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings that differ from the recipe's defaults, by their current names."""
    from zoo.registry import recipes

    if recipe not in recipes():
        return config
    known = recipes()[recipe].config
    defaults = dataclasses.asdict(known)
    settings = renamed(config, known.ALIASES)
    return {key: value for key, value in settings.items() if defaults[key] != value}


def shown_score(result: dict[str, Any]) -> float:
    """Returns the mean over seeds if there are several, else the score."""
    return result["seeds"]["mean"] if "seeds" in result else result["score"]


def spread(result: dict[str, Any], best: float) -> str:
    """Returns the standard deviation over seeds, and their number; "" for one seed."""
    if "seeds" not in result:
        return ""
    seeds = result["seeds"]
    deviation = deviation_of(seeds["mean"], seeds["deviation"], best, result["metric"])
    return f" ± {deviation} ({seeds['count']} seeds)"


def deviation_of(mean: float, deviation: float, best: float, metric: str) -> str:
    """Returns a standard deviation with the decimals of its mean; see `number`."""
    if 0 < mean < SMALL:
        return number(deviation, best, metric)
    return f"{deviation:.{_decimals(best, metric)}f}"


def seed_of(result: dict[str, Any]) -> str:
    """Returns the seed of an interval, if the score is the mean of several."""
    return f", seed {result['seed']}" if "seeds" in result and interval_of(result) else ""


def _use(name: str) -> str:
    return next(use for prefix, use in USES.items() if name.startswith(prefix))


def _inside(title: str) -> str:
    """Returns a title without its own brackets, to be put in brackets."""
    return re.sub(r" \((.*)\)$", r", \1", title)


def _beside(result: dict[str, Any], scale: float) -> str:
    """Returns the best baseline with its score, and how the network compares with it."""
    best, compared = best_baseline(result), _compared(result)
    if best is None:
        return "–"
    score = f"{best[0]} {number(best[1], scale, result['metric'])}"
    return f"{compared['verdict']} {score}" if compared else f"{score}, not tested"


def published(result: dict[str, Any]) -> str:
    """Returns the best comparable score of a recurrent network; "" if none is known."""
    found = PUBLISHED.get((result["data"]["title"], result["metric"]), "")
    if WITH_VECTORS in found and result["config"].get("vectors") == "none":
        return ""
    return found


def metric_name(metric: str) -> str:
    return NAMES.get(metric, metric.replace("_", " "))


def arrow(result: dict[str, Any]) -> str:
    return "↑" if better(result) == "higher" else "↓"


def better(result: dict[str, Any]) -> str:
    """Returns the direction in which the metric improves; earlier files lack it: see the recipe."""
    from zoo.registry import get_recipe

    return result.get("better") or get_recipe(result["recipe"]).metric.better


def best_baseline(result: dict[str, Any]) -> tuple[str, float] | None:
    """Returns the name and the score of the best baseline; None if there is none."""
    choose = max if better(result) == "higher" else min
    return choose(result["baseline"].items(), key=lambda item: item[1], default=None)


def training_time(metrics: dict[str, Any]) -> str:
    """Returns the training time; of a training by `tools/gpu`, the one that its run records."""
    if metrics.get("train_seconds") is not None:
        return duration(metrics["train_seconds"])
    gpu, seconds = recorded_training(metrics)
    return "–" if seconds is None else duration(seconds) + (" (GPU)" if gpu else "")


def recorded_training(metrics: dict[str, Any]) -> tuple[str | None, float | None]:
    """Returns the GPU and the seconds of a training by `tools/gpu`; None for what there is not."""
    found = re.search(r"on (?:one (NVIDIA .+?)|a CPU) in ([\d,.]+) s\b", metrics.get("weights", ""))
    return (found[1], float(found[2].replace(",", ""))) if found else (None, None)


def duration(seconds: float) -> str:
    """Returns a time in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def megabytes(size: int) -> str:
    """Returns a size in MB, with one digit after the point."""
    return f"{size / 1e6:.1f}" if size >= 5e4 else "<0.1"


def _times(directory: str | Path) -> dict[str, Any]:
    """Returns the measured times of a request to each model."""
    requests = Path(directory) / "requests.json"
    return files.read_json(requests)["models"] if requests.exists() else {}


def milliseconds(measured: dict[str, Any] | None) -> str:
    if measured is None:
        return "–"
    value = measured["milliseconds"]
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def _differences(
    result: dict[str, Any], others: Sequence[dict[str, Any]], vectors: bool = False
) -> str:
    """Returns the settings by which runs of the same recipe differ, as `, key=value`.

    An earlier file lacks newer settings: it has their defaults.

    Args:
      result: a row of the table.
      others: all rows of its data.
      vectors: whether to name the word vectors in any case.
    """
    from zoo.registry import recipes

    recipe = recipes().get(result["recipe"])
    defaults = recipe.config if recipe else None
    configs = [other["config"] for other in others if other["recipe"] == result["recipe"]]
    return "".join(
        f", {setting_of(key, value)}"
        for key, value in result["config"].items()
        if any(config.get(key, getattr(defaults, key, value)) != value for config in configs)
        or (vectors and key == "vectors")
    )


def setting_of(key: str, value: Any) -> str:
    """Returns `key=value`; a float has at most six significant digits."""
    return f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"


def interval_of(result: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the interval of a score; None if its parts were not stored."""
    if result["metric"] == "accuracy" and "interval" not in result:
        from zoo.metrics import wilson_interval

        low, high = wilson_interval(result["score"], result["metrics"]["test"]["rows"])
        return _shared({"low": low, "high": high, "kind": "Wilson, rows"}, result)
    speakers = result["metrics"]["test"].get("per_speaker")
    if result["metric"] == "word_error_rate" and "interval" not in result and speakers:
        from zoo.metrics.intervals import interval, ratios

        words = [row["words"] for row in speakers.values()]
        errors = [row["word_error_rate"] * row["words"] for row in speakers.values()]
        low, high, kind = interval(ratios("speakers", errors, words))
        return {"low": low, "high": high, "kind": kind}
    return _shared(result["interval"], result) if result.get("interval") else None


def _shared(interval: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Returns an interval with a remark if its rows are not independent: a few speakers' rows.

    A bootstrap over speakers would be narrower than Wilson's interval if most of them have no
    error.
    """
    speakers = result["metrics"]["test"].get("per_speaker")
    if not speakers or not interval["kind"].startswith("Wilson"):
        return interval
    kind = f"{interval['kind']}; these are of {len(speakers)} speakers, not independent"
    return {**interval, "kind": kind}


def _baseline_intervals(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    if result["metric"] == "accuracy" and "baseline_intervals" not in result:
        return {
            name: interval_of({**result, "score": score}) or {}
            for name, score in result["baseline"].items()
        }
    return {
        name: _shared(each, result) for name, each in result.get("baseline_intervals", {}).items()
    }


def span(
    interval: dict[str, Any] | None,
    best: float,
    metric: str,
    *,
    kind: bool = True,
    missing: str = "–",
) -> str:
    if interval is None:
        return missing
    low, high = (number(interval[end], best, metric) for end in ("low", "high"))
    return f"{low}–{high}" + (f" ({interval['kind']})" if kind else "")


def _compared(result: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the paired test against the best baseline; None if there was none."""
    best = best_baseline(result)
    return result.get("comparisons", {}).get(best[0]) if best else None


def _against(result: dict[str, Any], *, name_test: bool) -> str:
    """Returns how a network compares with its best baseline, by the paired test that fits."""
    best, compared = best_baseline(result), _compared(result)
    if best is None and "interval" in result:
        return "no baseline"
    if best is None or compared is None:
        return _missing(result)
    said = [compared["test"]] if name_test else []
    said += [] if compared["holm"] is None else [f"p {compared['holm']:.1g}"]
    said += [f"seed {compared['seed']}"] if "seed" in compared else []
    return f"**{compared['verdict']}** {best[0]}" + (f" ({', '.join(said)})" if said else "")


def _missing(result: dict[str, Any]) -> str:
    """Returns why a result has no interval or no comparison: variants are not packed."""
    return NOT_AGAIN if pack_of(result) else NOT_KEPT


def pack_of(result: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the manifest's entry for a result; None if it is not packed."""
    from zoo.manifest import manifest_entry
    from zoo.registry import recipes

    recipe = recipes().get(result["recipe"])
    entry = manifest_entry(recipe) if recipe else None
    measured = (result["score"], result["data"]["title"])
    return entry if entry and (entry["score"], entry["data"]) == measured else None


def mark(recipe: str) -> str:
    return MARK if any(recipe.startswith(prefix) for prefix in SEEN) else ""


def taught(result: dict[str, Any]) -> str:
    return TAUGHT if "teaching" in result["data"] else ""


def number(score: float, best: float, metric: str) -> str:
    """Returns a fraction of 1 with four digits, nats with three, a scale to 100 with two.

    `best` is the highest score on that scale. Scores below 0.001 have two significant digits.
    """
    if 0 < score < SMALL:
        return f"{score:.1e}"
    return f"{score:.{_decimals(best, metric)}f}"


def _decimals(best: float, metric: str) -> int:
    return 3 if metric.startswith("nats") else 4 if best <= 1 else 2
