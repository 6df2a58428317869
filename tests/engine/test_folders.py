"""Folders of people's own: a file a split, a folder a class, and what `datasets` has saved."""

import json
import zipfile

import pytest

from zoo.data import Dataset, folders
from zoo.errors import UsageError, ZooError

TABLE = "text,label\n" + "".join(f"a text {n},{'good' if n % 2 else 'bad'}\n" for n in range(8))


def reviews():
    return Dataset(
        name="reviews",
        columns={"text": "a text", "label": "its class"},
        sources=(),
        licence="none",
        sample=lambda: {"text": ["a"], "label": ["b"]},
    )


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Train_final", "train"),
        ("my-training-data", "train"),
        ("dev", "validation"),
        ("val", "validation"),
        ("imdb.valid.v2", "validation"),
        ("eng.testa", "validation"),
        ("validation-00000-of-00001", "validation"),
        ("test_2016_flickr", "test"),
        ("TEST", "test"),
        ("latest", ""),
        ("constraints", ""),
        ("train_test", ""),
    ],
)
def test_splits_by_names(name, split):
    assert folders.split_of(name) == split


@pytest.mark.parametrize("validation", ["valid", "val", "dev", "validation", "Dev.v1"])
def test_every_usual_name_of_a_split_is_read(tmp_path, validation):
    other = TABLE.replace("a text", "another text")
    files = {"my_train.csv": TABLE, f"{validation}.csv.gz": other, "README.md": "about"}
    import gzip

    files[f"{validation}.csv.gz"] = gzip.compress(other.encode())
    splits = reviews().load(write(tmp_path, {**files, ".DS_Store": "x"}))
    assert len(splits.validation["text"]) == 8
    assert "not read: README.md" in splits.notes


def test_shards_are_one_split_and_others_are_a_question(tmp_path):
    write(tmp_path, {f"data/train-0000{n}-of-00002.csv": TABLE for n in (0, 1)})
    splits = reviews().load(tmp_path)
    assert sum("duplicate" in note for note in splits.notes) == 1  # both parts hold the same
    write(tmp_path, {"train.csv": TABLE, "train_more.csv": TABLE})
    with pytest.raises(UsageError, match=r"both train\.csv and train_more\.csv"):
        reviews().load(tmp_path)


def test_files_in_folders_are_read_where_there_are_no_others(tmp_path):
    write(tmp_path, {"train/part.csv": TABLE, "test/part.csv": TABLE, "old/x.csv": TABLE})
    splits = reviews().load(tmp_path)
    assert len(splits.test["text"]) == 8
    assert "not read: old/x.csv" in splits.notes
    write(tmp_path, {"train.csv": TABLE})
    notes = reviews().load(tmp_path).notes
    assert "not read: old/x.csv, test/part.csv, train/part.csv" in notes


def classes(*before, encoding="utf-8"):
    return {
        "/".join([*before, name, f"{n}.txt"]): f"Un café {name} {n} {before}".encode(encoding)
        for name in ("good", "bad")
        for n in range(4)
    }


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_a_folder_a_class(tmp_path, encoding):
    write(tmp_path, {**classes(encoding=encoding), "good/notes.md": "x", "names.txt": "y"})
    splits = reviews().load(tmp_path)
    rows = {
        (text, label)
        for part in (splits.train, splits.validation, splits.test)
        for text, label in zip(part["text"], part["label"], strict=True)
    }
    assert rows == {(f"Un café {name} {n} ()", name) for name in ("good", "bad") for n in range(4)}
    assert "not read: names.txt, good/notes.md" in splits.notes
    said = [note for note in splits.notes if "encoding" in note]
    assert bool(said) == (encoding != "utf-8")


def test_a_damaged_text_of_a_folder_is_named(tmp_path):
    whole = "Un café, un thé et\nune crème brûlée\nDéjà vu\n".encode()
    damaged = whole.replace("û".encode(), b"\xff")
    write(tmp_path, {**classes(), "bad/9.txt": damaged, "good/9.txt": damaged.partition(b"D")[0]})
    with pytest.raises(ZooError, match=r"bad/9\.txt is UTF-8, but not byte 0xff on line 2\."):
        reviews().load(tmp_path)
    splits = reviews().load(tmp_path, reading={"drop_bad": True})
    texts = [*splits.train["text"], *splits.validation["text"], *splits.test["text"]]
    assert len(texts) == 10
    assert "Un café, un thé et\n\nDéjà vu\n" in texts
    assert "Un café, un thé et\n\n" in texts
    for label in ("bad", "good"):
        assert f"{label}/9.txt: encoding utf-8 without line 2" in splits.notes


def test_a_folder_a_class_in_a_folder_a_split(tmp_path):
    """As the archive of IMDB is."""
    write(tmp_path, {**classes("train"), **classes("test")})
    write(tmp_path, {"train/unsup/0.txt": "?", "train/urls.txt": "http://", "README": "about"})
    splits = reviews().load(tmp_path)
    assert sorted(splits.test["label"]) == ["bad"] * 4 + ["good"] * 4
    assert set(splits.train["label"]) == {"bad", "good"}
    assert "not read: README, train/urls.txt, train/unsup/" in splits.notes


