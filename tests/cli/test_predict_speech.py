"""`zoo predict` of sound: WAV files by name, in tables, with a beam and with a picture."""

import json

import numpy as np
import pytest
import scipy.io.wavfile

import zoo

SMALL = {"epochs": 1, "units": 8, "batch_size": 4}


@pytest.fixture(scope="module")
def writer(run_on_sample):
    return run_on_sample("digits-ctc", SMALL, baselines=False)


@pytest.fixture(scope="module")
def classifier(run_on_sample):
    return run_on_sample("digits-gru", SMALL, baselines=False)


@pytest.fixture
def wavs(tmp_path):
    """Two recordings in the folder `sound`: of 8 kHz, and stereo of 44.1 kHz."""
    (tmp_path / "sound").mkdir()
    sample = zoo.get_recipe("digits-gru").dataset.sample()["audio"][:2]
    mono = (np.array(sample[0]) * 32767).astype("i2")
    scipy.io.wavfile.write(tmp_path / "sound" / "a.wav", 8000, mono)
    stereo = np.repeat(np.array(sample[1], "f4")[:, None], 2, axis=1)
    scipy.io.wavfile.write(tmp_path / "sound" / "b.wav", 44_100, stereo)
    return [f"sound/{name}.wav" for name in "ab"]


def test_files_are_answered_one_a_line(cli, classifier, wavs):
    lines = cli("predict", classifier, *wavs).out.splitlines()
    assert [line.split()[-1] for line in lines] == wavs
    rows = [
        json.loads(line)
        for line in cli("predict", classifier, *wavs, "--json").out.split("\n")[:-1]
    ]
    assert [row["file"] for row in rows] == wavs
    assert set(rows[0]) == {"file", "label", "score", "probabilities"}
    predictor = zoo.load(classifier)
    audio = zoo.get_recipe("digits-gru").dataset.sample()["audio"][:1]
    (alone,) = predictor.predict(audio)
    assert rows[0]["score"] == pytest.approx(alone["score"], abs=1e-3)  # 16 bits


def test_paths_in_a_table_are_seen_from_it_and_other_columns_are_kept(
    cli, classifier, wavs, tmp_path
):
    (tmp_path / "sound" / "list.csv").write_text("audio,id\na.wav,1\nb.wav,2\n")
    cli("predict", classifier, "-i", "sound/list.csv", "-o", "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0].startswith("id,file,label,probabilities.0")
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]
    (tmp_path / "sound" / "list.csv").write_text("name\na.wav\n")
    out = cli("predict", classifier, "-i", "sound/list.csv", "--column", "audio=name", "--json").out
    assert json.loads(out)["name"] == "a.wav"


def test_the_best_texts_and_where_they_were_heard(cli, writer, wavs, tmp_path):
    out = cli("predict", writer, *wavs, "--beam", 8, "--n-best", 3, "--json").out
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["file"] for row in rows] == wavs
    for row in rows:
        assert len(row["text"]) == len(set(row["text"])) == 3
        assert row["score"] == sorted(row["score"], reverse=True)
    lines = cli("predict", writer, *wavs, "--n-best", 2, "--alignment", "a.png").out.splitlines()
    assert lines[0] == wavs[0]
    assert f"{rows[0]['score'][0]:>8.3f}  {rows[0]['text'][0]}".rstrip() == lines[1].rstrip()
    for name in ("a.png", "a-2.png"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
    assert "has no attention" in cli("predict", writer, *wavs, "--attention", "a.png", code=2).err


def test_what_cannot_be_heard_is_one_line(cli, classifier, tmp_path):
    (tmp_path / "a.mp3").write_bytes(b"ID3")
    (tmp_path / "a.wav").write_bytes(b"")
    assert "There is no file none.wav" in cli("predict", classifier, "none.wav", code=2).err
    assert "is no WAV file" in cli("predict", classifier, "a.mp3", code=1).err
    assert "is empty" in cli("predict", classifier, "a.wav", code=1).err
    (tmp_path / "b.csv").write_text("audio\nnone.wav\n")
    assert "no file" in cli("predict", classifier, "-i", "b.csv", code=2).err
    drawn = cli("predict", classifier, "a.wav", "--alignment", "a.pdf", code=2)
    assert "must end in .png" in drawn.err


def test_only_what_aligns_has_an_alignment(cli, classifier, wavs, sample_run):
    for run, given in ((classifier, wavs[0]), (sample_run, "a film")):
        assert "aligns nothing" in cli("predict", run, given, "--alignment", "a.png", code=2).err


def test_the_test_split_of_a_folder_is_scored(cli, classifier, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "mine").mkdir()
    for digit in "01":
        for number in (0, 1, 7, 8, 9):
            sound = (rng.standard_normal(900) * 3000).astype("i2")
            scipy.io.wavfile.write(tmp_path / "mine" / f"{digit}_ada_{number}.wav", 8000, sound)
    args = ("evaluate", classifier, "--data", "mine", "--no-baselines", "--json")
    result = json.loads(cli(*args).out)
    assert result["rows"] == 4  # numbers 0 and 1 of each digit
    assert result["data"] == "spoken digits (mine, numbers 0–4 held out)"
    assert result["metrics"]["per_speaker"]["ada"]["rows"] == 4


def test_silence_long_sound_and_any_padding(classifier, writer):
    sample = zoo.get_recipe("digits-gru").dataset.sample()["audio"]
    silence, long = np.zeros(8000, "f4"), np.tile(np.array(sample[1], "f4"), 60)
    label, text = zoo.load(classifier), zoo.load(writer)
    quiet, *_ = label.predict([silence, sample[0]])
    assert quiet["label"] == ""
    assert set(quiet["probabilities"].values()) == {quiet["score"]}
    for predictor in (label, text):
        together = predictor.predict([sample[0], long, silence, []])
        for given, answer in zip([sample[0], long, silence, []], together, strict=True):
            (alone,) = predictor.predict([given])
            assert alone["score"] == pytest.approx(answer["score"], rel=1e-5, abs=1e-5)
            assert {k: v for k, v in alone.items() if isinstance(v, str)} == {
                k: v for k, v in answer.items() if isinstance(v, str)
            }
    given = {"audio": [sample[0] + [0.9] * 500], "length": [len(sample[0])]}
    assert label.predict(given)[0]["score"] == pytest.approx(
        label.predict([sample[0]])[0]["score"], abs=1e-5
    )
    (wide,) = label.predict({"audio": [sample[0]]}, signature="audio_16khz")
    assert set(wide) == {"label", "score", "probabilities"}
