"""Linear model on words and word pairs, corrected by a recurrent network.

With few rows, a linear model learns which words indicate the classes, while a recurrent network
hardly does. Here both are combined, as in H.-T. Cheng et al.: Wide & Deep Learning for Recommender
Systems, 2016:

    p(class | text) = softmax(wide(n-grams of the text) + network(text))

The wide part is a weighted sum of two models: multinomial logistic regression on TF-IDF, and one of
each class against the rest on TF-IDF times naive Bayes' log-count ratios of the class (S. Wang, C.
D. Manning: Baselines and Bigrams, ACL 2012). Cross-validation on the training rows chooses their
regularisation and weights. Since both are linear, so is the sum. It is fitted once, before the
first step, and then frozen. The last layer of the network is initialised to zero, so that training
starts from the linear model. If validation does not show that the network helps, its last layer is
set to zero again, and only the linear model is used. The fewer validation rows there are, the
smaller the weight of the network.

A linear model is overconfident on the rows that it was fitted on, and would leave the network
nothing to correct. The wide part therefore returns zeros in training. The targets contain its
logits instead, from a model fitted on the four fifths of the rows without this row (D. Wolpert:
Stacked Generalization, 1992). The loss adds them: `recipes.classifying.targets.ClassCrossEntropy`.
Beside a network, the logits are multiplied by `ROOM`: at full size, rows that the linear model gets
wrong dominate the loss, and a network cannot undo them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

import keras
import numpy as np
from keras import ops
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from recipes.classifying.baselines import log_count_ratio
from zoo.assets import Json
from zoo.data.batching import Batches, Ragged
from zoo.errors import ZooError
from zoo.tensors import Tensor

FOLDS = 5
MANY_ROWS = 2_000  # with more, one fold chooses the strength
STRENGTHS = (10.0, 1.0, 100.0)  # values of C, the inverse of the L2 regularisation
SCALES = np.geomspace(0.1, 10, 81)  # factors of the logits
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the model with log-count ratios
ROOM = 0.65  # factor of the sum beside a network; chosen on the validation split of AG News
MAX_NGRAMS = 50_000  # the most frequent ones are known
DIGITS = 4  # of a stored weight
SHRINKAGE = 60  # number of validation rows at which the network's logits are halved


class Linear(TypedDict):
    """One linear model: its regularisation C, and the factor of its logits in the sum."""

    ratios: bool
    strength: float
    factor: float


class Wide(TypedDict):
    """Result of `fit`, as read from JSON; see `fit` for the values."""

    keys: list[int]
    idf: list[float]
    weights: list[list[float]]
    bias: list[float]
    base: int
    models: list[Linear]
    loss: float


class Facts(TypedDict):
    """Result of `finalise`; see there for the values."""

    wide: float
    together: float
    share: float
    ngrams: int


def fit(rows: Ragged, labels: Sequence[str], base: int) -> dict[str, Json]:
    """Fits the wide part; cross-validation chooses the regularisation and weights of its models.

    Args:
      rows: word ids of the training texts, from 1.
      labels: their classes.
      base: above every word id.

    Returns:
      The input of `wide_logits`, compatible with JSON: `keys`, sorted, one per n-gram; their `idf`;
      `weights` `(n-grams, classes)` and `bias` of the classes, in sorted order, multiplied by
      `ROOM`; `models`, a dict of `ratios`, `strength` and `factor` for each model of the sum; and
      `loss`, the cross-entropy of the sum on held-out rows, in nats.
    """
    keys, idf, features = features_of(rows, base)
    classes, truth = np.unique(np.array(labels), return_inverse=True)
    folds = range(FOLDS if len(rows) <= MANY_ROWS else 1)
    models, loss = _choose(features, truth, len(classes), folds)
    return {
        "keys": keys.tolist(),
        "idf": _rounded(idf),
        **_weights(features, truth, models, ROOM),
        "base": base,
        "models": [{**model} for model in models],
        "loss": round(loss, 4),
    }


def held_out_logits(
    rows: Ragged, labels: Sequence[str], classes: Sequence[str], wide: Wide
) -> np.ndarray:
    """Returns held-out logits of the training rows, float32 `(rows, classes)`.

    Args:
      rows, labels: that the wide part was fitted on.
      classes: the class names, sorted.
      wide: of `fit`.

    Raises:
      ZooError: `wide` is of an earlier version.
    """
    models, folds = _models(wide), range(FOLDS)
    *_, features = features_of(rows, wide["base"])
    truth, count = np.searchsorted(np.array(classes), np.array(labels)), len(classes)
    logits = np.zeros((len(truth), count))
    for model in models:
        strength, ratios = model["strength"], model["ratios"]
        found, _ = held_out(features, truth, count, strength, folds, ratios=ratios)
        logits += model["factor"] * found
    return (ROOM * logits).astype("float32")


def finalise(
    model: keras.Model,
    wide: Wide,
    classes: Sequence[str],
    train: tuple[Ragged, Sequence[str]],
    validation: tuple[Ragged, Sequence[str]],
    class_weight: Mapping[str, float],
) -> Mapping[str, object]:
    """Weights the network by its validation results, then fits the wide part on all rows.

    The network's logits are multiplied by `n / (n + SHRINKAGE)` with n validation rows, because few
    rows choose an epoch badly. With class weights, which only the network has learnt, they are not
    scaled. They are set to zero unless they lower the mean loss of these rows by more than the
    standard error of the difference (the rule of one standard error: L. Breiman et al.:
    Classification and Regression Trees, 1984). Both change the weights of the layer `correction`.
    The logits of the wide part are multiplied by `ROOM` beside the whole network, by 1 without it,
    and by a value between for a part of the network.

    Strength, n-grams, epoch and network have been chosen before. The n-grams remain those of the
    training rows.

    Args:
      model: with the layers `wide` and `correction`; the former gets weights.
      wide: of `fit`.
      classes: the class names, sorted.
      train, validation: word ids, and classes.
      class_weight: class name to the weight w of its rows in the loss, that the network was trained
        with; 1 for others. log w is added to the bias of the linear model, which is fitted without:
        that makes of its probabilities those that have the least weighted loss.

    Returns:
      `text`, for people; `wide` and `together`, the accuracy of the wide part alone and of the
      answer on the validation rows; `share` of the size of the logits that is the wide part's, 1
      where the network does not help; and `ngrams`.
    """
    layer, correction = model.get_layer("wide"), model.get_layer("correction")
    rows, labels = validation
    known = Batches(rows, np.searchsorted(np.array(classes), np.array(labels)), batch_size=64)
    parts = [known.take(index) for index in known.sorted_order()]
    truth = np.concatenate([part for _, part in parts])
    both = keras.Model(model.input, [layer.output, correction.output])
    found = [[np.asarray(part) for part in both(ids)] for ids, _ in parts]
    linear, network = (np.concatenate(part) for part in zip(*found, strict=True))
    by_class = np.array([class_weight.get(name, 1.0) for name in classes])
    weights = by_class[truth]
    scale = 1.0 if class_weight else len(labels) / (len(labels) + SHRINKAGE)
    # As in training: `zoo.training.class_weight.weighted`.
    alone = linear / ROOM + np.log(by_class)
    beside = linear / ROOM * _room(scale) + np.log(by_class)
    helps = _helps(alone, beside + scale * network, truth, weights)
    scale *= helps
    correction.set_weights([scale * value for value in correction.get_weights()])
    linear, network = beside if helps else alone, scale * network
    sizes = [np.abs(part - part.mean(axis=1, keepdims=True)).sum() for part in (linear, network)]
    facts: Facts = {
        "wide": float(np.mean(alone.argmax(axis=1) == truth)),
        "together": float(np.mean((linear + network).argmax(axis=1) == truth)),
        "share": float(sizes[0] / max(sum(sizes), 1e-9)) if sizes[1] else 1.0,
        "ngrams": len(wide["keys"]),
    }
    keys, idf = np.array(wide["keys"], "int64"), np.array(wide["idf"])
    features = sparse.vstack(
        [_tfidf(*_counts(rows, wide["base"]), keys, idf) for rows, _ in (train, validation)]
    )
    everyone = np.searchsorted(np.array(classes), np.array([*train[1], *labels]))
    fitted = _weights(features, everyone, _models(wide), _room(scale))
    _give(layer, {**wide, **fitted, "bias": np.array(fitted["bias"]) + np.log(by_class)})
    return {"text": _text(facts, len(labels), bool(class_weight)), **facts}


def _room(scale: float) -> float:
    """Returns the factor of the wide part beside a network that is multiplied by `scale`."""
    return 1 - (1 - ROOM) * scale


def _helps(alone: np.ndarray, both: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> bool:
    """Returns whether both parts have less loss than one alone, by more than its standard error."""
    gains = cross_entropies(alone, truth) - cross_entropies(both, truth)
    gains *= weights
    error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.inf
    return bool(gains.mean() > error)


def _text(facts: Facts, rows: int, weighted: bool) -> str:
    """Returns a readable description of the contribution of each part."""
    model = f"a linear model of {facts['ngrams']:,} words and word pairs"
    accuracy = f"accuracy {facts['wide']:.4f} on the validation split"
    if facts["share"] == 1:
        return (
            f"{model} answers alone ({accuracy}): the {rows:,} validation rows do not show that "
            "the network improves on it. It was then fitted on these rows too"
            + ", by class_weight"
            * weighted
        )
    return (
        f"{model}, corrected by the network: {accuracy}, together {facts['together']:.4f}; "
        f"{facts['share']:.0%} of the size of the logits is the linear model's, which was then "
        "fitted on the validation rows too"
    )


def wide_logits(wide: Wide, name: str = "wide") -> WideLogits:
    """Returns a layer with the weights learnt by `fit`."""
    layer = WideLogits(len(wide["keys"]), len(wide["bias"]), wide["base"], name=name)
    layer.build()
    _give(layer, wide)
    return layer


def _give(layer: WideLogits, wide: Mapping[str, object]) -> None:
    """Sets the weights of a layer."""
    types = {"keys": "int64", "idf": "float32", "weights": "float32", "bias": "float32"}
    layer.set_weights([np.array(wide[name], dtype) for name, dtype in types.items()])


def ngram_keys(ids: np.ndarray, base: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct words and pairs of a text and their numbers of occurrences.

    Args:
      ids: word ids of one text, from 1 and below `base`.
      base: above every word id.

    Returns:
      Sorted int64, `b` of a word and `a * base + b` of a pair; and their numbers.
    """
    ids = ids.astype("int64")
    return np.unique(np.concatenate([ids, ids[:-1] * base + ids[1:]]), return_counts=True)


