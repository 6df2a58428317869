"""`zoo predict`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import files
from zoo.cli import options
from zoo.cli.answers import cell_of, merged, rounded, write
from zoo.cli.model_options import ModelCommand
from zoo.config import FILE_PRECISIONS
from zoo.data.declaration import TABLES
from zoo.data.reading import Reading, ReadOptions, refuse_min_count, refuse_table_options
from zoo.errors import UsageError, ZooError, quoted, shortened, suggest
from zoo.serving.answers import best_of

if TYPE_CHECKING:
    from zoo.recipe import Picture, Recipe
    from zoo.serving import Predictor

Row = dict[str, Any]


@click.command(cls=ModelCommand)
@options.model
@click.argument("texts", metavar="[TEXT|FILE]...", nargs=-1)
@click.option(
    "-i",
    "--input",
    "source",
    metavar="FILE",
    type=click.Path(),
    help="A table (.csv, .tsv, .jsonl, .parquet, .xlsx, …), or a .txt file with one text per line.",
)
@click.option(
    "-o",
    "--output",
    "target",
    metavar="FILE",
    type=click.Path(),
    help="Write a .csv, .tsv or .jsonl file; `-` is JSON lines on standard output.",
)
@options.column
@options.reading
@options.trust
@click.option("--json", "as_json", is_flag=True, help="JSON lines on standard output.")
@click.option(
    "--beam", type=click.IntRange(1, 100), metavar="N", help="Hypotheses kept by the beam search."
)
@click.option(
    "--n-best",
    type=click.IntRange(1, 100),
    metavar="N",
    help="Number of answers to each text, best first.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "tensorflow", *FILE_PRECISIONS]),
    default="auto",
    show_default=True,
    help="Software that computes. onnx and litert answer texts without TensorFlow, with a copy of "
    "the packed model that is made once and cached; auto uses such a copy if there is one.",
)
@click.option(
    "-v", "--verbose", is_flag=True, help="Print on standard error which engine answered."
)
@click.option(
    "--ray",
    "workers",
    type=click.IntRange(1),
    metavar="N",
    help="Answer a large file (-i) in parts, by N workers of a Ray cluster; -o is a folder.",
)
@click.option(
    "--part-rows",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    metavar="N",
    help="Rows in a part, with --ray.",
)
def predict(
    model: str,
    texts: tuple[str, ...],
    source: str | None,
    target: str | None,
    columns: dict[str, str],
    reading: ReadOptions,
    trust: bool,
    as_json: bool,
    beam: int | None,
    n_best: int | None,
    engine: str,
    verbose: bool,
    workers: int | None,
    part_rows: int,
    **given: str | None,
) -> None:
    """Answer each TEXT, or each FILE of sound, a picture or prices, with MODEL (recipe name, run
    folder or export).

    `-`, or nothing in a pipe, reads standard input, one text or name a line.

    Rows of a file keep their other columns. A column with the name of an output
    is written as given_NAME.

    --beam and --n-best are for models that search, such as translation. Some
    models draw how they answer: `zoo predict MODEL --help` shows their options.
    """
    refuse_min_count(reading)
    drawn = {name: path for name, path in given.items() if path is not None}
    for path in drawn.values():
        if Path(path).suffix.lower() != ".png":
            raise UsageError(f"{shortened(path)}: the name of the picture must end in .png.")
    if beam is not None and n_best is not None and n_best > beam:
        raise UsageError(f"--n-best {n_best} needs a --beam at least as large; got {beam}.")
    if workers is not None:
        others = (texts, as_json, beam, n_best, drawn, trust, reading.to_json())
        if not source or not target or any(others) or engine != "auto":
            raise click.UsageError("--ray takes a file (-i), a folder (-o) and --column only.")
        if Path(source).suffix.lower() == ".txt":
            refuse_table_options(source, columns, reading)
        from zoo.cli.parts import predict_parts

        predict_parts(model, source, target, workers, part_rows, columns, click.echo)
        return
    source = _source(texts, source)
    kind = _kind(target, as_json)
    read = Reading(reading)
    lines = _lines(source, read) if source and _is_text(source) else None
    given_texts = list(texts) if lines is None else lines
    special = beam or n_best or drawn or columns or reading.to_json()
    portable = bool(given_texts) and not special and engine != "tensorflow"
    if engine in FILE_PRECISIONS and not portable:
        raise click.UsageError(
            f"--engine {engine} answers texts only, and allows only the options -i, -o, --json and "
            "-v."
        )
    if portable:
        formats = tuple(FILE_PRECISIONS) if engine == "auto" else (engine,)
        asked = (model, given_texts, read, target, kind, formats, verbose, lines is None, trust)
        if _answered_at_once(*asked):
            return
    options.import_tensorflow()
    from zoo.serving import load

    predictor = load(model, trust=trust)
    if engine in FILE_PRECISIONS:
        from zoo import quiet
        from zoo.serving.portable import twin_maker

        with quiet.silent_stderr():  # converters write there
            twin_maker.make(predictor, engine, given_texts)
        _answered_at_once(*asked)
        return
    names, asks = predictor.input_names, predictor.recipe.reads_input
    if lines is None and source and predictor.recipe.reads_tables:
        texts, source = (source,), None  # it is what the model takes, not a list of such files
    named = source is None and predictor.recipe.reads_tables  # the tables themselves
    if not named and source is None and (said := ["column"] * bool(columns) + [*reading.to_json()]):
        raise click.UsageError(
            f"--{said[0].replace('_', '-')} applies to files only: give -i FILE instead of texts."
        )
    if lines is not None:
        # A table that a line names may be described, but its columns cannot be named.
        described = ReadOptions() if predictor.recipe.reads_tables else reading
        refuse_table_options("standard input" if source == "-" else str(source), columns, described)
    dataset = predictor.recipe.data(predictor.config)
    dataset.check_repair(reading)
    known = [*(dataset.columns if named else names)]
    if unknown := sorted(set(columns) - set(known)):
        raise UsageError(f"Unknown column {unknown[0]!r}.{suggest(unknown[0], known)}")
    theirs = {name: name if named else columns.get(name, name) for name in names}
    if lines is None and source:
        from zoo.data.tables import read_rows

        needed = {names[0]: theirs[names[0]]} if asks else theirs
        rows = read_rows(files.expanded(source), needed, read)
    elif len(names) == 1 or asks:
        rows = [{names[0]: text} for text in (texts if lines is None else lines)]
    else:
        raise UsageError(f"This model takes {', '.join(names)}: give a file with these columns.")
    if asks:
        rows, requests, examples = _read_inputs(
            predictor, rows, theirs[names[0]], source if lines is None else None,
            columns if source is None else {}, read,
        )  # fmt: skip
    else:
        requests = {name: [cell_of(row, column) for row in rows] for name, column in theirs.items()}
        examples = requests
    if not asks and lines is None:
        _note_names(texts, read)
    outside = predictor.recipe.outside(predictor.config, predictor.assets, examples)
    for note in [*read.notes, *outside]:
        click.echo(f"note: {options.printable(note)}", err=True)
    pictures = [picture for picture in predictor.recipe.pictures if picture.name in drawn]
    for picture in pictures:
        lacking = f"has no {picture.capability} to draw"
        hint = f"--{picture.name} needs a model that has one."
        predictor.require(picture.capability, lacking, hint)
    searched = None
    if beam or n_best or any(picture.capability == "search" for picture in pictures):
        searched = _search(predictor, requests, beam, n_best)
        # How an answer came about is for drawing; what was answered is for reading.
        inside = {name for picture in predictor.recipe.pictures for name in picture.outputs}
        answers = [{k: v for k, v in answer.items() if k not in inside} for answer in searched]
        if n_best is None:  # an answer looks as it does without options
            answers = [{k: best_of(v) for k, v in answer.items()} for answer in answers]
    else:
        answers = predictor.predict(requests)
    _note_problems(answers)
    _note_unusual(predictor.recipe, predictor.assets.limits, answers)
    for picture in pictures:
        _draw(predictor, picture, requests, examples, searched, drawn[picture.name])
    _write(predictor.recipe, rows, examples, answers, target, kind)
    _say_engine("TensorFlow", verbose)
    if portable:
        _make_twin(predictor, given_texts, answers, verbose)


def _answered_at_once(
    model: str,
    texts: list[str],
    read: Reading,
    target: str | None,
    kind: str | None,
    formats: Sequence[str],
    verbose: bool,
    typed: bool,
    trust: bool,
) -> bool:
    """Answers by the ONNX or LiteRT twin of a model, if there is one: without TensorFlow.

    Args:
      model: as for `zoo.load`.
      texts: to answer.
      read: how they were read.
      target, kind: of the output.
      formats: of twins.
      verbose: whether to say what has answered.
      typed: whether the texts are arguments, not lines of a file.
      trust: whether the model's recipe file may be run.

    Returns:
      Whether there is a twin, and it is not slower than TensorFlow, if that may answer too.
    """
    from zoo.registry import get_recipe, recipes
    from zoo.serving.find import recipe_of
    from zoo.serving.portable import twin

    found = twin.find_twin(model, formats)
    if found is None:
        return False
    is_free = len(formats) > 1 and model in recipes()  # to let TensorFlow answer
    if is_free and found.has_steps and len(texts) > twin.FEW:
        return False
    folder, name, column, _ = found
    recipe = recipe_of(folder, trust) if model not in recipes() else get_recipe(model)
    answers = twin.answers(folder, texts)
    if typed:
        _note_names(texts, read)
    for note in read.notes:
        click.echo(f"note: {options.printable(note)}", err=True)
    rows = [{column: text} for text in texts]
    _note_unusual(recipe, twin.limits(folder), answers)
    _write(recipe, rows, {column: texts}, answers, target, kind)
    _say_engine(f"{twin.ENGINES[name].title}, {folder}", verbose)
    return True


def _make_twin(
    predictor: Predictor, texts: list[str], answers: Sequence[Row], verbose: bool
) -> None:
    """Makes the twin of a packed model, so that it answers at once the next time."""
    from zoo import quiet
    from zoo.serving.portable import twin, twin_maker

    if not twin_maker.can_have_twin(predictor) or twin.find_twin(predictor.name) is not None:
        return
    sys.stdout.flush()  # nobody has to wait for what comes
    for name in twin.ENGINES:
        try:
            with quiet.silent_stderr():  # converters write there
                twin_maker.make(predictor, name, texts, answers)
        except (ZooError, OSError) as error:  # such as a cache that cannot be written
            if verbose:
                click.echo(
                    f"note: no copy for a faster start was cached: {options.printable(str(error))}",
                    err=True,
                )
        else:
            return


def _say_engine(title: str, verbose: bool) -> None:
    if verbose:
        click.echo(f"note: answered by {options.printable(title)}", err=True)


def _note_names(texts: Sequence[str], read: Reading) -> None:
    from zoo.data.contents import inner_name

    for text in texts:
        if os.path.isfile(text) and Path(inner_name(Path(text))).suffix in (".txt", *TABLES):
            read.note(
                f"{quoted(text)} was read as a text, not as a file. To answer the rows of the "
                f"file, use -i {text}"
            )


def _write(
    recipe: Recipe,
    rows: Sequence[Row],
    examples: Mapping[str, Sequence[Any]],
    answers: Sequence[Row],
    target: str | None,
    kind: str | None,
) -> None:
    """Writes answers beside what was given, in a format; `kind` None: lines that people read."""
    if kind is None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for index, answer in enumerate(answers):
            example = {name: options.printable(values[index]) for name, values in examples.items()}
            if _is_answered(answer):
                line = recipe.show(example, options.printable(answer))
            else:
                line = "(no answer)"
            click.echo(_shortened(line, example, width))
        return
    answered = merged(rows, [rounded(answer) for answer in answers], flat=kind != ".jsonl")
    if target is None or target == "-":
        write(sys.stdout, answered, kind)
        return
    from zoo.files import atomic_write

    with (
        atomic_write(Path(target)) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        write(file, answered, kind)


def _read_inputs(
    predictor: Predictor,
    rows: list[Row],
    column: str,
    source: str | None,
    columns: Mapping[str, str],
    reading: Reading,
) -> tuple[list[Row], dict[str, list], dict[str, list]]:
    """Reads named inputs by the recipe's `read_input`: the rows, inputs and other columns.

    A row becomes as many as were read of what it names. A path in a file is seen from that file.

    Raises:
      UsageError: what is read is not what the model takes.
      UsageError, ZooError: as `read_input`.
    """
    from zoo.serving.requests import read_named

    given, names = [], predictor.input_names
    unwritten = {name for picture in predictor.recipe.pictures for name in picture.inputs}
    examples: dict[str, list] = {}
    for row in rows:
        named = cell_of(row, column)
        if not isinstance(named, str):
            raise UsageError(
                f"{source}: {column!r} must be the path of a file; got a list. Name a file, or "
                "call zoo.load(...).predict."
            )
        if source is not None:
            named = str(files.expanded(source).parent / files.expanded(named))
        asked = read_named(
            predictor.recipe, predictor.config, named, names, columns=columns, reading=reading
        )
        others = {k: values for k, values in asked.items() if k not in {*names, *unwritten}}
        for index in range(len(asked[names[0]])):
            more = {name: values[index] for name, values in others.items()}
            kept = {name: row[name] for name in row if name not in names}
            given += merged([kept], [more], flat=False)
        for name, values in asked.items():
            examples.setdefault(name, []).extend(values)
    return given, {name: examples[name] for name in names}, examples


def _note_problems(answers: list[Row]) -> None:
    """Names the rows that have no answer.

    Raises:
      UsageError: no row has one.
    """
    wrong = {
        row: str(best_of(answer.get("problem", "")))
        for row, answer in enumerate(answers, start=1)
        if not _is_answered(answer)
    }
    if wrong and len(wrong) == len(answers):
        which = "The row has no answer" if len(wrong) == 1 else "No row has an answer. Row 1"
        raise UsageError(f"{which}: {wrong[1]}")
    for row, problem in wrong.items():
        click.echo(f"note: row {row} has no answer: {options.printable(problem)}", err=True)


def _note_unusual(recipe: Recipe, limits: Mapping[str, float], answers: Sequence[Row]) -> None:
    """Says in one line which rows are far from what the model was trained on.

    Args:
      recipe: of the model.
      limits: that it has learnt, see `zoo.serving.novelty`.
      answers: a row each.
    """
    from zoo.novelty import reasons
    from zoo.serving.capabilities import UNUSUAL

    unusual = [row for row, answer in enumerate(answers) if best_of(answer.get(UNUSUAL, False))]
    if not unusual:
        return
    first = unusual[0]
    which, where = "the row is", ""
    if len(answers) > 1:
        verb = "is" if len(unusual) == 1 else "are"
        which = f"{len(unusual):,} of {len(answers):,} rows {verb}"
        where = f" (the first is row {first + 1:,})"
    why = " and ".join(reasons(recipe.novelty, limits, answers[first]))
    click.echo(f"note: {which} unusual for this model{where}: {why}", err=True)


def _is_answered(answer: Row) -> bool:
    return bool(best_of(answer.get("valid", True)))


def _draw(
    predictor: Predictor,
    picture: Picture,
    requests: dict[str, list],
    examples: dict[str, list],
    searched: list[Row] | None,
    path: str,
) -> None:
    """Draws a picture of each answer: PATH.png, PATH-2.png, …

    Args:
      predictor: has the capability that is drawn.
      picture: what is drawn.
      requests: the inputs.
      examples: the inputs, and what was read beside them.
      searched: the answers of the search, where one was made.
      path: of the first picture.
    """
    if picture.capability == "search" and searched is not None:
        answers = searched
    else:
        from zoo.serving.capabilities import CAPABILITIES

        signature = CAPABILITIES[picture.capability][0].wire_name
        answers = predictor.predict(requests, signature=signature)
    for number, answer in enumerate(answers, start=1):
        example = {name: values[number - 1] for name, values in examples.items()}
        file = Path(path) if number == 1 else Path(path).with_stem(f"{Path(path).stem}-{number}")
        values = (predictor.config, predictor.assets, picture.name, {**example, **answer}, file)
        if not _is_answered(answer) or not predictor.recipe.draw(*values):
            click.echo(f"note: no {file}: there is nothing to draw", err=True)


def _search(
    predictor: Predictor, requests: dict[str, list], beam: int | None, n_best: int | None
) -> list[Row]:
    """Answers by the search of the model; each output has an axis of answers, best first.

    Raises:
      UsageError: the model does not search.
    """
    predictor.require(
        "search", "does not search", "--beam and --n-best need a model that searches."
    )
    from zoo.serving.capabilities import SEARCH

    chosen = predictor.search_options(beam=beam, n_best=n_best)
    return predictor.predict(requests, signature=SEARCH, **chosen)


def _source(texts: Sequence[str], source: str | None) -> str | None:
    """Returns the file to read, `-` for standard input, None where texts are given.

    Raises:
      UsageError: nothing to answer, or two things.
    """
    if texts and source:
        raise click.UsageError("Give texts or a file (-i), not both.")
    if "-" in texts:
        if len(texts) > 1:
            raise click.UsageError("`-` is standard input and cannot be combined with texts.")
        return "-"
    if texts or source:
        return source
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("Give texts, a file (-i), or `-` for standard input.")
    return "-"


def _kind(target: str | None, as_json: bool) -> str | None:
    """Returns the format of the output, None for lines that people read.

    Raises:
      UsageError: a file name whose ending says nothing, or a folder.
    """
    if target is None or target == "-":
        return ".jsonl" if as_json or target else None
    if Path(target).is_dir():
        raise UsageError(f"{target} is a folder. Name a file in it.")
    suffix = Path(target).suffix.lower()
    if suffix not in (".csv", ".tsv", ".jsonl"):
        raise UsageError(f"{target}: the name of the output must end in .csv, .tsv or .jsonl.")
    if as_json and suffix != ".jsonl":
        raise click.UsageError(
            f"--json contradicts {target}: choose an output that ends in .jsonl."
        )
    return suffix


def _is_text(source: str) -> bool:
    """Whether a file has a text a line; a pipe like /dev/stdin has no ending."""
    from zoo.data.contents import inner_name

    return source == "-" or Path(inner_name(Path(source))).suffix in (".txt", "")


def _lines(source: str, reading: Reading) -> list[str] | None:
    """Reads a text a line. Empty lines are texts too, so that answers stay beside their lines.

    Returns:
      None where the file has rows: fastText's, which begin with a label.

    Raises:
      UsageError: no such file, or an encoding that cannot be detected.
      ZooError: it is empty or cannot be read.
    """
    from zoo.data import contents

    if source != "-":
        return contents.read_lines(files.expanded(source), reading)
    # A process may be started without standard input.
    data = contents.unpack(sys.stdin.buffer.read() if sys.stdin else b"", "Standard input")
    return contents.lines_of(data, "Standard input", reading)


def _shortened(line: str, example: Row, width: int | None) -> str:
    """Cuts a line that is too long for the terminal, where what is cut is what was given."""
    given = tuple(value for value in example.values() if isinstance(value, str) and value)
    if width is None or len(line) <= width or not line.endswith(given):
        return line
    return line[: width - 1] + "…"
