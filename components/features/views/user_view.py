"""The view ``user_features``: a user's scalars, and their own history as arrays."""

import ibis.expr.types as ir

from components.features.views.frame import Frame
from components.features.views.user_features import (
    browsing_columns,
    line_columns,
    repeat_columns,
    seen_columns,
    trip_columns,
)
from components.features.views.view import Listing, View, aggregate, joined, latest


def user_view(frame: Frame) -> View:
    """Assemble the user view: one row for each user with any event."""
    own = frame.repeats
    parts = [
        aggregate(frame.trips, ("user",), trip_columns(frame.trips, frame.moment)),
        aggregate(own, ("user",), line_columns(own, frame.moment) | {"bought_known": own.known.max()}),
    ]
    listings = [_item_history(frame), *_group_histories(frame)]
    known = ["bought_known"]
    if frame.shape.browsing:
        seen = frame.browsing.filter(frame.browsing.user.notnull())
        columns = browsing_columns(seen, frame.moment, frame.shape.browsing)
        parts.append(aggregate(seen, ("user",), columns | {"seen_known": seen.known.max()}))
        listings.append(_seen_items(frame, seen))
        known.append("seen_known")
    scalars = joined(frame.users, parts, "user")
    if frame.shape.user_attributes:
        scalars = joined(scalars, [frame.attributes], "user_id")
    scalars = scalars.mutate(known=latest(*(scalars[name] for name in known))).drop(*known)
    return View(
        "user_features", "user_id", "user", scalars.filter(scalars.known.notnull()).order_by("user"), tuple(listings)
    )


def _item_history(frame: Frame) -> Listing:
    return _listing("history", _with_item_code(frame.history, frame), "item", frame)


def _group_histories(frame: Frame) -> list[Listing]:
    listings = []
    for group, repeats in frame.group_repeats.items():
        rows = aggregate(repeats, ("user", "group"), repeat_columns(repeats, frame.moment))
        bought = rows.filter(rows.trips > 0)
        listings.append(_listing(group, bought.mutate(code=bought["group"]), "group", frame))
    return listings


def _seen_items(frame: Frame, seen: ir.Table) -> Listing:
    rows = aggregate(seen, ("user", "item"), seen_columns(seen, frame.moment, frame.shape.browsing))
    return _listing("seen", _with_item_code(rows, frame), "item", frame)


def _with_item_code(rows: ir.Table, frame: Frame) -> ir.Table:
    """Add the stored code of each item, as ``code``."""
    return rows.inner_join(frame.items.select("item", code="item_code"), "item")


def _listing(name: str, rows: ir.Table, order: str, frame: Frame) -> Listing:
    """Name the columns of a listing as they are stored (``history_trips``, ``history_item``, ...), the newest kept."""
    columns = [column for column in rows.columns if column not in ("user", order, "code")]
    code = f"{name}_{'item' if order == 'item' else 'code'}"
    stored = {code: rows.code, **{f"{name}_{column}": rows[column].cast("float32") for column in columns}}
    recency = rows.days_since_last  # in full: float32 would make ties of near times
    table = rows.select("user", order, recency=recency, **stored)
    return Listing(table, order, tuple(stored), "recency", frame.shape.max_history)
