"""Serving signatures of networks whose input is audio."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from recipes.audio.chunks import chunk_signature
from recipes.audio.ctc import (
    BLANK,
    IMPOSSIBLE,
    best_alignment,
    is_possible,
    prefix_beam_search,
)
from recipes.audio.features import MAX_SECONDS, Features, LogMel, check_rows, halved
from zoo.bounds import marked
from zoo.decoding.search import MAX_BEAM
from zoo.errors import ZooError
from zoo.serving.signatures import Functions

FEWER = "The network finds fewer texts in this recording than n_best."


def transcription_signatures(
    model: keras.Model,
    encoder: Features,
    words: Sequence[str],
    stack: int,
    max_seconds: int = MAX_SECONDS,
) -> Functions:
    """Returns the signatures of a speech recogniser: keyword arguments of `Served`.

    Args:
      model: features to logits, the output of a `BlankPadding`.
      encoder: converts samples to features, or scales precomputed features.
      words: the text of each id from 1 on.
      stack: number of frames in a step of the network.
      max_seconds: maximum length of a recording; a longer one has no answer.

    Returns:
      `answer`: `audio`, float32 `(batch, samples)`, -1 … 1 at 8 kHz, and `length`, int32
      `(batch,)`, the number of samples of each row, to `text`, string `(batch,)`: words with spaces
      between, the text of the best alignment; and `score`, float32 `(batch,)`: the log-probability
      of that alignment.

      `others`: `audio_16khz`, the same for 16,000 samples per second.

      `search`: `audio`, `length`, and the scalars `beam` and `n_best` (int32, 1 ≤ n_best ≤ beam ≤
      100), to `text` and `score` `(batch, n_best)`: the log-probability of each text. Where the
      network finds fewer texts, the others are not valid.

      `alignment`: `audio` and `length` to `features`, float32 `(batch, frames, bands)`;
      `posteriors`, float32 `(batch, frames, ids)`, the blank first; `seconds`, float32 `(batch,)`,
      the length of a frame; and `length`, int32 `(batch,)`, in frames.

      `streaming`: see `recipes.audio.chunks`.

      For precomputed features, the input is `features` instead of `audio`, and there are no
      `others`, `alignment` and `streaming`. A row that is not a recording, or too long, has no
      answer: see `check_rows`. All signatures also return `valid` and `problem`: see
      `zoo.bounds.marked`.
    """
    names = tf.constant(["", *words])

    def heard(audio: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        features, silent = encoder(audio, length)
        logits = model(features, training=False)
        # In silence, the blank is certain.
        blank = tf.where(tf.range(tf.shape(logits)[2]) == BLANK, 0.0, IMPOSSIBLE)
        return features, tf.where(silent[:, tf.newaxis, tf.newaxis], blank, logits)

    def written(ids: tf.Tensor) -> tf.Tensor:
        text = tf.strings.reduce_join(tf.gather(names, ids), axis=-1, separator=" ")
        return tf.strings.strip(text)

    def best(audio: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        ids, score = best_alignment(heard(audio, length)[1])
        return {"text": written(ids), "score": score}

    def nbest(
        audio: tf.Tensor, length: tf.Tensor, beam: tf.Tensor, n_best: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        allowed = (n_best >= 1) & (n_best <= beam) & (beam <= MAX_BEAM)
        message = f"beam must be from 1 to {MAX_BEAM}, and n_best from 1 to beam; got"
        with tf.control_dependencies([tf.debugging.Assert(allowed, [message, beam, n_best])]):
            beam, n_best = tf.identity(beam), tf.identity(n_best)
        audio, length, problem = check_rows(audio, length, encoder.rate, max_seconds)
        ids, score = prefix_beam_search(heard(audio, length)[1], beam, n_best)
        several = tf.repeat(problem[:, tf.newaxis], n_best, axis=1)
        several = tf.where((several == "") & ~is_possible(score), FEWER, several)
        return marked({"text": written(ids), "score": score}, several)

    def alignment(audio: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        audio, length, problem = check_rows(audio, length, encoder.rate, max_seconds)
        features, logits = heard(audio, length)
        frames = tf.shape(features)[1]
        posteriors = tf.repeat(tf.nn.softmax(logits), stack, axis=1)[:, :frames]
        real = tf.reduce_any(features != 0, axis=2)
        outputs = {
            "features": features,
            "posteriors": posteriors,
            "seconds": tf.fill([tf.shape(audio)[0]], encoder.seconds),
            "length": tf.math.count_nonzero(real, axis=1, dtype=tf.int32),
        }
        return marked(outputs, problem)

    options = [tf.TensorSpec([], tf.int32, name=name) for name in ("beam", "n_best")]
    functions = audio_signatures(best, encoder, max_seconds)

    # TensorFlow names inputs after the parameters.
    def nbest_given(
        features: tf.Tensor, length: tf.Tensor, beam: tf.Tensor, n_best: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return nbest(features, length, beam, n_best)

    search = nbest if isinstance(encoder, LogMel) else nbest_given
    functions["search"] = tf.function(
        search, input_signature=[*encoder.inputs, *options], autograph=False
    )
    if isinstance(encoder, LogMel):
        functions["alignment"] = tf.function(
            alignment, input_signature=encoder.inputs, autograph=False
        )
        functions["streaming"] = chunk_signature(heard, written, encoder, stack, max_seconds)
    return functions


def audio_signatures(
    answer: Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]],
    encoder: Features,
    max_seconds: int = MAX_SECONDS,
) -> Functions:
    """Returns `answer`, an argument of `Served`, for a function of an encoder's two inputs.

    For audio, whose rate is 8 kHz, also `others`: `audio_16khz`, for 16,000 samples per second.

    Args:
      answer: function from float32 `(batch, samples)`, or features `(batch, frames, width)`, and
        lengths, int32 `(batch,)`, to named outputs.
      encoder: the encoder of these inputs.
      max_seconds: maximum length of a recording. Longer or invalid rows are marked, see
        `zoo.bounds.marked`.
    """

    def heard(audio: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        audio, length, problem = check_rows(audio, length, encoder.rate, max_seconds)
        return marked(answer(audio, length), problem)

    def halve(audio: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        audio, length, problem = check_rows(audio, length, 2 * encoder.rate, max_seconds)
        return marked(answer(*halved(audio, length)), problem)

    def given(features: tf.Tensor, length: tf.Tensor) -> dict[str, tf.Tensor]:
        return heard(features, length)

    inputs = encoder.inputs
    if not isinstance(encoder, LogMel):
        return {"answer": tf.function(given, input_signature=inputs, autograph=False)}
    return {
        "answer": tf.function(heard, input_signature=inputs, autograph=False),
        "others": {"audio_16khz": tf.function(halve, input_signature=inputs, autograph=False)},
    }


def word_ids(texts: Sequence[str], words: Sequence[str], steps: Sequence[int]) -> list[np.ndarray]:
    """Returns the ids of texts, int32 `(length,)` each: positions in `words`, from 1 on.

    Args:
      texts: words with spaces between.
      words: the vocabulary.
      steps: number of steps of the network for each row.

    Raises:
      ZooError: a word is not among `words`, a text has no word, or a row has fewer steps than an
        alignment needs: one for each word, and one between two equal words.
    """
    numbers = {word: number for number, word in enumerate(words, 1)}
    rows = []
    for row, (text, there) in enumerate(zip(texts, steps, strict=True), 1):
        said = text.split()
        unknown = [word for word in said if word not in numbers]
        if unknown or not said:
            what = f"the word {unknown[0]!r}, which no training row has" if unknown else "no word"
            raise ZooError(f"Row {row} has {what}. Correct or omit such rows.")
        needed = len(said) + sum(a == b for a, b in itertools.pairwise(said))
        if needed > there:
            raise ZooError(
                f"Row {row} is too short for its {len(said)} words: it makes {there} steps, and "
                f"{needed} are needed. Check that sound and text belong together."
            )
        rows.append(np.array([numbers[word] for word in said], np.int32))
    return rows
