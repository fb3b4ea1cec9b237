"""Rows of the packed store in the form that ranking takes: equal to the bit to those of the snapshot they came from."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from components.contracts.errors import StoreError
from components.ranking.rows import Floats, ItemRows, Ragged, UserRows, users_of
from components.ranking_service.answering.breaker import Breaker, State
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.layout import PackedSchema
from feature_repo.packed_online_store.rows import PackedRows
from feature_repo.sessions import session_view

log = logging.getLogger("bentoml.rankloop.online_rows")
ITEM_CODE = "item_code"
ITEMS_AT_ONCE = 10_000  # bounds what a refresh holds beside the columns it makes


@dataclass(frozen=True)
class OnlineUser:
    """The user of a request, as the store has them.

    ``rows`` holds the one user, with an empty history when the store has no row, or only an expired one (``has_row`` is
    then False); ``event_time`` is in microseconds since 1970; ``session`` is what the store has of theirs.
    """

    rows: UserRows
    has_row: bool
    event_time: int
    session: PackedRows | None


@dataclass(frozen=True)
class StoredItems:
    """Every item that has a row; ``newest`` is the event time of the newest, in microseconds since 1970."""

    rows: ItemRows
    newest: int
    mark: bytes | None


class OnlineRows:
    """Reads the rows of one project at one revision of its features; any thread may read.

    Reading raises StoreError when the store cannot be reached, or holds rows of other features.
    """

    def __init__(self, client: PackedClient, bounded: PackedClient | None = None) -> None:
        """Look the views up. ``bounded`` reads single users: a client with a deadline, where the store is a server.

        Raises:
            StoreError: the store cannot be reached, or no rows of these features were ever written.
        """
        self.client, self.bounded = client, bounded or client
        self._users, self._items = client.view("user_features"), client.view("item_features")
        self._sessions = session_view()
        self.breaker = Breaker()
        self.lacks_users: Callable[[], bool] = lambda: False
        """Says whether the store lost users' rows, so that a user without one may have had it."""
        self.damaged = 0

    def close(self) -> None:
        """Let go of the store; the next read opens it again."""
        self.client.close()
        self.bounded.close()

    def items(self) -> StoredItems:
        """Read every item that has a row, expired or not, sorted by id; at least one must have."""
        mark = self.client.written(self._items.name)
        entities = self.client.entities(self._items.name)
        ids, view = entities.texts, replace(self._items, ttl=None)
        read = [self.client.read_valid(view, ids[at : at + ITEMS_AT_ONCE]) for at in range(0, len(ids), ITEMS_AT_ONCE)]
        parts, lost = [part for part, _ in read], entities.unnamed + sum(lost for _, lost in read)
        if lost:
            total = len(ids) + entities.unnamed
            log.warning("%s: %d of %d item rows cannot be read and are left out", self.client.backend.url, lost, total)
        is_there = np.concatenate([np.zeros(0, dtype=bool), *(part.found for part in parts)])
        if not is_there.any():
            raise StoreError(f"{self.client.backend.url}: found no item rows, expected at least one")
        scalars, lists = _features(self._items.schema)
        matrix = np.concatenate([part.matrix(scalars) for part in parts])
        codes = np.concatenate([part.scalars(ITEM_CODE)[0] for part in parts])
        arrays = {name: _joined([_ragged(part, name) for part in parts], is_there) for name in lists}
        item_ids = np.array(ids, dtype=object)[is_there]
        rows = ItemRows(item_ids, codes[is_there].astype(np.int32), _columns(matrix[is_there], scalars), arrays)
        return StoredItems(rows, max(int(part.event_time.max()) for part in parts), mark)

    def items_mark(self) -> bytes | None:
        """A mark that changes when item rows are written."""
        return self.bounded.written(self._items.name)

    def user_ids(self) -> list[str]:
        """The ids of all users that have a row, sorted."""
        return self.client.entities(self._users.name).texts

    def read_user(self, user_id: str, items: ItemRows) -> OnlineUser:
        """Read one user and their session, at once and within the deadline.

        Raises:
            StoreError: the store does not answer, or did not a moment ago and is left alone for a while.
        """
        if not self.breaker.allows():
            raise StoreError(f"{self.client.backend.url}: did not answer a moment ago, and is left alone for a while")
        try:
            user, session = self.bounded.read_each([self._users, self._sessions], user_id)
        except StoreError:
            self.breaker.failed()
            raise
        self.breaker.succeeded()
        if session is not None and session.damaged:
            session = None
        rows = None if user is None or user.damaged else self._row_of(user_id, user, items)
        if user is None or rows is None:
            self.damaged += user is not None
            return replace(self.unknown_user(user_id, items), session=session)
        return OnlineUser(rows, True, int(user.event_time[0]), session)

    def _row_of(self, user_id: str, user: PackedRows, items: ItemRows) -> UserRows | None:
        """One user's row as ranking takes it; None where its arrays lie beyond its end."""
        try:
            arrays = [Ragged(*parts) for parts in user.only_row(_features(user.schema)[1])]
        except ValueError:
            return None
        return _rows_of(user_id, user, arrays, items)

    def unknown_user(self, user_id: str, items: ItemRows) -> OnlineUser:
        """Return a user without a row; the store is not read."""
        nothing = PackedRows(self._users.schema, [None], self.client.namespace(self._users.name).revision_hash)
        arrays = [_ragged(nothing, name) for name in _features(nothing.schema)[1]]
        return OnlineUser(_rows_of(user_id, nothing, arrays, items), False, int(nothing.event_time[0]), None)

    def stored_sessions(self, user_ids: Sequence[str]) -> PackedRows | None:
        """What the store has of users' sessions, at once; None when it cannot be read, or is left alone."""
        if self.breaker.state is not State.CLOSED:
            return None
        try:
            return self.bounded.read(self._sessions, user_ids, damaged_is_missing=True)
        except StoreError:
            return None


def _rows_of(user_id: str, read: PackedRows, arrays: Sequence[Ragged], items: ItemRows) -> UserRows:
    """One user's row as ranking takes it; ``arrays`` are its lists in their order."""
    scalars, lists = _features(read.schema)
    columns = _columns(read.matrix(scalars), scalars)
    return users_of(np.array([user_id], dtype=object), columns, dict(zip(lists, arrays, strict=True)), items)


@lru_cache(maxsize=8)
def _features(schema: PackedSchema) -> tuple[list[str], list[str]]:
    """Names of a row's scalars and of its arrays; an item's code is neither."""
    fields = [field for field in schema.fields if field.name != ITEM_CODE]
    return [field.name for field in fields if field.is_scalar], [field.name for field in fields if not field.is_scalar]


def _columns(matrix: Floats, names: Sequence[str]) -> dict[str, Floats]:
    return dict(zip(names, np.ascontiguousarray(matrix.T, dtype=np.float32), strict=True))


def _ragged(rows: PackedRows, name: str) -> Ragged:
    arrays = rows.arrays(name)
    return Ragged(arrays.offsets, arrays.values)


def _joined(parts: Sequence[Ragged], is_there: NDArray[np.bool_]) -> Ragged:
    """Lay arrays of several reads end to end, without the rows that are missing (they have no values)."""
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    values = np.concatenate([part.values for part in parts])
    return Ragged(np.concatenate([[0], np.cumsum(lengths[is_there])]).astype(np.int64), values)
