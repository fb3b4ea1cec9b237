"""The storefront page when something is wrong: it says so, tries again where that helps, and loses nothing."""

import pytest
from playwright.sync_api import Browser, expect
from starlette.responses import JSONResponse, Response

from tests.browser.conftest import Storefront
from tests.browser.stand_in import K, StandIn, served

pytestmark = pytest.mark.slow(seconds=30)

RECOMMEND, EVENTS = "/v1/recommend", "/v1/events"


def busy(status: int, wait: str) -> Response:
    return JSONResponse({"detail": "later"}, status, {"Retry-After": wait})


def test_a_service_with_keys_is_asked_with_the_one_that_is_typed(storefront: Storefront) -> None:
    storefront.service.key = "s3cret"
    storefront.page.goto(storefront.address + "#customer=10")
    field = storefront.page.get_by_label("API key", exact=True)
    expect(field).to_be_focused()
    field.fill("wrong")
    field.press("Enter")
    expect(storefront.page.get_by_text("This key was refused.")).to_be_visible()
    field.fill("s3cret")
    field.press("Enter")
    expect(storefront.page.locator(".card")).to_have_count(K)
    expect(storefront.page.locator("#history-list li")).to_have_count(8)
    expect(field).to_be_hidden()
    storefront.page.reload()
    expect(storefront.page.locator(".card")).to_have_count(K)
    assert storefront.page.evaluate("JSON.stringify(localStorage)") == "{}"


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_waited_for(storefront: Storefront, status: int) -> None:
    storefront.service.faults += [(RECOMMEND, busy(status, "4")), (RECOMMEND, busy(status, "0"))]
    storefront.open("#customer=10")
    expect(storefront.status).to_contain_text("Trying again in 4 seconds")
    expect(storefront.status).to_have_text(f"{K} products for customer 10.")
    expect(storefront.trouble).to_be_empty()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (busy(503, "60"), "The service is busy or not ready. It asks to wait 60 seconds."),
        (busy(429, "60"), "Too many requests for the service's limit. It asks to wait 60 seconds."),
        (JSONResponse({"detail": "k: too large"}, 422), "refused this request (422). It says: k: too large"),
        (Response("<h1>oops</h1>", 500), "The service failed (500)."),
        (Response("no JSON", 200), "The service gave an answer that cannot be read."),
    ],
)
def test_what_waiting_does_not_mend_is_told_with_a_way_to_try_again(
    storefront: Storefront, fault: Response, words: str
) -> None:
    storefront.service.faults.append((RECOMMEND, fault))
    storefront.open("#customer=10")
    expect(storefront.trouble).to_contain_text(words)
    storefront.button("Try again").click()
    expect(storefront.status).to_have_text(f"{K} products for customer 10.")
    expect(storefront.trouble).to_be_empty()


def test_a_service_that_is_gone_is_told(storefront: Storefront) -> None:
    storefront.open("#customer=10")
    expect(storefront.page.locator(".card")).to_have_count(K)
    storefront.page.context.set_offline(True)
    storefront.button("Buy Ale").click()
    expect(storefront.trouble).to_contain_text("The service cannot be reached.")
    assert storefront.titles()[1] == "Ale"
    storefront.page.context.set_offline(False)
    storefront.button("Try again").click()
    expect(storefront.status).to_contain_text("Bought Ale.")
    assert len(storefront.service.of_type("purchase")) == 1


def test_an_event_is_sent_again_under_the_same_id(storefront: Storefront) -> None:
    storefront.open("#customer=10")
    storefront.until(lambda: len(storefront.service.of_type("shown")) > 0)
    sent = []
    storefront.page.on(
        "request", lambda request: sent.append(request.post_data_json) if request.url.endswith(EVENTS) else None
    )
    storefront.service.faults += [(EVENTS, busy(503, "0")), (EVENTS, busy(503, "0"))]
    storefront.button("Buy Ale").click()
    expect(storefront.status).to_contain_text("Bought Ale.")
    bought = [event["event_id"] for body in sent for event in body["events"] if event["type"] == "purchase"]
    assert (len(bought), len(set(bought))) == (3, 1)
    expect(storefront.page.locator("#visit-list li")).to_have_count(1)


def test_a_history_that_cannot_be_read_does_not_keep_the_list_away(storefront: Storefront) -> None:
    storefront.service.faults.append(("/v1/customers/10", busy(503, "60")))
    storefront.open("#customer=10")
    expect(storefront.page.locator(".card")).to_have_count(K)
    expect(storefront.page.locator("#history-note")).to_contain_text("The service is busy or not ready.")


def test_a_customer_who_cannot_be_ranked_is_not_shown_the_list_of_another(storefront: Storefront) -> None:
    storefront.open("#customer=10")
    expect(storefront.page.locator(".card")).to_have_count(K)
    storefront.service.faults.append((RECOMMEND, Response(status_code=500)))
    storefront.field.fill("2")
    storefront.field.press("Enter")
    expect(storefront.trouble).to_contain_text("The service failed (500).")
    expect(storefront.page.locator(".card")).to_have_count(0)


def test_without_script_the_page_says_so(browser: Browser) -> None:
    with served(StandIn()) as address:
        page = browser.new_page(java_script_enabled=False)
        page.goto(address)
        expect(page.locator("body")).to_contain_text("for which it needs JavaScript", use_inner_text=True)
        expect(page.get_by_role("combobox")).to_have_count(0)
        page.close()
