"""What a home keeps in the online store, counted or deleted as the home opens it: by its prefix and its user's rights.

It runs in a pod of the steps' image: ``python -c PROGRAM count`` or ``delete``.
"""

import os
import sys
from contextlib import closing
from datetime import UTC, datetime

from feature_repo.packed_online_store.backends.backend import Backend
from feature_repo.packed_online_store.backends.opening import open_backend
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.keys import catalog_prefix, catalogue_key, clock_key
from feature_repo.project import PROJECT

OWN_KEYS = (clock_key(PROJECT), catalogue_key(PROJECT))


def count(store: Backend) -> int:
    """Return how many views and single keys of a home there are."""
    return len(store.keys(catalog_prefix(PROJECT))) + sum(value is not None for value in store.read(OWN_KEYS))


def delete(store: Backend) -> int:
    """Delete all of them, and return how many are left."""
    client = PackedClient(store, project=PROJECT, revision="", clock=lambda: datetime.now(UTC))
    for view in client.view_names():
        for revision in client.revisions(view):
            client.delete_revision(view, revision)
    store.delete(OWN_KEYS)
    return count(store)


if __name__ == "__main__":
    with closing(open_backend(os.environ["RANKLOOP_ONLINE_URL"])) as opened:
        print({"count": count, "delete": delete}[sys.argv[1]](opened))
