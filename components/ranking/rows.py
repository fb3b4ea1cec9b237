"""User rows and item rows as columns: the one form in which training, batch and serving hand features to ranking.

Item *codes* are the stored integers, append-only over a home's life. Item *positions* are indices into ``ItemRows``,
which is sorted by item id: everything downstream orders and breaks ties by position, so that two homes which met their
items in a different order rank alike to the last bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]  # float32 wherever it is stored
Positions = NDArray[np.int32]
MISSING_POSITION = -1
Found = TypeVar("Found")
ITEM_GROUPS = ("history", "seen")  # a user's arrays with an entry an item: what they bought, what they looked at


@dataclass  # frozen ones take four times as long to make, and a user has dozens
class Ragged:
    """Arrays of several lengths, end to end: row ``i`` is ``values[offsets[i]:offsets[i + 1]]``. Nobody changes one."""

    offsets: NDArray[np.int64]
    values: NDArray[Any]

    @cached_property
    def row(self) -> NDArray[np.int32]:
        """Return the row that each value belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), np.diff(self.offsets))


@dataclass(frozen=True)
class ItemRows:
    """The items known at one moment, sorted by item id.

    ``columns`` are float32 [items] with NaN for missing; ``arrays`` are lists per item, such as its neighbours.
    """

    item_ids: NDArray[np.object_]
    codes: NDArray[np.int32]
    columns: dict[str, Floats]
    arrays: dict[str, Ragged]

    def __len__(self) -> int:
        return len(self.codes)

    def columns_of(self, positions: Positions) -> dict[str, Floats]:
        """Look up all columns of some items: as fast as a few, for an item's values lie side by side."""
        return dict(zip(self.columns, np.ascontiguousarray(self._matrix.take(positions, axis=0).T), strict=True))

    @cached_property
    def _matrix(self) -> Floats:
        return np.column_stack(list(self.columns.values()))

    @cached_property
    def most_bought_lately(self) -> np.floating[Any]:
        """Return the highest decayed count of purchases, at least 1."""
        return np.fmax.reduce(self.columns["purchases_decay_7"], initial=1.0)

    @cached_property
    def neighbours(self) -> tuple[Ragged, Floats]:
        """Positions of each item's neighbours among these items, and how alike they are: float32 [neighbours]."""
        held = self.arrays["neighbour_item"]
        positions = self.positions(held.values)
        known = positions != MISSING_POSITION
        lengths = np.bincount(held.row[known], minlength=len(self))
        similarity = self.arrays["neighbour_similarity"].values[known].astype(np.float32)
        return Ragged(np.concatenate([[0], lengths.cumsum()]), positions[known]), similarity

    @cached_property
    def _position_of_code(self) -> Positions:
        """Positions by code + 1, between two entries for all codes that are too small or too large."""
        table = np.full(int(self.codes.max(initial=-1)) + 3, MISSING_POSITION, dtype=np.int32)
        table[self.codes + 1] = np.arange(len(self.codes), dtype=np.int32)
        return table

    def positions(self, codes: NDArray[np.integer[Any]]) -> Positions:
        """Positions of item codes; -1 for a code that has no row."""
        return self._position_of_code.take(codes + 1, mode="clip")


@dataclass(frozen=True)
class UserRows:
    """The users of some requests, in the caller's order.

    ``columns`` are float32 [users]; ``arrays`` hold the users' own history. Arrays whose name starts with the same
    word (``history_…``) are aligned; ``history_item`` and ``seen_item`` hold positions, ascending within a user.
    """

    user_ids: NDArray[np.object_]
    columns: dict[str, Floats]
    arrays: dict[str, Ragged]

    def __len__(self) -> int:
        return len(self.user_ids)

    def group(self, group: str) -> dict[str, NDArray[Any]]:
        """Return values of the aligned arrays ``{group}_…`` by the rest of their names."""
        return {rest: self.arrays[name].values for name, rest in _named_after(group, tuple(self.arrays))}

    def once(self, found: Callable[["UserRows", ItemRows], Found], items: ItemRows) -> Found:
        """Find something of these users among the items, or hand it out again."""
        if found not in self._found or self._found[found][0] is not items:
            self._found[found] = items, found(self, items)
        return cast(Found, self._found[found][1])

    @cached_property
    def _found(self) -> dict[Callable[["UserRows", ItemRows], Any], tuple[ItemRows, Any]]:
        return {}


@lru_cache
def _named_after(group: str, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the names that begin with the group's, each with the rest of it."""
    return [(name, name.removeprefix(f"{group}_")) for name in names if name.startswith(f"{group}_")]


def item_rows(table: pa.Table) -> ItemRows:
    """Turn rows of the item view (one a known item) into columns sorted by item id."""
    table = table.take(pc.sort_indices(table["item_id"]))
    codes = table["item_code"].to_numpy().astype(np.int32)
    numeric, lists = _split_columns(table, skip=("item_id", "item_code"))
    return ItemRows(table["item_id"].to_numpy(zero_copy_only=False), codes, numeric, lists)


def user_rows(table: pa.Table, items: ItemRows) -> UserRows:
    """Turn rows of the user view into columns; histories as ``users_of``."""
    numeric, lists = _split_columns(table, skip=("user_id",))
    return users_of(table["user_id"].to_numpy(zero_copy_only=False), numeric, lists, items)


def users_of(
    user_ids: NDArray[np.object_], columns: dict[str, Floats], arrays: dict[str, Ragged], items: ItemRows
) -> UserRows:
    """Take columns and stored arrays of users; histories lose items that have no row and are sorted by position."""
    for group in (group for group in ITEM_GROUPS if f"{group}_item" in arrays):
        arrays = arrays | _by_position(group, arrays, items)
    return UserRows(user_ids, columns, arrays)


def _split_columns(table: pa.Table, skip: Sequence[str]) -> tuple[dict[str, Floats], dict[str, Ragged]]:
    numeric: dict[str, Floats] = {}
    lists: dict[str, Ragged] = {}
    for name in table.column_names:
        kind = table.schema.field(name).type
        if name in skip or pa.types.is_timestamp(kind) or pa.types.is_string(kind):
            continue
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            lists[name] = _ragged(table[name])
        else:
            numeric[name] = pc.cast(table[name], pa.float32()).to_numpy(zero_copy_only=False).astype(np.float32)
    return numeric, lists


def _ragged(column: pa.ChunkedArray) -> Ragged:
    array = column.combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(array) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return Ragged(offsets, pc.list_flatten(array).to_numpy(zero_copy_only=False))


def _by_position(group: str, lists: dict[str, Ragged], items: ItemRows) -> dict[str, Ragged]:
    """Replace codes by positions in a group's arrays, drop items that have no row, sort each user's by position."""
    held = lists[f"{group}_item"]
    positions = items.positions(held.values)
    keys = held.row.astype(np.int64) * len(items) + positions
    is_known = positions != MISSING_POSITION
    if is_known.all() and (keys[1:] > keys[:-1]).all():  # as snapshots write them
        return {f"{group}_item": Ragged(held.offsets, positions)}
    known = np.flatnonzero(is_known)
    order = known[keys[known].argsort(kind="stable")]
    offsets = np.zeros(len(held.offsets), dtype=np.int64)
    np.cumsum(np.bincount(held.row[order], minlength=len(held.offsets) - 1), out=offsets[1:])
    aligned = {name: Ragged(offsets, lists[name].values[order]) for name, _ in _named_after(group, tuple(lists))}
    return aligned | {f"{group}_item": Ragged(offsets, positions[order])}
