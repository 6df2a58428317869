"""Characters to ids and back, in the graph and outside; running text as rows."""

import gzip
import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from recipes.writing.baselines import ngram_baseline
from recipes.writing.books import PASSAGE, passages, read_text
from recipes.writing.character_encoder import Characters, learn_characters
from zoo.data.reading import Reading, ReadOptions
from zoo.errors import UsageError, ZooError

TEXTS = ["To be,\nor not", "", "é≠𝄞 – naïve\u200d", "a\0b\r\n\tc", "aaa"]


def test_the_graph_and_the_rows_agree_and_give_the_text_back():
    characters = Characters(learn_characters(TEXTS, 100))
    ids = characters(tf.constant(TEXTS))
    for text, row, ours in zip(TEXTS, ids.to_list(), characters.rows(TEXTS), strict=True):
        assert row == ours.tolist()
        assert min(row, default=1) >= 1
        assert len(row) == len(text)
    joined = characters.join(ids.to_tensor(0)).numpy()
    assert [text.decode() for text in joined] == TEXTS


def test_what_was_not_learnt_is_left_out():
    characters = Characters(learn_characters(["abc"], 100))
    assert characters.characters == ["\n", "a", "b", "c"]
    for row in (characters([b"aXb\xff\xfec\xe2\x82"]).to_list()[0], characters.rows(["aXb¤c"])[0]):
        np.testing.assert_array_equal(row, [2, 3, 4])
    assert characters.rows(["zzz"])[0].shape == (0,)
    assert characters(tf.constant(["zzz", "a"])).to_list() == [[], [2]]


def test_the_most_frequent_are_kept_and_the_line_break_always():
    assert learn_characters(["aaabbc"], 3) == ["\n", "a", "b"]
    with pytest.raises(ZooError, match="empty"):
        learn_characters(["", ""], 3)


def test_passages_are_whole_lines_and_nothing_is_lost():
    text = "".join(f"line {number} of the play\r\n" for number in range(500)) + "x" * 3000
    rows = passages(text)
    assert "".join(rows) == text
    assert all(row.endswith("\n") for row in rows[:-4])
    assert max(map(len, rows)) <= PASSAGE + 50 or max(map(len, rows)) <= 2 * PASSAGE
    assert min(map(len, rows[:-1])) >= PASSAGE


def test_ones_own_file_and_what_may_be_wrong_with_it(tmp_path):
    good = tmp_path / "good.txt"
    good.write_bytes("\ufeffÜber allen\nGipfeln\n".encode())
    assert read_text(good) == {"text": ["Über allen\nGipfeln\n"]}
    (tmp_path / "empty.txt").write_text(" \n\n")
    (tmp_path / "binary.txt").write_bytes(b"ab\0c")
    for name, why in (("empty.txt", "is empty"), ("binary.txt", "has a NUL byte")):
        with pytest.raises(ZooError, match=why):
            read_text(tmp_path / name)
    with pytest.raises(UsageError, match="no file"):
        read_text(tmp_path / "none.txt")
    with pytest.raises(UsageError, match=r"--column is for tables, but .*good\.txt is none"):
        read_text(good, {"text": "review"})
    with pytest.raises(UsageError, match=r"--sep is for tables, but .*good\.txt is none"):
        read_text(good, reading=Reading(ReadOptions(sep="tab")))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_novels_of_any_encoding_and_line_end(tmp_path, encoding, end):
    text = end.join(["Über allen Gipfeln", "ist Ruh, schön und größer.", ""])
    for name in ("x.txt", "x.txt.gz"):
        data = text.encode(encoding)
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        reading = Reading()
        rows = read_text(tmp_path / name, reading=reading)
        assert rows == {"text": ["Über allen Gipfeln\nist Ruh, schön und größer.\n"]}
        said = [] if encoding == "utf-8" else [f"{name}: encoding {encoding}"]
        assert reading.notes == said


def test_unknown_characters_are_counted():
    encoder = Characters(["\n", "a", "b"])
    assert encoder.unknown(["abж\n", "жя"]) == {"ж": 2, "я": 1}


def test_what_the_model_cannot_read_is_said(cli, tmp_path):
    (tmp_path / "x.txt").write_text("To be, or not\nПривет\n", encoding="utf-8")
    result = cli("evaluate", "shakespeare-gru", "--data", "x.txt", "--no-baselines", "--json")
    metrics = json.loads(result.out)["metrics"]
    assert (metrics["characters"], metrics["unknown_characters"]) == (15, 6)
    result = cli("generate", "shakespeare-gru", "--prompt", "To Ж", "--steps", "2", "--json")
    assert result.err == "note: ignored: 1 characters that the model does not know: Ж\n"
    assert cli("generate", "shakespeare-gru", "--prompt", "To", "--steps", "2", "--json").err == ""


def test_the_order_of_the_n_grams_is_that_of_validation():
    draw = np.random.default_rng(0)
    # A letter tells the next one; a longer context tells no more.
    follow = {"a": "bc", "b": "ca", "c": "ab"}

    def text(size):
        letters = ["a"]
        for _ in range(size):
            letters.append(follow[letters[-1]][int(draw.random() < 0.9)])
        return "".join(letters)

    names = ("train", "validation", "test")
    parts = {name: {"text": [text(400) for _ in range(4)]} for name in names}
    encoder = Characters(["a", "b", "c"])
    (name,) = ngram_baseline(encoder, SimpleNamespace(**parts), orders=(1, 2, 6))
    assert name == "2-gram"
    scores = ngram_baseline(encoder, SimpleNamespace(**parts), orders=(1, 2, 6))[name]
    expected = -0.9 * np.log(0.9) - 0.1 * np.log(0.1)
    assert scores["nats_per_character"] == pytest.approx(expected, abs=0.05)
    assert len(scores.units["nats_per_character"].terms) == 4
    # Without validation rows there is nothing to choose by.
    parts["validation"] = {"text": []}
    assert [*ngram_baseline(encoder, SimpleNamespace(**parts), orders=(1, 2))] == ["1-gram"]
