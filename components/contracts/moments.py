"""Moments: as text, such as ``--as-of`` and the pipelines' parameter, and as microseconds since 1970."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from components.contracts.errors import ConfigurationError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY_MICROSECONDS = 86_400_000_000
YEARS = range(1970, 2200)  # within what every library here can hold, in nanoseconds and with days added
WRITTEN = re.compile(r"\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?")


def now_text() -> str:
    """Return this moment to the second, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_moment(written: str, zone: ZoneInfo) -> datetime:
    """Read a date (its first moment) or a time, ISO 8601, as UTC; without an offset it takes a zone.

    Raises:
        ConfigurationError: it is neither, or of a year that no shop has data of.
    """
    if not WRITTEN.fullmatch(written):
        raise _refusal(written)
    try:
        parsed = datetime.fromisoformat(written)
        moment = (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _refusal(written) from error
    if moment.year not in YEARS:
        raise _refusal(written)
    return moment


def _refusal(written: str) -> ConfigurationError:
    return ConfigurationError(
        f"as-of: found {written!r}, expected a date or a time such as 2017-08-28 or 2017-08-28T06:00:00+02:00, "
        f"in the years {YEARS[0]} to {YEARS[-1]}"
    )


def microseconds(moment: datetime) -> int:
    """Return a moment as whole microseconds since 1970, exactly."""
    return (moment - EPOCH) // MICROSECOND
