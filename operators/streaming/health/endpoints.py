"""The HTTP endpoints of a running flow.

    /metrics    Prometheus
    /startupz   200 once the parts are open and the models loaded
    /livez      200 while engine and event loop make progress: restart the process otherwise
    /readyz     200 while it is started, not stopping, and waits for no service

The last three answer 200 or 503, all with the same JSON (schemas/health.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from operators.streaming.health.health import Health
from operators.streaming.health.metrics import FlowMetrics
from schemas.errors import Misconfigured


@contextmanager
def serve(metrics: FlowMetrics, health: Health, address: str, port: int) -> Iterator[None]:
    """Serve the endpoints on ``address``:``port`` while the context is open; port 0: do not.

    Raises Misconfigured when the port cannot be bound.
    """
    if port == 0:
        yield
        return

    try:
        server = _Server((address, port), metrics, health)
    except OSError as error:
        raise Misconfigured(
            f"metrics and health cannot be served on {address}:{port}: {error}; set "
            "metrics_address and metrics_port of the flow (port 0: off)"
        ) from error
    thread = Thread(target=server.serve_forever, name="endpoints", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], metrics: FlowMetrics, health: Health) -> None:
        super().__init__(address, _Handler)
        self.metrics = metrics
        self.health = health


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10
    """Seconds that a client may take to send its request."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(
                HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.server.metrics.registry)
            )
            return
        now = self.server.health.now()
        good = {"/startupz": now.started, "/livez": now.alive, "/readyz": now.ready}.get(path)
        if good is None:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"/metrics /startupz /livez /readyz\n")
            return
        self._answer(
            HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE,
            "application/json",
            now.model_dump_json().encode(),
        )

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: probes come every few seconds."""

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
