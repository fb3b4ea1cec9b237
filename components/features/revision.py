"""The revision of the feature views: it changes whenever a column may mean something else."""

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

from components.features.shape import Shape

DEFINITIONS = (  # every module that decides what a stored value is
    "moment.py",
    "shape.py",
    "local_days.py",
    "coded.py",
    "lines.py",
    "frame.py",
    "catalogue.py",
    "neighbours.py",
    "hazards.py",
    "user_features.py",
    "item_features.py",
    "user_view.py",
    "item_view.py",
    "views.py",
    "snapshot.py",
    "plan.py",
)


def feature_revision(shape: Shape) -> str:
    """Hash of the definitions' code and of the settings that shape the columns."""
    return hashlib.sha256(_code() + json.dumps(asdict(shape), sort_keys=True).encode()).hexdigest()[:16]


@cache
def _code() -> bytes:
    folder = Path(__file__).parent
    return b"".join((folder / module).read_bytes() for module in DEFINITIONS)
