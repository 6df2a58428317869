"""Datasets: which source is used, how rows are split, what is recorded."""

import dataclasses
import hashlib
import itertools
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections import Counter

import numpy as np
import pytest

from zoo.data import Dataset, File, Tfds, Urls, Wheel, load_examples
from zoo.data import splits as splitting
from zoo.data.custom import load_rows
from zoo.data.origin import parse_origin
from zoo.data.sources import Status
from zoo.errors import UsageError, ZooError
from zoo.registry import get_recipe

ROWS = [(f"text {number}", "abc"[number % 3]) for number in range(300)]


def examples(rows):
    return {"text": [text for text, _ in rows], "label": [label for _, label in rows]}


def rows_of(part):
    return list(zip(part["text"], part["label"], strict=True))


def read_lines(members):
    """Reads lines of `label text`, as a recipe would read its own file."""
    (content,) = members.values()
    rows = [line.partition(" ")[::2] for line in content.decode().splitlines()]
    return {"train": examples([(text, label) for label, text in rows])}, ["read by the recipe"]


def read_file(path):
    return read_lines({path.name: path.read_bytes()})


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty home without a network, whose mirror is an empty folder."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path / "home"


def mirrored(folder, url, content):
    """Puts a file on the mirror; returns its SHA-256."""
    path = folder / "mirror" / url.split("://")[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def make(*sources, **options):
    return Dataset(
        name="letters",
        columns={"text": "a text", "label": "its letter"},
        sources=sources,
        licence="public domain",
        sample=lambda: examples(ROWS[:12]),
        **options,
    )


URL = "http://127.0.0.1/letters.txt"
CONTENT = "".join(f"{label} {text}\n" for text, label in ROWS).encode()


def page(url, title, sha256, size, read=read_file):
    """A source of one file."""
    return Urls((File(url, sha256, size),), title, lambda paths: read(*paths))


def url_source(folder, content=CONTENT, read=read_file):
    return page(URL, "letters (from a page)", mirrored(folder, URL, content), len(content), read)


NOWHERE = page("http://nowhere.invalid/letters.txt", "letters (official)", "0" * 64, 5)


def test_light_at_import():
    code = (
        "import sys, zoo.data; "
        "print([m for m in ('tensorflow', 'keras', 'numpy', 'pandas', 'tensorflow_datasets') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Splits.


def test_train_only_is_split_80_10_10_with_the_classes_kept(tmp_path):
    splits = make(url_source(tmp_path)).load()
    assert [len(part["text"]) for part in (splits.train, splits.validation, splits.test)] == [
        240,
        30,
        30,
    ]
    for part, each in [(splits.train, 80), (splits.validation, 10), (splits.test, 10)]:
        assert Counter(part["label"]) == {"a": each, "b": each, "c": each}
    parts = [rows_of(part) for part in (splits.train, splits.validation, splits.test)]
    assert sorted(itertools.chain(*parts)) == sorted(ROWS)  # each row once
    assert parts[0] != sorted(parts[0], key=ROWS.index)  # not in the order of the file
    assert splits.source == "url"
    assert splits.title == "letters (from a page)"
    assert "read by the recipe" in splits.notes


def test_the_split_is_the_same_everywhere_and_not_that_of_sorted_classes():
    # Fixed numbers: a change of them would change every published score.
    assert splitting.permutation(8) == [0, 6, 4, 7, 1, 2, 5, 3]
    parts = splitting.cut_off(
        examples(sorted(ROWS, key=lambda row: row[1])), {"test": 0.1}, "label"
    )
    assert Counter(parts["test"]["label"]) == {"a": 10, "b": 10, "c": 10}
    assert len(set(parts["train"]["label"][:10])) > 1


def test_cut_off_without_labels():
    parts = splitting.cut_off({"x": list(range(50))}, {"validation": 0.2, "test": 0.1})
    assert [len(parts[name]["x"]) for name in ("train", "validation", "test")] == [35, 10, 5]
    assert sorted(itertools.chain(*(part["x"] for part in parts.values()))) == list(range(50))


def test_a_row_is_drawn_by_what_it_is_whatever_others_there_are():
    def drawn(rows, label=""):
        columns = {"x": rows, "label": [row % 3 for row in rows]}
        fractions = {"validation": 0.1, "test": 0.2}
        parts = splitting.drawn_alone(
            columns, fractions, lambda each, row: str(each["x"][row]).encode(), label
        )
        return {x: name for name, part in parts.items() for x in part["x"]}

    found = drawn(list(range(2000)))
    sizes = Counter(found.values())
    assert 150 < sizes["validation"] < 250
    assert 330 < sizes["test"] < 470
    for more in ([5000], list(range(3000, 3300))):
        assert found.items() <= drawn([*more, *range(2000)]).items()
    assert drawn(list(range(1999, -1, -1)), "label") == found  # classes have rows in all splits
    few = drawn(list(range(12)), "label")
    for name in ("train", "validation", "test"):
        assert {row % 3 for row, split in few.items() if split == name} == {0, 1, 2}


def test_duplicates_are_dropped_before_splitting(tmp_path):
    twice = CONTENT + b"a text 0\nb text 0\n"
    splits = make(url_source(tmp_path, twice)).load()
    texts = splits.train["text"] + splits.validation["text"] + splits.test["text"]
    assert len(texts) == len(set(texts)) == 300
    assert "2 duplicate texts dropped, 1 of them with another label" in splits.notes
    label = dict(rows_of(splits.train) + rows_of(splits.validation) + rows_of(splits.test))
    assert label["text 0"] == "a"  # the first one stays
    kept = make(url_source(tmp_path, twice), deduplicate_by="").load()
    assert sum(kept.describe()["rows"].values()) == 302


def test_an_official_test_split_stays_whole(tmp_path):
    def read(path):
        return {"train": examples(ROWS[:200]), "test": examples(ROWS[200:])}, []

    source = url_source(tmp_path, read=read)
    splits = make(source).load(validation=0.2)
    assert rows_of(splits.test) == ROWS[200:]
    # Of classes of 67, 67 and 66 rows, 20 % are 13.4, 13.4 and 13.2.
    assert Counter(splits.validation["label"]) == {"a": 13, "b": 13, "c": 13}
    assert sorted(rows_of(splits.train) + rows_of(splits.validation)) == sorted(ROWS[:200])
    assert splits.notes == ("39 validation rows drawn from train by a fixed seed",)


def test_tiny_is_a_seeded_part_with_every_class(tmp_path):
    rows = [(f"common {number}", "ab"[number % 2]) for number in range(3000)]
    rows += [(f"rare {number}", "rare") for number in range(10)]
    content = "".join(f"{label} {text}\n" for text, label in rows).encode()
    data = make(url_source(tmp_path, content))
    tiny, whole = data.load(tiny=True), data.load()
    assert tiny.describe()["rows"] == {"train": 256, "validation": 64, "test": 128}
    assert tiny.title == "letters (from a page), tiny part"
    assert set(tiny.train["label"]) == {"a", "b", "rare"}
    for name in ("train", "validation", "test"):
        assert set(rows_of(getattr(tiny, name))) <= set(rows_of(getattr(whole, name)))
    assert tiny.fingerprint == data.load(tiny=True).fingerprint != whole.fingerprint
    assert make(url_source(tmp_path)).load(tiny=True).describe()["rows"]["train"] == 240


def test_fingerprint_is_of_every_row_in_order():
    def parts(**changes):
        base = {"train": examples(ROWS[:3]), "validation": examples(ROWS[3:5])}
        return base | {"test": examples(ROWS[5:7])} | changes

    # By hand: one JSON line with the columns, then one for each row, for each split.
    lines = []
    for name, part in parts().items():
        lines.append(json.dumps([name, ["label", "text"]]))
        lines += [json.dumps([label, text]) for text, label in rows_of(part)]
    by_hand = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    assert splitting.fingerprint(parts()) == by_hand
    moved = parts(validation=examples(ROWS[3:4]), test=examples(ROWS[4:7]))
    swapped = parts(test=examples([ROWS[6], ROWS[5]]))
    assert len({by_hand, splitting.fingerprint(moved), splitting.fingerprint(swapped)}) == 3


def test_fingerprint_is_of_every_number_of_an_array_and_of_its_shape():
    def of(array):
        return splitting.fingerprint({name: {"audio": [array]} for name in splitting.SPLITS})

    sound = np.zeros(2000, np.float32)
    other = sound.copy()
    other[1234] = 1e-6
    given = [sound, other, sound[:1999], sound.reshape(2, 1000), sound.astype("f8"), sound[:5]]
    assert len({of(array) for array in given}) == len(given)
    assert of(sound) == of(sound.copy())
    assert of(sound[:5]) == of([0.0] * 5)


def test_sample_and_what_a_run_records():
    splits = make(NOWHERE).load("sample")
    assert splits.describe() == {
        "dataset": "letters",
        "source": "sample",
        "title": "letters (sample of 12 rows)",
        "rows": {"train": 6, "validation": 3, "test": 3},
        "fingerprint": splits.fingerprint,
        "notes": [
            "3 validation rows drawn from train by a fixed seed",
            "3 test rows drawn from train by a fixed seed",
        ],
        "licence": "public domain",
    }
    json.dumps(splits.describe())


# Sources.


def test_the_first_available_source_is_used_and_the_others_are_noted(tmp_path, monkeypatch):
    monkeypatch.delenv("ZOO_OFFLINE")
    splits = make(NOWHERE, url_source(tmp_path)).load()
    assert splits.title == "letters (from a page)"
    assert splits.notes[0].startswith("letters (official) is not available from url: nowhere.inv")
    splits = make(url_source(tmp_path), NOWHERE).load()  # the order decides
    assert not any("not available" in note for note in splits.notes)


def test_no_source_is_one_line_within_seconds(monkeypatch):
    wheel = Wheel(
        "no-such-data==1.0", title="letters (part)", member="x", sha256="0" * 64, size=1,
        read=read_lines,
    )  # fmt: skip
    tfds = Tfds(
        "letters",
        title="letters (split)",
        url=NOWHERE.files[0].url,
        sha256="0" * 64,
        size=1,
        columns={"text": "text"},
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.delenv("ZOO_OFFLINE")
    start = time.monotonic()
    with pytest.raises(ZooError) as caught:
        make(tfds, NOWHERE, wheel).load()
    assert time.monotonic() - start < 30  # TFDS alone would retry for minutes
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "letters (split) is not available from tfds: nowhere.invalid cannot be reached",
        "letters (official) is not available from url: nowhere.invalid cannot be reached",
        "letters (part) is not available from wheel: pip cannot download no-such-data",
        "Connect to a network",
    ):
        assert part in message


def test_offline_says_so():
    with pytest.raises(ZooError, match="ZOO_OFFLINE is set"):
        make(NOWHERE).load()


def test_a_forced_source_has_no_substitute(tmp_path):
    data = make(
        url_source(tmp_path),
        Wheel("no-such-data==1.0", "letters (part)", "x", "0" * 64, 1, read_lines),
    )
    with pytest.raises(ZooError, match=r"letters .part. is not available from wheel"):
        data.load("wheel")
    assert data.load("url").source == "url"


def test_sources_of_other_data_are_used_only_where_they_are_asked_for(tmp_path):
    other = dataclasses.replace(url_source_elsewhere(tmp_path), key="url2")
    data = make(NOWHERE, other, on_request=("url2",))
    assert data.load("url2").title.startswith("elsewhere")
    with pytest.raises(ZooError, match=r"official.*or use --data url2, your own file\.") as caught:
        data.load()
    assert "elsewhere" not in str(caught.value)
    with pytest.raises(ZooError, match="official"):
        data.fetch()
    assert data.fetch("url2")[0].key == "url2"


def test_a_wrong_file_in_the_mirror_is_reported_and_the_next_source_used(tmp_path, capsys):
    broken = url_source(tmp_path)
    mirrored(tmp_path, URL, b"something else")
    splits = make(broken, url_source_elsewhere(tmp_path)).load()
    assert splits.title.startswith("elsewhere")
    assert splits.notes[0].startswith("letters (from a page) is not available from url")
    assert "not the expected file" in capsys.readouterr().err


def url_source_elsewhere(folder):
    url = "http://127.0.0.1/elsewhere.txt"
    return page(url, "elsewhere", mirrored(folder, url, CONTENT), len(CONTENT))


def test_wheel_source(tmp_path):
    path = tmp_path / "letters.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("letters/rows.txt", CONTENT)
        file.writestr("letters/more.txt", b"c more")
    sha256 = mirrored(
        tmp_path, "https://pypi.org/my_letters-2.0-py3-none-any.whl", path.read_bytes()
    )
    size = path.stat().st_size
    wheel = Wheel("my-letters==2.0", "letters (part)", "letters/rows.txt", sha256, size, read_lines)
    splits = make(wheel).load("wheel")
    assert splits.source == "wheel"
    assert sum(splits.describe()["rows"].values()) == 300
    several = dataclasses.replace(wheel, member="letters/*.txt")
    assert several.members(print) == {"letters/more.txt": b"c more", "letters/rows.txt": CONTENT}


def test_status(tmp_path, monkeypatch):
    assert url_source(tmp_path).status() == Status("ready")  # a folder is no network
    assert NOWHERE.status() == Status("unavailable", "ZOO_OFFLINE is set")
    monkeypatch.delenv("ZOO_OFFLINE")
    assert NOWHERE.status() == Status("not fetched")
    assert NOWHERE.status(probe=True).state == "unavailable"
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        assert page(url, "x", "0", 1).status(probe=True).state == "reachable"


def test_fetch_brings_it_into_the_cache(tmp_path, home):
    source, path = make(NOWHERE, url_source(tmp_path)).fetch(log=lambda line: None)
    assert source.title == "letters (from a page)"
    assert path == home / "data" / "127.0.0.1" / "letters.txt"
    assert path.read_bytes() == CONTENT
    assert source.verify() == path
    with pytest.raises(UsageError, match="no source 'tfds'"):
        make(NOWHERE).fetch("tfds")


def test_unknown_source_and_columns():
    with pytest.raises(UsageError, match=r"Unknown source 'urll'.* Did you mean 'url'"):
        make(NOWHERE).load("urll")
    with pytest.raises(UsageError, match=r"There is no file or folder reviews\.csv"):
        make(NOWHERE).load("reviews.csv")
    with pytest.raises(UsageError, match="custom data only"):
        make(NOWHERE).load("sample", columns={"text": "review"})


def test_tfds_finds_what_is_prepared(tmp_path):
    def prepared(*parts):
        folder = tmp_path.joinpath("tfds", *parts)
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").write_text("{}")
        return folder

    def find(name):
        return Tfds(name, "x", NOWHERE.files[0].url, "0", 1, {"text": "text"})._prepared()

    assert find("one") is None
    prepared("one", "1.9.0")
    newest = prepared("one", "1.10.0")
    assert find("one") == newest
    only = prepared("two", "plain", "1.0.0")
    assert find("two") == find("two/plain") == only
    prepared("two", "other", "1.0.0")
    assert find("two") is None  # which one is not said
    assert find("two/plain") == only


TFDS_CODE = """
import hashlib, json, pathlib, sys
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import checksums
from zoo.data import Tfds

url, sha256, size = sys.argv[1], sys.argv[2], int(sys.argv[3])

class TinyLetters(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    url_infos = {url: checksums.UrlInfo(size=size, checksum=sha256, filename="by_tfds.txt")}

    def _info(self):
        label = tfds.features.ClassLabel(names=["a", "b", "c"])
        features = {"words": tfds.features.Text(), "letter": label,
                    "tags": tfds.features.Sequence(label), "unused": tfds.features.Text()}
        features = tfds.features.FeaturesDict(features)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, manager):
        return {"train": self._generate_examples(manager.download(url), 0),
                "test": self._generate_examples(manager.download(url), 250)}

    def _generate_examples(self, path, start):
        for key, line in enumerate(pathlib.Path(path).read_text().splitlines()[start:]):
            label, _, text = line.partition(" ")
            tags = ["a", label] if key % 2 else [label]
            yield key, {"words": text, "letter": label, "tags": tags, "unused": "!"}

source = Tfds("tiny_letters", "letters (split)", url, sha256, size,
              columns={"text": "words", "label": "letter", "tags": "tags",
                       "both": "words+unused"}, names={"a": "alpha"})
said = []
parts, notes = source.load(said.append)
again, _ = source.load(said.append)
folder = source.fetch(said.append)
shard = next(folder.glob("*test.tfrecord*"))
shard.write_bytes(shard.read_bytes()[:-20])
try:
    source.load(said.append)
    error = ""
except Exception as caught:
    error = f"{type(caught).__name__}: {caught}"
result = {"parts": parts, "same": parts == again, "said": said, "folder": str(folder),
          "state": source.status().state, "error": error}
print(json.dumps(result))
"""


WITHOUT_PROMISE = """
import sys

sys.modules["promise"] = None  # has no wheel: missing where nothing may be built
from zoo.data import Tfds
from zoo.data.fetch import Unavailable

source = Tfds("tiny_letters", "letters", "http://127.0.0.1/a", "0" * 64, 1, columns={})
try:
    source.load(print)
except Unavailable as error:
    print(error)
"""


def test_tfds_that_is_not_whole_is_unavailable(tmp_path):
    """Another source is used then, and what is prepared is not said to be damaged."""
    folder = tmp_path / "tfds" / "tiny_letters" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    command = [sys.executable, "-c", WITHOUT_PROMISE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith("tensorflow-datasets cannot be imported (")
    assert "promise" in line
    assert "Traceback" not in done.stderr


def test_tfds_prepares_from_our_download_and_reads(tmp_path, home):
    """In a process of its own, because TFDS keeps every builder class that it sees."""
    url = "http://127.0.0.1/download?id=letters"
    sha256 = mirrored(tmp_path, url, CONTENT)
    done = subprocess.run(
        [sys.executable, "-c", TFDS_CODE, url, sha256, str(len(CONTENT))],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)  # nothing else on standard output
    train, test = result["parts"]["train"], result["parts"]["test"]
    names = {"a": "alpha", "b": "b", "c": "c"}
    assert sorted(rows_of(train)) == sorted((text, names[label]) for text, label in ROWS)
    assert sorted(rows_of(test)) == sorted((text, names[label]) for text, label in ROWS[250:])
    assert all(
        tags in ([label], ["alpha", label])
        for tags, label in zip(train["tags"], train["label"], strict=True)
    )
    assert {len(tags) for tags in train["tags"]} == {1, 2}
    assert train["both"] == [f"{text} !" for text in train["text"]]
    assert result["same"]
    assert result["said"] == ["preparing tiny_letters …"]
    assert result["state"] == "ready"
    assert result["folder"] == str(home / "tfds" / "tiny_letters" / "1.0.0")
    assert result["error"].startswith(f"ZooError: TFDS cannot read {result['folder']}")


# Custom data.


def table(path, rows, header="text,label"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(f"{text},{label}" for text, label in rows)]) + "\n")
    return path


def test_own_file(tmp_path):
    path = table(tmp_path / "mine.csv", ROWS, "review,stars")
    splits = make(NOWHERE).load(path, columns={"text": "review", "label": "stars"})
    assert splits.source == str(path)
    assert splits.title == "mine.csv (custom data)"
    assert splits.dataset == "mine.csv"
    assert splits.licence == ""
    assert splits.describe()["rows"] == {"train": 240, "validation": 30, "test": 30}
    with pytest.raises(UsageError, match=r"Unknown column 'txt'.* 'text'"):
        make(NOWHERE).load(path, columns={"txt": "review"})


def test_own_folder(tmp_path):
    folder = tmp_path / "mine"
    table(folder / "train.csv", ROWS[:100])
    table(folder / "test.csv", [*ROWS[200:230], ROWS[5]])
    (folder / "notes.txt").write_text("not a table")
    splits = make(NOWHERE).load(folder)
    assert rows_of(splits.test) == [*ROWS[200:230], ROWS[5]]
    assert sorted(rows_of(splits.train) + rows_of(splits.validation)) == sorted(ROWS[:100])
    assert "1 texts of test are also in train" in splits.notes
    table(folder / "validation.csv", ROWS[100:130])
    splits = make(NOWHERE).load(folder)
    assert sorted(rows_of(splits.train)) == sorted(ROWS[:100])
    assert rows_of(splits.validation) == ROWS[100:130]
    table(folder / "test.csv", [("x", "a"), ("y", "z")])
    with pytest.raises(ZooError, match=r"test\.csv: line 3 has a label that is not one of"):
        make(NOWHERE).load(folder)
    splits = make(NOWHERE).load(folder, reading={"drop_bad": True})
    assert rows_of(splits.test) == [("x", "a")]
    line = "test.csv: line 3 has a label that is not one of 'a', 'b', 'c' ('z'); omitted"
    assert line in splits.notes
    assert "not read: notes.txt" in splits.notes


def test_own_folder_that_is_not_clear(tmp_path):
    folder = tmp_path / "mine"
    table(folder / "test.csv", ROWS)
    with pytest.raises(UsageError, match="has no train file"):
        make(NOWHERE).load(folder)
    table(folder / "train.csv", ROWS)
    table(folder / "train.tsv", ROWS)
    with pytest.raises(UsageError, match=r"both train\.csv and train\.tsv"):
        make(NOWHERE).load(folder)


def test_own_classes(tmp_path):
    path = table(tmp_path / "mine.csv", [(f"t{n}", "good") for n in range(9)])
    with pytest.raises(ZooError, match="every row has the label 'good'"):
        make(NOWHERE).load(path)
    rows = [*ROWS, ("x", "d"), ("y", "d"), ("z", "e"), ("z", "e"), ("z", "e")]
    with pytest.raises(
        ZooError, match=r"3 different rows .* 'd' \(2\), 'e' \(1\)\..*--min-count 3"
    ):
        make(NOWHERE).load(table(path, rows))
    splits = make(NOWHERE).load(path, reading={"min_count": 3})
    assert set(splits.train["label"]) == set("abc")
    assert "classes of fewer than 3 rows omitted: 'd' (2), 'e' (1)" in splits.notes
    few = [*((f"p{n}", "p") for n in range(6)), ("n0", "n"), ("n1", "n")]
    with pytest.raises(ZooError, match=r"have 'n' \(2\)\. Give more rows\.$"):  # one class is left
        make(NOWHERE).load(table(tmp_path / "few.csv", few))
    with pytest.raises(ZooError, match="No class has 200 rows; the largest has 100"):
        make(NOWHERE).load(path, reading={"min_count": 200})
    with pytest.raises(UsageError, match="--repair cannot be used"):
        make(NOWHERE).load(path, reading={"repair": "sort"})
    rows = [*ROWS, ("x", "d"), ("y", "d"), ("z", "d")]
    splits = make(NOWHERE).load(table(path, rows))
    for part in (splits.train, splits.validation, splits.test):
        assert Counter(part["label"])["d"] == 1


def test_columns_in_memory(tmp_path):
    letters = make(NOWHERE)
    frame = {"review": np.array([text for text, _ in ROWS]), "label": [n % 3 for n in range(300)]}
    splits = letters.load({**frame, "stars": [5]}, columns={"text": "review"})
    assert (splits.source, splits.dataset, splits.licence) == ("in memory", "in memory", "")
    assert splits.describe()["rows"] == {"train": 240, "validation": 30, "test": 30}
    assert set(splits.train["label"]) == {"0", "1", "2"}
    # The very rows that a file gives, and the same split of them.
    path = table(tmp_path / "mine.csv", [(text, n % 3) for n, (text, _) in enumerate(ROWS)])
    assert splits.fingerprint == letters.load(path).fingerprint


def test_options_of_files_do_not_apply_to_columns_in_memory(tmp_path):
    data, given = make(NOWHERE), examples(ROWS[:60])
    for options in ({"sep": "tab"}, {"encoding": "cp1252"}, {"sheet": 1}):
        for source in (given, {"train": given}):
            with pytest.raises(UsageError, match="is for files, but the data are in memory"):
                data.load(source, reading=options)
    # They may be those of a file of further rows.
    path = table(tmp_path / "more.csv", ROWS[:2])
    data.load(given, reading={"sep": "comma"}, unlabelled=path)


def test_names_of_columns_of_a_file_are_texts(tmp_path):
    path = table(tmp_path / "mine.csv", ROWS)
    with pytest.raises(UsageError, match="The name of the column 'text' must be a str; got 0"):
        make(NOWHERE).load(path, columns={"text": 0})


def test_splits_of_columns_in_memory():
    given = {"test": examples([*ROWS[200:230], ROWS[5]]), "train": examples(ROWS[:100])}
    splits = make(NOWHERE).load(given)
    assert rows_of(splits.test) == [*ROWS[200:230], ROWS[5]]
    assert sorted(rows_of(splits.train) + rows_of(splits.validation)) == sorted(ROWS[:100])
    assert "1 texts of test are also in train" in splits.notes
    with pytest.raises(UsageError, match="no split 'train'"):
        make(NOWHERE).load({"test": given["test"]})
    with pytest.raises(
        ZooError, match=r"memory: row 1 has a label that is not one of .*'c' \('q'\)"
    ):
        make(NOWHERE).load({**given, "test": examples([("x", "q")])})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"txt": ["x"], "label": ["a"]}, "have no column 'text'; 'letters' needs .* mean 'txt'"),
        ({"text": ["x"]}, "have no column 'label'"),
        ({"text": ["x", "y"], "label": ["a"]}, "must have the same length; they have 'text' 2"),
        ({"text": [], "label": []}, "have no rows"),
        ({"text": "xyz", "label": ["a"]}, "'text' must be a list of values, one per row; got str"),
        ({"text": ["x", 5], "label": ["a", "b"]}, "Row 1 of the data: 'text' is not text"),
        ({"text": [" "], "label": ["a"]}, "Row 0 of the data: 'text' is empty"),
        ({"text": ["x"], "label": [0.5]}, "Row 0 .* 'label' is neither text nor a whole number"),
    ],
)
def test_columns_in_memory_that_are_not_right(data, message):
    with pytest.raises(ZooError, match=message) as caught:
        make(NOWHERE).load(data)
    assert "\n" not in str(caught.value)


