"""Digests of the clean rows that were known at a moment: they decide whether a snapshot is computed again.

The digest of a moment covers exactly the rows that were known then, in any order of arrival and any
layout of the tables. An event row that arrives late changes the digests of the moments from its
``available_at`` on, and of no others.

A row's hash is arithmetic that every engine has, so that the same rows have the same digest in each of them: the hash
of the row's texts (``Workspace.text_hash``) times a weighted sum of its numbers, modulo a prime. Example::

    ('e1', 'tea')  ->  text_hash('e1 tea') = 7       2 units, 3.5 paid  ->  11       hash = (7 * 11 + 7) mod PRIME
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import reduce
from operator import add

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from components.features.inputs.moment import microseconds_of, utc
from components.features.settings import FeatureSettings
from components.lake.workspace import Workspace

Known = Callable[[ir.Table, datetime], ir.BooleanValue]
PRIME = 2**31 - 1  # products of two numbers below it, and sums of their rests over all rows, fit in 64 bits
NO_CONTENT = ("title", "ingested_at")  # no feature looks at a title; when a row was read differs between homes
ONE = ibis.literal(1, type="int64")
MISSING_TEXT, MISSING_NUMBER = "\x1e", 17
FIELD_END, ENTRY_END = "\x1f", "\x1d"
FRACTION = 2.0**53  # makes a whole number of a fraction, exact down to 1e-16


def rows_digests(space: Workspace, days: Sequence[datetime], settings: FeatureSettings) -> dict[datetime, str]:
    """Digest what all clean tables said at each of the ascending days; the order of rows does not matter."""
    ahead = timedelta(days=settings.horizon_days if settings.promotions_known_ahead else 0)
    conditions: dict[str, Known] = {
        "events": _is_known,
        "items": _is_valid,
        "users": _is_valid,
        "promotions": lambda row, day: row.starts_at < utc(day + ahead),
    }
    sums = [_sums_by_day(space, space.clean[name], known, days) for name, known in conditions.items()]
    return {
        day: hashlib.sha256(str([by_day[index] for by_day in sums]).encode()).hexdigest()[:16]
        for index, day in enumerate(days)
    }


def _is_known(row: ir.Table, day: datetime) -> ir.BooleanValue:
    return (row.event_time < utc(day)) & (row.available_at <= utc(day))


def _is_valid(row: ir.Table, day: datetime) -> ir.BooleanValue:
    return row.valid_from.isnull() | (row.valid_from <= utc(day))


def _sums_by_day(space: Workspace, table: ir.Table, known: Known, days: Sequence[datetime]) -> list[tuple[int, int]]:
    """Return, at each day, the number of known rows and the sum of their hashes."""
    rows = table.select(first=_first_day(table, known, days), code=row_hash(space, table))
    groups = space.fetch(rows.group_by("first").agg(rows=rows.count(), codes=rows.code.sum())).to_pylist()
    counts, codes = [0] * (len(days) + 1), [0] * (len(days) + 1)
    for group in groups:
        counts[group["first"]], codes[group["first"]] = group["rows"], int(group["codes"])
    return [(sum(counts[: index + 1]), sum(codes[: index + 1])) for index in range(len(days))]


def _first_day(table: ir.Table, known: Known, days: Sequence[datetime], start: int = 0) -> ir.IntegerValue:
    """Return the index of the first day at which a row is known, by bisection; ``start + len`` if none is."""
    if not days:
        return ibis.literal(start, type="int32")
    middle = len(days) // 2
    earlier = _first_day(table, known, days[:middle], start)
    later = _first_day(table, known, days[middle + 1 :], start + middle + 1)
    return ibis.ifelse(known(table, days[middle]), earlier, later)


def row_hash(space: Workspace, table: ir.Table) -> ir.IntegerValue:
    """Express the hash of a row, below ``PRIME``."""
    columns = [table[name] for name in table.columns if name not in NO_CONTENT]
    texts = [text for column in columns for text in _texts(column)]
    numbers = [number for column in columns for number in _numbers(column)]
    text = ibis.literal(FIELD_END).join([text.fill_null(MISSING_TEXT) for text in texts])
    weighted = [(number % PRIME).fill_null(MISSING_NUMBER) * _weight(place) for place, number in enumerate(numbers)]
    return (space.text_hash(text) * (reduce(add, weighted, ONE) % PRIME)) % PRIME


def _weight(place: int) -> int:
    """Return a factor of its own for each number of a row; 16 products with numbers below the prime fit in 64 bits."""
    return pow(48_271, place + 1, PRIME) % 2**28


def _texts(column: ir.Value) -> Iterator[ir.StringValue]:
    """Yield a column as texts, if it holds any."""
    kind = column.type()
    if isinstance(kind, dt.String):
        yield column
    elif isinstance(kind, dt.Array):
        yield column.join(ENTRY_END)
    elif isinstance(kind, dt.Map):
        yield from (column.keys().join(ENTRY_END), column.values().join(ENTRY_END))


def _numbers(column: ir.Value) -> Iterator[ir.IntegerValue]:
    """Yield a column as whole numbers, if it holds any: of a fraction its whole part and the rest."""
    kind = column.type()
    if isinstance(kind, dt.Timestamp):
        yield microseconds_of(column)
    elif isinstance(kind, dt.Boolean | dt.Integer):
        yield column.cast("int64")
    elif isinstance(kind, dt.Floating):
        whole = column.floor()
        yield from (whole.cast("int64"), ((column - whole) * FRACTION).cast("int64"))
