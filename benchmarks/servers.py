"""An HTTP server for one file, and ways in which a server can misbehave."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator, Mapping


class Server(http.server.ThreadingHTTPServer):
    """A server on this machine.

    Attributes:
      content: of the file.
      mode: `""`, `"missing"`, or `"no range"` if it always sends the whole file.
      slow: seconds before it sends.
      breaks_after: bytes after which it hangs up.
      behave: takes the handler and answers instead of all the above.
      requests: path and `Range` of each.
      sent: bytes, where `behave` counts them.
      url: of the file.
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.mode, self.slow = content, "", 0.0
        self.breaks_after: int | None = None
        self.behave: Callable[[Handler], object] | None = None
        self.requests: list[tuple[str, str | None]] = []
        self.sent = 0
        self.url = f"http://127.0.0.1:{self.server_port}/some/file%20one.bin"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.content` according to `server.mode`; records the Range of each request."""

    server: Server

    def do_GET(self) -> None:
        server = self.server
        if server.behave is not None:
            with contextlib.suppress(OSError):  # the client has hung up
                server.requests.append((self.path, self.headers.get("Range")))
                self.close_connection = True
                server.behave(self)
            return
        asked = self.headers.get("Range")
        server.requests.append((self.path, asked))
        if server.mode == "missing":
            self.send_error(404)
            return
        start = 0
        if asked and server.mode != "no range":
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.content):
                self.send_error(416)
                return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            end = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{end + 1}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.slow:
            time.sleep(server.slow)
        self.wfile.write(body[: server.breaks_after])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def running(content: bytes) -> Iterator[Server]:
    """Runs a server for a file."""
    with Server(content) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def reply(
    handler: Handler,
    body: bytes = b"",
    headers: Mapping[str, object] | None = None,
    status: int = 200,
) -> None:
    """Sends a whole answer."""
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, str(value))
    handler.end_headers()
    handler.wfile.write(body)


def drip(handler: Handler, content: bytes, at_once: int = 0) -> None:
    """Sends correct headers and the first bytes at once, then single bytes slowly."""
    reply(handler, content[:at_once], {"Content-Length": len(content)})
    for byte in content[at_once:][:200]:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)
