"""Which items count as the sold catalogue."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from components.contracts.tables import ITEMS
from components.evaluate_ranker.purchases import sold_merchandise
from components.home.layout import Home
from components.shop.settings import Rules
from tests.components.evaluate_ranker.judging import HELDOUT_START, sale, write_sales
from tests.components.train_ranker.synthetic_examples import AS_OF, small_shop

WEEKS = 9  # eight of training and one of validation


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        (sale("a"), True),
        (sale("a", 7 * WEEKS), True),
        (sale("a", 7 * WEEKS + 0.1), False),
        (sale("a", -0.1), False),
        (sale("a") | {"available_at": HELDOUT_START}, True),
        (sale("a", -1) | {"event_time": HELDOUT_START.replace(day=19)}, False),
        (sale("a", event_type="view"), False),
        (sale("a", event_type="return"), False),
        (sale("a", quantity=-1.0), False),
        (sale("a", user_id="ann"), True),
        (sale("fee"), False),
        (sale("bag"), False),
    ],
)
def test_what_was_sold_and_known_in_the_training_weeks_counts(
    tmp_path: Path, row: dict[str, Any], counts: bool
) -> None:
    home = Home(tmp_path / "home")
    version = write_sales(home, [row, row])
    catalogue = [{"item_id": "a"}, {"item_id": "fee", "is_merchandise": False}]
    write_deltalake(home.clean / "items", pa.Table.from_pylist(catalogue, ITEMS))
    shop = small_shop(rules=Rules(not_merchandise={"item": ("bag",)}))
    sold = sold_merchandise(shop, home.clean, {"events": version, "items": 0}, AS_OF)
    assert sold.to_pylist() == ([row["item_id"]] if counts else [])
