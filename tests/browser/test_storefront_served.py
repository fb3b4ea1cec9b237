"""The storefront page as ``rankloop serve`` gives it: what it sends is what the service takes."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pipelines.homes.served_home import served
from tests.pipelines.homes.tiny_shop import LivingHome

pytestmark = pytest.mark.slow(seconds=40)


@pytest.fixture(scope="module")
def living(baseline_home: LivingHome) -> LivingHome:
    return baseline_home


@pytest.fixture(scope="module")
def address(living: LivingHome) -> Iterator[str]:
    with served(living) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which nothing may be refused."""
    wrong: list[str] = []
    page = browser.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    yield page
    page.close()
    assert not wrong


def test_what_is_bought_is_in_the_history_at_once(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("group", name="Some customers").get_by_role("button").first.click()
    card = page.locator(".card").first
    title = card.locator(".title").inner_text()
    card.get_by_role("button", name="Buy").click()
    expect(page.get_by_role("status")).to_contain_text(f"Bought {title}. The")
    expect(page.locator("#visit-list li").first).to_contain_text("bought")
    expect(page.locator("#history-list li").first).to_contain_text(title)
    expect(page.locator("#history-list li").first).to_contain_text("less than a day ago")
    expect(page.locator(".print")).to_contain_text("sha256:")


def test_what_a_newcomer_buys_changes_their_list(page: Page, address: str) -> None:
    page.goto(f"{address}/#customer=newcomer")
    expect(page.get_by_text("This customer is not known")).to_be_visible()
    card = page.locator(".card").nth(3)
    title = card.locator(".title").inner_text()
    card.get_by_role("button", name="View").click()
    expect(page.get_by_text("This customer is new")).to_be_visible()
    page.get_by_role("button", name=f"Buy {title}").click()
    expect(page.get_by_role("status")).to_contain_text(f"Bought {title}. The list changed: ")


def test_every_choice_is_one_that_the_service_understands(page: Page, address: str) -> None:
    page.goto(f"{address}/#customer=newcomer")
    expect(page.locator(".card").first).to_be_visible()
    page.get_by_text("Sources, rules and filters").click()
    for source in page.get_by_role("group", name="Where candidates come from").get_by_role("checkbox").all()[1:]:
        source.uncheck()
    page.get_by_label("Most of one category").select_option("1")
    page.get_by_label("Category", exact=True).select_option(index=1)
    page.get_by_label("Highest price").fill("0.01")
    page.get_by_label("Highest price").press("Tab")
    expect(page.get_by_text("Nothing is left to show")).to_be_visible()
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Compare arms").click()
    for arm in ("Champion", "Baseline"):
        expect(page.get_by_role("region", name=arm).locator(".card").first).to_be_visible()


def test_a_shop_with_keys_is_seen_with_one(living: LivingHome, browser: Browser) -> None:
    # The last test here: from now on the home's services ask for keys.
    key = living.answer("keys", "add", "page")["key"]
    with served(living) as address:
        page = browser.new_page()
        page.goto(f"{address}/#customer=newcomer")
        page.get_by_label("API key", exact=True).fill(key)
        page.get_by_role("button", name="Use this key").click()
        expect(page.locator(".card").first).to_be_visible()
        page.close()
