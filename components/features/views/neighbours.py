"""Items bought together: cosine similarity of items over recent baskets."""

import ibis
import ibis.expr.types as ir

from components.features.inputs.moment import FIXED_POINT, Moment, round_half_up

WINDOW_DAYS = 56
MIN_BASKETS = 10  # an item in fewer recent baskets has too little evidence for neighbours
MAX_BASKET_SIZE = 60  # larger baskets say little about similarity, and cost the square of their size


def neighbours_at(lines: ir.Table, moment: Moment, limit: int) -> ir.Table:
    """Return the most similar items of each item: item, other (item keys), similarity; at most ``limit`` an item.

    Only baskets of known users count.
    """
    recent = lines.filter(lines.user.notnull(), lines.sign > 0, moment.within(lines["at"], WINDOW_DAYS))
    recent = recent.select("item", "session")
    sizes = recent.group_by("item").agg(baskets=recent.count())
    sizes = sizes.filter(sizes.baskets >= MIN_BASKETS)
    rows = recent.inner_join(sizes, "item").select("item", "session", "baskets")
    rows = rows.mutate(size=ibis._.count().over(group_by="session"))
    rows = rows.filter((rows.size > 1) & (rows.size <= MAX_BASKET_SIZE))
    rows = rows.mutate(weight=round_half_up(FIXED_POINT / rows.size.sqrt()))
    right = rows.view()
    both = rows.inner_join(right, [rows.session == right.session, rows["item"] < right["item"]])
    both = both.select(first=rows["item"], second=right["item"], weight=rows.weight, sizes=rows.baskets * right.baskets)
    pairs = both.group_by("first", "second").agg(weight=both.weight.sum(), sizes=both.sizes.max())
    similarity = pairs.weight.cast("float64") / FIXED_POINT / pairs.sizes.cast("float64").sqrt()
    pairs = pairs.select("first", "second", similarity=similarity)
    pairs = pairs.select(item="first", other="second", similarity="similarity").union(
        pairs.select(item="second", other="first", similarity="similarity")
    )
    rank = ibis.row_number().over(group_by="item", order_by=[pairs.similarity.desc(), pairs.other])
    return pairs.mutate(rank=rank).filter(lambda row: row.rank < limit).drop("rank")
