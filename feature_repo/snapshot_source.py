"""Snapshots as Feast reads them: a file source whose files a feature set's manifest names."""

import glob
import json
from collections.abc import Iterable
from typing import Any

import pyarrow.parquet as pq
from feast import FileSource
from feast.data_format import ParquetFormat
from feast.data_source import DataSource
from feast.protos.feast.core.DataSource_pb2 import DataSource as DataSourceProto
from feast.repo_config import RepoConfig

from components.features.snapshots.sets import FeatureSet, current_set, read_set
from components.features.views.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from components.home.storage.locations import parse_location


class SnapshotSource(FileSource):
    """The snapshots of a view in one feature set, or in the set that is the current one when they are read.

    Feast's own source names one file or one pattern. This one names a manifest, and gives DuckDB the list of its files.
    """

    def __init__(self, name: str, features: str, digest: str | None, view: str) -> None:
        super().__init__(
            name=name,
            path=features,
            file_format=ParquetFormat(),
            timestamp_field=EVENT_TIMESTAMP,
            created_timestamp_column=CREATED_TIMESTAMP,
        )
        self.features, self.digest, self.view = features, digest, view

    @property
    def path(self) -> list[str]:  # type: ignore[override] # Feast hands it to Ibis, which takes lists too
        """Return the view's files on this machine; DuckDB would take ? and * in their names for patterns."""
        feature_set = self._set()
        return [glob.escape(str(feature_set.path(self.view, day))) for day in feature_set.days]

    def _set(self) -> FeatureSet:
        features = parse_location(self.features)
        return current_set(features) if self.digest is None else read_set(features, self.digest)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SnapshotSource)
            and DataSource.__eq__(self, other)
            and (self.features, self.digest, self.view) == (other.features, other.digest, other.view)
        )

    def __hash__(self) -> int:
        return super().__hash__()

    def _to_proto_impl(self) -> DataSourceProto:
        proto = super()._to_proto_impl()
        proto.type = DataSourceProto.SourceType.CUSTOM_SOURCE
        proto.data_source_class_type = f"{type(self).__module__}.{type(self).__name__}"
        proto.custom_options.configuration = json.dumps([self.features, self.digest, self.view]).encode()
        return proto

    @staticmethod
    def from_proto(proto: DataSourceProto) -> "SnapshotSource":
        """Read a source from Feast's registry."""
        return SnapshotSource(proto.name, *json.loads(proto.custom_options.configuration))

    def validate(self, config: RepoConfig) -> None:
        """Do nothing: a manifest names only files that were there when it was written."""

    def get_table_column_names_and_types(self, config: RepoConfig) -> Iterable[tuple[str, Any]]:
        """Return the columns of the newest snapshot."""
        schema = pq.read_schema(self._set().newest(self.view))
        return zip(schema.names, map(str, schema.types), strict=True)
