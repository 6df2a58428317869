"""`zoo predict --beam --n-best --attention`, on every registered recipe that searches."""

import json

import pytest
from support.runs import recipe_of_task

import zoo
from zoo.errors import UsageError

RUN = recipe_of_task("translation")  # of which there is a run that other tests share
NAMES = [row["name"] for row in zoo.list_models() if row["task"] == "translation"]
TEXTS = ["A dog runs .", "", "Two women drink tea."]


@pytest.fixture(scope="module", params=NAMES)
def searching(request, run_of, pack_of):
    return run_of(RUN) if request.param == RUN else pack_of(request.param)


@pytest.fixture(scope="module")
def predictor(searching):
    return zoo.load(searching)


def test_n_best_answers_are_in_order_and_the_first_is_that_of_predict(cli, searching):
    predictor = zoo.load(searching)
    beam = predictor.config.beam
    out = cli("predict", searching, *TEXTS, "--beam", beam, "--n-best", 3, "--json").out
    rows = [json.loads(line) for line in out.splitlines()]
    plain = predictor.predict(TEXTS)
    for text, row, one in zip(TEXTS, rows, plain, strict=True):
        assert row["text"] == text
        assert set(row) == {"text", *one}
        assert row["translation"][0] == one["translation"]
        assert row["score"] == sorted(row["score"], reverse=True)
        assert len(row["translation"]) == len(row["score"]) == 3
        assert row["score"][0] == pytest.approx(one["score"], abs=1e-5)
        assert min(row["score"]) > -1e6  # none that could not be
    lines = cli("predict", searching, *TEXTS, "--n-best", 2).out.splitlines()
    for row in rows:
        for score, translation in list(zip(row["score"], row["translation"], strict=True))[:2]:
            assert f"{score:>8.3f}  {translation}" in lines
    one = json.loads(cli("predict", searching, TEXTS[0], "--beam", beam, "--json").out)
    assert one["translation"] == rows[0]["translation"][0]  # one answer, as without options


def test_options_of_the_search_need_no_signature(predictor):
    plain, beam = predictor.predict(TEXTS), predictor.config.beam
    best = predictor.predict(TEXTS, beam=beam)
    assert [answer["translation"] for answer in best] == [each["translation"] for each in plain]
    assert [set(answer) for answer in best] == [set(answer) for answer in plain]
    for answer, one in zip(predictor.predict(TEXTS, n_best=2), plain, strict=True):
        assert len(answer["translation"]) == len(answer["score"]) == 2
        assert answer["translation"][0] == one["translation"]
    with pytest.raises(UsageError, match="n_best must be from 1 to beam, which is 2; got 3"):
        predictor.predict(TEXTS, beam=2, n_best=3)
    with pytest.raises(UsageError, match="beam must be an integer"):
        predictor.predict(TEXTS, beam=2.5)


def test_attention_is_drawn_in_python(predictor):
    answer, empty, _ = predictor.predict(TEXTS)
    if predictor.config.attention == "none":
        with pytest.raises(UsageError, match="has no attention to draw"):
            answer.plot()
        return
    assert answer.plot("attention").png.startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="nothing to draw"):
        empty.plot()


def test_attention_is_drawn_for_each_text_that_has_an_answer(cli, searching, tmp_path):
    (answer,) = zoo.load(searching).predict(["a"], signature="nbest", beam=1, n_best=1)
    if "attention" in answer:
        result = cli("predict", searching, *TEXTS, "--attention", "map.png")
        assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"
        assert not (tmp_path / "map-2.png").exists()
        assert (tmp_path / "map-3.png").exists()
        assert result.err == "note: no map-2.png: there is nothing to draw\n"
    else:
        result = cli("predict", searching, *TEXTS, "--attention", "map.png", code=2)
        assert "has no attention to draw" in result.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--beam", 2, "--n-best", 3], "--n-best 3 needs a --beam at least as large"),
        (["--attention", "map.pdf"], "must end in .png"),
        (["--beam", 0], "0 is not in the range"),
    ],
)
def test_what_cannot_be_is_said(cli, searching, options, says):
    assert says in cli("predict", searching, "a", *options, code=2).err


def test_a_model_that_does_not_search_says_so(cli, own_run):
    assert "does not search" in cli("predict", own_run, "a", "--beam", 3, code=2).err


@pytest.mark.parametrize(
    ("beam", "n_best"), [(2, 3), (0, 1), (101, 1), (3, 0), (-1, -1), (10**6, 1)]
)
def test_options_that_the_graph_refuses_are_one_line(searching, beam, n_best):
    with pytest.raises(UsageError) as caught:
        zoo.load(searching).predict(TEXTS, signature="nbest", beam=beam, n_best=n_best)
    assert str(caught.value) == (
        f"beam must be from 1 to 100, and n_best from 1 to beam; got {beam}, {n_best}."
    )
