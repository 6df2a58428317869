"""Language models of words: ids, streams that carry a state, layers, the cache, perplexity."""

import dataclasses
import math
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from recipes.writing import perplexity, treebank
from recipes.writing.streams import stream_batches
from recipes.writing.word_encoder import END, UNKNOWN, Words, learn_words
from recipes.writing.word_layers import CarriedLSTM, TiedEmbedding, WeightDropLSTM
from recipes.writing.word_signatures import SHARPNESS, mixed
from zoo.errors import ZooError

PREPARED = [
    " mr. <unk> is n't chairman of n.v. at N N a '80s share \n the u.s. 's us$ N firms ' \n"
]


def words_of(encoder, text):
    return [encoder.words[number - 1] for number in encoder(tf.constant([text]))[0].numpy()]


def test_prepared_text_stays_as_it_is_and_is_given_back():
    encoder = Words(learn_words(PREPARED, 100))
    words = PREPARED[0].replace("\n", END).split()
    assert words_of(encoder, PREPARED[0]) == words
    (row,) = encoder.rows(PREPARED)
    assert [encoder.words[number - 1] for number in row] == words
    (text,) = encoder.join(tf.constant([[*row, 0, 0]])).numpy()
    assert text.decode().split() == PREPARED[0].split()


def test_raw_text_is_read_as_prepared_text():
    encoder = Words(learn_words(PREPARED, 100))
    raw = "“Mr. X isn’t chairman,” of N.V. at 1,000.50 – a share.\n\nThe U.S.'s US$5 firms'"
    expected = "mr. <unk> is n't chairman of n.v. at N a share <eos> the u.s. 's us$ N firms '"
    assert words_of(encoder, raw) == expected.split()
    assert encoder.unknown([raw]) == {"x": 1}
    assert encoder.unknown(PREPARED) == {}


def test_words_of_raw_text_have_no_full_stops_and_the_most_frequent_are_kept():
    symbols = learn_words(["The end. An end, the End...\n"], 5)
    assert symbols == ["end ", "the ", "\n", "an ", f"{UNKNOWN} "]
    assert learn_words(["The end. An end, the End...\n"], 3) == ["end ", "\n", f"{UNKNOWN} "]
    with pytest.raises(ZooError, match="no word"):
        learn_words(["", "\n"], 5)


def test_streams_hold_every_word_once_and_go_on_where_they_ended():
    ids = np.arange(1, 40, dtype="int32")
    batches = stream_batches(ids, streams=4, window=3)
    order = batches.sorted_order()
    assert batches.steps_per_epoch == len(order) == 4
    read = {number: [] for number in range(4)}
    for place, index in enumerate(order):
        x, y = batches.take(index)
        assert x["stream"].tolist() == list(range(len(index)))
        assert (x["begins"] == (place == 0)).all()
        np.testing.assert_array_equal(x["next"], y)
        real = x["ids"] != 0
        np.testing.assert_array_equal(y[real], x["ids"][real] + 1)
        for row, number in enumerate(x["stream"]):
            read[number] += x["ids"][row][real[row]].tolist()
    assert [number for each in read.values() for number in each] == ids[:-1].tolist()
    again, other = batches.renewed(0, 1), batches.renewed(0, 2)
    assert again.rows == other.rows == batches.rows
    assert batches.renewed(0, 1).x["ids"].values.tolist() == again.x["ids"].values.tolist()
    assert other.x["ids"].values.tolist() != again.x["ids"].values.tolist()
    with pytest.raises(ZooError, match="not two words"):
        stream_batches(ids[:1], 4, 3)


def test_a_carried_state_is_that_of_the_whole_text():
    keras.utils.set_random_seed(0)
    layer = CarriedLSTM(5, streams=3)
    x = np.random.default_rng(0).normal(size=(3, 12, 2)).astype("float32")
    stream, first, later = np.arange(3), np.ones(3, "int32"), np.zeros(3, "int32")
    whole = layer(x, stream, first)
    for training in (True, False):
        parts = [
            layer(x[:, start : start + 4], stream, later if start else first, training=training)
            for start in (0, 4, 8)
        ]
        np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-6)
    # Only two streams are left; the third one's state stays. Training has its own states.
    kept = layer.training_state.numpy()
    layer(x[:2], stream[:2], later[:2])
    np.testing.assert_array_equal(layer.training_state.numpy(), kept)
    assert np.any(layer.evaluation_state.numpy()[:2] != kept[:2])
    np.testing.assert_array_equal(layer.evaluation_state.numpy()[2], kept[2])


