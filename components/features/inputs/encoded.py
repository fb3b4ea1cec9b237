"""Clean tables in the compact form that snapshots are computed from: integer keys, times and amounts.

A key is the rank of an id among all ids in sorted order. It lives inside one computation and orders ties as the ids do,
so nothing depends on the order in which a home first saw its items.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from components.features.inputs.moment import Moment, local_day, microseconds_of, round_half_up
from components.features.settings import FeatureSettings

HOUR_MICROSECONDS = 3_600_000_000
THOUSANDTHS = 1000  # of a unit
MONEY = 10_000  # of the currency
ALWAYS = -(2**62)  # before any time in microseconds since 1970


@dataclass(frozen=True)
class EncodedTables:
    """The tables behind all snapshots of a run.

    ``interactions`` has one row an event: user, item, session (keys; a user may be missing), at, known (microseconds
    since 1970), kind, units (thousandths), paid and listed (ten-thousandths of the currency), the last three negative
    for a return, and ``reused_id``: whether the session's id spans so long that it may be several sessions (see
    ``split_sessions``).
    """

    interactions: ir.Table
    users: ir.Table  # user, user_id
    items: ir.Table  # item, item_id, item_code
    catalogue: ir.Table  # item_id and the catalogue's columns, valid_from
    promotions: ir.Table  # item, starts, ends, reach
    attributes: ir.Table  # user_id, attributes, valid_from


def encode_tables(clean: Mapping[str, ir.Table], settings: FeatureSettings) -> EncodedTables:
    """Express the encoded tables in terms of the clean ones: events, items, users, promotions, item_codes."""
    events = clean["events"]
    users = _with_key(events.filter(events.user_id.notnull()).select("user_id").distinct(), "user_id", "user")
    items = _with_key(clean["item_codes"], "item_id", "item")
    promotions = clean["promotions"].inner_join(items, "item_id")
    return EncodedTables(
        interactions=_interactions(events, users, items, settings),
        users=users,
        items=items,
        catalogue=clean["items"].mutate(valid_from=valid_since(clean["items"].valid_from)),
        promotions=promotions.select(
            "item",
            "reach",
            starts=microseconds_of(promotions.starts_at),
            ends=microseconds_of(promotions.ends_at),
        ),
        attributes=clean["users"].mutate(valid_from=valid_since(clean["users"].valid_from)),
    )


def _with_key(table: ir.Table, id_column: str, key: str) -> ir.Table:
    return table.mutate(ibis.row_number().over(order_by=table[id_column]).cast("int32").name(key))


def valid_since(valid_from: ir.TimestampValue) -> ir.IntegerValue:
    """Return when a row became valid, in microseconds since 1970; without a time, it has always been valid."""
    return microseconds_of(valid_from).fill_null(ALWAYS)


def _interactions(events: ir.Table, users: ir.Table, items: ir.Table, settings: FeatureSettings) -> ir.Table:
    rows = events.mutate(at=microseconds_of(events.event_time), known=microseconds_of(events.available_at))
    rows = rows.mutate(
        session_id=_session_id(rows, settings), owner=rows.user_id.fill_null(""), has_id=rows.session_id.notnull()
    )
    rows = rows.join(_session_keys(rows, settings), ["owner", "session_id"])
    rows = rows.left_join(users, "user_id").join(items, "item_id")
    units = round_half_up(rows.quantity.fill_null(1.0) * THOUSANDTHS).abs()
    direction = ibis.ifelse(rows.event_type == "return", -1, 1)
    return rows.select(
        "user",
        "item",
        "session",
        "reused_id",
        "at",
        "known",
        kind=rows.event_type,
        units=units * direction,
        paid=round_half_up(rows.price * MONEY) * direction,
        listed=round_half_up(rows.list_price * MONEY) * direction,
    )


def _session_id(rows: ir.Table, settings: FeatureSettings) -> ir.StringValue:
    """Return an event's session id.

    Without one, all events of a user on a day in the shop's zone share a session; an event of an unknown user is one.
    """
    day = local_day(rows["at"], ZoneInfo(settings.time_zone)).cast("string")
    missing_id = ibis.ifelse(rows.user_id.isnull(), ibis.literal("event ") + rows.event_id, ibis.literal("day ") + day)
    return ibis.coalesce(rows.session_id, missing_id)


def _session_keys(rows: ir.Table, settings: FeatureSettings) -> ir.Table:
    """Return one row a user and session id: owner, session_id, session (its key), reused_id.

    Between two keys lie as many free ones as the id may hold sessions, so ``split_sessions`` only adds to a key.
    """
    gap = gap_microseconds(settings)
    ids = rows.group_by("user_id", "owner", "session_id").agg(
        rows=rows.count(), span=rows["at"].max() - rows["at"].min(), has_id=rows.has_id.any()
    )
    ids = ids.mutate(reused_id=ids.has_id & (ids.span > gap))
    key_count = ibis.ifelse(ids.reused_id, ibis.least(ids["rows"] + 1, (ids.span / gap).floor().cast("int64") + 2), 1)
    so_far = ibis.window(order_by=[ids.user_id, ids.session_id], preceding=None, following=0)
    first_key = (key_count.sum().over(so_far) - key_count).cast("int32")
    return ids.select("owner", "session_id", "reused_id", session=first_key)


def gap_microseconds(settings: FeatureSettings) -> int:
    """Return the time without a purchase after which a session id that comes back is another session."""
    return round(settings.session_hours * HOUR_MICROSECONDS)


def split_sessions(interactions: ir.Table, settings: FeatureSettings) -> ir.Table:
    """Select purchases and returns, with a session of its own for each time that a session id came back after a gap.

    A return joins the session before it, because it takes back what was bought there, and ends no gap.
    """
    rows = interactions.filter(interactions.kind.isin(line_event_types(settings)))
    rows = rows.mutate(is_return=(rows.kind == "return").cast("int32"))
    single, reused = rows.filter(~rows.reused_id), rows.filter(rows.reused_id)
    numbers = _session_numbers(reused.select("session", "at", "is_return").distinct(), gap_microseconds(settings))
    reused = reused.join(numbers, ["session", "at", "is_return"])
    reused = reused.mutate(session=(reused.session + reused.number).cast("int32")).drop("number")
    return single.union(reused.select(*single.columns)).drop("is_return")


def _session_numbers(times: ir.Table, gap: int) -> ir.Table:
    """Return the times of each session id with the number of the session that each belongs to."""
    order = {"group_by": "session", "order_by": [times["at"], times.is_return]}
    so_far = ibis.window(**order, preceding=None, following=0)
    bought_at = ibis.ifelse(times.is_return == 0, times["at"], ibis.null("int64"))
    rows = times.mutate(last_purchase=bought_at.max().over(so_far))
    rows = rows.mutate(previous=rows.last_purchase.lag().over(ibis.window(**order)))
    begins = (rows.is_return == 0) & (rows.previous.isnull() | (rows["at"] - rows.previous > gap))
    return rows.mutate(number=begins.cast("int32").sum().over(so_far)).drop("last_purchase", "previous")


def known_interactions(interactions: ir.Table, moment: Moment) -> ir.Table:
    """Select the events that happened before a moment and were known at it."""
    return interactions.filter(interactions["at"] < moment.now, interactions.known <= moment.now)


def line_event_types(settings: FeatureSettings) -> tuple[str, ...]:
    """Return the event types of purchase lines: positive events, and the returns that take them back."""
    return (*settings.success, "return")
