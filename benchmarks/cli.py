"""The command line of the benchmarks: `python -m benchmarks`, from the repository's root."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click

from zoo import files
from zoo.cli import options
from zoo.errors import ZooError

# Options of several commands.
_output = click.option("-o", "--output", required=True, metavar="FILE", help="JSON to write.")
_runs = click.option(
    "--runs", default="runs", show_default=True, metavar="DIR", help="Folder of runs."
)
_data = click.option(
    "--data", metavar="SOURCE", help="A source of the recipe's dataset, or a path."
)
_seed = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all random numbers."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def benchmarks() -> None:
    """Measure, and make the table of results from the measurements."""


@benchmarks.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="FILE", help="results/<recipe>.json by default.")
@click.option("--seeds", is_flag=True, help="Write the mean of runs that differ in their seeds.")
@click.option("--by", metavar="SETTING", help="Write scores of runs that differ in it alone.")
@click.option("--ensemble", is_flag=True, help="Score the mean of the models' answers.")
@click.option("--data", metavar="SOURCE", help="Score one MODEL on the test split of SOURCE.")
def collect(
    models: tuple[str, ...],
    output: str | None,
    seeds: bool,
    by: str | None,
    ensemble: bool,
    data: str | None,
) -> None:
    """Write what each MODEL (complete run, pretrained name) measured to a JSON file.

    With --seeds, a MODEL can also be such a JSON file.
    """
    ways = [seeds, by is not None, ensemble, data is not None]
    if sum(ways) > 1:
        raise click.UsageError("Give only one of --seeds, --by, --ensemble and --data.")
    if output is None and any(ways):
        raise click.UsageError("--seeds, --by, --ensemble and --data need -o FILE.")
    if data is not None and len(models) > 1:
        raise click.UsageError("--data is for one MODEL.")
    if output is not None and len(models) > 1 and not any(ways):
        raise click.UsageError(
            "-o FILE is for one MODEL, or for several with --seeds, --by or --ensemble."
        )
    options.import_tensorflow()
    if ensemble and output is not None:
        from benchmarks.ensembles import collect_ensemble

        result = collect_ensemble(models, output, log=click.echo)
        click.echo(f"{result['metric']} {result['score']:.4f}: {output}")
        return
    if data is not None and output is not None:
        from benchmarks.elsewhere import collect_elsewhere

        result = collect_elsewhere(models[0], data, output, log=click.echo)
        click.echo(f"{result['metric']} {result['score']:.4f}: {output}")
        return
    from benchmarks.results import collect, collect_seeds, collect_settings

    if by is not None and output is not None:
        result = collect_settings(models, by, output)
        for value, score in result["scores"].items():
            click.echo(f"{value}: {result['metric']} {score:.4f}")
        click.echo(f"mean {result['mean']:.4f}: {output}")
        return
    if seeds and output is not None:
        click.echo(collect_seeds(models, output))
        return
    for model in models:
        click.echo(collect(model, output))


@benchmarks.command("held-out")
@click.argument("name")
@click.option("--by", required=True, metavar="COLUMN", help="Of the data, such as speaker.")
@_output
@_runs
@_data
@_seed
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change the recipe's config."
)
def held_out_each(
    name: str,
    by: str,
    output: str,
    runs: str,
    data: str | None,
    seed: int,
    settings: tuple[str, ...],
) -> None:
    """Train the recipe NAME once for each value of a column, and test it on that value alone.

    Runs that are complete are not trained again; those that were stopped go on.
    """
    from zoo.config import parse_settings

    changes = parse_settings(settings)
    options.import_tensorflow()
    from benchmarks.held_out import held_out

    result = held_out(
        name, by, output, runs=runs, data=data, seed=seed, settings=changes, log=click.echo
    )
    click.echo(f"mean {result['mean']:.4f}: {output}")


@benchmarks.command("small")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@_output
@click.option(
    "--rows",
    "sizes",
    type=click.IntRange(50),
    multiple=True,
    default=(200, 1_000, 5_000),
    show_default=True,
    metavar="N",
    help="Rows to draw. May be repeated.",
)
@click.option(
    "--seeds", type=click.IntRange(1), default=3, show_default=True, help="Draws of each size."
)
@click.option("--packed", is_flag=True, help="Also start from packed weights of other data.")
def small_data(
    names: tuple[str, ...], output: str, sizes: tuple[int, ...], seeds: int, packed: bool
) -> None:
    """Train classifiers at their defaults on few rows of NAME: imdb, ag-news, sst-2, bbc.

    What the file has already is not measured again.
    """
    options.import_tensorflow()
    from benchmarks.small import listed, means, small

    result = small(output, names=names, sizes=sizes, seeds=seeds, packed=packed, log=click.echo)
    for row in means(result["runs"]):
        shown = listed({row["recipe"]: row["accuracy"], **row["baselines"]})
        click.echo(f"{row['data']} {row['rows']:,}: {shown} (mean of {row['seeds']})")


@benchmarks.command()
@click.argument("name")
@click.option(
    "--stage",
    "stages",
    multiple=True,
    required=True,
    metavar="'KEY=VALUE …'",
    help="Settings of a stage; repeatable, in order.",
)
@_output
@_runs
@_data
@_seed
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Settings of all stages."
)
def stages(
    name: str,
    stages: tuple[str, ...],
    output: str,
    runs: str,
    data: str | None,
    seed: int,
    settings: tuple[str, ...],
) -> None:
    """Train the recipe NAME from scratch in stages, each from the best epoch of the one before."""
    from zoo.config import parse_settings

    options.import_tensorflow()
    from benchmarks.stages import train_in_stages

    train_in_stages(
        name,
        [parse_settings(stage.split()) for stage in stages],
        output,
        runs=runs,
        data=data,
        seed=seed,
        settings=parse_settings(settings),
        log=click.echo,
    )
    click.echo(output)


@benchmarks.command()
@click.argument("name")
@click.option("--peer", required=True, metavar="MODULE", help="Published example to race against.")
@click.option("--target", required=True, type=float, help="Score to reach.")
@_output
@click.option("--data", metavar="SOURCE", help="A source of the recipe's dataset.")
@_seed
@click.option(
    "--every", type=click.IntRange(1), default=25, show_default=True, help="Steps between scorings."
)
def race(
    name: str, peer: str, target: float, output: str, data: str | None, seed: int, every: int
) -> None:
    """Measure how long the recipe NAME trains to a score, and how long a published example."""
    options.import_tensorflow()
    from benchmarks.race import race

    result = race(name, peer, target, output, data=data, seed=seed, every=every)
    ours, theirs = result["recipe"], result["peer"]
    click.echo(f"{name}: {ours['score']:.4f} after {ours['seconds']:.1f} s ({ours['steps']} steps)")
    click.echo(f"{peer}: {theirs['score']:.4f} after {theirs['seconds']:.1f} s")
    click.echo(f"ratio {result['ratio']:.3f}")


@benchmarks.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--peer", required=True, metavar="MODULE", help="The same networks elsewhere.")
@_output
@click.option("--picture", metavar="PNG", help="The JSON's name, ending in .png, by default.")
@click.option("--race", metavar="NAME", help="The recipe that trains to a score; the first NAME.")
@click.option("--target", type=float, default=0.88, show_default=True, help="Score to reach.")
@click.option("--data", metavar="SOURCE", help="A source of the recipes' dataset.")
@_seed
@click.option(
    "--pairs", type=click.IntRange(3), default=30, show_default=True, help="Batches of each recipe."
)
@click.option(
    "--every", type=click.IntRange(1), default=50, show_default=True, help="Steps between scorings."
)
def twins(
    names: tuple[str, ...], peer: str, output: str, picture: str | None, **settings: Any
) -> None:
    """Compare the recipes NAME with the same networks of another framework.

    Training steps of each; of one of them, time to a score, answers of its export, and how a step
    grows with length and batch.
    """
    from pathlib import Path

    picture = picture or str(Path(output).with_suffix(".png"))
    if not picture.lower().endswith(".png"):
        raise click.UsageError("The name of the picture (--picture) must end in .png.")
    options.import_tensorflow()
    from benchmarks.twins import compare

    log = functools.partial(click.echo, err=True)
    result = compare(names, peer, output, picture, log=log, **settings)
    for name, each in result["steps"].items():
        click.echo(
            f"{name}: step on the same batches {each['same_batches']['ratio']:.2f} of theirs, "
            f"{each['batching']['total_ratio']:.2f} batched by length, "
            f"{each['whole']['total_ratio']:.2f} with whole rows"
        )
    race, metric = result["to_target"], result["metric"]
    for who in ("ours", "theirs"):
        one = race[who]
        click.echo(f"{who}: {metric} {one['score']:.4f} after {one['seconds']:.1f} s")
    click.echo(f"ratio {race['ratio']:.2f}")
    for size, each in result["answers"].items():
        click.echo(
            f"answers to {size}: {each['ids']['ratio']:.2f} of theirs, "
            f"{each['raw']['ratio']:.2f} from raw input"
        )


@benchmarks.command()
@click.argument("model")
@_output
@click.option("--data", metavar="SOURCE", help="A source of the model's dataset.")
def decoding(model: str, output: str, data: str | None) -> None:
    """Measure how many sentences MODEL translates per second, as a graph and in a Python loop."""
    options.import_tensorflow()
    from benchmarks.decoding import decoding_race

    result = decoding_race(model, output, data=data)
    for way in ("loop", "single", "greedy", "beam"):
        click.echo(f"{way}: {result[way]['per_second']:.2f} sentences a second")
    click.echo(
        f"ratio {result['single_ratio']:.1f} one by one, {result['ratio']:.1f} in batches, "
        f"{result['beam_ratio']:.1f} with the beam"
    )


@benchmarks.command()
@click.argument("model")
@_output
def generation(model: str, output: str) -> None:
    """Measure how many ids MODEL samples per second, as a graph and in a Python loop."""
    options.import_tensorflow()
    from benchmarks.generation import generation_race

    result = generation_race(model, output)
    for way in ("loop", "single", "batch"):
        click.echo(f"{way}: {result[way]['per_second']:.1f} ids a second")
    click.echo(f"ratio {result['single_ratio']:.1f} one by one, {result['ratio']:.1f} in a batch")


@benchmarks.command("options")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@_output
@click.option("--data", metavar="SOURCE", help="A source of the recipes' datasets.")
@click.option(
    "--rounds", type=click.IntRange(1), default=3, show_default=True, help="Passes of each way."
)
def training_options(names: tuple[str, ...], output: str, data: str | None, rounds: int) -> None:
    """Measure training steps of each recipe NAME with XLA, several at once, in half precision."""
    options.import_tensorflow()
    from benchmarks.options import measure_options

    measure_options(names, output, data=data, rounds=rounds, log=click.echo)


@benchmarks.command()
@click.argument("name")
@_output
@click.option(
    "--kills", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="How many."
)
@_seed
@click.option("--data", metavar="SOURCE", help="A source of the recipe's dataset.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change the recipe's config."
)
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="At a time.  [default: cores]")
def recovery(
    name: str,
    output: str,
    kills: int,
    seed: int,
    data: str | None,
    settings: tuple[str, ...],
    jobs: int | None,
) -> None:
    """Kill runs of the recipe NAME, fill their disks, damage files, and test if they recover."""
    from zoo.config import override, parse_settings
    from zoo.registry import get_recipe

    changes = parse_settings(settings)
    override(get_recipe(name).config, changes)
    options.import_tensorflow()
    from joblib import cpu_count

    from benchmarks.recovery import recovery

    result = recovery(
        name,
        output,
        kills=kills,
        seed=seed,
        data=data,
        settings=changes,
        jobs=jobs or cpu_count(),
        log=click.echo,
    )
    for case in result["cases"]:
        for line in case.get("differences", []):
            click.echo(f"{case['case']}: {line}")
    click.echo(f"{result['equal']} of {result['all']} equal: {output}")
    if result["equal"] < result["all"]:
        raise ZooError(f"Not every run recovered; {output} lists which did not, and why.")


@benchmarks.command()
@_output
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(["batches", "downloads", "kills"]),
    help="Repeat this alone, keep the others in FILE; repeatable.",
)
@click.option(
    "--batches", type=click.IntRange(1), default=10_000, show_default=True, help="How many."
)
@click.option("--kills", type=click.IntRange(1), default=100, show_default=True, help="How many.")
@_seed
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="At a time.  [default: cores]")
def attack(
    output: str, parts: tuple[str, ...], batches: int, kills: int, seed: int, jobs: int | None
) -> None:
    """Ask packed models for odd batches, download from bad servers, kill commands."""
    options.import_tensorflow()
    from joblib import cpu_count

    from benchmarks import attack

    result = attack.attack(
        output,
        parts=parts or attack.PARTS,
        batches=batches,
        kills=kills,
        seed=seed,
        jobs=jobs or cpu_count(),
        log=click.echo,
    )
    for name, part in result["parts"].items():
        for failure in part["failures"][:20]:
            click.echo(f"{name}: {failure}")
    if result["failures"]:
        raise ZooError(f"{result['failures']} attacks succeeded; {output} lists them.")
    click.echo(f"nothing gave way: {output}")


@benchmarks.command()
@_output
@click.option("--only", multiple=True, metavar="NAME", help="Cases whose names begin so.")
def hosts(output: str, only: tuple[str, ...]) -> None:
    """Train on two and three hosts that are killed, cut off, or started in a wrong way.

    The hosts are network namespaces of this Linux machine.
    """
    from benchmarks.hosts import try_hosts

    result = try_hosts(output, only=only, log=click.echo)
    click.echo(f"{result['fine']} of {result['all']} as they have to be: {output}")
    if result["fine"] < result["all"]:
        raise ZooError(f"Not every case ended as it has to; {output} lists which did not.")


@benchmarks.command()
@click.argument("model")
@_output
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(["first", "load", "throughput", "malformed", "reloads"]),
    help="Repeat this alone, keep the others in FILE; repeatable.",
)
@click.option(
    "--seconds", type=click.FloatRange(1), default=120, show_default=True, help="Of the load."
)
@click.option("--clients", type=click.IntRange(1), default=16, show_default=True, help="At once.")
@click.option(
    "--malformed", type=click.IntRange(1), default=10_000, show_default=True, help="Wrong bodies."
)
@click.option(
    "--reloads", type=click.IntRange(1), default=50, show_default=True, help="New versions."
)
def serve(model: str, output: str, parts: tuple[str, ...], **settings: Any) -> None:
    """Load `zoo serve` with MODEL, which takes texts: swaps, drains, bad clients, wrong bodies."""
    options.import_tensorflow()
    from benchmarks.serve import PARTS, serve_bench

    serve_bench(model, output, parts=parts or PARTS, log=click.echo, **settings)


@benchmarks.command()
@click.argument("name")
@_output
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change the recipe's config."
)
def round_trips(name: str, output: str, settings: tuple[str, ...]) -> None:
    """Time steps of two workers whose packets take 0, 1 and 10 ms; count the round trips."""
    from benchmarks.round_trips import round_trips
    from zoo.config import parse_settings

    result = round_trips(name, output, settings=parse_settings(settings), log=click.echo)
    click.echo(f"{result['round_trips']} round trips a step: {output}")


@benchmarks.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@_output
@click.option(
    "--rounds", type=click.IntRange(1), default=40, show_default=True, help="Of single rows."
)
def latency(names: tuple[str, ...], output: str, rounds: int) -> None:
    """Time answers of packed IMDB models NAME (default: all five) beside PyTorch, on one core."""
    options.import_tensorflow()
    from benchmarks.answers import use_one_thread
    from benchmarks.latency import IMDB, measure

    use_one_thread()
    measure(output, names or IMDB, rounds=rounds, log=functools.partial(click.echo, err=True))
    click.echo(output)


@benchmarks.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@_output
@click.option(
    "--rounds", type=click.IntRange(1), default=10, show_default=True, help="Requests to each."
)
def requests(names: tuple[str, ...], output: str, rounds: int) -> None:
    """Time one request to each packed model NAME (default: all), in turn, on one core."""
    options.import_tensorflow()
    import tensorflow as tf

    from benchmarks.requests import measure

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    measure(output, names, rounds=rounds, log=functools.partial(click.echo, err=True))
    click.echo(output)


@benchmarks.command()
@click.argument("pages", metavar="[PAGE]...", nargs=-1)
@click.option(
    "--results", default="results", show_default=True, metavar="DIR", help="Folder of measurements."
)
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 if a page is out of date.")
def table(pages: tuple[str, ...], results: str, check: bool) -> None:
    """Write the tables of models and of results between the markers of each PAGE.

    Without PAGE: README.md, docs/results.md, docs/models/index.md; and docs/serving.md once formats
    were measured.
    """
    from benchmarks.results import PAGES, write_table

    changed = []
    measured = ("docs/serving.md",) if (Path(results) / "formats.json").exists() else ()
    for page in pages or (*PAGES, *measured):
        if write_table(page, results, check=check):
            changed.append(page)
        state = "is out of date" if check else "changed"
        click.echo(f"{page} {state if page in changed else 'is up to date'}")
    if check and changed:
        raise ZooError(f"Run `python -m benchmarks table {' '.join(changed)}`.")


@benchmarks.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    default="results/formats.json",
    show_default=True,
    metavar="FILE",
    help="JSON to write.",
)
@click.option(
    "--rows", type=click.IntRange(1), default=500, show_default=True, help="Test rows scored."
)
@click.option("--data", metavar="SOURCE", help="What the models were trained on, if custom data.")
def formats(models: tuple[str, ...], output: str, rows: int, data: str | None) -> None:
    """Measure each MODEL as ONNX and LiteRT, in every precision: size, time of a row, metric."""
    options.import_tensorflow()
    from benchmarks.formats import measure

    measure(models, output, rows=rows, data=data, log=functools.partial(click.echo, err=True))
    click.echo(output)


@benchmarks.command()
@click.argument("run")
@click.argument("folder")
@click.option("--baselines", is_flag=True, help="Measure them again, too.")
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Round matrices to a grid of so many steps to a standard deviation; 8 for large models.",
)
@click.option(
    "--source", metavar="KEY", help="Source with the same rows as the custom data of the training."
)
def pack(run: str, folder: str, baselines: bool, steps: int | None, source: str | None) -> None:
    """Pack the complete RUN as pretrained weights into FOLDER, and list it in its manifest.

    RUN may be a packed model: its weights stay, what is around them is made again.
    """
    options.import_tensorflow()
    from pathlib import Path

    from benchmarks.pack import pack

    entry = pack(run, Path(folder), steps=steps, baselines=baselines, source=source)
    click.echo(
        f"{entry['file']}: {entry['bytes'] / 1e6:.1f} MB, {entry['metric']} {entry['score']:.4f}"
    )


@benchmarks.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
def parameters(folder: str) -> None:
    """Write the parameters of each packed model in FOLDER to its parameters.json."""
    options.import_tensorflow()
    from benchmarks.pack import write_parameters

    click.echo(write_parameters(Path(folder)))


@benchmarks.command()
@click.argument("models", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "-o", "--output", required=True, metavar="PNG", help="Picture; its JSON has the same name."
)
@click.option(
    "--rows", type=click.IntRange(1, 1000), default=16, show_default=True, help="Test rows read."
)
def profiles(models: tuple[str, ...], output: str, rows: int) -> None:
    """Draw the validation curve of each RUN, and its gradients over time."""
    if not output.lower().endswith(".png"):
        raise click.UsageError("The name of the picture (-o) must end in .png.")
    options.import_tensorflow()
    from benchmarks.profiles import profiles

    click.echo(profiles(models, output, rows=rows))


@benchmarks.command()
@click.argument("action", type=click.Choice(["store", "compare"]))
@click.argument("file")
@click.option("--model", "names", multiple=True, metavar="NAME", help="Only this; repeatable.")
@click.option(
    "--results", default="results", show_default=True, metavar="DIR", help="Folder of measurements."
)
def answers(action: str, file: str, names: tuple[str, ...], results: str) -> None:
    """Store checksums of packed models' answers and of all scores in FILE, or compare with it.

    Each line of output of `compare` is a difference; without one, the exit code is 0.
    """
    options.import_tensorflow()
    from benchmarks.answers import compare, store, use_one_thread

    if action == "compare":
        files.read_json(Path(file))  # says what is wrong with it before anything is computed
    use_one_thread()
    log = functools.partial(click.echo, err=True)
    if action == "store":
        click.echo(f"{store(file, names, results=results, log=log)} outputs: {file}")
        return
    differences = compare(file, names, results=results, log=log)
    for line in differences:
        click.echo(line)
    if differences:
        raise ZooError(f"{len(differences)} checksums differ from those in {file}.")


@benchmarks.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option(
    "--results", default="results", show_default=True, metavar="DIR", help="Folder of measurements."
)
@click.option("-o", "--output", metavar="FILE", help="The measurement of one MODEL, of any name.")
@click.option("--data", metavar="PATH", help="Where the custom data are that MODEL was trained on.")
def intervals(models: tuple[str, ...], results: str, output: str | None, data: str | None) -> None:
    """Write intervals, and tests against baselines, into the results of each MODEL.

    MODEL is a packed model or a complete run. It answers its test split once more.
    """
    if output is not None and len(models) > 1:
        raise click.UsageError("-o FILE is for one MODEL.")
    options.import_tensorflow()
    from benchmarks.intervals import add_intervals

    add_intervals(models, results, data, output, log=click.echo)


@benchmarks.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("--reference", required=True, metavar="NAME", help="Recipe to compare others with.")
@_output
@click.option(
    "--windows",
    type=click.IntRange(1),
    default=6,
    show_default=True,
    help="Parts of the test days; simple methods are fitted at the start of each.",
)
def forecasters(models: tuple[str, ...], reference: str, output: str, windows: int) -> None:
    """Compare forecasters, several seeds of each, with all simple methods on their test split."""
    options.import_tensorflow()
    from benchmarks.forecasters import forecasters

    forecasters(models, output, reference=reference, windows=windows, log=click.echo)
    click.echo(output)


@benchmarks.command()
@click.argument("family")
@_output
@_seed
def peers(family: str, output: str, seed: int) -> None:
    """Train and score a recipe and what a user may pick instead, in one run.

    FAMILY is imdb, sst-2, ag-part, conll or shakespeare.
    """
    from benchmarks.contest import contest, table

    log = functools.partial(click.echo, err=True)
    click.echo(table(contest(family, output, seed=seed, log=log)))


@benchmarks.command()
@click.argument("names", metavar="MODEL...", nargs=-1, required=True)
@_output
def probes(names: tuple[str, ...], output: str) -> None:
    """Score sentiment models on short sentences of negation and contrast."""
    options.import_tensorflow()
    from benchmarks.probes import probes, table

    click.echo(table(probes(names, output)))


@benchmarks.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@click.option("--data", metavar="SOURCE", help="What the models were trained on, if custom data.")
def use(folder: Path, names: tuple[str, ...], data: str | None) -> None:
    """Write into FOLDER/use.json what its packs are for, and which rows are unusual for them."""
    options.import_tensorflow()
    from benchmarks.novelty import describe_packs

    describe_packs(folder, names, data=data, log=click.echo)


@benchmarks.command()
@click.argument("names", metavar="MODEL...", nargs=-1, required=True)
@_output
def novelty(names: tuple[str, ...], output: str) -> None:
    """Count the rows that MODELs mark as unusual: of their test split and of other languages."""
    options.import_tensorflow()
    from benchmarks.novelty import novelty, table

    click.echo(table(novelty(names, output, log=lambda line: click.echo(line, err=True))))


@benchmarks.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@_output
def overlaps(names: tuple[str, ...], output: str) -> None:
    """Count the test rows of the recipes NAME whose text is in their training split, too."""
    options.import_tensorflow()
    from benchmarks.overlaps import overlaps

    for row in overlaps(names, output)["data"]:
        click.echo(
            f"{row['title']}: {row['overlap']:,} of {row['test']:,} test rows are in train too"
        )
