"""Attention and the decoder: against NumPy, and step by step against all steps at once."""

import keras
import numpy as np
import pytest

from recipes.translating.attention import Attention
from recipes.translating.decoder import Decoder

KINDS = ["additive", "multiplicative"]


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def weights(layer):
    return {weight.path.split("/", 1)[-1]: weight.numpy() for weight in layer.weights}


@pytest.mark.parametrize("kind", KINDS)
def test_attention_is_what_the_papers_say(kind):
    queries, states = random(2, 3, 4), random(2, 5, 6, seed=1)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], bool)
    layer = Attention(kind, units=7)
    contexts, weights = layer(queries, states, states_mask=mask)
    for batch in range(2):
        for step in range(3):
            q = queries[batch, step]
            if kind == "additive":
                w, b = (x.numpy() for x in layer.of_query.weights)
                u = layer.of_states.kernel.numpy()
                scores = [layer.v.numpy() @ np.tanh(q @ w + b + h @ u) for h in states[batch]]
            else:
                scores = [q @ (h @ layer.of_states.kernel.numpy()) for h in states[batch]]
            a = np.exp(scores) * mask[batch]
            a /= a.sum()
            np.testing.assert_allclose(weights[batch, step], a, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(contexts[batch, step], a @ states[batch], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_attention_ignores_padding(kind):
    queries, states = random(2, 3, 4), random(2, 5, 6, seed=1)
    mask = np.ones((2, 5), bool)
    layer = Attention(kind)
    short = layer(queries, states, states_mask=mask)
    longer = np.concatenate([states, 1e3 * random(2, 4, 6, seed=2)], axis=1)
    long = layer(queries, longer, states_mask=np.pad(mask, [(0, 0), (0, 4)]))
    np.testing.assert_allclose(short[0], long[0], atol=1e-5)
    np.testing.assert_allclose(short[1], long[1][..., :5], atol=1e-6)
    assert not np.asarray(long[1])[..., 5:].any()


def test_the_mask_of_the_states_reaches_attention_by_itself():
    embed = keras.layers.Embedding(9, 6, mask_zero=True)
    ids = np.array([[3, 4, 0, 0]])
    layer = Attention("multiplicative")
    _, weights = layer(random(1, 2, 4), embed(ids))
    assert not np.asarray(weights)[..., 2:].any()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be one of additive, multiplicative"):
        Attention("scaled")


def network(cell, attention):
    decoder = Decoder(11, embedding=5, units=4, cell=cell, attention=attention, dropout=0.5)
    target = np.array([[1, 4, 5, 6, 7], [1, 9, 2, 0, 0], [1, 10, 10, 3, 0]])
    states, last = random(3, 6, 8), random(3, 8, seed=2)
    mask = np.arange(6) < np.array([[6], [2], [1]])
    return decoder, target, states, last, mask


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("attention", [*KINDS, "none"])
@pytest.mark.parametrize("beam", [1, 3])
def test_steps_give_the_logits_of_the_whole(cell, attention, beam):
    decoder, target, states, last, mask = network(cell, attention)
    whole = decoder(target, states, last, states_mask=mask)
    assert whole.shape == (3, 5, 11)
    state, memory = decoder.begin(states, last, mask)
    state = {name: np.repeat(value, beam, axis=0) for name, value in state.items()}
    for time in range(5):
        previous = np.repeat(target[:, time], beam)
        logits, state, weights = decoder.step(previous, state, memory)
        for row in range(3 * beam):
            np.testing.assert_allclose(logits[row], whole[row // beam, time], atol=1e-5)
        if attention == "none":
            assert weights is None
        else:
            np.testing.assert_allclose(np.sum(weights, axis=-1), 1, rtol=1e-5)
            assert not np.asarray(weights)[~np.repeat(mask, beam, axis=0)].any()


@pytest.mark.parametrize("attention", [*KINDS, "none"])
def test_a_step_sees_no_later_target(attention):
    decoder, target, states, last, mask = network("gru", attention)
    changed = target.copy()
    changed[:, 3:] = 8
    one, other = (decoder(ids, states, last, states_mask=mask) for ids in (target, changed))
    np.testing.assert_allclose(one[:, :3], other[:, :3], atol=1e-6)
    assert not np.allclose(one[:, 3:], other[:, 3:], atol=1e-3)


def test_without_attention_only_the_last_state_counts():
    decoder, target, states, last, mask = network("gru", "none")
    one = decoder(target, states, last, states_mask=mask)
    np.testing.assert_array_equal(one, decoder(target, 9 * states, last, states_mask=mask))
    assert not np.allclose(one, decoder(target, states, 2 * last, states_mask=mask), atol=1e-3)


def test_the_softmax_shares_the_embedding():
    decoder, target, states, last, mask = network("gru", "additive")
    decoder(target, states, last, states_mask=mask)
    shapes = [tuple(weight.shape) for weight in decoder.weights]
    assert shapes.count((11, 5)) == 1
    assert (5, 11) not in shapes


def test_padding_of_the_target_does_not_count_in_the_loss():
    from zoo.losses import SmoothedCrossEntropy

    decoder, target, states, last, mask = network("gru", "additive")
    logits = decoder(target, states, last, states_mask=mask)
    truth = np.where(target, 7, 0)
    longer = np.pad(target, [(0, 0), (0, 3)])
    more = decoder(longer, states, last, states_mask=mask)
    loss = SmoothedCrossEntropy(0.2)
    short, long = loss(truth, logits), loss(np.pad(truth, [(0, 0), (0, 3)]), more)
    np.testing.assert_allclose(short, long, rtol=1e-5)
    real = np.asarray(logits, "float64")[target > 0]
    logs = real - np.log(np.exp(real).sum(-1, keepdims=True))
    expected = -(0.8 * logs[:, 7] + 0.2 * logs.mean(-1)).mean()
    np.testing.assert_allclose(short, expected, rtol=1e-5)


def test_smoothing_is_that_of_keras():
    from zoo.losses import SmoothedCrossEntropy

    logits, ids = random(1, 4, 6), np.array([[1, 5, 2, 2]])
    for smoothing in (0.0, 0.3):
        keras_loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=smoothing
        )
        expected = keras_loss(np.eye(6, dtype="float32")[ids], logits)
        np.testing.assert_allclose(
            SmoothedCrossEntropy(smoothing)(ids, logits), expected, rtol=1e-5
        )
    with pytest.raises(ValueError, match="smoothing must be at least 0 and below 1"):
        SmoothedCrossEntropy(1.0)


@pytest.mark.parametrize("attention", [*KINDS, "none"])
def test_a_saved_decoder_answers_the_same(attention, tmp_path):
    decoder, target, states, last, _ = network("lstm", attention)
    ids, states_input = keras.Input((None,), dtype="int32"), keras.Input((None, 8))
    final = keras.Input((8,))
    model = keras.Model([ids, states_input, final], decoder(ids, states_input, final))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model([target, states, last]), again([target, states, last]))
    assert again.layers[-1].get_config() == decoder.get_config()
