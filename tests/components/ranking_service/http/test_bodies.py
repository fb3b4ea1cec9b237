"""Bodies as clients of other languages write them: encodings, byte order marks, packing."""

import asyncio
import codecs
import gzip
import json
from collections.abc import Sequence

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from components.ranking_service.http.bodies import read_body
from components.ranking_service.http.schemas import Document

TEXT = json.dumps({"name": "Zoë"}, ensure_ascii=False)


class Asked(Document):
    name: str


def read(body: bytes, content_type: str = "application/json", packed: Sequence[str] = ()) -> str:
    headers = [(b"content-type", content_type.encode()), *((b"content-encoding", each.encode()) for each in packed)]

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return asyncio.run(read_body(Request({"type": "http", "headers": headers}, receive), Asked)).name


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (TEXT.encode(), ""),
        (TEXT.encode(), ";charset=utf-8"),
        (TEXT.encode(), '; Charset="UTF8"'),
        (TEXT.encode(), "; profile=x; charset=utf-8"),
        (TEXT.encode("utf-8-sig"), ""),
        (TEXT.encode("utf-8-sig"), "; charset=iso-8859-1"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), ""),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "; charset=utf-8"),
        (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), ""),
        (TEXT.encode("utf-16-be"), "; charset=UTF-16BE"),
        (TEXT.encode("latin-1"), "; charset=ISO-8859-1"),
        (TEXT.encode("cp1252"), "; charset=windows-1252"),
    ],
)
def test_a_body_is_read_in_the_encoding_that_it_has(body: bytes, parameter: str) -> None:
    assert read(body, f"application/json{parameter}") == "Zoë"


@pytest.mark.parametrize(
    ("body", "parameter"),
    [(TEXT.encode("latin-1"), ""), (codecs.BOM_UTF16_LE + b"{", ""), (b'{"name": "a"}', "; charset=utf-32")],
)
def test_a_body_in_no_such_encoding_is_malformed(body: bytes, parameter: str) -> None:
    assert refusal(body, f"application/json{parameter}").status_code == 400


@pytest.mark.parametrize("charset", ["ebcdic-us", "zip", "x" * 5000, ""])
def test_an_encoding_that_is_not_read_is_named(charset: str) -> None:
    error = refusal(TEXT.encode(), f"application/json; charset={charset}")
    assert (error.status_code, len(error.detail) < 250) == (415, True)
    assert f"found charset {charset[:100]}, expected utf-8" in error.detail


@pytest.mark.parametrize(
    "packed", [["gzip"], ["br"], ["zstd"], ["deflate"], ["identity, GZIP"], ["identity", "x-gzip"]]
)
def test_a_packed_body_is_refused_with_what_is_taken(packed: Sequence[str]) -> None:
    error = refusal(gzip.compress(TEXT.encode()), packed=packed)
    assert (error.status_code, error.headers) == (415, {"Accept-Encoding": "identity"})
    assert "expected a body that is not packed" in error.detail


@pytest.mark.parametrize("body", [gzip.compress(b"{}", mtime=0), b"\x28\xb5\x2f\xfd\x04"])
def test_a_packed_body_that_does_not_say_so_is_refused_too(body: bytes) -> None:
    error = refusal(body)
    assert (error.status_code, error.headers) == (415, {"Accept-Encoding": "identity"})


@pytest.mark.parametrize("packed", [["identity"], [""], ["Identity", "identity"]])
def test_a_body_that_says_it_is_not_packed_is_read(packed: Sequence[str]) -> None:
    assert read(TEXT.encode(), packed=packed) == "Zoë"


def refusal(body: bytes, content_type: str = "application/json", packed: Sequence[str] = ()) -> HTTPException:
    with pytest.raises(HTTPException) as error:
        read(body, content_type, packed)
    return error.value
