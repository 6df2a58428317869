"""`zoo predict` of sound: WAV files by name, in tables, with a beam and with a picture."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io.wavfile

import zoo
from recipes.audio import read_recording
from zoo.data.custom import load_rows
from zoo.data.origin import parse_origin

SAMPLE = zoo.get_recipe("digits-gru").dataset.sample()["audio"]


@pytest.fixture(scope="module")
def writer(run_of):
    return run_of("digits-ctc")


@pytest.fixture(scope="module")
def classifier(run_of):
    return run_of("digits-gru")


@pytest.fixture
def wavs(tmp_path):
    """Two recordings in the folder `sound`: of 8 kHz, and stereo of 44.1 kHz."""
    (tmp_path / "sound").mkdir()
    mono = (np.array(SAMPLE[0]) * 32767).astype("i2")
    scipy.io.wavfile.write(tmp_path / "sound" / "a.wav", 8000, mono)
    stereo = np.repeat(np.array(SAMPLE[1], "f4")[:, None], 2, axis=1)
    scipy.io.wavfile.write(tmp_path / "sound" / "b.wav", 44_100, stereo)
    return [f"sound/{name}.wav" for name in "ab"]


def test_files_are_answered_one_a_line(cli, classifier, wavs):
    lines = cli("predict", classifier, *wavs).out.splitlines()
    assert [line.split()[-1] for line in lines] == wavs
    (alone,) = zoo.load(classifier).predict(SAMPLE[:1])
    label, score = lines[0].split()[:2]
    assert label == alone["label"]
    assert float(score) == pytest.approx(alone["score"], abs=2e-3)  # 16 bits, three digits


def test_files_are_named_in_python_too(classifier, wavs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    predictor = zoo.load(classifier)
    arrays = [read_recording(path) for path in wavs]
    expected = predictor.predict(arrays)
    paths = [Path(path) for path in wavs]
    for given in (
        wavs,
        paths,
        {"audio": wavs},
        pd.DataFrame({"audio": wavs, "id": [1, 2]}),
        [{"audio": path} for path in wavs],
    ):
        answers = predictor.predict(given)
        assert answers == expected
        assert [answer.example["file"] for answer in answers] == wavs
    # A batch of one may be rounded otherwise than one of two.
    assert (
        predictor.predict(wavs[0]) == predictor.predict(paths[0]) == predictor.predict(arrays[:1])
    )
    with pytest.raises(zoo.UsageError, match=r"There is no file sound/c\.wav"):
        predictor.predict("sound/c.wav")
    with pytest.raises(zoo.UsageError, match="Example 1 names no file"):
        predictor.predict([wavs[0], [0.1, 0.2]])


def test_recordings_in_memory_and_by_name_are_data(wavs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arrays, data = [read_recording(path) for path in wavs], zoo.get_recipe("digits-gru").dataset
    for given in (
        (arrays, ["one", "two"]),
        pd.DataFrame({"audio": wavs, "text": ["one", "two"]}),
        {"audio": wavs, "text": ["one", "two"]},
    ):
        rows = load_rows(data, parse_origin(given))
        assert (rows["text"], rows["speaker"]) == (["one", "two"], ["", ""])
        for array, expected in zip(rows["audio"], arrays, strict=True):
            np.testing.assert_array_equal(array, expected)
    with pytest.raises(zoo.ZooError, match="neither a column 'audio' nor a column 'features'"):
        load_rows(data, parse_origin({"text": ["one"]}))


def test_paths_in_a_table_are_seen_from_it_and_other_columns_are_kept(
    cli, classifier, wavs, tmp_path
):
    (tmp_path / "sound" / "list.csv").write_text("name,id\na.wav,1\nb.wav,2\n")
    cli("predict", classifier, "-i", "sound/list.csv", "--column", "audio=name", "-o", "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0].startswith("name,id,file,label,probabilities.0")
    assert [line.split(",")[:2] for line in lines[1:]] == [["a.wav", "1"], ["b.wav", "2"]]
    (tmp_path / "sound" / "list.csv").write_text("audio\nc.wav\n")
    error = cli("predict", classifier, "-i", "sound/list.csv", code=2).err
    assert "There is no file sound/c.wav." in error
    (tmp_path / "list.jsonl").write_text('{"audio": "sound/a.wav"}\n{"audio": [0.1, 0.2]}\n')
    error = cli("predict", classifier, "-i", "list.jsonl", code=2).err
    assert "list.jsonl: 'audio' must be the path of a file; got a list." in error
    assert error.count("\n") == 1


def test_the_best_texts_and_where_they_were_heard(cli, writer, wavs, tmp_path):
    options = ("--beam", 8, "--n-best", 3, "--json", "--alignment", "a.png")
    rows = [json.loads(line) for line in cli("predict", writer, *wavs, *options).out.splitlines()]
    assert [row["file"] for row in rows] == wavs
    for row in rows:
        assert len(row["text"]) == len(set(row["text"])) == 3
        assert row["score"] == sorted(row["score"], reverse=True)
    for name in ("a.png", "a-2.png"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
    show = zoo.get_recipe("digits-ctc").show
    answer = {"text": ["1 0", "1"], "score": [-0.5, -1.25]}
    assert show({"file": "a.wav"}, answer).splitlines() == [
        "a.wav",
        "  -0.500  1 0",
        "  -1.250  1",
    ]
    assert show({"file": "a.wav"}, {"text": "", "score": -1.0}) == "  -1.000  (nothing)  a.wav"


def test_only_what_aligns_has_an_alignment(cli, classifier, writer, wavs):
    error = cli("predict", classifier, wavs[0], "--alignment", "a.png", code=2).err
    assert "--alignment is an option of digits-ctc, not of this model" in error
    error = cli("predict", writer, wavs[0], "--alignment", "a.pdf", code=2).err
    assert "must end in .png" in error


def test_the_test_split_of_a_folder_is_scored(classifier, tmp_path):
    rng = np.random.default_rng(0)
    for digit in "01":
        for number in (0, 1, 7, 8, 9):
            sound = (rng.standard_normal(900) * 3000).astype("i2")
            scipy.io.wavfile.write(tmp_path / f"{digit}_ada_{number}.wav", 8000, sound)
    result = zoo.evaluate(classifier, tmp_path, baselines=False)
    assert result["rows"] == 4  # numbers 0 and 1 of each digit
    assert result["data"].endswith("numbers 0–4 held out)")
    assert result["metrics"]["per_speaker"]["ada"]["rows"] == 4


@pytest.mark.parametrize("name", ["classifier", "writer"])
def test_silence_long_sound_and_any_padding(name, request):
    predictor = zoo.load(request.getfixturevalue(name))
    silence, long = np.zeros(8000, "f4"), np.tile(np.array(SAMPLE[1], "f4"), 30)
    rows = [SAMPLE[0], long, silence, []]
    together = predictor.predict(rows)
    alone = [predictor.predict([row])[0] for row in rows]
    # What is behind the length does not matter.
    padded = {"audio": [SAMPLE[0] + [0.9] * 500], "length": [len(SAMPLE[0])]}
    alone[0] = predictor.predict(padded)[0]
    for one, many in zip(alone, together, strict=True):
        assert one["score"] == pytest.approx(many["score"], rel=1e-5, abs=1e-5)
        assert all(one[key] == many[key] for key in ("label", "text") if key in one)
    if name == "classifier":
        for answer in together[2:]:
            assert answer["label"] == ""
            assert set(answer["probabilities"].values()) == {answer["score"]}
    else:
        assert [(answer["text"], answer["score"]) for answer in together[2:]] == [("", 0.0)] * 2
