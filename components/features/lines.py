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
    known = known_acts(acts, moment.microseconds)
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
    """One row for a session in which a known user bought: user, session, at, known, items, later (trips since)."""
    bought = lines.filter(lines.sign > 0, lines.user.notnull())
    trips = bought.group_by("user", "session").agg(
        at=bought["at"].min(), known=bought.known.max(), items=bought.count()
    )
    newest_first = [trips["at"].desc(), trips.session.desc()]
    return trips.mutate(later=ibis.row_number().over(group_by="user", order_by=newest_first))


def repeats_at(lines: ir.Table, trips: ir.Table, key: str) -> ir.Table:
    """Lines of known users with how they repeat: ``later`` trips since, ``gap`` microseconds since the one before."""
    own = lines.filter(lines.user.notnull(), lines[key].notnull())
    own = own.left_join(trips.select("user", "session", "later"), ["user", "session"])
    own = own.select(*[column for column in own.columns if not column.endswith("_right")])
    before = own["at"].lag().over(group_by=["user", key, "sign"], order_by=[own["at"], own.session])
    return own.mutate(later=own.later.fill_null(0), gap=own["at"] - before)


def lines_of_groups(lines: ir.Table, groups: ir.Table, key: str) -> ir.Table:
    """Lines collapsed to a group of items, such as a category: one row for a group in a session."""
    rows = lines.inner_join(groups.select("item", key), "item").filter(groups[key].notnull(), lines.user.notnull())
    return rows.group_by("user", key, "session", "sign").agg(
        at=rows["at"].min(),
        known=rows.known.max(),
        units=rows.units.sum().cast("int64"),
        paid=rows.paid.sum().cast("int64"),
        listed=rows.listed.sum().cast("int64"),
    )
