"""A fake of KFP's API server for the real kfp client: pipelines, versions, experiments, runs and recurring runs.

It answers as KFP 2.17 was seen to: the same paths, filters, pages, conflicts and refusals.
"""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.servers import QuietHTTPServer

Document = dict[str, Any]
Query = dict[str, str]
UPLOADED = ("/apis/v2beta1/pipelines/upload", "/apis/v2beta1/pipelines/upload_version")


class RefusedError(Exception):
    """A request that KFP refuses."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class FakeKfp(QuietHTTPServer):
    """Answers what clients ask, and keeps what they post."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.tag_name = "2.17.0"
        self.is_multi_user = False
        self.prefix = ""  # of its paths, as behind a gateway
        self.posted: list[Document] = []
        self.uploads: list[str] = []  # the names of versions
        self.tables: dict[str, dict[str, Document]] = {
            name: {} for name in ("pipelines", "versions", "experiments", "runs", "recurringruns", "artifacts")
        }
        self.final_state = "SUCCEEDED"
        self.task_details: list[Document] = []
        self.page: tuple[int, bytes] | None = None  # what a proxy answers in its place
        self.refusal: Callable[[str, str], RefusedError | None] = lambda method, path: None
        self.seen: list[Message] = []  # the headers of each request
        self.calls: list[str] = []  # the changes of recurring runs
        self.turn = threading.Lock()  # one request at a time, as a database takes them

    def state_of_run(self) -> str:
        """Return the state that is answered for a run."""
        return self.final_state

    def add(self, table: str, id_field: str, document: Document) -> Document:
        """Add a document under a new id."""
        number = len(self.tables[table]) + 1
        while f"{table[0]}{number}" in self.tables[table]:
            number += 1
        created = {id_field: f"{table[0]}{number}", "created_at": _now()} | document
        self.tables[table][created[id_field]] = created
        return created

    def get(self, path: str, query: Query) -> Document:
        """Answer a request that reads."""
        match path.removeprefix("/apis/v2beta1/").split("/"):
            case ["pipelines", pipeline, "versions"]:
                versions = [one for one in self.tables["versions"].values() if one["pipeline_id"] == pipeline]
                return _page("pipeline_versions", versions, query)
            case ["pipelines", _, "versions", version]:
                return self._one("versions", version)
            case ["runs", run]:
                details = {"run_details": {"task_details": self.task_details}}
                return self._one("runs", run) | {"state": self.state_of_run()} | details
            case ["pipelines" | "experiments" | "runs" | "artifacts" as table]:
                return _page(table, list(self.tables[table].values()), query)
            case ["recurringruns"]:
                return _page("recurringRuns", list(self.tables["recurringruns"].values()), query)
            case ["healthz"]:
                return {"multi_user": self.is_multi_user, "tag_name": self.tag_name}
        raise RefusedError(404, f"no such path: {path}")

    def post(self, path: str, body: Document) -> Document:
        """Answer a request that creates or changes."""
        match path.removeprefix("/apis/v2beta1/").split("/"):
            case ["pipelines"]:
                self._unique("pipelines", body["name"])
                return self.add("pipelines", "pipeline_id", body)
            case ["experiments"]:
                return self.add("experiments", "experiment_id", body)
            case ["runs"]:
                self.posted.append(body)
                return self.add("runs", "run_id", body | {"state": "PENDING"})
            case ["recurringruns"]:
                created = self.add("recurringruns", "recurring_run_id", body | {"updated_at": _now()})
                self.calls.append(f"create {created['recurring_run_id']}")
                return created
        run, _, verb = path.rpartition("/")[2].partition(":")
        if verb in ("enable", "disable"):
            one = self._one("recurringruns", run)
            if one.get("mode") != verb.upper():  # the same once more changes nothing
                self.calls.append(f"{verb} {run}")
            one |= {"mode": verb.upper(), "updated_at": _now()}
            return {}
        raise RefusedError(404, f"no such path: {path}")

    def upload(self, query: Query, package: bytes) -> Document:
        """Answer the upload of a version."""
        self._unique("versions", query["name"])
        specifications = list(yaml.safe_load_all(package))
        held = {"pipeline_spec": specifications[0], "platform_spec": specifications[1]}
        names = {"name": query["name"], "display_name": query["name"], "pipeline_id": query["pipelineid"]}
        self.uploads.append(query["name"])
        return self.add("versions", "pipeline_version_id", names | {"pipeline_spec": held})

    def delete(self, path: str, query: Query) -> Document:
        """Answer the deletion of what a path names."""
        table, name = path.removeprefix("/apis/v2beta1/").rsplit("/", 1)
        table = "versions" if table.endswith("/versions") else table
        self._one(table, name)
        if query.get("propagation_policy", "ORPHAN") not in ("FOREGROUND", "BACKGROUND", "ORPHAN"):
            raise RefusedError(400, 'parsing field "propagation_policy"')
        del self.tables[table][name]
        if table == "recurringruns":
            self.calls.append(f"delete {name} {query.get('propagation_policy', '')}".strip())
        return {}

    def _one(self, table: str, name: str) -> Document:
        if name not in self.tables[table]:
            raise RefusedError(404, f"ResourceNotFoundError: {table} {name} not found")
        return self.tables[table][name]

    def _unique(self, table: str, name: str) -> None:
        if any(one["name"] == name for one in self.tables[table].values()):
            raise RefusedError(409, f"{table}: {name} exists")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _page(field: str, documents: list[Document], query: Query) -> Document:
    """Return a page of what the filter leaves, and the token of the next one; an empty list is left out."""
    for wanted in json.loads(query.get("filter") or "{}").get("predicates", []):
        assert wanted["operation"] in ("EQUALS", 1), wanted
        documents = [one for one in documents if str(one.get(wanted["key"])) == wanted["stringValue"]]
    key, _, order = query.get("sort_by", "").partition(" ")
    if key:
        documents = sorted(documents, key=lambda one: str(one.get(key, "")), reverse=order == "desc")
    begin, size = int(query.get("page_token") or 0), int(query.get("page_size") or 20)
    page = {field: documents[begin : begin + size]} if documents else {}
    return page | ({"next_page_token": str(begin + size)} if begin + size < len(documents) else {})


