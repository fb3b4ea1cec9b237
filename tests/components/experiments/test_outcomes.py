"""Which clicks and purchases are those of which list."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.contracts.feedback import SERVED, SERVED_EVENTS
from components.experiments.outcomes import Outcomes, find_hits, outcomes_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
LISTS = SERVED.empty_table().select(["request_id", "event_time", "user_id", "item_ids"]).schema


def shown(request: str, user: str, *items: str, hours: float = 0.0) -> dict[str, Any]:
    return {
        "request_id": request,
        "event_time": NOON + timedelta(hours=hours),
        "user_id": user,
        "item_ids": list(items),
    }


def event(kind: str, user: str, item: str, hours: float = 1.0, **more: Any) -> dict[str, Any]:
    at = NOON + timedelta(hours=hours)
    return {"event_id": "e", "event_time": at, "event_type": kind, "user_id": user, "item_id": item} | more


def outcomes(lists: list[dict[str, Any]], *events: dict[str, Any]) -> Outcomes:
    hits = find_hits(pa.Table.from_pylist(lists, LISTS), pa.Table.from_pylist(list(events), SERVED_EVENTS), WEEK)
    return outcomes_of(hits, len(lists))


LIST = shown("r", "ann", "tea", "milk", "bread")


@pytest.mark.parametrize(
    ("events", "first_click", "bought"),
    [
        ([], 0, False),
        ([event("click", "ann", "milk", request_id="r")], 2, False),
        ([event("click", "ann", "milk")], 2, False),
        ([event("click", "ann", "milk", 0.0)], 2, False),
        ([event("click", "ann", "bread", 1), event("click", "ann", "tea", 2)], 3, False),
        ([event("click", "ann", "bread", 1), event("click", "ann", "tea", 1)], 1, False),
        ([event("click", "ann", "milk"), event("click", "ann", "milk", 2)], 2, False),
        ([event("purchase", "ann", "tea")], 0, True),
        ([event("purchase", "ann", "tea", quantity=2.0)], 0, True),
        ([event("purchase", "ann", "tea", quantity=0.0)], 0, False),
        ([event("view", "ann", "tea"), event("add_to_cart", "ann", "tea")], 0, False),
        ([event("click", "ben", "milk")], 0, False),
        ([event("click", "ben", "milk", request_id="r")], 2, False),
        ([event("click", "ann", "cake", request_id="r"), event("purchase", "ann", "cake")], 0, False),
        ([event("click", "ann", "milk", request_id="a preview")], 0, False),
        ([event("click", "ann", "milk", user_id=None, request_id="r")], 2, False),
        ([event("click", "ann", "milk", user_id=None)], 0, False),
        ([event("click", "ann", "milk", item_id=None, request_id="r")], 0, False),
        ([event("click", "ann", "milk", -1)], 0, False),
        ([event("click", "ann", "milk", 7 * 24 - 0.01)], 2, False),
        ([event("click", "ann", "milk", 7 * 24)], 0, False),
        ([event("purchase", "ann", "milk", 7 * 24, request_id="r")], 0, False),
    ],
)
def test_events_of_one_list(events: list[dict[str, Any]], first_click: int, bought: bool) -> None:
    results = outcomes([LIST], *events)
    assert (results.first_click.tolist(), results.bought.tolist()) == ([first_click], [bought])
    assert results.clicked.tolist() == [first_click > 0]
    assert results.reciprocal_rank.tolist() == [1 / first_click if first_click else 0.0]


def test_an_event_that_names_its_request_counts_for_that_list_alone() -> None:
    lists = [LIST, shown("s", "ann", "milk", hours=0.5)]
    assert outcomes(lists, event("click", "ann", "milk", request_id="s")).first_click.tolist() == [0, 1]
    assert outcomes(lists, event("click", "ann", "milk")).first_click.tolist() == [2, 1]


def test_where_a_page_said_what_it_displayed_the_rest_was_not_seen() -> None:
    acknowledged = event("shown", "ann", "tea", request_id="r")
    bought = event("purchase", "ann", "bread")
    assert outcomes([LIST], acknowledged, bought).bought.tolist() == [False]
    assert outcomes([LIST], acknowledged, bought, event("view", "ann", "bread", request_id="r")).bought.tolist() == [
        True
    ]
    assert outcomes([LIST, shown("s", "ann", "bread")], acknowledged, bought).bought.tolist() == [False, True]


def test_lists_without_items_and_logs_without_lists_have_no_outcomes() -> None:
    click = event("click", "ann", "milk")
    assert outcomes([shown("q", "ann"), LIST, shown("s", "ben")], click).clicked.tolist() == [False, True, False]
    assert outcomes([], click).clicked.tolist() == []
    assert (
        outcomes(
            [],
        ).clicked.tolist()
        == []
    )


def test_a_thousand_lists_agree_with_a_count_one_by_one() -> None:
    random = np.random.default_rng(3)
    items = [f"i{number}" for number in range(12)]

    def hours(most: int) -> float:
        return float(random.uniform(0, most))

    def user() -> str:
        return f"u{random.integers(40)}"

    lists = [
        shown(f"r{number}", user(), *random.permutation(items)[:4].tolist(), hours=hours(300)) for number in range(1000)
    ]
    events = [event("click", user(), str(random.choice(items)), hours(400)) for _ in range(200)]
    events += [
        event("click", "ann", str(random.choice(items)), hours(400), request_id=f"r{random.integers(1100)}")
        for _ in range(200)
    ]

    def answers(one: dict[str, Any], other: dict[str, Any]) -> bool:
        named = other.get("request_id")
        same = named == one["request_id"] if named else other["user_id"] == one["user_id"]
        within = one["event_time"] <= other["event_time"] < one["event_time"] + WEEK
        return same and within and other["item_id"] in one["item_ids"]

    expected = [any(answers(one, other) for other in events) for one in lists]
    assert outcomes(lists, *events).clicked.tolist() == expected
    assert 50 < sum(expected) < 900
