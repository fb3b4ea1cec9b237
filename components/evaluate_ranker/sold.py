"""The sold catalogue: what coverage is measured against."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from components.features.inputs.successes import merchandise, successes
from components.features.settings import shape_of
from components.features.snapshots.calendar import calendar
from components.features.snapshots.workspace import clean_workspace
from components.shop.settings import Shop


def sold_merchandise(shop: Shop, clean: Path, versions: Mapping[str, int], as_of: datetime) -> pa.Array:
    """Ids of the merchandise sold in the training and validation weeks, as far as known when the held-out ones begin.

    ``clean`` is the folder of the clean Delta tables and ``versions`` what the examples were built from.
    """
    start, end = calendar(shop, as_of).learned
    shape = shape_of(shop)
    with clean_workspace(clean, versions) as space:
        sold = successes(space.clean["events"], start, end, end, shape).select("item_id").distinct()
        return space.fetch(merchandise(sold, space.clean["items"], end, shape))["item_id"].combine_chunks()
