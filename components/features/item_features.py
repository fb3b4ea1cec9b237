"""The item view, column by column. To add a column, write one expression here and a test that pins it."""

import ibis
import ibis.expr.types as ir

from components.features.moment import DAY_MICROSECONDS, Moment, decayed, ratio, total

PRIOR_BUYERS = 10.0  # how many buyers' worth of prior a rate is drawn to
REPEAT_AFTER_DAYS = 28.0


def sales_columns(line: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Columns of an item from its purchase lines, also those of unknown users."""
    age = moment.age_days(line["at"])
    recent = moment.within(line["at"], 28)
    decay_7, decay_28 = total(line.sign * decayed(age, 7)), total(line.sign * decayed(age, 28))
    return {
        **{f"purchases_{days}d": _net(line, moment, days) for days in (7, 28, 91)},
        **{f"buyers_{days}d": line.user.nunique(where=moment.within(line["at"], days)) for days in (28, 91)},
        "purchases_decay_7": decay_7,
        "purchases_decay_28": decay_28,
        "trend": ratio(decay_7 / 7 + 0.05, decay_28 / 28 + 0.05),
        "price": ibis.coalesce(
            ratio(line.paid.sum(where=recent), line.units.sum(where=recent)), ratio(line.paid.sum(), line.units.sum())
        )
        / 10,
        "discount_share": ratio((line.listed - line.paid).sum(where=recent), line.listed.sum(where=recent)),
        "days_since_first_sale": age.max(),
        "days_since_last_sale": age.min(),
    }


def loyalty_columns(owned: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Columns of an item from its buyers, one row a buyer (trips, first, last: microseconds since 1970)."""
    settled = moment.age_days(owned["first"]) > REPEAT_AFTER_DAYS
    again = owned.trips > 1
    gaps = (owned["last"] - owned["first"]).cast("float64") / DAY_MICROSECONDS
    return {
        "buyers": owned.count(),
        "rebuy_rate": (owned.count(where=again & settled) + 1.0) / (owned.count(where=settled) + PRIOR_BUYERS),
        "typical_gap": ratio(total(gaps, where=again), (owned.trips - 1).sum(where=again)),
    }


def browsing_columns(act: ir.Table, moment: Moment, kinds: tuple[str, ...]) -> dict[str, ir.Value]:
    """Columns of an item from the events that are not purchases."""
    age = moment.age_days(act["at"])
    return {
        **{f"{kind}_7d": act.count(where=(act.kind == kind) & moment.within(act["at"], 7)) for kind in kinds},
        **{f"{kind}_decay_7": total(decayed(age, 7), where=act.kind == kind) for kind in kinds},
    }


def promotion_columns(promotion: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Columns of an item from promotions that had begun before the moment."""
    ran_last_week = promotion.ends > moment.microseconds - 7 * DAY_MICROSECONDS
    return {
        "promotion_reach": promotion.reach.max(where=ran_last_week),
        "days_since_promotion": moment.age_days(promotion.starts.max()),
    }


def announced_columns(promotion: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Columns of an item from promotions of the coming horizon, for a shop that knows them ahead."""
    return {"promotion_reach_ahead": promotion.reach.max()}


def _net(line: ir.Table, moment: Moment, days: int) -> ir.Value:
    return line.sign.sum(where=moment.within(line["at"], days)).fill_null(0)
