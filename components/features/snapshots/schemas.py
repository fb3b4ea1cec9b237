"""The views' schemas, derived from the definitions without any data, and the revision that covers them."""

import hashlib
import json
from dataclasses import asdict
from functools import cache

import ibis
import pyarrow as pa

from components.features.inputs.encoded import encode_tables
from components.features.settings import FeatureSettings
from components.features.snapshots.workspace import CLEAN
from components.features.views.item_view import item_view
from components.features.views.snapshot_inputs import snapshot_inputs
from components.features.views.user_view import user_view
from components.features.views.view import View

VIEWS_VERSION = 1  # raise it when a column of the same name means something else


def unbound_views(settings: FeatureSettings) -> list[View]:
    """Return the views over tables without data: for their schemas, and to compile them for other engines."""
    clean = {name: ibis.table(ibis.Schema.from_pyarrow(schema), name=name) for name, schema in CLEAN.items()}
    inputs = snapshot_inputs(encode_tables(clean, settings), settings)
    return [user_view(inputs), item_view(inputs)]


@cache  # the expressions take a second to build
def view_schemas(settings: FeatureSettings) -> dict[str, pa.Schema]:
    """Return the schema of each view's stored rows."""
    return {view.name: view.schema for view in unbound_views(settings)}


def feature_revision(settings: FeatureSettings) -> str:
    """Return the hash of the views' version, of their columns, and of the settings that decide these."""
    columns = {
        view: [(field.name, str(field.type)) for field in schema] for view, schema in view_schemas(settings).items()
    }
    content = [VIEWS_VERSION, columns, asdict(settings)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
