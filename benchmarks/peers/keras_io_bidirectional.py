"""The keras.io example "Bidirectional LSTM on IMDB", to be timed against the recipes.

Source: https://keras.io/examples/nlp/bidirectional_lstm_imdb/ (F. Chollet, 2020), code at
https://github.com/keras-team/keras-io/blob/master/examples/nlp/bidirectional_lstm_imdb.py.
Network, optimiser, coding and padding are the example's: 20,000 words, 200 of each review,
Embedding(128), two bidirectional LSTM(64), a sigmoid; Adam, batches of 32, two epochs.

Differences:

- The example downloads `keras.datasets.imdb`, in which the reviews are integers already. Here
  they are coded from the raw text in the same way: the filters of Keras' `Tokenizer`, words
  ranked by their frequency in the training split, 0 for padding, 1 for the start, 2 for rarer
  words, and unknown words omitted. The official split gives 88,582
  words where Keras' file has 88,584, and most words the same id or one a few ranks away.
- The rows are not shuffled once with seed 113 before; `fit` shuffles them anyway in each epoch.
- The test split is scored between the epochs by `evaluate`, outside of the time that is taken.

The example's comment says that it keeps the first 200 words. Its code keeps the last 200 ids,
and so does this.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from zoo.data import Examples
from zoo.errors import ZooError

SOURCE = "https://keras.io/examples/nlp/bidirectional_lstm_imdb/"
MAX_FEATURES = 20_000  # ids, so 19,997 words besides padding, start and rare words
MAXLEN = 200
EPOCHS = 2
BATCH_SIZE = 32

START, RARE, INDEX_FROM = 1, 2, 3

# What keras.preprocessing.text.Tokenizer replaces by spaces: all ASCII punctuation but "'".
_FILTERS = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', " "))


def run(
    train: Examples,
    test: Examples,
    seed: int,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Trains the example as published, and scores it on the test split after each epoch.

    Args:
      train, test: columns `text` and `label`, of two classes; the second in the order of the
        alphabet (`positive`) is the sigmoid's 1.
      seed: of the weights and of the order of the rows.
      on_epoch: called with each epoch's dict as soon as it is known.

    Returns:
      `source` (URL), `seed`, `parameters` (of the network) and `epochs`: for each one
      `epoch` (from 1), `train_seconds` (in `fit` since the start, tracing included, scoring
      not) and `test_accuracy`.

    Raises:
      ZooError: the training rows are not of exactly two classes, or the test rows of others.
    """
    classes = sorted(set(train["label"]))
    if len(classes) != 2 or not set(test["label"]) <= set(classes):
        names = ", ".join(sorted({*classes, *test["label"]}))
        raise ZooError(f"The keras.io example separates two classes; these rows have: {names}.")
    index = word_index(train["text"])
    x_train, x_test = encode(train["text"], index), encode(test["text"], index)
    y_train, y_test = (np.array(rows["label"]) == classes[1] for rows in (train, test))
    keras.utils.set_random_seed(seed)
    model = build()
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    epochs: list[dict[str, Any]] = []
    seconds = 0.0
    for epoch in range(EPOCHS):
        started = time.perf_counter()
        model.fit(
            x_train,
            y_train,
            batch_size=BATCH_SIZE,
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=0,
        )
        seconds += time.perf_counter() - started
        _, accuracy = model.evaluate(x_test, y_test, batch_size=BATCH_SIZE, verbose=0)
        epochs.append(
            {"epoch": epoch + 1, "train_seconds": seconds, "test_accuracy": float(accuracy)}
        )
        if on_epoch:
            on_epoch(epochs[-1])
    return {
        "source": SOURCE,
        "seed": seed,
        "parameters": model.count_params(),
        "epochs": epochs,
    }


def build() -> keras.Model:
    """Returns the example's network: int32 `(batch, time)` to probabilities `(batch, 1)`."""
    inputs = keras.Input(shape=(None,), dtype="int32")
    x = layers.Embedding(MAX_FEATURES, 128)(inputs)
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(64))(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    return keras.Model(inputs, outputs)


def words(text: str) -> list[str]:
    """Splits a text as Keras' `Tokenizer` does by default. `<br />` leaves the word `br`."""
    return [word for word in text.lower().translate(_FILTERS).split(" ") if word]


def word_index(texts: Sequence[str]) -> dict[str, int]:
    """Ranks the words of `texts` by frequency: the most frequent is 1, as in Keras' data."""
    counts = collections.Counter(word for text in texts for word in words(text))
    return {word: rank for rank, (word, _) in enumerate(counts.most_common(), start=1)}


def encode(texts: Sequence[str], index: dict[str, int]) -> np.ndarray:
    """Codes texts as `imdb.load_data(num_words=20000)` and `pad_sequences(maxlen=200)` do.

    Returns:
      int32 `(rows, 200)`: padded in front, the last 200 ids of longer rows.
    """
    rows = []
    for text in texts:
        ids = [index[word] + INDEX_FROM for word in words(text) if word in index]
        rows.append([START] + [i if i < MAX_FEATURES else RARE for i in ids])
    return keras.utils.pad_sequences(rows, maxlen=MAXLEN)
