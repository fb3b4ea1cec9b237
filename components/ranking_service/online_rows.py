"""Rows of the packed store in the form that ranking takes: equal to the bit to those of the snapshot they came from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.contracts.errors import StoreError
from components.ranking.rows import Floats, ItemRows, Ragged, UserRows, users_of
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.layout import PackedSchema
from feature_repo.packed_online_store.rows import PackedRows

ITEM_CODE = "item_code"
ITEMS_AT_ONCE = 10_000  # bounds what a refresh holds beside the columns it makes


@dataclass(frozen=True)
class KnownUsers:
    """Users as they stand online; ``found`` [users] is False where the store has no row, or only an expired one."""

    rows: UserRows
    found: NDArray[np.bool_]


class OnlineRows:
    """Reads the rows of one project at one revision of its features; any thread may read.

    Reading raises StoreError when the store cannot be reached, or holds rows of other features.
    """

    def __init__(self, client: PackedClient) -> None:
        """Look the views up.

        Raises:
            StoreError: the store cannot be reached, or no rows of these features were ever written.
        """
        self._client = client
        self._users, self._items = client.view("user_features"), client.view("item_features")

    def items(self) -> ItemRows:
        """Read every item that has a row, sorted by id; at least one must have."""
        ids = self._client.entities(self._items.name)
        parts = [
            self._client.read(self._items, ids[at : at + ITEMS_AT_ONCE]) for at in range(0, len(ids), ITEMS_AT_ONCE)
        ]
        found = np.concatenate([np.zeros(0, dtype=bool), *(part.found for part in parts)])
        if not found.any():
            raise StoreError(
                f"{self._client.backend.url}: found {len(found):,} item rows, none of which is still good; expected at"
                " least one: `rankloop run` writes them anew"
            )
        scalars, lists = _features(self._items.schema)
        matrix = np.concatenate([part.matrix(scalars) for part in parts])
        codes = np.concatenate([part.scalars(ITEM_CODE)[0] for part in parts])
        arrays = {name: _joined([_ragged(part, name) for part in parts], found) for name in lists}
        item_ids = np.array(ids, dtype=object)[found]
        return ItemRows(item_ids, codes[found].astype(np.int32), _columns(matrix[found], scalars), arrays)

    def users(self, user_ids: Sequence[str], items: ItemRows) -> KnownUsers:
        """Read users in the order of their ids; one without a row has an empty history."""
        return _known(user_ids, self._client.read(self._users, user_ids), items)

    def strangers(self, user_ids: Sequence[str], items: ItemRows) -> KnownUsers:
        """Take users as if the store had no row of them; it is not asked."""
        revision = self._client.namespace(self._users.name).revision_hash
        nothing = PackedRows(self._users.schema, [None] * len(user_ids), revision)
        return _known(user_ids, nothing, items)


def _known(user_ids: Sequence[str], read: PackedRows, items: ItemRows) -> KnownUsers:
    scalars, lists = _features(read.schema)
    arrays = {name: _ragged(read, name) for name in lists}
    columns = _columns(read.matrix(scalars), scalars)
    return KnownUsers(users_of(np.array(user_ids, dtype=object), columns, arrays, items), read.found)


def _features(schema: PackedSchema) -> tuple[list[str], list[str]]:
    """Names of a row's scalars and of its arrays; an item's code is neither."""
    fields = [field for field in schema.fields if field.name != ITEM_CODE]
    return [field.name for field in fields if field.is_scalar], [field.name for field in fields if not field.is_scalar]


def _columns(matrix: Floats, names: Sequence[str]) -> dict[str, Floats]:
    return {name: np.ascontiguousarray(matrix[:, place], dtype=np.float32) for place, name in enumerate(names)}


def _ragged(rows: PackedRows, name: str) -> Ragged:
    found = rows.arrays(name)
    return Ragged(found.offsets, found.values)


def _joined(parts: Sequence[Ragged], found: NDArray[np.bool_]) -> Ragged:
    """Lay arrays of several reads end to end, without the rows that were not found (they have no values)."""
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    values = np.concatenate([part.values for part in parts])
    return Ragged(np.concatenate([[0], np.cumsum(lengths[found])]).astype(np.int64), values)
