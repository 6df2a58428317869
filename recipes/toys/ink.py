"""Finds, crops and centres the ink of an image in the graph, by TensorFlow's core ops."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from recipes.toys.images import INK, SIDE

FAINT = 0.05  # fraction of the range from white to black; less contrast is not ink
NOISE = 8.0  # minimum ratio of the darkest ink to the median deviation of the paper
SOFT = 0.15  # fraction of the darkest ink; anything fainter is paper
MARGIN = 1.05  # side of the cropped square, relative to the size of the ink


class Ink(tf.Module):
    """Crops the ink of an image and resizes it to `side` × `side` pixels.

    The median shade of the edge is the paper; ink is darker or lighter than it. The result does not
    depend on the size and position of a digit, or on the shades of paper and ink: the cropped
    square is centred on the centre of gravity of the ink, and its size is proportional to the
    standard deviation of the ink along rows or columns, whichever is larger. It is resized by area.

    Args:
      side: side of the result in pixels.
    """

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        self.side = side

    def __call__(
        self, pixels: tf.Tensor, move: tf.Tensor | None = None, grow: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the ink, and whether there is none.

        Args:
          pixels: float32 `(batch, height, width)`, shades of grey, 0 to 16, from white to black or
            from black to white.
          move: float32 `(batch, 2)`, shift of the square down and to the right, in pixels of the
            result.
          grow: float32 `(batch,)`, factor of the size of the square.

        Returns:
          float32 `(batch, side, side)`, 0 for paper to 16 for the darkest ink; and bool `(batch,)`:
          True if the contrast to the paper is nowhere above 5 % of the range, or nowhere above 8
          times the median deviation of the edge.
        """
        # An empty image gets one pixel of paper.
        lacking = tf.maximum(1 - tf.shape(pixels)[1:], 0)
        pixels = tf.pad(pixels, [[0, 0], [0, lacking[0]], [0, lacking[1]]])
        sides = [pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]]
        edge = tf.concat(sides, axis=1)
        paper = _median(edge)  # (batch, 1)
        uneven = _median(tf.abs(edge - paper))[:, 0]
        change = pixels - paper[..., tf.newaxis]
        # The sign of the ink. Cubes let strong ink in few places outweigh a large shadow.
        darker = tf.sign(tf.reduce_sum((change / INK) ** 3, axis=[1, 2], keepdims=True))
        ink = tf.maximum(change * tf.where(darker == 0, 1.0, darker), 0.0)
        darkest = tf.reduce_max(ink, axis=[1, 2], keepdims=True)
        blank = darkest[:, 0, 0] <= tf.maximum(FAINT * INK, NOISE * uneven)
        ink = tf.maximum(tf.math.divide_no_nan(ink, darkest) - SOFT, 0.0)
        rows, columns = tf.reduce_sum(ink, axis=2), tf.reduce_sum(ink, axis=1)
        (row, tall), (column, wide) = _spread(rows), _spread(columns)
        # A uniform distribution over a length l has the standard deviation l / sqrt(12).
        size = MARGIN * np.sqrt(12.0) * tf.maximum(tall, wide)
        if grow is not None:
            size *= grow
        if move is not None:
            row += move[:, 0] * size / self.side
            column += move[:, 1] * size / self.side
        down = self._cells(row, size, tf.shape(ink)[1])  # (batch, side, height)
        across = self._cells(column, size, tf.shape(ink)[2])  # (batch, side, width)
        cut = tf.matmul(tf.matmul(down, ink), across, transpose_b=True)
        darkest = tf.reduce_max(cut, axis=[1, 2], keepdims=True)
        return INK * tf.math.divide_no_nan(cut, darkest), blank

    def _cells(self, middle: tf.Tensor, size: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Returns the fraction of each pixel that is in each cell, `(batch, side, count)`.

        Args:
          middle, size: centre and size of the square along an axis, `(batch,)`, in pixels.
          count: number of pixels along that axis.
        """
        cell = (size / self.side)[:, tf.newaxis, tf.newaxis]
        number = tf.range(self.side, dtype=tf.float32)[:, tf.newaxis]
        start = (middle - size / 2)[:, tf.newaxis, tf.newaxis] + number * cell
        pixel = tf.range(tf.cast(count, tf.float32))
        overlap = tf.minimum(start + cell, pixel + 1) - tf.maximum(start, pixel)
        return tf.maximum(overlap, 0.0) / cell


def _median(values: tf.Tensor) -> tf.Tensor:
    """Returns the median of each row of `(batch, values)`, `(batch, 1)`."""
    ordered, count = tf.sort(values, axis=1), tf.shape(values)[1]
    middle = (count - 1) // 2
    return (ordered[:, middle : middle + 1] + ordered[:, count // 2 : count // 2 + 1]) / 2


def _spread(amounts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the mean position and its standard deviation, `(batch,)` each, of `(batch, places)`.

    Pixels are squares, not points, so the deviation does not depend on the resolution.
    """
    place = tf.range(tf.cast(tf.shape(amounts)[1], tf.float32)) + 0.5
    total = tf.reduce_sum(amounts, axis=1)
    mean = tf.math.divide_no_nan(tf.reduce_sum(amounts * place, axis=1), total)
    square = amounts * (place - mean[:, tf.newaxis]) ** 2
    variance = tf.math.divide_no_nan(tf.reduce_sum(square, axis=1), total)
    return mean, tf.sqrt(variance + 1 / 12)
