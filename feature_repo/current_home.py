"""What Feast's shell registers: the objects of the newest feature set of the home that RANKLOOP_HOME names.

Everything else in this folder defines functions only, so that ``feast apply`` finds each object once.
"""

import os
from pathlib import Path

from components.contracts.errors import ConfigurationError
from components.features.snapshots.sets import CURRENT, read_set
from feature_repo.repository import build_repo
from feature_repo.sessions import EMPTY_SESSIONS


def _current_set() -> Path:
    home = os.environ.get("RANKLOOP_HOME")
    if not home:
        raise ConfigurationError(
            "RANKLOOP_HOME is not set; expected the folder of a home, as feature_store.yaml reads it too: "
            "export RANKLOOP_HOME=$PWD/../.rankloop"
        )
    return Path(home).absolute() / "features" / CURRENT


_folder = _current_set()
_repository = build_repo(read_set(_folder), _folder, sessions=_folder.parents[1] / "feature_store" / EMPTY_SESSIONS)
user, item = _repository.entities
user_snapshots, item_snapshots, sessions_pushed = _repository.sources
user_features, item_features, session_features = _repository.views
ranking = _repository.service
