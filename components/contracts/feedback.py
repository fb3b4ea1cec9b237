"""The service's log: each list that it showed, and each event that it received.

::

    <home>/feedback/impressions/   Delta, SERVED: one row a request
    <home>/feedback/journal/       what is on its way there, and the events: files of JSON lines, append-only

A list is logged when it is answered; ``shown`` events acknowledge which of its items a page really displayed.
"""

from typing import Literal, get_args

import pyarrow as pa

from components.contracts.tables import TIME

ServedType = Literal["shown", "view", "click", "add_to_cart", "purchase"]
SERVED_TYPES: tuple[str, ...] = get_args(ServedType)
SERVED_SOURCE = "served"  # the name under which raw rows come from here

SERVED = pa.schema(
    [
        ("request_id", pa.string()),
        ("event_time", TIME),  # by the home's clock
        ("logged_at", TIME),  # by the machine's clock
        ("user_id", pa.string()),
        ("bundle", pa.string()),  # digest
        ("arm", pa.string()),
        ("experiment", pa.string()),  # null: none was running
        ("fallback", pa.string()),  # null: none was needed
        ("context", pa.string()),  # JSON, as the caller gave it
        ("item_ids", pa.list_(pa.string())),  # best first; position 1 is the first
        ("scores", pa.list_(pa.float32())),
        ("propensities", pa.list_(pa.float64())),  # probability of being shown at this position; 1 without exploration
        ("features", pa.list_(pa.float32())),  # as served, item after item, in the order of the feature list
        ("feature_list", pa.string()),  # hash of that feature list
        ("shadow_arm", pa.string()),  # an arm that ranked the same request without being shown; null: none
        ("shadow_item_ids", pa.list_(pa.string())),
        ("shadow_scores", pa.list_(pa.float32())),
    ]
)

SERVED_EVENTS = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_time", TIME),  # by the home's clock
        ("received_at", TIME),  # by the machine's clock
        ("event_type", pa.string()),  # one of SERVED_TYPES
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("quantity", pa.float64()),
        ("price", pa.float64()),  # money paid for the row
        ("session_id", pa.string()),
        ("request_id", pa.string()),  # the ranking request that the event answers
        ("taken_at", TIME),  # by the home's clock: when it was received, and so known; null: at its event_time
    ]
)
