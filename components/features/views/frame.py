"""What every view builds on at one moment: events, purchase lines, trips, the catalogue, as they were known then."""

from collections.abc import Callable
from dataclasses import dataclass

import ibis.expr.types as ir

from components.features.inputs.catalogue import attributes_at, catalogue_at
from components.features.inputs.coded import Coded, known_acts, split_sessions
from components.features.inputs.lines import before, lines_of, repeats_before, repeats_of, repeats_of_groups, trips_of
from components.features.inputs.moment import Moment
from components.features.settings import Shape
from components.features.views.user_features import item_repeat_columns, repeat_columns

GROUPS = ("category", "branded_category")  # groups of items whose history is kept beside the items' own
Keep = Callable[[str, ir.Table], ir.Table]  # stores an intermediate table under a name, or just returns it


def as_expression(name: str, table: ir.Table) -> ir.Table:
    """Keep an intermediate table as the expression it is."""
    return table


@dataclass(frozen=True)
class Frame:
    """The tables of one moment."""

    moment: Moment
    shape: Shape
    users: ir.Table  # user, user_id
    items: ir.Table  # item, item_id, item_code
    lines: ir.Table  # see ``lines_of``
    trips: ir.Table  # see ``trips_of``
    repeats: ir.Table  # see ``repeats_before``
    group_repeats: dict[str, ir.Table]  # the same of groups of items, by the name of the group
    history: ir.Table  # a user's own history with each item: user, item and the columns of ``history_columns``
    browsing: ir.Table  # events that are not purchases
    catalogue: ir.Table  # see ``catalogue_at``
    attributes: ir.Table  # see ``attributes_at``
    promotions: ir.Table  # item, starts, ends, reach


def frame_of(
    tables: Coded,
    shape: Shape,
    keep: Keep = as_expression,
    once: Keep = as_expression,
    steady: bool = False,
    returning: bool = True,
) -> Frame:
    """Express the tables of any moment.

    ``keep`` may store what several columns share, at each moment; ``once`` what is the same at all moments: an undated
    catalogue, and timelines when the acts are ``steady`` (see ``are_steady``). Without ``returning`` session ids each
    is one session.
    """
    moment = Moment()
    catalogue = (keep if shape.dated_catalogue else once)("catalogue", catalogue_at(tables, moment, shape))
    known = known_acts(tables.acts, moment)
    timelines = once if steady else keep
    acts = tables.acts if steady else known
    all_lines = timelines("all_lines", lines_of(split_sessions(acts, shape) if returning else acts, shape))
    all_trips = timelines("all_trips", trips_of(all_lines))
    all_repeats = timelines("all_repeats", repeats_of(all_lines, all_trips))
    trips = keep("trips", before(all_trips, moment))
    repeats = keep("repeats", repeats_before(all_repeats, trips, moment))
    grouped = once if steady and not shape.dated_catalogue else keep
    all_groups = {group: grouped(f"all_{group}", repeats_of_groups(all_repeats, catalogue, group)) for group in GROUPS}
    return Frame(
        moment=moment,
        shape=shape,
        users=tables.users,
        items=tables.items,
        lines=keep("lines", before(all_lines, moment)),
        trips=trips,
        repeats=repeats,
        group_repeats={name: repeats_before(group, trips, moment) for name, group in all_groups.items()},
        history=keep("history", history_at(repeats, moment)),
        browsing=keep("browsing", known.filter(known.kind.isin(shape.browsing or ("view",)))),
        catalogue=catalogue,
        attributes=attributes_at(tables, moment, shape),
        promotions=tables.promotions,
    )


def history_at(repeats: ir.Table, moment: Moment) -> ir.Table:
    """Each user's own history with each item that they bought and did not take back."""
    columns = repeat_columns(repeats, moment) | item_repeat_columns(repeats, moment)
    history = repeats.group_by("user", "item").agg(**columns)
    return history.filter(history.trips > 0)
