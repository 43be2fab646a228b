"""A double of the model hub on 127.0.0.1: serves folders to huggingface_hub."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"
LARGE_BYTES = 100_000
"""Files of this size or more are stored in LFS and have a SHA-256."""


@dataclass
class HubDouble:
    url: str
    repositories: dict[str, Path]
    """owner/name -> folder."""
    garbled: set[str] = field(default_factory=set)
    """Files whose last byte is changed on the way."""
    downloads: list[str] = field(default_factory=list)
    """Files whose content was requested."""

    def listing(self, repository: str) -> list[dict[str, Any]]:
        return [_describe(path) for path in sorted(self.repositories[repository].iterdir())]


@contextmanager
def hub_double(repositories: dict[str, Path]) -> Iterator[HubDouble]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    hub = HubDouble(f"http://127.0.0.1:{server.server_port}", repositories)
    server.hub = hub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _describe(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    metadata: dict[str, Any] = {"path": path.name, "size": len(content), "oid": blob}
    if len(content) >= LARGE_BYTES:
        sha256 = hashlib.sha256(content).hexdigest()
        metadata["lfs"] = {
            "oid": sha256,
            "sha256": sha256,
            "size": len(content),
            "pointerSize": 130,
        }
    return metadata


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        hub: HubDouble = self.server.hub  # type: ignore[attr-defined]
        path = urlsplit(self.path).path.strip("/")
        if path.startswith("api/models/"):
            owner, name, *rest = path.removeprefix("api/models/").split("/")
            repository = f"{owner}/{name}"
            if repository not in hub.repositories:
                self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, with_body)
                return
            files = hub.listing(repository)
            body: Any = files
            if rest[:1] != ["tree"]:
                siblings = [
                    {"rfilename": f["path"], "size": f["size"], "blobId": f["oid"]}
                    | ({"lfs": f["lfs"]} if "lfs" in f else {})
                    for f in files
                ]
                body = {"id": repository, "modelId": repository, "sha": REVISION}
                body |= {"siblings": siblings, "tags": [], "private": False, "downloads": 0}
            else:
                body = [{"type": "file", **f} for f in files]
            self._send(200, json.dumps(body).encode(), {}, with_body)
            return
        owner, name, _, _, file = path.split("/", 4)
        content = (hub.repositories[f"{owner}/{name}"] / file).read_bytes()
        metadata = _describe(hub.repositories[f"{owner}/{name}"] / file)
        if with_body:
            hub.downloads.append(file)
        if file in hub.garbled:
            content = content[:-1] + bytes([content[-1] ^ 1])
        etag = metadata["lfs"]["oid"] if "lfs" in metadata else metadata["oid"]
        self._send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": REVISION}, with_body)

    def _send(self, status: int, body: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Silent."""
