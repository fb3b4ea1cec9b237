"""A snapshot's moment, and the arithmetic of features that must not depend on the order of rows.

Times are whole microseconds since 1970; sums of fractions are sums of integers (fixed point), because a float sum
differs in its last bits with the order in which an engine happens to add. Days end at midnight in the shop's zone, by
Python's table of clock changes.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import log
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from components.contracts.moments import DAY_MICROSECONDS, EPOCH, MICROSECOND, microseconds
from components.lake.workspace import PLACEHOLDER
from components.lake.zones import clock_changes, offsets

FIXED_POINT = 2.0**24  # a sum of rows keeps 24 binary digits behind the point, and room for 2^39 ones


def microseconds_of(column: ir.TimestampValue) -> ir.IntegerValue:
    """Express a timestamp column as whole microseconds since 1970.

    It is cast to UTC without a zone first: engines count times with a zone slowly.
    """
    return column.cast("timestamp").delta(ibis.literal(EPOCH.replace(tzinfo=None)), unit="microsecond")


def utc(moment: datetime) -> ir.TimestampScalar:
    """Return a moment as a literal in UTC."""
    return ibis.literal(moment.astimezone(UTC), type="timestamp('UTC')")


def exact_sum(values: ir.NumericValue, where: ir.BooleanValue | None = None) -> ir.FloatingValue:
    """Sum fractions in fixed point: the same to the last bit for any order of rows; 0 when there are none."""
    return round_half_up(values * FIXED_POINT).sum(where=where).cast("float64").fill_null(0.0) / FIXED_POINT


def round_half_up(values: ir.NumericValue) -> ir.IntegerValue:
    """Round to whole numbers, halves up: an engine's own rounding takes twice as long."""
    return (values + 0.5).floor().cast("int64")


def decayed(age_days: ir.NumericValue, half_life_days: float) -> ir.FloatingValue:
    """Weigh an age: 1 now, one half after a half-life."""
    return (age_days.cast("float64") * (-log(2) / half_life_days)).exp()


def geometric_weight(times: ir.NumericValue, factor: float) -> ir.FloatingValue:
    """Return ``factor ** times``: 1 at 0 times."""
    return (times.cast("float64") * log(factor)).exp()


def ratio(part: ir.NumericValue, whole: ir.NumericValue) -> ir.FloatingValue:
    """Divide; missing where the whole is zero or less."""
    return ibis.ifelse(whole > 0, part.cast("float64") / whole.cast("float64"), ibis.null("float64"))


def share(part: ir.NumericValue, whole: ir.NumericValue) -> ir.FloatingValue:
    """Divide a net amount by a whole, clipped to [0, 1] as returns may outweigh sales; missing if the whole is <= 0."""
    return ratio(ibis.least(ibis.greatest(part, 0), whole), whole)


class Moment:
    """The moment of a snapshot: no event at or after it, or not yet known at it, counts.

    Expressions hold a placeholder for it, so that they are compiled once and run at many moments.
    """

    @property
    def now(self) -> ir.IntegerScalar:
        """Return the moment, in whole microseconds since 1970."""
        return ibis.literal(PLACEHOLDER, type="int64")

    def age_days(self, at: ir.IntegerValue) -> ir.FloatingValue:
        """Return the days from a time (microseconds since 1970) to the moment."""
        return (self.now - at).cast("float64") / float(DAY_MICROSECONDS)

    def within(self, at: ir.IntegerValue, days: int) -> ir.BooleanValue:
        """Express whether a time lies in the last days before the moment."""
        return at >= self.now - days * DAY_MICROSECONDS

    def week(self, at: ir.IntegerValue) -> ir.IntegerValue:
        """Return the whole weeks from a time to the moment."""
        return (self.age_days(at) / 7).floor().cast("int64")


def local_day(at: ir.IntegerValue, zone: ZoneInfo) -> ir.IntegerValue:
    """Return the day of a time (microseconds since 1970), counted from 1970 on in a zone."""
    changes = [microseconds(change.at) for change in clock_changes(zone)]
    ahead = _after_changes(at, changes, [offset // MICROSECOND for offset in offsets(zone)])
    return ((at + ahead) / DAY_MICROSECONDS).floor().cast("int64")


def _after_changes(at: ir.IntegerValue, changes: Sequence[int], results: Sequence[int]) -> ir.IntegerValue:
    """Return the result of the last change that a time has reached, by bisection."""
    if not changes:
        return ibis.literal(results[0], type="int64")
    middle = len(changes) // 2
    earlier = _after_changes(at, changes[:middle], results[: middle + 1])
    later = _after_changes(at, changes[middle + 1 :], results[middle + 1 :])
    return ibis.ifelse(at >= changes[middle], later, earlier)
