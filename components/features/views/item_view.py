"""The view ``item_features``: an item's scalars, and the items bought together with it as arrays."""

import ibis
import ibis.expr.types as ir

from components.contracts.moments import DAY_MICROSECONDS
from components.features.inputs.moment import exact_sum
from components.features.views.hazards import hazards_at
from components.features.views.item_features import (
    announced_columns,
    browsing_columns,
    buyer_columns,
    derived_columns,
    promotion_columns,
    repeat_purchase_columns,
    sales_columns,
)
from components.features.views.neighbours import neighbours_at
from components.features.views.snapshot_inputs import SnapshotInputs
from components.features.views.view import ListColumns, View, aggregate, latest_time, left_join_all

COUNTS = (  # 0, not missing, for an item that nobody bought
    *(f"purchases_{span}" for span in ("7d", "28d", "91d", "week_4", "decay_7", "decay_28", "decay_112")),
    *("lines_28d", "repeat_lines", "repeat_lines_28d"),
    *("buyers", "settled_buyers", "buyer_days", "buyer_trips"),
)
NOT_STORED = ("lines_28d", "repeat_lines", "repeat_lines_28d", "settled_buyers", "buyer_days", "buyer_trips")


def item_view(inputs: SnapshotInputs) -> View:
    """Assemble the item view: one row for each item with any event, or in the catalogue since a stated time."""
    lines, sequences, history = inputs.lines, inputs.sequences, inputs.history
    parts = [
        aggregate(lines, ("item",), sales_columns(lines, inputs.moment) | {"sold_known": lines.known.max()}),
        aggregate(sequences, ("item",), repeat_purchase_columns(sequences, inputs.moment)),
        aggregate(history, ("item",), buyer_columns(history)),
    ]
    known = ["sold_known"]
    if inputs.settings.browsing:
        columns = browsing_columns(inputs.browsing, inputs.moment, inputs.settings.browsing)
        parts.append(aggregate(inputs.browsing, ("item",), columns | {"seen_known": inputs.browsing.known.max()}))
        known.append("seen_known")
    if inputs.settings.promotions:
        parts.extend(_promotions(inputs))
    rows = left_join_all(inputs.catalogue, [*parts, hazards_at(sequences, inputs.catalogue, inputs.moment)], "item")
    valid_from = (rows.valid_from > 0).ifelse(rows.valid_from, None)
    rows = rows.mutate(
        known=latest_time(valid_from, *(rows[name] for name in known)),
        **{name: rows[name].fill_null(0) for name in COUNTS},
    )
    rows = _with_group_sums(rows.filter(rows.known.notnull()))
    scalars = rows.mutate(**derived_columns(rows)).drop(*NOT_STORED, *GROUP_SUMS, "valid_from", *known)
    return View("item_features", "item_id", "item", scalars.order_by("item"), (_neighbours(inputs),))


GROUP_SUMS = (
    "category_repeat_lines",
    "category_buyer_days",
    "category_buyer_trips",
    "category_sold",
    "branded_category_sold",
)


def _with_group_sums(rows: ir.Table) -> ir.Table:
    """Add sums over the items of the finest category and of the branded one; items without one form a group."""
    rows = rows.mutate(
        category_key=rows.category.fill_null(-1.0),
        branded_category_key=rows.branded_category.fill_null(-1.0),
        sold=ibis.greatest(rows.purchases_decay_28, 0),
    )
    by_category = rows.group_by("category_key").agg(
        category_repeat_lines=rows.repeat_lines.sum().cast("int64"),
        category_buyer_days=exact_sum(rows.buyer_days),
        category_buyer_trips=rows.buyer_trips.sum().cast("int64"),
        category_sold=exact_sum(rows.sold),
    )
    by_branded_category = rows.group_by("branded_category_key").agg(branded_category_sold=exact_sum(rows.sold))
    rows = left_join_all(rows, [by_category], "category_key")
    rows = left_join_all(rows, [by_branded_category], "branded_category_key")
    return rows.drop("category_key", "branded_category_key", "sold")


def _promotions(inputs: SnapshotInputs) -> list[ir.Table]:
    now, horizon = inputs.moment.now, inputs.settings.horizon_days * DAY_MICROSECONDS
    started = inputs.promotions.filter(inputs.promotions.starts < now)
    tables = [aggregate(started, ("item",), promotion_columns(started, inputs.moment))]
    if inputs.settings.promotions_known_ahead:
        announced = inputs.promotions.filter(inputs.promotions.starts < now + horizon, inputs.promotions.ends > now)
        tables.append(aggregate(announced, ("item",), announced_columns(announced)))
    return tables


def _neighbours(inputs: SnapshotInputs) -> ListColumns:
    nearest = neighbours_at(inputs.lines, inputs.moment, inputs.settings.neighbours)
    codes = inputs.items.select(other="item", neighbour_item="item_code")
    nearest = nearest.inner_join(codes, "other").rename(neighbour_similarity="similarity")
    return ListColumns(nearest, "other", ("neighbour_item", "neighbour_similarity"))
