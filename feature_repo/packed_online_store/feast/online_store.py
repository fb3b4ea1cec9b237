"""Feast's plug-in: the packed store behind Feast's whole online interface.

In ``feature_store.yaml``::

    online_store:
      type: feature_repo.packed_online_store.feast.online_store.PackedOnlineStore
      url: lmdb://online            # a folder beside the file, or lmdb:///folder, or redis://host:port/db,
                                    # or home:///folder, the store of that home, whose password stays in the home
      revision: "5c1e…"             # of the feature service; left out, the view's tag "revision", else its schema
      as_of: 2017-08-28T00:00:00Z   # the home's clock; left out, the one kept in the store, else the wall clock
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from feast import Entity, FeatureView, RepoConfig
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel
from pydantic import StrictStr

from components.contracts.moments import microseconds
from components.home.layout import Home
from components.home.storage.locations import parse_location
from feature_repo.packed_online_store.backends.backend import Backend
from feature_repo.packed_online_store.backends.opening import open_backend
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.clock import StoredClock, wall_clock
from feature_repo.packed_online_store.codec import RowStamps
from feature_repo.packed_online_store.feast.values import event_times, feature_values, join_values, value_column
from feature_repo.packed_online_store.feast.views import packed_view
from feature_repo.packed_online_store.keys import clock_key, entity_key, entity_of, is_digest
from feature_repo.packed_online_store.layout import NO_TIME
from feature_repo.packed_online_store.views import PackedView
from feature_repo.packed_online_store.writing import write_packed

WrittenRow = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
ReadRow = tuple[datetime | None, dict[str, Value] | None]
REVISION_TAG = "revision"


class PackedOnlineStoreConfig(FeastConfigBaseModel):
    """Settings under ``online_store`` in ``feature_store.yaml``."""

    type: Literal["feature_repo.packed_online_store.feast.online_store.PackedOnlineStore"] = (
        "feature_repo.packed_online_store.feast.online_store.PackedOnlineStore"
    )
    url: StrictStr = "lmdb://online"
    revision: StrictStr | None = None
    as_of: datetime | None = None
    as_of_anchored_at: datetime | None = None
    """The wall time at which the home stood at ``as_of``: time goes on from there; left out, it stands still."""


class PackedOnlineStore(OnlineStore):
    """One packed value a row; rows expire by the view's ttl, and an older event time never overwrites a newer one."""

    def __init__(self) -> None:
        self._backends: dict[str, Backend] = {}
        self._clients: dict[tuple[str, str, str], PackedClient] = {}

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        """Both ways, on a thread."""
        return SupportedAsyncMethods(read=True, write=True)

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[WrittenRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write whole rows: a feature that a row does not name is missing in it from then on."""
        view = _view(config, table)
        client = self._client(config, table, view)
        prefix = client.namespace(view.name).rows
        columns = {
            field.name: value_column(field, [values.get(field.name) for _, values, _, _ in data])
            for field in view.schema.fields
        }
        times = np.array([_moment(event_time) for _, _, event_time, _ in data], np.int64)
        created = np.array([_moment(made) for _, _, _, made in data], np.int64)
        entities = [join_values(key) for key, _, _, _ in data]
        keys = [entity_key(prefix, entity) for entity in entities]
        held = {key: entity_of(one) for key, one in zip(keys, entities, strict=True) if is_digest(prefix, key)}
        stamps = RowStamps(times, created, client.namespace(view.name).revision_hash)
        packed = pa.table(columns) if columns else pa.table({"": pa.nulls(len(data))})
        write_packed(client, view, packed, keys, stamps, verify=True, nan_is_missing=False, held=held)
        if progress:
            progress(len(data))

    async def online_write_batch_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[WrittenRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write whole rows, on a thread."""
        await asyncio.to_thread(self.online_write_batch, config, table, data, progress)

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[ReadRow]:
        """Read rows; an absent or expired one is (None, None).

        Raises:
            StoreError: rows were packed for another schema.
        """
        view = _view(config, table)
        client = self._client(config, table, view)
        prefix = client.namespace(view.name).rows
        rows = client.read_keys(view, [entity_key(prefix, join_values(key)) for key in entity_keys])
        names = [name for name in requested_features or view.schema.by_name if name in view.schema.by_name]
        columns = [feature_values(rows, view.schema.field(name)) for name in names]
        return [
            (time, {name: column[place] for name, column in zip(names, columns, strict=True)}) if time else (None, None)
            for place, time in enumerate(event_times(rows))
        ]

    async def online_read_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[ReadRow]:
        """Read rows, on a thread."""
        return await asyncio.to_thread(self.online_read, config, table, entity_keys, requested_features)

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Delete the rows of views that are gone; views that stay need no preparation."""
        gone = {table.name for table in tables_to_delete}
        if gone:
            self._delete_views(config, lambda name: name in gone or name.rpartition("_v")[0] in gone)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Delete the rows of the project's views, at every revision, and its clock."""
        # Feast names batch and stream views only, and on-demand ones may have rows as well: the whole project goes.
        self._delete_views(config, lambda name: True)
        self._backend(config).delete([clock_key(config.project)])

    def retrieve_online_documents(self, config: RepoConfig, table: FeatureView, *_: Any, **__: Any) -> Any:
        """Refuse: rows are found by key only."""
        raise NotImplementedError(
            f"view {table.name}: the packed online store finds rows by their keys and does not search embeddings; "
            "keep a view that is searched in one of Feast's vector stores"
        )

    def retrieve_online_documents_v2(self, config: RepoConfig, table: FeatureView, *_: Any, **__: Any) -> Any:
        """Refuse: rows are found by key only."""
        return self.retrieve_online_documents(config, table)

    async def close(self) -> None:
        """Let go of connections and files."""
        for backend in self._backends.values():
            backend.close()

    def _is_versioned_read_supported(self) -> bool:
        return True

    def _delete_views(self, config: RepoConfig, is_gone: Callable[[str], bool]) -> None:
        client = PackedClient(self._backend(config), project=config.project, revision="", clock=wall_clock)
        for name in filter(is_gone, client.view_names()):
            for revision in client.revisions(name):
                client.delete_revision(name, revision)

    def _client(self, config: RepoConfig, table: FeatureView, view: PackedView) -> PackedClient:
        backend = self._backend(config)
        revision = _revision(config.online_store, table, view)
        known = (backend.url, config.project, revision)
        if known not in self._clients:
            clock = _clock(config.online_store, backend, config.project)
            self._clients[known] = PackedClient(backend, project=config.project, revision=revision, clock=clock)
        return self._clients[known]

    def _backend(self, config: RepoConfig) -> Backend:
        url = _resolved(config.online_store.url, config.repo_path)
        if url not in self._backends:
            self._backends[url] = open_backend(url)
        return self._backends[url]


def _view(config: RepoConfig, table: FeatureView) -> PackedView:
    return packed_view(table, compute_versioned_name(table, config.registry.enable_online_feature_view_versioning))


def _revision(settings: PackedOnlineStoreConfig, table: FeatureView, view: PackedView) -> str:
    """Return the revision that the settings name, else that of the feature view's tag, else its schema."""
    return settings.revision or (table.tags or {}).get(REVISION_TAG) or f"schema-{view.schema.hash:016x}"


def _clock(settings: PackedOnlineStoreConfig, backend: Backend, project: str) -> Callable[[], datetime]:
    """Choose the clock by which rows expire: the settings' clock, else the home's in the store, else the wall clock."""
    if settings.as_of:
        anchor = settings.as_of_anchored_at
        return StoredClock(_aware(settings.as_of), anchor and _aware(anchor))

    def kept_clock() -> datetime:
        record = backend.read([clock_key(project)])[0]
        return StoredClock.from_json(record)() if record else wall_clock()

    return kept_clock


def _resolved(url: str, repo_path: Path | None) -> str:
    """Ask the home that it names; take an LMDB folder that is not absolute as one beside ``feature_store.yaml``."""
    if url.startswith("home://"):
        return Home(parse_location(url.removeprefix("home://"))).online_url
    folder = url.removeprefix("lmdb://")
    if folder == url or folder.startswith("/"):
        return url
    return f"lmdb://{(repo_path or Path.cwd()).resolve() / folder}"


def _moment(time: datetime | None) -> int:
    """Return microseconds since 1970; a time without a zone is in UTC, as everywhere in Feast."""
    if time is None or time != time:
        return NO_TIME
    return microseconds(_aware(time))


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
