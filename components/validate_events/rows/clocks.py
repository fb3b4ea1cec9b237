"""Rows with times of a wrong clock: few rows far after or far before all others; and the day at which the data end.

Days with rows fall into stretches that a long gap parts. The stretch with the most rows is believed; a later one is
believed when it is no handful of rows and one of its days has half of a usual day's rows, as when a shop opens again;
an earlier one when it is no handful. All rows of the source are looked at, whenever they came: so the answer does not
depend on the order of deliveries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

from components.shop.settings import Contract

FAR_AFTER, FAR_BEFORE = "time far after all others", "time far before all others"
USUAL_DAYS = 28  # days with rows that say how many a usual day has
HALF = 0.5  # of a usual day's rows: what a shop that opens again sells on one of its first days
YEAR_DAYS = 365  # before the first rows, sparse ones are more often history than a wrong clock
ONE_IN = 10  # a handful is at most one row in ten, and at most `contract.tolerated_rows`
FEW = 2  # rows a day, or a quarter of a usual day's: a single row does not decide where data end
FIRST_DAYS = 2  # too few earlier days to say what a usual day has: a single row may end them

Days = Mapping[date, int]  # rows by day


@dataclass(frozen=True)
class FarRows:
    """Rows of neighbouring days that are set aside; days are ISO dates in the shop's zone."""

    first: str
    last: str
    rows: int
    reason: str
    gap_days: int  # to the rows that are believed

    def holds(self, day: date) -> bool:
        """Return whether a day is one of these."""
        return self.first <= day.isoformat() <= self.last

    def condition(self, zone: ZoneInfo) -> str:
        """Return SQL that is true for their event times."""
        start = _midnight(date.fromisoformat(self.first), zone)
        end = _midnight(date.fromisoformat(self.last) + timedelta(days=1), zone)
        return f"event_time >= TIMESTAMPTZ '{start}' AND event_time < TIMESTAMPTZ '{end}'"


def far_rows(days: Days, contract: Contract) -> tuple[FarRows, ...]:
    """Find the rows whose clock must have been wrong."""
    stretches = _stretches(sorted(days), contract.max_gap_days)
    if len(stretches) < 2:
        return ()
    largest = max(range(len(stretches)), key=lambda place: _rows(days, stretches[place]))
    believed, far = list(stretches[largest]), []
    for stretch in stretches[largest + 1 :]:
        gap = (stretch[0] - believed[-1]).days
        usual = _usual([days[day] for day in believed])
        opens = max(days[day] for day in stretch) >= HALF * usual
        if gap <= contract.max_gap_days or (opens and not _is_handful(days, stretch, believed, contract)):
            believed = [*believed, *stretch]
        else:
            far.append(_set_aside(days, stretch, FAR_AFTER, gap))
    for stretch in reversed(stretches[:largest]):
        gap = (believed[0] - stretch[-1]).days
        if gap <= max(contract.max_gap_days, YEAR_DAYS) or not _is_handful(days, stretch, believed, contract):
            believed = [*stretch, *believed]
        else:
            far.append(_set_aside(days, stretch, FAR_BEFORE, gap))
    return tuple(sorted(far, key=lambda each: each.first))


def last_usual_day(days: Days, contract: Contract) -> date | None:
    """Return the newest day with a plausible share of a usual day's rows, or the day right after it if it has begun.

    The newest of all if none has enough; None: no rows.
    """
    ordered = sorted(days)
    for place in range(len(ordered) - 1, -1, -1):
        earlier = [days[day] for day in ordered[:place]]
        usual = _usual(earlier) if earlier else 0.0
        minimum = min(FEW, usual / 4) if len(earlier) > FIRST_DAYS else 0.0
        if days[ordered[place]] >= max(contract.min_day_share * usual, minimum):
            next_day = ordered[place] + timedelta(days=1)
            return next_day if next_day in days else ordered[place]
    return ordered[-1] if ordered else None


def usual_rows(days: Days, until: date) -> float:
    """Return how many rows a usual day before a day has."""
    return _usual([days[day] for day in sorted(days) if day < until] or [0])


def _stretches(days: Sequence[date], gap_days: int) -> list[list[date]]:
    stretches = [list(days[:1])] if days else []
    for earlier, later in pairwise(days):
        if (later - earlier).days > gap_days:
            stretches.append([])
        stretches[-1].append(later)
    return stretches


def _usual(rows: Sequence[int]) -> float:
    return float(median(rows[-USUAL_DAYS:]))


def _rows(days: Days, stretch: Sequence[date]) -> int:
    return sum(days[day] for day in stretch)


def _is_handful(days: Days, stretch: Sequence[date], believed: Sequence[date], contract: Contract) -> bool:
    return _rows(days, stretch) <= min(contract.tolerated_rows, _rows(days, believed) // ONE_IN)


def _set_aside(days: Days, stretch: Sequence[date], reason: str, gap: int) -> FarRows:
    return FarRows(stretch[0].isoformat(), stretch[-1].isoformat(), _rows(days, stretch), reason, gap)


def _midnight(day: date, zone: ZoneInfo) -> str:
    return datetime.combine(day, time(), zone).astimezone(UTC).isoformat()
