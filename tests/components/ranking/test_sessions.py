"""A row with a session laid over it is the row of a snapshot that saw the session."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.ranking.recommending import users_between
from components.ranking.rows import ItemRows, Ragged, UserRows, item_rows, user_rows, users_of
from components.ranking.sessions import BROWSING, ESTIMATES, Session, both, longer, session_seeds, with_session
from tests.components.features.frames import DAY_ZERO, PLAIN, clean_tables, event, snapshots

pytestmark = pytest.mark.slow(seconds=30)

SHAPE = replace(PLAIN, browsing=BROWSING, category_levels=1)
LATE = 70 - 1 / 86_400  # a second before the snapshot
ITEMS = [
    {"item_id": f"i{n:02}", "category": [("DAIRY", "BREAD", "FRUIT")[n % 3]], "brand": "AB"[n % 2]} for n in range(12)
]
CODES = [str(item["item_id"]) for item in ITEMS]
UNSOLD = "i11"  # in the catalogue, but nobody did anything with it yet
OF_THE_ROW = {"snapshot_day"}
Act = tuple[str, str, float]


def micros(day: float) -> int:
    return round((DAY_ZERO.timestamp() + day * 86_400) * 1e6)


def past() -> list[dict[str, Any]]:
    """Purchases and views of four users, and one trip on which everything but ``UNSOLD`` was bought."""
    draw = random.Random(7)
    events = [event(3, "zed", item) for item in CODES[:11]]
    for user in range(4):
        for day in range(user, 69, 3):
            bought = draw.sample(CODES[:9], 3)
            events += [event(day + 0.5, f"u{user}", item, quantity=draw.randint(1, 3), price=4.0) for item in bought]
        events += [event(day + 0.7, f"u{user}", draw.choice(CODES[:9]), "view") for day in range(55, 69, 2)]
    return events


def snapshot(extra: Sequence[dict[str, Any]] = ()) -> dict[str, pa.Table]:
    return snapshots(clean_tables([*past(), *extra], ITEMS, codes=CODES), 70, SHAPE)


@dataclass(frozen=True)
class Shop:
    items: ItemRows
    users: UserRows

    def row(self, user: str) -> UserRows:
        return one_of(self.users, user) if user in self.users.user_ids else self._nobody()

    def _nobody(self) -> UserRows:
        nothing = np.zeros(2, dtype=np.int64)
        columns = {name: np.full(1, np.nan, dtype=np.float32) for name in self.users.columns}
        arrays = {name: Ragged(nothing, ragged.values[:0]) for name, ragged in self.users.arrays.items()}
        return users_of(np.array(["new"], dtype=object), columns, arrays, self.items)


@pytest.fixture(scope="module")
def shop() -> Shop:
    tables = snapshot()
    items = item_rows(tables["item_features"])
    return Shop(items, user_rows(tables["user_features"], items))


def one_of(users: UserRows, user: str) -> UserRows:
    place = users.user_ids.tolist().index(user)
    return users_between(users, place, place + 1)


def session_of(acts: Sequence[Act], at: float = LATE) -> Session:
    found: Session | None = None
    for item, kind, units in acts:
        code = CODES.index(item) if item in CODES else 99
        found = longer(found, np.array([code], dtype=np.int32), kind, micros(at), units)
    assert found is not None
    return found


def differing(found: UserRows, expected: UserRows) -> set[str]:
    """Names of the columns and arrays that are not alike."""
    assert found.columns.keys() == expected.columns.keys()
    assert found.arrays.keys() == expected.arrays.keys()
    pairs = {name: (values, expected.columns[name]) for name, values in found.columns.items()}
    pairs |= {name: (ragged.values, expected.arrays[name].values) for name, ragged in found.arrays.items()}
    return {name for name, (one, other) in pairs.items() if not alike(one, other)}


def alike(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-4, atol=2e-4, equal_nan=True)


ACTS: dict[str, list[Act]] = {
    "a known item": [("i03", "purchase", 1.0)],
    "one bought for the first time": [("i10", "purchase", 2.0)],
    "several of one category": [("i00", "purchase", 2.0), ("i03", "purchase", 1.0), ("i06", "purchase", 3.0)],
    "one item twice": [("i04", "purchase", 1.0), ("i04", "purchase", 2.0), ("i05", "purchase", 1.0)],
    "views": [("i00", "view", 1.0), ("i10", "view", 1.0), ("i00", "click", 1.0), ("i04", "add_to_cart", 1.0)],
    "all at once": [("i00", "view", 1.0), ("i00", "purchase", 1.0), ("i10", "click", 1.0), ("i10", "purchase", 1.0)],
}


@pytest.mark.parametrize("acts", ACTS.values(), ids=ACTS.keys())
@pytest.mark.parametrize("user", ["u1", "zed", "new"])
def test_a_session_moves_a_row_as_a_snapshot_would(shop: Shop, user: str, acts: list[Act]) -> None:
    extra = [event(LATE, user, item, kind, quantity=units) for item, kind, units in acts]
    true = one_of(user_rows(snapshot(extra)["user_features"], shop.items), user)
    row = with_session(shop.row(user), shop.items, session_of(acts), micros(70))
    allowed = {name for name in differing(row, true) if name.removeprefix("history_") in ESTIMATES}
    assert differing(row, true) - OF_THE_ROW - allowed == set()
    bought = any(kind == "purchase" for _, kind, _ in acts)
    assert bought or not allowed, "browsing estimates nothing"


def test_estimates_are_near(shop: Shop) -> None:
    """Paid prices count as they did, weeks go by seven days, and gaps of categories lack their first purchase."""
    acts = ACTS["several of one category"]
    extra = [event(LATE, "u1", item, kind, quantity=units, price=4.0 * units) for item, kind, units in acts]
    true = one_of(user_rows(snapshot(extra)["user_features"], shop.items), "u1")
    row = with_session(shop.row("u1"), shop.items, session_of(acts), micros(70))
    for name in ("active_weeks", "active_weeks_56d"):
        assert abs(row.columns[name] - true.columns[name]).max() <= 1
    for name in ("history_weeks", "history_weeks_56d", "category_weeks", "branded_category_weeks"):
        assert abs(row.arrays[name].values - true.arrays[name].values).max() <= 1
    for name in ("category_gap", "branded_category_gap"):
        np.testing.assert_allclose(row.arrays[name].values, true.arrays[name].values, rtol=0.05)


def test_what_has_no_row_is_passed_over(shop: Shop) -> None:
    row = shop.row("u1")
    unknown_item = [("no such item", "purchase", 1.0), ("no such item", "view", 1.0)]
    assert differing(with_session(row, shop.items, session_of(unknown_item), micros(70)), row) == set()
    found = with_session(row, shop.items, session_of([*unknown_item, *ACTS["a known item"]]), micros(70))
    assert differing(found, with_session(row, shop.items, session_of(ACTS["a known item"]), micros(70))) == set()


def test_the_row_itself_is_not_changed(shop: Shop) -> None:
    before = {name: ragged.values.copy() for name, ragged in shop.row("u1").arrays.items()}
    with_session(shop.row("u1"), shop.items, session_of(ACTS["all at once"]), micros(70))
    assert all(np.array_equal(shop.row("u1").arrays[name].values, was, equal_nan=True) for name, was in before.items())


def test_browsing_counts_by_its_age(shop: Shop) -> None:
    row = with_session(shop.row("new"), shop.items, session_of([("i02", "view", 1.0)], at=63), micros(70))
    assert row.arrays["seen_days_since_last"].values.tolist() == [7]
    assert row.arrays["seen_view_decay_7"].values.tolist() == [0.5]
    assert row.columns["view_7d"].tolist() == [1]
    older = with_session(shop.row("new"), shop.items, session_of([("i02", "view", 1.0)], at=62), micros(70))
    assert older.columns["view_7d"].tolist() == [0]


def test_a_session_is_cut_by_moment_and_by_number() -> None:
    session = longer(session_of([("i00", "view", 1.0)], at=1), np.array([4, 5], np.int32), "click", micros(2))
    assert session.since(micros(2)).codes.tolist() == [4, 5]
    assert session.since(micros(2) + 1).kinds == ()
    newest = session.newest(2)
    assert (newest.codes.tolist(), newest.kinds, len(newest)) == ([4, 5], ("click", "click"), 2)


def test_two_records_of_a_session_are_one_and_nothing_counts_twice() -> None:
    first = session_of([("i00", "purchase", 1.0), ("i00", "purchase", 1.0)], at=1)
    one = longer(first, np.array([4], np.int32), "view", micros(3))
    other = longer(first, np.array([5], np.int32), "click", micros(2))
    found = both(one, other)
    assert found is not None
    assert (found.codes.tolist(), found.kinds) == ([0, 0, 5, 4], ("purchase", "purchase", "click", "view"))
    assert found.at.tolist() == [micros(1), micros(1), micros(2), micros(3)]
    assert both(None, one) is both(one, None) is one


def test_what_interests_a_stranger_weighs_by_how_much_they_did(shop: Shop) -> None:
    acts = [("i02", "view", 1.0), ("i02", "click", 1.0), ("i05", "purchase", 1.0), ("no such item", "view", 1.0)]
    seeds = session_seeds(session_of(acts), shop.items)
    assert shop.items.item_ids[seeds.arrays["history_item"].values].tolist() == ["i02", "i05"]
    assert seeds.arrays["history_decay_112"].values.tolist() == [3.0, 4.0]
