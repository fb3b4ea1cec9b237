"""The last list of each user on its way to a store that processes share, so that a click counts wherever it arrives."""

import threading
from collections.abc import Container, Mapping
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from components.feedback.segments.records import ServedList
from components.ranking_service.telemetry.click_through import MAX_POSITIONS
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.writing import write_view
from feature_repo.shown_lists import SHOWN_LISTS, shown_view

MAX_WAITING = 20_000  # users; those beyond are left out while the store cannot be written


class ShownList(NamedTuple):
    """What is known of a list that was shown."""

    event_time: datetime
    request_id: str
    arm: str
    item_ids: tuple[str, ...]


class ShownLists:
    """Lists that are not in the store yet, by user; any thread may add, one writes."""

    def __init__(self) -> None:
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._waiting: dict[str, ShownList] = {}

    @property
    def waiting(self) -> int:
        """Return how many users' lists are not in the store yet."""
        return len(self._waiting)

    def show(self, served: ServedList) -> None:
        """Take a list in the place of the user's last one."""
        items = tuple(served.item_ids[:MAX_POSITIONS])
        with self._lock:
            if len(self._waiting) < MAX_WAITING or served.user_id in self._waiting:
                self._waiting[served.user_id] = ShownList(served.event_time, served.request_id, served.arm, items)

    def drop_forgotten(self, forgotten: Container[str]) -> None:
        """Drop the lists of all users who were forgotten; none of theirs is written any more."""
        with self._writing, self._lock:
            self._waiting = {user: shown for user, shown in self._waiting.items() if user not in forgotten}

    def write(self, client: PackedClient) -> int:
        """Write what waits to the store; return how many users' rows.

        Whatever goes wrong, it is written the next time.

        Raises:
            StoreError: the store cannot be reached.
        """
        with self._writing:
            with self._lock:
                written, self._waiting = self._waiting, {}
            if not written:
                return 0
            try:
                write_view(client, shown_view(), _table(written), verify=False)
            except Exception:
                with self._lock:
                    self._waiting = written | self._waiting
                raise
        return len(written)


def find_lists(client: PackedClient, requests: Mapping[str, str]) -> list[ShownList]:
    """Return the lists of some requests, by user, that are the last of these users.

    Raises:
        StoreError: the store cannot be reached.
    """
    rows = client.read(shown_view(), list(requests), damaged_is_missing=True)
    fields = (rows.texts("request_id"), rows.texts("arm"), rows.text_lists("item_ids"))
    moments = rows.event_time.astype("datetime64[us]").tolist()
    return [
        ShownList(moment, request_id, arm, tuple(items or ()))
        for asked, moment, request_id, arm, items in zip(requests.values(), moments, *fields, strict=True)
        if request_id == asked and arm is not None
    ]


def _table(lists: Mapping[str, ShownList]) -> pa.Table:
    columns = {
        "user_id": list(lists),
        "event_timestamp": [shown.event_time for shown in lists.values()],
        "request_id": [shown.request_id for shown in lists.values()],
        "arm": [shown.arm for shown in lists.values()],
        "item_ids": [shown.item_ids for shown in lists.values()],
    }
    return pa.table(columns, schema=SHOWN_LISTS)
