"""The news data are read as their owners wrote them."""

import zipfile

from recipes.classifying import news


def test_ag_takes_its_training_rows_from_the_zip_and_the_test_split_from_the_official_file(
    tmp_path,
):
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr(
            "train.csv", 'class_index,title,description\n4,A rover,"lands, on Mars"\n1,Talks,fail\n'
        )
        archive.writestr("test.csv", "class_index,title,description\n1,other,rows\n")
    official = tmp_path / "test.csv"  # without a header
    official.write_text('"3","Oil ""soars""","to a high"\n"2","Cup","final"\n')
    parts, notes = news.read_ag([tmp_path / "archive.zip", official])
    assert parts == {
        "train": {"text": ["A rover lands, on Mars", "Talks fail"], "label": ["sci/tech", "world"]},
        "test": {"text": ['Oil "soars" to a high', "Cup final"], "label": ["business", "sports"]},
    }
    assert notes == ["2 of the 120,000 official training rows; the test split is whole"]


def test_bbc_is_split_without_duplicates_and_its_pound_signs_are_read():
    topics = ("politics", "tech")
    members = {f"x/{topic}/{n:03}.txt": b"%d %s" % (n, topic.encode()) for topic in topics
               for n in range(20)}  # fmt: skip
    members["x/tech/020.txt"] = b"3 tech"
    members["x/tech/021.txt"] = b"a \xa310 phone"
    members["x/tech/022.txt"] = "a £10 phone".encode()
    parts, notes = news.read_bbc(members)
    assert sorted(parts) == ["test", "train"]
    assert [len(part["text"]) for part in (parts["train"], parts["test"])] == [33, 8]
    assert sorted(parts["test"]["label"]) == ["politics"] * 4 + ["tech"] * 4
    texts = parts["train"]["text"] + parts["test"]["text"]
    assert len(set(texts)) == len(texts)
    assert "a £10 phone" in texts
    assert notes[0] == "2 duplicate texts dropped"
    assert notes[1].startswith("8 test rows drawn by a fixed seed")
