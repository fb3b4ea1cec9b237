"""Example lists: which customers are shown, and what an item is called."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from components.contracts.handles import Handle
from components.contracts.recommendations import (
    CustomerExample,
    PastItem,
    RecommendedItem,
    examples_as_facts,
    examples_from_facts,
)
from components.contracts.steps import StepRecord
from components.contracts.tables import ITEMS
from components.lake.tables import append_rows, create_table
from components.write_report.customers import customer_examples
from components.write_report.example_lists import choose_customers, read_catalogue, title
from tests.components.write_report import sample_run


def people(trips: list[float], days: list[float]) -> pa.Table:
    ids = [f"u{number}" for number in range(len(trips))]
    return pa.table({"user_id": ids, "trips": trips, "days_since_last": days})


def test_a_frequent_a_usual_and_a_rare_customer_are_chosen_whatever_the_order_of_rows() -> None:
    found = people([float(trips) for trips in range(11)], [3.0] * 11)
    assert choose_customers(found) == ["u9", "u5", "u1"]
    assert choose_customers(found.take(list(range(10, -1, -1)))) == ["u9", "u5", "u1"]


def test_customers_who_came_lately_are_preferred_and_nobody_is_shown_twice() -> None:
    assert choose_customers(people([9.0, 2.0], [300.0, 5.0])) == ["u1"]
    assert choose_customers(people([9.0, 0.0], [300.0, 5.0])) == ["u0"]
    assert choose_customers(people([], [])) == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"title": "Maple tea no. 3"}, "Maple tea no. 3"),
        ({"title": None, "category": ["GROCERY", "FLUID MILK"], "brand": "Private"}, "FLUID MILK · Private"),
        ({"title": "WHOLE MILK", "category": [], "brand": None}, "Whole milk"),
        ({}, "i7"),
    ],
)
def test_title_falls_back_to_category_and_brand_then_to_the_id(row: dict[str, object], words: str) -> None:
    assert title("i7", {"i7": row}) == words


def test_the_catalogue_is_read_as_it_held_at_the_runs_moment(tmp_path: Path) -> None:
    moments = [datetime(2025, month, 1, tzinfo=UTC) for month in (1, 3, 6)]
    rows = [
        {"item_id": "i1", "category": [], "title": words, "valid_from": moment}
        for words, moment in zip(("first", "second", "later"), moments, strict=True)
    ]
    create_table(tmp_path / "items", ITEMS)
    version = append_rows(tmp_path / "items", pa.Table.from_pylist(rows, schema=ITEMS), {})
    clean = Handle("clean", str(tmp_path), {"items": version}, None, "2025-04-01T00:00:00+00:00")
    assert read_catalogue(clean, ["i1", "i2"])["i1"]["title"] == "second"


def test_examples_survive_the_way_through_facts() -> None:
    item = RecommendedItem(1, "i1", "Tea", 0.5, ("bought twice", "best seller"), price=2.5, new_to_customer=False)
    example = CustomerExample("u1", "3 trips", (PastItem("i1", "Tea", 2, "2025-05-01"),), (item,))
    assert examples_from_facts(examples_as_facts([example])) == (example,)


def test_examples_that_a_step_kept_come_first_and_broken_ones_are_left_out() -> None:
    example = CustomerExample("u1", "", (), ())
    facts = {"examples": [*examples_as_facts([example]), {"no": "user"}, 3]}
    record = StepRecord("evaluate_ranker", "done", facts=facts)
    assert customer_examples({"evaluate_ranker": record}, sample_run.shop()).examples == (example,)


def test_a_damaged_bundle_is_said_instead_of_a_list(tmp_path: Path) -> None:
    handles = {
        "publish_bundle": Handle("bundle", str(tmp_path / "bundle")),
        "build_features": Handle("features", str(tmp_path / "set")),
        "validate_events": Handle("clean", str(tmp_path)),
    }
    records = {step: StepRecord(step, "done", handles={each.kind: each}) for step, each in handles.items()}
    found = customer_examples(records, sample_run.shop())
    assert not found.examples
    assert "found no feature set" in found.absent
