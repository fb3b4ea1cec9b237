"""Which versions of the lake's tables somebody names: runs, feature sets and bundles can be repeated from them."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.contracts.home import Home

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
    for record in home.runs.glob("*/steps/*.json"):
        for handle in _read(record).get("handles", {}).values():
            yield handle["kind"], handle["versions"]
    for described in (*home.features.glob("sets/*/set.json"), *home.models.glob("models/*/*/sidecar.json")):
        yield "clean", _read(described)["versions"]


def _read(document: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
    return found
