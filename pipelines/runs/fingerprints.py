"""The inputs of a run, as short digests: if none of them changed since the last run, there is nothing new.

Code counts by its syntax trees, which comments, docstrings and formatting do not change; sources by what their readers
say of their content, which is cheap enough to ask before every run.
"""

import ast
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from components.contracts.feedback import SERVED_SOURCE
from components.contracts.urls import public_url
from components.feedback.segments.layout import has_feedback
from components.home.layout import Home
from components.ingest_events.reader import SourceContext, open_reader
from components.shop.settings import Shop
from components.shop.sources import Source
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


def syntax_digest(source: bytes) -> bytes:
    """Digest the syntax tree of a module; equal for sources that differ in comments, docstrings and formatting only.

    A string that stands alone as a statement counts as a docstring. The digest is the same in all versions of Python
    that read the source alike.

    Raises:
        SyntaxError: it is not Python.
    """
    digest = hashlib.sha256()
    for part in _parts(ast.parse(source)):
        digest.update(part.encode())
    return digest.digest()


def _parts(value: object) -> Iterator[str]:
    """Yield what a node or a value of one holds; fields that hold nothing are passed over."""
    if isinstance(value, ast.AST):
        yield f"({type(value).__name__}"
        for name, held in ast.iter_fields(value):
            if held is not None and held != [] and name != "kind":  # u"a" says "a"
                yield f" {name}="
                yield from _parts(held)
        yield ")"
    elif isinstance(value, list):
        yield "["
        for each in value:
            if not (isinstance(each, ast.Pass) or _is_docstring(each)):
                yield from _parts(each)
        yield "]"
    else:
        yield f"{value!r};"


def _is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def sources_fingerprint(shop: Shop, home: Home | None = None) -> str:
    """Digest every source by what its reader says of its content.

    Args:
        home: digest what its service logged, too.

    Raises:
        SourceError: a source cannot be reached.
    """
    digest, now = hashlib.sha256(), datetime.now(UTC)
    for name, source in _sources(shop, home):
        context = SourceContext(where=name, table=name, zone=shop.zone, now=now, home=home)
        for part in open_reader(source, context).fingerprint():
            digest.update(repr((name, *part)).encode())
    return digest.hexdigest()[:16]


def _sources(shop: Shop, home: Home | None) -> Iterator[tuple[str, Source]]:
    """Yield every source of a shop, and of its service, by its name."""
    for events in shop.events:
        yield events.name, events.source
    for section in ("items", "users", "promotions", "impressions"):
        described = getattr(shop, section)
        if described is not None:
            yield section, described.source
    if home is not None and has_feedback(home):
        yield SERVED_SOURCE, shop.feedback
