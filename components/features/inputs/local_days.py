"""Days as a shop counts them: they end at midnight in its zone, by Python's table of clock changes."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from components.features.inputs.moment import DAY_MICROSECONDS, MICROSECOND, microseconds
from components.lake.zones import clock_changes, offsets


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
