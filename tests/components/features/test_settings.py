"""What of a shop file shapes the views."""

from typing import Any

import pytest

from components.features.settings import feature_settings
from components.shop.settings import Shop

SOURCE = {"name": "all", "source": {"kind": "csv", "path": "all.csv"}}
COLUMNS = {"user": "who", "item": "what", "time": "at"}


@pytest.mark.parametrize(
    ("declared", "browsing"),
    [
        ({"columns": COLUMNS, "event_type": "purchase"}, ()),
        ({"columns": COLUMNS, "event_type": "click"}, ("click",)),
        ({"columns": COLUMNS | {"event_type": "kind"}}, ("view", "click", "add_to_cart")),
        ({"columns": COLUMNS | {"event_type": "kind"}, "types": {"buy": "purchase"}}, ("view", "click", "add_to_cart")),
    ],
)
def test_a_type_column_may_hold_every_type_by_its_own_name(declared: dict[str, Any], browsing: tuple[str, ...]) -> None:
    shop = Shop.model_validate({"name": "small", "events": [SOURCE | declared]})

    assert feature_settings(shop).browsing == browsing
