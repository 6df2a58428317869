"""The recurrent cells in plain NumPy, forward and backward through time, to be read.

For reading, not for speed: one Python loop over time, a separate variable for every quantity of the
equations, nothing fused. Keras computes the same numbers much faster; the tests compare all outputs
and gradients with Keras.

A cell is a module or an object with four functions:

    weights = lstm.from_keras(layer.get_weights())          # Keras' arrays by name
    outputs, states, cache = lstm.forward(x, weights)       # forward through time
    gradients = lstm.backward(d_outputs, cache)             # backpropagation through time
    arrays = lstm.to_keras(gradients.weights)               # in the order of Keras again

`bidirectional(cell)` and `stacked(cells)` make a cell of cells.

Names and axes. `Wax` is the matrix from `x` to `a`, `Waa` the matrix from the `a` of the step
before to `a`; `ba` is the bias. Rows are examples: `x<t>` is `(batch, features)` and
is multiplied from the right, `x<t> @ Wax`, where textbooks with column vectors write
`Wax x<t>`. Everything over time is `(batch, time, …)`, as in Keras.

A mask, bool `(batch, time)`, is False at padded steps. There the state and
the output (0 before the first real step) are copied from the step before, as in Keras. The output
of a layer without `return_sequences` is `outputs[:, -1]`, the last state `a`.
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