def test_dropped_weights_are_the_same_at_all_steps_and_none_in_use():
    keras.utils.set_random_seed(0)
    x = np.ones((1, 6, 2), "float32")
    layer = WeightDropLSTM(4, 0.5, return_sequences=True)
    plain = keras.layers.LSTM(4, return_sequences=True)
    plain.build(x.shape)
    served = layer(x)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(plain(x), served, atol=1e-6)
    kernel, recurrent, bias = layer.get_weights()
    trained = layer(x, training=True)
    np.testing.assert_array_equal(layer.get_weights()[1], recurrent)
    # At the first step there is no state yet; afterwards the dropped weights make a difference.
    np.testing.assert_allclose(trained[:, 0], served[:, 0], atol=1e-6)
    assert np.abs(trained - served).max() > 1e-3
    plain.set_weights([kernel, 0 * recurrent, bias])
    layer.weight_dropout = 0.999999
    np.testing.assert_allclose(layer(x, training=True), plain(x), atol=1e-5)


def test_tied_embeddings_predict_with_the_vectors_that_they_read():
    keras.utils.set_random_seed(0)
    layer = TiedEmbedding(7, 3)
    ids = np.array([[1, 2, 6]])
    states = np.random.default_rng(0).normal(size=(1, 3, 3)).astype("float32")
    np.testing.assert_array_equal(layer(ids)[0, 0], layer.embeddings.numpy()[1])
    layer.bias.assign(np.arange(7))
    logits = states[0] @ layer.embeddings.numpy().T + np.arange(7)
    logits[:, 0] = -np.inf  # padding is never predicted
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(layer(ids, states)[0, :, 0], logs[[0, 1, 2], ids[0]], atol=1e-5)
    assert len(layer.trainable_weights) == 2


def test_a_sampled_softmax_has_nearly_the_gradient_of_the_whole_one():
    keras.utils.set_random_seed(0)
    layer = TiedEmbedding(50, 4, sampled=4000)
    generator = np.random.default_rng(0)
    ids = generator.integers(1, 50, (1, 20))
    states = generator.normal(size=(1, 20, 4)).astype("float32")
    layer(ids)
    layer.embeddings.assign(generator.normal(size=(50, 4)))

    def gradient(training):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(layer(ids, states, training=training))
        return loss, tf.convert_to_tensor(tape.gradient(loss, layer.bias.value))

    (loss, whole), (about, sampled) = gradient(False), gradient(True)
    assert float(about) == pytest.approx(float(loss), rel=0.05)
    np.testing.assert_allclose(sampled[1:], whole[1:], atol=0.02)


def test_hidden_words_are_hidden_everywhere():
    layer = TiedEmbedding(40, 2, word_dropout=0.5)
    ids = np.tile(np.arange(1, 40), (2, 2))
    hidden = np.all(np.array(layer(ids, training=True)) == 0, axis=-1)
    assert 0 < hidden.mean() < 1
    assert (hidden == hidden[:1]).all()
    np.testing.assert_array_equal(hidden[:, :39], hidden[:, 39:])
    assert np.all(np.any(np.array(layer(ids)) != 0, axis=-1))


@pytest.fixture(scope="module")
def predictor(predictor_of):
    return predictor_of("ptb-lstm")


def cache_by_hand(predictor, text):
    """Returns log p of each word by network and cache, from the states of the network."""
    config, encoder, model = predictor.config, predictor.assets.encoder, predictor.model
    (ids,) = encoder.rows(["\n" + text])
    x = model.get_layer("embedding")(ids[None, :-1])
    rnn = model.get_layer("recurrent_0").lstm
    zeros = [tf.zeros((1, rnn.units))] * 2
    states = model.get_layer("projection")(rnn(x, initial_state=zeros)[0])[0]
    logits = model.get_layer("embedding").logits(states)
    network, states = np.array(tf.nn.softmax(logits)), np.array(states)
    logs = []
    for time, true in enumerate(ids[1:]):
        probability = network[time, true]
        first = max(0, time - config.cache)
        if time:
            scores = config.cache_sharpness * states[first:time] @ states[time]
            shares = np.exp(scores - scores.max())
            shares /= shares.sum()
            repeated = shares[ids[first + 1 : time + 1] == true].sum()
            probability += config.cache_weight * (repeated - probability)
        logs.append(math.log(probability))
    return logs


def test_scores_are_those_of_network_and_cache(predictor):
    text = "".join(predictor.recipe.dataset.sample()["text"][:6])  # longer than a block
    short = "the bridge was lost \n"
    expected = cache_by_hand(predictor, text)
    assert len(expected) > 100
    answers = predictor.predict([short, text, ""], signature="score")
    assert [answer["count"] for answer in answers] == [5, len(expected), 0]
    assert answers[1]["log_probability"] == pytest.approx(sum(expected), rel=1e-4)
    assert answers[0]["log_probability"] == pytest.approx(
        sum(cache_by_hand(predictor, short)), rel=1e-4
    )
    assert answers[2]["log_probability"] == 0


