"""What people give to `predict` besides lists: tables, streams and the names of files."""

import copy
import json
import pickle

import numpy as np
import pandas as pd
import pyarrow
import pytest
import tensorflow as tf
from support.runs import recipe_of_task

import zoo

NAME = recipe_of_task("sentiment")
TEXTS = ["a film to love", "dull", "a good film"]
FRAME = pd.DataFrame({"id": [1, 2, 3], "text": TEXTS}, index=[5, 6, 7])


@pytest.fixture(scope="module")
def predictor(predictor_of):
    return predictor_of(NAME)


@pytest.fixture(scope="module")
def expected(predictor):
    return predictor.predict(TEXTS)


def test_a_table_answers_its_rows(predictor, expected, tmp_path):
    FRAME.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "lines.txt").write_text("\n".join(TEXTS) + "\n")
    stream = tf.data.Dataset.from_tensor_slices((TEXTS, [0, 1, 0]))
    for given in (
        FRAME,
        FRAME[["text"]],
        FRAME["text"],
        FRAME.to_dict("records"),
        pyarrow.Table.from_pandas(FRAME),
        np.array(list(zip([1, 2, 3], TEXTS, strict=True)), [("id", int), ("text", "U40")]),
        stream,
        stream.batch(2),
        stream.map(lambda text, label: text),
        stream.map(lambda text, label: {"text": text, "label": label}),
        tmp_path / "rows.csv",
        tmp_path / "lines.txt",
    ):
        assert predictor.predict(given) == expected
    assert predictor.predict(FRAME.iloc[:0]) == []


def test_a_table_with_columns_by_other_names(predictor, expected):
    table = FRAME.rename(columns={"text": "review"})
    assert predictor.predict(table, columns={"text": "review"}) == expected
    assert predictor.predict(dict(table), columns={"text": "review"}) == expected


@pytest.mark.parametrize(
    ("given", "options", "says"),
    [
        (FRAME.rename(columns={"text": "review"}), {}, "columns={'text': 'review'}"),
        (FRAME, {"columns": {"txt": "id"}}, "Unknown column 'txt'. Did you mean 'text'?"),
        (FRAME[["id"]].rename(columns={"id": "text"}), {}, "is of type int; it must be text"),
        (FRAME.assign(text=["a", None, "b"]), {}, "Example 1 of input 'text'"),
        (TEXTS, {"columns": {"text": "review"}}, "the examples are no table"),
        (FRAME, {"columns": 5}, "columns must be a dict; got 5"),
        ({"a", "b"}, {}, "A set has no order"),
        (["a"], {"beam": 3}, "does not search"),
        (["a"], {"bem": 3}, "has no option 'bem'"),
    ],
)
def test_what_is_wrong_is_one_line(predictor, refused, given, options, says):
    with pytest.raises(zoo.UsageError) as raised:
        predictor.predict(given, **options)
    assert says in refused(raised)


def test_a_file_is_read_as_it_is_said_and_that_is_noted(predictor, expected, tmp_path, capsys):
    table = "id;review\n" + "".join(f"{row};{text}\n" for row, text in enumerate(TEXTS))
    path = tmp_path / "rows.csv"
    path.write_text(table)
    columns = {"text": "review"}
    assert predictor.predict(path, columns=columns) == expected
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "note: rows.csv: separated by semicolons\n"
    assert predictor.predict(path, columns=columns, reading={"sep": ";"}) == expected
    path.write_text(table + "bad\n")
    with pytest.raises(zoo.ZooError, match="--drop-bad"):
        predictor.predict(path, columns=columns)
    capsys.readouterr()
    assert predictor.predict(path, columns=columns, reading={"drop_bad": True}) == expected
    assert "line 5 has another number of fields" in capsys.readouterr().err
    lines = tmp_path / "lines.txt"
    lines.write_text("Привет\n", encoding="cp1251")
    (answer,) = predictor.predict(lines, reading={"encoding": "cp1251"})
    assert answer.example == {"text": "Привет"}
    assert capsys.readouterr().err == "note: lines.txt: encoding cp1251\n"


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("rows.csv", {"columns": {"nope": "zzz"}}, "Unknown column 'nope'."),
        ("rows.csv", {"columns": {"text": 5}}, "The name of the column 'text' must be a str"),
        ("lines.txt", {"columns": {"zzz": "q"}}, "Unknown column 'zzz'."),
        ("lines.txt", {"columns": {"text": "q"}}, "--column is for tables, but "),
        ("lines.txt", {"reading": {"sep": "tab"}}, "--sep is for tables, but "),
        ("rows.csv", {"reading": {"min_count": 5}}, "--min-count counts the training rows"),
        ("rows.csv", {"reading": {"repair": "sort"}}, "has no repairs"),
        ("rows.csv", {"reading": {"seperator": ";"}}, "Unknown reading option 'seperator'"),
        ("rows.csv", {"reading": 5}, "reading must be a dict; got 5"),
        ("", {"reading": {"sep": "tab"}}, "the examples name no file. Omit it."),
    ],
)
def test_what_does_not_apply_to_a_file_is_refused(
    predictor, tmp_path, refused, name, options, says
):
    (tmp_path / "rows.csv").write_text("text\na\n")
    (tmp_path / "lines.txt").write_text("a\n")
    for given in (tmp_path / name,) if name else (TEXTS, FRAME, {"text": TEXTS}, dict(FRAME)):
        with pytest.raises(zoo.UsageError) as raised:
            predictor.predict(given, **options)
        assert says in refused(raised)


