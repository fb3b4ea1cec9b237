"""A fake of Kubernetes' API server for its real client: a table of documents and refusals."""

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.servers import QuietHTTPServer

Document = dict[str, Any]


class FakeApi(QuietHTTPServer):
    """Answers what stands in its table, and 404 for everything else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.documents: dict[str, Document] = {}  # by path, or by method and path
        self.refusals: dict[str, tuple[int, str]] = {}  # by the end of a path
        self.page: bytes | None = None  # what a proxy answers in its place
        self.posted: list[Document] = []

    def write_kubeconfig(self, file: Path) -> None:
        """Write a kubeconfig of this server."""
        named = {
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        }
        file.write_text(json.dumps(named | {"apiVersion": "v1", "kind": "Config", "current-context": "x"}))


class _Answers(BaseHTTPRequestHandler):
    server: FakeApi

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        refusal = next((one for end, one in self.server.refusals.items() if path.endswith(end)), None)
        document = self.server.documents.get(path)
        if refusal:
            status, document = refusal[0], {"kind": "Status", "message": refusal[1]}
        else:
            status, document = (404, {"message": "not found"}) if document is None else (200, document)
        body = json.dumps(document).encode()
        if self.server.page is not None:
            status, body = 200, self.server.page
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
