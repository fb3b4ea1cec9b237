"""Which columns are watched, and how: numeric, categorical, or not at all."""

from collections.abc import Mapping
from enum import StrEnum

import pyarrow as pa

from components.contracts.errors import FeatureError

IDENTIFIER_COLUMNS = frozenset({"user_id", "session_id", "request_id", "event_id"})
"""Columns that say who or which visit it was; their values never enter a sketch, so never a bundle."""


class ColumnKind(StrEnum):
    """The kind of a column, which decides how its values are compared."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


def column_kinds(schema: pa.Schema) -> dict[str, ColumnKind]:
    """Return the watched columns of a schema with their kinds.

    Left out: identifiers (``IDENTIFIER_COLUMNS``), times (they always move) and nested columns.
    """
    kinds = {field.name: kind_of(field.type) for field in schema if field.name not in IDENTIFIER_COLUMNS}
    return {name: kind for name, kind in kinds.items() if kind is not None}


def kind_of(data_type: pa.DataType) -> ColumnKind | None:
    """Return the kind of an Arrow type, or None where drift of its values has no meaning."""
    types = pa.types
    if types.is_integer(data_type) or types.is_floating(data_type) or types.is_decimal(data_type):
        return ColumnKind.NUMERIC
    if types.is_boolean(data_type) or types.is_dictionary(data_type) or is_text(data_type):
        return ColumnKind.CATEGORICAL
    return None


def is_text(data_type: pa.DataType) -> bool:
    """Tell whether an Arrow type holds strings, in any of its three layouts."""
    types = pa.types
    return types.is_string(data_type) or types.is_large_string(data_type) or types.is_string_view(data_type)


def refuse_identifiers(columns: Mapping[str, ColumnKind]) -> None:
    """Raise ``FeatureError`` when a column to be sketched identifies a user or a visit."""
    identifiers = sorted(IDENTIFIER_COLUMNS & set(columns))
    if identifiers:
        raise FeatureError(
            f"drift sketches: {', '.join(identifiers)} would be sketched, but sketches are kept in bundles, which hold "
            "no identifiers; leave these columns out (the unit of counting is given apart)"
        )