def test_steps_of_generation_are_those_of_scores(predictor):
    text = "the miller said the river was lost and the miller"
    served = predictor.signatures
    state = served["begin"](text=tf.constant([text]))
    expected = cache_by_hand(predictor, text + " said")
    said = predictor.assets.encoder.words.index("said") + 1
    probabilities = tf.nn.softmax(state["logits"])[0].numpy()
    assert math.log(probabilities[said]) == pytest.approx(expected[-1], rel=1e-4)
    assert probabilities[0] == pytest.approx(0, abs=1e-6)
    (first,) = predictor.generate(1, steps=12, prompt=text)
    assert first["continuation"].split()
    assert not first["complete"]


def test_words_of_a_text_have_probabilities_each(predictor):
    text = "the river was lost \n the river was high \n"
    (answer,) = predictor.predict([text], signature="words")
    logs, repeated = np.array(answer["log_probability"]), np.array(answer["repeated"])
    assert logs.shape == (10,)
    assert repeated.shape == (10, len(SHARPNESS))
    assert (repeated[0] == -1).all()  # nothing is remembered yet
    config = predictor.config
    together = mixed(logs, repeated[:, SHARPNESS.index(config.cache_sharpness)], 0.1)
    assert config.cache_weight == 0.1
    (score,) = predictor.predict([text], signature="score")
    assert float(np.sum(together)) == pytest.approx(score["log_probability"], rel=1e-4)
    expected = perplexity.nats_with_cache(logs, repeated, 0.1, config.cache_sharpness)
    assert expected == pytest.approx(-score["log_probability"] / 10, rel=1e-4)


def test_the_cache_is_chosen_by_what_it_predicts():
    logs = np.log(np.full(4, 0.1))
    repeated = np.tile(np.array([0.0, 0.5, 0.0, 0.0]), (4, 1))
    assert perplexity.best_cache(logs, repeated) == (max(perplexity.WEIGHTS), SHARPNESS[1])
    assert perplexity.best_cache(logs, 0 * repeated)[0] == min(perplexity.WEIGHTS)


def test_a_run_says_its_perplexity_and_that_of_the_cache(run_of):
    import json

    metrics = json.loads((run_of("ptb-lstm") / "metrics.json").read_text())["test"]
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["nats_per_word"]))
    assert metrics["cache_perplexity"] > 1
    assert metrics["cache_weight"] in perplexity.WEIGHTS
    assert metrics["cache_sharpness"] in SHARPNESS


def test_ngrams_count_sentences():
    texts = ["a b \n a b \n", "a c \n"]
    encoder = Words(learn_words(texts, 10))
    assert [len(row) for row in perplexity._sentences(encoder, texts)] == [4, 4, 4]
    assert perplexity._sentences(encoder, ["a b"])[0][0] == encoder.end
    good = perplexity.ngram_perplexity(encoder, texts * 20, texts, 3)
    assert good < perplexity.ngram_perplexity(encoder, texts * 20, ["c a \n b b \n"], 3)


def test_long_texts_are_joined_up_to_a_limit():
    assert perplexity.long_texts(["aa", "bb", "cc", "dddddd"], 4) == ["aabb", "cc", "dddddd"]


def test_the_treebank_is_read_from_its_archive(tmp_path):
    path = tmp_path / "ptb.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in treebank.SPLITS.values():
            archive.writestr(name, f" {name} \n")
            archive.writestr(f"__MACOSX/._{name}", b"\0\1")
    parts, notes = treebank.read_treebank([path])
    assert {split: rows["text"] for split, rows in parts.items()} == {
        split: [f" {name} \n"] for split, name in treebank.SPLITS.items()
    }
    assert notes == []


def test_without_a_cache_the_network_alone_is_served(run_of):
    predictor = zoo.load(run_of("ptb-lstm"))
    config = dataclasses.replace(predictor.config, cache=0)
    served = predictor.recipe.module.serve(config, predictor.assets, predictor.model)
    text = tf.constant(["the river was lost"])
    words = served.others["words"](text)
    assert words["repeated"].shape == (1, 0, len(SHARPNESS))
    score = served.score(text)
    assert float(score["log_probability"][0]) == pytest.approx(
        float(tf.reduce_sum(words["log_probability"])), rel=1e-5
    )
    assert "memory" not in served.generation.begin(text)


def test_running_text_is_split_in_its_order():
    examples = {"text": [f"line {number} \n" for number in range(20)]}
    parts, notes = treebank.in_order(examples, {"validation": 0.1, "test": 0.1})
    assert {name: len(part["text"]) for name, part in parts.items()} == {
        "train": 16,
        "validation": 2,
        "test": 2,
    }
    joined = [text for name in ("train", "validation", "test") for text in parts[name]["text"]]
    assert joined == examples["text"]
    assert len(notes) == 2
    with pytest.raises(ZooError, match="too few"):
        treebank.in_order({"text": ["a", "b"]}, {"validation": 0.1, "test": 0.1})
