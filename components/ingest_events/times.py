"""SQL that reads event times of every kind into UTC, in microseconds.

Naive times take the shop's zone and nanoseconds are truncated. What cannot be read (times outside years 1 to 9999
and zones given by name among it), and local times that a clock change makes ambiguous or skips, become null with a
problem in words.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from components.contracts.errors import SourceError
from components.lake.session import name, text
from components.lake.zones import clock_change_sql, instant_sql

MICROSECONDS = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UBIGINT", "UINTEGER", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
NO_INSTANT = "CAST(NULL AS TIMESTAMPTZ)"
LOCAL = r"\d{4}\D\d{1,2}\D\d{1,2}([T ]\s*\d{1,2}:\d{2}(:\d{2}(\.\d*)?)?)?"
OFFSET = r":\d{2}(\.\d+)?\s*(Z|z|UTC|[+-]\d{2}(:?\d{2})?)$"


@dataclass(frozen=True)
class Reading:
    """How a column is read: an SQL value, and SQL that is a problem in words where the cell is unreadable."""

    value: str
    problem: str = "NULL"


def time_reading(where: str, column: str, kind: str, time_format: str | None, zone: ZoneInfo) -> Reading:
    """Read a column of DuckDB type ``kind`` as UTC instants.

    Raises:
        SourceError: the column's type is not one that times are written in.
    """
    local, instant = _local_and_instant(where, column, kind, time_format)
    changed = "NULL"
    value = instant
    if local is not None:
        changed = clock_change_sql(local, zone)
        value = f"coalesce({instant}, {instant_sql(local, zone)})"
    unreadable = f"CASE WHEN {name(column)} IS NULL THEN 'no time' ELSE 'unreadable time' END"
    return Reading(value, f"CASE WHEN {value} IS NULL THEN coalesce({changed}, {unreadable}) END")


def _local_and_instant(where: str, column: str, kind: str, time_format: str | None) -> tuple[str | None, str]:
    """SQL of the naive local time (None if there is never one), and of the instant where the cell says its offset."""
    cell = name(column)
    if kind == "TIMESTAMP WITH TIME ZONE":
        return None, _within_years(cell)
    if time_format in MICROSECONDS and kind.startswith((*NUMBERS, "VARCHAR")):
        ticks = f"TRY(TRY_CAST({cell} AS DECIMAL(38, 6)) * {MICROSECONDS[time_format]})"
        counted = f"TRY(make_timestamp(TRY_CAST(floor({ticks}) AS BIGINT)))"
        return None, f"timezone('UTC', {_within_years(counted)})"
    if kind == "TIMESTAMP_NS":
        return f"make_timestamp(epoch_ns({cell}) // 1000)", NO_INSTANT
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return _within_years(f"TRY_CAST({cell} AS TIMESTAMP)"), NO_INSTANT
    if kind != "VARCHAR":
        raise SourceError(
            f"{where}: the time column {column!r} holds {kind} values, expected timestamps, dates or text; "
            "for numbers of seconds or milliseconds set `source.time_format` in the shop file"
        )
    if time_format is not None:
        parsed = _within_years(f"try_strptime({cell}, {text(time_format)})")
        return (None, parsed) if "%z" in time_format.lower() else (parsed, NO_INSTANT)
    trimmed = f"trim({cell})"
    is_local = f"regexp_full_match({trimmed}, {text(LOCAL)})"
    says_offset = f"NOT {is_local} AND regexp_matches({trimmed}, {text(OFFSET)})"
    instant = _within_years(f"CASE WHEN {says_offset} THEN TRY_CAST({trimmed} AS TIMESTAMPTZ) END")
    return f"CASE WHEN {is_local} THEN TRY_CAST({trimmed} AS TIMESTAMP) END", instant


def _within_years(moment: str) -> str:
    """SQL of a moment, null where it is infinite or lies outside years 1 to 9999."""
    return f"CASE WHEN {moment} BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999999' THEN {moment} END"
