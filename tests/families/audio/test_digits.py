"""Recordings of digits: folders, tables, MFCCs and TFDS' rows, and what is wrong with them."""

import io
import tarfile

import numpy as np
import pytest
import scipy.io.wavfile

import zoo
from recipes.audio.digits import digits, read_archive, read_mfccs, read_recordings
from zoo.data import load_examples
from zoo.data.reading import Reading, ReadOptions
from zoo.errors import UsageError, ZooError


def write(path, seed=0, rate=8000):
    noise = np.random.default_rng(seed).integers(-9000, 9000, 1200)
    scipy.io.wavfile.write(path, rate, noise.astype("i2"))


@pytest.fixture
def folder(tmp_path):
    """Three digits by two speakers, 12 times each, named as FSDD's."""
    path = tmp_path / "mine"
    path.mkdir()
    for seed, (digit, who, number) in enumerate(
        (digit, who, number) for digit in "037" for who in ("ada", "bob") for number in range(12)
    ):
        write(path / f"{digit}_{who}_{number}.wav", seed)
    (path / "notes.txt").write_text("other files do not matter")
    return path


def test_a_folder_is_split_by_number(folder):
    splits = digits().load(folder)
    assert splits.title == "spoken digits (mine, numbers 0–4 held out)"
    assert splits.licence == ""
    assert "not read: notes.txt" in splits.notes
    rows = splits.describe()["rows"]
    assert rows["test"] == 30
    assert rows["train"] + rows["validation"] == 42
    assert set(splits.validation["text"]) == {"0", "3", "7"}
    assert splits.test["text"] == ["0"] * 10 + ["3"] * 10 + ["7"] * 10
    kept = {row.tobytes() for row in splits.train["audio"]}
    assert not kept & {row.tobytes() for row in splits.test["audio"]}
    assert len({row.tobytes() for row in splits.test["audio"]}) == 30
    assert digits().load(folder).fingerprint == splits.fingerprint
    write(folder / "0_ada_0.wav", 999)  # other sound, nothing else
    assert digits().load(folder).fingerprint != splits.fingerprint


def test_a_speaker_is_held_out(folder):
    splits = digits("bob").load(folder)
    assert set(splits.train["speaker"]) == set(splits.validation["speaker"]) == {"ada"}
    assert splits.test["speaker"] == ["bob"] * 36
    assert "speaker bob held out" in splits.title
    with pytest.raises(UsageError, match=r"no recording of 'bib'\. Did you mean 'bob'"):
        digits("bib").load(folder)
    for path in folder.glob("*_ada_*"):
        path.unlink()
    with pytest.raises(UsageError, match="'bob' is the only speaker"):
        digits("bob").load(folder)


def test_folders_that_are_not_right_are_named(folder, tmp_path):
    write(folder / "seven.wav")
    with pytest.raises(UsageError, match=r"1 of 73 recordings are not named .* as 'seven.wav'"):
        digits().load(folder)
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match=r"has no recording and no train\.csv"):
        digits().load(tmp_path / "none")
    (tmp_path / "none" / "7_ada_1.wav").write_bytes(b"")
    with pytest.raises(UsageError, match=r"1 files are not recordings: .*7_ada_1\.wav is empty"):
        digits().load(tmp_path / "none")


def test_what_is_no_recording_in_a_folder_is_passed_over_and_said(folder):
    clean = digits().load(folder)
    (folder / "._7_ada_3.wav").write_bytes(b"\0\x05\x16\x07Mac OS X        ")  # as macOS does
    (folder / "3_bob_99.wav").write_bytes(b"RIFF")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "0_ada_7.wav").rename(folder / "moved")
    (folder / "0_ada_7.wav").mkdir()
    (folder / "moved").rename(folder / "0_ada_7.wav" / "0_ada_7.wav")
    splits = digits().load(folder)
    (note, *_) = splits.notes
    assert note.startswith("4 files that are not recordings are ignored, such as ._7_ada_3.wav")
    assert len(splits.train["text"]) + len(splits.validation["text"]) == 41  # of 42
    assert splits.test["text"] == clean.test["text"]
    reading = Reading()
    assert len(load_examples(digits(), folder, reading=reading)["text"]) == 71
    assert reading.notes[0].startswith("4 files that are not recordings")
    # A recording that can be repaired is not passed over.
    content = (folder / "0_ada_8.wav").read_bytes()
    (folder / "0_ada_8.wav").write_bytes(content[:-1])
    assert "1 recordings are repaired, such as" in digits().load(folder).notes[1]


def split_of(splits):
    return {
        np.asarray(row).tobytes(): name
        for name in ("train", "validation", "test")
        for row in getattr(splits, name)["audio"]
    }


