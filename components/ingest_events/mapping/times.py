"""SQL that reads event times of every kind into UTC, in microseconds.

Naive times take the shop's zone and nanoseconds are truncated. What cannot be read (times outside years 1 to 9999
and zones given by name among it), and local times that a clock change makes ambiguous or skips, become null with a
problem in words.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from components.contracts.errors import SourceError
from components.lake.id_sql import trimmed_sql
from components.lake.session import quote_identifier, quote_literal
from components.lake.zones import clock_change_sql, instant_sql

MICROSECONDS = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
NUMBERS = (*INTEGERS, *(f"U{kind}" for kind in INTEGERS), "FLOAT", "DOUBLE", "DECIMAL")
TEXTS = ("VARCHAR", "BLOB")
INT96 = "INT96"
ZONED, ZONED_NANOSECONDS = "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"
NO_INSTANT = "CAST(NULL AS TIMESTAMPTZ)"
SAMPLE = datetime(2000, 12, 31, 23, 59, 59)
LOCAL = r"\d{4}\D\d{1,2}\D\d{1,2}([T ]\s*\d{1,2}:\d{2}(:\d{2}(\.\d*)?)?)?"
OFFSET = r":\d{2}(\.\d+)?\s*(Z|z|UTC|[+-]\d{2}(:?\d{2})?)$"


@dataclass(frozen=True)
class Reading:
    """The reading of a column: SQL of its value, and SQL of the problem in words where a cell is unreadable."""

    value: str
    problem: str = "NULL"


def text_of(column: str, kind: str) -> str:
    """Return SQL of a cell as text; bytes without a mark of their own are UTF-8, null where they are not."""
    cell = quote_identifier(column)
    if kind == "BLOB":
        return f"TRY(decode({cell}))"
    return cell if kind == "VARCHAR" else f"CAST({cell} AS VARCHAR)"


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
    unreadable = f"CASE WHEN {quote_identifier(column)} IS NULL THEN 'no time' ELSE 'unreadable time' END"
    return Reading(value, f"CASE WHEN {value} IS NULL THEN coalesce({changed}, {unreadable}) END")


def words_for_times(kind: str, time_format: str | None, zone: ZoneInfo) -> str:
    """Say how a column of times is read."""
    if kind == INT96:
        return "instants in UTC (Parquet INT96)"
    if kind in (ZONED, ZONED_NANOSECONDS):
        return "instants"
    if time_format in MICROSECONDS:
        return f"{time_format} since 1970 in UTC"
    written = f"`{time_format}`, " if time_format and kind.startswith((*NUMBERS, *TEXTS)) else ""
    offset = "" if time_format or kind not in TEXTS else " unless they carry an offset"
    return f"{written}local times of {zone.key}{offset}"


def _local_and_instant(where: str, column: str, kind: str, time_format: str | None) -> tuple[str | None, str]:
    """Return SQL of the naive local time (None if there never is one), and of the instant if the cell has an offset."""
    cell = quote_identifier(column)
    if kind == ZONED:
        return None, _within_years(cell)
    if kind == ZONED_NANOSECONDS:
        return None, f"make_timestamptz(epoch_ns({cell}) // 1000)"
    if kind == INT96:
        return None, f"timezone('UTC', {_within_years(f'CAST({cell} AS TIMESTAMP)')})"
    if kind == "TIMESTAMP_NS":
        return f"make_timestamp(epoch_ns({cell}) // 1000)", NO_INSTANT
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return _within_years(f"TRY_CAST({cell} AS TIMESTAMP)"), NO_INSTANT
    if kind in TEXTS or (time_format is not None and kind.startswith(NUMBERS)):
        return _written(column, kind, time_format)
    raise SourceError(
        f"{where}: the time column {column!r} holds {kind} values, expected timestamps, dates or text; "
        "for whole numbers say in `source.time_format` of the shop file how they are written: "
        "`%Y%m%d`, `seconds`, `milliseconds`, …"
    )


def _written(column: str, kind: str, time_format: str | None) -> tuple[str | None, str]:
    """Return the same for text, and for numbers that a format explains."""
    cell = trimmed_sql(text_of(column, kind)) if kind in TEXTS else quote_identifier(column)
    if time_format in MICROSECONDS:
        ticks = f"TRY(TRY_CAST({cell} AS DECIMAL(38, 6)) * {MICROSECONDS[time_format]})"
        counted = f"TRY(make_timestamp(TRY_CAST(floor({ticks}) AS BIGINT)))"
        return None, f"timezone('UTC', {_within_years(counted)})"
    if time_format is not None:
        parsed = _within_years(f"try_strptime({_digits(cell, kind, time_format)}, {quote_literal(time_format)})")
        return (None, parsed) if "%z" in time_format.lower() else (parsed, NO_INSTANT)
    is_local = f"regexp_full_match({cell}, {quote_literal(LOCAL)})"
    says_offset = f"NOT {is_local} AND regexp_matches({cell}, {quote_literal(OFFSET)})"
    joined = rf"regexp_replace(upper({cell}), '\s+([Z+-]\S*)$', '\1')"  # as the engine reads offsets
    instant = _within_years(f"CASE WHEN {says_offset} THEN TRY_CAST({joined} AS TIMESTAMPTZ) END")
    return f"CASE WHEN {is_local} THEN TRY_CAST({cell} AS TIMESTAMP) END", instant


def _digits(cell: str, kind: str, time_format: str) -> str:
    """Return SQL of a time in its format; whole numbers may lack leading zeros, or have zeros behind a point."""
    sample = SAMPLE.strftime(time_format)
    if not sample.isdigit():
        return cell if kind in TEXTS else f"CAST({cell} AS VARCHAR)"
    if kind in TEXTS:
        whole = f"regexp_extract({cell}, '^([0-9]+)([.]0+)?$', 1)"
    else:
        whole = f"CAST(CASE WHEN {cell} = trunc({cell}) THEN TRY_CAST({cell} AS BIGINT) END AS VARCHAR)"
    return f"CASE WHEN length({whole}) BETWEEN 1 AND {len(sample)} THEN lpad({whole}, {len(sample)}, '0') END"


def _within_years(moment: str) -> str:
    """Return SQL of a moment, null where it is infinite or lies outside years 1 to 9999."""
    return f"CASE WHEN {moment} BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999999' THEN {moment} END"
