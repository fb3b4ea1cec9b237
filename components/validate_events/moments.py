"""The moment that a run stands at."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from components.contracts.as_of import read_moment
from components.contracts.errors import ContractBreach


def resolve_as_of(asked: str | None, newest: date | None, zone: ZoneInfo) -> datetime:
    """Return the moment of a run, in UTC: the one asked for, or the beginning of the newest day with enough rows.

    A day is complete once there are events of a later day: the default is the end of the last complete day. A moment
    without an offset takes the shop's zone.

    Args:
        newest: the newest day, in the zone, with a plausible share of a usual day's rows.

    Raises:
        ConfigurationError: what was asked for is no moment.
        ContractBreach: nothing was asked for and there are no events.
    """
    if asked is not None:
        return read_moment(asked, zone)
    if newest is None:
        raise ContractBreach(
            "events: found no usable event, so there is no day to stand at; the sources of events hold no rows, or the "
            "quarantine holds all of them with the reasons: deliver events, or correct the source"
        )
    return datetime.combine(newest, time(), zone).astimezone(UTC)
