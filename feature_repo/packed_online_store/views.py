"""The store's record of a view: its features, the keys of its rows, and how long a row is valid."""

import json
from dataclasses import dataclass
from datetime import timedelta

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.layout import PackedSchema


@dataclass(frozen=True)
class PackedView:
    """A view whose rows are packed.

    join_keys: the columns that name a row, in the order in which composite keys are given when reading.
    ttl: rows older than this are read as missing; None keeps them for good.
    """

    name: str
    schema: PackedSchema
    join_keys: tuple[str, ...]
    ttl: timedelta | None = None

    def to_json(self) -> bytes:
        """Write the view as the store's catalog keeps it."""
        record = {
            "name": self.name,
            "features": {field.name: field.type for field in self.schema.fields},
            "join_keys": list(self.join_keys),
            "ttl_seconds": self.ttl.total_seconds() if self.ttl else None,
            "schema": f"{self.schema.hash:016x}",
        }
        return json.dumps(record, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "PackedView":
        """Read a view that :meth:`to_json` wrote.

        Raises:
            StoreError: that is not what the data are.
        """
        try:
            record = json.loads(data)
            ttl = record["ttl_seconds"]
            return cls(
                name=record["name"],
                schema=PackedSchema.of(record["features"]),
                join_keys=tuple(record["join_keys"]),
                ttl=None if ttl is None else timedelta(seconds=ttl),
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise StoreError(
                f"the store's record of a view: found {data[:40]!r}, expected a JSON object of its features "
                f"({type(error).__name__}); `rankloop run` writes it again"
            ) from error
