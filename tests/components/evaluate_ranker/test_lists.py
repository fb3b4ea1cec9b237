"""Where nothing can be judged, a rule is looked at as it would rank now."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from components.build_features.snapshots import build_features
from components.bundles.drafting import write_draft
from components.contracts.verdict import Check
from components.evaluate_ranker.lists import check_current_lists
from components.home.layout import Home
from tests.components.build_features.homes import quiet, small_shop, write_clean
from tests.components.features.frames import clean_tables, event
from tests.components.publish_bundle.test_examples import buying_again

NEW_SHOP = [event(66, "ann", "tea"), event(67, "bob", "milk"), event(67, "bob", "tea")]
LEFT_OUT = [{"item_id": item, "is_merchandise": False} for item in ("tea", "milk")]


def looked_at(folder: Path, events: Sequence[dict[str, Any]], items: Sequence[dict[str, Any]]) -> Check:
    """What the gate says of the rule that buys again, in a shop with these events and items."""
    home = Home(folder / "home")
    features = build_features(small_shop(), home, write_clean(home, clean_tables(events, items)), quiet).handle
    bundle = write_draft(folder / "draft", buying_again(features))
    return check_current_lists(bundle, features)


@pytest.mark.parametrize(
    ("events", "items", "passed", "reason"),
    [
        (NEW_SHOP, (), True, "2 of 2 lists of customers as they stand now hold something, and scores order 2"),
        (NEW_SHOP, LEFT_OUT, False, "all are empty"),
        ([event(66, "ann", "tea")], (), False, "none has a second candidate"),
        ([event(66, "ann", "tea"), event(66, "ann", "tea", "return")], (), False, "all was returned"),
    ],
)
def test_a_new_shops_rule_has_to_order_the_lists_of_now(
    tmp_path: Path, events: Sequence[dict[str, Any]], items: Sequence[dict[str, Any]], passed: bool, reason: str
) -> None:
    found = looked_at(tmp_path, events, items)
    assert (found.passed, reason in found.reason) == (passed, True), found.reason
