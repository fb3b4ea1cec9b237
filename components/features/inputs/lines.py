"""Purchase lines and shopping trips: the ground that most columns stand on.

What a line's place in its user's timeline is (``number`` of the trip, the line before, the line after) does not change
as time goes on, so it may be computed once for all moments (``*_of``); what a moment sees of it is the part before the
moment, told from its end (``*_before``).
"""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import or_

import ibis
import ibis.expr.types as ir

from components.features.inputs.coded import success_kinds
from components.features.inputs.moment import Moment, microseconds
from components.features.settings import Shape


def are_steady(acts: ir.Table, days: Sequence[datetime]) -> ir.BooleanScalar:
    """Whether each day sees whole sessions only, and all of them that began before it.

    Then nothing that happened before a day was known after it, and timelines of all acts serve every day. The acts are
    those that make up lines, with their sessions split.
    """
    session = acts.group_by("session").agg(first=acts["at"].min(), last=acts["at"].max(), known=acts.known.max())
    moments = [microseconds(day) for day in days]
    torn = [(session["first"] < at) & ((session["last"] >= at) | (session.known > at)) for at in moments]
    return ~reduce(or_, torn).any().fill_null(False)


def lines_of(acts: ir.Table, shape: Shape) -> ir.Table:
    """One row for an item in a session: user, item, session, at, known, sign, units, paid, listed.

    ``sign`` is 1 for a line bought and -1 for a line taken back, so that sums of it net returns out.
    """
    rows = acts.filter(acts.kind.isin(success_kinds(shape)))
    lines = rows.group_by("user", "item", "session").agg(
        at=rows["at"].min(),
        known=rows.known.max(),
        units=rows.units.sum().cast("int64"),
        paid=rows.paid.sum().cast("int64"),
        listed=rows.listed.sum().cast("int64"),
    )
    return lines.filter(lines.units != 0).mutate(sign=ibis.ifelse(lines.units > 0, 1, -1).cast("int64"))


def trips_of(lines: ir.Table) -> ir.Table:
    """One row for a session in which a known user bought: user, session, at, items, number, items_until.

    ``number`` counts the user's trips from 0, ``items_until`` the items bought up to and on the trip.
    """
    bought = lines.filter(lines.sign > 0, lines.user.notnull())
    trips = bought.group_by("user", "session").agg(at=bought["at"].min(), items=bought.count())
    so_far = ibis.window(group_by="user", order_by=[trips["at"], trips.session], preceding=None, following=0)
    return trips.mutate(
        number=ibis.row_number().over(so_far), items_until=trips["items"].sum().over(so_far).cast("int64")
    )


def repeats_of(lines: ir.Table, trips: ir.Table) -> ir.Table:
    """Lines of known users, each beside the same user's line before and after it of the same item.

    Added are number and items_until (of the trip), previous and next (times of those lines), previous_number, and
    ordinal (from 0). A line bought follows lines bought, a line taken back follows lines taken back.
    """
    own = lines.filter(lines.user.notnull())
    own = own.left_join(trips.select("user", "session", "number", "items_until"), ["user", "session"])
    own = own.select(*[column for column in own.columns if not column.endswith("_right")])
    return _beside(own, ["user", "item", "sign"])


def repeats_of_groups(repeats: ir.Table, groups: ir.Table, key: str) -> ir.Table:
    """Repeats of items collapsed to groups of items, such as categories: one row for a ``group`` in a session."""
    coded = groups.filter(groups[key].notnull()).select("item", group=groups[key].cast("int32"))
    rows = repeats.inner_join(coded, "item")
    grouped = rows.group_by("user", "group", "session", "sign").agg(
        at=rows["at"].min(),
        number=rows.number.max(),
        items_until=rows.items_until.max(),
        units=rows.units.sum().cast("int64"),
    )
    return _beside(grouped, ["user", "group", "sign"])


def _beside(lines: ir.Table, keys: list[str]) -> ir.Table:
    order = [lines["at"], lines.session]
    return lines.mutate(
        previous=lines["at"].lag().over(group_by=keys, order_by=order),
        previous_number=lines.number.lag().over(group_by=keys, order_by=order),
        next=lines["at"].lead().over(group_by=keys, order_by=order),
        ordinal=ibis.row_number().over(group_by=keys, order_by=order),
    )


def before(timeline: ir.Table, moment: Moment) -> ir.Table:
    """The part of a timeline that lies before a moment."""
    return timeline.filter(timeline["at"] < moment.now)


def repeats_before(repeats: ir.Table, trips: ir.Table, moment: Moment) -> ir.Table:
    """Repeats as a moment sees them; ``trips`` are those before it.

    Instead of numbers they hold later (the user's trips since), later_items (items bought on those) and
    previous_later; a line that comes after the moment is nobody's ``next``.
    """
    totals = trips.group_by("user").agg(last=trips.number.max(), items=trips["items"].sum().cast("int64"))
    seen = before(repeats, moment)
    rows = seen.left_join(totals, "user")
    held = [column for column in seen.columns if column not in ("number", "items_until", "previous_number", "next")]
    return rows.select(
        *held,
        later=(rows["last"] - rows.number).fill_null(0),
        later_items=(rows["items"] - rows.items_until).fill_null(0),
        previous_later=rows["last"] - rows.previous_number,
        next=ibis.ifelse(rows.next < moment.now, rows.next, ibis.null("int64")),
    )
