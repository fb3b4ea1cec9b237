"""The inputs of a run, as short digests: if none of them changed since the last run, there is nothing new."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from components.contracts.urls import public_url
from pipelines.runs.source_fingerprint import sources_fingerprint
from pipelines.runs.syntax import syntax_digest
from pipelines.settings import RunSettings

ROOT = Path(__file__).parents[2]
PACKAGES = ("components", "feature_repo", "pipelines")
INPUTS = ("code", "shop", "sources", "as_of")  # where the online store is changes none of what a run comes to
NO_CODE = (Path("pipelines/shops"),)  # a run digests its own shop file and sources
LIBRARIES = ("bentoml", "deltalake", "duckdb", "feast", "ibis-framework", "numpy", "pyarrow", "xgboost-cpu")


def fingerprint(settings: RunSettings, last: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the digests of code, shop file, sources and moment, and where the online store is.

    Code whose files are those of the ``last`` fingerprint is not read again.

    Raises:
        SourceError: a source cannot be reached.
    """
    files, last = files_digest(), last or {}
    return {
        "files": files,
        "code": last["code"] if last.get("files") == files else code_digest(),
        "shop": _digest([settings.shop_file.read_bytes()]),
        "sources": sources_fingerprint(settings.shop, settings.home),
        "as_of": settings.as_of.isoformat() if settings.as_of else "",
        "online": public_url(settings.home.online_url),
    }


def code_digest() -> str:
    """Digest the project's packages and the versions of the libraries that decide answers.

    Of Python files the syntax counts, without comments, docstrings and formatting; of other files every byte.
    """
    return _digest_of_files(_syntax)


def files_digest() -> str:
    """Digest the same by every byte: equal ones have equal code."""
    return _digest_of_files(Path.read_bytes)


def _syntax(file: Path) -> bytes:
    content = file.read_bytes()
    if file.suffix != ".py":
        return content
    try:
        return syntax_digest(content)
    except (SyntaxError, ValueError, RecursionError):  # no step imports it, or the step will say so
        return content


def _digest_of_files(content: Callable[[Path], bytes]) -> str:
    versions = [f"{name}=={version(name)}".encode() for name in LIBRARIES]
    files = [part for file in _source_files() for part in (str(file.relative_to(ROOT)).encode(), content(file))]
    return _digest(versions + files)


def _source_files() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted(file for file in (ROOT / package).rglob("*") if file.is_file() and _is_source(file))


def _is_source(file: Path) -> bool:
    place = file.relative_to(ROOT)
    return "__pycache__" not in place.parts and not any(place.is_relative_to(folder) for folder in NO_CODE)


def _digest(parts: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:16]
