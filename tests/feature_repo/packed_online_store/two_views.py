"""Two small views, and tables of their rows."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.layout import PackedSchema
from feature_repo.packed_online_store.views import PackedView
from tests.feature_repo.packed_online_store.conftest import AS_OF

ITEMS = PackedView("items", PackedSchema.of({"price": "float32", "orders": "int64"}), ("item_id",))
USERS = PackedView(
    "users",
    PackedSchema.of({"trips": "float32", "history": "list<int64>", "last": "list<float32>", "city": "text"}),
    ("user_id",),
    ttl=timedelta(days=7),
)
TIME = pa.timestamp("us", tz="UTC")


def items(prices: dict[Any, float], at: datetime | list[datetime] = AS_OF, **columns: Any) -> pa.Table:
    times = at if isinstance(at, list) else [at] * len(prices)
    return pa.table(
        {
            "item_id": list(prices),
            "price": pa.array(list(prices.values()), pa.float32()),
            "orders": pa.array(range(len(prices)), pa.int64()),
            "event_timestamp": pa.array(times, TIME),
            **columns,
        }
    )


def prices(client: PackedClient, keys: Any) -> list[float | None]:
    matrix = client.read_matrix("items", keys, ["price"])
    return [None if np.isnan(price) else price for price in matrix[:, 0].tolist()]


def users(at: datetime) -> pa.Table:
    return pa.table(
        {
            "user_id": ["u1", "u2"],
            "trips": pa.array([4, None], pa.float32()),
            "history": [[3, 1, 2], []],
            "last": pa.array([None, [0.5]], pa.list_(pa.float32())),
            "city": ["Köln", None],
            "event_timestamp": pa.array([at, at], TIME),
        }
    )
