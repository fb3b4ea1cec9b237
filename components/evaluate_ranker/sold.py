"""The sold catalogue, against which coverage is measured."""

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa

from components.features.inputs.positive_events import merchandise_only, positive_events
from components.features.settings import feature_settings
from components.features.snapshots.calendar import calendar
from components.features.snapshots.workspace import clean_workspace
from components.home.storage.locations import Location
from components.shop.settings import Shop


def sold_merchandise(shop: Shop, clean: Location, versions: Mapping[str, int], as_of: datetime) -> pa.Array:
    """Return ids of the merchandise sold in training and validation weeks, as known when the held-out weeks begin.

    ``clean`` is the folder of the clean Delta tables and ``versions`` what the examples were built from.
    """
    start, end = calendar(shop, as_of).learned
    settings = feature_settings(shop)
    with clean_workspace(clean, versions) as space:
        sold = positive_events(space.clean["events"], start, end, end, settings).select("item_id").distinct()
        return space.fetch(merchandise_only(sold, space.clean["items"], end, settings))["item_id"].combine_chunks()
