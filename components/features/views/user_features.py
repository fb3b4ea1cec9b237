"""The user view, column by column. To add a column, write one expression here and a test that pins it."""

import ibis.expr.types as ir

from components.contracts.moments import DAY_MICROSECONDS
from components.features.inputs.encoded import MONEY, THOUSANDTHS
from components.features.inputs.moment import Moment, decayed, exact_sum, geometric_weight, ratio

GAP_HALF_LIFE_DAYS = 56.0


def trip_columns(trip: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Return columns of a user from their shopping trips; see ``shopping_trips``."""
    age = moment.age_days(trip["at"])
    return {
        "trips": trip.count(),
        "trips_28d": trip.count(where=moment.within(trip["at"], 28)),
        "trips_decay_14": exact_sum(decayed(age, 14)),
        "trips_decay_56": exact_sum(decayed(age, 56)),
        "days_since_last": age.min(),
        "tenure_days": age.max(),
        "basket_items_mean": ratio(trip["items"].sum(), trip.count()),
        "active_weeks": moment.week(trip["at"]).nunique(),
        "active_weeks_56d": moment.week(trip["at"]).nunique(where=moment.within(trip["at"], 56)),
    }


def line_columns(line: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Return columns of a user from their purchase lines; see ``sequences_before``."""
    weight = decayed(moment.age_days(line["at"]), 56)
    bought = line.sign > 0
    return {
        "repeat_share": ratio(
            exact_sum(weight, where=bought & line.previous.notnull()), exact_sum(weight, where=bought)
        ),
    }


def history_columns(line: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Return columns of a user's history with an item, or with a group of items; see ``sequences_before``."""
    age = moment.age_days(line["at"])
    bought = line.sign > 0
    repeated = bought & line.previous.notnull()
    gap_days = (line["at"] - line.previous).cast("float64") / DAY_MICROSECONDS
    weight = decayed(age, GAP_HALF_LIFE_DAYS)
    return {
        "trips": line.sign.sum(),
        "days_since_last": age.min(where=bought),
        "decay_56": exact_sum(line.sign * weight),
        "trip_decay_90": exact_sum(line.sign * geometric_weight(line.trips_since, 0.9)),
        "trip_decay_97": exact_sum(line.sign * geometric_weight(line.trips_since, 0.966)),
        "trip_decay_99": exact_sum(line.sign * geometric_weight(line.trips_since, 0.99)),
        "gap": ratio(exact_sum(weight * gap_days, where=repeated), exact_sum(weight, where=repeated)),
        "weeks": line.count(where=_new_week(line, moment)),
        "units_decay_56": exact_sum(line.units / THOUSANDTHS * weight),
        "last_units": line.units.max(where=bought & line.next.isnull()) / THOUSANDTHS,
    }


def item_history_columns(line: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Return columns of a user's history that are kept for items only."""
    age = moment.age_days(line["at"])
    bought = line.sign > 0
    repeated = bought & line.previous.notnull()
    gap_trips = (line.previous_trips_since - line.trips_since).cast("float64")
    gap_weight, weight = decayed(age, GAP_HALF_LIFE_DAYS), decayed(age, 112)
    priced = bought & (line.paid >= 0)
    return {
        "days_since_first": age.max(where=bought),
        "trips_since_first": line.trips_since.max(where=bought),
        "trips_since_last": line.trips_since.min(where=bought),
        "decay_112": exact_sum(line.sign * weight),
        "volume_decay_100": exact_sum(line.sign * decayed(line.items_since, 100)),
        "volume_decay_300": exact_sum(line.sign * decayed(line.items_since, 300)),
        "trip_gap": ratio(exact_sum(gap_weight * gap_trips, where=repeated), exact_sum(gap_weight, where=repeated)),
        "weeks_56d": line.count(where=_new_week(line, moment) & moment.within(line["at"], 56)),
        "unit_price": ratio(
            exact_sum(line.paid / MONEY * weight, where=priced),
            exact_sum(line.units / THOUSANDTHS * weight, where=priced),
        ),
    }


def browsing_columns(event: ir.Table, moment: Moment, kinds: tuple[str, ...]) -> dict[str, ir.Value]:
    """Return columns of a user from the events that are not purchases, such as ``view_7d``."""
    return {f"{kind}_7d": event.count(where=(event.kind == kind) & moment.within(event["at"], 7)) for kind in kinds}


def browsed_item_columns(event: ir.Table, moment: Moment, kinds: tuple[str, ...]) -> dict[str, ir.Value]:
    """Return columns of a user's browsing of an item: how often, by event type, and how long ago."""
    age = moment.age_days(event["at"])
    counts = {f"{kind}_decay_7": exact_sum(decayed(age, 7), where=event.kind == kind) for kind in kinds}
    return {"days_since_last": age.min(), **counts}


def _new_week(line: ir.Table, moment: Moment) -> ir.BooleanValue:
    """Express whether a purchase is the first of its week."""
    first = line.previous.isnull() | (moment.week(line.previous) != moment.week(line["at"]))
    return (line.sign > 0) & first