def test_tables_of_a_recipe_are_read_as_it_is_said(predictor_of, tmp_path, capsys):
    predictor = predictor_of(recipe_of_task("forecasting"))
    days = pd.bdate_range("2024-01-01", periods=60)
    frame = pd.DataFrame({"date": days, "close": 100 + np.sin(np.arange(60))})
    path = tmp_path / "prices.csv"
    frame.to_csv(path, index=False, sep="|")
    (answer,) = predictor.predict(path, reading={"sep": "pipe"})
    assert "note: prices.csv: separated by" in capsys.readouterr().err
    both = predictor.predict([path, path], reading={"sep": "pipe"})
    assert [each["dates"] for each in both] == [answer["dates"]] * 2
    with pytest.raises(zoo.UsageError, match="--sep is for files, but the table is in memory"):
        predictor.predict(frame, reading={"sep": "pipe"})
    twice = pd.concat([frame[:1], frame])  # a day is there twice
    capsys.readouterr()
    assert predictor.predict(twice)[0]["dates"] == answer["dates"]
    note = capsys.readouterr().err
    assert note.startswith("note: ")
    assert "table.csv" not in note
    with pytest.raises(zoo.UsageError, match=r"^reading says how a table is read, but "):
        predictor_of(recipe_of_task("speech")).predict(["a.wav"], reading={"sep": "tab"})


def test_a_path_that_is_no_table_is_refused(predictor, tmp_path, refused):
    for name in ("none.csv", "notes.docx"):
        with pytest.raises(zoo.UsageError) as raised:
            predictor.predict(tmp_path / name)
        assert name in refused(raised)


def test_answers_know_their_examples_and_are_plain_when_copied(expected):
    assert [answer.example for answer in expected] == [{"text": text} for text in TEXTS]
    for given in (pickle.loads(pickle.dumps(expected)), copy.deepcopy(expected)):
        assert given == expected
        assert {type(given), type(given[0])} == {list, dict}
    assert json.loads(json.dumps(expected)) == expected


def test_answers_show_themselves_in_a_notebook(predictor, expected):
    for text in TEXTS:
        assert text in expected._repr_html_()
    shown = predictor.predict(["<script>alert(1)</script>"])
    assert "<script" not in shown._repr_html_()
    assert "&lt;script&gt;" in shown[0]._repr_html_()
    assert "and 5 more" in predictor.predict(["a"] * 25)._repr_html_()


def test_an_answer_is_drawn(expected, tmp_path):
    drawing = expected[0].plot()
    assert drawing._repr_png_().startswith(b"\x89PNG")
    assert drawing.save(tmp_path / "a.png").read_bytes() == drawing.png
    with pytest.raises(zoo.UsageError, match="no picture 'fan'"):
        expected[0].plot("fan")


def test_embeddings_are_those_that_the_head_reads(predictor):
    vectors = predictor.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert len(vectors) == len(TEXTS)
    # In a batch or alone, by whatever form of the rows.
    np.testing.assert_allclose(predictor.embed(FRAME, batch_size=1), vectors, atol=1e-6)
    kernel, bias = predictor.model.layers[-1].get_weights()
    logits = vectors @ kernel + bias
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = [list(answer["probabilities"].values()) for answer in predictor.predict(TEXTS)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(zoo.UsageError, match="no example"):
        predictor.embed([])


@pytest.mark.parametrize("task", ["entities", "translation", "speech", "forecasting", "music"])
def test_embeddings_of_other_networks(predictor_of, task):
    predictor = predictor_of(recipe_of_task(task))
    sample = predictor.recipe.data(predictor.config).sample()
    from zoo.serving.embedding import signature_of
    from zoo.serving.inputs import LENGTH, input_specs

    name = signature_of(predictor.served())
    inputs = [each for each in input_specs(predictor.signatures[name]) if each != LENGTH]
    rows = {each: sample[each][:3] for each in inputs}
    vectors = predictor.embed(rows)
    assert vectors.shape[0] == 3
    assert np.isfinite(vectors).all()
    assert vectors.std(axis=0).max() > 0
    alone = predictor.embed({each: values[1:2] for each, values in rows.items()})
    np.testing.assert_allclose(alone[0], vectors[1], atol=1e-5)


def test_a_network_without_states_says_so(predictor_of):
    predictor = predictor_of(recipe_of_task("images"))
    with pytest.raises(zoo.UsageError, match="no recurrent layer"):
        predictor.embed(np.zeros((1, 8, 8)))


def test_a_predictor_says_what_it_is(predictor):
    assert repr(predictor).startswith(f"Predictor({NAME}; many-to-one, sentiment; trained on ")
    page = predictor._repr_html_()
    assert "model card" in page
    assert "<table>" in page


def test_evaluate_export_and_save_are_the_functions(predictor, expected, tmp_path):
    scores = predictor.evaluate(data="sample", baselines=False)
    assert scores == zoo.evaluate(predictor, "sample", baselines=False)
    saved = predictor.save(tmp_path / "kept")
    assert zoo.load(saved).predict(TEXTS) == expected
    assert (predictor.export(tmp_path / "served", warmup=0) / "saved_model.pb").exists()


def test_a_table_is_evaluated(predictor):
    sample = predictor.recipe.data(predictor.config).sample()
    found = predictor.evaluate(pd.DataFrame(sample), baselines=False)
    assert found == zoo.evaluate(predictor, sample, baselines=False)
    assert found["rows"] == len(sample["text"])
