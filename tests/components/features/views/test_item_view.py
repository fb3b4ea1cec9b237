from dataclasses import replace

import pytest

from tests.components.features.frames import PLAIN, clean_tables, event, item_row, on, snapshots

pytestmark = pytest.mark.slow(seconds=20)


def test_popularity_counts_unknown_users_and_returns_subtract():
    events = [
        event(1, None, "tea"),
        event(9, "ann", "tea"),
        event(9, "bob", "tea"),
        event(9.5, "bob", "tea", "return", quantity=1.0),
    ]
    row = item_row(clean_tables(events), 10, "tea")
    assert row["purchases_7d"] == 1
    assert row["purchases_28d"] == 2
    assert row["buyers"] == 1
    assert row["purchases_decay_7"] == pytest.approx(0.5 ** (9 / 7) + 0.5 ** (1 / 7))  # bob gave it back


def test_purchases_of_unknown_users_without_a_session_count_one_by_one():
    row = item_row(clean_tables([event(9, None, "tea"), event(9.1, None, "tea"), event(9.2, None, "tea")]), 10, "tea")
    assert row["purchases_7d"] == 3


def test_price_is_per_unit_and_discount_is_a_share_of_the_list_price():
    events = [event(9, "ann", "tea", quantity=2.0, price=6.0, list_price=8.0), event(9, "bob", "milk")]
    tables = clean_tables(events)
    tea, milk = item_row(tables, 10, "tea"), item_row(tables, 10, "milk")
    assert (tea["price"], tea["price_7d"]) == (pytest.approx(3.0), pytest.approx(3.0))
    assert (tea["discount_share_28d"], tea["discount_share_7d"]) == (pytest.approx(0.25), pytest.approx(0.25))
    assert (milk["price"], milk["discount_share_7d"]) == (None, None)


def test_repurchase_rates_are_drawn_to_the_category():
    events = [event(0, "ann", "tea"), event(50, "ann", "tea"), event(50, "bob", "mate")]
    items = [{"item_id": name, "category": ["hot"]} for name in ("tea", "mate")]
    row = item_row(clean_tables(events, items), 100, "tea", replace(PLAIN, category_levels=1))
    category = (1 + 0.1) / (150 + 100)
    assert row["repurchase_rate"] == pytest.approx((1 + 100 * category) / (100 + 100))
    assert row["rebuy_rate"] == pytest.approx(0.5 / (1 + 10))
    assert row["repeat_buyers"] == pytest.approx(2 / (1 + 3))
    assert row["share_of_category"] == pytest.approx(
        (0.5 ** (100 / 28) + 0.5 ** (50 / 28)) / (0.5 ** (100 / 28) + 2 * 0.5 ** (50 / 28)), rel=1e-5
    )


def test_hazards_follow_spells_by_recency_and_count():
    events = [event(0, "ann", "tea"), event(10, "ann", "tea")]  # one spell of 10 days, one censored after 20
    row = item_row(clean_tables(events), 30, "tea")
    days = {0: 7, 3: 3, 1: 7, 4: 7, 7: 6}  # cell: days at risk (cell = recency bucket * 3 + count bucket)
    events_in = {3: 1}
    overall = [(events_in.get(cell, 0) + 1) / (days.get(cell, 0) + 1000) for cell in range(15)]
    category = [(events_in.get(cell, 0) + 200 * overall[cell]) / (days.get(cell, 0) + 200) for cell in range(15)]
    item = [(events_in.get(cell, 0) + 200 * category[cell]) / (days.get(cell, 0) + 200) for cell in range(15)]
    assert row["category_hazard"] == pytest.approx(category)
    assert row["hazard"] == pytest.approx(item)
    expected = sum(days.get(cell, 0) * overall[cell] for cell in range(15))
    assert row["hazard_ratio"] == pytest.approx((1 + 3) / (expected + 3))


