"""Requests that took minutes or all memory: real sizes, each in a process of its own."""

import json

import pytest

MEASURE = """
import json, resource, sys, time
import numpy as np
import tensorflow as tf
import zoo

name, code = sys.argv[1:]
served = zoo.load(name).served()
function = served.functions["serving_default"]
sample = {"text": tf.constant(["a film"])} if "audio" not in code else {
    "audio": tf.zeros([1, 8000]), "length": tf.constant([8000])}
function(**sample)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

inputs = {key: tf.constant(value) for key, value in eval(code).items()}
before, started = peak(), time.monotonic()
outputs = function(**inputs)
rows = {len(value) for value in outputs.values()}
print(json.dumps([time.monotonic() - started, peak() - before, *rows]))
"""


# Bounds of time and memory are several times what they are on two shared cores.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "code", "seconds", "gigabytes", "rows"),
    [
        ("imdb-gru", "{'text': ['!' * 50_000_000]}", 5, 0.5, 1),
        ("imdb-gru", "{'text': ['a great film ' * 200] * 20_000}", 600, 2, 20_000),
        ("conll-bilstm", "{'text': ['word ' * 1_000_000]}", 60, 2, 1),
        ("conll-bilstm", "{'text': ['!' * 5_000_000]}", 60, 2, 1),
        ("translate-attention", "{'text': ['!' * 50_000_000]}", 10, 0.5, 1),
        (
            "digits-ctc",
            "{'audio': np.zeros((1, 3600 * 8000), 'f4'), 'length': np.array([3600 * 8000], 'i4')}",
            5, 1, 1,
        ),
    ],
)  # fmt: skip
def test_large_requests_stay_within_bounds(name, code, seconds, gigabytes, rows, fresh):
    took, grew, count = json.loads(fresh(MEASURE, name, code).splitlines()[-1])
    assert count == rows
    assert took < seconds
    assert grew < gigabytes
