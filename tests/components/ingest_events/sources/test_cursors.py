"""How far behind a cursor rows are read again, and cells that databases hold."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from components.ingest_events.sources.cursors import read_cursor, window_start, write_cursor
from components.ingest_events.sources.sql_tables import text_cells


@pytest.mark.parametrize(
    ("newest", "start"),
    [
        (datetime(2024, 3, 2, 10, tzinfo=UTC), datetime(2024, 3, 1, 10, tzinfo=UTC)),
        (date(2024, 3, 1), date(2024, 2, 29)),
        (datetime.min, datetime.min),
        (1_000_000, 990_000),
        (Decimal("5.5"), Decimal("-9994.5")),
        ("2024-03-01 10:00:00", "2024-02-29"),
        ("v10", "v10"),
    ],
)
def test_a_window_is_a_day_or_ten_thousand(newest: Any, start: Any) -> None:
    assert window_start(newest) == start
    assert read_cursor(write_cursor(newest)) == newest


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        ([17850.0, None], ["17850", None]),
        ([1.5, 2.0**53], ["1.5", "9.0071992547409920e+15"]),
        ([4006390000000.0, 2.0**53 - 1], ["4006390000000", "9007199254740991"]),
        ([2**53 + 1, None], ["9007199254740993", None]),
        ([2**53 + 1, 0.5], ["9007199254740993", "0.5"]),
        (["é2".encode(), b"\xff\x01"], ["é2", "ff01"]),
        ([b"u1", None, "u2"], ["u1", None, "u2"]),
        ([1, 2.5, True, "x"], ["1", "2.5", "True", "x"]),
    ],
)
def test_cells_of_a_database_are_one_text_each(cells: list[Any], texts: list[str | None]) -> None:
    assert text_cells(cells).to_pylist() == texts
