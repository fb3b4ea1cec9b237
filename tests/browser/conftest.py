"""A headless browser, and the page over the stand-in service."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.browser.stand_in import StandIn, served
from tests.servers import binary_of

PATIENCE_MS = 300_000  # a browser that starts cold on a busy machine takes more than one minute
NAMES = ("chromium", "chromium-browser", "google-chrome")

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of one file: as long as it is open, its event loop bars ``asyncio.run`` of others."""
    found = next(filter(None, map(shutil.which, NAMES)), None) or binary_of("chromium", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass(frozen=True)
class Storefront:
    """The page as a person meets it."""

    page: Page
    address: str
    service: StandIn

    def open(self, fragment: str = "") -> None:
        """Come to the page, and wait until it knows the shop."""
        self.page.goto(self.address + fragment)
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Corner shop")

    def choose(self, customer: str) -> None:
        """Type a customer's id and go."""
        self.field.fill(customer)
        self.field.press("Enter")
        expect(self.status).to_contain_text(f"for customer {customer}.")

    @property
    def field(self) -> Locator:
        return self.page.get_by_role("combobox", name="Choose a customer")

    @property
    def status(self) -> Locator:
        return self.page.get_by_role("status")

    @property
    def trouble(self) -> Locator:
        return self.page.get_by_role("alert")

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the page work until something holds."""
        ends = time.monotonic() + PATIENCE_MS / 1000
        while not condition():
            assert time.monotonic() < ends, "it did not come true"
            self.page.wait_for_timeout(20)

    def titles(self, arm: str = "Champion") -> list[str]:
        """What a column shows, from the top."""
        return self.page.get_by_role("region", name=arm).locator(".card .title").all_inner_texts()

    def button(self, name: str) -> Locator:
        """A button by its full name."""
        return self.page.get_by_role("button", name=name, exact=True)


@pytest.fixture
def look() -> dict[str, Any]:
    """Options of the browser's window; a test may parametrize them."""
    return {"viewport": {"width": 1280, "height": 900}}


@pytest.fixture
def storefront(browser: Browser, look: dict[str, Any]) -> Iterator[Storefront]:
    """The page over a stand-in of its own; a script error or a breach of the page's policy fails the test."""
    service = StandIn()
    wrong: list[str] = []
    with served(service) as address:
        context = browser.new_context(**look)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
        page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
        yield Storefront(page, address, service)
        context.close()
    assert not wrong
