"""Recurrent cells in plain NumPy, forward and backward through time, written for readability.

The code has one Python loop over time and a separate variable for each quantity of the equations;
nothing is fused. Keras computes the same numbers much faster. The tests compare all outputs and
gradients with Keras.

A cell is a module or an object with four functions:

    weights = lstm.from_keras(layer.get_weights())          # Keras' arrays by name
    outputs, states, cache = lstm.forward(x, weights)       # forward through time
    gradients = lstm.backward(d_outputs, cache)             # backpropagation through time
    arrays = lstm.to_keras(gradients.weights)               # back in Keras' order

`bidirectional(cell)` and `stacked(cells)` combine cells into a new cell.

Names and axes. `Wax` is the matrix from `x` to `a`, `Waa` the matrix from the previous step's `a`
to `a`; `ba` is the bias. Rows are examples: `x<t>` is `(batch, features)` and is multiplied by the
matrix on its right, `x<t> @ Wax`, where textbooks with column vectors write `Wax x<t>`. Sequences
are `(batch, time, …)`, as in Keras.

A mask, bool `(batch, time)`, is False at padded steps. At these steps, the state and the output (0
before the first real step) are copied from the previous step, as in Keras. The output of a layer
without `return_sequences` is `outputs[:, -1]`, the last state `a`.
"""

from recipes.anatomy import gru, lstm, simple_rnn
from recipes.anatomy.cell import Array, Cell, Gradients, Weights
from recipes.anatomy.combine import bidirectional, stacked

__all__ = [
    "Array",
    "Cell",
    "Gradients",
    "Weights",
    "bidirectional",
    "gru",
    "lstm",
    "simple_rnn",
    "stacked",
]
