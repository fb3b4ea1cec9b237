"""The view ``shown_lists``: the last list of each user, so that any process knows which list a click belongs to."""

from datetime import timedelta

import pyarrow as pa

from components.contracts.tables import TIME
from feature_repo.packed_online_store.arrow_columns import packed_schema
from feature_repo.packed_online_store.views import PackedView

TTL = timedelta(hours=1)
SHOWN_LISTS = pa.schema(
    [
        ("user_id", pa.string()),
        ("event_timestamp", TIME),  # of the request, by the home's clock
        ("request_id", pa.string()),
        ("arm", pa.string()),
        ("item_ids", pa.list_(pa.string())),  # best first
    ]
)


def shown_view() -> PackedView:
    """How the store packs it."""
    schema = packed_schema(SHOWN_LISTS, exclude=("user_id", "event_timestamp"))
    return PackedView("shown_lists", schema, ("user_id",), TTL)
