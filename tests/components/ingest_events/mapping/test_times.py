"""Local times against Python's own zones, clock changes and all."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.errors import SourceError
from components.ingest_events.mapping.times import time_reading
from components.lake.session import duckdb_session
from components.lake.zones import clock_changes

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago", "UTC"]


def read(locals_: list[datetime], zone: ZoneInfo) -> list[tuple[datetime | None, str | None]]:
    reading = time_reading("test", "at", "TIMESTAMP", None, zone)
    cells = ", ".join(f"TIMESTAMP '{local}'" for local in locals_)
    with duckdb_session(threads=1) as session:
        return session.execute(
            f"SELECT {reading.value}, {reading.problem} FROM (SELECT unnest([{cells}]) AS at)"
        ).fetchall()


def expected(local: datetime, zone: ZoneInfo) -> tuple[datetime | None, str | None]:
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) != local:
        return None, "local time that does not exist"
    return (None, "ambiguous local time") if first != second else (first, None)


@settings(max_examples=12)
@given(
    st.sampled_from(ZONES),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(-240, 240)), min_size=1, max_size=20),
    st.datetimes(datetime(1995, 1, 1), datetime(2026, 12, 31)),
)
def test_local_times_are_those_of_the_zone(key: str, near: list[tuple[int, int]], anywhere: datetime) -> None:
    zone = ZoneInfo(key)
    recent = [found.start for found in clock_changes(zone) if 1995 <= found.start.year <= 2026]
    near_changes = [recent[change % len(recent)] + timedelta(minutes=late) for change, late in near if recent]
    moments = [anywhere, *near_changes]

    assert read(moments, zone) == [expected(local, zone) for local in moments]


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"])
@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("-infinity", "unreadable time"),
        ("infinity", "unreadable time"),
        ("290000-01-01", "unreadable time"),
        ("0001-01-01", None),
        ("9999-12-31", None),
    ],
)
def test_times_outside_the_calendar_are_unreadable(kind: str, cell: str, problem: str | None) -> None:
    reading = time_reading("test", "at", kind, None, ZoneInfo("America/New_York"))
    with duckdb_session(threads=1) as session:
        row = f"SELECT CAST('{cell}' AS {kind}) AS at"
        found = session.execute(f"SELECT {reading.value} IS NULL, {reading.problem} FROM ({row})").fetchall()

    assert found == [(problem is not None, problem)]


@pytest.mark.parametrize(
    ("kind", "cell", "time_format", "expected"),
    [
        ("INTEGER", "20250131", "%Y%m%d", "2025-01-31 00:00:00+00"),
        ("BIGINT", "20250131235900", "%Y%m%d%H%M%S", "2025-01-31 23:59:00+00"),
        ("DOUBLE", "20250131", "%Y%m%d", "2025-01-31 00:00:00+00"),
        ("DOUBLE", "20250131.5", "%Y%m%d", None),
        ("UINTEGER", "1022025", "%d%m%Y", "2025-02-01 00:00:00+00"),
        ("INTEGER", "20251301", "%Y%m%d", None),
        ("INTEGER", "-20250131", "%Y%m%d", None),
        ("VARCHAR", "'\u200b20250131.0 '", "%Y%m%d", "2025-01-31 00:00:00+00"),
        ("VARCHAR", "'2025-01-31\t'", "%Y-%m-%d", "2025-01-31 00:00:00+00"),
        ("VARCHAR", "'10.00 31.01.2025'", "%H.%M %d.%m.%Y", "2025-01-31 10:00:00+00"),
        ("VARCHAR", "'\ufeff2025-01-31T10:00:00Z\n'", None, "2025-01-31 10:00:00+00"),
        ("BLOB", "'2025-01-31 10:00:00'::BLOB", None, "2025-01-31 10:00:00+00"),
        ("BLOB", "'1738317600'::BLOB", "seconds", "2025-01-31 10:00:00+00"),
    ],
)
def test_whole_numbers_and_texts_are_read_by_their_format(
    kind: str, cell: str, time_format: str | None, expected: str | None
) -> None:
    reading = time_reading("test", "at", kind, time_format, ZoneInfo("UTC"))
    with duckdb_session(threads=1) as session:
        rows = f"SELECT CAST({cell} AS {kind}) AS at"
        found = session.execute(f"SELECT CAST({reading.value} AS VARCHAR), {reading.problem} FROM ({rows})").fetchall()

    assert found == [(expected, None if expected else "unreadable time")]


def test_a_number_without_a_format_is_no_time() -> None:
    with pytest.raises(SourceError, match=r"holds INTEGER values.*`source.time_format`.*`%Y%m%d`"):
        time_reading("test", "at", "INTEGER", None, ZoneInfo("UTC"))


@pytest.mark.parametrize("key", ["UTC", "Etc/GMT-9"])
def test_zones_without_clock_changes_cost_nothing(key: str) -> None:
    reading = time_reading("test", "at", "TIMESTAMP", None, ZoneInfo(key))

    assert "month" not in reading.value


@pytest.mark.parametrize("offset", ["+0200", " +0200", " +02:00", "+02"])
def test_offsets_are_read_as_languages_write_them(offset: str) -> None:
    reading = time_reading("test", "at", "VARCHAR", None, ZoneInfo("Asia/Tokyo"))
    with duckdb_session(threads=1) as session:
        cells = f"SELECT unnest(['2024-01-02T10:00:00{offset}', '2024-01-02 08:00:00z']) AS at"
        found = session.execute(f"SELECT {reading.value} FROM ({cells})").fetchall()
    assert found == [(datetime(2024, 1, 2, 8, tzinfo=UTC),)] * 2
