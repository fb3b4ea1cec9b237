"""Feature views: their schema is what the definitions in ``components/features`` store."""

from datetime import timedelta

import pyarrow as pa
from feast import Entity, FeatureView, Field, FileSource
from feast.types import Array, FeastType, Float32, Int32, String

from components.features.views import CREATED_TIMESTAMP, EVENT_TIMESTAMP

SCALARS: dict[pa.DataType, FeastType] = {pa.float32(): Float32, pa.int32(): Int32, pa.string(): String}


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


def feast_type(kind: pa.DataType) -> FeastType:
    """Feast's name of a stored type."""
    return Array(SCALARS[kind.value_type]) if pa.types.is_list(kind) else SCALARS[kind]
