"""Timelines computed once for all days equal those computed for each day, and are used only where that is so."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.features.inputs.encoded import encode_tables
from components.features.inputs.lines import see_whole_sessions
from components.features.snapshots.plan import run_plan, snapshot_plan
from tests.components.features.frames import PLAIN, clean_tables, event, on, workspace

pytestmark = pytest.mark.slow(seconds=30)

DAYS = (20, 40, 60)
SHAPE = replace(PLAIN, category_levels=1, dated_catalogue=False)
ITEMS = [{"item_id": name, "category": [kind], "brand": "x"} for name, kind in (("tea", "hot"), ("milk", "cold"))]
EVENTS = st.lists(
    st.builds(
        event,
        day=st.floats(0, 70, width=32),
        user=st.sampled_from(["ann", "bob", None]),
        item=st.sampled_from(["tea", "milk", "bread"]),
        kind=st.sampled_from(["purchase", "purchase", "purchase", "return"]),
        quantity=st.sampled_from([1.0, 2.0]),
    ),
    min_size=1,
    max_size=25,
)


def sees_whole_sessions(events: list[dict[str, object]]) -> bool:
    with workspace(clean_tables(events)) as space:
        interactions = encode_tables(space.clean, PLAIN).interactions
        table = see_whole_sessions(interactions, [on(day) for day in DAYS]).name("whole").as_table()
        return bool(space.fetch(table)["whole"][0].as_py())


def at_each_day(tables: dict[str, pa.Table], planned: Sequence[int] = ()) -> dict[int, dict[str, pa.Table]]:
    """Run a plan at each day, which knows some of them when it is made."""
    with workspace(tables) as space:
        plan = snapshot_plan(space, SHAPE, [on(day) for day in planned])
        return {day: {view.name: rows for view, rows in run_plan(plan, space, on(day))} for day in DAYS}


@settings(max_examples=6)
@given(EVENTS)
def test_a_plan_for_many_days_equals_a_plan_that_knows_none_of_them(events):
    tables = clean_tables(events, ITEMS)
    assert at_each_day(tables, DAYS) == at_each_day(tables)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event(10, "ann", "tea"), event(30, "ann", "tea")], True),
        ([event(10, "ann", "tea", known=25)], False),  # became known after a day that it happened before
        (
            [event(19.9, "ann", "tea", session_id="s"), event(20.1, "ann", "milk", session_id="s")],
            False,
        ),  # a session cut in two
        ([event(20, "ann", "tea")], True),  # on the day itself: after it
    ],
)
def test_days_see_whole_sessions_if_none_is_cut_and_no_event_was_late(events, expected):
    assert sees_whole_sessions(events) is expected
