"""The socket that a server of HTTP listens at.

This module imports nothing heavy.
"""

from __future__ import annotations

import socket

from zoo.errors import UsageError, quoted


def bind(host: str, port: int, option: str) -> socket.socket:
    """Returns a socket that nothing else uses.

    Args:
      host: address to listen at.
      port: 0: any free one.
      option: of the command line that chooses another port, for the message.

    Raises:
      UsageError: the port is not free, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once (TCP_NODELAY) only where it sees that this is TCP; else a
    # client that keeps its connection waits 40 ms for each answer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise UsageError(
            f"Cannot listen at {quoted(host)}, port {port}: {error.strerror or error}. "
            f"Choose another with {option}."
        ) from error
    return bound
