"""Positive events with merchandise: what outcomes, the labels of impressions and the sold catalogue all count."""

from datetime import datetime

import ibis.expr.types as ir

from components.features.inputs.catalogue import clean_rows_valid_at
from components.features.inputs.moment import utc
from components.features.settings import FeatureSettings


def positive_events(
    events: ir.Table, start: datetime, end: datetime, known_at: datetime, settings: FeatureSettings
) -> ir.Table:
    """Select the shop's success events in [start, end) that were known at a moment, with a quantity above 0."""
    return events.filter(
        events.event_time >= utc(start),
        events.event_time < utc(end),
        events.available_at <= utc(known_at),
        events.event_type.isin(settings.success),
        events.quantity.fill_null(1.0) > 0,
    )


def merchandise_only(rows: ir.Table, items: ir.Table, at: datetime, settings: FeatureSettings) -> ir.Table:
    """Select the rows whose item the shop file and the catalogue of a moment do not exclude as no merchandise."""
    if settings.not_merchandise:
        rows = rows.filter(rows.item_id.notin(settings.not_merchandise))
    catalogue = clean_rows_valid_at(items, "item_id", at)
    return rows.anti_join(catalogue.filter(~catalogue.is_merchandise.fill_null(True)), "item_id")
