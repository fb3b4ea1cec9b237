"""Purchase lines, shopping trips, and the sequence of a user's purchases of an item: what most columns build on.

The position of a line in its user's timeline (the number of its trip, the line before it, the line after it) does not
change as time goes on. So timelines may be computed once for all snapshots. A snapshot sees the part before its moment
(``*_before``) and counts from that part's end.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import or_

import ibis
import ibis.expr.types as ir

from components.contracts.moments import microseconds
from components.features.inputs.encoded import line_event_types
from components.features.inputs.moment import Moment
from components.features.settings import FeatureSettings


def see_whole_sessions(interactions: ir.Table, days: Sequence[datetime]) -> ir.BooleanScalar:
    """Express whether each day sees whole sessions only, and all that began before it.

    Then no event before a day became known after it, and the timelines of all events serve every day. The interactions
    are purchases and returns, with their sessions split.
    """
    session = interactions.group_by("session").agg(
        first=interactions["at"].min(), last=interactions["at"].max(), known=interactions.known.max()
    )
    moments = [microseconds(day) for day in days]
    is_cut = [(session["first"] < at) & ((session["last"] >= at) | (session.known > at)) for at in moments]
    return ~reduce(or_, is_cut).any().fill_null(False)


def purchase_lines(interactions: ir.Table, settings: FeatureSettings) -> ir.Table:
    """Return one row for an item in a session: user, item, session, at, known, sign, units, paid, listed.

    ``sign`` is 1 for a purchase and -1 for a return, so sums of it are net of returns.
    """
    rows = interactions.filter(interactions.kind.isin(line_event_types(settings)))
    lines = rows.group_by("user", "item", "session").agg(
        at=rows["at"].min(),
        known=rows.known.max(),
        units=rows.units.sum().cast("int64"),
        paid=rows.paid.sum().cast("int64"),
        listed=rows.listed.sum().cast("int64"),
    )
    return lines.filter(lines.units != 0).mutate(sign=ibis.ifelse(lines.units > 0, 1, -1).cast("int64"))


def shopping_trips(lines: ir.Table) -> ir.Table:
    """Return one row for a session in which a known user bought: user, session, at, items, number, items_until.

    ``number`` counts the user's trips from 0, ``items_until`` the items bought up to and on the trip.
    """
    bought = lines.filter(lines.sign > 0, lines.user.notnull())
    trips = bought.group_by("user", "session").agg(at=bought["at"].min(), items=bought.count())
    so_far = ibis.window(group_by="user", order_by=[trips["at"], trips.session], preceding=None, following=0)
    return trips.mutate(
        number=ibis.row_number().over(so_far), items_until=trips["items"].sum().over(so_far).cast("int64")
    )


def item_sequences(lines: ir.Table, trips: ir.Table) -> ir.Table:
    """Lines of known users, each with the same user's line of the same item before and after it.

    Added are number and items_until (of the trip), previous and next (times of those lines), previous_number, and
    ordinal (from 0). A purchase follows purchases, a return follows returns.
    """
    rows = lines.filter(lines.user.notnull())
    rows = rows.left_join(trips.select("user", "session", "number", "items_until"), ["user", "session"])
    rows = rows.select(*[column for column in rows.columns if not column.endswith("_right")])
    return _with_adjacent(rows, ["user", "item", "sign"])


def group_sequences(sequences: ir.Table, catalogue: ir.Table, group: str) -> ir.Table:
    """Sequences of items collapsed to groups of items, such as categories: one row for a ``group`` in a session."""
    groups = catalogue.filter(catalogue[group].notnull()).select("item", group=catalogue[group].cast("int32"))
    rows = sequences.inner_join(groups, "item")
    lines = rows.group_by("user", "group", "session", "sign").agg(
        at=rows["at"].min(),
        number=rows.number.max(),
        items_until=rows.items_until.max(),
        units=rows.units.sum().cast("int64"),
    )
    return _with_adjacent(lines, ["user", "group", "sign"])


def _with_adjacent(lines: ir.Table, keys: list[str]) -> ir.Table:
    order = [lines["at"], lines.session]
    return lines.mutate(
        previous=lines["at"].lag().over(group_by=keys, order_by=order),
        previous_number=lines.number.lag().over(group_by=keys, order_by=order),
        next=lines["at"].lead().over(group_by=keys, order_by=order),
        ordinal=ibis.row_number().over(group_by=keys, order_by=order),
    )


def rows_before(timeline: ir.Table, moment: Moment) -> ir.Table:
    """Select the part of a timeline that lies before a moment."""
    return timeline.filter(timeline["at"] < moment.now)


def sequences_before(sequences: ir.Table, trips: ir.Table, moment: Moment) -> ir.Table:
    """Sequences as a moment sees them; ``trips`` are those before it.

    Instead of numbers they hold trips_since (the user's trips after this line), items_since (items bought on those)
    and previous_trips_since (the same for the line before). ``next`` is missing where that line comes after the moment.
    """
    totals = trips.group_by("user").agg(last=trips.number.max(), items=trips["items"].sum().cast("int64"))
    lines = rows_before(sequences, moment)
    rows = lines.left_join(totals, "user")
    kept = [column for column in lines.columns if column not in ("number", "items_until", "previous_number", "next")]
    return rows.select(
        *kept,
        trips_since=(rows["last"] - rows.number).fill_null(0),
        items_since=(rows["items"] - rows.items_until).fill_null(0),
        previous_trips_since=rows["last"] - rows.previous_number,
        next=ibis.ifelse(rows.next < moment.now, rows.next, ibis.null("int64")),
    )
