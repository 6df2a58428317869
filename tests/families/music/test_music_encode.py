"""Keys and chords in the graph, against the same in Python."""

import numpy as np
import pytest
import tensorflow as tf

from recipes.music import KEYS, parse_chord, parse_key
from recipes.music.encode import MusicEncoder


@pytest.fixture(scope="module")
def encoder():
    return MusicEncoder()


def test_every_key_has_its_number(encoder):
    assert encoder.key(tf.constant(KEYS)).numpy().tolist() == list(range(1, 25))
    assert encoder.key(tf.constant(["", "  "])).numpy().tolist() == [0, 0]


@pytest.mark.parametrize(
    "text", ["Bb major", "b♭ minor", "F♯ Minor", " a#  minor ", "B- MAJOR", "cb major"]
)
def test_other_spellings_are_the_key_that_python_reads(encoder, text):
    number = int(encoder.key(tf.constant([text]))[0])
    assert KEYS[number - 1] == parse_key(text.lower().strip())


@pytest.mark.parametrize("text", ["H major", "C", "major", "C dorian", b"\xff", ""])
def test_invalid_keys_count_as_no_key_and_others_are_unchanged(encoder, text):
    numbers = encoder.key(tf.constant(["C major", text, "B minor"]))
    assert numbers.numpy().tolist() == [1, 0, 24]
    assert encoder.key_name(numbers).numpy().tolist() == [b"C major", b"", b"B minor"]


def test_chords_are_those_that_python_reads(encoder):
    texts = ["G2 D3 B3 G4", "43 50 59 67", "Bb2, c#4;E♭5", "A0 C8", "Cb4 B#3"]
    chords = encoder.chord(tf.constant(["", *texts])).to_list()
    assert chords[0] == []
    for text, notes in zip(texts, chords[1:], strict=True):
        assert tuple(sorted(set(notes))) == parse_chord(text)


def test_each_of_the_88_keys_can_be_written_as_a_number(encoder):
    notes = np.arange(21, 109)
    chords = encoder.chord(tf.constant([" ".join(map(str, notes))]))
    assert chords.to_list() == [notes.tolist()]


@pytest.mark.parametrize("text", ["H3", "C9", "20", "109", "G", "-"])
def test_notes_outside_the_piano_are_omitted(encoder, text):
    chords = encoder.chord(tf.constant([f"G2 {text} D3", text, "60"]))
    assert chords.to_list() == [[43, 50], [], [60]]
