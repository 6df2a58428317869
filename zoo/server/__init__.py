"""A server for models: TF Serving's REST and gRPC interface, and KServe's, from one process.

`zoo.server.run.serve` starts it. What a module here needs besides TensorFlow is in the extra
`serve`: starlette, uvicorn, prometheus-client and gRPC's health checks.
"""
