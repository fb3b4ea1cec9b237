"""The rows that a run wrote into the store, by number: a store that lost rows has fewer, or lacks this record."""

import json
from dataclasses import asdict, dataclass, replace

from components.contracts.json_documents import parse_json


@dataclass(frozen=True)
class Inventory:
    """The number of rows of each view at one revision.

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
        """Read what :meth:`to_json` wrote; None where there is none, or it cannot be read."""
        try:
            return parse_json(cls, data or b"")
        except ValueError:
            return None
