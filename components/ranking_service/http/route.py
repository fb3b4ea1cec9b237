"""What is declared of a route, once: router, metric labels, access, admission and OpenAPI all follow from it."""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

Endpoint = Callable[[Request], Awaitable[Response]]
Method = Literal["GET", "POST"]
CONVERTOR = re.compile(r":\w+(?=})")  # in a path's parameter: {user_id:text}


class Admission(Enum):
    """What a request must pass before its endpoint runs. All but ``OPEN`` ask for a key and count for their caller."""

    OPEN = auto()  # nothing: every caller is answered at once
    QUEUED = auto()  # a turn, which the edge waits for
    READ_FIRST = auto()  # a turn, which the endpoint waits for once it has read the body
    SHED = auto()  # the same, and it is refused unread while too many wait already


@dataclass(frozen=True)
class Parameter:
    """A parameter of a path or a query, with its JSON schema."""

    name: str
    place: Literal["path", "query"]
    schema: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Route:
    """One path and what answers it.

    ``path`` is written as Starlette reads it. ``summary`` is empty where a route is not in the document.
    ``request``: type of the JSON body. ``answer``: type of the JSON answer, or ``str`` for plain text. ``problems``:
    statuses of refusals beyond those that follow from the rest.
    """

    method: Method
    path: str
    endpoint: Endpoint
    summary: str = ""
    request: type[BaseModel] | None = None
    answer: Any = str
    status: int = 200
    problems: tuple[int, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    admission: Admission = Admission.QUEUED
    is_logged: bool = True

    @cached_property
    def label(self) -> str:
        """The path as metrics, the log and OpenAPI name it: the same for all values of its parameters."""
        return CONVERTOR.sub("", self.path)

    @property
    def is_open(self) -> bool:
        """Whether the route is answered without a key."""
        return self.admission is Admission.OPEN


async def _not_found(_: Request) -> Response:
    raise HTTPException(HTTPStatus.NOT_FOUND)


UNKNOWN = Route("GET", "other", _not_found)
"""Stands for every path that no route answers: a closed one, which metrics call ``other``."""


class RouteTable:
    """The routes of a service."""

    def __init__(self, *routes: Route) -> None:
        self._routes = routes
        self._by_path = {route.path: route for route in routes}
        self._by_prefix = {route.path.partition("{")[0]: route for route in routes if "{" in route.path}

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def find(self, path: str) -> Route:
        """Return the route that a path leads to, whatever its parameter holds; ``UNKNOWN`` if there is none."""
        route = self._by_path.get(path)
        if route is not None:
            return route
        return next((route for prefix, route in self._by_prefix.items() if path.startswith(prefix)), UNKNOWN)
