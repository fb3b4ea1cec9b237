"""The view ``session_features``: what a user did since their row was made, written by the service as events arrive."""

from datetime import timedelta

import pyarrow as pa

from components.contracts.tables import TIME
from feature_repo.packed_online_store.arrow_columns import packed_schema
from feature_repo.packed_online_store.views import PackedView

SESSION_FEATURES = "session_features"
EMPTY_SESSIONS = "sessions.parquet"  # in ``feature_store/``: Feast wants an offline file beside what is pushed
TTL = timedelta(days=7)  # a row that is made again within it replaces this one

SESSIONS = pa.schema(
    [
        ("user_id", pa.string()),
        ("event_timestamp", TIME),  # of the newest event
        ("session_item", pa.list_(pa.int32())),  # item codes; these lists are aligned, in the order of taking
        ("session_kind", pa.list_(pa.string())),  # event types
        ("session_time", pa.list_(pa.int64())),  # microseconds since 1970, by the home's clock
        ("session_units", pa.list_(pa.float32())),
    ]
)


def session_view() -> PackedView:
    """Return how the store packs it."""
    schema = packed_schema(SESSIONS, exclude=("user_id", "event_timestamp"))
    return PackedView(SESSION_FEATURES, schema, ("user_id",), TTL)
