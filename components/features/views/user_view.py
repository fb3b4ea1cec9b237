"""The view ``user_features``: a user's scalars, and their history as arrays."""

import ibis.expr.types as ir

from components.features.views.snapshot_inputs import SnapshotInputs
from components.features.views.user_features import (
    browsed_item_columns,
    browsing_columns,
    history_columns,
    line_columns,
    trip_columns,
)
from components.features.views.view import ListColumns, View, aggregate, latest_time, left_join_all


def user_view(inputs: SnapshotInputs) -> View:
    """Assemble the user view: one row for each user with any event."""
    sequences = inputs.sequences
    lines = line_columns(sequences, inputs.moment)
    parts = [
        aggregate(inputs.trips, ("user",), trip_columns(inputs.trips, inputs.moment)),
        aggregate(sequences, ("user",), lines | {"bought_known": sequences.known.max()}),
    ]
    lists = [_item_history(inputs), *_group_histories(inputs)]
    known = ["bought_known"]
    if inputs.settings.browsing:
        browsed = inputs.browsing.filter(inputs.browsing.user.notnull())
        columns = browsing_columns(browsed, inputs.moment, inputs.settings.browsing)
        parts.append(aggregate(browsed, ("user",), columns | {"seen_known": browsed.known.max()}))
        lists.append(_browsed_items(inputs, browsed))
        known.append("seen_known")
    scalars = left_join_all(inputs.users, parts, "user")
    if inputs.settings.user_attributes:
        scalars = left_join_all(scalars, [inputs.attributes], "user_id")
    scalars = scalars.mutate(known=latest_time(*(scalars[name] for name in known))).drop(*known)
    return View(
        "user_features", "user_id", "user", scalars.filter(scalars.known.notnull()).order_by("user"), tuple(lists)
    )


def _item_history(inputs: SnapshotInputs) -> ListColumns:
    return _list_columns("history", _with_item_code(inputs.history, inputs), "item", inputs)


def _group_histories(inputs: SnapshotInputs) -> list[ListColumns]:
    lists = []
    for group, sequences in inputs.group_sequences.items():
        rows = aggregate(sequences, ("user", "group"), history_columns(sequences, inputs.moment))
        bought = rows.filter(rows.trips > 0)
        lists.append(_list_columns(group, bought.mutate(code=bought["group"]), "group", inputs))
    return lists


def _browsed_items(inputs: SnapshotInputs, browsed: ir.Table) -> ListColumns:
    rows = aggregate(browsed, ("user", "item"), browsed_item_columns(browsed, inputs.moment, inputs.settings.browsing))
    return _list_columns("seen", _with_item_code(rows, inputs), "item", inputs)


def _with_item_code(rows: ir.Table, inputs: SnapshotInputs) -> ir.Table:
    """Add the stored code of each item, as ``code``."""
    return rows.inner_join(inputs.items.select("item", code="item_code"), "item")


def _list_columns(name: str, rows: ir.Table, order: str, inputs: SnapshotInputs) -> ListColumns:
    """Name the columns of a list as they are stored (``history_trips``, ``history_item``, ...), the newest kept."""
    columns = [column for column in rows.columns if column not in ("user", order, "code")]
    code = f"{name}_{'item' if order == 'item' else 'code'}"
    stored = {code: rows.code, **{f"{name}_{column}": rows[column].cast("float32") for column in columns}}
    recency = rows.days_since_last  # in full precision: float32 would make ties of near times
    table = rows.select("user", order, recency=recency, **stored)
    return ListColumns(table, order, tuple(stored), "recency", inputs.settings.max_history)
