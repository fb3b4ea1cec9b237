"""Local times against Python's own zones, clock changes and all."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.ingest_events.times import time_reading
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


@pytest.mark.parametrize("key", ["UTC", "Etc/GMT-9"])
def test_zones_without_clock_changes_cost_nothing(key: str) -> None:
    reading = time_reading("test", "at", "TIMESTAMP", None, ZoneInfo(key))

    assert "month" not in reading.value
