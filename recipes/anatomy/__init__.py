"""The recurrent cells in plain NumPy, forward and backward through time, to be read.

For reading, not for speed: one Python loop over time, every quantity of the equations a variable
of its own, nothing fused. Keras computes the same numbers much faster; the tests hold the two
together, outputs and every gradient.

A cell is a module of four functions, and whatever has these four is a cell:

    weights = lstm.from_keras(layer.get_weights())          # Keras' arrays, by their names here
    outputs, states, cache = lstm.forward(x, weights)       # forward through time
    gradients = lstm.backward(d_outputs, cache)             # backpropagation through time
    arrays = lstm.to_keras(gradients.weights)               # in the order of Keras again

`bidirectional(cell)` and `stacked(cells)` make a cell of cells.

Names and axes. `Wax` is the matrix that makes `a` out of `x`, `Waa` the one that makes `a` out of
the `a` of the step before; `ba` is the bias. Rows are examples: `x<t>` is `(batch, features)` and
is multiplied from the right, `x<t> @ Wax`, where textbooks with column vectors write
`Wax x<t>`. Everything over time is `(batch, time, …)`, as in Keras.

A mask, bool `(batch, time)`, is False at padded steps. There the state is copied from the step
before, and so is the output (0 before the first real step), as Keras does it. The output of a
layer without `return_sequences` is `outputs[:, -1]`, the last state `a`.
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
