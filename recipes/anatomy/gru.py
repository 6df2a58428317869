"""The gated recurrent unit (Cho et al. 2014) in NumPy, written for readability, not for speed.

    z = σ(x<t> Wzx + a<t-1> Wza + bz)              how much of the old state is kept
    r = σ(x<t> Wrx + a<t-1> Wra + br)              how much of it the candidate sees
    ã<t> = tanh(x<t> Wax + (r * a<t-1>) Waa + ba)  the candidate
    a<t> = z * a<t-1> + (1 - z) * ã<t>

This is the original form, `reset_after=False`. The default of Keras and cuDNN resets after the
product with the matrix, so that all three products with a<t-1> can be computed as one. It has a
second bias in that product (and also for z and r, where it is redundant):

    ã<t> = tanh(x<t> Wax + r * (a<t-1> Waa + baa) + ba)

In the backward pass, a<t-1> receives the gradient of a<t> times z, without a matrix, as with the
LSTM's forget gate. Some papers swap z and 1 - z.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recipes.anatomy.cell import Array, Cache, Gradients, check_weights, sigmoid

ORDER = "zra"  # Keras' order of the gates: update, reset, candidate
INNER = ("bza", "bra", "baa")  # the second biases, in the product with a<t-1>


def from_keras(arrays: Sequence[Array]) -> dict[str, Array]:
    """Names the weights of a `keras.layers.GRU` of either form, from `layer.get_weights()`.

    Returns:
      float, for each gate g: `Wgx` `(features, units)`, `Wga` `(units, units)`, `bg` `(units,)`;
      with `reset_after` also the second biases, `(units,)`.

    Raises:
      ZooError: the number of arrays is not three.
    """
    kernel, recurrent, bias = check_weights(arrays)
    # (features, 3 units), (units, 3 units), (3 units,) or, with `reset_after`, (2, 3 units)
    outer, *inner = np.atleast_2d(bias)
    weights = {}
    for array, name in ((kernel, "W{}x"), (recurrent, "W{}a"), (outer, "b{}")):
        for gate, part in zip(ORDER, np.split(array, 3, axis=-1), strict=True):
            weights[name.format(gate)] = part
    for array in inner:
        weights |= zip(INNER, np.split(array, 3), strict=True)
    return weights


def to_keras(weights: dict[str, Array]) -> list[Array]:
    """Returns weights or gradients in Keras' order.

    Returns:
      float: kernel `(features, 3 * units)`, recurrent kernel `(units, 3 * units)`, and bias
      `(3 * units,)` or, with `reset_after`, `(2, 3 * units)`.
    """
    kernel, recurrent, bias = (
        np.concatenate([weights[name.format(gate)] for gate in ORDER], axis=-1)
        for name in ("W{}x", "W{}a", "b{}")
    )
    if INNER[0] in weights:
        bias = np.stack([bias, np.concatenate([weights[name] for name in INNER])])
    return [kernel, recurrent, bias]


def forward(
    x: Array,
    weights: dict[str, Array],
    mask: Array | None = None,
    initial: Sequence[Array] | None = None,
) -> tuple[Array, tuple[Array, ...], Cache]:
    """Runs forward through time.

    Args:
      x: inputs, float `(batch, time, features)`.
      weights: from `from_keras`; with `reset_after`, they include `bza`, `bra` and `baa`.
      mask: bool `(batch, time)`, False at padded steps; None: all steps are real.
      initial: `[a<0>]`, `(batch, units)`; None: zeros.

    Returns:
      The outputs, float `(batch, time, units)`; the last states `(a,)`; and the cache for
      `backward`, whose `steps` hold each step's quantities by name.
    """
    w = weights
    reset_after = "baa" in w
    bza, bra = (w["bza"], w["bra"]) if reset_after else (0, 0)
    batch, time, _ = x.shape
    mask = np.ones((batch, time), bool) if mask is None else mask
    a = np.zeros((batch, len(w["ba"])), x.dtype) if initial is None else initial[0]
    y = np.zeros_like(a)  # the output before the first real step
    outputs, steps = [], []
    for t in range(time):
        real = mask[:, t, np.newaxis]  # (batch, 1)
        a_prev, xt = a, x[:, t]  # (batch, units), (batch, features)
        z = sigmoid(xt @ w["Wzx"] + a_prev @ w["Wza"] + w["bz"] + bza)  # (batch, units)
        r = sigmoid(xt @ w["Wrx"] + a_prev @ w["Wra"] + w["br"] + bra)
        if reset_after:
            inner = a_prev @ w["Waa"] + w["baa"]
            candidate = np.tanh(xt @ w["Wax"] + r * inner + w["ba"])
        else:
            inner = r * a_prev
            candidate = np.tanh(xt @ w["Wax"] + inner @ w["Waa"] + w["ba"])
        a_new = z * a_prev + (1 - z) * candidate
        a = np.where(real, a_new, a_prev)
        y = np.where(real, a_new, y)
        outputs.append(y)
        steps.append(
            {"a_prev": a_prev, "z": z, "r": r, "inner": inner, "candidate": candidate, "a": a_new}
        )
    cache: Cache = {"x": x, "weights": weights, "mask": mask, "steps": steps}
    return np.stack(outputs, axis=1), (a,), cache


def backward(d_outputs: Array, cache: Cache, d_states: Sequence[Array] | None = None) -> Gradients:
    """Runs backward through time: the chain rule, from the last step to the first.

    Args:
      d_outputs: ∂L/∂outputs, float `(batch, time, units)`.
      cache: from `forward`.
      d_states: `[∂L/∂a]` of the last state, `(batch, units)`; None: L does not depend on it.
    """
    x, w, mask = cache["x"], cache["weights"], cache["mask"]
    reset_after = "baa" in w
    d = {name: np.zeros_like(value) for name, value in w.items()}
    dx, through_time = np.zeros_like(x), np.zeros_like(d_outputs)
    zeros = np.zeros_like(d_outputs[:, 0])
    da, dy = zeros if d_states is None else d_states[0], zeros
    for t in reversed(range(x.shape[1])):
        real, s = mask[:, t, np.newaxis], cache["steps"][t]
        xt, a_prev, z, r, candidate = x[:, t], s["a_prev"], s["z"], s["r"], s["candidate"]
        dy = dy + d_outputs[:, t]  # including copies by later masked steps
        da = da + np.where(real, dy, 0)
        through_time[:, t] = da
        da_new = np.where(real, da, 0)
        da_prev = da_new * z  # the path without a matrix
        # Before the candidate's tanh: (batch, units).
        d_candidate = da_new * (1 - z) * (1 - candidate**2)
        if reset_after:
            dr, d_inner = d_candidate * s["inner"], d_candidate * r
            d["Waa"] += a_prev.T @ d_inner
            d["baa"] += d_inner.sum(axis=0)
            da_prev = da_prev + d_inner @ w["Waa"].T
        else:
            d["Waa"] += s["inner"].T @ d_candidate
            d_inner = d_candidate @ w["Waa"].T
            dr, da_prev = d_inner * a_prev, da_prev + d_inner * r
        d["Wax"] += xt.T @ d_candidate
        d["ba"] += d_candidate.sum(axis=0)
        dx[:, t] = d_candidate @ w["Wax"].T
        for gate, dz_gate in (  # before σ: (batch, units) each
            ("z", da_new * (a_prev - candidate) * z * (1 - z)),
            ("r", dr * r * (1 - r)),
        ):
            d[f"W{gate}x"] += xt.T @ dz_gate
            d[f"W{gate}a"] += a_prev.T @ dz_gate
            for bias in (f"b{gate}", f"b{gate}a") if reset_after else (f"b{gate}",):
                d[bias] += dz_gate.sum(axis=0)
            dx[:, t] += dz_gate @ w[f"W{gate}x"].T
            da_prev = da_prev + dz_gate @ w[f"W{gate}a"].T
        da = np.where(real, da_prev, da)  # gradient of a<t-1>; masked steps copy a
        dy = np.where(real, 0, dy)
    return Gradients(dx, (da,), d, through_time)
