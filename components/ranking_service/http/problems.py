"""Errors as callers see them: RFC 9457 problem documents, never a traceback."""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from starlette.responses import Response


class Problem(Exception):  # noqa: N818 - the term of RFC 9457
    """A request that cannot be answered; ``detail`` says what was found, what was expected."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers

    @property
    def response(self) -> Response:
        """The problem document."""
        document = {"type": "about:blank", "title": self.status.phrase, "status": self.status, "detail": self.detail}
        return Response(orjson.dumps(document), self.status, self.headers, media_type="application/problem+json")
