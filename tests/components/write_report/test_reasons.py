"""Reasons: facts about a customer and an item, the most personal first."""

import numpy as np
import pytest

from components.ranking.rows import ItemRows, Ragged, UserRows
from components.write_report.reasons import NONE_IN_WORDS, Reasons

TITLES = {0: "milk", 1: "bread", 2: "honey", 3: "nails", 4: "jam"}


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def ragged(*rows: list[float], kind: type = np.float32) -> Ragged:
    offsets = np.cumsum([0, *(len(row) for row in rows)]).astype(np.int64)
    return Ragged(offsets, np.array([value for row in rows for value in row], dtype=kind))


@pytest.fixture
def reasons() -> Reasons:
    items = ItemRows(
        item_ids=np.array(["a", "b", "c", "d", "e"], dtype=object),
        codes=np.array([10, 11, 12, 13, 14], dtype=np.int32),
        columns={
            "purchases_28d": floats(90, 40, 0, 0, 0),
            "trend": floats(1, 1, 1, 1, 2),
            "category": floats(1, 2, 2, 3, np.nan),
            "days_since_first_sale": floats(300, 300, 300, 300, 9),
            "promotion_reach": floats(np.nan, np.nan, np.nan, np.nan, 0.5),
        },
        arrays={"neighbour_item": ragged([12], [], [], [], [], kind=np.int32)},
    )
    users = UserRows(
        user_ids=np.array(["u", "new"], dtype=object),
        columns={"trips": floats(12, 0)},
        arrays={
            "history_item": ragged([0, 1], [], kind=np.int32),
            "history_trips": ragged([9, 1], []),
            "history_days_since_last": ragged([6.2, 40], []),
            "history_gap": ragged([7.1, np.nan], []),
            "history_decay_112": ragged([8, 0.7], []),
            "category_code": ragged([2], []),
            "category_trips": ragged([2], []),
            "seen_item": ragged([13], [], kind=np.int32),
            "seen_days_since_last": ragged([1.5], []),
        },
    )
    return Reasons(users, items, TITLES, horizon_days=7)


def test_own_purchases_come_first_and_say_when_it_is_time_again(reasons: Reasons) -> None:
    assert reasons.of(0, 0) == (
        "bought 9 times, about every 7 days; last 6 days ago",
        "it is about time again",
        "the best seller of the last four weeks",
    )


def test_one_purchase_has_no_rhythm(reasons: Reasons) -> None:
    assert reasons.of(0, 1)[0] == "bought once; last 40 days ago"


def test_an_item_is_linked_to_what_was_bought_with_it_and_to_its_category(reasons: Reasons) -> None:
    assert reasons.of(0, 2) == ("often bought with milk", "from a category bought twice")


def test_what_was_looked_at_is_said_until_it_is_bought(reasons: Reasons) -> None:
    assert reasons.of(0, 3) == ("looked at yesterday, not bought yet",)


def test_a_new_customer_gets_reasons_of_the_item_alone(reasons: Reasons) -> None:
    assert reasons.of(1, 4) == ("sells more than it did before", "new in the shop", "lately on promotion")
    assert reasons.of(1, 2) == (NONE_IN_WORDS,)


def test_a_shop_with_purchases_alone_has_reasons_too() -> None:
    items = ItemRows(np.array(["a"], dtype=object), np.array([0], dtype=np.int32), {}, {})
    users = UserRows(np.array(["u"], dtype=object), {}, {"history_item": ragged([], kind=np.int32)})
    assert Reasons(users, items, {}, 7).of(0, 0) == (NONE_IN_WORDS,)
