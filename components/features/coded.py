"""Clean tables in the compact form that snapshots are computed from: integer keys, times and amounts.

Keys are ranks of the sorted ids. They live inside one computation and order ties as the ids do, so that nothing
depends on the order in which a home met its items.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from components.features.moment import DAY_MICROSECONDS, Moment, microseconds_of, whole
from components.features.shape import Shape

THOUSANDTHS = 1000  # of a unit
MONEY = 10_000  # of the currency


@dataclass(frozen=True)
class Coded:
    """The tables behind all snapshots of a run.

    ``acts`` has one row an event: user, item, session (keys; a user may be missing), at, known (microseconds since
    1970), kind, units (thousandths, negative for a return), paid and listed (ten-thousandths of the currency).
    """

    acts: ir.Table
    users: ir.Table  # user, user_id
    items: ir.Table  # item, item_id, item_code
    catalogue: ir.Table  # item_id and the catalogue's columns, valid_from
    promotions: ir.Table  # item, starts, ends, reach
    attributes: ir.Table  # user_id, attributes, valid_from


def coded(clean: Mapping[str, ir.Table]) -> Coded:
    """Express the coded tables in terms of the clean ones: events, items, users, promotions, item_codes."""
    events = clean["events"]
    users = _ranked(events.filter(events.user_id.notnull()).select("user_id").distinct(), "user_id", "user")
    items = _ranked(clean["item_codes"], "item_id", "item")
    promoted = clean["promotions"].inner_join(items, "item_id")
    return Coded(
        acts=_acts(events, users, items),
        users=users,
        items=items,
        catalogue=clean["items"].mutate(valid_from=since(clean["items"].valid_from)),
        promotions=promoted.select(
            "item",
            "reach",
            starts=microseconds_of(promoted.starts_at),
            ends=microseconds_of(promoted.ends_at),
        ),
        attributes=clean["users"].mutate(valid_from=since(clean["users"].valid_from)),
    )


def _ranked(table: ir.Table, column: str, name: str) -> ir.Table:
    return table.mutate(ibis.row_number().over(order_by=table[column]).cast("int32").name(name))


def since(valid_from: ir.TimestampValue) -> ir.IntegerValue:
    """A row without a beginning holds since always."""
    return microseconds_of(valid_from).fill_null(-(2**62))


def _acts(events: ir.Table, users: ir.Table, items: ir.Table) -> ir.Table:
    rows = events.mutate(at=microseconds_of(events.event_time), known=microseconds_of(events.available_at))
    rows = rows.mutate(session_id=_session_id(rows))
    sessions = rows.select("user_id", "session_id").distinct()
    sessions = sessions.mutate(
        session=ibis.row_number().over(order_by=[sessions.user_id, sessions.session_id]).cast("int32"),
        owner=sessions.user_id.fill_null(""),
    )
    rows = rows.mutate(owner=rows.user_id.fill_null(""))
    rows = rows.join(sessions, ["owner", "session_id"]).left_join(users, "user_id").join(items, "item_id")
    units = whole(rows.quantity.fill_null(1.0) * THOUSANDTHS)
    return rows.select(
        "user",
        "item",
        "session",
        "at",
        "known",
        kind=rows.event_type,
        units=ibis.ifelse(rows.event_type == "return", -units.abs(), units),
        paid=whole(rows.price * MONEY),
        listed=whole(rows.list_price * MONEY),
    )


def _session_id(rows: ir.Table) -> ir.StringValue:
    """The session; without one, the user's day (in UTC), and of an unknown user the event alone."""
    day = (rows["at"] / DAY_MICROSECONDS).floor().cast("int64").cast("string")
    alone = ibis.ifelse(rows.user_id.isnull(), ibis.literal("event ") + rows.event_id, ibis.literal("day ") + day)
    return ibis.coalesce(rows.session_id, alone)


def known_acts(acts: ir.Table, moment: Moment) -> ir.Table:
    """Events that happened before a moment and were known at it."""
    return acts.filter(acts["at"] < moment.now, acts.known <= moment.now)


def success_kinds(shape: Shape) -> tuple[str, ...]:
    """Event types that make up purchase lines: successes, and the returns that take them back."""
    return (*shape.success, "return")
