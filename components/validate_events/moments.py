"""The moment that a run stands at."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from components.contracts.as_of import read_moment
from components.contracts.errors import ContractBreach


def resolve_as_of(asked: str | None, newest: datetime | None, zone: ZoneInfo) -> datetime:
    """The moment of a run, in UTC: the one asked for, or the end of the last complete day in the data.

    A day is complete once an event of a later day is there: the default is the first moment, in the shop's zone, of
    the newest event's day. A moment without an offset takes the shop's zone.

    Raises:
        ConfigurationError: what was asked for is no moment.
        ContractBreach: nothing was asked for and there are no events.
    """
    if asked is not None:
        return read_moment(asked, zone)
    if newest is None:
        raise ContractBreach("events: found no sound event, so there is no day to stand at; see the quarantine for why")
    day = newest.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return day.astimezone(UTC)
