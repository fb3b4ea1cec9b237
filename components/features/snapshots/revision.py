"""The revision of the feature views: it changes whenever a column may mean something else."""

import hashlib
import json
from dataclasses import asdict

from components.features.settings import Shape
from components.features.snapshots.schemas import view_schemas

VIEWS_VERSION = 1  # raise it when a column of the same name means something else


def feature_revision(shape: Shape) -> str:
    """Return the hash of the views' version, of their columns, and of the settings that shape these."""
    columns = {
        view: [(field.name, str(field.type)) for field in schema] for view, schema in view_schemas(shape).items()
    }
    content = [VIEWS_VERSION, columns, asdict(shape)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
