"""Models for machines without TensorFlow: ONNX and LiteRT, with the text preprocessing beside.

`recurrent` and `operations` say what each part of a network is in ONNX, `onnx_graph` puts them
together with `writer`; `litert` converts for LiteRT; `bundle` writes a folder. `reader.py`,
`reader.js` and `reader.h` read that folder, and need neither TensorFlow nor this package.

Importing this package imports nothing heavy.
"""
