"""The engine's clock changes are those of Python's zone table, also of zones that the engine has never heard of."""

import struct
from datetime import UTC, datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest

from components.lake.session import duckdb_session
from components.lake.zones import clock_change_sql, earlier_instant_sql, instant_sql, local_sql

CHANGE = datetime(2024, 6, 1, 12, tzinfo=UTC)


def invented_zone(before: int, after: int) -> ZoneInfo:
    """A zone of two offsets, in hours, with a change at ``CHANGE``."""
    changes = struct.pack(">iB", int(CHANGE.timestamp()), 1)
    kinds = b"".join(struct.pack(">iBB", hours * 3600, 0, 0) for hours in (before, after))
    counts = struct.pack(">6I", 0, 0, 0, 1, 2, 4)
    return ZoneInfo.from_file(BytesIO(b"TZif\0" + bytes(15) + counts + changes + kinds + b"XXX\0"), key="Mars/Base")


def evaluated(expression: str) -> object:
    with duckdb_session(threads=1) as session:
        return session.execute(f"SELECT {expression}").fetchall()[0][0]


@pytest.mark.parametrize(
    ("local", "problem", "instant", "earlier"),
    [
        ("2024-06-01 12:59:59", None, "2024-06-01 11:59:59", "2024-06-01 11:59:59"),
        ("2024-06-01 13:00:00", "local time that does not exist", None, "2024-06-01 12:00:00"),
        ("2024-06-01 14:59:59", "local time that does not exist", None, "2024-06-01 13:59:59"),
        ("2024-06-01 15:00:00", None, "2024-06-01 12:00:00", "2024-06-01 12:00:00"),
    ],
)
def test_local_times_follow_the_table_that_python_has(
    local: str, problem: str | None, instant: str | None, earlier: str
) -> None:
    zone, cell = invented_zone(before=1, after=3), f"TIMESTAMP '{local}'"

    assert evaluated(clock_change_sql(cell, zone)) == problem
    assert evaluated(instant_sql(cell, zone)) == (instant and datetime.fromisoformat(f"{instant}+00:00"))
    assert evaluated(earlier_instant_sql(cell, zone)) == datetime.fromisoformat(f"{earlier}+00:00")


def test_clocks_that_go_back_make_local_times_ambiguous() -> None:
    cell = "TIMESTAMP '2024-06-01 13:30:00'"

    assert evaluated(clock_change_sql(cell, invented_zone(before=3, after=1))) == "ambiguous local time"


@pytest.mark.parametrize(("seconds", "ahead"), [(-1, 1), (0, 3)])
def test_an_instant_has_the_local_time_of_the_zone(seconds: int, ahead: int) -> None:
    moment = CHANGE + timedelta(seconds=seconds)
    local = local_sql("moment", invented_zone(before=1, after=3))

    found = evaluated(f"{local} FROM (SELECT TIMESTAMPTZ '{moment.isoformat()}' AS moment)")

    assert found == (moment + timedelta(hours=ahead)).replace(tzinfo=None)
