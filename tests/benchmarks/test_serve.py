"""The load on a server: what it sends, and a short one."""

import json

import pytest

from benchmarks.serve import PARTS, serve_bench, texts, wrong_bodies


def test_texts_are_of_mixed_lengths_and_the_same_each_time():
    made = texts(200, 1)
    sizes = sorted(len(text.split()) for text in made)
    assert made == texts(200, 1)
    assert sizes[0] < 40
    assert sizes[-1] > 400


def test_wrong_bodies_are_wrong_in_many_ways():
    made = list(wrong_bodies(400))
    assert made == list(wrong_bodies(400))
    assert len({body for body, _ in made}) > 200

    def is_request(body, headers):
        try:
            rows = json.loads(body)["instances"]
            return not headers and 0 < len(rows) <= 1024 and all(type(r) is str for r in rows)
        except (ValueError, LookupError, TypeError, RecursionError):
            return False

    assert sum(is_request(*each) for each in made) < 20


@pytest.mark.slow
def test_a_short_load(run_of, tmp_path):
    pytest.importorskip("uvicorn", reason="the extra 'serve' is not installed")
    result = serve_bench(
        str(run_of("imdb-lstm")),
        tmp_path / "serve.json",
        seconds=8,
        clients=4,
        malformed=200,
        reloads=3,
    )
    assert json.loads((tmp_path / "serve.json").read_text()) == result
    parts = result["parts"]
    assert parts.keys() == set(PARTS)
    assert parts["load"]["failed"] == parts["malformed"]["failed"] == 0
    assert parts["load"]["exit_code_of_the_drained"] == 0
    assert parts["throughput"]["failed"] == 0
    assert len(parts["reloads"]["megabytes"]) == 3
