"""What every view builds on at one moment: events, purchase lines, trips, the catalogue, as they were known then."""

from collections.abc import Callable
from dataclasses import dataclass

import ibis.expr.types as ir

from components.features.catalogue import attributes_at, catalogue_at
from components.features.coded import Coded, known_acts
from components.features.lines import lines_at, repeats_at, trips_at
from components.features.moment import Moment
from components.features.shape import Shape
from components.features.user_features import item_repeat_columns, repeat_columns

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
    lines: ir.Table  # see ``lines_at``
    trips: ir.Table  # see ``trips_at``
    repeats: ir.Table  # see ``repeats_at``
    history: ir.Table  # a user's own history with each item: user, item and the columns of ``history_columns``
    browsing: ir.Table  # events that are not purchases
    catalogue: ir.Table  # see ``catalogue_at``
    attributes: ir.Table  # see ``attributes_at``
    promotions: ir.Table  # item, starts, ends, reach


def frame_of(tables: Coded, shape: Shape, keep: Keep = as_expression, once: Keep = as_expression) -> Frame:
    """Express the tables of any moment.

    ``keep`` may store what several columns share, at each moment; ``once`` what is the same at all moments.
    """
    moment = Moment()
    lines = keep("lines", lines_at(tables.acts, moment, shape))
    trips = keep("trips", trips_at(lines))
    repeats = keep("repeats", repeats_at(lines, trips))
    acts = known_acts(tables.acts, moment)
    return Frame(
        moment=moment,
        shape=shape,
        users=tables.users,
        items=tables.items,
        lines=lines,
        trips=trips,
        repeats=repeats,
        history=keep("history", history_at(repeats, moment)),
        browsing=keep("browsing", acts.filter(acts.kind.isin(shape.browsing or ("view",)))),
        catalogue=(keep if shape.dated_catalogue else once)("catalogue", catalogue_at(tables, moment, shape)),
        attributes=attributes_at(tables, moment, shape),
        promotions=tables.promotions.inner_join(tables.items.select("item", "item_id"), "item_id"),
    )


def history_at(repeats: ir.Table, moment: Moment) -> ir.Table:
    """Each user's own history with each item that they bought and did not take back."""
    columns = repeat_columns(repeats, moment) | item_repeat_columns(repeats, moment)
    history = repeats.group_by("user", "item").agg(**columns)
    return history.filter(history.trips > 0)
