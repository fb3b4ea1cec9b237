"""Purchase lines and shopping trips as they were known at a moment: the ground that most columns stand on."""

import ibis
import ibis.expr.types as ir

from components.features.coded import known_acts, success_kinds
from components.features.moment import Moment
from components.features.shape import Shape


def lines_at(acts: ir.Table, moment: Moment, shape: Shape) -> ir.Table:
    """One row for an item in a session: user, item, session, at, known, sign, units, paid, listed.

    ``sign`` is 1 for a line bought and -1 for a line taken back, so that sums of it net returns out.
    """
    known = known_acts(acts, moment)
    rows = known.filter(known.kind.isin(success_kinds(shape)))
    lines = rows.group_by("user", "item", "session").agg(
        at=rows["at"].min(),
        known=rows.known.max(),
        units=rows.units.sum().cast("int64"),
        paid=rows.paid.sum().cast("int64"),
        listed=rows.listed.sum().cast("int64"),
    )
    return lines.filter(lines.units != 0).mutate(sign=ibis.ifelse(lines.units > 0, 1, -1).cast("int64"))


def trips_at(lines: ir.Table) -> ir.Table:
    """One row for a session in which a known user bought: user, session, at, items, later, later_items.

    ``later`` counts the user's trips since, ``later_items`` the items bought on them.
    """
    bought = lines.filter(lines.sign > 0, lines.user.notnull())
    trips = bought.group_by("user", "session").agg(at=bought["at"].min(), items=bought.count())
    newest_first = ibis.window(
        group_by="user", order_by=[trips["at"].desc(), trips.session.desc()], preceding=None, following=0
    )
    return trips.mutate(
        later=ibis.row_number().over(newest_first),
        later_items=trips["items"].sum().over(newest_first).cast("int64") - trips["items"],
    )


def repeats_at(lines: ir.Table, trips: ir.Table) -> ir.Table:
    """Lines of known users, each beside the same user's line before and after it of the same item.

    Added are later and later_items (of the trip), previous and next (times of those lines), previous_later, and
    ordinal (from 0). A line bought follows lines bought, a line taken back follows lines taken back.
    """
    own = lines.filter(lines.user.notnull())
    own = own.left_join(trips.select("user", "session", "later", "later_items"), ["user", "session"])
    own = own.select(*[column for column in own.columns if not column.endswith("_right")])
    own = own.mutate(later=own.later.fill_null(0), later_items=own.later_items.fill_null(0))
    return _beside(own, ["user", "item", "sign"])


def repeats_of_groups(repeats: ir.Table, groups: ir.Table, key: str) -> ir.Table:
    """Repeats of items collapsed to groups of items, such as categories: one row for a ``group`` in a session."""
    coded = groups.filter(groups[key].notnull()).select("item", group=groups[key].cast("int32"))
    rows = repeats.inner_join(coded, "item")
    grouped = rows.group_by("user", "group", "session", "sign").agg(
        at=rows["at"].min(), later=rows.later.min(), units=rows.units.sum().cast("int64")
    )
    return _beside(grouped, ["user", "group", "sign"])


def _beside(lines: ir.Table, keys: list[str]) -> ir.Table:
    order = [lines["at"], lines.session]
    return lines.mutate(
        previous=lines["at"].lag().over(group_by=keys, order_by=order),
        previous_later=lines.later.lag().over(group_by=keys, order_by=order),
        next=lines["at"].lead().over(group_by=keys, order_by=order),
        ordinal=ibis.row_number().over(group_by=keys, order_by=order),
    )
