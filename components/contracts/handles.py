"""Handles, which steps pass to one another instead of data.

The file at a KFP artifact's path is one small JSON document: a kind, a URI, Delta versions or a digest, and the
moment the run stands at. Lineage is exact, and nothing large travels through the artifact store.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from components.contracts.errors import RankloopError
from components.contracts.json_documents import parse_json


@dataclass(frozen=True)
class Handle:
    """Points at data that a step left: ``uri`` with Delta ``versions`` by table, or a content ``digest``."""

    kind: str  # raw, clean, features, online, examples, bundle, evaluation, promotion, drift
    uri: str
    versions: dict[str, int] = field(default_factory=dict)
    digest: str | None = None
    as_of: str | None = None  # ISO 8601 with a zone

    @property
    def moment(self) -> datetime:
        """Return the run's as-of."""
        if self.as_of is None:
            raise RankloopError(
                f"the {self.kind} handle of {self.uri} carries no as-of; it was written before validation"
            )
        return datetime.fromisoformat(self.as_of)


def write_handle(path: str | Path, handle: Handle) -> None:
    """Write a handle to the path of a KFP artifact."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(asdict(handle), indent=1, sort_keys=True))


def read_handle(path: str | Path, kind: str) -> Handle:
    """Read a handle of the expected kind from the path of a KFP artifact."""
    handle = parse_json(Handle, Path(path).read_bytes())
    if handle.kind != kind:
        raise RankloopError(
            f"{path}: found a handle of kind {handle.kind!r}, expected {kind!r}; the pipeline is wired wrongly"
        )
    return handle
