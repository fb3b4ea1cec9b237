"""Clean tables in the compact form that snapshots are computed from: integer keys, times and amounts.

Keys are ranks of the sorted ids. They live inside one computation and order ties as the ids do, so that nothing
depends on the order in which a home met its items.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from components.features.inputs.local_days import local_day
from components.features.inputs.moment import Moment, microseconds_of, whole
from components.features.settings import Shape

HOUR_MICROSECONDS = 3_600_000_000
THOUSANDTHS = 1000  # of a unit
MONEY = 10_000  # of the currency


@dataclass(frozen=True)
class Coded:
    """The tables behind all snapshots of a run.

    ``acts`` has one row an event: user, item, session (keys; a user may be missing), at, known (microseconds since
    1970), kind, units (thousandths), paid and listed (ten-thousandths of the currency), the last three negative for a
    return, and ``returning``: whether the session's id spans so long that it may be several (see ``split_sessions``).
    """

    acts: ir.Table
    users: ir.Table  # user, user_id
    items: ir.Table  # item, item_id, item_code
    catalogue: ir.Table  # item_id and the catalogue's columns, valid_from
    promotions: ir.Table  # item, starts, ends, reach
    attributes: ir.Table  # user_id, attributes, valid_from


def coded(clean: Mapping[str, ir.Table], shape: Shape) -> Coded:
    """Express the coded tables in terms of the clean ones: events, items, users, promotions, item_codes."""
    events = clean["events"]
    users = _ranked(events.filter(events.user_id.notnull()).select("user_id").distinct(), "user_id", "user")
    items = _ranked(clean["item_codes"], "item_id", "item")
    promoted = clean["promotions"].inner_join(items, "item_id")
    return Coded(
        acts=_acts(events, users, items, shape),
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


def _acts(events: ir.Table, users: ir.Table, items: ir.Table, shape: Shape) -> ir.Table:
    rows = events.mutate(at=microseconds_of(events.event_time), known=microseconds_of(events.available_at))
    rows = rows.mutate(
        session_id=_session_id(rows, shape), owner=rows.user_id.fill_null(""), given=rows.session_id.notnull()
    )
    rows = rows.join(_session_keys(rows, shape), ["owner", "session_id"])
    rows = rows.left_join(users, "user_id").join(items, "item_id")
    units = whole(rows.quantity.fill_null(1.0) * THOUSANDTHS).abs()
    direction = ibis.ifelse(rows.event_type == "return", -1, 1)
    return rows.select(
        "user",
        "item",
        "session",
        "returning",
        "at",
        "known",
        kind=rows.event_type,
        units=units * direction,
        paid=whole(rows.price * MONEY) * direction,
        listed=whole(rows.list_price * MONEY) * direction,
    )


def _session_id(rows: ir.Table, shape: Shape) -> ir.StringValue:
    """Return the session; without one, the user's day in the shop's zone, and of an unknown user the event alone."""
    day = local_day(rows["at"], ZoneInfo(shape.time_zone)).cast("string")
    alone = ibis.ifelse(rows.user_id.isnull(), ibis.literal("event ") + rows.event_id, ibis.literal("day ") + day)
    return ibis.coalesce(rows.session_id, alone)


def _session_keys(rows: ir.Table, shape: Shape) -> ir.Table:
    """One row a user and session id: owner, session_id, session (its key), returning.

    Keys leave room for as many sessions as the id's span may hold, so that ``split_sessions`` only adds to them.
    """
    gap = gap_microseconds(shape)
    ids = rows.group_by("user_id", "owner", "session_id").agg(
        rows=rows.count(), span=rows["at"].max() - rows["at"].min(), given=rows.given.any()
    )
    ids = ids.mutate(returning=ids.given & (ids.span > gap))
    room = ibis.ifelse(ids.returning, ibis.least(ids["rows"] + 1, (ids.span / gap).floor().cast("int64") + 2), 1)
    before = ibis.window(order_by=[ids.user_id, ids.session_id], preceding=None, following=0)
    return ids.select("owner", "session_id", "returning", session=(room.sum().over(before) - room).cast("int32"))


def gap_microseconds(shape: Shape) -> int:
    """Return the time without a purchase after which a session id that comes back is another session."""
    return round(shape.session_hours * HOUR_MICROSECONDS)


def split_sessions(acts: ir.Table, shape: Shape) -> ir.Table:
    """Purchases and returns, with a session of its own for each time that a session id came back after a gap.

    A return joins the session before it, because it takes back what was bought there, and ends no gap.
    """
    rows = acts.filter(acts.kind.isin(success_kinds(shape)))
    rows = rows.mutate(taken_back=(rows.kind == "return").cast("int32"))
    once, again = rows.filter(~rows.returning), rows.filter(rows.returning)
    numbers = _session_numbers(again.select("session", "at", "taken_back").distinct(), gap_microseconds(shape))
    again = again.join(numbers, ["session", "at", "taken_back"])
    again = again.mutate(session=(again.session + again.number).cast("int32")).drop("number")
    return once.union(again.select(*once.columns)).drop("taken_back")


def _session_numbers(times: ir.Table, gap: int) -> ir.Table:
    """Return the times of each session id with the number of the session that each belongs to."""
    place = {"group_by": "session", "order_by": [times["at"], times.taken_back]}
    until_now = ibis.window(**place, preceding=None, following=0)
    bought = ibis.ifelse(times.taken_back == 0, times["at"], ibis.null("int64"))
    seen = times.mutate(bought=bought.max().over(until_now))
    seen = seen.mutate(before=seen.bought.lag().over(ibis.window(**place)))
    begins = (seen.taken_back == 0) & (seen.before.isnull() | (seen["at"] - seen.before > gap))
    return seen.mutate(number=begins.cast("int32").sum().over(until_now)).drop("bought", "before")


def known_acts(acts: ir.Table, moment: Moment) -> ir.Table:
    """Events that happened before a moment and were known at it."""
    return acts.filter(acts["at"] < moment.now, acts.known <= moment.now)


def success_kinds(shape: Shape) -> tuple[str, ...]:
    """Event types that make up purchase lines: successes, and the returns that take them back."""
    return (*shape.success, "return")
