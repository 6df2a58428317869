"""Trains on a GPU with Keras' PyTorch backend or JAX; needs no TensorFlow, nor the package.

python -m tools.gpu.learn language-model gpu
python -m tools.gpu.learn teacher gpu --seed 0
python -m tools.gpu.learn teacher gpu --seed 1
python -m tools.gpu.learn large-student gpu
python -m tools.gpu.learn sentences-teacher gpu --seed 0
python -m tools.gpu.learn sentences gpu
python -m tools.gpu.learn student gpu imdb-lstm
python -m tools.gpu.learn words gpu
python -m tools.gpu.learn translator gpu translate-attention
python -m tools.gpu.learn adding gpu        # with JAX
python -m tools.gpu.learn taggers gpu       # with JAX

Run it in the root of the repository. Each step reads the files that `arrays.py` and the steps above
it have written to the folder, and writes its weights there. Without a GPU it runs on the CPU, for
small networks and few rows.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    steps = parser.add_subparsers(dest="step", required=True)

    def add(name: str, text: str, epochs: int | None) -> argparse.ArgumentParser:
        step = steps.add_parser(name, help=text, description=text)
        step.add_argument("folder", type=Path, help="with the files of arrays.py")
        step.add_argument("--epochs", type=int, default=epochs, help="passes over the data")
        step.add_argument("--seed", type=int, default=0, help="of weights, dropout and batches")
        return step

    def add_seconds(step: argparse.ArgumentParser) -> None:
        text = "omit epochs that would take longer than this (0: none)"
        step.add_argument("--seconds", type=float, default=0, help=text)

    step = add("language-model", "Trains a language model of film reviews.", 10)
    step.add_argument("--tokens", type=int, default=38_400, help="words of a batch, at most")
    add_seconds(step)
    step = add("teacher", "Trains a teacher, and has it answer all reviews.", 5)
    step.add_argument("--tokens", type=int, default=32_768, help="words of a batch, at most")
    step.add_argument(
        "--epsilon", type=float, default=5.0, help="perturbation, in deviations of word vectors"
    )
    add_seconds(step)
    step = add("large-student", "Trains a student of the teachers' size.", 4)
    step.add_argument("--tokens", type=int, default=32_768, help="words of a batch, at most")
    add_seconds(step)
    step = add("sentences-teacher", "Goes on from the large student with rated sentences.", 5)
    step.add_argument("--tokens", type=int, default=1_024, help="words of a batch, at most")
    step.add_argument("--epsilon", type=float, default=1.5, help="as of `teacher`")
    step.add_argument("--rate", type=float, default=2e-4, help="Adam's step size at its highest")
    add_seconds(step)
    step = add("sentences", "Likewise, from the answers of these teachers.", 6)
    step.add_argument("--tokens", type=int, default=4_096, help="words of a batch, at most")
    step.add_argument("--rate", type=float, default=2e-4, help="Adam's step size at its highest")
    add_seconds(step)
    step = add("student", "Trains a student (5 or 6 epochs, if not given).", None)
    step.add_argument("name", help="of the recipe whose network learns, such as imdb-lstm")
    step = add("words", "Trains a language model of words.", 59)
    step.add_argument("--batch-size", type=int, default=64, help="streams side by side")
    step.add_argument("--window", type=int, default=35, help="words that are learnt from together")
    step = add("translator", "Trains a translator.", None)
    step.add_argument("name", help="of a translator of tools/gpu/translators.py")
    add_seconds(step)
    text = "Trains LSTMs and GRUs on the adding problem, with JAX."
    step = steps.add_parser("adding", help=text, description=text)
    step.add_argument("folder", type=Path, help="with the files of arrays.py")
    text = "of all: shorten long trainings that would take longer (0: no limit)"
    step.add_argument("--seconds", type=float, default=0, help=text)
    text = "learn from the first rows only (0: from all)"
    step.add_argument("--rows", type=int, default=0, help=text)
    text = "Trains taggers with JAX: a search, five seeds of the best settings, and their students."
    step = steps.add_parser("taggers", help=text, description=text)
    step.add_argument("folder", type=Path, help="with the files of arrays.py")
    step.add_argument("--stage", choices=["all", "search", "seeds", "student"], default="all")
    step.add_argument("--seconds", type=float, default=0, help="of the program (0: any)")
    step.add_argument("--epochs", type=int, default=25, help="passes over the training rows")
    step.add_argument("--units", type=int, default=200, help="of an LSTM, in the search")
    step.add_argument("--filters", type=int, default=50, help="over characters, in the search")
    step.add_argument("--batch-size", type=int, default=32, help="rows, in the search")
    step.add_argument("--student-epochs", type=int, default=12, help="passes over its rows")
    return parser.parse_args()


def main() -> None:
    given = vars(parse())
    step = given.pop("step")
    os.environ["KERAS_BACKEND"] = "torch"  # before Keras is imported
    # Other programs may share the GPU: JAX takes memory when it is needed.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if step == "language-model":
        from tools.gpu.language_model import train_language_model

        train_language_model(**given)
    elif step == "teacher":
        from tools.gpu.classifier import train_teacher

        train_teacher(**given)
    elif step == "large-student":
        from tools.gpu.classifier import train_large_student

        train_large_student(**given)
    elif step == "sentences-teacher":
        from tools.gpu.classifier import SENTENCES, train_teacher

        train_teacher(**given, task=SENTENCES)
    elif step == "sentences":
        from tools.gpu.classifier import SENTENCES, train_large_student

        train_large_student(**given, task=SENTENCES)
    elif step == "student":
        from tools.gpu.student import STUDENTS, train_student

        if given["name"] not in STUDENTS:
            raise SystemExit(f"No student is called {given['name']}: {', '.join(STUDENTS)}.")
        train_student(**given)
    elif step == "translator":
        from tools.gpu.translator import train_translator
        from tools.gpu.translators import TRANSLATORS

        if given["name"] not in TRANSLATORS:
            raise SystemExit(f"No translator is called {given['name']}: {', '.join(TRANSLATORS)}.")
        train_translator(**given)
    elif step == "adding":
        from tools.gpu.adding import train_adding

        train_adding(**given)
    elif step == "taggers":
        from tools.gpu.tagger_flags import set_flags

        set_flags()  # before JAX is imported
        from tools.gpu.tagger import train_taggers

        train_taggers(**given)
    else:
        from tools.gpu.words import train_words

        train_words(**given)


if __name__ == "__main__":
    main()
