"""What a run put into the store: the mark and the counts by which a store that lost rows is recognised."""

import json
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Inventory:
    """How many rows of each view stand at one revision.

    digest: of the feature set that they came from; token: of the one write that put them there, in this store.
    """

    digest: str
    token: str
    rows: dict[str, int]

    def without_one(self, view: str) -> "Inventory":
        """Return the inventory once a row of a view was deleted."""
        return replace(self, rows=self.rows | {view: max(0, self.rows[view] - 1)})

    def to_json(self) -> bytes:
        """Write the inventory as the store and the home keep it."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def read(cls, data: bytes | None) -> "Inventory | None":
        """Read what :meth:`to_json` wrote; None where that is gone, or something else stands in its place."""
        try:
            record = json.loads(data or b"")
            rows = {str(view): int(count) for view, count in record["rows"].items()}
            return cls(str(record["digest"]), str(record["token"]), rows)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
