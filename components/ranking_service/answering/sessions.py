"""What users did since their rows were made: in memory at once, and a moment later in the packed store.

One process reads its own events without delay; others, and Feast, read them from the store. Several processes may
change the row of one user at once: each joins what the store has to what it holds before it writes, and reads its row
back the next time, so that no event of one is lost to the row of another. After a restart the events of the journal are
restored into memory alone, and are joined with the rows of the store in the same way, or when somebody asks for a user.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.contracts.moments import microseconds
from components.feedback.segments.records import ServedEvent
from components.ranking.rows import ItemRows
from components.ranking.sessions import Session, both, joined
from components.ranking_service.settings import LiveSettings
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.rows import PackedRows
from feature_repo.packed_online_store.writing import write_view
from feature_repo.sessions import SESSIONS, session_view

MAX_EVENTS = 100  # a user
WRITTEN_AT_ONCE = 1000  # users: an answer may have to wait for what a thread does in one go
COMPARED_AT_ONCE = 250  # users whose rows are joined with what was restored
MAX_WRITES = 3  # of a row that does not read back: it is expired, or the store evicts rows
EVENT_COLUMNS = ("user_id", "item_id", "event_type", "event_time", "quantity")  # of the journal


@dataclass(frozen=True)
class SessionEvent:
    """One event of a user with an item; ``at`` is in microseconds since 1970, by the home's clock."""

    user_id: str
    item_code: int
    kind: str
    at: int
    units: float = 1.0


class _Held(NamedTuple):
    """A session in memory, and the mark of the row in the store whose events are all in it."""

    session: Session
    joined_row: int | None = None


class Sessions:
    """Sessions by user; any thread may ask and add. Nothing is held of users who were forgotten.

    Of more than ``max_users`` those whose last event was taken longest ago are let go of, and counted.
    """

    def __init__(self, forgotten: Container[str] = (), max_users: int = LiveSettings.session_users) -> None:
        self._forgotten, self._max_users = forgotten, max_users
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._restored: dict[str, None] = {}
        """Users whose rows in the store were not looked at yet; a dict keeps their order."""
        self._unsettled: dict[str, int] = {}
        """Users whose rows may lack events that are held, and how often these were written."""
        self.dropped = 0

    @property
    def users(self) -> int:
        """Return how many users' sessions are held."""
        return len(self._held)

    @property
    def unsettled(self) -> int:
        """Return of how many users the store may lack events."""
        return len(self._unsettled) + len(self._restored)

    def of(self, user_id: str, stored: PackedRows | None) -> Session | None:
        """A user's session, in memory and, where its row is another than the one that was joined, in the store."""
        held = self._held.get(user_id)
        if held is not None and (stored is None or _mark(stored, 0) == held.joined_row):
            return held.session
        return both(held and held.session, stored_sessions(stored)[0] if stored is not None else None)

    def add(self, events: Sequence[SessionEvent], stored: Callable[[Sequence[str]], PackedRows | None]) -> None:
        """Take events; ``stored`` reads, once, what the store has of their users, from other processes too."""
        if not events:
            return
        fresh = _by_user(events)
        with self._lock:
            for user, before in self._with_stored(list(fresh), stored):
                session = joined(before.session, fresh[user]) if before is not None else fresh[user]
                self._hold(user, session, before and before.joined_row)

    def restore(self, sessions: Mapping[str, Session]) -> int:
        """Take sessions of the journal, those that changed last at the end; what is known already counts once.

        Returns:
            How many users were dropped: those before the last ``max_users``, and those that were forgotten.
        """
        wanted = {user: _Held(session) for user, session in sessions.items() if user not in self._forgotten}
        with self._lock:
            for user, held in self._held.items():
                if user in wanted:
                    held = held._replace(session=both(held.session, wanted.pop(user).session) or held.session)
                wanted[user] = held._replace(session=held.session.newest(MAX_EVENTS))
            dropped = max(0, len(wanted) - self._max_users)
            self._held = OrderedDict(islice(wanted.items(), dropped, None))
            self._restored = {user: None for user in sessions if user in self._held}
            self.dropped += dropped
        return dropped

    def _with_stored(
        self, users: Sequence[str], stored: Callable[[Sequence[str]], PackedRows | None]
    ) -> Iterable[tuple[str, _Held | None]]:
        """Users with what is known of them, in memory or in the store."""
        rows = stored(users)
        if rows is None:
            return [(user, self._held.get(user)) for user in users]
        return [
            (user, self._joined(user, session, _mark(rows, place)))
            for place, (user, session) in enumerate(zip(users, stored_sessions(rows), strict=True))
        ]

    def _joined(self, user_id: str, stored: Session | None, mark: int | None) -> _Held | None:
        held = self._held.get(user_id)
        session = both(held and held.session, stored)
        return None if session is None else _Held(session, mark)

    def forget(self, user_id: str) -> None:
        """Drop a user's session from memory."""
        with self._lock:
            self._let_go(user_id)

    def drop_forgotten(self) -> None:
        """Drop the sessions of all users who were forgotten; none of theirs is written any more."""
        with self._writing:
            with self._lock:
                held = list(self._held)
            for user_id in held:
                if user_id in self._forgotten:
                    self.forget(user_id)

    def _hold(self, user_id: str, session: Session, joined_row: int | None) -> None:
        """Keep the newest events of a user, who was changed last."""
        if user_id in self._forgotten:
            return
        self._held[user_id] = _Held(session.newest(MAX_EVENTS), joined_row)
        self._held.move_to_end(user_id)
        self._unsettled[user_id] = 0
        self._restored.pop(user_id, None)
        if len(self._held) > self._max_users:
            self._let_go(next(iter(self._held)))
            self.dropped += 1

    def _let_go(self, user_id: str) -> None:
        self._held.pop(user_id, None)
        self._unsettled.pop(user_id, None)
        self._restored.pop(user_id, None)

    def write(self, client: PackedClient) -> int:
        """Write some of what the store lacks to it; return how many users' rows.

        Whatever goes wrong, it is written the next time.

        Raises:
            StoreError: the store cannot be reached.
        """
        with self._writing:
            with self._lock:
                users = [*islice(self._unsettled, WRITTEN_AT_ONCE), *islice(self._restored, COMPARED_AT_ONCE)]
            if not users:
                return 0
            changed = self._lacking(users, client.read(session_view(), users, damaged_is_missing=True))
            if changed:
                write_view(client, session_view(), session_table(changed), verify=False)
            with self._lock:
                for user in changed.keys() & self._unsettled.keys():
                    self._unsettled[user] += 1
        return len(changed)

    def _lacking(self, users: Sequence[str], rows: PackedRows) -> dict[str, Session]:
        """Join the store's rows with what is held; return the sessions of users whose rows lack some of it."""
        changed = {}
        known = stored_sessions(rows)
        with self._lock:
            for place, (user, stored) in enumerate(zip(users, known, strict=True)):
                self._restored.pop(user, None)
                writes, held = self._unsettled.pop(user, 0), self._held.get(user)
                if held is None:
                    continue
                whole = both(held.session, stored) or held.session
                if len(whole) > len(held.session):
                    held = _Held(whole.newest(MAX_EVENTS))
                self._held[user] = held._replace(joined_row=_mark(rows, place))
                if (stored is None or len(whole) > len(stored)) and writes < MAX_WRITES:
                    self._unsettled[user], changed[user] = writes, held.session  # those that wait come before it
        return changed