class _Answers(BaseHTTPRequestHandler):
    server: FakeKfp

    def do_GET(self) -> None:
        self._answer_by(lambda path, query, body: self.server.get(path, query))

    def do_DELETE(self) -> None:
        self._answer_by(lambda path, query, body: self.server.delete(path, query))

    def do_POST(self) -> None:
        def post(path: str, query: Query, body: bytes) -> Document:
            if path in UPLOADED:
                head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
                (part,) = BytesParser().parsebytes(head + body).get_payload()  # type: ignore[misc]
                return self.server.upload(query, part.get_payload(decode=True))  # type: ignore[union-attr,arg-type]
            return self.server.post(path, json.loads(body or b"{}"))

        self._answer_by(post)

    def _answer_by(self, answer: Callable[[str, Query, bytes], Document]) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.seen.append(self.headers)
        page = self.server.page or (None if self.path.startswith(self.server.prefix) else (404, b"no such page"))
        if page is not None:
            self._answer_page(*page)
            return
        self.path = self.path.removeprefix(self.server.prefix)
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        try:
            if refusal := self.server.refusal(self.command, address.path):
                raise refusal
            with self.server.turn:
                document = answer(address.path, query, body)
            self._answer(200, document)
        except RefusedError as error:
            uploads = address.path in UPLOADED
            words = {"error_message": str(error), "error_details": f"{error}\ngithub.com/kubeflow/x.y\n\tx.go:1"}
            self._answer(error.status, words if uploads else {"code": 5, "message": str(error)})

    def _answer(self, status: int, document: Document) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
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