@keras.saving.register_keras_serializable("zoo")
class WideLogits(keras.layers.Layer):
    """Logits of a linear model on the words and pairs of a text; 0 in training.

    `x @ table + bias`, with `x` the TF-IDF of the known n-grams, normalised to length 1: (1 + log
    n) idf for n occurrences. The layer is not trained: `wide_logits` sets its weights.

    Args:
      ngrams: number of known words and pairs.
      classes: number of classes.
      base: above every word id.

    Call arguments:
      ids: int `(batch, time)`, 0 at padding, on the right.
      training: whether to return zeros: see above.

    Returns:
      float32 `(batch, classes)`.
    """

    fitted = True  # training that goes on from a model does not take its weights

    def __init__(self, ngrams: int, classes: int, base: int, **kwargs: object) -> None:
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        self.ngrams, self.classes, self.base = ngrams, classes, base

    def build(self, input_shape: tuple | None = None) -> None:
        def weight(name: str, shape: tuple[int, ...], dtype: str = "float32") -> keras.Variable:
            return self.add_weight(
                shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name
            )

        self.keys = weight("keys", (self.ngrams,), "int64")
        self.idf = weight("idf", (self.ngrams,))
        self.table = weight("table", (self.ngrams, self.classes))
        self.bias = weight("bias", (self.classes,))
        self.built = True

    def call(self, ids: Tensor, training: bool | None = None) -> Tensor:
        if training:
            return ops.zeros((ops.shape(ids)[0], self.classes), "float32")
        ids = ops.cast(ids, "int64")
        first, second = ids[:, :-1], ids[:, 1:]
        pairs = ops.where(ops.not_equal(second, 0), first * self.base + second, 0)
        found = ops.sort(ops.concatenate([ids, pairs], axis=1), axis=1)  # (batch, n-grams)
        shape = ops.shape(found)
        # All rows as one sorted sequence, in which an n-gram's places tell how often a row has it.
        row = ops.expand_dims(ops.arange(shape[0], dtype="int64"), 1)
        flat = ops.reshape(row * self.base**2 + found, (-1,))
        first_place = ops.searchsorted(flat, flat, side="left")
        times = ops.searchsorted(flat, flat, side="right") - first_place
        new = ops.equal(first_place, ops.arange(shape[0] * shape[1], dtype=first_place.dtype))
        place = ops.searchsorted(self.keys, ops.reshape(found, (-1,)))
        place = ops.minimum(place, self.ngrams - 1)
        known = ops.equal(ops.take(self.keys, place), ops.reshape(found, (-1,)))
        tfidf = (1 + ops.log(ops.cast(times, "float32"))) * ops.take(self.idf, place)
        tfidf = ops.reshape(ops.where(ops.logical_and(new, known), tfidf, 0.0), shape)
        length = ops.sqrt(ops.sum(ops.square(tfidf), axis=1, keepdims=True))
        weights = ops.reshape(ops.take(self.table, place, axis=0), (*shape, self.classes))
        total = ops.sum(ops.expand_dims(tfidf, -1) * weights, axis=1)
        return total / ops.maximum(length, 1e-9) + self.bias

    def compute_output_spec(self, ids: Tensor, training: bool | None = None) -> keras.KerasTensor:
        return keras.KerasTensor((ids.shape[0], self.classes), "float32")

    def get_config(self) -> dict[str, Json]:
        names = ("ngrams", "classes", "base")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def features_of(rows: Ragged, base: int) -> tuple[np.ndarray, np.ndarray, sparse.csr_matrix]:
    """Returns the keys of the n-grams to know, their idf, and the TF-IDF of the rows."""
    found = _counts(rows, base)
    keys, frequency = np.unique(found[0], return_counts=True)
    kept = np.sort(np.argsort(-frequency, kind="stable")[:MAX_NGRAMS])
    idf = np.log((1 + len(rows)) / (1 + frequency[kept])) + 1
    return keys[kept], idf, _tfidf(*found, keys[kept], idf)