@pytest.mark.parametrize("first", [0, 5])
def test_another_recording_moves_none_of_the_others(folder, first):
    for seed in range(60):
        write(folder / f"{'037'[seed % 3]}_eve_{first + 100 + seed}.wav", 200 + seed)
    if first:  # no recordings that are numbered as the test split
        for path in list(folder.glob("*_?.wav")):
            path.unlink()
    before = split_of(digits().load(folder))
    assert set(before.values()) == {"train", "validation", "test"}
    for number in (2, 12, 500):  # 2 is a number of the test split
        write(folder / f"3_dan_{number}.wav", 1000 + number)
        after = split_of(digits().load(folder))
        assert before.items() <= after.items()
        assert len(after) == len(before) + 1
        before = after


def test_a_table_names_recordings_as_seen_from_it(folder, tmp_path):
    rows = [
        "audio,text,speaker",
        "mine/0_ada_1.wav, zero ,ada",
        f"{folder}/3_bob_2.wav,three zero,",
    ]
    (tmp_path / "own.csv").write_text("\n".join(rows) + "\n")
    examples = digits(label="").reader(tmp_path / "own.csv", None)
    assert examples["text"] == ["zero", "three zero"]
    assert examples["speaker"] == ["ada", ""]
    assert [len(row) for row in examples["audio"]] == [1200, 1200]
    (tmp_path / "own.csv").write_text("\n".join(["file,text", *rows[1:2], "mine/x.wav,one"]))
    with pytest.raises(ZooError):
        digits().reader(tmp_path / "own.csv", None)
    (tmp_path / "own.csv").write_text("file,text\nmine/0_ada_1.wav,zero\nmine/x.wav,one\n")
    with pytest.raises(UsageError, match=r"own\.csv: line 3: There is no file .*x\.wav"):
        digits().reader(tmp_path / "own.csv", {"audio": "file"})


def test_the_words_of_a_table_may_be_a_whole_number(folder):
    rows = [
        '{"audio": "0_ada_1.wav", "text": 0}',
        '{"audio": "3_bob_2.wav", "text": "three  zero"}',
    ]
    (folder / "own.jsonl").write_text("\n".join(rows))
    assert digits().reader(folder / "own.jsonl", None)["text"] == ["0", "three zero"]
    (folder / "own.jsonl").write_text("\n".join([*rows, '{"audio": "0_ada_1.wav", "text": null}']))
    with pytest.raises(ZooError, match="line 3 has an empty 'text'"):
        digits().reader(folder / "own.jsonl", None)


def test_a_recording_whose_name_begins_like_that_of_a_user(folder, monkeypatch):
    (folder / "0_ada_1.wav").rename(folder / "~ada.wav")
    (folder / "own.csv").write_text("audio,text\n~ada.wav,zero\n")
    assert len(digits().reader(folder / "own.csv", None)["audio"][0]) == 1200
    monkeypatch.chdir(folder)
    assert len(read_recordings("~ada.wav")["audio"][0]) == 1200


def test_a_folder_of_recordings_a_word(tmp_path):
    for seed, word in enumerate(("yes", "no") * 4):
        (tmp_path / "words" / word).mkdir(parents=True, exist_ok=True)
        write(tmp_path / "words" / word / f"{seed}.wav", seed)
    splits = digits().load(tmp_path / "words")
    rows = splits.train["text"] + splits.validation["text"] + splits.test["text"]
    assert sorted(rows) == ["no"] * 4 + ["yes"] * 4
    assert {len(row) for row in splits.train["audio"]} == {1200}
    (tmp_path / "words" / "no" / "x.wav").write_bytes(b"RIFF")
    with pytest.raises(ZooError, match=r"x\.wav is not a recording"):
        digits().load(tmp_path / "words")
    splits = digits().load(tmp_path / "words", reading={"drop_bad": True})
    assert any(note.startswith("omitted: ") and "x.wav" in note for note in splits.notes)


def test_rows_whose_recording_cannot_be_read_are_left_out_on_request(folder):
    lines = ["audio,text", "0_ada_1.wav,zero", "none.wav,one", "3_bob_2.wav,three"]
    (folder / "own.csv").write_text("\n".join(lines))
    with pytest.raises(ZooError, match="line 3: There is no file"):
        load_examples(digits(), folder / "own.csv")
    reading = Reading(ReadOptions(drop_bad=True))
    rows = load_examples(digits(), folder / "own.csv", reading=reading)
    assert rows["text"] == ["zero", "three"]
    assert reading.notes[0].startswith("own.csv: line 3 omitted: There is no file")


