"""What users did since their rows were made: in memory at once, and a moment later in the packed store.

One process reads its own events without delay; others, and Feast, read them from the store.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from components.feedback.records import ServedEvent
from components.ranking.sessions import Session, both, longer
from feature_repo.packed_online_store.client import PackedClient, microseconds
from feature_repo.packed_online_store.rows import PackedRows
from feature_repo.sessions import SESSIONS, session_view

MOST_USERS = 50_000
MOST_EVENTS = 100  # a user


@dataclass(frozen=True)
class SessionEvent:
    """One event of a user with an item; ``at`` is in microseconds since 1970, by the home's clock."""

    user_id: str
    item_code: int
    kind: str
    at: int
    units: float = 1.0


class Sessions:
    """Sessions by user; any thread may ask and add. Nothing is held of users who were forgotten."""

    def __init__(self, forgotten: Container[str] = ()) -> None:
        self._forgotten = forgotten
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Session] = OrderedDict()
        self._unwritten: set[str] = set()

    def of(self, user_id: str, stored: PackedRows | None) -> Session | None:
        """A user's session, in memory and, where it is newer or alone, in the store; None without events."""
        held = self._held.get(user_id)
        if held is not None and (stored is None or stored.event_time[0] <= held.at.max()):
            return held
        return both(held, stored_session(stored))

    def add(self, events: Sequence[SessionEvent], stored: Callable[[Sequence[str]], PackedRows | None]) -> None:
        """Take events; ``stored`` reads, once, what the store has of their users, from other processes too."""
        users = list(dict.fromkeys(event.user_id for event in events))
        with self._lock:
            rows = stored(users) if users else None
            before = {user: both(self._held.get(user), stored_session(rows, at)) for at, user in enumerate(users)}
            for event in events:
                code = np.array([event.item_code], dtype=np.int32)
                session = longer(before[event.user_id], code, event.kind, event.at, event.units)
                before[event.user_id] = self._hold(event.user_id, session)

    def restore(self, events: Sequence[SessionEvent], stored: Callable[[Sequence[str]], PackedRows | None]) -> None:
        """As ``add``, for events of which the store may have some already: these count once."""
        again: dict[str, Session] = {}
        for event in events:
            code = np.array([event.item_code], dtype=np.int32)
            again[event.user_id] = longer(again.get(event.user_id), code, event.kind, event.at, event.units)
        with self._lock:
            rows = stored(list(again)) if again else None
            for at, (user, session) in enumerate(again.items()):
                before = both(self._held.get(user), stored_session(rows, at))
                whole = both(before, session)
                if whole is not None and (before is None or len(whole) > len(before)):
                    self._hold(user, whole)

    def forget(self, user_id: str) -> None:
        """Drop a user's session from memory."""
        with self._lock:
            self._held.pop(user_id, None)
            self._unwritten.discard(user_id)

    def drop_forgotten(self) -> None:
        """Drop the sessions of all users who were forgotten."""
        with self._lock:
            held = list(self._held)
        for user_id in held:
            if user_id in self._forgotten:
                self.forget(user_id)

    def _hold(self, user_id: str, session: Session) -> Session:
        """Keep the newest events of a user, who was changed last; return them."""
        if user_id in self._forgotten:
            return session
        self._held[user_id] = kept = session.newest(MOST_EVENTS)
        self._held.move_to_end(user_id)
        self._unwritten.add(user_id)
        if len(self._held) > MOST_USERS:
            self._held.popitem(last=False)
        return kept

    def write(self, client: PackedClient) -> int:
        """Write what has changed to the packed store; return how many users' rows.

        Whatever goes wrong, what has changed is written the next time.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._lock:
            changed = {user: self._held[user] for user in self._unwritten if user in self._held}
            self._unwritten.clear()
        if not changed:
            return 0
        try:
            client.write_table(session_view(), session_table(changed), verify=False)
        except Exception:
            with self._lock:
                self._unwritten |= changed.keys()
            raise
        return len(changed)


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


def stored_session(rows: PackedRows | None, place: int = 0) -> Session | None:
    """Read a session from one of some packed rows; None where there is none."""
    if rows is None or not rows.found[place]:
        return None
    codes, at, units = (rows.arrays(f"session_{name}").row(place) for name in ("item", "time", "units"))
    return Session(codes, tuple(rows.text_lists("session_kind")[place] or ()), at, units)


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
