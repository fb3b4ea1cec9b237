"""JSON documents as frozen dataclasses; pydantic checks them and names each mistake."""

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

Document = TypeVar("Document")
SHOWN_CHARACTERS = 80
closed = with_config(ConfigDict(extra="forbid"))  # decorates a dataclass whose documents hold its fields alone


def parse_json(kind: type[Document], content: bytes | str) -> Document:
    """Read JSON as an object of a type.

    Raises:
        ValueError: it is no JSON, or not of that type; each mistake is said with its place, in one line.
    """
    try:
        adapter: TypeAdapter[Document] = _adapter(cast(Hashable, kind))
        return adapter.validate_json(content)
    except ValidationError as error:
        raise ValueError("; ".join(_mistake(dict(each)) for each in error.errors(include_url=False))) from error


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, kind))


def _mistake(mistake: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "json_invalid":
        return f"found what is not JSON: {mistake['msg'].removeprefix('Invalid JSON: ')}"
    if mistake["type"] in ("missing", "unexpected_keyword_argument"):
        return f"{place} is {'missing' if mistake['type'] == 'missing' else 'not known'}"
    expected = mistake["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"{place or 'the document'}: found {mistake['input']!r:.{SHOWN_CHARACTERS}}, expected {expected}"