def test_a_speaker_of_a_table_is_held_out_or_it_is_an_error(folder, tmp_path):
    names = [path.name for path in sorted(folder.glob("*.wav"))]
    table = ["audio,text,speaker", *(f"{name},{name[0]},{name.split('_')[1]}" for name in names)]
    (folder / "own.csv").write_text("\n".join(table))
    splits = digits("bob").load(folder / "own.csv")
    assert set(splits.train["speaker"]) == set(splits.validation["speaker"]) == {"ada"}
    assert splits.test["speaker"] == ["bob"] * 36
    assert "tested on all recordings of bob, who is not in the training data" in splits.notes
    with pytest.raises(UsageError, match=r"no recording of 'bib'\. Did you mean 'bob'"):
        digits("bib").load(folder / "own.csv")
    # All of another table is scored, whoever speaks.
    assert len(load_examples(digits("bib"), folder / "own.csv")["text"]) == 72
    (folder / "train.csv").write_text("\n".join(table))
    assert digits("bob").load(folder).test["speaker"] == ["bob"] * 36
    (folder / "test.csv").write_text("\n".join(table[:9]))
    assert len(digits().load(folder).test["text"]) == 8
    with pytest.raises(UsageError, match="There is a test file, but 'bob', who"):
        digits("bob").load(folder)
    assert len(digits("eve").load(folder).test["text"]) == 8  # who is in none of them
    (folder / "own.csv").write_text("\n".join(line.rpartition(",")[0] for line in table))
    with pytest.raises(UsageError, match="does not say who speaks, so that 'bob'"):
        digits("bob").load(folder / "own.csv")


def test_mfccs_are_cut_by_their_lengths():
    file = io.BytesIO()
    values = np.arange(5 * 13, dtype="f4").reshape(5, 13)
    np.savez(file, X=values, y=np.array([7, 0]), lengths=np.array([2, 3]))
    parts, notes = read_mfccs({"digits.npz": file.getvalue()}, speaker="")
    assert [row.shape for row in parts["train"]["features"]] == [(2, 13), (3, 13)]
    assert parts["train"]["text"] == ["7", "0"]
    np.testing.assert_array_equal(parts["train"]["features"][1], values[2:])
    assert "takes only MFCCs" in notes[0]
    with pytest.raises(UsageError, match="do not say who speaks"):
        read_mfccs({"digits.npz": file.getvalue()}, speaker="theo")


def test_silence_has_one_text_however_many_are_asked_for(run_of):
    predictor = zoo.load(run_of("digits-ctc"))
    (answer,) = predictor.predict([[0.0] * 1600], beam=5, n_best=3)
    assert answer["text"] == ["", "", ""]
    assert answer["valid"] == [True, False, False]
    assert answer["score"][0] == 0
    assert np.isnan(answer["score"][1:]).all()
    assert "fewer texts" in answer["problem"][1]
    shown = predictor.recipe.show({"file": "a.wav"}, answer)
    assert shown.split() == ["a.wav", "0.000", "(nothing)"]
    earlier = {"text": ["", ""], "score": [0.0, -1e9]}  # of an export from before
    assert predictor.recipe.show({"file": "a.wav"}, earlier) == shown


@pytest.mark.parametrize("name", ["digits-gru", "digits-ctc"])
def test_where_there_are_mfccs_alone_they_are_served(name):
    import dataclasses

    from zoo.registry import get_recipe
    from zoo.serving.inputs import tensors

    recipe = get_recipe(name)
    config = dataclasses.replace(recipe.config, units=4, layers=1)
    rows = recipe.dataset.sample()
    train = recipe.augment(config, {key: rows[key] for key in ("features", "text", "speaker")})
    assets = recipe.prepare(config, train)
    assert recipe.batches(config, assets, train).take(np.arange(2))[0].shape[2] == 13
    functions = recipe.serve(config, assets, recipe.build(config, assets)).functions
    assert "audio_16khz" not in functions
    for signature, options in (("serving_default", {}), ("nbest", {"beam": 2, "n_best": 1})):
        if signature in functions:
            specs = {spec.name: spec for spec in functions["serving_default"].input_signature}
            assert list(specs) == ["features", "length"]
            answer = functions[signature](**tensors(rows, specs), **options)
            assert all(len(value) == 12 for value in answer.values())


def test_an_archive_of_the_repository_is_read_like_a_folder(folder, tmp_path):
    (folder / "README.wav").write_text("no recording")
    with tarfile.open(tmp_path / "v.tar.gz", "w:gz") as archive:
        archive.add(folder, "fsdd-1.0.9/recordings")
        archive.add(folder / "0_ada_0.wav", "fsdd-1.0.9/spectrograms/9_ada_0.wav")
    parts, _ = read_archive([tmp_path / "v.tar.gz"], speaker="")
    (folder / "README.wav").unlink()
    theirs, *_ = digits().folder(folder)
    for name in ("train", "test"):
        assert parts[name]["text"] == theirs[name]["text"]
        for one, other in zip(parts[name]["audio"], theirs[name]["audio"], strict=True):
            np.testing.assert_array_equal(one, other)
