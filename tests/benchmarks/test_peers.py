import numpy as np
import pytest

from benchmarks.peers import keras_io_bidirectional as peer
from zoo import ZooError


def test_words_are_split_as_keras_tokenizer_does():
    text = "Don't STOP -- it's (really) \"great\"!<br /><br />10/10"
    assert peer.words(text) == ["don't", "stop", "it's", "really", "great", "br", "br", "10", "10"]


def test_coding_follows_keras_datasets_imdb(monkeypatch):
    monkeypatch.setattr(peer, "MAX_FEATURES", 6)
    index = peer.word_index(["the film the film the end", "the film was the end"])
    assert index == {"the": 1, "film": 2, "end": 3, "was": 4}
    row = peer.encode(["The unseen film was: the end."], index)[0]
    # 1 starts; "the" is 1 + 3; an unseen word is omitted; ids from 6 are rare, so 2.
    assert row.tolist() == [0] * 194 + [1, 4, 5, 2, 4, 2]
    assert row.dtype == np.int32


def test_a_long_review_keeps_its_last_200_ids():
    texts = ["first " + "word " * 250 + "last"]
    index = peer.word_index(texts)
    row = peer.encode(texts, index)[0]
    assert row.shape == (200,)
    assert row[-1] == index["last"] + 3
    assert set(row[:-1]) == {index["word"] + 3}


def test_the_network_is_the_published_one():
    model = peer.build()
    assert model.count_params() == 2_757_761  # as the page's summary prints it
    assert model.output_shape == (None, 1)


def test_it_wants_two_classes():
    three = {"text": ["a", "b", "c"], "label": ["x", "y", "z"]}
    with pytest.raises(ZooError, match="x, y, z"):
        peer.run(three, three, seed=1)
