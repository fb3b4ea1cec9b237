"""Which versions of the lake's tables somebody names: runs, feature sets and bundles can be repeated from them."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from components.home.layout import Home
from components.home.storage.documents import has_document, list_names, read_document
from components.home.storage.locations import Location

Versions = dict[str, int]
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError)


def named_versions(home: Home) -> dict[Location, set[int]]:
    """Return the versions that documents name, by table; a run names them as long as its folder exists.

    Raises:
        UNREADABLE: a document that may name versions cannot be read, or is none.
    """
    named: dict[Location, set[int]] = defaultdict(set)
    for kind, versions in _naming(home):
        for table, version in versions.items():
            named[home.handed_table(kind, table)].add(version)
    return named


def _naming(home: Home) -> Iterator[tuple[str, Versions]]:
    for record in _documents_below(home.runs, "steps"):
        for handle in _read(record).get("handles", {}).values():
            yield handle["kind"], handle["versions"]
    models = home.models / "models"
    bundles = [path for name in list_names(models) for path in _documents(models / name, "sidecar.json")]
    for described in (*_manifests(home.features / "sets"), *bundles):
        yield "clean", _read(described)["versions"]


def _manifests(sets: Location) -> Iterator[Location]:
    """Yield the manifests of feature sets; those of a home that the next run carries over lie in folders."""
    for name in list_names(sets):
        if name.endswith(".json"):
            yield sets / name
        elif has_document(sets / name / "set.json"):
            yield sets / name / "set.json"


def _documents_below(folder: Location, name: str) -> Iterator[Location]:
    """Yield the JSON documents in the folder ``name`` of each folder in a folder."""
    for place in [folder / each / name for each in list_names(folder)]:
        yield from (place / each for each in list_names(place) if each.endswith(".json"))


def _documents(folder: Location, name: str) -> Iterator[Location]:
    """Yield the documents called ``name`` of each folder in a folder."""
    yield from (folder / each / name for each in list_names(folder) if name in list_names(folder / each))


def _read(document: Location) -> dict[str, Any]:
    content = read_document(document)
    if content is None:
        raise FileNotFoundError(str(document))
    named: dict[str, Any] = json.loads(content)
    return named
