"""The view ``item_features``: an item's scalars, and the items bought together with it as arrays."""

import ibis.expr.types as ir

from components.features.frame import Frame
from components.features.item_features import (
    announced_columns,
    browsing_columns,
    loyalty_columns,
    promotion_columns,
    sales_columns,
)
from components.features.moment import DAY_MICROSECONDS
from components.features.neighbours import neighbours_at
from components.features.views import Listing, View, aggregate, joined, latest


def item_view(frame: Frame) -> View:
    """Assemble the item view: one row for each item with any event, or in the catalogue since a stated time."""
    parts = [
        aggregate(
            frame.lines, ("item",), sales_columns(frame.lines, frame.moment) | {"sold_known": frame.lines.known.max()}
        ),
        _loyalty(frame),
    ]
    known = ["sold_known"]
    if frame.shape.browsing:
        columns = browsing_columns(frame.browsing, frame.moment, frame.shape.browsing)
        parts.append(aggregate(frame.browsing, ("item",), columns | {"seen_known": frame.browsing.known.max()}))
        known.append("seen_known")
    if frame.shape.promotions:
        parts.extend(_promotions(frame))
    scalars = joined(frame.catalogue, parts, "item")
    listed = (scalars.valid_from > 0).ifelse(scalars.valid_from, None)
    scalars = scalars.mutate(known=latest(listed, *(scalars[name] for name in known))).drop("valid_from", *known)
    return View("item_features", "item_id", "item", scalars.filter(scalars.known.notnull()), (_neighbours(frame),))


def _loyalty(frame: Frame) -> ir.Table:
    line = frame.repeats
    owned = line.group_by("item", "user").agg(trips=line.sign.sum(), first=line["at"].min(), last=line["at"].max())
    owned = owned.filter(owned.trips > 0)
    return aggregate(owned, ("item",), loyalty_columns(owned, frame.moment))


def _promotions(frame: Frame) -> list[ir.Table]:
    now, horizon = frame.moment.microseconds, frame.shape.horizon_days * DAY_MICROSECONDS
    begun = frame.promotions.filter(frame.promotions.starts < now)
    tables = [aggregate(begun, ("item",), promotion_columns(begun, frame.moment))]
    if frame.shape.promotions_known_ahead:
        coming = frame.promotions.filter(frame.promotions.starts < now + horizon, frame.promotions.ends > now)
        tables.append(aggregate(coming, ("item",), announced_columns(coming, frame.moment)))
    return tables


def _neighbours(frame: Frame) -> Listing:
    near = neighbours_at(frame.lines, frame.moment, frame.shape.neighbours)
    codes = frame.items.select(other="item", neighbour_item="item_code")
    near = near.inner_join(codes, "other").rename(neighbour_similarity="similarity")
    return Listing(near, "neighbour_similarity", ("neighbour_item", "neighbour_similarity"))
