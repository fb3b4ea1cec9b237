"""Erasing a user from the online store: their rows, and an embedded store's file of what was there before."""

from datetime import UTC, datetime
from pathlib import Path

from components.home.data_subject import USER_ID, DataSubject, Erased
from components.home.disk.presence import status_of
from components.home.layout import Home
from components.home.storage.held import check_held
from feature_repo.packed_online_store.backends.lmdb_compaction import holds_entity
from feature_repo.packed_online_store.backends.lmdb_environments import embedded_folder
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.keys import row_keys
from feature_repo.project import PROJECT


def erase_online(home: Home, person: DataSubject, again: bool = False) -> Erased:
    """Delete a user's rows of every view and revision, and scrub the store's file of what was there before."""
    embedded = embedded_folder(home.online_url)
    if embedded is not None and status_of(embedded) is None:
        return Erased()
    client = PackedClient.open(
        home.online_url,
        project=PROJECT,
        revision="",
        clock=lambda: datetime.now(UTC),
        before_write=lambda: check_held(home.root),
    )
    try:
        rows = client.delete_entity(USER_ID, person.user_id)
        dirty = again or rows or is_in_file(embedded, person)
        if dirty:
            client.backend.scrub()
        return Erased(rows, 1 if dirty and embedded else 0, 1 if embedded else 0)
    finally:
        client.close()


def is_in_file(embedded: Path | None, person: DataSubject) -> bool:
    """Whether the embedded store's file holds a row of a user, deleted or not."""
    [entity] = row_keys(b"", (USER_ID,), [person.user_id])
    return embedded is not None and holds_entity(str(embedded), entity)
