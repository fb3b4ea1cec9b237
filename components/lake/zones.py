"""Time zones in SQL, by Python's own table: an engine's table may be of another year and say otherwise.

The zone's clock changes stand in the statement as a search tree, so that engine and Python agree on every moment.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 1970, 2069  # each more year costs every statement that reads local times
MONTHS = 12 * (LAST_YEAR - FIRST_YEAR + 1)
LOOKED_AT_EVERY = timedelta(days=7)
SECOND = timedelta(seconds=1)
NEVER, TWICE = "local time that does not exist", "ambiguous local time"


@dataclass(frozen=True)
class ClockChange:
    """The first moment (UTC) of another offset; between ``start`` and ``end`` local times happen twice or never."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def start(self) -> datetime:
        """Return the first local time, without a zone, that the change skips or repeats."""
        return self.at.replace(tzinfo=None) + min(self.before, self.after)

    @property
    def end(self) -> datetime:
        """Return the first local time that is whole again."""
        return self.at.replace(tzinfo=None) + max(self.before, self.after)

    @property
    def ambiguous(self) -> bool:
        """Return whether the times between happen twice; otherwise they never do."""
        return self.after < self.before


@lru_cache
def clock_changes(zone: ZoneInfo) -> tuple[ClockChange, ...]:
    """Return the clock changes of a zone, from 1970 to 2069: before and after, its clocks go as then."""
    changes = []
    moment, end = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
    while moment < end:
        later = moment + LOOKED_AT_EVERY
        if offset_at(moment, zone) != offset_at(later, zone):
            changes.append(_change_between(moment, later, zone))
        moment = later
    return tuple(changes)


def offset_at(moment: datetime, zone: ZoneInfo) -> timedelta:
    """Return how far a zone's clocks are ahead of UTC at a moment."""
    return moment.astimezone(zone).utcoffset() or timedelta()


def offsets(zone: ZoneInfo) -> list[timedelta]:
    """Return the offset before the first clock change of a zone, and after each."""
    changes = clock_changes(zone)
    first = changes[0].before if changes else offset_at(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), zone)
    return [first, *(change.after for change in changes)]


def instant_sql(local: str, zone: ZoneInfo) -> str:
    """Return SQL of a local time as an instant; null where a clock change makes it ambiguous or skips it."""
    if not clock_changes(zone):
        return f"timezone('UTC', {local} - {_interval(offsets(zone)[0])})"
    ahead = _by_span(local, zone, "BIGINT", _seconds(offsets(zone)), ["NULL" for _ in clock_changes(zone)])
    return f"timezone('UTC', {local} - to_seconds({ahead}))"


def clock_change_sql(local: str, zone: ZoneInfo) -> str:
    """Return SQL that says in words whether a local time happens twice or never; null for any other."""
    changes = clock_changes(zone)
    if not changes:
        return "NULL"
    words = [TWICE if change.ambiguous else NEVER for change in changes]
    return _by_span(local, zone, "VARCHAR", ["NULL" for _ in offsets(zone)], words)


def earlier_instant_sql(local: str, zone: ZoneInfo) -> str:
    """Return SQL of a local time as an instant: by the clock before a change where that repeats or skips it."""
    ahead = _seconds(offsets(zone))
    return f"timezone('UTC', {local} - to_seconds({_by_span(local, zone, 'BIGINT', ahead, ahead[:-1])}))"


def local_sql(instant: str, zone: ZoneInfo) -> str:
    """Return SQL of an instant as the local time of a zone; ``instant`` is a column."""
    moments = [f"TIMESTAMPTZ '{change.at.isoformat()}'" for change in clock_changes(zone)]
    ahead = bisection(instant, moments, [_interval(offset) for offset in offsets(zone)])
    return f"(timezone('UTC', {instant}) + ({ahead}))"


def local_day_sql(instant: str, zone: ZoneInfo) -> str:
    """Return SQL of the day that an instant lies in by the clocks of a zone; ``instant`` is a column."""
    return f"CAST({local_sql(instant, zone)} AS DATE)"


def bisection(value: str, boundaries: Sequence[str], results: Sequence[str]) -> str:
    """Return SQL that searches ascending boundaries: the result of the last one that a value reaches, or the first."""
    if not boundaries:
        return results[0]
    middle = len(boundaries) // 2
    earlier = bisection(value, boundaries[:middle], results[: middle + 1])
    later = bisection(value, boundaries[middle + 1 :], results[middle + 1 :])
    return f"CASE WHEN {value} >= {boundaries[middle]} THEN {later} ELSE {earlier} END"


def _by_span(clock: str, zone: ZoneInfo, kind: str, between: Sequence[str], within: Sequence[str]) -> str:
    """Return SQL of a result for the local time: one for each span between clock changes, and within each change.

    A constant list says in which span each month begins, and few edges lie in a month: that needs the local time, which
    may be costly to read, a few times only.
    """
    edges = [edge for change in clock_changes(zone) for edge in (change.start, change.end)]
    results = [result for pair in zip(between, within, strict=False) for result in pair]
    span = _span_sql(clock, edges)
    return f"{_list([*results, between[-1]], kind)}[{span}]"


def _span_sql(clock: str, edges: Sequence[datetime]) -> str:
    """Return SQL of the number, from 1, of the span between ascending edges in which a local time lies."""
    months = [datetime(FIRST_YEAR + month // 12, month % 12 + 1, 1) for month in range(MONTHS + 1)]
    begins = [bisect_right(edges, month) for month in months]
    edges_in_month = max(later - earlier for earlier, later in pairwise(begins))
    within = f"least(greatest(datediff('month', {_timestamp(months[0])}, {clock}), 0), {MONTHS - 1}) + 1"
    first = f"{_list(begins[:-1], 'INTEGER')}[{within}]"
    listed = _list([*edges, *["infinity"] * edges_in_month], "TIMESTAMP")
    later = "".join(
        f" + CAST({clock} >= {listed}[{first} + {place}] AS INTEGER)" for place in range(1, edges_in_month + 1)
    )
    return f"{first} + 1{later}"


def _list(values: Sequence[object], kind: str) -> str:
    """Return SQL of a constant list, written as one text: the engine takes long to plan a thousand constants."""
    return f"CAST('[{', '.join(map(str, values))}]' AS {kind}[])"


def _change_between(moment: datetime, later: datetime, zone: ZoneInfo) -> ClockChange:
    before, after = offset_at(moment, zone), offset_at(later, zone)
    while later - moment > SECOND:
        middle = moment + (later - moment) // SECOND // 2 * SECOND
        moment, later = (middle, later) if offset_at(middle, zone) == before else (moment, middle)
    return ClockChange(later, before, after)


def _timestamp(local: datetime) -> str:
    return f"TIMESTAMP '{local}'"


def _seconds(offsets: Sequence[timedelta]) -> list[str]:
    return [str(offset // SECOND) for offset in offsets]


def _interval(offset: timedelta) -> str:
    return f"to_seconds({offset // SECOND})"
