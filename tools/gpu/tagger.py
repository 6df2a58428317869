"""Trains taggers: `conll-bilstm-crf` with GloVe, and students of five of them.

A search trains 16 settings with two seeds each at once; the mean F1 of both on the validation split
selects. Five new seeds of the two best settings follow; the mean of five selects. Students of these
five learn from the mean of their tag probabilities (see `recipes.tagging.losses`), on the training
rows and on sentences of AG News. No step reads the test split.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tools.gpu.progress import log
from tools.gpu.stacked import device_name
from tools.gpu.tagger_network import Sizes, keras_weights
from tools.gpu.tagger_rows import Sentences, read_sentences
from tools.gpu.tagger_training import (
    Data,
    Member,
    Plan,
    Trained,
    load,
    teach,
    train,
)
from tools.gpu.weights import save_arrays

TEACHER = "conll-bilstm-crf"
SEEDS, STUDENTS = 5, 3
DRAWN = 28_000  # sentences without tags of a student's epoch
STUDENT_BATCH = 64
SHARES = {"search": 0.42, "seeds": 0.62, "student": 1.0}  # of the time, after which a stage ends

# Settings of the search.
LOCKED = {"locked_dropout": True}
SEARCH: tuple[dict[str, Any], ...] = (
    {},
    {"learning_rate": 1.5e-3},
    {"learning_rate": 5e-3},
    {**LOCKED},
    {**LOCKED, "dropout_in": 0.35},
    {"dropout_in": 0.35, "dropout": 0.35},
    {"dropout_in": 0.6},
    {"dropout": 0.65},
    {"hidden_words": 0.05},
    {**LOCKED, "hidden_words": 0.1},
    {"rare": 5},
    {"rare": 10},
    {**LOCKED, "rare": 5, "hidden_words": 0.05},
    {"word_dropout": 0.25},
    {**LOCKED, "learning_rate": 5e-3, "hidden_words": 0.05},
    {"learning_rate": 5e-3, "dropout_in": 0.6, "dropout": 0.6},
)
# Of students: how their settings differ from those of their teachers.
TAUGHT: tuple[dict[str, Any], ...] = (
    {"share": 0.5},
    {"share": 0.2},
    {"share": 0.5, "dropout_in": 0.35, "dropout": 0.35},
)
RATE = 2.5e-3  # Adam's step size at its highest, if the search has no other


def search(
    folder: Path, data: Data, sizes: Sizes, batch_size: int, epochs: int, seconds: float,
    seeds: int = 2,
) -> list[dict[str, Any]]:  # fmt: skip
    """Trains all settings with some seeds; writes `tagger-search-….json`, the best first."""
    begun = time.monotonic()
    members = [
        Member(**{"learning_rate": RATE, **chosen, "seed": 100 + seed})
        for chosen in SEARCH
        for seed in range(seeds)
    ]
    plan = Plan(epochs, batch_size, left(seconds, begun), every=max(2, epochs // 4), seed=100)
    found = train("search", data, sizes, members, plan)
    rows = []
    for number, chosen in enumerate(SEARCH):
        here = slice(number * seeds, (number + 1) * seeds)
        scores = {name: best[here].tolist() for name, best in found.best.items()}
        row = {"settings": {"learning_rate": RATE, **chosen}, **scores}
        rows.append({**row, "score": max(float(np.mean(each)) for each in scores.values())})
    rows.sort(key=lambda row: -row["score"])
    for row in rows:
        listed = "; ".join(
            f"{name} " + " ".join(f"{score:.4f}" for score in row[name]) for name in found.best
        )
        log(f"  {row['score']:.4f}  {json.dumps(row['settings'])}  {listed}")
    result = {
        "sizes": dataclasses.asdict(sizes), "batch_size": batch_size, "epochs": found.epochs,
        "rows": rows,
    }  # fmt: skip
    path = folder / f"tagger-search-{sizes.units}-{sizes.filters}-{batch_size}.json"
    path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return rows


def left(seconds: float, begun: float) -> float:
    """Returns what is left of a time limit, at least 1 s; 0 if there is no limit."""
    return max(1.0, seconds - (time.monotonic() - begun)) if seconds else 0


def train_seeds(
    folder: Path, data: Data, epochs: int, seconds: float, settings: int = 2
) -> list[float]:
    """Trains new seeds of the best settings of all searches; writes `conll-SEED.npz` of the best.

    Returns:
      F1 on the validation split of each file.
    """
    begun = time.monotonic()
    searches = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("tagger-search-*.json"))
    ]
    if not searches:
        raise FileNotFoundError(f"{folder} has no tagger-search-….json: search first.")
    chosen = max(searches, key=lambda each: each["rows"][0]["score"])
    rows = chosen["rows"][:settings]
    members = [Member(**row["settings"], seed=seed) for row in rows for seed in range(SEEDS)]
    plan = Plan(epochs, chosen["batch_size"], left(seconds, begun), every=2, seed=1)
    sizes = Sizes(**chosen["sizes"])
    found = train("seeds", data, sizes, members, plan)
    return write_best(folder, "conll", data.sentences, sizes, members, plan, found, SEEDS)


def train_students(
    folder: Path, data: Data, epochs: int, seconds: float, batch_size: int = STUDENT_BATCH
) -> list[float]:
    """Trains students of `conll-SEED.npz`; writes `conll-student-SEED.npz` of the best settings.

    Returns:
      F1 on the validation split of each file.
    """
    begun = time.monotonic()
    with np.load(folder / "tagger-seeds.npz") as file:
        weights = {name: jnp.asarray(file[name]) for name in file if name != "notes"}
        notes = json.loads(str(file["notes"]))
    score = teach(data, weights)
    log(f"student: F1 of the mean of {len(notes['best'])} teachers {score:.4f}")
    base = {**notes["member"], "learning_rate": 1.3 * notes["member"]["learning_rate"]}
    members = [
        Member(**{**base, **chosen, "seed": 200 + seed})
        for chosen in TAUGHT
        for seed in range(STUDENTS)
    ]
    sizes = Sizes(**notes["sizes"])
    plan = Plan(epochs, batch_size, left(seconds, begun), every=2, drawn=DRAWN, seed=2)
    found = train("student", data, sizes, members, plan, taught=True)
    teaching = {
        "teachers": {f"{TEACHER}, seed {n}": best for n, best in enumerate(notes["best"])},
        "mean": score,
        "labelled": data.sentences.trained,
        "unlabelled": len(data.sentences.unlabelled),
    }
    return write_best(
        folder, "conll-student", data.sentences, sizes, members, plan, found, STUDENTS, teaching
    )


def write_best(
    folder: Path, name: str, sentences: Sentences, sizes: Sizes, members: Sequence[Member],
    plan: Plan, found: Trained, seeds: int, teaching: dict[str, Any] | None = None,
) -> list[float]:  # fmt: skip
    """Writes the weights of all seeds of the best settings as `NAME-SEED.npz`.

    The highest mean F1 of all seeds on the validation split selects the settings, and between the
    last weights and their mean.

    Args:
      folder: to write to.
      name: of the files.
      sentences: that were read.
      sizes: of the networks.
      members: those of a setting one after the other.
      plan: of the training.
      found: by it.
      seeds: of each setting.
      teaching: of students: see `finish.py`; `label_share` is added.

    Returns:
      F1 on the validation split of each file.
    """
    means = {kind: best.reshape(-1, seeds).mean(1) for kind, best in found.best.items()}
    for number in range(len(members) // seeds):
        scores = ", ".join(f"{kind} {mean[number]:.4f}" for kind, mean in means.items())
        log(f"{name}: mean F1 of {seeds} seeds: {scores}: {members[number * seeds]}")
    kind = max(means, key=lambda each: means[each].max())
    first = int(means[kind].argmax()) * seeds
    every = {
        key: np.asarray(value[first : first + seeds]) for key, value in found.weights[kind].items()
    }
    member = members[first]
    vectors = "glove-50" if sentences.known.any() else "none"
    settings = {
        "vectors": vectors,
        **recipe_settings(member, sizes, plan, found.epochs, averaged=kind == "mean"),
    }
    kept = ~sentences.frozen(member.rare)
    best = []
    for seed in range(seeds):
        number = first + seed
        weights = {key: value[seed] for key, value in every.items()}
        weights["words"] = weights["words"][kept]
        names, arrays = keras_weights(weights)
        history = [
            {
                "epoch": row["epoch"],
                "learning_rate": float(row["learning_rate"][number]),
                "loss": float(row["loss"][number]),
                "val_f1": float(row[kind][number]),
            }
            for row in found.history
        ]
        best.append(float(found.best[kind][number]))
        notes = {
            "library": "JAX", "epochs": found.epochs, "seconds": round(found.seconds),
            "seed": members[number].seed, "beside": len(members) - 1, "device": device_name(),
            "best": best[-1], "history": history, "settings": settings,
        }  # fmt: skip
        if teaching:
            notes["teaching"] = {**teaching, "label_share": member.share}
        save_arrays(folder / f"{name}-{seed}.npz", names, arrays, notes)
    log(f"{name}: F1 on the validation split " + " ".join(f"{score:.4f}" for score in best))
    log(f"{name}: mean {np.mean(best):.4f} of {settings}")
    if not teaching:  # of all members together, for students
        chosen = dataclasses.asdict(member)
        chosen.pop("seed")
        notes = {"best": best, "member": chosen, "sizes": dataclasses.asdict(sizes)}
        np.savez(folder / "tagger-seeds.npz", notes=json.dumps(notes), **every)  # type: ignore[arg-type]
    return best


def recipe_settings(
    member: Member, sizes: Sizes, plan: Plan, epochs: int, *, averaged: bool
) -> dict[str, Any]:
    """Returns the settings of the recipe that a member was trained with."""
    values = dataclasses.asdict(member)
    del values["seed"], values["share"]
    values["average"] = member.average if averaged else 0.0
    sized = dataclasses.asdict(sizes)
    return {"epochs": epochs, "batch_size": plan.batch_size, **values, **sized}


def train_taggers(
    folder: Path, stage: str = "all", seconds: float = 0, epochs: int = 25, units: int = 200,
    filters: int = 50, batch_size: int = 32, student_epochs: int = 12,
) -> None:  # fmt: skip
    """Trains taggers, in stages.

    Args:
      folder: with `tagger.npz` of `arrays.py`.
      stage: `"search"`, `"seeds"` or `"student"`; `"all"`: one after the other.
      seconds: that the program may take (0: any).
      epochs: passes over the training rows, at most.
      units, filters: sizes of the networks of the search.
      batch_size: rows of a batch in the search, and of the seeds.
      student_epochs: passes over a student's rows, at most.
    """
    begun = time.monotonic()
    jax.config.update("jax_default_matmul_precision", "tensorfloat32")
    data = load(read_sentences(folder))
    rows = len(data.sentences.lengths)
    log(f"{device_name()}: {rows:,} sentences; rows of each length: "
        + ", ".join(f"{b.length}: {len(b.rows):,}" for b in data.buckets))  # fmt: skip

    def until(name: str) -> float:
        share = 1.0 if stage != "all" else SHARES[name]
        return left(share * seconds, begun)

    if stage in ("all", "search"):
        search(folder, data, Sizes(units, filters), batch_size, epochs, until("search"))
    if stage in ("all", "seeds"):
        train_seeds(folder, data, epochs, until("seeds"))
    if stage in ("all", "student"):
        train_students(folder, data, student_epochs, until("student"))
