"""Endpoints of the storefront page: its files, and the read-only documents that only it needs.

::

    GET /                     the page
    GET /page/<asset>         its script and style
    GET /v1/shop              what there is to choose from
    GET /v1/customers         ids that begin with ``like``, at most ``limit``
    GET /v1/customers/{user_id}    what a customer bought
"""

import asyncio
import hashlib
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import takewhile
from pathlib import PurePath
from typing import TypeVar

import orjson
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict  # pydantic reads that of ``typing`` from Python 3.12 on

from components.contracts.errors import StoreError
from components.contracts.ids import MAX_ID_CHARACTERS, id_text
from components.ranking_service.answering.purchases import PastPurchase
from components.ranking_service.http.bodies import JSON
from components.ranking_service.http.problems import unavailable
from components.ranking_service.live.serving import serving_of
from components.ranking_service.page.storefront import Storefront

PAGE = "index.html"
MAX_CUSTOMERS = 100
DEFAULT_CUSTOMERS = 20
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # a browser asks each time, and is told that nothing changed
}
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
Value = TypeVar("Value")


class TextConvertor(PathConvertor):
    """All the rest of a path, line breaks too: an id may hold any text."""

    regex = r"[\s\S]*"


register_url_convertor("text", TextConvertor())


class Customers(TypedDict):
    """Ids of customers, sorted."""

    customers: Sequence[str]


class Customer(TypedDict):
    """What a customer bought, newest first."""

    user_id: str
    known: bool
    bought: Sequence[PastPurchase]


@dataclass(frozen=True)
class Asset:
    """A file of the page, as it is sent."""

    content: bytes
    media_type: str
    etag: str

    def response(self, request: Request) -> Response:
        """Send it, unless the browser has it already."""
        headers = HEADERS | {"ETag": self.etag}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


@cache
def page_assets() -> dict[str, Asset]:
    """Read the page's files, once, by name."""
    return {file.name: _asset(file) for file in files("components.ranking_service.page").joinpath("assets").iterdir()}


def _asset(file: Traversable) -> Asset:
    content = file.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return Asset(content, MEDIA_TYPES[PurePath(file.name).suffix], etag)


async def page(request: Request) -> Response:
    """Answer with the page."""
    return page_assets()[PAGE].response(request)


async def asset(request: Request) -> Response:
    """Answer with a script or a style of the page."""
    file = page_assets().get(request.path_params["asset"])
    if file is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return file.response(request)


async def shop(request: Request) -> Response:
    """Answer with what there is to choose from."""
    return _json(_storefront(request).shop)


async def customers(request: Request) -> Response:
    """Answer with customers whose ids begin with a text."""
    beginning = request.query_params.get("like", "")
    limit = _limit(request.query_params.get("limit", str(DEFAULT_CUSTOMERS)))
    user_ids = await asyncio.to_thread(_read, _storefront(request).customers)  # the first time it reads the whole store
    first = bisect_left(user_ids, beginning)
    matches = takewhile(lambda user_id: user_id.startswith(beginning), user_ids[first : first + limit])
    return _json(Customers(customers=list(matches)))


async def customer(request: Request) -> Response:
    """Answer with what a customer bought; one who is not known bought nothing yet."""
    user_id = id_text(request.path_params["user_id"])
    if not 0 < len(user_id) <= MAX_ID_CHARACTERS:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"user_id: expected 1 to {MAX_ID_CHARACTERS} characters")
    storefront = _storefront(request)
    bought = _read(lambda: storefront.bought(user_id))
    return _json(Customer(user_id=user_id, known=bought is not None, bought=bought or ()))


def _storefront(request: Request) -> Storefront:
    live = serving_of(request).live
    if live is None:
        raise unavailable("there is nothing to rank with yet")
    return live.storefront


def _limit(given: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) < 10 and 1 <= int(given) <= MAX_CUSTOMERS):
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"limit: expected a whole number from 1 to {MAX_CUSTOMERS}"
        )
    return int(given)


def _read(read: Callable[[], Value]) -> Value:
    try:
        return read()
    except StoreError as error:
        raise unavailable("the feature store cannot be reached") from error


def _json(answer: object) -> Response:
    return Response(orjson.dumps(answer), media_type=JSON, headers={"Cache-Control": "no-store"})
