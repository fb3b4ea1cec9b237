"""What a run computes for each snapshot, expressed and compiled once, then run at many moments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from components.features.inputs.coded import Coded, coded, split_sessions, success_kinds
from components.features.inputs.lines import are_steady
from components.features.settings import Shape
from components.features.snapshots.snapshot import snapshot
from components.features.views.frame import frame_of
from components.features.views.item_view import item_view
from components.features.views.user_view import user_view
from components.features.views.view import View
from components.lake.engine import CleanTables


@dataclass(frozen=True)
class Plan:
    """Intermediate tables in the order in which they are stored, and the views over them."""

    shared: tuple[tuple[str, ir.Table], ...]
    views: tuple[View, ...]


def snapshot_plan(space: CleanTables, shape: Shape, days: Sequence[datetime] = ()) -> Plan:
    """Store the tables that all moments share, and express what each moment computes.

    With the ``days`` at which the plan will run, timelines are computed once for all of them where that is the same.
    """
    tables = coded(space.clean, shape)
    stored = {field.name: space.store(f"coded_{field.name}", getattr(tables, field.name)) for field in fields(Coded)}
    shared: list[tuple[str, ir.Table]] = []

    def keep(name: str, table: ir.Table) -> ir.Table:
        shared.append((name, table))
        return ibis.table(table.schema(), name=name)

    tables = replace(tables, **stored)
    returning = _holds(space, tables.acts.returning.any())
    acts = tables.acts.filter(tables.acts.kind.isin(success_kinds(shape)))
    steady = bool(days) and _holds(space, are_steady(split_sessions(acts, shape) if returning else acts, days))
    frame = frame_of(tables, shape, keep, space.store, steady, returning)
    return Plan(tuple(shared), (user_view(frame), item_view(frame)))


def _holds(space: CleanTables, condition: ir.BooleanScalar) -> bool:
    return bool(space.fetch(condition.name("holds").as_table())["holds"][0].as_py())


def run_plan(plan: Plan, space: CleanTables, at: datetime) -> Iterator[tuple[View, pa.Table]]:
    """Compute every view at a moment; several moments may run at once, each in a thread of its own."""
    with space.at(at) as here:
        for name, table in plan.shared:
            here.store(name, table)
        for view in plan.views:
            yield view, snapshot(view, at, here.fetch)
