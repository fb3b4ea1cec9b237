"""The table ``data``: the shop's events, with the categories and brands of their items.

::

    events of a span ──┐
                       ├─▶ event_rows ──sketch_table──▶ Sketches["data"]
    the catalogue  ────┘

One row an event, streamed, so memory does not grow with rows; all columns but the user are categories.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import ibis.expr.types as ir
import pyarrow as pa

from components.contracts.tables import CANONICAL
from components.drift.kinds import ColumnKind
from components.drift.sketches import TableSketch, sketch_table
from components.features.inputs.catalogue import category_path, clean_rows_valid_at
from components.features.inputs.moment import utc
from components.home.storage.locations import Location
from components.lake.engine import open_workspace
from components.shop.settings import Shop

USER = "user_id"


@dataclass(frozen=True)
class CleanEvents:
    """The events of a span of time: from ``start`` to before ``end``, as far as known at ``known_at``.

    ``clean`` is the folder of the clean Delta tables, ``versions`` those to read.
    """

    clean: Location
    versions: Mapping[str, int]
    start: datetime
    end: datetime
    known_at: datetime


def sketch_events(shop: Shop, span: CleanEvents) -> TableSketch:
    """Sketch the events of a span by type, category levels and brand."""
    with event_rows(shop, span) as rows:
        columns = [name for name in rows.schema.names if name != USER]
        return sketch_table(rows, dict.fromkeys(columns, ColumnKind.CATEGORICAL), USER)


@contextmanager
def event_rows(shop: Shop, span: CleanEvents) -> Iterator[pa.RecordBatchReader]:
    """Stream one row an event: user_id, event_type, category_1 to the finest level that the shop maps, brand if mapped.

    An item's words are those that its catalogue row had at the end of the span; without a row they are missing.
    """
    with open_workspace() as space:
        events, items = (
            space.delta_table(span.clean / name, CANONICAL[name], span.versions.get(name))
            for name in ("events", "items")
        )
        yield space.stream(_described(_within(events, span), clean_rows_valid_at(items, "item_id", span.end), shop))


def _within(events: ir.Table, span: CleanEvents) -> ir.Table:
    return events.filter(
        events.event_time >= utc(span.start),
        events.event_time < utc(span.end),
        events.available_at <= utc(span.known_at),
    )


def _described(events: ir.Table, items: ir.Table, shop: Shop) -> ir.Table:
    words: dict[str, ir.Value] = {}
    if shop.items is not None:
        levels = range(1, len(shop.items.category) + 1)
        words |= {f"category_{level}": category_path(items.category, level) for level in levels}
        words |= {"brand": items.brand} if shop.items.brand else {}
    named = items.select(item=items.item_id, **words)
    rows = events.left_join(named, events.item_id == named.item)
    return rows.select(USER, "event_type", *words)
