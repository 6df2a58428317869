"""Trains networks of recipes on one NVIDIA GPU with Keras' PyTorch backend, or with JAX.

Three steps share one folder of files. Only the second needs the GPU; it needs no TensorFlow:

    python -m tools.gpu.arrays FOLDER           TensorFlow: ids of words, networks as JSON
    python -m tools.gpu.learn STEP FOLDER       PyTorch or JAX: weights
    python -m tools.gpu.finish NAME FOLDER RUN  TensorFlow: a run folder with these weights

`arrays.py`, `tagger_arrays.py` and `finish.py` import neither PyTorch nor JAX; `batching.py`,
`pairs.py`, `members.py` and `tagger_rows.py` import NumPy alone, `progress.py` nothing; all other
modules run on the GPU machine. It needs NumPy, Keras, PyTorch, JAX and a copy of this repository;
the package need not be installed.
"""
