"""The user view, column by column. To add a column, write one expression here and a test that pins it."""

import ibis.expr.types as ir

from components.features.inputs.coded import MONEY, THOUSANDTHS
from components.features.inputs.moment import DAY_MICROSECONDS, Moment, decayed, ratio, shrunk, total

GAP_HALF_LIFE_DAYS = 56.0


def trip_columns(trip: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Columns of a user from their shopping trips; see ``trips_of``."""
    age = moment.age_days(trip["at"])
    return {
        "trips": trip.count(),
        "trips_28d": trip.count(where=moment.within(trip["at"], 28)),
        "trips_decay_14": total(decayed(age, 14)),
        "trips_decay_56": total(decayed(age, 56)),
        "days_since_last": age.min(),
        "tenure_days": age.max(),
        "basket_items_mean": ratio(trip["items"].sum(), trip.count()),
        "active_weeks": moment.week(trip["at"]).nunique(),
        "active_weeks_56d": moment.week(trip["at"]).nunique(where=moment.within(trip["at"], 56)),
    }


def line_columns(line: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Columns of a user from their purchase lines; see ``repeats_before``."""
    weight = decayed(moment.age_days(line["at"]), 56)
    bought = line.sign > 0
    return {
        "repeat_share": ratio(total(weight, where=bought & line.previous.notnull()), total(weight, where=bought)),
    }


def repeat_columns(line: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Columns of a user's own history with an item, or with a group of items; see ``repeats_before``."""
    age = moment.age_days(line["at"])
    bought = line.sign > 0
    again = bought & line.previous.notnull()
    gap_days = (line["at"] - line.previous).cast("float64") / DAY_MICROSECONDS
    weight = decayed(age, GAP_HALF_LIFE_DAYS)
    return {
        "trips": line.sign.sum(),
        "days_since_last": age.min(where=bought),
        "decay_56": total(line.sign * weight),
        "trip_decay_90": total(line.sign * shrunk(line.later, 0.9)),
        "trip_decay_97": total(line.sign * shrunk(line.later, 0.966)),
        "trip_decay_99": total(line.sign * shrunk(line.later, 0.99)),
        "gap": ratio(total(weight * gap_days, where=again), total(weight, where=again)),
        "weeks": line.count(where=_new_week(line, moment)),
        "units_decay_56": total(line.units / THOUSANDTHS * weight),
        "last_units": line.units.max(where=bought & line.next.isnull()) / THOUSANDTHS,
    }


def item_repeat_columns(line: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Columns of a user's own history that are kept for items only."""
    age = moment.age_days(line["at"])
    bought = line.sign > 0
    again = bought & line.previous.notnull()
    gap_trips = (line.previous_later - line.later).cast("float64")
    gap_weight, weight = decayed(age, GAP_HALF_LIFE_DAYS), decayed(age, 112)
    priced = bought & (line.paid >= 0)
    return {
        "days_since_first": age.max(where=bought),
        "trips_since_first": line.later.max(where=bought),
        "trips_since_last": line.later.min(where=bought),
        "decay_112": total(line.sign * weight),
        "volume_decay_100": total(line.sign * decayed(line.later_items, 100)),
        "volume_decay_300": total(line.sign * decayed(line.later_items, 300)),
        "trip_gap": ratio(total(gap_weight * gap_trips, where=again), total(gap_weight, where=again)),
        "weeks_56d": line.count(where=_new_week(line, moment) & moment.within(line["at"], 56)),
        "unit_price": ratio(
            total(line.paid / MONEY * weight, where=priced), total(line.units / THOUSANDTHS * weight, where=priced)
        ),
    }


def browsing_columns(act: ir.Table, moment: Moment, kinds: tuple[str, ...]) -> dict[str, ir.Value]:
    """Columns of a user from the events that are not purchases, such as ``view_7d``."""
    return {f"{kind}_7d": act.count(where=(act.kind == kind) & moment.within(act["at"], 7)) for kind in kinds}


def seen_columns(act: ir.Table, moment: Moment, kinds: tuple[str, ...]) -> dict[str, ir.Value]:
    """Columns of a user's own browsing of an item: how often by kind of event, and how long ago."""
    age = moment.age_days(act["at"])
    counts = {f"{kind}_decay_7": total(decayed(age, 7), where=act.kind == kind) for kind in kinds}
    return {"days_since_last": age.min(), **counts}


def _new_week(line: ir.Table, moment: Moment) -> ir.BooleanValue:
    """Whether a line bought is the first of its week."""
    first = line.previous.isnull() | (moment.week(line.previous) != moment.week(line["at"]))
    return (line.sign > 0) & first
