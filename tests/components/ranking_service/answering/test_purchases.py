"""The purchases of a customer, from their row."""

import numpy as np
import pyarrow as pa
import pytest

from components.ranking.rows import Ragged, UserRows
from components.ranking_service.answering.catalogue import Catalogue, Words
from components.ranking_service.answering.purchases import PastPurchase, purchases

ITEMS = np.array(["apple", "beer", "cola"], dtype=object)
CATALOGUE = Catalogue(
    titles=pa.array(["Red apple", "Ale", "Cola, 2 L"]),
    categories=Words(np.array([0, 1, -1], dtype=np.int32), ("FRUIT", "DRINKS / ALES")),
    paths=(("FRUIT",), ("DRINKS", "ALES")),
    brands=Words(np.full(3, -1, dtype=np.int32), ()),
    prices=np.full(3, np.nan, dtype=np.float32),
)


def customer(*history: tuple[int, float, float]) -> UserRows:
    """One user: item position, trips, days since the last."""
    columns = np.array(history, dtype=np.float32).reshape(-1, 3).T
    offsets = np.array([0, len(history)])
    names = ("history_item", "history_trips", "history_days_since_last")
    arrays = {name: Ragged(offsets, values) for name, values in zip(names, columns, strict=True)}
    arrays["history_item"] = Ragged(offsets, columns[0].astype(np.int32))
    return UserRows(np.array(["u"], dtype=object), {}, arrays)


def test_the_newest_come_first_then_what_is_bought_most() -> None:
    bought = purchases(customer((0, 1, 9.0), (1, 12, 2.256), (2, 20, 9.0)), ITEMS, CATALOGUE)
    assert bought == [
        PastPurchase("beer", "Ale", "DRINKS / ALES", trips=12, days_since_last=2.26),
        PastPurchase("cola", "Cola, 2 L", None, trips=20, days_since_last=9.0),
        PastPurchase("apple", "Red apple", "FRUIT", trips=1, days_since_last=9.0),
    ]


@pytest.mark.parametrize(("most", "left"), [(None, 2), (1, 1), (0, 0), (9, 2)])
def test_a_long_history_is_cut(most: int | None, left: int) -> None:
    assert len(purchases(customer((0, 1, 9.0), (1, 1, 2.0)), ITEMS, CATALOGUE, most)) == left


def test_a_stranger_bought_nothing() -> None:
    assert purchases(customer(), ITEMS, CATALOGUE) == []
