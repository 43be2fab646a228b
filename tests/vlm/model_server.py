"""A double of a vLLM server on 127.0.0.1; the test decides how it answers or fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Answer = Callable[["Exchange"], None]


class Exchange:
    """One request and the ways to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: Body) -> None:
        self._handler = handler
        self.body = body

    def send(self, value: Any, status: int = 200, **headers: str) -> None:
        """Send a complete response."""
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self._handler.send_response(status)
        self._handler.send_header("Content-Length", str(len(data)))
        for name, text in headers.items():
            self._handler.send_header(name.replace("_", "-"), text)
        self._handler.end_headers()
        self._handler.wfile.write(data)

    def say(self, text: str) -> None:
        """Send a chat completion."""
        self.send({"choices": [{"message": {"role": "assistant", "content": text}}]})

    def hang_up(self) -> None:
        """Close the connection before the announced length has been sent."""
        self._handler.send_response(200)
        self._handler.send_header("Content-Length", "1000")
        self._handler.end_headers()
        self._handler.wfile.write(b'{"choices": [')
        self._handler.close_connection = True


class ModelServer:
    """The server's URL, the requests so far, and the answer to the next ones."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Body] = []
        self.paths: list[str] = []
        """Of the requests."""
        self.authorizations: list[str | None] = []
        self.lists = 200
        """Status of the answer to which models are served."""
        self.answer: Answer = lambda exchange: exchange.say("{}")


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """A server that runs until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append(body)
            server.paths.append(self.path)
            server.authorizations.append(self.headers["Authorization"])
            with suppress(BrokenPipeError, ConnectionResetError):  # the client has gone
                server.answer(Exchange(self, body))

        def do_GET(self) -> None:
            listed = self.path == "/v1/models"
            served = {"data": [{"id": "double"}]} if listed and server.lists == 200 else {}
            Exchange(self, {}).send(served, server.lists if listed else 404)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = ModelServer(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