def test_empty_texts_of_a_folder(tmp_path):
    write(tmp_path, {**classes(), "good/empty.txt": " \n"})
    with pytest.raises(ZooError, match=r"1 files are empty, such as good/empty\.txt.*--drop-bad"):
        reviews().load(tmp_path)
    splits = reviews().load(tmp_path, reading={"drop_bad": True})
    assert "1 empty files omitted, such as good/empty.txt" in splits.notes


def test_a_folder_of_neither_kind(tmp_path):
    write(tmp_path, {"good/1.txt": "only one class"})
    with pytest.raises(UsageError, match=r"has no train file.*Or it has a folder of \.txt files"):
        reviews().load(tmp_path)


def save(folder, rows, names=None):
    """Writes what `Dataset.save_to_disk` of Hugging Face writes."""
    import pyarrow as pa

    feature = {"names": names, "_type": "ClassLabel"} if names else {"_type": "Value"}
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": feature}
    table = pa.table(rows).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    folder.mkdir(parents=True)
    file = "data-00000-of-00001.arrow"
    with pa.ipc.new_stream(folder / file, table.schema) as out:
        out.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": file}]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))


def test_datasets_of_hugging_face(tmp_path):
    rows = {"text": [f"text {n}" for n in range(9)], "label": [n % 3 for n in range(9)]}
    names = ["bad", "good", "so-so"]
    save(tmp_path / "one", rows, names)
    splits = reviews().load(tmp_path / "one")
    assert set(splits.train["label"]) == set(names)
    for split in ("train", "validation", "test", "extra"):
        save(tmp_path / "all" / split, rows, names)
    (tmp_path / "all" / "dataset_dict.json").write_text(
        json.dumps({"splits": ["train", "validation", "test", "extra"]})
    )
    splits = reviews().load(tmp_path / "all")
    assert splits.test["label"] == [names[n % 3] for n in range(9)]
    assert "not read: extra" in splits.notes
    save(tmp_path / "unlabelled", {**rows, "label": [*rows["label"][:-1], -1]}, names)
    with pytest.raises(ZooError, match=r"row 9 has an empty 'label'.*--drop-bad"):
        reviews().load(tmp_path / "unlabelled")


@pytest.mark.parametrize("listed", [{}, "x.arrow", {"filename": 3}])
def test_a_damaged_list_of_the_files_of_a_split(tmp_path, listed):
    save(tmp_path / "one", {"text": ["a"], "label": ["b"]})
    (tmp_path / "one" / "state.json").write_text(json.dumps({"_data_files": [listed]}))
    with pytest.raises(ZooError, match=r"state\.json is damaged: a file has no 'filename'"):
        reviews().load(tmp_path / "one")


def packed(path, files):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "files",
    [
        {"train.csv": TABLE, "test.csv": TABLE, "__MACOSX/._train.csv": "x"},
        {"mine/train.csv": TABLE, "mine/test.csv": TABLE},
        {f"mine/{label}/{n}.txt": f"{label} {n}" for label in ("good", "bad") for n in range(4)},
        # A name that holds "test" and "dev" within words is that of no split.
        {"latest-devices/train.csv": TABLE, "latest-devices/test.csv": TABLE},
        {f"latest/{label}/{n}.txt": f"{label} {n}" for label in ("good", "bad") for n in range(4)},
    ],
)
def test_a_zip_of_several_files_is_read_as_a_folder(tmp_path, files):
    splits = reviews().load(packed(tmp_path / "mine.zip", files))
    assert sorted(set(splits.train["label"])) == ["bad", "good"]
    assert splits.title == "mine.zip (custom data)"
    if any(name.endswith("train.csv") for name in files):
        assert len(splits.test["text"]) == 8


def test_a_zip_of_tables_without_names_of_splits_is_asked_for(tmp_path):
    path = packed(tmp_path / "mine.zip", {"a.csv": TABLE, "b.csv": TABLE})
    with pytest.raises(UsageError, match=f"{path} has no train file: .* 'train' in its name"):
        reviews().load(path)


def test_a_zip_is_unpacked_up_to_a_limit(tmp_path, monkeypatch):
    path = packed(tmp_path / "mine.zip", {"train.csv": TABLE, "test.csv": TABLE})
    monkeypatch.setenv("ZOO_MAX_UNPACKED", "100")
    with pytest.raises(ZooError, match="unpacks to more than 100 bytes"):
        reviews().load(path)


@pytest.mark.parametrize("packed", [False, True])
def test_folders_of_classes_have_no_columns(tmp_path, packed):
    files = {f"{label}/{n}.txt": f"{label} {n}" for label in ("a", "b") for n in range(5)}
    path = write(tmp_path / "mine", files)
    if packed:
        path = tmp_path / "mine.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    for given in ({"columns": {"text": "x"}}, {"reading": {"sep": "tab"}}):
        with pytest.raises(UsageError, match=f"is for tables, but {path} is none"):
            reviews().load(path, **given)
    assert reviews().load(path).train
