"""The home's clock: the moment a home stands at, plus what has elapsed since."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from components.contracts.errors import StoreError


@dataclass(frozen=True)
class StoredClock:
    """Tell the time of a home when called.

    as_of: the moment the home stood at; anchored_at: the wall time at which it stood there. A home that does not move
    on by itself has no anchor, and its clock stands still. back_from: the later moment that the home's owner left for
    this one; readers that have reached it follow back.
    """

    as_of: datetime
    anchored_at: datetime | None = None
    back_from: datetime | None = None

    def __post_init__(self) -> None:
        for name, moment in (("as_of", self.as_of), ("anchored_at", self.anchored_at), ("back_from", self.back_from)):
            if moment is not None and moment.utcoffset() is None:
                raise StoreError(f"clock: {name} is {moment.isoformat()} without a zone; expected one, such as +00:00")

    def __call__(self) -> datetime:
        """Return the home's present moment, in UTC."""
        if self.anchored_at is None:
            return self.as_of.astimezone(UTC)
        return (self.as_of + (wall_clock() - self.anchored_at)).astimezone(UTC)

    def to_json(self) -> bytes:
        """Write the clock as the store keeps it."""
        anchored_at = self.anchored_at and self.anchored_at.isoformat()
        record = {"as_of": self.as_of.isoformat(), "anchored_at": anchored_at}
        if self.back_from is not None:
            record["back_from"] = self.back_from.isoformat()
        return json.dumps(record).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "StoredClock":
        """Read a clock that :meth:`to_json` wrote.

        Raises:
            StoreError: that is not what the data are.
        """
        try:
            record = json.loads(data)
            anchored_at = record["anchored_at"] and datetime.fromisoformat(record["anchored_at"])
            back_from = datetime.fromisoformat(record["back_from"]) if "back_from" in record else None
            return cls(datetime.fromisoformat(record["as_of"]), anchored_at, back_from)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreError(
                f"the store's record of the home's clock: found {data[:40]!r}, expected a JSON object with as_of "
                f"({type(error).__name__}); `rankloop run` writes it again"
            ) from error


def wall_clock() -> datetime:
    """Return the machine's time: the clock of a store for which no home has set one."""
    return datetime.now(UTC)
