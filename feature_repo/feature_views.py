"""Feature views: their schema is what the definitions in ``components/features`` store, or the service writes."""

from datetime import timedelta

import pyarrow as pa
from feast import Entity, FeatureView, Field, FileSource, PushSource
from feast.types import Array, FeastType, Float32, Int32, Int64, String

from components.features.views.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from feature_repo.sessions import SESSION_FEATURES, SESSIONS, TTL

SCALARS: dict[pa.DataType, FeastType] = {
    pa.float32(): Float32,
    pa.int32(): Int32,
    pa.int64(): Int64,
    pa.string(): String,
}


def feature_view(
    name: str, schema: pa.Schema, entity: Entity, source: FileSource, ttl_days: int, revision: str
) -> FeatureView:
    """A view over the snapshots of a set."""
    columns = [field for field in schema if field.name not in (EVENT_TIMESTAMP, CREATED_TIMESTAMP)]
    return FeatureView(
        name=name,
        entities=[entity],
        ttl=timedelta(days=ttl_days),
        schema=[Field(name=field.name, dtype=feast_type(field.type)) for field in columns],
        source=source,
        online=True,
        tags={"revision": revision},
    )


def session_feature_view(entity: Entity, source: PushSource, revision: str) -> FeatureView:
    """The view whose rows the service writes as events arrive; Feast reads them, and may push some too."""
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


def feast_type(kind: pa.DataType) -> FeastType:
    """Feast's name of a stored type."""
    return Array(SCALARS[kind.value_type]) if pa.types.is_list(kind) else SCALARS[kind]
