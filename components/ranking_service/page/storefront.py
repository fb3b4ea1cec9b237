"""The storefront page, and the read-only routes that only it needs.

::

    GET /                     the page
    GET /page/<asset>         its script and style
    GET /v1/shop              what there is to choose from
    GET /v1/customers         ids that begin with ``like``, at most ``limit``
    GET /v1/customers/{id}    what a customer bought
"""

import asyncio
import hashlib
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from importlib.resources import files
from itertools import takewhile
from pathlib import PurePath
from typing import Any, TypeVar

import orjson
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from components.contracts.errors import StoreError
from components.contracts.ids import MAX_ID_CHARACTERS, id_text
from components.ranking_service.answering.purchases import Bought

PAGE = "index.html"
MOST_CUSTOMERS = 100
SOME_CUSTOMERS = 20
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # a browser asks each time, and is told that nothing changed
}
JSON = "application/json"
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
Found = TypeVar("Found")


class TextConvertor(PathConvertor):
    """All the rest of a path, line breaks too: an id may hold any text."""

    regex = r"[\s\S]*"


register_url_convertor("text", TextConvertor())


@dataclass(frozen=True)
class Arm:
    """A way to rank that can be asked for: its bundle (None when it has none), and its share of the customers."""

    name: str
    bundle: str | None
    share: float


@dataclass(frozen=True)
class Storefront:
    """What the page shows of the service; whoever answers requests makes it anew when something changes.

    ``rules`` are those of the live bundle. ``customers`` are all known ids, sorted. ``bought`` tells a customer's
    purchases, newest first, or None for an unknown one; it raises StoreError when that cannot be known.
    """

    shop: str
    environment: str
    k: int
    arms: Sequence[Arm]
    sources: Sequence[str]
    rules: Mapping[str, Any]
    categories: Sequence[str]
    customers: Callable[[], Sequence[str]]
    bought: Callable[[str], Sequence[Bought] | None]


@dataclass(frozen=True)
class Asset:
    """A file of the page, as it is sent."""

    content: bytes
    media_type: str
    etag: str

    def answer(self, request: Request) -> Response:
        """Send it, unless the browser has it already."""
        headers = HEADERS | {"ETag": self.etag}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


def storefront_routes() -> list[Route]:
    """Make the routes; the page's files are read now, ``request.app.state.serving.live`` at each request."""
    assets = read_assets()

    async def page(request: Request) -> Response:
        return assets[PAGE].answer(request)

    async def asset(request: Request) -> Response:
        found = assets.get(request.path_params["asset"])
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return found.answer(request)

    endpoints = {
        "/": page,
        "/page/{asset}": asset,
        "/v1/shop": shop,
        "/v1/customers": customers,
        "/v1/customers/{user_id:text}": customer,
    }
    return [Route(path, endpoint, methods=["GET"]) for path, endpoint in endpoints.items()]


def read_assets() -> dict[str, Asset]:
    """Read the page's files, by name."""
    found = {}
    for file in files("components.ranking_service.page").joinpath("assets").iterdir():
        content = file.read_bytes()
        kind = MEDIA_TYPES[PurePath(file.name).suffix]
        found[file.name] = Asset(content, kind, f'"{hashlib.sha256(content).hexdigest()[:16]}"')
    return found


async def shop(request: Request) -> Response:
    """Answer with what there is to choose from."""
    live = _live(request)
    arms = [asdict(arm) for arm in live.arms]
    told = {"shop": live.shop, "environment": live.environment, "k": live.k, "arms": arms, "sources": live.sources}
    return _json(told | {"rules": live.rules, "categories": live.categories})


async def customers(request: Request) -> Response:
    """Answer with customers whose ids begin with a text."""
    like = request.query_params.get("like", "")
    limit = _limit(request.query_params.get("limit", str(SOME_CUSTOMERS)))
    every = await asyncio.to_thread(_known, _live(request).customers)  # the first time it reads the whole store
    first = bisect_left(every, like)
    beginning = takewhile(lambda found: found.startswith(like), every[first : first + limit])
    return _json({"customers": list(beginning)})


async def customer(request: Request) -> Response:
    """Answer with what a customer bought; one who is not known bought nothing yet."""
    user_id = id_text(request.path_params["user_id"])
    if not 0 < len(user_id) <= MAX_ID_CHARACTERS:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"user_id: expected 1 to {MAX_ID_CHARACTERS} characters")
    live = _live(request)
    bought = _known(lambda: live.bought(user_id))
    return _json({"user_id": user_id, "known": bought is not None, "bought": [asdict(row) for row in bought or ()]})


def _live(request: Request) -> Storefront:
    live = request.app.state.serving.live
    if live is None:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "there is nothing to rank with yet", {"Retry-After": "1"})
    found: Storefront = live.storefront
    return found


def _limit(given: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) < 10 and 1 <= int(given) <= MOST_CUSTOMERS):
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"limit: expected a whole number from 1 to {MOST_CUSTOMERS}"
        )
    return int(given)


def _known(read: Callable[[], Found]) -> Found:
    try:
        return read()
    except StoreError as error:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, "the feature store cannot be reached", {"Retry-After": "1"}
        ) from error


def _json(document: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type=JSON, headers={"Cache-Control": "no-store"})
