"""Successes with merchandise: what outcomes, the labels of impressions and the sold catalogue all count."""

from datetime import datetime

import ibis.expr.types as ir

from components.features.inputs.catalogue import held_at
from components.features.inputs.moment import utc
from components.features.settings import Shape


def successes(events: ir.Table, start: datetime, end: datetime, known_at: datetime, shape: Shape) -> ir.Table:
    """Success events in [start, end) that were known at a moment; a quantity of nothing or less is none."""
    return events.filter(
        events.event_time >= utc(start),
        events.event_time < utc(end),
        events.available_at <= utc(known_at),
        events.event_type.isin(shape.success),
        events.quantity.fill_null(1.0) > 0,
    )


def merchandise(rows: ir.Table, items: ir.Table, at: datetime, shape: Shape) -> ir.Table:
    """Rows whose item is merchandise, as the shop file and the catalogue of a moment say; unknown items are."""
    if shape.not_merchandise:
        rows = rows.filter(rows.item_id.notin(shape.not_merchandise))
    held = held_at(items, "item_id", at)
    return rows.anti_join(held.filter(~held.is_merchandise.fill_null(True)), "item_id")
