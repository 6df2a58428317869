"""The listening socket of an HTTP server.

This module imports nothing heavy.
"""

from __future__ import annotations

import socket

from zoo.errors import UsageError, quoted


def bind(host: str, port: int, option: str) -> socket.socket:
    """Returns a socket that listens on a free port; clients wait until it is served.

    Args:
      host: address to listen on.
      port: port to listen on; 0 for any free one.
      option: command-line option that sets another port, for the message.

    Raises:
      UsageError: the port is in use, or the address does not belong to this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once (TCP_NODELAY) only if the protocol is explicitly TCP; else
    # a client with a persistent connection waits 40 ms for each response.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen()  # before that, another process could bind the same port, too
    except OSError as error:
        bound.close()
        raise UsageError(
            f"Cannot listen at {quoted(host)}, port {port}: {error.strerror or error}. "
            f"Choose another with {option}."
        ) from error
    return bound
