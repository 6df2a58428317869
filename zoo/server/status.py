"""Errors of requests: gRPC codes, their HTTP statuses, and a message of one sentence."""

from __future__ import annotations

from typing import Any

from zoo.errors import shortened

# Maps gRPC codes to the HTTP statuses of TF Serving.
HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
LONGEST = 600  # maximum length of a message in characters


class Refused(Exception):
    """Raised for a request that is rejected or fails.

    Attributes:
      code: name of a gRPC code.
      message: a sentence for the client, one line.
      http: HTTP status, if it is not that of the code.
      headers: further HTTP headers of the response.
    """

    def __init__(self, code: str, message: str, *, http: int | None = None, **headers: Any) -> None:
        super().__init__(message)
        self.code, self.message = code, shortened(message, LONGEST)
        self.http = http or HTTP.get(code, 500)
        self.headers = {name.replace("_", "-"): str(value) for name, value in headers.items()}


def invalid(message: str) -> Refused:
    """Returns the error for an invalid request."""
    return Refused("INVALID_ARGUMENT", message)