def _mark(rows: PackedRows, place: int) -> int | None:
    """Tell a row from others of its user; None where there is none."""
    content = rows.content(place)
    return None if content is None else hash(content)


def _by_user(events: Sequence[SessionEvent]) -> dict[str, Session]:
    """Return the sessions that events make."""
    of_user: dict[str, list[SessionEvent]] = {}
    for event in events:
        of_user.setdefault(event.user_id, []).append(event)
    return {user: _session(user_events) for user, user_events in of_user.items()}


def _session(events: Sequence[SessionEvent]) -> Session:
    return Session(
        np.array([event.item_code for event in events], np.int32),
        tuple(event.kind for event in events),
        np.array([event.at for event in events], np.int64),
        np.array([event.units for event in events], np.float32),
    )


def session_events(events: Iterable[ServedEvent], codes: Mapping[str, int]) -> list[SessionEvent]:
    """What sessions know of events: users' own, with items that have a code."""
    return [
        SessionEvent(
            event.user_id,
            codes[event.item_id],
            event.event_type,
            microseconds(event.event_time),
            1.0 if event.quantity is None else event.quantity,
        )
        for event in events
        if event.event_type != "shown" and event.item_id in codes
    ]


def journal_sessions(events: pa.Table, items: ItemRows) -> dict[str, Session]:
    """Return the sessions that events of the journal make (``EVENT_COLUMNS``), those that changed last at the end.

    It is linear in the events: they are sorted by user once, and a session is a slice of that.
    """
    codes = pa.array(items.codes).take(pc.index_in(events["item_id"], value_set=pa.array(items.item_ids, pa.string())))
    events = events.append_column("code", codes).filter(pc.and_(pc.is_valid(codes), pc.is_valid(events["user_id"])))
    if not len(events):
        return {}
    users = events["user_id"].combine_chunks().dictionary_encode()
    order = np.argsort(users.indices.to_numpy(), kind="stable")
    ends = np.cumsum(np.bincount(users.indices.to_numpy(), minlength=len(users.dictionary)))
    code, at = events["code"].to_numpy()[order], events["event_time"].cast(pa.int64()).to_numpy()[order]
    units = pc.fill_null(events["quantity"], 1.0).to_numpy()[order].astype(np.float32)
    kinds, ids = np.array(events["event_type"].to_pylist(), dtype=object)[order].tolist(), users.dictionary.to_pylist()
    starts, stops = [0, *ends[:-1].tolist()], ends.tolist()
    sessions = {}
    for user in np.argsort(order[ends - 1]).tolist():  # by the place of their last event
        span = slice(max(starts[user], stops[user] - MAX_EVENTS), stops[user])
        sessions[ids[user]] = Session(code[span], tuple(kinds[span]), at[span], units[span])
    return sessions


def stored_sessions(rows: PackedRows) -> list[Session | None]:
    """Read the sessions of packed rows; None where there is none."""
    codes, at, units = (rows.arrays(f"session_{name}") for name in ("item", "time", "units"))
    kinds = rows.text_lists("session_kind")
    return [
        Session(codes.row(place), tuple(kinds[place] or ()), at.row(place), units.row(place)) if is_there else None
        for place, is_there in enumerate(rows.found.tolist())
    ]


def session_table(sessions: Mapping[str, Session]) -> pa.Table:
    """Sessions as rows of the view."""
    newest = [datetime.fromtimestamp(int(session.at.max()) / 1e6, UTC) for session in sessions.values()]
    columns = {
        "user_id": list(sessions),
        "event_timestamp": newest,
        "session_item": [session.codes for session in sessions.values()],
        "session_kind": [list(session.kinds) for session in sessions.values()],
        "session_time": [session.at for session in sessions.values()],
        "session_units": [session.units for session in sessions.values()],
    }
    return pa.table(columns, schema=SESSIONS)
