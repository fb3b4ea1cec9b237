"""The storefront page for everybody: by keyboard, by ear, in little light, on a phone."""

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Storefront
from tests.browser.stand_in import K

pytestmark = pytest.mark.slow(seconds=40)

# For every piece of visible text: its words, and the contrast of its colour with what lies beneath (WCAG 2.2, 1.4.3).
CONTRASTS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const channels = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = ([red, green, blue]) =>
    0.2126 * linear(red / 255) + 0.7152 * linear(green / 255) + 0.0722 * linear(blue / 255);
  const beneath = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = channels(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const parent = texts.currentNode.parentElement;
    const words = texts.currentNode.textContent.trim();
    if (!words || !parent.checkVisibility() || parent.closest("script, noscript, option")) continue;
    const [one, two] = [light(channels(getComputedStyle(parent).color)), light(beneath(parent))];
    found.push([words, (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05)]);
  }
  return found;
}"""
SCHEMES: list[dict[str, Any]] = [{"color_scheme": "light"}, {"color_scheme": "dark"}]
WIDTHS: list[dict[str, Any]] = [{"viewport": {"width": width, "height": 800}} for width in (320, 360, 768, 1600)]
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((entry) => entry.value)))
  .observe({ type: "layout-shift", buffered: true });
"""


def opened(storefront: Storefront) -> None:
    """Everything that there is to see at once."""
    storefront.open("#customer=who")
    storefront.page.get_by_text("Sources, rules and filters").click()
    storefront.button("View Eggs").click()
    expect(storefront.status).to_contain_text("Viewed Eggs.")


def overflow(storefront: Storefront) -> int:
    """By how many pixels the page is wider than its window."""
    state: int = storefront.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return state


@pytest.mark.parametrize("look", SCHEMES, ids=["light", "dark"])
@pytest.mark.parametrize("compared", [False, True])
def test_all_text_stands_out_from_what_is_beneath(storefront: Storefront, compared: bool) -> None:
    storefront.service.challenger = False
    opened(storefront)
    if compared:
        storefront.button("Compare arms").click()
        expect(storefront.page.get_by_role("region", name="Baseline").locator(".mark").first).to_be_visible()
        storefront.page.mouse.move(0, 0)
    expect(storefront.page.locator("#columns")).to_have_attribute("aria-busy", "false")
    state = storefront.page.evaluate(CONTRASTS)
    assert len(state) > 50
    assert [words for words, contrast in state if contrast < 4.5] == []


@pytest.mark.parametrize("look", SCHEMES, ids=["light", "dark"])
def test_trouble_and_the_chosen_option_stand_out_too(storefront: Storefront) -> None:
    storefront.open()
    storefront.page.context.set_offline(True)
    storefront.field.fill("10")
    storefront.field.press("Enter")
    expect(storefront.trouble).to_contain_text("cannot be reached")
    storefront.page.context.set_offline(False)
    storefront.field.fill("1")
    expect(storefront.page.get_by_role("listbox")).to_be_visible()
    storefront.field.press("ArrowDown")
    assert [words for words, contrast in storefront.page.evaluate(CONTRASTS) if contrast < 4.5] == []


