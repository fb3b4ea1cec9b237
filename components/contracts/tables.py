"""The canonical tables of every shop. Timestamps are ``timestamp[us, UTC]``, ids are strings."""

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")

EVENTS = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_time", TIME),
        ("available_at", TIME),  # when the row was known: event_time + lag, or ingested_at for what a live source adds
        ("ingested_at", TIME),
        ("user_id", pa.string()),  # null: counts for popularity only
        ("item_id", pa.string()),
        ("event_type", pa.string()),  # view, click, add_to_cart, purchase, return
        ("quantity", pa.float64()),
        ("price", pa.float64()),  # money paid for the row
        ("list_price", pa.float64()),  # money without discounts; null when the shop does not say
        ("session_id", pa.string()),
        ("request_id", pa.string()),
        ("source", pa.string()),
    ]
)

ITEMS = pa.schema(
    [
        ("item_id", pa.string()),
        ("category", pa.list_(pa.string())),  # path, widest first
        ("brand", pa.string()),
        ("price", pa.float64()),
        ("title", pa.string()),
        ("attributes", pa.map_(pa.string(), pa.string())),
        ("is_merchandise", pa.bool_()),
        ("valid_from", TIME),
    ]
)

USERS = pa.schema([("user_id", pa.string()), ("attributes", pa.map_(pa.string(), pa.string())), ("valid_from", TIME)])

PROMOTIONS = pa.schema(
    [
        ("item_id", pa.string()),
        ("starts_at", TIME),
        ("ends_at", TIME),
        ("reach", pa.float64()),  # share of places that promoted the item, 0..1
    ]
)

IMPRESSIONS = pa.schema(
    [
        ("request_id", pa.string()),
        ("event_time", TIME),
        ("user_id", pa.string()),
        ("bundle", pa.string()),
        ("arm", pa.string()),
        ("context", pa.string()),
        ("item_id", pa.string()),
        ("position", pa.int32()),  # from 1
        ("score", pa.float64()),
        ("propensity", pa.float64()),
        ("features", pa.list_(pa.float32())),  # as served, in the order of the feature list
        ("feature_list", pa.string()),  # hash of that feature list
    ]
)

ITEM_CODES = pa.schema([("item_id", pa.string()), ("item_code", pa.int32())])  # append-only, never reused

QUARANTINE = pa.schema(
    [
        ("table", pa.string()),
        ("source", pa.string()),
        ("reason", pa.string()),
        ("row", pa.string()),  # the row as JSON, as it was found
        ("ingested_at", TIME),
    ]
)

CANONICAL = {"events": EVENTS, "items": ITEMS, "users": USERS, "promotions": PROMOTIONS, "impressions": IMPRESSIONS}

# What ingestion adds to a raw row: a `problem` where a cell cannot be read, with the row as it was `found` (JSON).
_FINDINGS = [("problem", pa.string()), ("found", pa.string())]

# Of the catalogue and the customers an unreadable optional cell costs the cell, not the row: what it held, by column.
_BAD_CELLS = [("bad_cells", pa.map_(pa.string(), pa.string()))]

# Raw tables that only grow. `batch` counts the commits that brought rows; `row_id` is a hash of the row's content and
# occurrence, so that a row which is read again is the same row.
_GROWTH = [("batch", pa.int64()), ("row_id", pa.string()), *_FINDINGS]


def _without(schema: pa.Schema, *names: str) -> list[pa.Field]:
    return [field for field in schema if field.name not in names]


RAW = {
    "events": pa.schema([*_GROWTH, *_without(EVENTS, "available_at")]),
    "impressions": pa.schema([*_GROWTH, *IMPRESSIONS, ("source", pa.string()), ("ingested_at", TIME)]),
    "items": pa.schema([*_FINDINGS, *_without(ITEMS, "is_merchandise"), *_BAD_CELLS]),
    "users": pa.schema([*_FINDINGS, *USERS, *_BAD_CELLS]),
    "promotions": pa.schema([*_FINDINGS, *PROMOTIONS]),
}
