"""The shop's purchases as evidence, and the merchandise sold, against which coverage is measured.

A rule without purchases is not promoted, not even in a new shop.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from components.contracts.verdict import Check
from components.features.inputs.moment import utc
from components.features.inputs.positive_events import merchandise_only, positive_events
from components.features.settings import feature_settings
from components.features.snapshots.calendar import calendar
from components.features.snapshots.workspace import clean_workspace
from components.home.storage.locations import Location
from components.shop.settings import Shop

FEWEST_CUSTOMERS = 2  # a shop with one is a column that is the same in every row
BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)  # of any shop's history


@dataclass(frozen=True)
class Purchases:
    """Events known at the as-of, by type; and successes: all, those of a user, those of these that are merchandise.

    ``customers`` counts the users of the last ones, ``lately`` those since the held-out weeks began; ``newest`` is the
    time of the newest one.
    """

    events: dict[str, int]
    successes: int
    of_users: int
    merchandise: int
    customers: int
    lately: int
    newest: datetime | None


def count_purchases(shop: Shop, clean: Location, versions: Mapping[str, int], as_of: datetime) -> Purchases:
    """Count what the clean Delta tables in the folder ``clean`` hold, at the ``versions`` of the examples."""
    settings, start = feature_settings(shop), calendar(shop, as_of).heldout[0]
    with clean_workspace(clean, versions) as space:
        events = space.clean["events"]
        known = events.filter(events.event_time < utc(as_of), events.available_at <= utc(as_of))
        types = space.fetch(known.group_by("event_type").aggregate(rows=known.count()).order_by("event_type"))
        bought = positive_events(known, BEGINNING, as_of, as_of, settings)
        sold = merchandise_only(bought.filter(bought.user_id.notnull()), space.clean["items"], as_of, settings)
        every = space.fetch(bought.aggregate(all=bought.count(), users=bought.user_id.count())).to_pylist()[0]
        since = sold.event_time >= utc(start)
        counts = {"all": sold.count(), "customers": sold.user_id.nunique(), "lately": sold.count(where=since)}
        own = space.fetch(sold.aggregate(**counts, newest=sold.event_time.max())).to_pylist()[0]
    rows = dict(zip(types["event_type"].to_pylist(), types["rows"].to_pylist(), strict=True))
    return Purchases(rows, every["all"], every["users"], own["all"], own["customers"], own["lately"], own["newest"])


def check_purchases(purchases: Purchases, shop: Shop, as_of: datetime) -> Check:
    """Check that customers bought merchandise, in the held-out weeks too: the gate judges by nothing else."""
    fault = _fault_of(purchases, shop, as_of)
    reason = (
        f"{purchases.customers:,} customers bought merchandise {purchases.merchandise:,} times, "
        f"{purchases.lately:,} times in the held-out weeks"
    )
    return Check("purchases", fault is None, fault or reason)


def _fault_of(purchases: Purchases, shop: Shop, as_of: datetime) -> str | None:
    events, wanted = sum(purchases.events.values()), " or ".join(shop.success)
    if not purchases.successes:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in purchases.events.items()) or "none at all"
        return (
            f"none of {events:,} events is a success ({wanted}, of a quantity above 0): found {kinds}; name in"
            " `success` of the shop file what counts, or add a source of it"
        )
    if not purchases.of_users:
        return (
            f"none of {purchases.successes:,} successes ({wanted}) says whose it is: expected a user in some; look at"
            " `columns.user` of the sources in the shop file and at the cells it names"
        )
    if not purchases.merchandise:
        return (
            f"none of {purchases.of_users:,} successes of known users is of merchandise: look at rules.not_merchandise "
            "and at what the catalogue marks as no merchandise"
        )
    if purchases.customers < FEWEST_CUSTOMERS:
        return (
            f"all {purchases.merchandise:,} purchases are of one and the same user, expected several: look at"
            " `columns.user` of the sources in the shop file"
        )
    if not purchases.lately:
        start, end, newest = (
            f"{moment.astimezone(shop.zone):%Y-%m-%d}" if moment else "no day"
            for moment in (calendar(shop, as_of).heldout[0], as_of, purchases.newest)
        )
        return (
            f"nobody bought anything in the held-out weeks, {start} to {end}; the newest of {purchases.merchandise:,}"
            f" purchases is of {newest}"
        )
    return None


def sold_merchandise(shop: Shop, clean: Location, versions: Mapping[str, int], as_of: datetime) -> pa.Array:
    """Return ids of the merchandise sold in training and validation weeks, as known when the held-out weeks begin.

    ``clean`` is the folder of the clean Delta tables and ``versions`` what the examples were built from.
    """
    start, end = calendar(shop, as_of).learned
    settings = feature_settings(shop)
    with clean_workspace(clean, versions) as space:
        sold = positive_events(space.clean["events"], start, end, end, settings).select("item_id").distinct()
        return space.fetch(merchandise_only(sold, space.clean["items"], end, settings))["item_id"].combine_chunks()
