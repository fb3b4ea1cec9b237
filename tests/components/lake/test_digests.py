"""Digests of what was known when: whatever the layout, exact in what they cover."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.tables import EVENTS
from components.lake.digests import snapshot_digests
from components.lake.tables import append_rows, create_table

START = datetime(2024, 3, 1, tzinfo=UTC)
DAYS = [START + timedelta(days=day) for day in range(6)]


def events(*known: tuple[float, float], ingested: datetime = START) -> pa.Table:
    """Rows of (event day, available day)."""
    rows = [
        {
            "event_id": f"{happened}/{available}",
            "event_time": START + timedelta(days=happened),
            "available_at": START + timedelta(days=available),
            "ingested_at": ingested,
            "item_id": "i",
        }
        for happened, available in known
    ]
    return pa.Table.from_pylist(rows, EVENTS)


def digests(folder: Path, *batches: pa.Table) -> list[str]:
    create_table(folder, EVENTS)
    version = 0
    for batch in batches:
        version = append_rows(folder, batch, {})
    found = snapshot_digests(folder, version, DAYS[::-1])
    return [found[day] for day in DAYS]


def changed(before: list[str], after: list[str]) -> list[int]:
    return [day for day, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]


def test_layout_order_and_ingestion_time_do_not_count(tmp_path: Path) -> None:
    together = digests(tmp_path / "a", events((0.5, 0.5), (1.5, 1.5), (2.5, 2.5)))
    apart = digests(tmp_path / "b", events((2.5, 2.5), (0.5, 0.5), ingested=DAYS[5]), events((1.5, 1.5)))

    assert together == apart


def test_a_late_row_changes_the_days_from_when_it_was_known(tmp_path: Path) -> None:
    before = digests(tmp_path / "a", events((0.5, 0.5), (1.5, 1.5)))
    after = digests(tmp_path / "b", events((0.5, 0.5), (1.5, 1.5), (0.7, 3.2)))

    assert changed(before, after) == [4, 5]


def test_an_event_at_the_moment_itself_is_not_known_but_one_available_then_is(tmp_path: Path) -> None:
    before = digests(tmp_path / "a")

    assert changed(before, digests(tmp_path / "b", events((2, 2)))) == [3, 4, 5]
    assert changed(before, digests(tmp_path / "c", events((1.5, 2)))) == [2, 3, 4, 5]


@settings(max_examples=10)
@given(st.lists(st.tuples(st.integers(0, 24), st.integers(0, 24)), max_size=8), st.integers(0, 24), st.integers(0, 24))
def test_a_digest_covers_exactly_the_known_rows(known: list[tuple[int, int]], happened: int, lag: int) -> None:
    def quarter(row: tuple[int, int]) -> tuple[float, float]:
        return row[0] / 4, (row[0] + row[1]) / 4

    with tempfile.TemporaryDirectory() as folder:
        base = [quarter(row) for row in known]
        extra = quarter((happened, lag))
        differing = changed(
            digests(Path(folder) / "a", events(*base)), digests(Path(folder) / "b", events(*base, extra))
        )
    assert differing == [day for day in range(6) if extra[0] < day and extra[1] <= day]
