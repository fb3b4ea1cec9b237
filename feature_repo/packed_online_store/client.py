"""The packed store's client, through which the service, the steps and Feast's plug-in read and write rows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from components.contracts.errors import StoreError
from components.contracts.moments import microseconds
from feature_repo.packed_online_store.backends.backend import Backend, RowBatch
from feature_repo.packed_online_store.backends.guarded_backend import GuardedBackend
from feature_repo.packed_online_store.backends.opening import open_backend
from feature_repo.packed_online_store.clock import StoredClock
from feature_repo.packed_online_store.held_ids import held_text
from feature_repo.packed_online_store.inventory import Inventory
from feature_repo.packed_online_store.keys import (
    TEXT,
    Namespace,
    catalog_prefix,
    catalogue_key,
    clock_key,
    inventory_key,
    is_digest,
    row_keys,
)
from feature_repo.packed_online_store.rows import PackedRows
from feature_repo.packed_online_store.views import PackedView

Keys = Sequence[Any] | NDArray[Any]
"""One a row: a text, whole number, bytes or time, or a tuple of them in the order of the view's several join keys."""


@dataclass(frozen=True)
class WriteReport:
    """The result of writing a table: rows given (one a key), rows written, and rows skipped for a newer stored one."""

    rows: int
    written: int
    kept_newer: int


@dataclass(frozen=True)
class Entities:
    """The texts that name a view's rows, sorted, and how many rows have no such name."""

    texts: list[str]
    unnamed: int


