"""The forges over HTTP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.forges.forge import Forge
from tests.forges.gitea import Gitea
from tests.forges.github import GitHub
from tests.forges.gitlab import GitLab
from tests.servers import QuietHTTPServer, answering

FORGES: tuple[type[Forge], ...] = (GitHub, GitLab, Gitea)


@contextmanager
def serving(forge: Forge) -> Iterator[Forge]:
    """Serve a forge's API."""
    handler = type("ForgeHandler", (_Handler,), {"forge": forge})
    with answering(QuietHTTPServer(("127.0.0.1", 0), handler)) as server:
        forge.url = f"{server.url}{forge.base}"
        yield forge


class _Handler(BaseHTTPRequestHandler):
    forge: Forge
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.forge.answer(self.command, self.path, self.headers, content)  # type: ignore[arg-type]
        shown = answer.document if isinstance(answer.document, bytes) else json.dumps(answer.document).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(shown)))
        self.end_headers()
        self.wfile.write(shown)

    do_GET = do_POST = do_PATCH = do_PUT = _serve  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
