"""Feast's feature views as packed views, and their tables written without going through protobuf."""

from typing import Any

import pyarrow as pa
from feast.type_map import python_values_to_proto_values

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.client import PackedClient, WriteReport
from feature_repo.packed_online_store.feast.values import packed_type, serialized
from feature_repo.packed_online_store.layout import PackedSchema
from feature_repo.packed_online_store.views import PackedView
from feature_repo.packed_online_store.writing import write_view

DUMMY_JOIN_KEY = "__dummy_id"
"""What Feast names the one row of a view without entities by."""


def packed_view(feature_view: Any, name: str | None = None) -> PackedView:
    """Describe a feature view (batch, stream or on-demand) as its rows are packed."""
    schema = PackedSchema.of({field.name: packed_type(field.dtype.to_value_type()) for field in feature_view.features})
    join_keys = tuple(field.name for field in feature_view.entity_columns) or (DUMMY_JOIN_KEY,)
    return PackedView(name or feature_view.name, schema, join_keys, getattr(feature_view, "ttl", None) or None)


def write_feature_view(
    client: PackedClient, feature_view: Any, table: pa.Table, *, item_codes: int = 0, verify: bool = True
) -> WriteReport:
    """Write a table as it comes from a feature view's batch source: the same rows as ``feast materialize``, faster.

    Times that are features keep their microseconds, which Feast's own path cuts to seconds.

    Raises:
        StoreError: a view without a batch source, and as :func:`write_view` says.
    """
    source = feature_view.batch_source
    if source is None:
        raise StoreError(f"view {feature_view.name} has no batch source; expected one that names its time column")
    view = packed_view(feature_view)
    mapping = source.field_mapping or {}
    table = table.rename_columns([mapping.get(name, name) for name in table.column_names])
    if view.join_keys == (DUMMY_JOIN_KEY,) and DUMMY_JOIN_KEY not in table.column_names:
        table = table.append_column(DUMMY_JOIN_KEY, pa.array([""] * len(table), pa.string()))
    return write_view(
        client,
        view,
        _serialize_values(feature_view, view.schema, table),
        event_time=source.timestamp_field,
        created=source.created_timestamp_column or None,
        item_codes=item_codes,
        verify=verify,
    )


def _serialize_values(feature_view: Any, schema: PackedSchema, table: pa.Table) -> pa.Table:
    """Replace the columns that have no place of their own in a row by their values' protobuf bytes."""
    for field in feature_view.features:
        if schema.field(field.name).type != "value" or field.name not in table.column_names:
            continue
        plain = table.column(field.name).to_numpy(zero_copy_only=False)
        values = python_values_to_proto_values(plain, field.dtype.to_value_type())
        column = pa.array([serialized(value) for value in values], pa.large_binary())
        table = table.set_column(table.column_names.index(field.name), field.name, column)
    return table
