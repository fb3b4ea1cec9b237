"""Digests of what was known when: exact in what they cover, and arithmetic that needs no engine."""

import hashlib
from datetime import timedelta
from math import floor
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.tables import EVENTS, ITEMS
from components.features.snapshots.rows_digest import PRIME, row_hash, rows_digests
from tests.components.features.frames import DAY_ZERO, PLAIN, clean_tables, event, on, workspace

DAYS = [on(day) for day in range(6)]


def digests(*events: dict[str, Any], items: list[dict[str, Any]] | None = None) -> list[str]:
    with workspace(clean_tables(events, items or [])) as space:
        by_day = rows_digests(space, DAYS, PLAIN)
    return [by_day[day] for day in DAYS]


def known(happened: float, available: float, **more: Any) -> dict[str, Any]:
    return event(happened, "u", "i", known=available, event_id=f"{happened}/{available}", **more)


def changed(before: list[str], after: list[str]) -> list[int]:
    return [day for day, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]


def test_order_and_ingestion_time_do_not_count() -> None:
    rows = [known(day, day) for day in (0.5, 1.5, 2.5)]

    assert digests(*rows) == digests(*({**row, "ingested_at": on(9)} for row in reversed(rows)))


def test_a_late_row_changes_the_days_from_when_it_was_known() -> None:
    before = digests(known(0.5, 0.5), known(1.5, 1.5))

    assert changed(before, digests(known(0.5, 0.5), known(1.5, 1.5), known(0.7, 3.2))) == [4, 5]


def test_an_event_at_the_moment_itself_is_not_known_but_one_available_then_is() -> None:
    before = digests()

    assert changed(before, digests(known(2, 2))) == [3, 4, 5]
    assert changed(before, digests(known(1.5, 2))) == [2, 3, 4, 5]


def test_numbers_that_change_places_count() -> None:
    """A sum of rows alone would not see it."""
    cheap, dear = {"price": 1.5, "quantity": 2.0}, {"price": 2.5, "quantity": 1.0}

    one = digests(known(0.5, 0.5, **cheap), known(0.6, 0.6, **dear))

    assert changed(one, digests(known(0.5, 0.5, **dear), known(0.6, 0.6, **cheap))) == [1, 2, 3, 4, 5]
    assert changed(one, digests(known(0.5, 0.5, price=2.0, quantity=1.5), known(0.6, 0.6, **dear)))


def test_what_the_catalogue_says_counts_from_when_it_holds_but_not_its_titles() -> None:
    tea = {"item_id": "tea", "category": ["hot"], "attributes": {"size": "1"}, "valid_from": on(2), "title": "Tea"}
    before = digests(items=[tea])

    assert changed(before, digests(items=[{**tea, "title": "TEA"}])) == []
    assert changed(before, digests(items=[{**tea, "attributes": {"size": "2"}}])) == [2, 3, 4, 5]
    assert changed(before, digests(items=[{**tea, "is_merchandise": True}])) == [2, 3, 4, 5]


@settings(max_examples=10)
@given(st.lists(st.tuples(st.integers(0, 24), st.integers(0, 24)), max_size=8), st.integers(0, 24), st.integers(0, 24))
def test_a_digest_covers_exactly_the_known_rows(rows: list[tuple[int, int]], happened: int, lag: int) -> None:
    before = [known(start / 4, (start + wait) / 4) for start, wait in rows]
    at, available = happened / 4, (happened + lag) / 4

    differing = changed(digests(*before), digests(*before, known(at, available)))

    assert differing == [day for day in range(6) if at < day and available <= day]


def recomputed(schema: pa.Schema, row: dict[str, Any]) -> int:
    """Hash a row in plain Python, as any engine must."""
    texts, numbers = [], []
    for field in schema:
        value = row[field.name]
        if field.name in ("title", "ingested_at"):
            continue
        if pa.types.is_string(field.type):
            texts.append("\x1e" if value is None else value)
        elif pa.types.is_list(field.type):
            texts.append("\x1d".join(value))
        elif pa.types.is_map(field.type):
            texts += ["\x1d".join(key for key, _ in value), "\x1d".join(held for _, held in value)]
        elif pa.types.is_timestamp(field.type):
            numbers.append((value - DAY_ZERO.replace(year=1970)) // timedelta(microseconds=1))
        elif pa.types.is_boolean(field.type):
            numbers.append(int(value))
        else:
            numbers += [None, None] if value is None else [floor(value), int((value - floor(value)) * 2**53)]
    text_hash = int(hashlib.md5("\x1f".join(texts).encode(), usedforsecurity=False).hexdigest()[:7], 16)
    weights = [pow(48_271, place + 1, PRIME) % 2**28 for place in range(len(numbers))]
    rests = [17 if number is None else number % PRIME for number in numbers]
    return text_hash * ((1 + sum(rest * weight for rest, weight in zip(rests, weights, strict=True))) % PRIME) % PRIME


def test_a_row_has_the_hash_that_plain_python_gives() -> None:
    tables = clean_tables(
        [event(0.5, "ann ü", "tea", price=0.1 + 0.2, quantity=3.0), event(1.25, None, "x", list_price=1e6 / 7)],
        [{"item_id": "tea", "category": ["a", "b"], "price": 2.55, "attributes": {"k": "v"}, "valid_from": on(0),
          "is_merchandise": False}],
    )  # fmt: skip
    with workspace(tables) as space:
        for name, schema in (("events", EVENTS), ("items", ITEMS)):
            table = space.clean[name]
            hashes = space.fetch(table.select(code=row_hash(space, table)))["code"].to_pylist()
            assert hashes == [recomputed(schema, row) for row in tables[name].to_pylist()]
