from dataclasses import replace

import pytest

from tests.components.features.frames import PLAIN, clean_tables, event, snapshots, user_row


def test_trips_are_distinct_sessions_and_fall_back_to_the_user_and_day():
    events = [
        event(1.0, "ann", "tea", session_id="s1"),
        event(1.1, "ann", "milk", session_id="s2"),
        event(3.0, "ann", "tea"),
        event(3.5, "ann", "bread"),
    ]
    row = user_row(clean_tables(events), 10, "ann")
    assert row["trips"] == 3
    assert row["basket_items_mean"] == pytest.approx(4 / 3)
    assert row["days_since_last"] == 7
    assert row["tenure_days"] == 9


def test_history_arrays_are_aligned_and_measured_from_the_snapshot():
    events = [event(0, "ann", "tea"), event(4, "ann", "tea"), event(8, "ann", "milk")]
    row = user_row(clean_tables(events, codes=["milk", "tea"]), 10, "ann")
    history = {
        name.removeprefix("history_"): dict(zip(row["history_item"], values, strict=True))
        for name, values in row.items()
        if name.startswith("history_")
    }
    milk, tea = 0, 1
    assert history["trips"] == {milk: 1, tea: 2}
    assert history["days_since_last"] == {milk: 2, tea: 6}
    assert history["days_since_first"] == {milk: 2, tea: 10}
    assert history["trips_since_last"] == {milk: 0, tea: 1}
    assert history["trips_since_first"] == {milk: 0, tea: 2}
    assert history["gap"] == {milk: None, tea: 4}
    assert history["trip_gap"] == {milk: None, tea: 1}
    assert history["decay_112"][tea] == pytest.approx(0.5 ** (10 / 112) + 0.5 ** (6 / 112))
    assert history["trip_decay_90"][tea] == pytest.approx(0.9**2 + 0.9)
    assert history["volume_decay_100"][tea] == pytest.approx(0.5 ** (2 / 100) + 0.5 ** (1 / 100))
    assert history["weeks"] == {milk: 1, tea: 2}


def test_quantity_and_price_reach_the_history():
    events = [
        event(0, "ann", "tea", quantity=2.0, price=6.0),
        event(9, "ann", "tea", quantity=1.0, price=3.0),
    ]
    row = user_row(clean_tables(events), 10, "ann")
    assert row["history_unit_price"] == [pytest.approx(3.0)]
    assert row["history_last_units"] == [1.0]
    assert row["history_units_decay_56"] == [pytest.approx(2 * 0.5 ** (10 / 56) + 0.5 ** (1 / 56))]


def test_returns_subtract_and_a_line_taken_back_whole_leaves_the_history():
    events = [
        event(0, "ann", "tea", quantity=1.0),
        event(1, "ann", "tea", "return", quantity=1.0),
        event(2, "ann", "milk", quantity=1.0),
        event(3, "ann", "milk", quantity=1.0),
        event(4, "ann", "milk", "return", quantity=-1.0),
    ]
    row = user_row(clean_tables(events, codes=["milk", "tea"]), 10, "ann")
    assert row["history_item"] == [0]
    assert row["history_trips"] == [1]


def test_the_longest_history_is_cut_to_the_most_recent_items_and_ties_go_by_id():
    events = [event(1, "ann", "old"), event(5, "ann", "b"), event(5, "ann", "a"), event(5, "ann", "c")]
    tables = clean_tables(events, codes=["c", "old", "b", "a"])
    row = user_row(tables, 10, "ann", replace(PLAIN, max_history=2))
    assert row["history_item"] == [3, 2]  # a and b, whatever their codes


def test_browsing_gives_columns_only_where_the_shop_has_it():
    events = [event(1, "ann", "tea"), event(9, "ann", "milk", "view"), event(9.5, "bob", "milk", "view")]
    shop = replace(PLAIN, browsing=("view",))
    tables = clean_tables(events, codes=["milk", "tea"])
    row = user_row(tables, 10, "ann", shop)
    assert row["view_7d"] == 1
    assert (row["seen_item"], row["seen_days_since_last"]) == ([0], [1])
    assert user_row(tables, 10, "bob", shop)["trips"] is None
    assert "view_7d" not in snapshots(tables, 10)["user_features"].column_names


def test_own_history_is_kept_by_category_too():
    items = [
        {"item_id": "tea", "category": ["drinks", "hot"], "brand": "x"},
        {"item_id": "mate", "category": ["drinks", "hot"], "brand": "y"},
        {"item_id": "cola", "category": ["drinks", "cold"], "brand": "x"},
    ]
    events = [event(1, "ann", "tea"), event(3, "ann", "mate"), event(3, "ann", "cola")]
    row = user_row(clean_tables(events, items), 10, "ann", replace(PLAIN, category_levels=2))
    assert (row["category_code"], row["category_trips"]) == ([0, 1], [1, 2])  # cold, hot
    assert row["category_gap"] == [None, 2]
    assert (row["branded_category_code"], row["branded_category_trips"]) == ([0, 1, 2], [1, 1, 1])
    assert len(row["branded_category_code"]) == 3


def test_attributes_become_codes_of_the_words_known_then():
    users = [
        {"user_id": "ann", "attributes": {"age": "young"}},
        {"user_id": "bob", "attributes": {"age": "old"}},
    ]
    tables = clean_tables([event(1, "ann", "tea"), event(1, "bob", "tea"), event(1, "cid", "tea")], users=users)
    shop = replace(PLAIN, user_attributes=("age",))
    rows = {row["user_id"]: row["attribute_age"] for row in snapshots(tables, 5, shop)["user_features"].to_pylist()}
    assert rows == {"ann": 1, "bob": 0, "cid": None}
