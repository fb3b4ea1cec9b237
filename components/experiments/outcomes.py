"""The outcomes of shown lists: clicks and purchases of their items within a horizon.

An event that names the request it answers counts for that list alone. One that names none counts for every list that
showed its user the item, as in the click-through join that examples are made by. Where a page acknowledged what it
displayed (``shown`` events), only items that some event of that request names were displayed.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.contracts.moments import MICROSECOND

Integers = NDArray[np.integer[Any]]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Hits:
    """Events that answered an item of a list, [hits]: the list's row, the item's place in it (from 1), microseconds."""

    row: Integers
    position: Integers
    wait: Integers
    clicked: Flags
    bought: Flags


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of each list, [lists]; ``first_click`` is the position that was clicked first, 0 for none."""

    clicked: Flags
    bought: Flags
    first_click: Integers

    @property
    def reciprocal_rank(self) -> NDArray[np.float64]:
        """1 over the position that was clicked first; 0 where nothing was."""
        return np.divide(1.0, self.first_click, out=np.zeros(len(self.first_click)), where=self.first_click > 0)


@dataclass(frozen=True)
class _Places:
    """Every item of every list, [places], in the lists' order."""

    row: Integers
    position: Integers
    item: Integers


def find_hits(lists: pa.Table, events: pa.Table, horizon: timedelta) -> Hits:
    """Find the clicks and purchases that followed lists.

    ``lists`` has request_id (once each), event_time, user_id and item_ids, as ``SERVED``; ``events`` has the columns of
    ``SERVED_EVENTS``. An event counts in [time of the list, time + horizon).
    """
    places, event_item, items = _coded_places(lists, events)
    user, event_user = _codes(lists["user_id"], events["user_id"])
    request = _row_of(events["request_id"], lists["request_id"])
    named = np.flatnonzero((request >= 0) & (event_item >= 0))
    by_list = _matches(places.row * items + places.item, request[named] * items + event_item[named])
    nameless = np.flatnonzero(events["request_id"].is_null().to_numpy() & (event_item >= 0) & (event_user >= 0))
    by_user = _matches(user[places.row] * items + places.item, event_user[nameless] * items + event_item[nameless])
    place = np.concatenate([by_list[0], by_user[0]])
    event = np.concatenate([named[by_list[1]], nameless[by_user[1]]])
    shown = _displayed(places, by_list[0], request[_is(events, "shown") & (request >= 0)], len(lists))
    wait = _microseconds(events)[event] - _microseconds(lists)[places.row[place]]
    clicked, bought = _is(events, "click")[event], (_is(events, "purchase") & _has_quantity(events))[event]
    kept = shown[place] & (wait >= 0) & (wait < horizon // MICROSECOND) & (clicked | bought)
    at = place[kept]
    return Hits(places.row[at], places.position[at], wait[kept], clicked[kept], bought[kept])


def outcomes_of(hits: Hits, lists: int) -> Outcomes:
    """Tell of each list what followed it."""
    clicks = np.flatnonzero(hits.clicked)
    order = clicks[np.lexsort((hits.position[clicks], hits.wait[clicks]))][::-1]  # the first is written last
    first = np.zeros(lists, dtype=np.int64)
    first[hits.row[order]] = hits.position[order]
    bought = np.zeros(lists, dtype=bool)
    bought[hits.row[hits.bought]] = True
    return Outcomes(first > 0, bought, first)


def _coded_places(lists: pa.Table, events: pa.Table) -> tuple[_Places, Integers, int]:
    """Return the places, the code of each event's item, and the number of codes."""
    length = pc.fill_null(pc.list_value_length(lists["item_ids"]), 0).to_numpy()
    item, event_item = _codes(pc.list_flatten(lists["item_ids"]), events["item_id"])
    row = np.repeat(np.arange(len(lists)), length)
    position = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length) + 1
    items = int(max(item.max(initial=-1), event_item.max(initial=-1))) + 1
    return _Places(row, position, item), event_item, items


def _codes(one: pa.ChunkedArray, other: pa.ChunkedArray) -> tuple[Integers, Integers]:
    """Number the distinct texts of two columns together; -1 for none."""
    joined = pa.chunked_array([*one.chunks, *other.chunks], pa.string()).combine_chunks()
    codes = pc.fill_null(joined.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes[: len(one)], codes[len(one) :]


def _row_of(names: pa.ChunkedArray, known: pa.ChunkedArray) -> Integers:
    """Row of each name among the known; -1 for no name or a strange one."""
    positions = pc.index_in(names, value_set=known.combine_chunks(), skip_nulls=True)
    return pc.fill_null(positions, -1).to_numpy().astype(np.int64)


def _matches(places: Integers, events: Integers) -> tuple[Integers, Integers]:
    """Index pairs (place, event) with equal keys."""
    order = np.argsort(places, kind="stable")
    first, last = (np.searchsorted(places[order], events, side) for side in ("left", "right"))
    count = last - first
    event = np.repeat(np.arange(len(events)), count)
    place = np.repeat(first, count) + np.arange(len(event)) - np.repeat(np.cumsum(count) - count, count)
    return order[place], event


def _displayed(places: _Places, named: Integers, acknowledged: Integers, lists: int) -> Flags:
    """Return the positions that were seen: all of a list without `shown` events, else those that the events name."""
    silent = np.ones(lists, dtype=bool)
    silent[acknowledged] = False
    seen = silent[places.row]
    seen[named] = True
    return seen


def _is(events: pa.Table, kind: str) -> Flags:
    return pc.equal(events["event_type"], kind).to_numpy()


def _has_quantity(events: pa.Table) -> Flags:
    """Return which events are of a quantity above zero; without one it counts as 1."""
    return pc.greater(pc.fill_null(events["quantity"], 1.0), 0.0).to_numpy()


def _microseconds(table: pa.Table) -> Integers:
    return table["event_time"].cast(pa.int64()).to_numpy()
