"""The storefront page in a real browser: choosing, reading, acting, comparing."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Storefront
from tests.browser.stand_in import HOSTILE, K

pytestmark = pytest.mark.slow(seconds=60)


def test_typing_offers_customers_and_the_chosen_one_is_shown(storefront: Storefront) -> None:
    storefront.open()
    storefront.field.press_sequentially("10")
    options = storefront.page.get_by_role("listbox").get_by_role("option")
    expect(options).to_have_text(["10", "100", "1000"])
    options.nth(1).click()
    expect(storefront.status).to_have_text(f"{K} products for customer 100.")
    expect(storefront.page.get_by_role("heading", name="Ranked for 100")).to_be_visible()
    assert storefront.titles()[:3] == ["Red apple", "Ale", "Cola, 2 l"]
    assert storefront.service.asked[-1]["explain"] is True


def test_what_they_bought_is_told_with_how_often_and_how_long_ago(storefront: Storefront) -> None:
    storefront.open()
    storefront.button("Customer 10").click()
    history = storefront.page.locator("#history-list li")
    expect(history).to_have_count(8)
    expect(history.nth(1)).to_have_text("Ale4 times, last 3 days ago")
    storefront.button("Show all 14").click()
    expect(history).to_have_count(14)
    expect(history.nth(8)).to_be_focused()


def test_a_card_says_what_and_why(storefront: Storefront) -> None:
    storefront.open("#customer=10")
    card = storefront.page.locator("[data-item=i02]")
    expect(card.locator(".kind")).to_have_text("Food \u203a Fresh & chilled · no.\u00a0i02")
    expect(card.get_by_role("listitem").first).to_have_text("bought 12 times, about every 9 days; last 3 days ago")
    expect(card.locator(".score")).to_have_text("score 18.4")
    print_ = storefront.page.locator(".print")
    expect(print_).to_contain_text("Bundle" + "sha256:cccccccccccc")
    expect(print_).to_contain_text("Arm" + "champion")
    expect(print_).to_contain_text("Fallback" + "none")
    expect(print_).to_contain_text("Request" + "r1")


def test_buying_sends_an_event_and_tells_what_changed(storefront: Storefront) -> None:
    storefront.open("#customer=10")
    storefront.button("Buy Ale").click()
    expect(storefront.status).to_have_text("Bought Ale. The list changed: 6 moved up, 1 new and 1 gone (Ale).")
    [event] = storefront.service.of_type("purchase")
    assert (event["user_id"], event["item_id"], event["request_id"], event["quantity"]) == ("10", "i01", "r1", 1)
    assert event["session_id"] == storefront.service.asked[-1]["context"]["session_id"]
    assert len(event["event_id"]) == 36
    assert "Ale" not in storefront.titles()
    expect(storefront.page.locator("[data-item=i02] .mark")).to_contain_text("moved up 1 place")
    expect(storefront.page.locator("[data-item=i08] .mark")).to_contain_text("new in the list")
    expect(storefront.page.locator("#visit-list li")).to_have_text("Alebought")


def test_viewing_and_adding_move_an_item_up_and_the_button_keeps_the_focus(storefront: Storefront) -> None:
    storefront.open("#customer=10")
    for action, kind in (("Add", "add_to_cart"), ("View", "view")):
        storefront.button(f"{action} Eggs").click()
        expect(storefront.status).to_contain_text("Eggs. The list changed")
        expect(storefront.button(f"{action} Eggs")).to_be_focused()
        assert [event["item_id"] for event in storefront.service.of_type(kind)] == ["i04"]
    storefront.until(lambda: storefront.titles()[0] == "Eggs")


def test_only_what_came_into_view_is_acknowledged_as_shown_each_once(storefront: Storefront) -> None:
    storefront.page.set_viewport_size({"width": 390, "height": 500})
    storefront.open("#customer=10")
    cards = storefront.page.locator(".card")
    cards.first.scroll_into_view_if_needed()
    storefront.until(lambda: bool(storefront.service.of_type("shown")))
    assert len(storefront.service.of_type("shown")) < K
    for place in range(K):
        cards.nth(place).scroll_into_view_if_needed()
    storefront.until(lambda: len(storefront.service.of_type("shown")) >= K)
    shown = storefront.service.of_type("shown")
    assert len({event["item_id"] for event in shown}) == len(shown)
    assert {event["request_id"] for event in shown} == {"r1"}


def test_sources_rules_and_filters_go_with_the_request(storefront: Storefront) -> None:
    storefront.open("#customer=10")
    expect(storefront.page.locator(".card")).to_have_count(K)
    storefront.page.get_by_text("Sources, rules and filters").click()
    storefront.page.get_by_label("Bought before").uncheck()
    storefront.page.get_by_label("In stock only").uncheck()
    storefront.page.get_by_label("Most of one category").select_option("No limit")
    storefront.page.get_by_label("Highest price").fill("2.5")
    storefront.page.get_by_label("Category", exact=True).select_option("Food")
    expect(storefront.page.locator(".card")).to_have_count(7)
    assert storefront.service.asked[-1]["filters"] == {
        "sources": ["popular", "seen"],
        "in_stock_only": False,
        "max_per_category": 1000,
        "max_price": 2.5,
        "categories": ["FOOD"],
    }
    storefront.button("Reset").click()
    expect(storefront.page.locator(".card")).to_have_count(K)
    assert "filters" not in storefront.service.asked[-1]


def test_without_any_source_there_is_nothing_to_ask(storefront: Storefront) -> None:
    storefront.open("#customer=10")
    expect(storefront.page.locator(".card")).to_have_count(K)
    storefront.page.get_by_text("Sources, rules and filters").click()
    for name in ("Bought before", "Best sellers", "Looked at"):
        storefront.page.get_by_label(name).uncheck()
    expect(storefront.status).to_have_text("Switch at least one source on to see products.")


def test_arms_stand_side_by_side_with_what_differs_marked(storefront: Storefront) -> None:
    storefront.open("#customer=10")
    storefront.button("Compare arms").click()
    expect(storefront.button("Compare arms")).to_have_attribute("aria-pressed", "true")
    regions = [storefront.page.get_by_role("region", name=arm) for arm in ("Champion", "Challenger", "Baseline")]
    tops = [region.bounding_box() for region in regions]
    assert len({box["y"] for box in tops if box}) == 1
    expect(regions[1].locator(".column-head")).to_contain_text("of 8 shared")
    champion, challenger = storefront.titles("Champion"), storefront.titles("Challenger")
    marked = regions[1].locator(".card:has(.mark.new) .title").all_inner_texts()
    assert marked == [title for title in challenger if title not in champion]
    assert {asked["arm"] for asked in storefront.service.asked[-3:]} == {"champion", "challenger", "baseline"}
    assert regions[0].locator(".mark").count() == 0


def test_an_act_on_a_preview_names_no_request(storefront: Storefront) -> None:
    storefront.open("#customer=10")
    storefront.button("Compare arms").click()
    storefront.page.get_by_role("region", name="Baseline").get_by_role("button", name="Buy Noodles").click()
    expect(storefront.status).to_contain_text("Bought Noodles. Champion: ")
    [event] = storefront.service.of_type("purchase")
    assert "request_id" not in event


def test_an_arm_that_is_not_there_is_told(storefront: Storefront) -> None:
    storefront.service.challenger = False
    storefront.open("#customer=10")
    storefront.button("Compare arms").click()
    expect(storefront.page.get_by_role("region", name="Challenger")).to_contain_text("There is no challenger")
    assert len(storefront.titles("Baseline")) == K


def test_an_address_leads_to_a_customer_and_back_leads_back(storefront: Storefront) -> None:
    storefront.open("#customer=10")
    storefront.choose("2")
    assert storefront.page.url.endswith("#customer=2")
    storefront.page.go_back()
    expect(storefront.page.get_by_role("heading", name="Ranked for 10")).to_be_visible()
    expect(storefront.field).to_have_value("10")


def test_a_fallback_is_told_in_words(storefront: Storefront) -> None:
    storefront.open("#customer=who")
    expect(storefront.page.get_by_text("This customer is not known: they see what sells.")).to_be_visible()
    expect(storefront.page.locator("#history-note")).to_have_text("Nobody by this id is known.")
    expect(storefront.page.locator(".print")).to_contain_text("unknown_user")


def test_what_the_service_says_is_text_and_never_markup(storefront: Storefront) -> None:
    storefront.open()
    storefront.choose(HOSTILE)
    expect(storefront.page.get_by_role("heading", name=f"Ranked for {HOSTILE}")).to_be_visible()
    expect(storefront.page.locator("#history-list .title")).to_have_text(HOSTILE)
    storefront.field.fill("<")
    expect(storefront.page.get_by_role("listbox").get_by_role("option")).to_have_text([HOSTILE])
    assert storefront.page.locator("img").count() == 0


def test_an_old_plain_address_still_makes_ids(storefront: Storefront) -> None:
    storefront.page.add_init_script("delete Crypto.prototype.randomUUID")
    storefront.open("#customer=10")
    storefront.button("Buy Ale").click()
    expect(storefront.status).to_contain_text("Bought Ale.")
    [event] = storefront.service.of_type("purchase")
    assert [len(part) for part in event["event_id"].split("-")] == [8, 4, 4, 4, 12]
