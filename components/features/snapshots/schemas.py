"""Schemas of the views for a shop's shape, derived from the definitions without any data."""

from functools import cache

import ibis
import pyarrow as pa

from components.features.inputs.coded import coded
from components.features.settings import Shape
from components.features.snapshots.workspace import CLEAN
from components.features.views.frame import frame_of
from components.features.views.item_view import item_view
from components.features.views.user_view import user_view
from components.features.views.view import View


def unbound_views(shape: Shape) -> list[View]:
    """The views over tables that hold nothing: for their schemas, and to compile them for other engines."""
    clean = {name: ibis.table(ibis.Schema.from_pyarrow(schema), name=name) for name, schema in CLEAN.items()}
    frame = frame_of(coded(clean, shape), shape)
    return [user_view(frame), item_view(frame)]


@cache  # the expressions take a second to build
def view_schemas(shape: Shape) -> dict[str, pa.Schema]:
    """What a stored row of each view holds."""
    return {view.name: view.schema for view in unbound_views(shape)}
