"""Repurchase hazards: how likely an item is bought again per day, by how long ago and how often it was bought.

A spell runs from a purchase to the same user's next one of the item, or to the moment. Cells cross the recency within
a spell with the purchases so far; a cell's hazard is its events over its days at risk, shrunk towards the category's,
and that towards all items'. Sums are whole numbers (milliseconds), so they are the same for any order of rows.
"""

import ibis
import ibis.expr.types as ir

from components.features.inputs.moment import Moment

RECENCY_DAYS = (0, 7, 14, 28, 56)
COUNTS = (1, 2, 4)  # purchases so far, from
CELLS = len(RECENCY_DAYS) * len(COUNTS)  # cell = recency bucket * len(COUNTS) + count bucket
DAY_MILLISECONDS = 86_400_000
PRIOR_DAYS, PRIOR_ALL = 200, 1000


def hazards_at(sequences: ir.Table, catalogue: ir.Table, moment: Moment) -> ir.Table:
    """Return each item's hazards: item, hazard, category_hazard (arrays of CELLS), hazard_ratio, category_hazard_ratio.

    ``catalogue`` has one row an item, with its ``category``; items without one form a category.
    """
    by_item = _cell_sums(_spell_sums(sequences, moment), "item")
    items = catalogue.select("item", category=catalogue.category.fill_null(-1).cast("int64")).left_join(by_item, "item")
    items = items.select("item", "category", **{name: items[name].fill_null(0) for name in _names("events", "days")})
    by_category = items.group_by("category").agg(
        **{f"category_{name}": items[name].sum().cast("int64") for name in _names("events", "days")}
    )
    overall = items.agg(**{f"all_{name}": items[name].sum().cast("int64") for name in _names("events", "days")})
    row = items.inner_join(by_category, "category").cross_join(overall)
    base = [(row[f"all_events_{cell}"] + 1) / (_days(row, "all_days", cell) + PRIOR_ALL) for cell in range(CELLS)]
    category = _shrunk(row, "category_", base)
    return row.select(
        "item",
        hazard=ibis.array(_shrunk(row, "", category)),
        category_hazard=ibis.array(category),
        hazard_ratio=_ratio(row, "", base),
        category_hazard_ratio=_ratio(row, "category_", base),
    )


def _spell_sums(sequences: ir.Table, moment: Moment) -> ir.Table:
    """Sum events and milliseconds at risk of each item and count bucket, by recency bucket."""
    bought = sequences.filter(sequences.sign > 0)
    end = bought.next.fill_null(moment.now)
    spell = bought.select(
        "item",
        count=sum((bought.ordinal + 1 >= minimum).ifelse(1, 0) for minimum in COUNTS[1:]),
        length=((end - bought["at"]) / 1000).floor().cast("int64"),
        ended=bought.next.notnull(),
    )
    sums: dict[str, ir.Value] = {}
    for recency, minimum in enumerate(RECENCY_DAYS):
        start = minimum * DAY_MILLISECONDS
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
    """Return one row an item with the sums of all cells side by side."""
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


def _shrunk(row: ir.Table, prefix: str, prior: list[ir.Value]) -> list[ir.Value]:
    """Return the hazards of all cells, shrunk towards a prior that weighs PRIOR_DAYS at risk."""
    return [
        (row[f"{prefix}events_{cell}"] + PRIOR_DAYS * prior[cell]) / (_days(row, f"{prefix}days", cell) + PRIOR_DAYS)
        for cell in range(CELLS)
    ]


def _ratio(row: ir.Table, prefix: str, base: list[ir.Value]) -> ir.Value:
    """Divide events by those expected of an average item with the same time at risk, after adding 3 to both."""
    events = sum(row[f"{prefix}events_{cell}"] for cell in range(CELLS))
    expected = sum(_days(row, f"{prefix}days", cell) * base[cell] for cell in range(CELLS))
    return (events + 3) / (expected + 3)
