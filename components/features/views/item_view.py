"""The view ``item_features``: an item's scalars, and the items bought together with it as arrays."""

import ibis
import ibis.expr.types as ir

from components.features.inputs.moment import DAY_MICROSECONDS, total
from components.features.views.frame import Frame
from components.features.views.hazards import hazards_at
from components.features.views.item_features import (
    announced_columns,
    browsing_columns,
    buyer_columns,
    derived_columns,
    promotion_columns,
    repeat_sales_columns,
    sales_columns,
)
from components.features.views.neighbours import neighbours_at
from components.features.views.view import Listing, View, aggregate, joined, latest

COUNTS = (  # of an item that nobody bought: 0, not missing
    *(f"purchases_{span}" for span in ("7d", "28d", "91d", "week_4", "decay_7", "decay_28", "decay_112")),
    *("lines_28d", "repeat_lines", "repeat_lines_28d"),
    *("buyers", "settled_buyers", "buyer_days", "buyer_trips"),
)
NOT_STORED = ("lines_28d", "repeat_lines", "repeat_lines_28d", "settled_buyers", "buyer_days", "buyer_trips")


def item_view(frame: Frame) -> View:
    """Assemble the item view: one row for each item with any event, or in the catalogue since a stated time."""
    lines, repeats, history = frame.lines, frame.repeats, frame.history
    parts = [
        aggregate(lines, ("item",), sales_columns(lines, frame.moment) | {"sold_known": lines.known.max()}),
        aggregate(repeats, ("item",), repeat_sales_columns(repeats, frame.moment)),
        aggregate(history, ("item",), buyer_columns(history)),
    ]
    known = ["sold_known"]
    if frame.shape.browsing:
        columns = browsing_columns(frame.browsing, frame.moment, frame.shape.browsing)
        parts.append(aggregate(frame.browsing, ("item",), columns | {"seen_known": frame.browsing.known.max()}))
        known.append("seen_known")
    if frame.shape.promotions:
        parts.extend(_promotions(frame))
    rows = joined(frame.catalogue, [*parts, hazards_at(repeats, frame.catalogue, frame.moment)], "item")
    listed = (rows.valid_from > 0).ifelse(rows.valid_from, None)
    rows = rows.mutate(
        known=latest(listed, *(rows[name] for name in known)), **{name: rows[name].fill_null(0) for name in COUNTS}
    )
    rows = _with_group_sums(rows.filter(rows.known.notnull()))
    scalars = rows.mutate(**derived_columns(rows)).drop(*NOT_STORED, *GROUP_SUMS, "valid_from", *known)
    return View("item_features", "item_id", "item", scalars.order_by("item"), (_neighbours(frame),))


GROUP_SUMS = (
    "category_repeat_lines",
    "category_buyer_days",
    "category_buyer_trips",
    "category_sold",
    "branded_category_sold",
)


def _with_group_sums(rows: ir.Table) -> ir.Table:
    """Add sums over the items of the finest category and of the branded one; without one, over all that have none."""
    rows = rows.mutate(
        shelf=rows.category.fill_null(-1.0),
        branded_shelf=rows.branded_category.fill_null(-1.0),
        sold=ibis.greatest(rows.purchases_decay_28, 0),
    )
    shelves = rows.group_by("shelf").agg(
        category_repeat_lines=rows.repeat_lines.sum().cast("int64"),
        category_buyer_days=total(rows.buyer_days),
        category_buyer_trips=rows.buyer_trips.sum().cast("int64"),
        category_sold=total(rows.sold),
    )
    branded = rows.group_by("branded_shelf").agg(branded_category_sold=total(rows.sold))
    return joined(joined(rows, [shelves], "shelf"), [branded], "branded_shelf").drop("shelf", "branded_shelf", "sold")


def _promotions(frame: Frame) -> list[ir.Table]:
    now, horizon = frame.moment.now, frame.shape.horizon_days * DAY_MICROSECONDS
    begun = frame.promotions.filter(frame.promotions.starts < now)
    tables = [aggregate(begun, ("item",), promotion_columns(begun, frame.moment))]
    if frame.shape.promotions_known_ahead:
        coming = frame.promotions.filter(frame.promotions.starts < now + horizon, frame.promotions.ends > now)
        tables.append(aggregate(coming, ("item",), announced_columns(coming)))
    return tables


def _neighbours(frame: Frame) -> Listing:
    near = neighbours_at(frame.lines, frame.moment, frame.shape.neighbours)
    codes = frame.items.select(other="item", neighbour_item="item_code")
    near = near.inner_join(codes, "other").rename(neighbour_similarity="similarity")
    return Listing(near, "other", ("neighbour_item", "neighbour_similarity"))
