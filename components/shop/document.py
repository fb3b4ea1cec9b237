"""A shop file as a document: read it, and say in one line what is wrong with it."""

import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from components.contracts.errors import ConfigurationError
from components.contracts.urls import without_users


def read_document(path: Path) -> dict[str, Any]:
    """Read a TOML document.

    Raises:
        ConfigurationError: the file is missing, unreadable, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: there is no such shop file; name one with --shop") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: the shop file cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: this is not TOML: {error}") from error


def describe_mistakes(error: ValidationError, settings: type[BaseModel]) -> str:
    """Say the first mistake in one line (key, found, expected), and how many more there are."""
    mistakes = error.errors(include_url=False)
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    return _describe_mistake(mistakes[0], settings) + more


def _describe_mistake(mistake: Any, settings: type[BaseModel]) -> str:
    location, section = _locate(mistake["loc"], settings)
    key = _dotted(location)
    if mistake["type"] == "extra_forbidden":
        return f"`{key}`: found an unknown key, expected {_expected_keys(str(location[-1]), section)}"
    if mistake["type"] == "missing":
        return f"`{key}`: found nothing, expected this key; it has no default"
    if mistake["type"].startswith("union_tag"):
        return _describe_kind(key, mistake)
    expected = mistake["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if mistake["type"] == "value_error":
        return f"`{key}`: {expected}" if key else expected
    return f"`{key}`: found {without_users(repr(mistake['input']))}, expected {expected}"


def _describe_kind(key: str, mistake: Any) -> str:
    """Say which kinds a section may be of, whose key ``kind`` decides the other keys."""
    if mistake["type"] == "union_tag_not_found":
        return f"`{key}.kind`: found nothing, expected this key; it has no default"
    kinds = " or ".join(mistake["ctx"]["expected_tags"].rsplit(", ", 1))
    return f"`{key}.kind`: found {mistake['ctx']['tag']!r}, expected {kinds}"


def _locate(location: tuple[str | int, ...], settings: type[BaseModel]) -> tuple[list[str | int], type[BaseModel]]:
    """Return a mistake's place as the file has it, and the section it is in: pydantic names the kind of one, too."""
    keys: list[str | int] = []
    section, parts = settings, iter(location)
    for part in parts:
        keys.append(part)
        field = section.model_fields.get(part) if isinstance(part, str) else None
        sections = sections_of(field.annotation) if field else []
        if len(sections) > 1:
            kind = next(parts, None)
            sections = [each for each in sections if kind in get_args(each.model_fields["kind"].annotation)]
        section = sections[0] if sections else section
    return keys, section


def _dotted(location: Sequence[str | int]) -> str:
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(words).removeprefix(".")


def _expected_keys(unknown: str, section: type[BaseModel]) -> str:
    known = sorted(section.model_fields)
    close = get_close_matches(unknown, known, n=1)
    return f"`{close[0]}`?" if close else f"one of {', '.join(known)}"


def sections_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the settings types inside an annotation: several, where the key ``kind`` decides between them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in sections_of(part)]