def test_every_control_has_a_name_and_headings_go_step_by_step(storefront: Storefront) -> None:
    opened(storefront)
    tree = storefront.page.locator("body").aria_snapshot()
    roles = ("button", "checkbox", "combobox", "link", "region", "spinbutton", "textbox")
    nameless = [line for line in tree.splitlines() if line.strip(" -:").startswith(roles) and '"' not in line]
    assert nameless == []
    headings = storefront.page.locator("h1, h2, h3, h4, h5, h6").filter(visible=True)
    levels = headings.evaluate_all("(found) => found.map((heading) => Number(heading.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert levels.count(1) == 1


def test_ids_are_unique_and_what_refers_to_them_finds_them(storefront: Storefront) -> None:
    opened(storefront)
    ids = storefront.page.evaluate("[...document.querySelectorAll('[id]')].map((found) => found.id)")
    assert len(set(ids)) == len(ids)
    for attribute in ("for", "aria-controls", "aria-labelledby", "aria-describedby"):
        named = storefront.page.evaluate(
            "(name) => [...document.querySelectorAll(`[${name}]`)].map((found) => found.getAttribute(name))", attribute
        )
        assert set(named) <= set(ids)
    assert storefront.page.evaluate("document.documentElement.lang") == "en"


def test_all_can_be_done_by_keyboard(storefront: Storefront) -> None:
    storefront.open()
    press = storefront.page.keyboard.press
    press("Tab")
    expect(storefront.page.get_by_role("link", name="Skip to the ranked products")).to_be_focused()
    press("Tab")
    press("Tab")
    expect(storefront.field).to_be_focused()
    storefront.page.keyboard.type("10")
    options = storefront.page.get_by_role("listbox").get_by_role("option")
    expect(options).to_have_count(3)
    press("ArrowDown")
    press("ArrowDown")
    expect(storefront.field).to_have_attribute("aria-activedescendant", "customer-option-1")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    press("ArrowUp")
    press("ArrowUp")
    expect(options.nth(2)).to_have_attribute("aria-selected", "true")
    press("Escape")
    expect(storefront.field).to_have_attribute("aria-expanded", "false")
    press("ArrowDown")
    expect(options).to_have_count(3)
    press("ArrowDown")
    press("Enter")
    expect(storefront.status).to_have_text(f"{K} products for customer 10.")
    for _ in range(100):
        if storefront.page.evaluate("document.activeElement.getAttribute('aria-label')") == "Buy Red apple":
            break
        press("Tab")
    outline = storefront.page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert float(outline.removesuffix("px")) >= 2
    press("Enter")
    expect(storefront.status).to_contain_text("Bought Red apple.")
    expect(storefront.page.locator(".card").first).to_be_focused()  # what took the place of the gone


@pytest.mark.parametrize("look", WIDTHS, ids=["320", "360", "768", "1600"])
def test_nothing_is_wider_than_the_window_and_targets_are_large_enough(storefront: Storefront) -> None:
    opened(storefront)
    assert overflow(storefront) <= 0
    storefront.button("Compare arms").click()
    expect(storefront.page.get_by_role("region", name="Baseline").locator(".card")).to_have_count(K)
    assert overflow(storefront) <= 0
    targets = storefront.page.locator("button, select, label.chip, summary").filter(visible=True)
    small = targets.evaluate_all(
        "(found) => found.map((target) => [target.textContent, target.getBoundingClientRect()])"
        ".filter(([, box]) => box.height < 24 || box.width < 24).map(([words]) => words)"
    )
    assert small == []


def test_what_is_there_does_not_jump_when_more_comes(storefront: Storefront) -> None:
    storefront.page.add_init_script(SHIFTS)
    storefront.open("#customer=10")
    expect(storefront.page.locator(".card")).to_have_count(K)
    expect(storefront.page.locator("#history-list li")).to_have_count(8)
    storefront.until(lambda: bool(storefront.service.of_type("shown")))
    assert sum(storefront.page.evaluate("window.shifts")) < 0.02


@pytest.mark.parametrize("look", [{"reduced_motion": "reduce"}, {"reduced_motion": "no-preference"}])
def test_cards_glide_only_for_those_who_like_movement(storefront: Storefront, look: dict[str, Any]) -> None:
    storefront.page.add_init_script(
        "window.glided = 0; const animate = Element.prototype.animate;"
        "Element.prototype.animate = function (...how) { window.glided += 1; return animate.apply(this, how); };"
    )
    storefront.open("#customer=10")
    storefront.button("Buy Ale").click()
    expect(storefront.status).to_contain_text("Bought Ale.")
    assert (storefront.page.evaluate("window.glided") > 0) == (look["reduced_motion"] != "reduce")
