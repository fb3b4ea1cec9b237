"""Digests of the clean rows that were known at a moment: what decides whether a snapshot must be computed again."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from components.features.shape import Shape

Fetch = Callable[[ir.Table], pa.Table]
Known = Callable[[ir.Table, ir.TimestampValue], ir.BooleanValue]
MODULUS = 2**31 - 1  # keeps sums of row hashes far from overflow
NOT_CONTENT = ("ingested_at", "request_id", "source", "title")  # columns that no feature looks at


def rows_digests(
    clean: Mapping[str, ir.Table], days: Sequence[datetime], shape: Shape, fetch: Fetch
) -> dict[datetime, str]:
    """Digest the rows of all clean tables known at each of the ascending days; the order of rows does not matter."""
    ahead = timedelta(days=shape.horizon_days if shape.promotions_known_ahead else 0)
    known: dict[str, Known] = {
        "events": lambda row, day: (row.event_time < day) & (row.available_at <= day),
        "items": _valid,
        "users": _valid,
        "promotions": lambda row, day: row.starts_at < day + ibis.interval(days=ahead.days),
    }
    sums = [_sums_by_day(clean[name], known[name], days, fetch) for name in known]
    return {
        day: hashlib.sha256(str([by_day[index] for by_day in sums]).encode()).hexdigest()[:16]
        for index, day in enumerate(days)
    }


def _valid(row: ir.Table, day: ir.TimestampValue) -> ir.BooleanValue:
    return row.valid_from.isnull() | (row.valid_from <= day)


def _sums_by_day(table: ir.Table, known: Known, days: Sequence[datetime], fetch: Fetch) -> list[tuple[int, int]]:
    """Rows known at each day, and the sum of their hashes: grouped by the first day that knows them, then added up."""
    content = ibis.struct({name: table[name] for name in table.columns if name not in NOT_CONTENT})
    unknown_at = [known(table, ibis.literal(day, type="timestamp('UTC')")).ifelse(0, 1).cast("int32") for day in days]
    rows = table.select(first=sum(unknown_at[1:], unknown_at[0]), code=content.hash() % MODULUS)
    found = fetch(rows.group_by("first").agg(rows=rows.count(), codes=rows.code.sum())).to_pylist()
    counts, codes = [0] * (len(days) + 1), [0] * (len(days) + 1)
    for group in found:
        counts[group["first"]], codes[group["first"]] = group["rows"], int(group["codes"])
    return [(sum(counts[: index + 1]), sum(codes[: index + 1])) for index in range(len(days))]
