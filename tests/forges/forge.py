"""What the forges of tests have in common: pull requests of a real repository, and a strict look at each request."""

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import jsonschema_rs

from tests.git_server import Repository

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
            gates = [state for commit, context, state in self.statuses if (commit, context) == (head, GATE)]
            if request.state != "open" or gates[-1:] != ["success"]:
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

    def of(self, commit: str) -> list[tuple[int, str, str]]:
        """Return the statuses of a commit, the oldest first: number, context and state."""
        return [(number, *status[1:]) for number, status in enumerate(self.statuses, 1) if status[0] == commit]

    def changed(self, request: Request) -> list[str]:
        """Return the paths that a pull request changes."""
        return self.repository.git("diff", "--name-only", f"main...{request.branch}").splitlines()

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
