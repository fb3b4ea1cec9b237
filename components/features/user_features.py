"""The user view, column by column. To add a column, write one expression here and a test that pins it."""

import ibis
import ibis.expr.types as ir

from components.features.moment import DAY_MICROSECONDS, Moment, decayed, ratio, total

TRIP_DECAY = 0.966  # weight of a trip for each later one of the same user
GAP_HALF_LIFE_DAYS = 56.0


def trip_columns(trip: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Columns of a user from their shopping trips (user, session, at, items, later)."""
    age = moment.age_days(trip["at"])
    trips = trip.count()
    tenure = age.max()
    return {
        "trips": trips,
        "trips_28d": trip.count(where=moment.within(trip["at"], 28)),
        "trips_91d": trip.count(where=moment.within(trip["at"], 91)),
        "trips_decay_56": total(decayed(age, 56)),
        "days_since_last": age.min(),
        "tenure_days": tenure,
        "mean_trip_gap": ratio(tenure, trips),
        "basket_items_mean": ratio(trip["items"].sum(), trips),
    }


def spending_columns(line: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Columns of a user from their purchase lines (user, item, at, sign, units, paid, listed)."""
    recent = moment.within(line["at"], 91)
    return {
        "distinct_items": line["item"].nunique(where=line.sign > 0),
        "spend_per_line": ratio(line.paid.sum(), line.paid.count()) / 10_000,
        "discount_share_91d": ratio((line.listed - line.paid).sum(where=recent), line.listed.sum(where=recent)),
    }


def repeat_columns(line: ir.Table, moment: Moment) -> dict[str, ir.Value]:
    """Columns of a user's own history with an item or a group of items; ``later`` and ``gap`` as in ``repeats_at``."""
    age = moment.age_days(line["at"])
    bought = line.sign > 0
    gap_days = line.gap.cast("float64") / DAY_MICROSECONDS
    gap_weight = decayed(age, GAP_HALF_LIFE_DAYS)
    again = bought & line.gap.notnull()
    return {
        "trips": line.sign.sum(),
        "days_since_last": age.min(where=bought),
        "days_since_first": age.max(where=bought),
        "trips_since_last": line.later.min(where=bought),
        "decay_28": total(line.sign * decayed(age, 28)),
        "decay_56": total(line.sign * decayed(age, 56)),
        "decay_112": total(line.sign * decayed(age, 112)),
        "trip_decay": total(line.sign * ibis.literal(TRIP_DECAY) ** line.later),
        "gap": ratio(total(gap_weight * gap_days, where=again), total(gap_weight, where=again)),
        "units_mean": ratio(line.units.sum(), line.sign.sum()) / 1000,
    }


def browsing_columns(act: ir.Table, moment: Moment, kinds: tuple[str, ...]) -> dict[str, ir.Value]:
    """Columns of a user from the events that are not purchases, such as ``view_7d``."""
    return {f"{kind}_7d": act.count(where=(act.kind == kind) & moment.within(act["at"], 7)) for kind in kinds}


def seen_columns(act: ir.Table, moment: Moment, kinds: tuple[str, ...]) -> dict[str, ir.Value]:
    """Columns of a user's own browsing of an item: how often by kind of event, and how long ago."""
    age = moment.age_days(act["at"])
    counts = {f"{kind}_decay_7": total(decayed(age, 7), where=act.kind == kind) for kind in kinds}
    return {"days_since_last": age.min(), **counts}
