"""Small user and item rows, written as tables the way the feature views give them."""

import pyarrow as pa

from components.ranking.rows import ItemRows, UserRows, item_rows, user_rows

ITEM_DEFAULTS: dict[str, float] = {
    "is_merchandise": 1.0,
    "purchases_decay_7": 0.0,
    "purchases_decay_28": 0.0,
    "purchases_28d": 0.0,
    "purchases_91d": 0.0,
    "trend": 0.0,
    "days_since_first_sale": 100.0,
    "promotion_reach": 0.0,
}


def items_of(codes: dict[str, int], **columns: dict[str, object]) -> ItemRows:
    """Item rows by id and code; each column gives values by item id, the rest take defaults."""
    ids = list(codes)
    table = {"item_id": pa.array(ids), "item_code": pa.array(list(codes.values()), pa.int32())}
    for name, default in ITEM_DEFAULTS.items():
        table[name] = pa.array([columns.get(name, {}).get(item, default) for item in ids], pa.float32())
    for name in columns.keys() - ITEM_DEFAULTS.keys():
        table[name] = pa.array([columns[name].get(item) for item in ids])
    return item_rows(pa.table(table))


DECAYED = ("history_decay_56", "history_decay_112")


def users_of(
    items: ItemRows, histories: dict[str, dict[int, float]], count: str | None = None, **columns: list[float]
) -> UserRows:
    """User rows from each user's history: item code to decayed count, or to another ``count``; columns by name."""
    table = {
        "user_id": pa.array(list(histories)),
        "history_item": pa.array([list(history) for history in histories.values()], pa.list_(pa.int32())),
    }
    for name in (count,) if count else DECAYED:
        table[name] = pa.array([list(history.values()) for history in histories.values()], pa.list_(pa.float32()))
    table |= {name: pa.array(values, pa.float32()) for name, values in columns.items()}
    return user_rows(pa.table(table), items)
