"""One request on its way: what the edge knows of it, and what the answer adds."""

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.requests import Request

from components.ranking_service.telemetry.stopwatch import Stopwatch

SCOPE_KEY = "rankloop.context"
REQUEST_ID = b"x-request-id"
MAX_CHARACTERS = 100
VISIBLE = bytes(range(0x21, 0x7F))


@dataclass(slots=True)
class RequestContext:
    """A request and its answer; the edge makes it, the routes fill in from ``arm`` on, the edge reports it."""

    request_id: str
    route: str
    caller: str
    began_ns: int = field(default_factory=time.perf_counter_ns)
    ended_ns: int = 0
    """When the answer was sent whole, like ``began_ns`` by ``time.perf_counter_ns``; 0: not yet."""
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    """What was answered; an application that fails before it answers leaves this one."""
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    arm: str | None = None
    bundle: str | None = None
    fallback: str | None = None
    is_empty: bool = False
    """Whether the answer is a list without items."""
    best_score: float | None = None
    """Where the best score of a list lies among its bundle's reference scores, 0 to 1."""
    user_id: str | None = None
    is_counted: bool = True
    """False for a preview: it counts as a request, not as an answer of its arm."""
    charge: Callable[[float], None] = lambda cost: None
    """Takes what the request costs, once it is read, from what its caller may ask."""

    @property
    def seconds(self) -> float:
        """Time from the request's head to the answer's end."""
        return (self.ended_ns - self.began_ns) / 1e9


def context_of(request: Request) -> RequestContext:
    """Return the context of a request; a fresh one where no edge stands before the application."""
    context = request.scope.get(SCOPE_KEY)
    if not isinstance(context, RequestContext):
        context = request.scope[SCOPE_KEY] = RequestContext(uuid.uuid4().hex, request.url.path, "")
    return context


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id that the caller gave (1 to 100 visible ASCII characters, once), else a fresh one."""
    given = [value for name, value in headers if name == REQUEST_ID]
    if len(given) == 1 and 0 < len(given[0]) <= MAX_CHARACTERS and not given[0].translate(None, VISIBLE):
        return given[0].decode("ascii")
    return uuid.uuid4().hex
