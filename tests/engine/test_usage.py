"""The last line of a run: a command that works for its recipe."""

import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imsave
from scipy.io import wavfile
from support.runs import recipe_of_task

import zoo
from zoo.serving.usage import example_command

EXPECTED = {
    "sentiment": 'zoo predict {} "…"',
    "entities": 'zoo predict {} "…"',
    "translation": 'zoo predict {} "…"',
    "speech": "zoo predict {} recording.wav",
    "images": "zoo predict {} picture.png",
    "forecasting": "zoo predict {} prices.csv",
    "adding": "zoo predict {} -i rows.jsonl",
    "music": "zoo generate {}",
    "text generation": 'zoo generate {} --prompt "…"',
    "language model": 'zoo generate {} --prompt "…"',
}


@pytest.mark.parametrize("task", EXPECTED)
def test_the_command_answers(task, run_of, cli, tmp_path):
    run = run_of(recipe_of_task(task))
    command = example_command(run)
    assert command == EXPECTED[task].format(run)
    # What it names.
    sample = zoo.get_recipe(recipe_of_task(task)).dataset.sample()
    wavfile.write(tmp_path / "recording.wav", 8000, np.array([100, -100] * 800, "i2"))
    imsave(tmp_path / "picture.png", np.eye(16), cmap="gray")
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    lines = [f"{day},{100 + number % 7}" for number, day in enumerate(days)]
    (tmp_path / "prices.csv").write_text("\n".join(["date,close", *lines]))
    if task == "adding":
        row = {name: values[0] for name, values in sample.items()}
        (tmp_path / "rows.jsonl").write_text(str(row).replace("'", '"'))
    steps = ["--steps", "4"] if "generate" in command else []
    assert cli(*shlex.split(command)[1:], *steps).out.strip()


def test_a_run_named_like_a_recipe_is_not_taken_for_its_packed_weights(
    run_of, cli, tmp_path, monkeypatch
):
    shutil.copytree(run_of("digits-gru"), tmp_path / "imdb-gru")
    monkeypatch.chdir(tmp_path)
    command = example_command(Path("imdb-gru"))
    assert command == "zoo predict ./imdb-gru recording.wav"
    wavfile.write("recording.wav", 8000, np.array([100, -100] * 800, "i2"))
    assert cli(*shlex.split(command)[1:]).out.strip()
