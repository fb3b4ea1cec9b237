"""The tables that every view builds on at one moment: purchase lines, trips, the catalogue, as they were known then."""

from collections.abc import Callable
from dataclasses import dataclass

import ibis.expr.types as ir

from components.features.inputs.catalogue import attributes_at, catalogue_at
from components.features.inputs.encoded import EncodedTables, known_interactions, split_sessions
from components.features.inputs.lines import (
    group_sequences,
    item_sequences,
    purchase_lines,
    rows_before,
    sequences_before,
    shopping_trips,
)
from components.features.inputs.moment import Moment
from components.features.settings import FeatureSettings
from components.features.views.user_features import history_columns, item_history_columns

GROUPS = ("category", "branded_category")  # groups of items that users have a history with, beside the items' own
Store = Callable[[str, ir.Table], ir.Table]  # stores an intermediate table under a name, or returns it unchanged


def no_store(name: str, table: ir.Table) -> ir.Table:
    """Return an intermediate table as the expression that it is."""
    return table


@dataclass(frozen=True)
class SnapshotInputs:
    """The tables of one moment."""

    moment: Moment
    settings: FeatureSettings
    users: ir.Table  # user, user_id
    items: ir.Table  # item, item_id, item_code
    lines: ir.Table  # see ``purchase_lines``
    trips: ir.Table  # see ``shopping_trips``
    sequences: ir.Table  # see ``sequences_before``
    group_sequences: dict[str, ir.Table]  # the same for groups of items, by the name of the group
    history: ir.Table  # user, item, and the columns of a user's history with an item
    browsing: ir.Table  # events that are not purchases
    catalogue: ir.Table  # see ``catalogue_at``
    attributes: ir.Table  # see ``attributes_at``
    promotions: ir.Table  # item, starts, ends, reach


def snapshot_inputs(
    tables: EncodedTables,
    settings: FeatureSettings,
    store: Store = no_store,
    store_once: Store = no_store,
    shared_timelines: bool = False,
    reused_ids: bool = True,
) -> SnapshotInputs:
    """Express the tables of any moment.

    Args:
        store: stores what several columns share, at each moment.
        store_once: stores what is the same at all moments: a catalogue without dates, and shared timelines.
        shared_timelines: timelines of all events serve every moment (see ``see_whole_sessions``).
        reused_ids: some session ids hold several sessions.
    """
    moment = Moment()
    catalogue = (store if settings.dated_catalogue else store_once)("catalogue", catalogue_at(tables, moment, settings))
    known = known_interactions(tables.interactions, moment)
    store_timeline = store_once if shared_timelines else store
    interactions = tables.interactions if shared_timelines else known
    sessions = split_sessions(interactions, settings) if reused_ids else interactions
    all_lines = store_timeline("all_lines", purchase_lines(sessions, settings))
    all_trips = store_timeline("all_trips", shopping_trips(all_lines))
    all_sequences = store_timeline("all_sequences", item_sequences(all_lines, all_trips))
    trips = store("trips", rows_before(all_trips, moment))
    sequences = store("sequences", sequences_before(all_sequences, trips, moment))
    store_group = store_once if shared_timelines and not settings.dated_catalogue else store
    groups = {group: store_group(f"all_{group}", group_sequences(all_sequences, catalogue, group)) for group in GROUPS}
    return SnapshotInputs(
        moment=moment,
        settings=settings,
        users=tables.users,
        items=tables.items,
        lines=store("lines", rows_before(all_lines, moment)),
        trips=trips,
        sequences=sequences,
        group_sequences={group: sequences_before(lines, trips, moment) for group, lines in groups.items()},
        history=store("history", history_at(sequences, moment)),
        browsing=store("browsing", known.filter(known.kind.isin(settings.browsing or ("view",)))),
        catalogue=catalogue,
        attributes=attributes_at(tables, moment, settings),
        promotions=tables.promotions,
    )


def history_at(sequences: ir.Table, moment: Moment) -> ir.Table:
    """Return each user's history with each item of which they bought more than they returned."""
    columns = history_columns(sequences, moment) | item_history_columns(sequences, moment)
    history = sequences.group_by("user", "item").agg(**columns)
    return history.filter(history.trips > 0)