def test_neighbours_are_bought_together_and_ties_go_by_id():
    events = [
        event(day, f"u{day}", item, session_id=f"s{day}") for day in range(12) for item in ("tea", "milk", "sugar")
    ]
    row = item_row(clean_tables(events, codes=["sugar", "tea", "milk"]), 20, "tea")
    assert row["neighbour_item"] == [2, 0]  # milk, sugar
    assert row["neighbour_similarity"] == [pytest.approx(1 / 3**0.5)] * 2


@pytest.mark.parametrize("session", ["s", None])
def test_unknown_users_make_no_neighbours(session):
    events = [
        event(day, None, item, session_id=session and f"{session}{day}")
        for day in range(12)
        for item in ("tea", "milk")
    ]
    assert item_row(clean_tables(events), 20, "tea")["neighbour_item"] == []


@pytest.mark.parametrize(("ahead", "reach"), [(False, None), (True, 0.5)])
def test_promotions_of_the_coming_week_count_only_where_they_are_known_ahead(ahead, reach):
    promotions = [
        {"item_id": "tea", "starts_at": on(12), "ends_at": on(19), "reach": 0.5},
        {"item_id": "tea", "starts_at": on(1), "ends_at": on(8), "reach": 0.25},
    ]
    shop = replace(PLAIN, promotions=True, promotions_known_ahead=ahead)
    row = item_row(clean_tables([event(1, "ann", "tea")], promotions=promotions), 10, "tea", shop)
    assert row["promotion_reach"] == 0.25
    assert row.get("promotion_reach_ahead") == reach


def test_flags_say_what_may_be_recommended():
    items = [
        {"item_id": "tea", "is_merchandise": True, "attributes": {"stock": "Yes"}},
        {"item_id": "fuel", "is_merchandise": False, "attributes": {"stock": "no"}},
    ]
    events = [event(1, "ann", item) for item in ("tea", "fuel", "postage", "loose")]
    shop = replace(PLAIN, in_stock="stock", not_merchandise=("postage",))
    rows = {row["item_id"]: row for row in snapshots(clean_tables(events, items), 5, shop)["item_features"].to_pylist()}
    assert {name: row["is_merchandise"] for name, row in rows.items()} == {
        "tea": 1,
        "fuel": 0,
        "postage": 0,
        "loose": 1,
    }
    assert {name: row["in_stock"] for name, row in rows.items()} == {"tea": 1, "fuel": 0, "postage": 0, "loose": 0}


def test_categories_differ_by_their_levels_and_not_by_their_text():
    paths = {"a": ["Home / Garden", "Tools"], "b": ["Home", "Garden / Tools"], "c": ["Home", "Garden"], "d": ["Home"]}
    items = [{"item_id": item, "category": path, "brand": "Tools"} for item, path in paths.items()]
    events = [event(1, "ann", item) for item in paths]
    rows = snapshots(clean_tables(events, items), 5, replace(PLAIN, category_levels=2))["item_features"].to_pylist()
    codes = {row["item_id"]: (row["category_1"], row["category_2"], row["branded_category"]) for row in rows}
    assert codes["c"] == (0, 0, 0)
    assert codes["d"] == (0, None, None)
    assert codes["a"][0] == 1
    assert codes["b"][0] == 0
    assert {codes["a"][1], codes["b"][1]} == {codes["a"][2], codes["b"][2]} == {1, 2}


def test_an_item_that_is_listed_from_a_stated_time_is_known_before_its_first_sale():
    items = [{"item_id": "new", "valid_from": on(3)}, {"item_id": "later", "valid_from": on(30)}, {"item_id": "old"}]
    rows = snapshots(clean_tables([event(1, "ann", "tea")], items), 10)["item_features"]
    assert rows["item_id"].to_pylist() == ["new", "tea"]
    assert rows["purchases_28d"].to_pylist() == [0, 1]


def test_browsing_of_items_is_counted():
    shop = replace(PLAIN, browsing=("view", "click"))
    row = item_row(clean_tables([event(9, "ann", "tea", "view"), event(9, None, "tea", "click")]), 10, "tea", shop)
    assert (row["view_7d"], row["click_7d"], row["purchases_28d"]) == (1, 1, 0)
