"""What Feast registers for a feature set: entities, sources, views, and the service that a ranker reads."""

import glob
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.data_format import ParquetFormat
from feast.types import Array, FeastType, Float32, Int32, Int64, String

from components.features.snapshots.schemas import view_schemas
from components.features.snapshots.sets import FeatureSet
from components.features.views.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from components.home.storage.documents import write_document
from components.home.storage.locations import Location
from feature_repo.sessions import SESSION_FEATURES, SESSIONS, TTL
from feature_repo.snapshot_source import SnapshotSource

SCALARS: dict[pa.DataType, FeastType] = {
    pa.float32(): Float32,
    pa.int32(): Int32,
    pa.int64(): Int64,
    pa.string(): String,
}


@dataclass(frozen=True)
class Definitions:
    """Entities, sources, views and the service of one feature set; where sessions are known, they come last."""

    entities: tuple[Entity, ...]
    sources: tuple[FileSource | PushSource, ...]
    views: tuple[FeatureView, ...]
    service: FeatureService

    @property
    def objects(self) -> list[Any]:
        """Everything that Feast registers."""
        return [*self.entities, *self.sources, *self.views, self.service]


def definitions_of(feature_set: FeatureSet, current: bool = False, sessions: Location | None = None) -> Definitions:
    """Define what Feast registers for a set.

    Args:
        current: read the set that is the current one of the home when something is read, by default this one.
        sessions: the empty file that stands for sessions offline; without it sessions are left out.
    """
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING, description="A shop's customer.")
    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING, description="A catalogue item.")
    entities = {"user_features": user, "item_features": item}
    schemas = view_schemas(feature_set.settings)
    sources = {view: snapshot_source(feature_set, view, current) for view in schemas}
    views = [feature_view(view, schema, entities[view], sources[view], feature_set) for view, schema in schemas.items()]
    service = FeatureService(
        name=f"ranking_{feature_set.revision[:8]}", features=list(views), tags={"revision": feature_set.revision}
    )
    pushed = [session_source(sessions)] if sessions else []
    views += [session_feature_view(user, source, feature_set.revision) for source in pushed]
    return Definitions((user, item), (*sources.values(), *pushed), tuple(views), service)


def snapshot_source(feature_set: FeatureSet, view: str, current: bool) -> SnapshotSource:
    """Define the source of a view's snapshots, in one set or in the current one."""
    return SnapshotSource(f"{view}_snapshots", str(feature_set.features), None if current else feature_set.digest, view)


def feature_view(
    name: str, schema: pa.Schema, entity: Entity, source: FileSource, feature_set: FeatureSet
) -> FeatureView:
    """Define a view over the snapshots of a set; its schema is what ``components/features`` stores."""
    columns = [field for field in schema if field.name not in (EVENT_TIMESTAMP, CREATED_TIMESTAMP)]
    return FeatureView(
        name=name,
        entities=[entity],
        ttl=timedelta(days=feature_set.ttl_days),
        schema=[Field(name=field.name, dtype=feast_type(field.type)) for field in columns],
        source=source,
        online=True,
        tags={"revision": feature_set.revision},
    )


def session_feature_view(entity: Entity, source: PushSource, revision: str) -> FeatureView:
    """Define the view whose rows the service writes as events arrive; Feast reads them, and may push some too."""
    columns = [field for field in SESSIONS if field.name != EVENT_TIMESTAMP]
    return FeatureView(
        name=SESSION_FEATURES,
        entities=[entity],
        ttl=TTL,
        schema=[Field(name=field.name, dtype=feast_type(field.type)) for field in columns],
        source=source,
        online=True,
        tags={"revision": revision},
    )


def session_source(empty: Location) -> PushSource:
    """Define sessions as they are pushed; Feast wants a batch source beside them, which is an empty file."""
    batch = FileSource(
        name=f"{SESSION_FEATURES}_offline",
        path=glob.escape(str(empty)),
        file_format=ParquetFormat(),
        timestamp_field=EVENT_TIMESTAMP,
    )
    return PushSource(name=f"{SESSION_FEATURES}_pushed", batch_source=batch)


def write_empty_sessions(location: Location) -> None:
    """Write the empty file that stands for sessions offline."""
    content = pa.BufferOutputStream()
    pq.write_table(SESSIONS.empty_table(), content)
    write_document(location, content.getvalue().to_pybytes())


def feast_type(kind: pa.DataType) -> FeastType:
    """Return Feast's name of a stored type."""
    return Array(SCALARS[kind.value_type]) if pa.types.is_list(kind) else SCALARS[kind]
