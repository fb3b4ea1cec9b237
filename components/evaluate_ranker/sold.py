"""The sold catalogue: what coverage is measured against."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from components.contracts.examples import ExamplesManifest
from components.contracts.shop import Shop
from components.features.catalogue import valid_at
from components.features.coded import since
from components.features.moment import microseconds, utc
from components.features.shape import shape_of
from components.features.workspace import clean_workspace


def sold_merchandise(shop: Shop, clean: Path, versions: Mapping[str, int], manifest: ExamplesManifest) -> pa.Array:
    """Ids of the merchandise sold in the training and validation weeks, as far as known when the held-out ones begin.

    ``clean`` is the folder of the clean Delta tables and ``versions`` what the examples were built from.
    """
    end = datetime.fromisoformat(manifest.heldout_start)
    start = end - (shop.training.snapshots + 1) * timedelta(days=manifest.horizon_days)
    shape = shape_of(shop)
    with clean_workspace(clean, versions) as space:
        events = space.clean["events"]
        sold = events.filter(
            events.event_time >= utc(start),
            events.event_time < utc(end),
            events.available_at <= utc(end),
            events.event_type.isin(shape.success),
            events.quantity.fill_null(1.0) > 0,
        )
        if shape.not_merchandise:
            sold = sold.filter(sold.item_id.notin(shape.not_merchandise))
        found = sold.select("item_id").distinct().anti_join(_not_merchandise(space.clean["items"], end), "item_id")
        return space.fetch(found)["item_id"].combine_chunks()


def _not_merchandise(items: ir.Table, at: datetime) -> ir.Table:
    moment = ibis.literal(microseconds(at), type="int64")
    held = valid_at(items.mutate(valid_from=since(items.valid_from)), "item_id", moment)
    return held.filter(~held.is_merchandise.fill_null(True)).select("item_id")