def _counts(rows: Ragged, base: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the keys of all rows, how often a row has each, and where rows begin."""
    texts = [
        ngram_keys(rows.values[start : start + length], base)
        for start, length in zip(rows.starts, rows.lengths, strict=True)
    ]
    keys, times = (np.concatenate(part) for part in zip(*texts, strict=True))
    return keys, times, np.cumsum([0, *(len(text) for text, _ in texts)])


def _tfidf(
    found: np.ndarray, times: np.ndarray, starts: np.ndarray, keys: np.ndarray, idf: np.ndarray
) -> sparse.csr_matrix:
    """Returns TF-IDF of the known keys, `(rows, n-grams)`, each row of length 1."""
    place = np.minimum(np.searchsorted(keys, found), len(keys) - 1)
    values = np.where(keys[place] == found, (1 + np.log(times)) * idf[place], 0.0)
    shape = (len(starts) - 1, len(keys))
    features = sparse.csr_matrix((values, place, starts), shape)
    features.sum_duplicates()
    features.eliminate_zeros()
    length = np.sqrt(np.asarray(features.multiply(features).sum(axis=1)).ravel())
    return (sparse.diags(1 / np.maximum(length, 1e-9)) @ features).tocsr()


def held_out(
    features: sparse.csr_matrix | np.ndarray,
    truth: np.ndarray,
    classes: int,
    strength: float,
    folds: Iterable[int],
    *,
    balanced: bool = False,
    ratios: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the logits of held-out rows of some folds.

    Args:
      features: float `(rows, features)`.
      truth: classes by number `(rows,)`.
      classes: how many there are.
      strength: C, the inverse of the L2 regularisation.
      folds: numbers below `FOLDS`; each class is spread over all folds.
      balanced, ratios: as for `logistic`.

    Returns:
      Logits, float64 `(rows, classes)`, in the order of the rows, and the classes of these rows. A
      class that the other folds lack has the lowest logit of the row.
    """
    fold = np.zeros(len(truth), "int64")
    for number in range(classes):  # each class is spread over the folds
        places = np.flatnonzero(truth == number)
        fold[places] = (np.arange(len(places)) + number) % FOLDS
    logits = np.zeros((len(truth), classes))
    asked = np.isin(fold, list(folds))
    for number in folds:
        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        known = np.unique(truth[inside])
        if len(known) < 2 or not len(outside):
            continue
        weights, bias = logistic(
            features[inside], truth[inside], strength, balanced=balanced, ratios=ratios
        )
        scores = features[outside] @ weights + bias
        logits[outside] = scores.min(axis=1, keepdims=True)
        logits[np.ix_(outside, known)] = scores
    return logits[asked], truth[asked]


def logistic(
    features: sparse.csr_matrix | np.ndarray,
    truth: np.ndarray,
    strength: float,
    *,
    balanced: bool = False,
    ratios: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Fits logistic regression.

    Args:
      features: float `(rows, features)`; sparse for `ratios`.
      truth: classes by number `(rows,)`, of two or more.
      strength: C, the inverse of the L2 regularisation.
      balanced: whether the classes count alike, however rare.
      ratios: whether to multiply the features by the log-count ratios of each class, and to fit it
        against the rest. If not, the model is multinomial.

    Returns:
      Weights of the features as they are given, float64 `(features, classes)`, and bias
      `(classes,)`, of the classes in `truth`, in sorted order.
    """
    regression = LogisticRegression(
        C=strength, max_iter=1000, class_weight="balanced" if balanced else None
    )
    if not ratios:
        model = regression.fit(features, truth)
        return _both_sides(model.coef_).T, _both_sides(model.intercept_)
    known = np.unique(truth)
    weights, bias = [], []
    for number in known if len(known) > 2 else known[1:]:
        ratio = log_count_ratio(features, truth == number)
        model = regression.fit(features @ sparse.diags(ratio), truth == number)
        weights.append(ratio * model.coef_[0])
        bias.append(model.intercept_[0])
    return _both_sides(np.array(weights)).T, _both_sides(np.array(bias))


def _both_sides(values: np.ndarray) -> np.ndarray:
    """Returns what scikit-learn gives for the second of two classes for both, `(classes, …)`."""
    return np.concatenate([-values, values]) / 2 if len(values) == 1 else values


def _choose(
    features: sparse.csr_matrix, truth: np.ndarray, classes: int, folds: Iterable[int]
) -> tuple[list[Linear], float]:
    """Returns the models with the least loss on held-out rows, and this loss."""
    folds = [*folds]
    found = []  # for each kind of model: loss, scale, strength, logits
    for ratios in (False, True):
        tried = []
        for strength in STRENGTHS:
            logits, seen = held_out(features, truth, classes, strength, folds, ratios=ratios)
            tried.append((*_best_scale(logits, seen), strength, logits))
        found.append(min(tried, key=lambda each: each[0]))
    (_, plain_scale, plain, plain_logits), (_, ratio_scale, ratio, ratio_logits) = found
    sums = []
    for share in SHARES:
        factors = (1 - share) * plain_scale, share * ratio_scale
        loss, scale = _best_scale(factors[0] * plain_logits + factors[1] * ratio_logits, seen)
        sums.append((loss, [scale * factor for factor in factors]))
    loss, (plain_factor, ratio_factor) = min(sums)
    models: list[Linear] = [
        {"ratios": False, "strength": plain, "factor": plain_factor},
        {"ratios": True, "strength": ratio, "factor": ratio_factor},
    ]
    return [model for model in models if model["factor"]], loss


def _best_scale(logits: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Returns the least mean loss, in nats, and the factor of the logits that leads to it.

    n rows, all of them right, show an error rate of about 1 / (n + 2) (Laplace's rule of
    succession). A lower loss is therefore not sought, and is returned as this value.
    """
    least = 1 / (len(truth) + 2)
    return min(
        (max(least, float(np.mean(cross_entropies(scale * logits, truth)))), float(scale))
        for scale in SCALES
    )


def _models(wide: Wide) -> list[Linear]:
    """Returns the models of the sum; raises ZooError for a run of an earlier version."""
    if "models" not in wide:
        raise ZooError(
            "The linear model of this run was fitted by an earlier version of the zoo, so the run "
            "cannot be continued. Add --overwrite to train it from scratch."
        )
    return wide["models"]


def _weights(
    features: sparse.csr_matrix, truth: np.ndarray, models: Sequence[Linear], room: float
) -> dict[str, Json]:
    """Fits the models; returns `weights` and `bias` of `room` times their sum, as `fit` does."""
    parts = []
    for model in models:
        weights, bias = logistic(features, truth, model["strength"], ratios=model["ratios"])
        parts.append(model["factor"] * np.concatenate([weights, bias[None]]))
    total = room * np.sum(parts, axis=0)
    return {"weights": _rounded(total[:-1]), "bias": _rounded(total[-1])}


def cross_entropies(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Returns the loss of each row, in nats."""
    top = logits.max(axis=1, keepdims=True)
    log_sum = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
    return log_sum - logits[np.arange(len(truth)), truth]


def _rounded(values: np.ndarray) -> Json:
    """Returns nested lists of numbers with few digits, as JSON should hold them."""
    if values.ndim > 1:
        return [_rounded(row) for row in values]
    return [float(f"{value:.{DIGITS}g}") for value in values]