class PackedClient:
    """Rows of one project at one revision of its feature service.

    Views are named, and then looked up in the store's catalog once, or given as a :class:`PackedView`.
    """

    def __init__(self, backend: Backend, *, project: str, revision: str, clock: Callable[[], datetime]) -> None:
        self.backend = backend
        self.project = project
        self.revision = revision
        self._clock = clock
        self._views: dict[str, PackedView] = {}
        self._namespaces: dict[str, Namespace] = {}

    @classmethod
    def open(
        cls,
        url: str,
        *,
        project: str,
        revision: str,
        clock: Callable[[], datetime],
        deadline_seconds: float | None = None,
        before_write: Callable[[], None] | None = None,
    ) -> "PackedClient":
        """Make a client of ``lmdb:///path`` or ``redis://host:port/db``; it connects when it is first used.

        clock: tells the home's time, with a zone, when asked; rows expire by it.
        deadline_seconds: how long a server may take to answer a call; without it, as long as a bulk write may take.
        before_write: is called before each write, and raises where nothing may be written any more.
        """
        backend = open_backend(url, deadline_seconds)
        guarded = backend if before_write is None else GuardedBackend(backend, before_write)
        return cls(guarded, project=project, revision=revision, clock=clock)

    def read(self, view: PackedView | str, keys: Keys, damaged_is_missing: bool = False) -> PackedRows:
        """Read rows in the order of their keys; absent and expired ones are missing in every feature.

        damaged_is_missing: so are rows of another layout or schema, which are counted.

        Raises:
            StoreError: the store cannot be reached, the view is unknown, or rows have another schema.
        """
        known = self.view(view) if isinstance(view, str) else view
        rows = self.backend.read(row_keys(self.namespace(known.name).rows, known.join_keys, keys))
        return self._rows(known, rows, damaged_is_missing)

    def read_keys(self, view: PackedView, keys: Sequence[bytes]) -> PackedRows:
        """Read rows by the store's own keys."""
        return self._rows(view, self.backend.read(keys))

    def read_each(self, views: Sequence[PackedView], key: Any) -> list[PackedRows | None]:
        """Read the row of one key in each of several views, in one round trip; None: absent or expired.

        A damaged row is one that is not found, with ``damaged`` at 1.
        """
        keys = [row_keys(self.namespace(view.name).rows, view.join_keys, [key])[0] for view in views]
        rows = self.backend.read(keys)
        each_row = [None if row is None else self._one_row(view, row) for view, row in zip(views, rows, strict=True)]
        return [row if row is not None and (row.found[0] or row.damaged) else None for row in each_row]

    def written(self, view: str) -> bytes | None:
        """Return a mark that changes with each bulk write of a view; None before the first."""
        return self.backend.read([self.namespace(view).mark])[0]

    def _one_row(self, view: PackedView, row: bytes) -> PackedRows:
        """Read one row, at the cost of a whole one unless it is damaged."""
        try:
            return self._rows(view, [row])
        except StoreError:
            return self._rows(view, [row], damaged_is_missing=True)

    def _rows(self, view: PackedView, rows: list[bytes | None], damaged_is_missing: bool = False) -> PackedRows:
        oldest = None if not view.ttl else microseconds(self._now() - view.ttl)
        try:
            return PackedRows(
                view.schema,
                rows,
                self.namespace(view.name).revision_hash,
                oldest,
                damaged_is_missing=damaged_is_missing,
            )
        except StoreError as error:
            raise StoreError(f"view {view.name} in {self.backend.url}, revision {self.revision!r}: {error}") from error

    def read_matrix(self, view: PackedView | str, keys: Keys, columns: Sequence[str]) -> NDArray[np.float32]:
        """Read scalar features as float32 (len(keys), len(columns)), missing as NaN."""
        return self.read(view, keys).matrix(columns)

    def write_batches(self, view: PackedView, batches: Iterable[RowBatch], oldest: bytes, newest: bytes) -> int:
        """Write packed rows and register the view; return how many rows were left because a newer one stood there.

        oldest, newest: the smallest and greatest stamp among the rows, as in their headers.
        """
        self.register(view)
        return self.backend.write_newer(self.namespace(view.name).mark, batches, oldest, newest)

    def register(self, view: PackedView) -> None:
        """Enter a view in the store's catalog, so that readers find it by its name."""
        if self._views.get(view.name) != view:
            self.backend.put(self.namespace(view.name).catalog, view.to_json())
            self._views[view.name] = view

    def has(self, view: str) -> bool:
        """Return whether rows of a view were ever written at this revision."""
        return self.backend.read([self.namespace(view).catalog])[0] is not None

    def view(self, name: str) -> PackedView:
        """Look a view up in the catalog.

        Raises:
            StoreError: nothing was written for it at this revision.
        """
        if name not in self._views:
            record = self.backend.read([self.namespace(name).catalog])[0]
            if record is None:
                raise StoreError(
                    f"view {name!r} of project {self.project!r} is not in {self.backend.url} at revision "
                    f"{self.revision!r}; found revisions {self.revisions(name)}: materialize the features first"
                )
            self._views[name] = PackedView.from_json(record)
        return self._views[name]

    def entities(self, view: str) -> "Entities":
        """List the texts that name a view's rows, sorted; rows that go by something else are counted."""
        rows = self.namespace(view).rows
        keys = self.backend.keys(rows)
        short = [key[len(rows + TEXT) :].decode() for key in keys if key.startswith(rows + TEXT)]
        digests = [key for key in keys if is_digest(rows, key)]
        held = [text for row in self.backend.read(digests) if (text := held_text(row)) is not None] if digests else []
        return Entities(sorted(short + held) if held else short, len(keys) - len(short) - len(held))

    def read_valid(self, view: PackedView, keys: Keys) -> tuple[PackedRows, int]:
        """Read rows, unreadable ones as missing; return the number of unreadable rows.

        Raises:
            StoreError: no row can be read: then it is the store that is of other features.
        """
        rows = self.backend.read(row_keys(self.namespace(view.name).rows, view.join_keys, keys))
        valid = self._rows(view, rows, damaged_is_missing=True)
        if valid.damaged and valid.damaged == sum(row is not None for row in rows):
            return self._rows(view, rows), 0
        return valid, valid.damaged

    def revisions(self, view: str) -> list[str]:
        """List the revisions at which a view's rows are kept."""
        prefix = catalog_prefix(self.project, view)
        return [unquote(key[len(prefix) :].decode()) for key in self.backend.keys(prefix)]

    def view_names(self) -> list[str]:
        """List the views of the project that have rows, at any revision."""
        prefix = catalog_prefix(self.project)
        return sorted({unquote(key[len(prefix) :].decode().split("/")[0]) for key in self.backend.keys(prefix)})

    def delete_revision(self, view: str, revision: str) -> int:
        """Delete a view's rows of one revision, and its place in the catalog; return how many rows there were."""
        namespace = Namespace(self.project, view, revision)
        self._views.pop(view, None)
        rows = self.backend.delete_prefix(namespace.rows)
        self.backend.delete([namespace.mark, namespace.catalog, inventory_key(self.project, revision)])
        return rows

    def delete_entity(self, join_key: str, entity: str) -> int:
        """Delete the rows of one entity in every view that is keyed by a join key alone, at every revision.

        Returns:
            How many rows there were.
        """
        places = [
            Namespace(self.project, view, revision) for view in self.view_names() for revision in self.revisions(view)
        ]
        records = self.backend.read([place.catalog for place in places])
        views = [(place, PackedView.from_json(record)) for place, record in zip(places, records, strict=True) if record]
        keys = {
            row_keys(place.rows, view.join_keys, [entity])[0]: place
            for place, view in views
            if view.join_keys == (join_key,)
        }
        if not keys:
            return 0
        held = [place for place, row in zip(keys.values(), self.backend.read(list(keys)), strict=True) if row]
        deleted = self.backend.delete(list(keys))
        for place in held:
            self._take_from_inventory(place)
        return deleted

    def _take_from_inventory(self, place: Namespace) -> None:
        """Expect one row fewer of a view at a revision."""
        key = inventory_key(place.project, place.revision)
        inventory = Inventory.read(self.backend.read([key])[0])
        if inventory is not None and place.view in inventory.rows:
            self.backend.put(key, inventory.without_one(place.view).to_json())

    def set_inventory(self, inventory: Inventory) -> None:
        """Keep what a run put into the store at this revision beside its rows."""
        self.backend.put(inventory_key(self.project, self.revision), inventory.to_json())

    def inventory(self) -> Inventory | None:
        """Return what a run wrote into the store at this revision; None where it is missing or damaged."""
        return Inventory.read(self.backend.read([inventory_key(self.project, self.revision)])[0])

    def set_catalogue(self, content: bytes) -> None:
        """Keep the shop's words for its products in the store, for all revisions."""
        self.backend.put(catalogue_key(self.project), content)

    def catalogue(self) -> bytes | None:
        """Return the shop's words for its products; None where no run has put them here."""
        return self.backend.read([catalogue_key(self.project)])[0]

    def set_clock(self, clock: StoredClock) -> None:
        """Keep the home's clock in the store, for readers that are handed none, such as Feast's shell."""
        self.backend.put(clock_key(self.project), clock.to_json())

    def stored_clock(self) -> StoredClock | None:
        """Return the clock that a home set, if one did."""
        record = self.backend.read([clock_key(self.project)])[0]
        return None if record is None else StoredClock.from_json(record)

    def namespace(self, view: str) -> Namespace:
        """Return where a view's rows lie at this revision."""
        if view not in self._namespaces:
            self._namespaces[view] = Namespace(self.project, view, self.revision)
        return self._namespaces[view]

    def close(self) -> None:
        """Let go of connections and files."""
        self.backend.close()

    def _now(self) -> datetime:
        now = self._clock()
        if now.utcoffset() is None:
            raise StoreError(f"the home's clock says {now.isoformat()} without a zone; expected a time with one")
        return now
