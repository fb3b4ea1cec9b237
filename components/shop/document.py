"""A shop file as a document: reading it, resolving its paths, and saying in one line what is wrong with it."""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from components.contracts.errors import ConfigurationError
from components.contracts.urls import without_users

SQLITE = "sqlite:///"


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


def resolve_sources(document: Any, folder: Path) -> Any:
    """Return the document with every relative source path, and SQLite file, made absolute against a folder."""
    if isinstance(document, list):
        return [resolve_sources(entry, folder) for entry in document]
    if not isinstance(document, dict):
        return document
    return {
        key: _resolve_source(value, folder)
        if key == "source" and isinstance(value, dict)
        else resolve_sources(value, folder)
        for key, value in document.items()
    }


def _resolve_source(source: dict[str, Any], folder: Path) -> dict[str, Any]:
    path, url = source.get("path"), source.get("url")
    resolved = dict(source)
    if isinstance(path, str) and path and not path.startswith("package:"):
        resolved["path"] = str(folder / path)
    if isinstance(url, str) and url.startswith(SQLITE) and len(url) > len(SQLITE):
        resolved["url"] = SQLITE + str(folder / url.removeprefix(SQLITE))
    return resolved


def describe_mistakes(error: ValidationError, settings: type[BaseModel]) -> str:
    """Say the first mistake in one line (key, found, expected), and how many more there are."""
    mistakes = error.errors(include_url=False)
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    return _describe_mistake(mistakes[0], settings) + more


def _describe_mistake(mistake: Any, settings: type[BaseModel]) -> str:
    key = _dotted(mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        return f"`{key}`: found an unknown key, expected {_expected_keys(mistake['loc'], settings)}"
    if mistake["type"] == "missing":
        return f"`{key}`: found nothing, expected this key; it has no default"
    expected = mistake["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if mistake["type"] == "value_error":
        return f"`{key}`: {expected}" if key else expected
    return f"`{key}`: found {without_users(repr(mistake['input']))}, expected {expected}"


def _dotted(location: tuple[str | int, ...]) -> str:
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(words).removeprefix(".")


def _expected_keys(location: tuple[str | int, ...], settings: type[BaseModel]) -> str:
    section: Any = settings
    for part in location[:-1]:
        if isinstance(part, str):
            section = section_of(section.model_fields[part].annotation)
    known = sorted(section.model_fields)
    close = get_close_matches(str(location[-1]), known, n=1)
    return f"`{close[0]}`?" if close else f"one of {', '.join(known)}"


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The settings type inside an annotation such as ``tuple[EventSource, ...]`` or ``ItemSource | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_of(part))), None)
