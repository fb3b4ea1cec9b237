"""Items bought together: cosine similarity of items over recent baskets."""

import ibis
import ibis.expr.types as ir

from components.features.inputs.moment import FIXED_POINT, Moment, whole

WINDOW_DAYS = 56
FEWEST_BASKETS = 10  # an item in fewer recent baskets has no neighbours worth trusting
LARGEST_BASKET = 60  # bigger baskets say little, and cost the square of their size


def neighbours_at(lines: ir.Table, moment: Moment, most: int) -> ir.Table:
    """The nearest items of each item: item, other (item keys), similarity; at most ``most`` an item.

    Only baskets of known users count.
    """
    recent = lines.filter(lines.user.notnull(), lines.sign > 0, moment.within(lines["at"], WINDOW_DAYS))
    recent = recent.select("item", "session")
    sizes = recent.group_by("item").agg(baskets=recent.count())
    sizes = sizes.filter(sizes.baskets >= FEWEST_BASKETS)
    rows = recent.inner_join(sizes, "item").select("item", "session", "baskets")
    rows = rows.mutate(size=ibis._.count().over(group_by="session"))
    rows = rows.filter((rows.size > 1) & (rows.size <= LARGEST_BASKET))
    rows = rows.mutate(weight=whole(FIXED_POINT / rows.size.sqrt()))
    others = rows.view()
    pairs = rows.inner_join(others, [rows.session == others.session, rows["item"] < others["item"]])
    pairs = pairs.select(
        first=rows["item"], second=others["item"], weight=rows.weight, sizes=rows.baskets * others.baskets
    )
    alike = pairs.group_by("first", "second").agg(weight=pairs.weight.sum(), sizes=pairs.sizes.max())
    similarity = alike.weight.cast("float64") / FIXED_POINT / alike.sizes.cast("float64").sqrt()
    alike = alike.select("first", "second", similarity=similarity)
    alike = alike.select(item="first", other="second", similarity="similarity").union(
        alike.select(item="second", other="first", similarity="similarity")
    )
    nearest = ibis.row_number().over(group_by="item", order_by=[alike.similarity.desc(), alike.other])
    return alike.mutate(place=nearest).filter(lambda row: row.place < most).drop("place")
