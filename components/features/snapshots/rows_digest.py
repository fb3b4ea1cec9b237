"""Digests of the clean rows that were known at a moment: what decides whether a snapshot must be computed again."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import ibis
import ibis.expr.types as ir

from components.features.inputs.moment import utc
from components.features.snapshots.workspace import Workspace
from components.features.views.shape import Shape
from components.lake.digests import snapshot_digests

Known = Callable[[ir.Table, datetime], ir.BooleanValue]
MODULUS = 2**31 - 1  # keeps sums of row hashes far from overflow
NOT_CONTENT = ("title",)  # columns that no feature looks at


def rows_digests(
    clean: Path, versions: Mapping[str, int], days: Sequence[datetime], shape: Shape, space: Workspace
) -> dict[datetime, str]:
    """Digest what all clean tables said at each of the ascending days; the order of rows does not matter."""
    events = snapshot_digests(clean / "events", versions["events"], days)
    ahead = timedelta(days=shape.horizon_days if shape.promotions_known_ahead else 0)
    sums = [
        _sums_by_day(space.clean["items"], _valid, days, space),
        _sums_by_day(space.clean["users"], _valid, days, space),
        _sums_by_day(space.clean["promotions"], lambda row, day: row.starts_at < utc(day + ahead), days, space),
    ]
    return {
        day: hashlib.sha256(str([events[day], *(by_day[index] for by_day in sums)]).encode()).hexdigest()[:16]
        for index, day in enumerate(days)
    }


def _valid(row: ir.Table, day: datetime) -> ir.BooleanValue:
    return row.valid_from.isnull() | (row.valid_from <= utc(day))


def _sums_by_day(table: ir.Table, known: Known, days: Sequence[datetime], space: Workspace) -> list[tuple[int, int]]:
    """Rows known at each day, and the sum of their hashes: grouped by the first day that knows them, then added up."""
    content = ibis.struct({name: table[name] for name in table.columns if name not in NOT_CONTENT})
    unknown_at = [known(table, day).ifelse(0, 1).cast("int32") for day in days]
    rows = table.select(first=sum(unknown_at[1:], unknown_at[0]), code=content.hash() % MODULUS)
    found = space.fetch(rows.group_by("first").agg(rows=rows.count(), codes=rows.code.sum())).to_pylist()
    counts, codes = [0] * (len(days) + 1), [0] * (len(days) + 1)
    for group in found:
        counts[group["first"]], codes[group["first"]] = group["rows"], int(group["codes"])
    return [(sum(counts[: index + 1]), sum(codes[: index + 1])) for index in range(len(days))]
