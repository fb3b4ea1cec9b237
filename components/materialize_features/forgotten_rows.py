"""Rows of forgotten users that a service wrote after their erasure, because it stood still while it ran."""

from collections.abc import Iterator
from datetime import UTC, datetime

from components.home.data_subject import USER_ID
from components.home.layout import Home
from components.home.tombstones import Tombstones
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.sessions import session_view
from feature_repo.shown_lists import shown_view


def drop_forgotten(home: Home, client: PackedClient) -> int:
    """Delete the rows of forgotten users, of all views and revisions; return how many went.

    Raises:
        ConfigurationError: who was forgotten cannot be read.
        StoreError: the store cannot be reached.
    """
    forgotten = Tombstones(home.tombstones)
    if not forgotten:
        return 0
    users = forgotten.filter_forgotten(sorted(set(_users_of_services(client))))
    return sum(client.delete_entity(USER_ID, user) for user in users)


def _users_of_services(client: PackedClient) -> Iterator[str]:
    """Yield whom the views are about that services write."""
    for view in (session_view().name, shown_view().name):
        for revision in client.revisions(view):
            place = PackedClient(
                client.backend, project=client.project, revision=revision, clock=lambda: datetime.now(UTC)
            )
            yield from place.entities(view).texts
