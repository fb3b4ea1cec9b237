"""Local times against Python's own zones, clock changes and all."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.ingest_events.times import clock_changes, time_reading
from components.lake.session import duckdb_session

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago", "UTC"]


@pytest.fixture(scope="module")
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb_session(threads=1) as opened:
        yield opened


def read(session: duckdb.DuckDBPyConnection, local: datetime, zone: ZoneInfo) -> tuple[datetime | None, str | None]:
    reading = time_reading("test", "at", "TIMESTAMP", None, zone)
    cell = f"(SELECT TIMESTAMP '{local}' AS at)"
    found: tuple[datetime | None, str | None] = session.execute(
        f"SELECT {reading.value}, {reading.problem} FROM {cell}"
    ).fetchall()[0]
    return found


def expected(local: datetime, zone: ZoneInfo) -> tuple[datetime | None, str | None]:
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) != local:
        return None, "local time that does not exist"
    return (None, "ambiguous local time") if first != second else (first, None)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(ZONES),
    st.integers(0, 10_000),
    st.integers(-240, 240),
    st.datetimes(datetime(1995, 1, 1), datetime(2023, 12, 31)),
)
def test_local_times_are_those_of_the_zone(
    session: duckdb.DuckDBPyConnection, key: str, change: int, minutes: int, anywhere: datetime
) -> None:
    zone = ZoneInfo(key)
    recent = [found.start for found in clock_changes(zone) if 1995 <= found.start.year <= 2023]
    near_a_change = recent[change % len(recent)] + timedelta(minutes=minutes) if recent else anywhere

    for local in (near_a_change, anywhere):
        assert read(session, local, zone) == expected(local, zone)


@pytest.mark.parametrize("key", ["UTC", "Asia/Tokyo"])
def test_zones_without_clock_changes_cost_nothing(key: str) -> None:
    reading = time_reading("test", "at", "TIMESTAMP", None, ZoneInfo(key))

    assert "month" not in reading.value
