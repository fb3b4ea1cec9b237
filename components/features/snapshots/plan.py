"""What a run computes for each snapshot, expressed and compiled once, then run at many moments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from components.features.inputs.encoded import EncodedTables, encode_tables, line_event_types, split_sessions
from components.features.inputs.lines import see_whole_sessions
from components.features.settings import FeatureSettings
from components.features.snapshots.snapshot import snapshot
from components.features.views.item_view import item_view
from components.features.views.snapshot_inputs import snapshot_inputs
from components.features.views.user_view import user_view
from components.features.views.view import View
from components.lake.workspace import CleanTables


@dataclass(frozen=True)
class SnapshotPlan:
    """Intermediate tables in the order in which they are stored at each moment, and the views over them."""

    intermediate: tuple[tuple[str, ir.Table], ...]
    views: tuple[View, ...]


def snapshot_plan(space: CleanTables, settings: FeatureSettings, days: Sequence[datetime] = ()) -> SnapshotPlan:
    """Store the tables that all moments share, and express what each moment computes.

    With the ``days`` at which the plan will run, timelines are computed once for all days where they are the same.
    """
    expressed = encode_tables(space.clean, settings)
    names = [field.name for field in fields(EncodedTables)]
    tables = replace(expressed, **{name: space.store(f"encoded_{name}", getattr(expressed, name)) for name in names})
    intermediate: list[tuple[str, ir.Table]] = []

    def store(name: str, table: ir.Table) -> ir.Table:
        intermediate.append((name, table))
        return ibis.table(table.schema(), name=name)

    reused_ids = _fetch_bool(space, tables.interactions.reused_id.any())
    purchases = tables.interactions.filter(tables.interactions.kind.isin(line_event_types(settings)))
    sessions = split_sessions(purchases, settings) if reused_ids else purchases
    shared_timelines = bool(days) and _fetch_bool(space, see_whole_sessions(sessions, days))
    inputs = snapshot_inputs(tables, settings, store, space.store, shared_timelines, reused_ids)
    return SnapshotPlan(tuple(intermediate), (user_view(inputs), item_view(inputs)))


def _fetch_bool(space: CleanTables, condition: ir.BooleanScalar) -> bool:
    return bool(space.fetch(condition.name("holds").as_table())["holds"][0].as_py())


def run_plan(plan: SnapshotPlan, space: CleanTables, at: datetime) -> Iterator[tuple[View, pa.Table]]:
    """Compute every view at a moment; several moments may run at once, each in a thread of its own."""
    with space.at(at) as tables:
        for name, table in plan.intermediate:
            tables.store(name, table)
        for view in plan.views:
            yield view, snapshot(view, at, tables.fetch)
