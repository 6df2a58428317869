"""A model server: the REST and gRPC APIs of TF Serving, and that of KServe, in one process.

`zoo.server.run.serve` starts it. Besides TensorFlow, the modules require the extra `serve`:
starlette, uvicorn, prometheus-client and gRPC's health checks.
"""