def test_columns_in_memory_of_a_dataset_with_a_reader():
    """The columns are those of its sample; another declared column may stand for one of them."""
    numbers = Dataset(
        name="numbers",
        columns={"x": "a list", "features": "in place of x", "sum": "of x"},
        sources=(),
        licence="",
        sample=lambda: {"x": [[1]], "sum": [1]},
        label="",
        deduplicate_by="",
        reader=lambda path, columns: {},
    )
    rows = {"x": [[1, n] for n in range(10)], "sum": list(range(1, 11))}
    splits = numbers.load(rows)
    assert sorted(splits.train["x"] + splits.validation["x"] + splits.test["x"]) == rows["x"]
    assert numbers.load({"features": rows["x"], "sum": rows["sum"]}).test.keys() == {
        "features",
        "sum",
    }
    with pytest.raises(ZooError, match="have no column 'sum'"):
        numbers.load({"x": rows["x"]})


def test_a_splitter_gives_the_words_of_its_notes():
    def in_time(train, fractions):
        size = len(train["text"])
        parts = {"train": {name: rows[: size // 2] for name, rows in train.items()}}
        parts |= {name: {key: rows[-2:] for key, rows in train.items()} for name in fractions}
        return parts, [f"{', '.join(fractions)}: the last two rows"]

    splits = make(NOWHERE, splitter=in_time).load("sample")
    assert rows_of(splits.test) == rows_of(splits.validation) == ROWS[10:12]
    assert splits.notes == ("validation, test: the last two rows",)


def test_load_examples_reads_a_whole_file(tmp_path):
    path = table(tmp_path / "mine.csv", [("x", "a"), ("x", "a"), ("y", "q")])
    data = make(NOWHERE)
    assert rows_of(load_examples(data, path)) == [("x", "a"), ("x", "a"), ("y", "q")]
    with pytest.raises(ZooError, match="line 4 has a label that is not one of 'a', 'b'"):
        load_examples(data, path, labels=["a", "b"])
    for given in (path, {"text": ["x"], "label": ["a"]}):
        with pytest.raises(UsageError, match="--min-count counts the training rows of each class"):
            load_rows(data, parse_origin(given), reading={"min_count": 1})


def test_rare_classes_need_classes(tmp_path):
    path = table(tmp_path / "mine.csv", [("x", "a")])
    with pytest.raises(UsageError, match="--min-count cannot be used: a row of 'letters' has no"):
        make(NOWHERE, label="").load(path, reading={"min_count": 2})


def test_rare_classes_are_not_all_that_a_split_has(tmp_path):
    table(tmp_path / "train.csv", [*[(f"x{n}", "ab"[n % 2]) for n in range(40)], ("y", "c")])
    table(tmp_path / "test.csv", [("z", "c")])
    with pytest.raises(ZooError, match=r"No row of test would be left.* 2 rows.*--min-count"):
        make(NOWHERE).load(tmp_path, reading={"min_count": 2})


def test_nothing_is_written_for_a_refused_file(tmp_path, home):
    path = table(tmp_path / "mine.csv", [("", "a")])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ZooError, match="line 2 has an empty 'text'"):
        make(NOWHERE).load(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_rows_of_one_group_stay_together():
    rows = {"text": [f"t{n % 30}" for n in range(90)], "other": list(range(90))}
    parts = splitting.cut_off(rows, {"validation": 0.1, "test": 0.2}, group="text")
    sizes = {name: len(part["other"]) for name, part in parts.items()}
    assert sizes == {"train": 63, "validation": 9, "test": 18}  # 21, 3 and 6 groups of 3
    texts = [set(part["text"]) for part in parts.values()]
    assert not any(a & b for i, a in enumerate(texts) for b in texts[:i])
    assert sorted(row for part in parts.values() for row in part["other"]) == list(range(90))


def test_validation_rows_become_training_rows():
    parts = {
        "train": examples([("t", "a")]),
        "validation": examples(ROWS[:60]),
        "test": examples([("last", "b")]),
    }
    added, note = splitting.with_validation(parts, 0.75, "data", label="label")
    assert added["test"] == parts["test"]
    assert rows_of(added["train"])[0] == ("t", "a")
    assert Counter(added["validation"]["label"]) == {"a": 5, "b": 5, "c": 5}
    moved, kept = rows_of(added["train"])[1:], rows_of(added["validation"])
    assert sorted(moved + kept) == sorted(ROWS[:60])
    assert note == "45 of 60 validation rows added to the training rows by a fixed seed"
    assert splitting.with_validation(parts, 0.75, "data", label="label")[0] == added
    few = splitting.with_validation(parts, 0.999, "data", label="label")[0]
    assert Counter(few["validation"]["label"]) == {"a": 1, "b": 1, "c": 1}
    grouped = {**parts, "validation": {"text": ["x", "y"] * 9, "label": ["a"] * 18}}
    found = splitting.with_validation(grouped, 0.5, "data", group="text")[0]
    assert {*found["train"]["text"][1:]} ^ {*found["validation"]["text"]} == {"x", "y"}
    pairs = {**parts, "validation": {"text": [f"t{n // 2}" for n in range(40)], "x": [0] * 40}}
    pairs["train"] = {"text": [], "x": []}
    found = splitting.with_validation(
        pairs, 0.5, "data", identity=lambda rows, row: rows["text"][row].encode()
    )[0]
    assert sorted(found["train"]) == ["text", "x"]
    assert len(found["train"]["text"]) == len(found["validation"]["text"]) == 20
    assert not {*found["train"]["text"]} & {*found["validation"]["text"]}
    with pytest.raises(UsageError, match="none of 60 validation rows can be added"):
        splitting.with_validation(parts, 1e-6, "data", label="label")


def test_loading_with_validation_rows_in_the_training_rows():
    dataset = dataclasses.replace(make(NOWHERE), sample=lambda: examples(ROWS))
    plain = dataset.load("sample")
    splits = dataset.load("sample", add_validation=0.5)
    assert (len(plain.train["text"]), len(splits.train["text"])) == (240, 255)
    assert splits.test == plain.test
    assert splits.fingerprint != plain.fingerprint
    assert "15 of 30 validation rows added to the training rows by a fixed seed" in splits.notes
    ordered = make(NOWHERE, splitter=lambda rows, parts: ({}, []))
    with pytest.raises(UsageError, match=r"--add-validation cannot be used: the rows of .* in ord"):
        ordered.load("sample", add_validation=0.5)


def test_sources_are_told_apart_by_their_keys(tmp_path):
    first = dataclasses.replace(NOWHERE, key="official")
    second = dataclasses.replace(url_source(tmp_path), key="page", licence="CC0")
    letters = make(first, second)
    splits = letters.load("page")
    assert (splits.source, splits.licence, splits.notes[0]) == ("page", "CC0", "read by the recipe")
    assert letters.load().notes[0].startswith("letters (official) is not available from official")
    assert letters.fetch("page")[0] is second
    with pytest.raises(UsageError, match=r"has no source 'pgae'.*'page'"):
        letters.fetch("pgae")


def test_several_files_are_read_together(tmp_path):
    contents = {"train": b"a one\nb two\n", "test": b"b three\na four\n"}
    urls = {name: f"http://127.0.0.1/{name}.txt" for name in contents}
    files = tuple(
        File(urls[name], mirrored(tmp_path, urls[name], content), len(content))
        for name, content in contents.items()
    )

    def read(paths):
        parts = dict(zip(contents, map(read_file, paths), strict=True))
        return {name: part["train"] for name, (part, _) in parts.items()}, ["two files"]

    source = Urls(files, "letters (pages)", read)
    half = dataclasses.replace(source, files=(files[0], *NOWHERE.files))
    assert (source.status().state, half.status().state) == ("ready", "unavailable")
    assert source.fetch(print) == source.verify()
    assert source.fetch(print).read_bytes() == contents["train"]
    parts, notes = source.load(print)
    assert parts["test"] == {"text": ["three", "four"], "label": ["b", "a"]}
    assert notes == ["two files"]
    path = tmp_path / "mirror" / "127.0.0.1" / "test.txt"
    path.write_bytes(b"a four\nb three\n")  # as long, but another file
    source.fetch(print).with_name("test.txt").unlink()
    with pytest.raises(ZooError, match=r"test\.txt"):
        source.load(print)


def test_own_files_of_another_kind(tmp_path):
    def reader(path, columns, *, reading):
        assert columns == {"text": "words"}
        return read_file(path)[0]["train"]

    letters = make(reader=reader, suffixes=(".letters",))
    (tmp_path / "my").mkdir()
    for name in ("train", "test"):
        (tmp_path / "my" / f"{name}.letters").write_bytes(CONTENT)
    for source in (tmp_path / "my", tmp_path / "my" / "test.letters"):
        splits = letters.load(source, columns={"text": "words"})
        assert set(splits.train["label"]) == set("abc")
    (tmp_path / "my" / "train.letters").unlink()
    with pytest.raises(UsageError, match=r"'train' in its name \(\.letters\)"):
        letters.load(tmp_path / "my")
    with pytest.raises(UsageError, match="There is no public source of 'letters'; give your own"):
        letters.load()


def test_what_has_unlabelled_rows_is_listed_once():
    dataset = get_recipe("imdb-gru").dataset
    with pytest.raises(UsageError, match=r"give a table such as .*, or '") as raised:
        dataset.find_unlabelled("zzz")
    assert "There is" not in str(raised.value)
