"""Forges for tests: their HTTP APIs over a real repository, strict about what the published documents allow.

Of each operation that is used here, the parameters and the body stand as the documents have them:

- GitHub: ``descriptions/api.github.com/api.github.com.json`` of github/rest-api-description (version 2022-11-28)
- GitLab: ``doc/api/openapi/openapi_v2.yaml`` and ``lib/api/merge_requests.rb``, ``notes.rb``, ``commit_statuses.rb``
- Gitea: ``templates/swagger/v1_json.tmpl``, which Forgejo shares

What a document does not allow is refused with 422, and kept in ``mistakes``.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import jsonschema_rs

from tests.git_server import Repository
from tests.servers import QuietHTTPServer, answering

TEXT, INTEGER, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
TEXTS, INTEGERS = {"type": "array", "items": TEXT}, {"type": "array", "items": INTEGER}
GATE = "rankloop/gate"
Document = dict[str, Any]


def one_of(*values: str) -> Document:
    """Return the schema of a choice."""
    return {"type": "string", "enum": list(values)}


def body(required: tuple[str, ...] = (), **properties: Document) -> Document:
    """Return the schema of a body."""
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


@dataclass(frozen=True)
class Operation:
    """One operation of an API; its name is that of the method that answers it."""

    name: str
    method: str
    path: str  # a regular expression after the base
    query: Mapping[str, Document] = field(default_factory=dict)
    body: Document | None = None


@dataclass(frozen=True)
class Answer:
    """What a forge answers."""

    status: int
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """A pull request as a forge keeps it."""

    number: int
    branch: str
    title: str
    text: str
    state: str = "open"  # open, closed or merged
    comments: list[str] = field(default_factory=list)
    from_fork: bool = False
    has_branch: bool = False


@dataclass
class Forge:
    """The state of a forge, and what people do there.

    ``faults``: answers in place of the next requests whose method and path match, such as ``POST .*/pulls``.
    ``lost``: such patterns of requests that are done, and answered with 502.
    """

    repository: Repository
    token: str
    requests: list[Request] = field(default_factory=list)
    statuses: list[tuple[str, str, str]] = field(default_factory=list)  # commit, context, state
    mistakes: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    faults: list[tuple[str, Answer]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.RLock)
    url: str = ""

    operations: ClassVar[tuple[Operation, ...]]
    base: ClassVar[str]
    name: ClassVar[str]

    def merge(self, request: Request, at: str | None = None) -> str | None:
        """Merge a pull request as a protected branch lets a person: the gate's status is on its head, no conflict."""
        with self.lock:
            head = self.repository.head(request.branch)
            if request.state != "open" or (head, GATE, "success") not in self.statuses:
                return None
            made = self.repository.squash(request.branch, f"{request.title} (#{request.number})", at)
            request.state = "merged" if made else "open"
            return made

    def open_of(self, prefix: str = "rankloop/") -> list[Request]:
        """Return the open pull requests of branches."""
        self._close_without_branch()
        return [each for each in self.requests if each.state == "open" and each.branch.startswith(prefix)]

    def answer(self, method: str, target: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """Answer a request, after it was checked against the documents; some answers are lost."""
        with self.lock:
            self._close_without_branch()
            answer = self._answered(method, target, headers, content)
            for pattern in self.lost:
                if re.fullmatch(pattern, self.calls[-1]):
                    self.lost.remove(pattern)
                    return Answer(502, b"<html>Bad gateway</html>")
            return answer

    def _close_without_branch(self) -> None:
        """Close pull requests whose branch was deleted, as all forges do."""
        with self.lock:
            there = set(self.repository.branches())
            for request in self.requests:
                if request.state == "open" and request.has_branch and request.branch not in there:
                    request.state = "closed"

    def _answered(self, method: str, target: str, headers: Mapping[str, str], content: bytes) -> Answer:
        path, _, written = target.partition("?")
        path, query = path.removeprefix(self.base), dict(parse_qsl(written, keep_blank_values=True))
        with self.lock:
            self.calls.append(f"{method} {path}")
            for pattern, answer in self.faults:
                if re.fullmatch(pattern, f"{method} {path}"):
                    self.faults.remove((pattern, answer))
                    return answer
            if not self.is_known(headers):
                return Answer(401, {"message": "Bad credentials"})
            for operation in self.operations:
                match = re.fullmatch(operation.path, path)
                if match and operation.method == method:
                    return self._checked(operation, match.groups(), query, content)
            self.mistakes.append(f"{method} {path}: no such operation")
            return Answer(404, {"message": "Not Found"})

    def _checked(self, operation: Operation, parts: tuple[str, ...], query: Document, content: bytes) -> Answer:
        mistakes = [f"{name} is no parameter" for name in query if name not in operation.query]
        for name, schema in operation.query.items():
            value = query.get(name)
            typed = int(value) if value and schema["type"] == "integer" and value.isdigit() else value
            mistakes += [] if value is None else _mistakes(typed, schema)
        document = json.loads(content) if content else None
        if operation.body is not None or document is not None:
            mistakes += _mistakes(document, operation.body or {"type": "null"})
        if mistakes:
            self.mistakes += [f"{operation.name}: {mistake}" for mistake in mistakes]
            return Answer(422, {"message": "; ".join(mistakes)})
        answer = getattr(self, operation.name)(*parts, document if operation.body else query)
        assert isinstance(answer, Answer)
        return answer

    def is_known(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request shows the token."""
        raise NotImplementedError

    def page(self, items: list[Document], query: Document, size: str, largest: int) -> Answer:
        """Return one page of a list, with the link to the next."""
        number, length = int(query.get("page", 1)), min(int(query.get(size, 30)), largest)
        shown = items[(number - 1) * length : number * length]
        is_last = number * length >= len(items)
        next_page = f'<http://wrong.example/next?page={number + 1}>; rel="next"'
        return Answer(200, shown, {} if is_last else {"Link": next_page})

    def number(self, number: str) -> Request:
        """Return a pull request."""
        return self.requests[int(number) - 1]

    def opened(self, branch: str, title: str, text: str) -> Request:
        """Keep a new pull request."""
        has_branch = branch in self.repository.branches()
        self.requests.append(Request(len(self.requests) + 1, branch, title, text, has_branch=has_branch))
        return self.requests[-1]

    def is_open(self, branch: str) -> bool:
        """Return whether there is an open pull request of a branch."""
        return any(each.branch == branch for each in self.open_of(branch))

    def has_commit(self, commit: str) -> bool:
        """Return whether the repository has a commit."""
        return bool(self.repository.git("rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}", check=False))


def _mistakes(value: Any, schema: Document) -> list[str]:
    errors = jsonschema_rs.Draft202012Validator(schema).iter_errors(value)
    return [f"{'.'.join(map(str, each.instance_path))}: {each.message}" for each in errors]


class GitHub(Forge):
    """GitHub's API."""

    name = "github"
    base = "/api/v3"
    operations = (
        Operation(
            "pulls_list",
            "GET",
            "/repos/shop/deploy/pulls",
            {
                "state": one_of("open", "closed", "all"),
                "head": TEXT,
                "base": TEXT,
                "sort": one_of("created", "updated", "popularity", "long-running"),
                "direction": one_of("asc", "desc"),
                "per_page": INTEGER | {"maximum": 100},
                "page": INTEGER,
            },
        ),
        Operation(
            "pulls_create",
            "POST",
            "/repos/shop/deploy/pulls",
            body=body(
                ("head", "base"),
                title=TEXT,
                head=TEXT,
                head_repo=TEXT,
                base=TEXT,
                body=TEXT,
                maintainer_can_modify=FLAG,
                draft=FLAG,
                issue=INTEGER,
            ),
        ),
        Operation(
            "pulls_update",
            "PATCH",
            r"/repos/shop/deploy/pulls/(\d+)",
            body=body(title=TEXT, body=TEXT, state=one_of("open", "closed"), base=TEXT, maintainer_can_modify=FLAG),
        ),
        Operation(
            "issues_create_comment",
            "POST",
            r"/repos/shop/deploy/issues/(\d+)/comments",
            body=body(("body",), body=TEXT),
        ),
        Operation(
            "repos_create_commit_status",
            "POST",
            "/repos/shop/deploy/statuses/([0-9a-f]{40})",
            body=body(
                ("state",),
                state=one_of("error", "failure", "pending", "success"),
                target_url=TEXT,
                description=TEXT | {"maxLength": 140},
                context=TEXT,
            ),
        ),
    )

    def is_known(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request shows the token, and names its client and the version."""
        named = headers.get("User-Agent") and headers.get("X-GitHub-Api-Version") == "2022-11-28"
        return bool(named) and headers.get("Authorization") == f"Bearer {self.token}"

    def pulls_list(self, query: Document) -> Answer:
        asked = [each for each in reversed(self.requests) if self._is_asked(each, query)]
        return self.page([self.document(each) for each in asked], query, "per_page", 100)

    def _is_asked(self, request: Request, query: Document) -> bool:
        state = query.get("state", "open")
        owner = "stranger" if request.from_fork else "shop"
        is_state = state == "all" or (request.state == "open") == (state == "open")
        return is_state and query.get("head") in (None, f"{owner}:{request.branch}") and query.get("base") == "main"

    def pulls_create(self, form: Document) -> Answer:
        branch, head = form["head"], self.repository.head(form["head"])
        why = None
        if not head:
            why = {"field": "head", "code": "invalid"}
        elif self.is_open(branch):
            why = {"code": "custom", "message": f"A pull request already exists for shop:{branch}."}
        elif head == self.repository.head("main"):
            why = {"code": "custom", "message": f"No commits between main and {branch}"}
        if why:
            return Answer(422, {"message": "Validation Failed", "errors": [{"resource": "PullRequest"} | why]})
        return Answer(201, self.document(self.opened(branch, form.get("title", ""), form.get("body", ""))))

    def pulls_update(self, number: str, form: Document) -> Answer:
        request = self.number(number)
        request.title, request.text = form.get("title", request.title), form.get("body", request.text)
        request.state = form.get("state", request.state)
        return Answer(200, self.document(request))

    def issues_create_comment(self, number: str, form: Document) -> Answer:
        self.number(number).comments.append(form["body"])
        return Answer(201, {"id": 1, "body": form["body"]})

    def repos_create_commit_status(self, commit: str, form: Document) -> Answer:
        if not self.has_commit(commit):
            return Answer(422, {"message": f"No commit found for SHA: {commit}"})
        self.statuses.append((commit, form.get("context", "default"), form["state"]))
        return Answer(201, {"state": form["state"]})

    def document(self, request: Request) -> Document:
        """Return a pull request as GitHub shows it."""
        owner = "stranger" if request.from_fork else "shop"
        return {
            "number": request.number,
            "state": "open" if request.state == "open" else "closed",
            "merged_at": "2026-01-01T00:00:00Z" if request.state == "merged" else None,
            "title": request.title,
            "body": request.text or None,
            "html_url": f"https://github.test/shop/deploy/pull/{request.number}",
            "head": {
                "ref": request.branch,
                "label": f"{owner}:{request.branch}",
                "repo": {"full_name": f"{owner}/deploy"},
            },
            "base": {"ref": "main"},
        }


class GitLab(Forge):
    """GitLab's API."""

    name = "gitlab"
    base = "/api/v4"
    operations = (
        Operation(
            "list_requests",
            "GET",
            "/projects/shop%2Fdeploy/merge_requests",
            {
                "state": one_of("opened", "closed", "locked", "merged", "all"),
                "source_branch": TEXT,
                "target_branch": TEXT,
                "order_by": one_of(
                    "created_at",
                    "label_priority",
                    "milestone_due",
                    "popularity",
                    "priority",
                    "title",
                    "updated_at",
                    "merged_at",
                ),
                "sort": one_of("asc", "desc"),
                "per_page": INTEGER | {"maximum": 100},
                "page": INTEGER,
            },
        ),
        Operation(
            "create_request",
            "POST",
            "/projects/shop%2Fdeploy/merge_requests",
            body=body(
                ("title", "source_branch", "target_branch"),
                title=TEXT,
                source_branch=TEXT,
                target_branch=TEXT,
                target_project_id=INTEGER,
                description=TEXT,
                assignee_id=INTEGER,
                assignee_ids=INTEGERS,
                reviewer_ids=INTEGERS,
                labels=TEXT,
                milestone_id=INTEGER,
                remove_source_branch=FLAG,
                squash=FLAG,
                allow_collaboration=FLAG,
            ),
        ),
        Operation(
            "update_request",
            "PUT",
            r"/projects/shop%2Fdeploy/merge_requests/(\d+)",
            body=body(
                title=TEXT,
                description=TEXT,
                state_event=one_of("close", "reopen"),
                target_branch=TEXT,
                labels=TEXT,
                remove_source_branch=FLAG,
                squash=FLAG,
                discussion_locked=FLAG,
            ),
        ),
        Operation(
            "create_note",
            "POST",
            r"/projects/shop%2Fdeploy/merge_requests/(\d+)/notes",
            body=body(("body",), body=TEXT, internal=FLAG, created_at=TEXT),
        ),
        Operation(
            "create_status",
            "POST",
            "/projects/shop%2Fdeploy/statuses/([0-9a-f]{40})",
            body=body(
                ("state",),
                state=one_of("pending", "running", "success", "failed", "canceled", "skipped"),
                ref=TEXT,
                name=TEXT,
                context=TEXT,
                target_url=TEXT,
                description=TEXT | {"maxLength": 255},
                coverage={"type": "number"},
                pipeline_id=INTEGER,
            ),
        ),
    )

    def is_known(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request shows the token."""
        return headers.get("PRIVATE-TOKEN") == self.token

    def list_requests(self, query: Document) -> Answer:
        asked = [each for each in reversed(self.requests) if self._is_asked(each, query)]
        return self.page([self.document(each) for each in asked], query, "per_page", 100)

    def _is_asked(self, request: Request, query: Document) -> bool:
        state = query.get("state", "all")
        is_state = state in ("all", {"open": "opened"}.get(request.state, request.state))
        return is_state and query.get("source_branch") in (None, request.branch)

    def create_request(self, form: Document) -> Answer:
        branch = form["source_branch"]
        if self.is_open(branch):
            number = self.open_of(branch)[0].number
            said = f"Another open merge request already exists for this source branch: !{number}"
            return Answer(409, {"message": [said]})
        if not self.repository.head(branch):
            return Answer(400, {"message": {"source_branch": ["does not exist"]}})
        return Answer(201, self.document(self.opened(branch, form["title"], form.get("description", ""))))

    def update_request(self, number: str, form: Document) -> Answer:
        request = self.number(number)
        request.title, request.text = form.get("title", request.title), form.get("description", request.text)
        request.state = {"close": "closed", "reopen": "open", None: request.state}[form.get("state_event")]
        return Answer(200, self.document(request))

    def create_note(self, number: str, form: Document) -> Answer:
        self.number(number).comments.append(form["body"])
        return Answer(201, {"id": 1, "body": form["body"]})

    def create_status(self, commit: str, form: Document) -> Answer:
        status = (commit, form.get("name", form.get("context", "default")), form["state"])
        if not self.has_commit(commit):
            return Answer(404, {"message": "404 Commit Not Found"})
        if status in self.statuses:
            said = "Cannot transition status via :success from :success (Reason(s): Status cannot transition)"
            return Answer(400, {"message": said})
        self.statuses.append(status)
        return Answer(201, {"status": form["state"]})

    def document(self, request: Request) -> Document:
        """Return a merge request as GitLab shows it."""
        return {
            "iid": request.number,
            "id": 1000 + request.number,
            "state": "opened" if request.state == "open" else request.state,
            "title": request.title,
            "description": request.text or None,
            "web_url": f"https://gitlab.test/shop/deploy/-/merge_requests/{request.number}",
            "source_branch": request.branch,
            "target_branch": "main",
            "source_project_id": 8 if request.from_fork else 7,
            "target_project_id": 7,
        }


class Gitea(Forge):
    """The API of Gitea and Forgejo."""

    name = "gitea"
    base = "/api/v1"
    operations = (
        Operation(
            "list_pull_requests",
            "GET",
            "/repos/shop/deploy/pulls",
            {
                "state": one_of("open", "closed", "all"),
                "sort": one_of(
                    "oldest", "recentupdate", "recentclose", "leastupdate", "mostcomment", "leastcomment", "priority"
                ),
                "milestone": INTEGER,
                "labels": TEXT,
                "page": INTEGER,
                "limit": INTEGER,
            },
        ),
        Operation(
            "create_pull_request",
            "POST",
            "/repos/shop/deploy/pulls",
            body=body(
                assignee=TEXT,
                assignees=TEXTS,
                base=TEXT,
                body=TEXT,
                due_date=TEXT,
                head=TEXT,
                labels=INTEGERS,
                milestone=INTEGER,
                title=TEXT,
                reviewers=TEXTS,
                team_reviewers=TEXTS,
            ),
        ),
        Operation(
            "edit_pull_request",
            "PATCH",
            r"/repos/shop/deploy/pulls/(\d+)",
            body=body(
                allow_maintainer_edit=FLAG,
                assignee=TEXT,
                assignees=TEXTS,
                base=TEXT,
                body=TEXT,
                due_date=TEXT,
                labels=INTEGERS,
                milestone=INTEGER,
                state=TEXT,
                title=TEXT,
                unset_due_date=FLAG,
            ),
        ),
        Operation(
            "create_comment",
            "POST",
            r"/repos/shop/deploy/issues/(\d+)/comments",
            body=body(("body",), body=TEXT, updated_at=TEXT),
        ),
        Operation(
            "create_status",
            "POST",
            "/repos/shop/deploy/statuses/([0-9a-f]{40})",
            body=body(
                state=one_of("pending", "success", "error", "failure", "warning", "skipped"),
                target_url=TEXT,
                description=TEXT,
                context=TEXT,
            ),
        ),
    )

    def is_known(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request shows the token."""
        return headers.get("Authorization") == f"token {self.token}"

    def list_pull_requests(self, query: Document) -> Answer:
        state = query.get("state", "open")
        asked = [each for each in self.requests if state == "all" or (each.state == "open") == (state == "open")]
        there = set(self.repository.branches())
        return self.page([self.document(each, each.branch in there) for each in asked], query, "limit", 50)

    def create_pull_request(self, form: Document) -> Answer:
        branch = form["head"]
        if not self.repository.head(branch):
            return Answer(404, {"message": "The target couldn't be found."})
        if self.is_open(branch):
            return Answer(409, {"message": f"pull request already exists for these targets [head_branch: {branch}]"})
        return Answer(201, self.document(self.opened(branch, form["title"], form.get("body", ""))))

    def edit_pull_request(self, number: str, form: Document) -> Answer:
        request = self.number(number)
        request.title, request.text = form.get("title", request.title), form.get("body", request.text)
        request.state = form.get("state", request.state)
        return Answer(201, self.document(request))

    def create_comment(self, number: str, form: Document) -> Answer:
        self.number(number).comments.append(form["body"])
        return Answer(201, {"id": 1, "body": form["body"]})

    def create_status(self, commit: str, form: Document) -> Answer:
        if not self.has_commit(commit):
            return Answer(404, {"message": "object does not exist"})
        self.statuses.append((commit, form["context"], form["state"]))
        return Answer(201, {"status": form["state"]})

    def document(self, request: Request, has_branch: bool = True) -> Document:
        """Return a pull request as Gitea shows it; of one whose branch was deleted, the ref is another."""
        owner = "stranger" if request.from_fork else "shop"
        ref = request.branch if has_branch else f"refs/pull/{request.number}/head"
        return {
            "number": request.number,
            "state": "open" if request.state == "open" else "closed",
            "merged": request.state == "merged",
            "title": request.title,
            "body": request.text,
            "html_url": f"https://gitea.test/shop/deploy/pulls/{request.number}",
            "head": {"label": request.branch, "ref": ref, "repo": {"full_name": f"{owner}/deploy"}},
            "base": {"label": "main", "ref": "main", "repo": {"full_name": "shop/deploy"}},
        }


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
