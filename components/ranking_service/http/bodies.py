"""Reading request bodies: JSON of a bounded size within a bounded time, or a problem that says what was found.

JSON is UTF-8; clients that write it otherwise say so in the content type or by a byte order mark, and are understood.
A packed body is refused with what is taken instead (RFC 9110, 15.5.16), for what it holds has no bound.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TypeVar

from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request

from components.contracts.encodings import MARKS, UTF_8, mark_of
from components.ranking_service.http.costs import cost_of_body
from components.ranking_service.http.schemas import Document
from components.ranking_service.live.serving import serving_of
from components.ranking_service.telemetry.request_context import context_of

MAX_BYTES = 256 * 1024
SMALL_BYTES = 4 * 1024  # which are parsed in less time than waiting for a turn takes
MAX_ECHOED = 100  # characters of what the caller sent that an answer repeats
BODY_SECONDS = 1.0
JSON = "application/json"
IDENTITY = "identity"
CHARSETS = {
    **dict.fromkeys(("utf-8", "utf8", "us-ascii", "ascii", "utf-8-sig"), UTF_8),
    **{name: name for name in ("utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be")},
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1"), "iso-8859-1"),
    **{name: name for name in ("iso-8859-15", "windows-1252")},
}
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}  # how such bodies begin; no text in UTF-8 does
Parsed = TypeVar("Parsed", bound=Document)


@dataclass(frozen=True)
class Body:
    """A body that has come whole, and is not parsed yet."""

    content: bytes
    charset: str

    @property
    def is_small(self) -> bool:
        """Whether it is parsed at once."""
        return len(self.content) <= SMALL_BYTES


async def read_body(request: Request, kind: type[Parsed]) -> Parsed:
    """Read a request's body.

    Raises:
        HTTPException: as ``receive_body`` and ``parse_body``.
    """
    return await parse_body(request, await receive_body(request), kind)


async def receive_body(request: Request) -> Body:
    """Receive a request's body.

    Raises:
        HTTPException: it is not JSON by its content type, packed, too large or too slow.
    """
    charset = _charset(request.headers)
    _check_is_plain(request.headers)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            content = await _content(request)
    except TimeoutError as error:
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, f"the body took more than {BODY_SECONDS} s") from error
    _check_begins_plain(content)
    return Body(content, charset)


async def parse_body(request: Request, body: Body, kind: type[Parsed]) -> Parsed:
    """Parse a body: a large one when its caller's turn has come, and it counts by its size.

    Raises:
        HTTPException: it is not JSON, or breaks a limit of its schema.
    """
    if body.is_small:
        return _parsed(body, kind)
    context, cost = context_of(request), cost_of_body(len(body.content))
    context.charge(cost)
    return await serving_of(request).queue.run(partial(_parsed, body, kind), context.caller, cost)


def _parsed(body: Body, kind: type[Parsed]) -> Parsed:
    try:
        return kind.model_validate_json(_in_utf_8(body.content, body.charset))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:MAX_ECHOED] or "body"
        malformed = first["type"] == "json_invalid"
        status = HTTPStatus.BAD_REQUEST if malformed else HTTPStatus.UNPROCESSABLE_ENTITY
        raise HTTPException(status, f"{place}: {first['msg']}") from error


def _charset(headers: Headers) -> str:
    """Return the encoding that a JSON body's content type names, UTF-8 if it names none.

    Raises:
        HTTPException: it is no JSON, or in an encoding that is not read.
    """
    content_type = headers.get("content-type", "nothing")
    if content_type == JSON:
        return UTF_8
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != JSON:
        media_type = kind.strip().lower()[:MAX_ECHOED]
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-type: found {media_type}, expected {JSON}")
    named = [value for name, _, value in (each.partition("=") for each in parameters.split(";")) if _is_charset(name)]
    given = named[0].strip().strip("\"'").lower() if named else UTF_8
    if given not in CHARSETS:
        detail = f"content-type: found charset {given[:MAX_ECHOED]}, expected {UTF_8}, which all JSON is in"
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    return CHARSETS[given]


def _is_charset(parameter: str) -> bool:
    return parameter.strip().lower() == "charset"


def _check_is_plain(headers: Headers) -> None:
    """Refuse a packed body.

    Raises:
        HTTPException: 415, with what is taken.
    """
    steps = ",".join(headers.getlist("content-encoding")).lower()
    packed = [step.strip() for step in steps.split(",") if step.strip() not in ("", IDENTITY)]
    if packed:
        raise _packed(f"content-encoding: found {', '.join(packed)[:MAX_ECHOED]}")


def _check_begins_plain(body: bytes) -> None:
    """Refuse a packed body whose head does not say so.

    Raises:
        HTTPException: 415, with what is taken.
    """
    for begin, name in PACKED.items():
        if body.startswith(begin):
            raise _packed(f"body: found what begins as {name} does")


def _packed(description: str) -> HTTPException:
    detail = f"{description}, expected a body that is not packed"
    return HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept-Encoding": IDENTITY})


def _in_utf_8(body: bytes, charset: str) -> bytes:
    """Return a body in UTF-8 without a byte order mark; the mark tells more than the content type.

    Raises:
        HTTPException: it is in no such encoding.
    """
    mark = mark_of(body)
    encoding = MARKS.get(mark, charset)
    if encoding == UTF_8:
        return body.removeprefix(mark)
    try:
        return body.removeprefix(mark).decode(encoding).encode()
    except UnicodeError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"body: found what is not {encoding}, expected {UTF_8}") from error


async def _content(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {MAX_BYTES:,} bytes")
    return bytes(body)
