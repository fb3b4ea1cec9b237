"""Repurchase hazards: how likely an item is bought again per day, by how long ago and how often it was bought.

A spell runs from a purchase to the same user's next one of the item, or to the moment. Cells cross the recency within
a spell with the purchases so far; a cell's hazard is its events over its days at risk, drawn to the category's, and
that to all items'. Sums are whole numbers (milliseconds), so that they add up alike in any order.
"""

import ibis
import ibis.expr.types as ir

from components.features.inputs.moment import Moment

RECENCY_DAYS = (0, 7, 14, 28, 56)
COUNTS = (1, 2, 4)  # purchases so far, from
CELLS = len(RECENCY_DAYS) * len(COUNTS)  # cell = recency bucket * len(COUNTS) + count bucket
DAY_MILLISECONDS = 86_400_000
PRIOR_DAYS, PRIOR_ALL = 200, 1000


def hazards_at(repeats: ir.Table, groups: ir.Table, moment: Moment) -> ir.Table:
    """Hazards of every item: item, hazard and category_hazard (arrays of CELLS), hazard_ratio, category_hazard_ratio.

    ``groups`` has one row an item, with its ``category``; a missing category is one of its own.
    """
    by_item = _cell_sums(_spell_sums(repeats, moment), "item")
    every = groups.select("item", category=groups.category.fill_null(-1).cast("int64")).left_join(by_item, "item")
    every = every.select("item", "category", **{name: every[name].fill_null(0) for name in _names("events", "days")})
    by_category = every.group_by("category").agg(
        **{f"category_{name}": every[name].sum().cast("int64") for name in _names("events", "days")}
    )
    overall = every.agg(**{f"all_{name}": every[name].sum().cast("int64") for name in _names("events", "days")})
    row = every.inner_join(by_category, "category").cross_join(overall)
    base = [(row[f"all_events_{cell}"] + 1) / (_days(row, "all_days", cell) + PRIOR_ALL) for cell in range(CELLS)]
    category = _drawn(row, "category_", base)
    return row.select(
        "item",
        hazard=ibis.array(_drawn(row, "", category)),
        category_hazard=ibis.array(category),
        hazard_ratio=_ratio(row, "", base),
        category_hazard_ratio=_ratio(row, "category_", base),
    )


def _spell_sums(repeats: ir.Table, moment: Moment) -> ir.Table:
    """Events and milliseconds at risk of each item and count bucket, by recency bucket."""
    bought = repeats.filter(repeats.sign > 0)
    end = bought.next.fill_null(moment.now)
    spell = bought.select(
        "item",
        count=sum((bought.ordinal + 1 >= least).ifelse(1, 0) for least in COUNTS[1:]),
        length=((end - bought["at"]) / 1000).floor().cast("int64"),
        ended=bought.next.notnull(),
    )
    sums: dict[str, ir.Value] = {}
    for recency, least in enumerate(RECENCY_DAYS):
        start = least * DAY_MILLISECONDS
        inside = spell.length >= start
        at_risk = spell.length - start
        if recency + 1 < len(RECENCY_DAYS):
            width = RECENCY_DAYS[recency + 1] * DAY_MILLISECONDS - start
            at_risk = ibis.least(at_risk, width)
            ended_inside = inside & (spell.length < start + width)
        else:
            ended_inside = inside
        sums[f"events_{recency}"] = spell.count(where=spell.ended & ended_inside)
        sums[f"days_{recency}"] = at_risk.sum(where=inside).fill_null(0).cast("int64")
    return spell.group_by("item", "count").agg(**sums)


def _cell_sums(sums: ir.Table, key: str) -> ir.Table:
    """One row an item with the sums of all cells side by side."""
    cells = {}
    for name in ("events", "days"):
        for recency in range(len(RECENCY_DAYS)):
            for count in range(len(COUNTS)):
                values = sums[f"{name}_{recency}"].sum(where=sums["count"] == count)
                cells[f"{name}_{recency * len(COUNTS) + count}"] = values.fill_null(0).cast("int64")
    return sums.group_by(key).agg(**cells)


def _names(*kinds: str) -> list[str]:
    return [f"{kind}_{cell}" for kind in kinds for cell in range(CELLS)]


def _days(row: ir.Table, name: str, cell: int) -> ir.FloatingValue:
    return row[f"{name}_{cell}"].cast("float64") / DAY_MILLISECONDS


def _drawn(row: ir.Table, whose: str, towards: list[ir.Value]) -> list[ir.Value]:
    """Hazards of all cells, drawn to others as if those had been seen for PRIOR_DAYS."""
    return [
        (row[f"{whose}events_{cell}"] + PRIOR_DAYS * towards[cell]) / (_days(row, f"{whose}days", cell) + PRIOR_DAYS)
        for cell in range(CELLS)
    ]


def _ratio(row: ir.Table, whose: str, base: list[ir.Value]) -> ir.Value:
    """Events beside those expected of an average item at risk for as long, both with three more."""
    events = sum(row[f"{whose}events_{cell}"] for cell in range(CELLS))
    expected = sum(_days(row, f"{whose}days", cell) * base[cell] for cell in range(CELLS))
    return (events + 3) / (expected + 3)
