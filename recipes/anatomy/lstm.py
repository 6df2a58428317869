"""Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins
2000) in NumPy, written for readability, not for speed.

    Γ_i = σ(x<t> Wix + a<t-1> Wia + bi)        how much of the candidate enters the cell
    Γ_f = σ(x<t> Wfx + a<t-1> Wfa + bf)        how much of the old cell stays
    Γ_o = σ(x<t> Wox + a<t-1> Woa + bo)        how much of the cell is seen outside
    c̃<t> = tanh(x<t> Wcx + a<t-1> Wca + bc)    the candidate
    c<t> = Γ_i * c̃<t> + Γ_f * c<t-1>           the cell: added to, not multiplied by a matrix
    a<t> = Γ_o * tanh(c<t>)                    the state that the next step and layer see

In the backward pass, c<t-1> receives the gradient of c<t> times Γ_f. With Γ_f = 1, the gradient
stays unchanged over any number of steps. Keras therefore initialises the forget gate's bias to 1
(`unit_forget_bias`; Jozefowicz, Zaremba & Sutskever 2015).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recipes.anatomy.cell import Array, Cache, Gradients, check_weights, sigmoid

ORDER = "ifco"  # Keras' order of the gates: input, forget, candidate, output


def from_keras(arrays: Sequence[Array]) -> dict[str, Array]:
    """Names the weights of a `keras.layers.LSTM`, from `layer.get_weights()`.

    Returns:
      float, for each gate g: `Wgx` `(features, units)`, `Wga` `(units, units)`, `bg` `(units,)`.

    Raises:
      ZooError: the number of arrays is not three.
    """
    weights = {}
    for array, name in zip(check_weights(arrays), ("W{}x", "W{}a", "b{}"), strict=True):
        # (features, 4 units), (units, 4 units), (4 units,)
        for gate, part in zip(ORDER, np.split(array, 4, axis=-1), strict=True):
            weights[name.format(gate)] = part
    return weights


def to_keras(weights: dict[str, Array]) -> list[Array]:
    """Returns weights or gradients in Keras' order.

    Returns:
      float: kernel `(features, 4 * units)`, recurrent kernel `(units, 4 * units)`, and bias
      `(4 * units,)`.
    """
    return [
        np.concatenate([weights[name.format(gate)] for gate in ORDER], axis=-1)
        for name in ("W{}x", "W{}a", "b{}")
    ]


def forward(
    x: Array,
    weights: dict[str, Array],
    mask: Array | None = None,
    initial: Sequence[Array] | None = None,
) -> tuple[Array, tuple[Array, ...], Cache]:
    """Runs forward through time.

    Args:
      x: inputs, float `(batch, time, features)`.
      weights: from `from_keras`.
      mask: bool `(batch, time)`, False at padded steps; None: all steps are real.
      initial: `[a<0>, c<0>]`, `(batch, units)` each; None: zeros.

    Returns:
      The outputs, float `(batch, time, units)`; the last states `(a, c)`; and the cache for
      `backward`, whose `steps` hold each step's quantities by name.
    """
    w = weights
    batch, time, _ = x.shape
    mask = np.ones((batch, time), bool) if mask is None else mask
    zeros = np.zeros((batch, len(w["bc"])), x.dtype)
    a, c = (zeros, zeros) if initial is None else initial
    y = np.zeros_like(a)  # the output before the first real step
    outputs, steps = [], []
    for t in range(time):
        real = mask[:, t, np.newaxis]  # (batch, 1)
        a_prev, c_prev, xt = a, c, x[:, t]  # (batch, units) twice, (batch, features)
        Γ_i = sigmoid(xt @ w["Wix"] + a_prev @ w["Wia"] + w["bi"])  # (batch, units)
        Γ_f = sigmoid(xt @ w["Wfx"] + a_prev @ w["Wfa"] + w["bf"])
        Γ_o = sigmoid(xt @ w["Wox"] + a_prev @ w["Woa"] + w["bo"])
        candidate = np.tanh(xt @ w["Wcx"] + a_prev @ w["Wca"] + w["bc"])
        c_new = Γ_i * candidate + Γ_f * c_prev
        a_new = Γ_o * np.tanh(c_new)
        a, c = np.where(real, a_new, a_prev), np.where(real, c_new, c_prev)
        y = np.where(real, a_new, y)
        outputs.append(y)
        steps.append(
            {"a_prev": a_prev, "c_prev": c_prev, "Γ_i": Γ_i, "Γ_f": Γ_f, "Γ_o": Γ_o}
            | {"candidate": candidate, "c": c_new, "a": a_new}
        )
    cache: Cache = {"x": x, "weights": weights, "mask": mask, "steps": steps}
    return np.stack(outputs, axis=1), (a, c), cache


def backward(d_outputs: Array, cache: Cache, d_states: Sequence[Array] | None = None) -> Gradients:
    """Runs backward through time: the chain rule, from the last step to the first.

    Args:
      d_outputs: ∂L/∂outputs, float `(batch, time, units)`.
      cache: from `forward`.
      d_states: `[∂L/∂a, ∂L/∂c]` of the last states, `(batch, units)` each; None: L does not
        depend on them.
    """
    x, w, mask = cache["x"], cache["weights"], cache["mask"]
    d = {name: np.zeros_like(value) for name, value in w.items()}
    dx, through_time = np.zeros_like(x), np.zeros_like(d_outputs)
    zeros = np.zeros_like(d_outputs[:, 0])
    da, dc = (zeros, zeros) if d_states is None else d_states
    dy = zeros
    for t in reversed(range(x.shape[1])):
        real, s = mask[:, t, np.newaxis], cache["steps"][t]
        Γ_i, Γ_f, Γ_o, candidate = s["Γ_i"], s["Γ_f"], s["Γ_o"], s["candidate"]
        dy = dy + d_outputs[:, t]  # including copies by later masked steps
        da = da + np.where(real, dy, 0)
        through_time[:, t] = da
        tanh_c = np.tanh(s["c"])
        dc_new = dc + da * Γ_o * (1 - tanh_c**2)  # c<t> affects a<t> and c<t+1>
        dz = {  # before the gates' σ and the candidate's tanh: (batch, units) each
            "i": dc_new * candidate * Γ_i * (1 - Γ_i),
            "f": dc_new * s["c_prev"] * Γ_f * (1 - Γ_f),
            "o": da * tanh_c * Γ_o * (1 - Γ_o),
            "c": dc_new * Γ_i * (1 - candidate**2),
        }
        da_prev = zeros
        for gate, dz_gate in dz.items():
            dz_gate = np.where(real, dz_gate, 0)
            d[f"W{gate}x"] += x[:, t].T @ dz_gate
            d[f"W{gate}a"] += s["a_prev"].T @ dz_gate
            d[f"b{gate}"] += dz_gate.sum(axis=0)
            dx[:, t] += dz_gate @ w[f"W{gate}x"].T
            da_prev = da_prev + dz_gate @ w[f"W{gate}a"].T
        da = np.where(real, da_prev, da)  # gradient of a<t-1>; masked steps copy a
        dc = np.where(real, dc_new * Γ_f, dc)  # the path without a matrix
        dy = np.where(real, 0, dy)
    return Gradients(dx, (da, dc), d, through_time)
