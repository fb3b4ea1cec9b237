"""Where a home keeps what it knows of a user, and how it is erased there; every place may be erased again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from components.erasure.runs import erase_runs
from components.features.snapshots.erasure import erase_examples, erase_snapshots
from components.feedback.erasure import erase_feedback
from components.home.data_subject import USER_ID, Erased, Person
from components.home.disk.presence import files_below, status_of
from components.home.layout import Home
from components.lake.erasure import LOG, erase_rows
from components.lake.tables import Notes, read_notes
from components.shop.settings import Shop
from feature_repo.packed_online_store.backends.lmdb_compaction import holds_entity
from feature_repo.packed_online_store.backends.lmdb_environments import embedded_folder
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.keys import row_keys
from feature_repo.project import PROJECT


@dataclass(frozen=True)
class Place:
    """One place of a home; ``erase`` is told whether an earlier erasure there was cut off."""

    name: str
    erase: Callable[[bool], Erased]


def places_of(home: Home, shop: Shop, person: Person) -> Iterator[Place]:
    """All places of a home, what is served from first."""
    yield Place("online store", partial(erase_online, home, person))
    yield Place("feedback log", lambda again: erase_feedback(home, person, again))
    for uri in sorted({path.parent.parent for path in files_below(home.root / "lake") if path.parent.name == LOG}):
        accepted = accepted_version(home, uri)
        yield Place(str(uri.relative_to(home.root)), partial(erase_rows, uri, person, accepted=accepted))
    yield Place("features", lambda _: erase_snapshots(home.features, person))
    yield Place("examples", lambda _: erase_examples(home.root / "examples", person))
    yield Place("runs", lambda _: erase_runs(home, shop, person))


def erase_online(home: Home, person: Person, again: bool = False) -> Erased:
    """Delete a user's rows of every view and revision, and scrub the store's file of what was there before."""
    embedded = embedded_folder(home.online_url)
    if embedded is not None and status_of(embedded) is None:
        return Erased()
    client = PackedClient.open(home.online_url, project=PROJECT, revision="", clock=lambda: datetime.now(UTC))
    try:
        rows = client.delete_entity(USER_ID, person.user_id)
        dirty = again or rows or is_in_file(embedded, person)
        if dirty:
            client.backend.scrub()
        return Erased(rows, 1 if dirty and embedded else 0, 1 if embedded else 0)
    finally:
        client.close()


def is_in_file(embedded: Path | None, person: Person) -> bool:
    """Whether the embedded store's file holds a row of a user, deleted or not."""
    [entity] = row_keys(b"", (USER_ID,), [person.user_id])
    return embedded is not None and holds_entity(str(embedded), entity)


def accepted_version(home: Home, uri: Path) -> Callable[[Notes], bool] | None:
    """What tells the version of a raw table that a later breach of the contract goes back to; None for other tables."""
    if uri.parent != home.raw:
        return None
    mark = read_notes(home.quarantine).get(uri.name, {}).get("mark")
    if mark is None:
        return None
    return lambda notes: (notes.get("batch"), notes.get("generation")) == (mark["batch"], mark["generation"])
