"""Trains networks of recipes on one NVIDIA GPU, by Keras' PyTorch backend.

TensorFlow's wheels need CUDA libraries of their own beside a GPU; PyTorch's bring theirs. So three
steps share one folder of files, and only the one in the middle needs the GPU:

    python -m tools.gpu.arrays FOLDER           TensorFlow: ids of words, networks as JSON
    python -m tools.gpu.learn STEP FOLDER       PyTorch: weights
    python -m tools.gpu.finish NAME FOLDER RUN  TensorFlow: a run folder with these weights

`arrays.py` and `finish.py` import no PyTorch; `batching.py` imports NumPy alone; all other modules
run on the GPU machine, which needs NumPy, Keras, PyTorch and this repository, not installed.
"""
