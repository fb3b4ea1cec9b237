"""A small fake of KFP's API server, for the real kfp client."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeKfp(ThreadingHTTPServer):
    """Answers what a submission asks, and keeps the run that was posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.posted: list[dict[str, Any]] = []
        self.final_state = "SUCCEEDED"
        self.page: tuple[int, bytes] | None = None  # what a proxy answers in its place
        self.seen: list[Message] = []  # the headers of each request

    def state_of_run(self) -> str:
        """Return the state that is answered for the run."""
        return self.final_state

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: FakeKfp

    def do_GET(self) -> None:
        self.server.seen.append(self.headers)
        if self.server.page is not None:
            self._answer_page(*self.server.page)
        elif "/experiments" in self.path:
            self._answer({"experiments": [{"experiment_id": "e1", "display_name": "rankloop"}]})
        elif "/runs/" in self.path:
            self._answer({"run_id": "r1", "experiment_id": "e1", "state": self.server.state_of_run()})
        else:
            self._answer({"multi_user": False})

    def do_POST(self) -> None:
        self.server.seen.append(self.headers)
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer({"run_id": "r1", "experiment_id": "e1", "state": "PENDING"})

    def _answer(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer_page(self, status: int, page: bytes) -> None:
        redirected = status == 302 and not self.path.startswith("/dex")
        self.send_response(status if redirected or status != 302 else 200)
        if redirected:
            self.send_header("Location", "/dex/auth")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(server: FakeKfp) -> Iterator[FakeKfp]:
    """Answer requests while the block runs."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
