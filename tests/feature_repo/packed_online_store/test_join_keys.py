"""Which row a key names: of every type, and of several join keys."""

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.views import PackedView
from feature_repo.packed_online_store.writing import write_view
from tests.feature_repo.packed_online_store.conftest import AS_OF, OpenClient
from tests.feature_repo.packed_online_store.two_views import ITEMS, items, prices


@pytest.mark.parametrize(
    ("join_keys", "columns", "keys"),
    [
        (("item_id",), {"item_id": [1, -2]}, [1, -2]),
        (("item_id",), {"item_id": [1, -2]}, np.array([1, -2])),
        (("item_id",), {"item_id": [b"\0", b"x" * 900]}, [b"\0", b"x" * 900]),
        (("item_id",), {"item_id": ["", "x" * 900]}, ["", "x" * 900]),
        (("item_id",), {"item_id": ["a\0b", "a"]}, ["a\0b", "a"]),
        (("item_id",), {"item_id": [AS_OF, AS_OF + timedelta(1)]}, [AS_OF, AS_OF + timedelta(1)]),
        (("shop", "item"), {"shop": ["x", "xy"], "item": ["yz", "z"]}, [("x", "yz"), ("xy", "z")]),
        (("b", "a"), {"a": [1, 2], "b": ["p" * 300, "q"]}, [("p" * 300, 1), ("q", 2)]),
    ],
)
def test_join_keys_of_every_type_find_their_rows(
    open_client: OpenClient, join_keys: tuple[str, ...], columns: dict[str, Any], keys: Any
) -> None:
    view = PackedView("view", ITEMS.schema, join_keys)
    table = items({"a": 1, "b": 2}).drop_columns(["item_id"])
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    client = open_client()
    write_view(client, view, table)
    assert client.read_matrix(view, keys, ["price"])[:, 0].tolist() == [1, 2]


def test_texts_and_numbers_are_different_keys(open_client: OpenClient) -> None:
    client = open_client()
    write_view(client, ITEMS, items({"1": 1}))
    write_view(client, ITEMS, items({1: 2}))
    assert prices(client, ["1"]) + prices(client, [1]) == [1, 2]


@pytest.mark.parametrize(
    ("keys", "message"), [([1.5], "join key 1.5 is a float"), ([None], "is a NoneType"), ([True], "is a bool")]
)
def test_a_key_that_names_no_row_is_refused(open_client: OpenClient, keys: list[Any], message: str) -> None:
    with pytest.raises(StoreError, match=message):
        open_client().read(ITEMS, keys)


def test_names_too_long_for_a_key_are_refused(open_client: OpenClient) -> None:
    with pytest.raises(StoreError, match="expected at most 240: shorten the names"):
        open_client("r" * 300).read(ITEMS, ["a"])
