"""The item view, column by column. To add a column, write one expression here and a test that pins it."""

import ibis
import ibis.expr.types as ir

from components.contracts.moments import DAY_MICROSECONDS
from components.features.inputs.encoded import MONEY, THOUSANDTHS
from components.features.inputs.moment import Moment, decayed, exact_sum, ratio, share


def sales_columns(line: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Return columns of an item from its purchase lines, also those of unknown users; see ``purchase_lines``."""
    age = moment.age_days(line["at"])
    bought = line.sign > 0
    week = moment.within(line["at"], 7)
    weight = decayed(age, 28)
    priced = bought & (line.paid >= 0)
    listed = bought & line.listed.notnull() & line.paid.notnull()
    return {
        **{f"purchases_{days}d": _net(line, moment.within(line["at"], days)) for days in (7, 28, 91)},
        "purchases_week_4": _net(line, moment.within(line["at"], 28) & ~moment.within(line["at"], 21)),
        **{f"purchases_decay_{days}": exact_sum(line.sign * decayed(age, days)) for days in (7, 28, 112)},
        "price": ratio(
            exact_sum(line.paid / MONEY * weight, where=priced),
            exact_sum(line.units / THOUSANDTHS * weight, where=priced),
        ),
        "price_7d": ratio(line.paid.sum(where=priced & week), line.units.sum(where=priced & week))
        * (THOUSANDTHS / MONEY),
        "discount_share_28d": share(
            exact_sum((line.listed - line.paid) / MONEY * weight, where=listed),
            exact_sum(line.listed / MONEY * weight, where=listed),
        ),
        "discount_share_7d": share(
            (line.listed - line.paid).sum(where=listed & week), line.listed.sum(where=listed & week)
        ),
        "days_since_first_sale": age.max(where=bought),
        "days_since_last_sale": age.min(where=bought),
    }


def repeat_purchase_columns(line: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Return counts of an item's purchase lines by known users that derived columns use; see ``sequences_before``."""
    bought, recent = line.sign > 0, moment.within(line["at"], 28)
    repeated = bought & line.previous.notnull()
    return {
        "lines_28d": line.count(where=bought & recent),
        "repeat_lines": line.count(where=repeated),
        "repeat_lines_28d": line.count(where=repeated & recent),
    }


def buyer_columns(history: ir.Table) -> dict[str, ir.Value]:
    """Return sums over an item's buyers that derived columns use; ``history`` has one row a user and item."""
    return {
        "buyers": history.count(),
        "settled_buyers": history.count(where=history.days_since_first > 28),
        "buyer_days": exact_sum(history.days_since_first),
        "buyer_trips": history.trips_since_first.sum().cast("int64"),
    }


def derived_columns(item: ir.Table) -> dict[str, ir.Value]:
    """Return columns of an item from its other columns and counts; ``category_…`` are sums over its finest category.

    Counts of purchases are net of returns and may be negative; ratios and shares of them are not.
    """
    category_rate = (item.category_repeat_lines + 0.1) / (item.category_buyer_days + 100)
    category_rate_trips = (item.category_repeat_lines + 0.1) / (item.category_buyer_trips + 10)
    return {
        "trend": _trend(item, 7, 28),
        "trend_long": _trend(item, 28, 112),
        "rebuy_rate": (item.repeat_lines_28d + 0.5) / (item.settled_buyers + 10),
        "repeat_buyers": (item.repeat_lines + 1) / (item.buyers + 3),
        "new_buyer_share": (item.lines_28d - item.repeat_lines_28d + 1) / (item.lines_28d + 2),
        "share_of_category": share(item.purchases_decay_28, item.category_sold),
        "share_of_branded_category": share(item.purchases_decay_28, item.branded_category_sold),
        "repurchase_rate": (item.repeat_lines + 100 * category_rate) / (item.buyer_days + 100),
        "repurchase_rate_trips": (item.repeat_lines + 40 * category_rate_trips) / (item.buyer_trips + 40),
    }


def browsing_columns(event: ir.Table, moment: Moment, kinds: tuple[str, ...]) -> dict[str, ir.Value]:
    """Return columns of an item from the events that are not purchases."""
    age = moment.age_days(event["at"])
    return {
        **{f"{kind}_7d": event.count(where=(event.kind == kind) & moment.within(event["at"], 7)) for kind in kinds},
        **{f"{kind}_decay_7": exact_sum(decayed(age, 7), where=event.kind == kind) for kind in kinds},
    }


def promotion_columns(promotion: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Return columns of an item from promotions that had begun before the moment."""
    ran_last_week = promotion.ends > moment.now - 7 * DAY_MICROSECONDS
    return {
        "promotion_reach": promotion.reach.max(where=ran_last_week),
        "days_since_promotion": moment.age_days(promotion.starts.max()),
    }


def announced_columns(promotion: ir.Table) -> dict[str, ir.Value]:
    """Return columns of an item from promotions of the coming horizon, for a shop that knows them ahead."""
    return {"promotion_reach_ahead": promotion.reach.max()}


def _net(line: ir.Table, when: ir.BooleanValue) -> ir.IntegerValue:
    return line.sign.sum(where=when).fill_null(0)


def _trend(item: ir.Table, days: int, usual_days: int) -> ir.FloatingValue:
    """Divide recent purchases a day by the usual ones: from 0 to ``usual_days / days``.

    An item with more returns than sales falls by as much as that.
    """
    recent = ibis.greatest(item[f"purchases_decay_{days}"], 0)
    usual = ibis.greatest(item[f"purchases_decay_{usual_days}"].abs(), recent)
    return (recent / days + 0.05) / (usual / usual_days + 0.05)
