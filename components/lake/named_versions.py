"""Which versions of the lake's tables somebody names: runs, feature sets and bundles can be repeated from them."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.home.layout import Home
from components.home.presence import names_in

Versions = dict[str, int]
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError)


def named_versions(home: Home) -> dict[Path, set[int]]:
    """The versions that are named, by table; a run names them for as long as its folder stands.

    Raises:
        UNREADABLE: a document that may name versions cannot be read, or is none.
    """
    named: dict[Path, set[int]] = defaultdict(set)
    for kind, versions in _naming(home):
        for table, version in versions.items():
            named[home.handed_table(kind, table)].add(version)
    return named


def _naming(home: Home) -> Iterator[tuple[str, Versions]]:
    for record in _documents(home.runs, "steps"):
        for handle in _read(record).get("handles", {}).values():
            yield handle["kind"], handle["versions"]
    stores = [home.models / "models" / name for name in names_in(home.models / "models")]
    bundles = [path for store in stores if store.is_dir() for path in _documents(store, ".", "sidecar.json")]
    for described in (*_documents(home.features / "sets", ".", "set.json"), *bundles):
        yield "clean", _read(described)["versions"]


def _documents(folder: Path, room: str, ending: str = ".json") -> Iterator[Path]:
    """Yield the paths of the documents in the folder ``room`` of each folder in a folder."""
    for name in names_in(folder):
        if (folder / name / room).is_dir():
            yield from (folder / name / room / each for each in names_in(folder / name / room) if each.endswith(ending))


def _read(document: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
    return found
